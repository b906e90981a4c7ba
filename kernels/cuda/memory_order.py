"""Arrays of any order of axes in memory, as the C-contiguous arrays that kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def in_memory_order(x: Any, xp: Any) -> tuple[Any, Sequence[int]]:
    """Return `x` with its axes in the order of memory, C-contiguous (a copy where no order makes it so), and the order.

    >>> import numpy as np
    >>> x = np.zeros((2, 3, 4, 5)).transpose(0, 3, 1, 2)
    >>> view, axes = in_memory_order(x, np)
    >>> view.shape, axes
    ((2, 3, 4, 5), [0, 2, 3, 1])
    """
    if x.flags.c_contiguous:
        return x, range(x.ndim)
    axes = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    view = x.transpose(axes)
    return (view, axes) if view.flags.c_contiguous else (xp.ascontiguousarray(x), range(x.ndim))


def from_memory_order(y: Any, axes: Sequence[int]) -> Any:
    """Return `y`, whose axes are those of `in_memory_order`, with its axes in their own order."""
    return y if type(axes) is range else y.transpose([axes.index(axis) for axis in range(len(axes))])
