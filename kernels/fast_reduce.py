"""Sums, products and extremes of arrays, where NumPy is slow: many short rows or runs of numbers, and large sums.

NumPy's own loop starts anew for each row, which takes longer than the few numbers in it. It sums a large array in one
thread, and along any axis but the last it adds row to row, which loses digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import channel_sums, matmul

MANY_ROWS = 128  # with fewer rows to reduce, NumPy's own way is faster, unless x is LARGE
SHORT_RUN = 32  # numbers that lie side by side; with more, NumPy's own way is as fast
LONG_ROW = 512  # numbers in a row; of more, a matrix product would sum too many in one go to be exact
LARGE = 1 << 15  # numbers in x that are worth a matrix product
RUN = 64  # columns that a long run of numbers is cut into to be summed
UFUNCS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}


def reduced(name: str, x: Any, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """x.sum(axes), or x.prod, x.max, x.min, by name."""
    if type(x) is not np.ndarray:
        return getattr(x, name)(axes, keepdims=keepdims)
    is_float = x.dtype.kind == "f" and x.itemsize >= 4
    first = x.ndim - len(axes)
    many = 8 * MANY_ROWS if first else LARGE
    if is_float and len(axes) > 1 and min(axes) == first and x.size >= many and x.flags.c_contiguous:
        # the last axes lie in memory as one
        y = reduced(name, x.reshape(*x.shape[:first], math.prod(x.shape[first:])), (first,))
        return y.reshape(*y.shape, *(1,) * len(axes)) if keepdims else y
    if is_float and len(axes) == 1 and x.size >= 2 * MANY_ROWS:
        (axis,), ufunc = axes, UFUNCS[name]
        n, before, behind = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
        many_rows = not behind and x.size >= min(MANY_ROWS * n, LARGE)
        if many_rows and 2 <= n < 8:
            y = _by_columns(ufunc, x)
            return y[..., None] if keepdims else y
        if many_rows and name == "sum" and 8 <= n <= LONG_ROW and x.flags.c_contiguous:
            # y = sum_j x[:, j] * 1
            y = matmul.forward(x.reshape(-1, n), np.ones((n, 1), x.dtype))
            return y.reshape(*before, *(1,) * keepdims)
        if name == "sum" and n > LONG_ROW and not behind and x.size >= 2 * LARGE and x.flags.c_contiguous:
            # of longer rows in pieces, which then add up
            pieces = next((k for k in range(2, 9) if n % k == 0 and n // k <= LONG_ROW), None)
            if pieces is not None:
                parts = reduced(name, x.reshape(*before, pieces, n // pieces), (axis + 1,))
                return reduced(name, parts, axes, keepdims)
        if 2 <= n and behind and math.prod(behind) < SHORT_RUN and x.flags.c_contiguous:
            y = _by_halves(ufunc, x.reshape(-1, n, math.prod(behind)))
            return y.reshape(*before, *(1,) * keepdims, *behind)
    if is_float and name == "sum" and x.size >= LARGE:
        if x.ndim == 1 and x.flags.c_contiguous:
            return _in_columns(x).reshape((1,) * keepdims)
        if x.ndim > 1 and axes == (0, *range(2, x.ndim)):
            y = channel_sums.forward(x)
            return y.reshape(1, -1, *(1,) * (x.ndim - 2)) if keepdims else y
        y = _by_product(x, axes)
        if y is not None:
            return y if keepdims else y.squeeze(axes)
    return UFUNCS[name].reduce(x, axes, keepdims=keepdims)  # what x.sum(axes) calls


def _by_columns(ufunc: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Reduce the last axis one column after the other, which rounds as NumPy does for fewer than 8 numbers."""
    y = ufunc(x[..., 0], x[..., 1])
    for i in range(2, x.shape[-1]):
        ufunc(y, x[..., i], out=y)
    return y


def _by_halves(ufunc: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Reduce axis 1 of three: the first half with the second, then the result in the same way (pairwise summation)."""
    while (n := x.shape[1]) > 1:
        half = n // 2
        y = ufunc(x[:, :half], x[:, half : 2 * half])
        if n % 2:
            ufunc(y[:, 0], x[:, -1], out=y[:, 0])
        x = y
    return x


def _in_columns(x: np.ndarray) -> np.ndarray:
    """The sum of x as that of RUN columns, each of which a kernel sums in double; all threads compute it."""
    end = x.size // RUN * RUN
    columns = channel_sums.forward(x[:end].reshape(-1, RUN))
    return columns.sum() + x[end:].sum()


def _by_product(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """The sum, its axes kept, as the matrix product of a row of ones and x; all threads compute it.

    None unless the axes lie next to each other in memory, with at least SHORT_RUN numbers side by side behind them.
    """
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    memory, positions = x.transpose(order), [order.index(axis) for axis in axes]
    first, end = min(positions, default=0), max(positions, default=-1) + 1
    behind = math.prod(memory.shape[end:])
    if end - first != len(axes) or not axes or behind < SHORT_RUN or not memory.flags.c_contiguous:
        return None
    n = math.prod(memory.shape[first:end])
    y = matmul.forward(np.ones((1, n), x.dtype), memory.reshape(-1, n, behind))
    back = [order.index(axis) for axis in range(x.ndim)]
    return y.reshape(*memory.shape[:first], *(1,) * len(axes), *memory.shape[end:]).transpose(back)
