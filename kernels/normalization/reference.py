"""Normalization by the array module's own sums, in float64."""

import math

from ..arrays import array_module


def channel_forward(x, w, b, eps):
    axes, wide, column = _of(x)
    m = wide.mean(axes)
    # v = mean((x - m)^2)
    v = ((wide - m.reshape(column)) ** 2).mean(axes)
    # y = (x - m) * r * w + b
    y = (wide - m.reshape(column)) / array_module(x).sqrt(v.reshape(column) + eps)
    if w is not None:
        y = y * w.reshape(column)
    if b is not None:
        y = y + b.reshape(column)
    return y.astype(x.dtype), m.astype(x.dtype), v.astype(x.dtype)


def channel_backward(dy, x, m, v, w, eps):
    axes, wide, column = _of(x)
    dy = dy.astype(wide.dtype)
    r = 1 / array_module(x).sqrt(v.astype(wide.dtype) + eps).reshape(column)
    z = (wide - m.reshape(column)) * r
    # db = sum(dy), dw = sum(dy * z)
    db, dw = dy.sum(axes), (dy * z).sum(axes)
    count = x.size // max(1, x.shape[1])
    # dx = r * w * (dy - db / count - z * dw / count)
    dx = r * (dy - db.reshape(column) / count - z * dw.reshape(column) / count)
    if w is not None:
        dx = dx * w.reshape(column)
    return dx.astype(x.dtype), dw.astype(x.dtype), db.astype(x.dtype)


def channel_scale(x, m, s, b):
    column = (1, -1) + (1,) * (x.ndim - 2)
    # y = (x - m) * s + b
    y = x if m is None else x - m.reshape(column)
    y = y if s is None else y * s.reshape(column)
    return y + (x.dtype.type(0) if b is None else b.reshape(column))


def group_forward(x, groups, w, b, eps):
    _, wide, column = _of(x)
    wide = _rows_of_groups(wide, groups)
    m = wide.mean(2, keepdims=True)
    v = ((wide - m) ** 2).mean(2, keepdims=True)
    # y = (x - m) * r * w + b
    y = ((wide - m) / array_module(x).sqrt(v + eps)).reshape(x.shape)
    y = y if w is None else y * w.reshape(column)
    y = y if b is None else y + b.reshape(column)
    return y.astype(x.dtype), m[..., 0].astype(x.dtype), v[..., 0].astype(x.dtype)


def group_backward(dy, x, m, v, w, eps):
    axes, wide, column = _of(x)
    dy = dy.astype(wide.dtype)
    r = 1 / array_module(x).sqrt(v[..., None].astype(wide.dtype) + eps)
    z = (_rows_of_groups(wide, m.shape[1]) - m[..., None]) * r
    g = _rows_of_groups(dy if w is None else dy * w.reshape(column), m.shape[1])
    # dx = r * (g - mean(g) - z * mean(g * z))
    dx = r * (g - g.mean(2, keepdims=True) - z * (g * z).mean(2, keepdims=True))
    # dw = sum(dy * z), db = sum(dy)
    dw, db = (dy * z.reshape(x.shape)).sum(axes), dy.sum(axes)
    return dx.reshape(x.shape).astype(x.dtype), dw.astype(x.dtype), db.astype(x.dtype)


def _rows_of_groups(x, groups):
    """(N, C, ...) as (N, groups, the numbers of a group)."""
    return x.reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups)


def _of(x):
    """The axes that share a mean, x in float64, and the shape of one number for each channel."""
    return (0, *range(2, x.ndim)), x.astype(array_module(x).float64), (1, -1) + (1,) * (x.ndim - 2)


def row_forward(x, w, b, eps):
    wide = x.astype(array_module(x).float64)
    m = wide.mean(1, keepdims=True)
    v = ((wide - m) ** 2).mean(1, keepdims=True)
    # y = (x - m) * r * w + b
    y = (wide - m) / array_module(x).sqrt(v + eps)
    y = y if w is None else y * w
    y = y if b is None else y + b
    return y.astype(x.dtype), m[:, 0].astype(x.dtype), v[:, 0].astype(x.dtype)


def row_backward(dy, x, m, v, w, eps):
    wide = x.astype(array_module(x).float64)
    dy = dy.astype(wide.dtype)
    r = 1 / array_module(x).sqrt(v[:, None].astype(wide.dtype) + eps)
    z = (wide - m[:, None]) * r
    g = dy if w is None else dy * w
    # dx = r * (g - mean(g) - z * mean(g * z))
    dx = r * (g - g.mean(1, keepdims=True) - z * (g * z).mean(1, keepdims=True))
    return dx.astype(x.dtype), (dy * z).sum(0).astype(x.dtype), dy.sum(0).astype(x.dtype)
