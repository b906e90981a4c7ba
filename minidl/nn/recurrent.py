"""Recurrent layers; the formulas are in :mod:`minidl.functional.recurrent` and ``kernels/recurrent``."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import functional as F
from minidl.autograd import Tensor, is_array
from minidl.nn.linear import new_parameter
from minidl.nn.module import Module
from minidl.nn.packed import in_order, walk_packed
from minidl.nn.recurrent_cell import check_nonlinearity, init_uniform
from minidl.nn.utils.rnn import PackedSequence


class _Recurrent(Module):
    """What RNN, LSTM and GRU share: layers on top of one another, each in one or two directions."""

    parts = 1  # the weights have parts * H rows
    states = 1  # how many arrays are carried from step to step

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ):
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be a probability from 0 to 1, got {dropout}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, float(dropout), bidirectional
        self._names: list[list[str]] = []  # of the parameters of each layer and direction
        rows = self.parts * hidden_size
        for layer in range(num_layers):
            columns = input_size if layer == 0 else hidden_size * self.directions
            for suffix in ("", "_reverse")[: self.directions]:
                shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, hidden_size)}
                if bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                named = {f"{name}_l{layer}{suffix}": new_parameter(*shape) for name, shape in shapes.items()}
                for name, parameter in named.items():
                    self.register_parameter(name, parameter)
                self._names.append(list(named))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform in +-1 / sqrt(hidden_size)."""
        init_uniform(self, self.hidden_size)

    def walk(self, x: Any, states: Any, weights: list, reverse: bool, batch_first: bool) -> tuple[Any, ...]:
        """y of one layer in one direction, and its last states."""
        raise NotImplementedError(f"{type(self).__name__} must define walk(self, x, states, weights, ...)")

    def flatten_parameters(self) -> None:
        """Do nothing; in PyTorch this puts the weights side by side in memory."""

    def forward(self, x: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(x, PackedSequence):
            return self._forward_packed(x, hx)
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            sizes = "N, T" if self.batch_first else "T, N"
            raise ValueError(
                f"{type(self).__name__} needs x ({sizes}, {self.input_size}), or (T, {self.input_size}) for one "
                f"sequence, got shape {tuple(x.shape)}"
            )
        batched = x.ndim == 3
        batch_first = self.batch_first and batched
        if not batched:
            x = F.unsqueeze(x, 1)
        given = None if hx is None else self._given_states(hx, x.shape[0 if batch_first else 1], batched)

        def walk(x: Any, k: int, reverse: bool) -> tuple[Any, ...]:
            start = None if given is None else tuple(state[k : k + 1] for state in given)
            return self.walk(x, start, self._weights(k), reverse, batch_first)

        x, final = self._layers(x, walk)
        if not batched:
            x, final = F.squeeze(x, 1), tuple(F.squeeze(state, 1) for state in final)
        return x, final if self.states > 1 else final[0]

    def _weights(self, k: int) -> list:
        """The parameters of layer and direction k."""
        return [self._parameters[name] for name in self._names[k]]

    def _layers(self, x: Any, walk: Any) -> tuple[Any, tuple[Any, ...]]:
        """y (..., D*H) of the last layer and the final states (L*D, N, H), by walk(x, k, reverse)."""
        last: list[tuple[Any, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in (False, True)[: self.directions]:
                y, *states = walk(x, len(last), reverse)
                outputs.append(y)
                last.append(tuple(states))
            x = outputs[0] if len(outputs) == 1 else F.cat(outputs, -1)
            if self.dropout and layer + 1 < self.num_layers:
                x = F.dropout(x, self.dropout, self.training)
        return x, tuple(states[0] if len(states) == 1 else F.cat(states) for states in zip(*last))

    def _forward_packed(self, x: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        """The same of packed sequences; hx and the final states are in the order in which the sequences came."""
        if x.data.ndim != 2 or x.data.shape[1] != self.input_size:
            raise ValueError(
                f"{type(self).__name__} needs packed sequences with data (rows, {self.input_size}), got shape "
                f"{tuple(x.data.shape)}"
            )
        batch = int(x.batch_sizes[0])
        if hx is None:
            zeros = F.as_tensor(x.data).new_zeros(self.num_layers * self.directions, batch, self.hidden_size)
            given = (zeros,) * self.states
        else:
            given = in_order(self._given_states(hx, batch, True), x.sorted_indices)

        def walk(data: Any, k: int, reverse: bool) -> tuple[Any, ...]:
            start = tuple(state[k : k + 1] for state in given)
            return walk_packed(self.walk, x._replace(data=data), start, self._weights(k), reverse)

        data, final = self._layers(x.data, walk)
        final = in_order(final, x.unsorted_indices)
        return x._replace(data=data), final if self.states > 1 else final[0]

    def _given_states(self, hx: Any, batch: int, batched: bool) -> tuple[Any, ...]:
        """The states to start from, each (L*D, N, H)."""
        if self.states > 1 and not (isinstance(hx, (tuple, list)) and len(hx) == self.states):
            raise TypeError(f"{type(self).__name__} needs the tuple (h0, c0) as hx, got {type(hx).__name__}")
        given = tuple(hx) if self.states > 1 else (hx,)
        if not all(isinstance(state, Tensor) or is_array(state) for state in given):
            raise TypeError(f"{type(self).__name__} needs Tensors as hx, got {type(hx).__name__}")
        count = self.num_layers * self.directions
        expected = (count, batch, self.hidden_size) if batched else (count, self.hidden_size)
        for name, state in zip(("h0", "c0"), given):
            if tuple(state.shape) != expected:
                raise ValueError(f"{name} must have shape {expected} for this x, got {tuple(state.shape)}")
        return given if batched else tuple(F.unsqueeze(state, 1) for state in given)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = dict(num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False)
        for name, default in defaults.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(_Recurrent):
    """Elman's recurrent layers: y[t] = tanh(x[t] weight_ih^T + bias_ih + y[t-1] weight_hh^T + bias_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        C and H, the sizes of the input of a step and of the state.
    num_layers : int
        L; each layer's output is the next one's input.
    nonlinearity : {"tanh", "relu"}
    bias : bool
    batch_first : bool
        Sequences come and go as (N, T, ...) instead of (T, N, ...); states stay (L*D, N, H).
    dropout : float
        The probability of dropout between two layers, in training.
    bidirectional : bool
        Also walk from the last step to the first, with weights of their own (D = 2); both outputs stand side by side.

    Notes
    -----
    ``y, h_n = rnn(x, h0)`` with x (T, N, C), or (T, C) for one sequence; h0 (L*D, N, H), zeros if left out; y
    (T, N, D*H) of the last layer; h_n (L*D, N, H) the last state of every layer and direction. For truncated
    backpropagation through time, go on from ``h_n.detach()``. x may also be a
    :class:`~minidl.nn.utils.rnn.PackedSequence`, and then y is one.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> y, h_n = nn.RNN(10, 20, batch_first=True)(np.zeros((3, 5, 10), "float32"))
    >>> y.shape, h_n.shape
    ((3, 5, 20), (1, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self.nonlinearity = check_nonlinearity(nonlinearity)

    def walk(self, x: Any, states: Any, weights: list, reverse: bool, batch_first: bool) -> tuple[Any, ...]:
        h0 = None if states is None else states[0]
        return F.rnn(x, h0, *weights, nonlinearity=self.nonlinearity, reverse=reverse, batch_first=batch_first)


class LSTM(_Recurrent):
    """Layers of long short-term memory; :func:`minidl.functional.lstm_cell` is one step.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in :class:`RNN`.

    Notes
    -----
    ``y, (h_n, c_n) = lstm(x, (h0, c0))``; shapes as in :class:`RNN`. The rows of the weights are in four parts: i, f,
    g, o.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> y, (h_n, c_n) = nn.LSTM(10, 20, num_layers=2)(np.zeros((5, 3, 10), "float32"))
    >>> y.shape, h_n.shape, c_n.shape
    ((5, 3, 20), (2, 3, 20), (2, 3, 20))
    """

    parts = 4
    states = 2

    def walk(self, x: Any, states: Any, weights: list, reverse: bool, batch_first: bool) -> tuple[Any, ...]:
        return F.lstm(x, states, *weights, reverse=reverse, batch_first=batch_first)


class GRU(_Recurrent):
    """Layers of gated recurrent units; :func:`minidl.functional.gru_cell` is one step.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in :class:`RNN`.

    Notes
    -----
    ``y, h_n = gru(x, h0)``; shapes as in :class:`RNN`. The rows of the weights are in three parts: r, z, n.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> y, h_n = nn.GRU(10, 20, bidirectional=True)(np.zeros((5, 3, 10), "float32"))
    >>> y.shape, h_n.shape
    ((5, 3, 40), (2, 3, 20))
    """

    parts = 3

    def walk(self, x: Any, states: Any, weights: list, reverse: bool, batch_first: bool) -> tuple[Any, ...]:
        h0 = None if states is None else states[0]
        return F.gru(x, h0, *weights, reverse=reverse, batch_first=batch_first)
