"""Recurrent layers: a state that is carried from step to step and changed by the input of each step.

``rnn``, ``lstm`` and ``gru`` walk over all time steps in one operation, by the formulas in ``kernels/recurrent``, which
also names their sources. One step is a cell, see :mod:`minidl.functional.recurrent_cell`.
"""

from __future__ import annotations

from typing import Any

from minidl import kernels
from minidl.autograd import Function, Tensor, grad
from minidl.functional.joining import stack
from minidl.functional.operands import data_of, namespace
from minidl.functional.recurrent_cell import gru_cell, lstm_cell, rnn_cell

__all__ = ["gru", "lstm", "rnn"]


class RecurrentLayer(Function):
    """What Rnn, Lstm and Gru share. The kernels take (T, N, ...); with `batch_first`, x and y are (N, T, ...)."""

    saves_output = True
    states = 1  # arrays that are carried from step to step

    def __init__(self, reverse, batch_first):
        self.reverse = reverse
        self.turn = _turn if batch_first else _as_it_is  # (N, T, ...) to (T, N, ...), and back

    def last(self, y):
        """The state (1, N, H) after the walk, in memory of its own."""
        return (y[:1] if self.reverse else y[-1:]).copy()

    def backward(self, dy, inputs, output):
        """By the kernel; for second derivatives, by cells whose gradients the engine records."""
        recorded = any(isinstance(part, Tensor) for part in dy)
        return self.by_cells(dy, inputs) if recorded else self.by_kernel(dy, inputs, output)

    def by_cells(self, dy, inputs):
        """Backpropagation through time, cell by cell, in operations that are recorded."""
        inputs = [x.clone() if isinstance(x, Tensor) else x for x in inputs]  # apart, if one tensor was given twice
        x, state, weights = self.turn(inputs[0]), inputs[1 : 1 + self.states], inputs[1 + self.states :]
        state, y = [h[0] for h in state], []
        for x_t in reversed(x) if self.reverse else x:
            state = self.step(x_t, *state, *weights)
            y.append(state[0])  # (N, H)
        y = stack(y[::-1] if self.reverse else y)  # (T, N, H)
        used = [i for i, part in enumerate(dy) if part is not None]
        outputs = self.turn(y), *[h[None] for h in state]
        wanted = [x for i, x in enumerate(inputs) if self.needs(i)]
        dx = iter(grad([outputs[i] for i in used], wanted, [dy[i] for i in used], create_graph=True))
        return tuple(next(dx) if self.needs(i) else None for i in range(len(inputs)))


class Rnn(RecurrentLayer):
    """y[t] = tanh(x[t] w_ih^T + b_ih + h w_hh^T + b_hh) with h = y[t-1], h0 at first; and the last h."""

    def __init__(self, nonlinearity, reverse, batch_first):
        super().__init__(reverse, batch_first)
        self.options = {"nonlinearity": nonlinearity, "reverse": reverse}

    def forward(self, x, h0, w_ih, w_hh, b_ih, b_hh):
        y = kernels.recurrent.rnn_forward(self.turn(x), h0[0], w_ih, w_hh, b_ih, b_hh, **self.options)  # (T, N, H)
        return self.turn(y), self.last(y)

    def by_kernel(self, dy, inputs, output):
        x, h0, w_ih, w_hh, _, _ = inputs
        given = self.turn(x), h0[0], w_ih, w_hh, self.turn(output[0]), self.turn(dy[0]), _of_one_layer(dy[1])
        dx, dh0, dw_ih, dw_hh, db = kernels.recurrent.rnn_backward(*given, **self.options, needs_dx=self.needs(0))
        return self.turn(dx), dh0[None], dw_ih, dw_hh, db, db

    def step(self, x, h, *weights):
        return (rnn_cell(x, h, *weights, nonlinearity=self.options["nonlinearity"]),)


class Lstm(RecurrentLayer):
    """c[t] = f * c[t-1] + i * g and y[t] = o * tanh(c[t]), with i, f, g, o of x[t] and y[t-1]; and the last of both."""

    states = 2

    def forward(self, x, h0, c0, w_ih, w_hh, b_ih, b_hh):
        given = self.turn(x), h0[0], c0[0], w_ih, w_hh, b_ih, b_hh
        y, c, gates = kernels.recurrent.lstm_forward(*given, reverse=self.reverse)  # (T, N, H)
        self.saved = c, gates
        return self.turn(y), self.last(y), self.last(c)

    def by_kernel(self, dy, inputs, output):
        x, h0, c0, w_ih, w_hh, _, _ = inputs
        given = self.turn(x), h0[0], c0[0], w_ih, w_hh, self.turn(output[0]), *self.saved
        dys = self.turn(dy[0]), _of_one_layer(dy[1]), _of_one_layer(dy[2])
        dx, dh0, dc0, dw_ih, dw_hh, db = kernels.recurrent.lstm_backward(
            *given, *dys, reverse=self.reverse, needs_dx=self.needs(0)
        )
        return self.turn(dx), dh0[None], dc0[None], dw_ih, dw_hh, db, db

    def step(self, x, h, c, *weights):
        return lstm_cell(x, (h, c), *weights)


class Gru(RecurrentLayer):
    """y[t] = (1 - z) * n + z * y[t-1], where z and n come from x[t] and y[t-1]; and the last y."""

    def forward(self, x, h0, w_ih, w_hh, b_ih, b_hh):
        given = self.turn(x), h0[0], w_ih, w_hh, b_ih, b_hh
        y, self.saved = kernels.recurrent.gru_forward(*given, reverse=self.reverse)  # (T, N, H)
        return self.turn(y), self.last(y)

    def by_kernel(self, dy, inputs, output):
        x, h0, w_ih, w_hh, _, _ = inputs
        given = self.turn(x), h0[0], w_ih, w_hh, self.turn(output[0]), self.saved
        dys = self.turn(dy[0]), _of_one_layer(dy[1])
        dx, dh0, *gradients = kernels.recurrent.gru_backward(*given, *dys, reverse=self.reverse, needs_dx=self.needs(0))
        return self.turn(dx), dh0[None], *gradients

    def step(self, x, h, *weights):
        return (gru_cell(x, h, *weights),)


