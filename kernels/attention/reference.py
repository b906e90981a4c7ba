"""Attention by other kernels, called through their contracts, so by the backend that was asked for.

So it is also what runs on a GPU, where p goes through memory, in forward and again in backward.
"""

from .. import dropout, matmul, softmax
from ..arrays import array_module


def forward(q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    p = weights(q, k, mask, is_causal, scale)  # (..., L, S)
    # y[l, c] = sum_s d[l, s] * v[s, c]
    return matmul.forward(dropped(p, dropout_p, dropout_key), v)


def backward(dy, q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    p = weights(q, k, mask, is_causal, scale)
    # dv[s, c] = sum_l d[l, s] * dy[l, c]
    dv = matmul.forward(dropped(p, dropout_p, dropout_key).swapaxes(-2, -1), dy)
    # dp[l, s] = sum_c dy[l, c] * v[s, c], and dropout
    dp = dropped(matmul.forward(dy, v.swapaxes(-2, -1)), dropout_p, dropout_key)
    # dz[l, s] = p[l, s] * (dp[l, s] - sum_j dp[l, j] * p[l, j]), times scale
    dz = (softmax.input_grad(dp, p) if p.size else dp) * p.dtype.type(scale)
    # dq[l, e] = sum_s dz[l, s] * k[s, e];  dk[s, e] = sum_l dz[l, s] * q[l, e]
    return matmul.forward(dz, k), matmul.forward(dz.swapaxes(-2, -1), q), dv


def weights(q, k, mask, is_causal, scale):
    xp = array_module(q)
    # z[l, s] = scale * sum_e q[l, e] * k[s, e]
    z = matmul.forward(q * q.dtype.type(scale), k.swapaxes(-2, -1))
    if z.size == 0:
        return z
    if is_causal:
        mask = xp.tri(*z.shape[-2:], dtype=bool)
    hidden = z.dtype.type(-xp.inf)
    if mask is not None:
        z = xp.where(mask, z, hidden) if mask.dtype.kind == "b" else xp.where(mask == hidden, hidden, z + mask)
    # a query that sees no key, or whose scores all overflowed: softmax would make 0/0 of it
    blind = z.max(-1, keepdims=True) == hidden  # (..., L, 1)
    xp.copyto(z, 0, where=blind)
    p = softmax.forward(z)
    xp.copyto(p, 0, where=blind)
    return p


def dropped(p, dropout_p, dropout_key):
    return dropout.forward(p, dropout_p, dropout_key) if dropout_p else p
