"""Recurrent layers in CUDA: at every time step a matrix product, then a kernel of `cuda_gpu.cu`."""

from __future__ import annotations

from pathlib import Path

from ..channel_sums import cuda_gpu as channel_sums
from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import check_count
from ..matmul import cuda_gpu as matmul
from .reference import rows_of, state_before, times

__all__ = [
    "DTYPES", "gru_backward", "gru_forward", "lstm_backward", "lstm_forward", "rnn_backward", "rnn_forward",
    "unavailable",
]  # fmt: skip

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK = 256


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, reverse):
    steps, state = x.shape[0], _State(h0)
    a, biases = _project(x, w_ih), _contiguous(b_ih, b_hh)  # (T, N, H)
    y, (h,) = current_runtime().empty((steps, *h0.shape), x.dtype), _contiguous(h0)
    for t in times(steps, reverse):
        q = matmul.linear(h, w_hh, None, relu=False)  # (N, H)
        state.launch("rnn_forward_step", a[t], q, *biases, y[t], *state.sizes, nonlinearity == "relu")
        h = y[t]
    return y


def rnn_backward(x, h0, w_ih, w_hh, y, dy, dh_n, nonlinearity, reverse, needs_dx):
    steps, state = x.shape[0], _State(h0)
    y, dy, dh = _contiguous(y, dy, dh_n)
    da = current_runtime().empty(y.shape, x.dtype)
    for t in times(steps, not reverse):
        state.launch("rnn_backward_step", dh, _at(dy, t), y[t], da[t], state.elements, nonlinearity == "relu")
        dh = matmul.forward(da[t], w_hh)
    return *_weight_gradients(x, h0, y, w_ih, da, da, reverse, needs_dx, dh), _sum_steps(da)


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    runtime, steps, state = current_runtime(), x.shape[0], _State(h0)
    a, biases = _project(x, w_ih), _contiguous(b_ih, b_hh)  # (T, N, 4*H)
    y, c = (runtime.empty((steps, *h0.shape), x.dtype) for _ in range(2))
    gates, (h, cell) = runtime.empty(a.shape, x.dtype), _contiguous(h0, c0)
    for t in times(steps, reverse):
        q = matmul.linear(h, w_hh, None, relu=False)  # (N, 4*H)
        state.launch("lstm_forward_step", a[t], q, *biases, cell, c[t], y[t], gates[t], *state.sizes)
        h, cell = y[t], c[t]
    return y, c, gates


def lstm_backward(x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh_n, dc_n, reverse, needs_dx):
    runtime, steps, state = current_runtime(), x.shape[0], _State(h0)
    c0, c, gates, dy, dh, dc = _contiguous(c0, c, gates, dy, dh_n, dc_n)
    da = runtime.empty(gates.shape, x.dtype)
    walk = times(steps, not reverse)
    for t, before in zip(walk, [*walk[1:], None]):
        c_before, dc_before = c0 if before is None else c[before], runtime.empty(h0.shape, x.dtype)
        arrays = (dh, _at(dy, t), dc, c[t], c_before, gates[t], da[t], dc_before)
        state.launch("lstm_backward_step", *arrays, *state.sizes)
        dc, dh = dc_before, matmul.forward(da[t], w_hh)
    dx, dh0, dw_ih, dw_hh = _weight_gradients(x, h0, y, w_ih, da, da, reverse, needs_dx, dh)
    return dx, dh0, dc, dw_ih, dw_hh, _sum_steps(da)


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    runtime, steps, state = current_runtime(), x.shape[0], _State(h0)
    a, biases = _project(x, w_ih), _contiguous(b_ih, b_hh)  # (T, N, 3*H)
    y = runtime.empty((steps, *h0.shape), x.dtype)
    gates, (h,) = runtime.empty((*y.shape[:2], 4 * h0.shape[1]), x.dtype), _contiguous(h0)
    for t in times(steps, reverse):
        q = matmul.linear(h, w_hh, None, relu=False)  # (N, 3*H)
        state.launch("gru_forward_step", a[t], q, *biases, h, y[t], gates[t], *state.sizes)
        h = y[t]
    return y, gates


def gru_backward(x, h0, w_ih, w_hh, y, gates, dy, dh_n, reverse, needs_dx):
    runtime, steps, state = current_runtime(), x.shape[0], _State(h0)
    first, y, gates, dy, dh = _contiguous(h0, y, gates, dy, dh_n)
    da, dq = (runtime.empty((*y.shape[:2], len(w_ih)), x.dtype) for _ in range(2))  # (T, N, 3*H)
    walk, direct = times(steps, not reverse), None
    for t, before in zip(walk, [*walk[1:], None]):
        h, direct_before = first if before is None else y[before], runtime.empty(h0.shape, x.dtype)
        arrays = (dh, direct, _at(dy, t), h, gates[t], da[t], dq[t], direct_before)
        state.launch("gru_backward_step", *arrays, *state.sizes)
        direct, dh = direct_before, matmul.forward(dq[t], w_hh)
    gradients = _weight_gradients(x, h0, y, w_ih, da, dq, reverse, needs_dx, dh + direct)
    return *gradients, _sum_steps(da), _sum_steps(dq)


class _State:
    """What all time steps have in common: the size of the state, and the kernels for its dtype."""

    def __init__(self, h0):
        check_count(f"numbers a state, {h0.shape}", h0.size)
        self.elements, self.module = h0.size, load(SOURCE, h0.dtype)
        self.sizes = h0.size, h0.shape[1]

    def launch(self, name, *arguments):
        self.module.get_function(name)((-(-self.elements // BLOCK),), (BLOCK,), arguments)


def _at(a, t):
    return None if a is None else a[t]


def _contiguous(*arrays):
    xp = current_runtime().xp
    return [None if array is None else xp.ascontiguousarray(array) for array in arrays]


def _project(x, w_ih):
    """x w_ih^T for all steps in one product: (T, N, G*H)"""
    return matmul.linear(rows_of(x), w_ih, None, relu=False).reshape(*x.shape[:2], len(w_ih))


def _weight_gradients(x, h0, y, w_ih, da, dq, reverse, needs_dx, dh0):
    """dx, dh0, dw_ih, dw_hh from the gradients da of x w_ih^T and dq of h w_hh^T, all steps in one product each"""
    before = state_before(y, h0, reverse)
    dx = matmul.forward(rows_of(da), w_ih).reshape(x.shape) if needs_dx else None
    return dx, dh0, matmul.forward(rows_of(da).T, rows_of(x)), matmul.forward(rows_of(dq).T, rows_of(before))


def _sum_steps(da):
    """The gradient of a bias: the sum over all steps and sequences"""
    return channel_sums.forward(rows_of(da), None)
