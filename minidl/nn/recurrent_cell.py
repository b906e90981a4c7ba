"""Recurrent cells: one step, for loops of your own; the formulas are in :mod:`minidl.functional.recurrent_cell`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minidl import functional as F
from minidl.autograd import Tensor
from minidl.kernels import array_module
from minidl.nn import init
from minidl.nn.linear import new_parameter
from minidl.nn.module import Module


def check_nonlinearity(nonlinearity: str) -> str:
    """The nonlinearity; a ValueError unless it is "tanh" or "relu"."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    return nonlinearity


def init_uniform(module: Module, hidden_size: int) -> None:
    """PyTorch's default: all parameters uniform in +-1 / sqrt(hidden_size)."""
    bound = 1 / math.sqrt(hidden_size)
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


class _Cell(Module):
    """What the cells share: the weights of one step.

    Parameters
    ----------
    input_size, hidden_size : int
        C and H.
    bias : bool
    """

    parts = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.parts * hidden_size
        self.weight_ih = new_parameter(rows, input_size)
        self.weight_hh = new_parameter(rows, hidden_size)
        self.register_parameter("bias_ih", new_parameter(rows) if bias else None)
        self.register_parameter("bias_hh", new_parameter(rows) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform in +-1 / sqrt(hidden_size)."""
        init_uniform(self, self.hidden_size)

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _start(self, x: Any, h: Any, name: str) -> Any:
        """h, or zeros if it is None."""
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(f"{type(self).__name__} needs x (N, {self.input_size}), got shape {tuple(x.shape)}")
        expected = (*x.shape[:-1], self.hidden_size)
        if h is None:
            data = x.data if isinstance(x, Tensor) else x
            return Tensor(array_module(data).zeros(expected, data.dtype))
        if tuple(h.shape) != expected:
            raise ValueError(f"{name} must have shape {expected} for x {tuple(x.shape)}, got {tuple(h.shape)}")
        return h

    def _walk(self, layer: Callable, x: Any, *state: Any) -> tuple[Any, ...]:
        """The state after x, by the layer for whole sequences: one operation where the formula of a step is a dozen."""
        shape = state[0].shape
        x, *state = [part.reshape(1, -1, part.shape[-1]) for part in (x, *state)]  # a sequence of one step
        _, *state = layer(x, state if len(state) > 1 else state[0], *self._weights())
        return tuple(part.reshape(shape) for part in state)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """One step of :class:`RNN`: ``h = cell(x, h)`` with x (N, C) and h (N, H), zeros if left out.

    Parameters
    ----------
    input_size, hidden_size : int
        C and H.
    bias : bool
    nonlinearity : {"tanh", "relu"}

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> cell, h = nn.RNNCell(3, 4), None
    >>> for x in minidl.randn(5, 2, 3):  # 5 steps of 2 sequences
    ...     h = cell(x, h)
    >>> h.shape
    (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"):
        super().__init__(input_size, hidden_size, bias)
        self.nonlinearity = check_nonlinearity(nonlinearity)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")

    def forward(self, x: Any, hx: Any = None) -> Any:
        return F.rnn_cell(x, self._start(x, hx, "hx"), *self._weights(), self.nonlinearity)


class LSTMCell(_Cell):
    """One step of :class:`LSTM`: ``h, c = cell(x, (h, c))`` with x (N, C), h and c (N, H), zeros if left out.

    Parameters
    ----------
    input_size, hidden_size : int
        C and H.
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> h, c = nn.LSTMCell(3, 4)(minidl.randn(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    parts = 4

    def forward(self, x: Any, hx: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
        h, c = (None, None) if hx is None else hx
        return self._walk(F.lstm, x, self._start(x, h, "h"), self._start(x, c, "c"))


class GRUCell(_Cell):
    """One step of :class:`GRU`: ``h = cell(x, h)`` with x (N, C) and h (N, H), zeros if left out.

    Parameters
    ----------
    input_size, hidden_size : int
        C and H.
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.GRUCell(3, 4)(minidl.randn(2, 3)).shape
    (2, 4)
    """

    parts = 3

    def forward(self, x: Any, hx: Any = None) -> Any:
        return self._walk(F.gru, x, self._start(x, hx, "hx"))[0]