def _turn(x: Any) -> Any:
    """(N, T, ...) as (T, N, ...), or the other way round."""
    return None if x is None else x.swapaxes(0, 1)


def _as_it_is(x: Any) -> Any:
    return x


def _of_one_layer(dh: Any) -> Any:
    """(1, N, H) as the kernels' (N, H)."""
    return None if dh is None else dh[0]


def _start(state: Any, name: str, x: Any, w_hh: Any, batch_first: bool) -> Any:
    """The state (1, N, H) that a walk starts from; zeros if none is given."""
    if state is None:
        data = data_of(x)
        return namespace(data).zeros((1, data.shape[0 if batch_first else 1], w_hh.shape[1]), data.dtype)
    shape = tuple(getattr(state, "shape", ()))
    if len(shape) != 3 or shape[0] != 1:
        raise ValueError(f"{name} must be (1, N, H), got {type(state).__name__} of shape {shape}")
    return state


def rnn(
    x: Any,
    h0: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any = None,
    b_hh: Any = None,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    batch_first: bool = False,
) -> tuple[Any, Any]:
    """Elman's recurrent layer over all time steps.

    y[t] = tanh(x[t] w_ih^T + b_ih + y[t-1] w_hh^T + b_hh), with y[-1] = h0

    Parameters
    ----------
    x : (T, N, C)
        T steps of N sequences.
    h0 : (1, N, H) or None
        The state before the first step; None for zeros. The first axis is that of :class:`~minidl.nn.RNN`, whose
        states have an entry for each layer and direction: this is one.
    w_ih, w_hh : (H, C) and (H, H)
    b_ih, b_hh : (H,), optional
        Both or neither.
    nonlinearity : {"tanh", "relu"}
    reverse : bool
        Walk from the last step to the first; y[t] still stands at t.
    batch_first : bool
        x and y are (N, T, ...).

    Returns
    -------
    y : (T, N, H)
        The state after every step.
    h_n : (1, N, H)
        The state after the last step of the walk.

    Raises
    ------
    ValueError, TypeError
        Shapes that do not fit (the message names them), a sequence without a step, mixed dtypes.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x, one = minidl.tensor([[[1.0]], [[1.0]], [[1.0]]]), minidl.tensor([[1.0]])
    >>> y, h_n = F.rnn(x, None, one, one, nonlinearity="relu")
    >>> y.flatten(), h_n
    (tensor([1., 2., 3.]), tensor([[[3.]]]))
    """
    h0 = _start(h0, "h0", x, w_hh, batch_first)
    return Rnn(nonlinearity, reverse, batch_first)(x, h0, w_ih, w_hh, b_ih, b_hh)


def lstm(
    x: Any,
    state: tuple[Any, Any] | None,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any = None,
    b_hh: Any = None,
    reverse: bool = False,
    batch_first: bool = False,
) -> tuple[Any, Any, Any]:
    """A layer of long short-term memory over all time steps; :func:`~minidl.functional.lstm_cell` is its formula.

    Parameters
    ----------
    x : (T, N, C)
    state : (h0, c0), each (1, N, H), or None
        None for zeros.
    w_ih, w_hh : (4*H, C) and (4*H, H)
        In four parts: i, f, g, o.
    b_ih, b_hh : (4*H,), optional
    reverse, batch_first : bool
        As in :func:`rnn`.

    Returns
    -------
    y : (T, N, H)
    h_n, c_n : (1, N, H)
        The state and the cell after the last step of the walk.

    Raises
    ------
    ValueError, TypeError
        As :func:`rnn`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> w_ih, w_hh = minidl.zeros(4 * 3, 5), minidl.zeros(4 * 3, 3)
    >>> y, h_n, c_n = F.lstm(minidl.ones(7, 2, 5), None, w_ih, w_hh)
    >>> y.shape, h_n.shape, c_n.shape
    ((7, 2, 3), (1, 2, 3), (1, 2, 3))
    """
    h0, c0 = (None, None) if state is None else state
    h0, c0 = _start(h0, "h0", x, w_hh, batch_first), _start(c0, "c0", x, w_hh, batch_first)
    return Lstm(reverse, batch_first)(x, h0, c0, w_ih, w_hh, b_ih, b_hh)


def gru(
    x: Any,
    h0: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any = None,
    b_hh: Any = None,
    reverse: bool = False,
    batch_first: bool = False,
) -> tuple[Any, Any]:
    """A layer of gated recurrent units over all time steps; :func:`~minidl.functional.gru_cell` is its formula.

    Parameters
    ----------
    x : (T, N, C)
    h0 : (1, N, H) or None
        None for zeros.
    w_ih, w_hh : (3*H, C) and (3*H, H)
        In three parts: r, z, n.
    b_ih, b_hh : (3*H,), optional
    reverse, batch_first : bool
        As in :func:`rnn`.

    Returns
    -------
    y : (T, N, H)
    h_n : (1, N, H)

    Raises
    ------
    ValueError, TypeError
        As :func:`rnn`.
    """
    h0 = _start(h0, "h0", x, w_hh, batch_first)
    return Gru(reverse, batch_first)(x, h0, w_ih, w_hh, b_ih, b_hh)
