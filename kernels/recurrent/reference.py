"""Recurrent layers as a loop over time, with one matrix product for all steps wherever that is possible.

The input projections x w_ih^T do not depend on the state, so they are one product of T*N rows. So are, in backward, dx
and the gradients of the weights. What is left in the loop is one product (N, H) x (H, G*H) per step.
"""

from ..activations.reference import sigmoid_forward
from ..arrays import array_module


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, reverse):
    xp, h = array_module(x), h0
    a = _project(x, w_ih, b_ih, b_hh)  # (T, N, H)
    y = xp.empty_like(a)
    for t in times(len(x), reverse):
        # y[t] = tanh(x[t] w_ih^T + b_ih + h w_hh^T + b_hh)
        a[t] += h @ w_hh.T
        h = y[t] = xp.tanh(a[t]) if nonlinearity == "tanh" else xp.maximum(a[t], 0)
    return y


def rnn_backward(x, h0, w_ih, w_hh, y, dy, dh_n, nonlinearity, reverse, needs_dx):
    xp = array_module(x)
    da, dh = xp.empty_like(y), _or_zeros(dh_n, h0)
    for t in times(len(x), not reverse):
        dh = dh if dy is None else dh + dy[t]
        # tanh'(a) = 1 - tanh(a)^2, relu'(a) = 1 where relu(a) > 0
        da[t] = dh * (1 - y[t] * y[t]) if nonlinearity == "tanh" else dh * (y[t] > 0)
        dh = da[t] @ w_hh
    return *_weight_gradients(x, h0, y, w_ih, da, da, reverse, needs_dx, dh), _sum_steps(da)


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    xp, h, cell, hidden = array_module(x), h0, c0, h0.shape[1]
    gates = _project(x, w_ih, b_ih, b_hh)  # (T, N, 4*H)
    y, c = xp.empty((2, *x.shape[:2], hidden), x.dtype)
    for t in times(len(x), reverse):
        gates[t] += h @ w_hh.T
        i, f, g, o = _parts(gates[t], 4)
        i[...], f[...], g[...], o[...] = sigmoid_forward(i), sigmoid_forward(f), xp.tanh(g), sigmoid_forward(o)
        # c[t] = f * c[t-1] + i * g
        cell = c[t] = f * cell + i * g
        # y[t] = o * tanh(c[t])
        h = y[t] = o * xp.tanh(cell)
    return y, c, gates


def lstm_backward(x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh_n, dc_n, reverse, needs_dx):
    xp = array_module(x)
    da, dh, dc = xp.empty_like(gates), _or_zeros(dh_n, h0), _or_zeros(dc_n, c0)
    c_before = state_before(c, c0, reverse)
    for t in times(len(x), not reverse):
        dh = dh if dy is None else dh + dy[t]
        (i, f, g, o), (da_i, da_f, da_g, da_o) = _parts(gates[t], 4), _parts(da[t], 4)
        tanh_c = xp.tanh(c[t])
        # y = o * tanh(c):  do = dh * tanh(c),  dc = dc + dh * o * tanh'(c),  with tanh'(a) = 1 - tanh(a)^2
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        # o = s(a_o):  da_o = do * s'(a_o),  with s'(a) = s * (1 - s)
        da_o[...] = dh * tanh_c * o * (1 - o)
        # c = f * c_before + i * g:  di = dc * g,  df = dc * c_before,  dg = dc * i, each times its gate's derivative
        da_i[...] = dc * g * i * (1 - i)
        da_f[...] = dc * c_before[t] * f * (1 - f)
        da_g[...] = dc * i * (1 - g * g)
        # for the step before:  dc_before = dc * f,  dh_before = da w_hh
        dc = dc * f
        dh = da[t] @ w_hh
    dx, dh0, dw_ih, dw_hh = _weight_gradients(x, h0, y, w_ih, da, da, reverse, needs_dx, dh)
    return dx, dh0, dc, dw_ih, dw_hh, _sum_steps(da)


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    xp, h, hidden = array_module(x), h0, h0.shape[1]
    a = _project(x, w_ih, b_ih)  # (T, N, 3*H)
    y, gates = xp.empty((*x.shape[:2], hidden), x.dtype), xp.empty((*x.shape[:2], 4 * hidden), x.dtype)
    for t in times(len(x), reverse):
        q = h @ w_hh.T if b_hh is None else h @ w_hh.T + b_hh  # (N, 3*H)
        (a_r, a_z, a_n), (q_r, q_z, q_n) = _parts(a[t], 3), _parts(q, 3)
        # n = tanh(a_n + r * q_n)
        r, z = sigmoid_forward(a_r + q_r), sigmoid_forward(a_z + q_z)
        n = xp.tanh(a_n + r * q_n)
        # y[t] = (1 - z) * n + z * h
        h = y[t] = (1 - z) * n + z * h
        gates[t] = xp.concatenate((r, z, n, q_n), axis=1)
    return y, gates


