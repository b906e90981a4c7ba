"""Cross-entropy by the array module's own functions."""

from ..arrays import array_module
from . import check_target


def forward(x, target, weight, ignore_index):
    check_target(target, x.shape[1], ignore_index)
    xp = array_module(x)
    kept, t, scale = _of_each_row(x, target, weight, ignore_index)
    shifted = x - x.max(axis=1, keepdims=True)
    # loss = -weight[t] * log(p[t]) = weight[t] * (log(sum_k e^x[k]) - x[t])
    score = xp.take_along_axis(shifted, t[:, None], axis=1)[:, 0]
    losses = scale * (xp.log(xp.exp(shifted).sum(axis=1)) - score)
    total = xp.where(kept, scale, x.dtype.type(0)).sum(dtype=xp.float64).astype(x.dtype)
    return xp.where(kept, losses, x.dtype.type(0)), total  # (N, ...), ()


def backward(dlosses, x, target, weight, ignore_index):
    check_target(target, x.shape[1], ignore_index)
    xp = array_module(x)
    kept, t, scale = _of_each_row(x, target, weight, ignore_index)
    powers = xp.exp(x - x.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    dlosses = xp.broadcast_to(dlosses, target.shape)
    # dx[c] = dloss * weight[t] * (p[c] - (1 where c = t, else 0))
    hit = xp.arange(x.shape[1]).reshape(-1, *(1,) * (x.ndim - 2)) == t[:, None]
    return xp.where(kept[:, None], (dlosses * scale)[:, None] * (p - hit), x.dtype.type(0))  # (N, C, ...)


def _of_each_row(x, target, weight, ignore_index):
    """Whether it counts, its class (0 where it does not), and the weight of that class."""
    kept = target != ignore_index
    t = array_module(x).where(kept, target, 0)
    return kept, t, weight[t] if weight is not None else x.dtype.type(1)
