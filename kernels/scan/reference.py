"""Running totals by the array module's own functions."""

import numpy as np

from ..arrays import array_module


def cumsum(x, axis, from_end):
    if from_end:
        # y[i] = x[i] + ... + x[n - 1]
        flip = array_module(x).flip
        return flip(cumsum(flip(x, axis), axis, False), axis)
    # y[i] = x[0] + ... + x[i]
    return _wide(x).cumsum(axis).astype(x.dtype, copy=False)


def cumprod(x, axis):
    # y[i] = x[0] * ... * x[i]
    return _wide(x).cumprod(axis).astype(x.dtype, copy=False)


def _wide(x):
    return x.astype(np.float64, copy=False) if x.dtype.kind == "f" else x