def gru_backward(x, h0, w_ih, w_hh, y, gates, dy, dh_n, reverse, needs_dx):
    xp, dh = array_module(x), _or_zeros(dh_n, h0)
    da = xp.empty((*x.shape[:2], len(w_ih)), x.dtype)  # (T, N, 3*H), and dq likewise
    dq = xp.empty_like(da)
    h_before = state_before(y, h0, reverse)
    for t in times(len(x), not reverse):
        dh = dh if dy is None else dh + dy[t]
        (r, z, n, q_n), (da_r, da_z, da_n), (dq_r, dq_z, dq_n) = _parts(gates[t], 4), _parts(da[t], 3), _parts(dq[t], 3)
        # y = (1 - z) * n + z * h_before:  dn = dh * (1 - z),  dz = dh * (h_before - n)
        da_n[...] = dh * (1 - z) * (1 - n * n)
        da_z[...] = dq_z[...] = dh * (h_before[t] - n) * z * (1 - z)
        # n = tanh(a_n + r * q_n):  dr = da_n * q_n,  dq_n = da_n * r
        da_r[...] = dq_r[...] = da_n * q_n * r * (1 - r)
        dq_n[...] = da_n * r
        # for the step before:  dh_before = dh * z + dq w_hh
        dh = dh * z + dq[t] @ w_hh
    return *_weight_gradients(x, h0, y, w_ih, da, dq, reverse, needs_dx, dh), _sum_steps(da), _sum_steps(dq)


def times(steps, reverse):
    return range(steps - 1, -1, -1) if reverse else range(steps)


def _parts(a, parts):
    """(N, parts*H) -> views (N, H)"""
    hidden = a.shape[1] // parts
    return [a[:, p * hidden : (p + 1) * hidden] for p in range(parts)]


def _project(x, w_ih, *biases):
    """x w_ih^T + biases, for all steps in one product: (T, N, G*H)"""
    a = (rows_of(x) @ w_ih.T).reshape(*x.shape[:2], -1 if x.size else len(w_ih))
    for b in biases:
        if b is not None:
            a += b
    return a


def _weight_gradients(x, h0, y, w_ih, da, dq, reverse, needs_dx, dh0):
    """dx, dh0, dw_ih, dw_hh from the gradients da of x w_ih^T and dq of h w_hh^T, all steps in one product each"""
    dx = (rows_of(da) @ w_ih).reshape(x.shape) if needs_dx else None
    dw_ih = rows_of(da).T @ rows_of(x)
    dw_hh = rows_of(dq).T @ rows_of(state_before(y, h0, reverse))
    return dx, dh0, dw_ih, dw_hh


def state_before(y, h0, reverse):
    """The state before each step: h0 at the first, else y of the step before."""
    xp = array_module(y)
    return xp.concatenate((y[1:], h0[None]) if reverse else (h0[None], y[:-1]))


def rows_of(a):
    """(T, N, F) -> (T*N, F)"""
    return a.reshape(a.shape[0] * a.shape[1], a.shape[2])


def _sum_steps(da):
    return rows_of(da).sum(axis=0)


def _or_zeros(gradient, like):
    return array_module(like).zeros_like(like) if gradient is None else gradient
