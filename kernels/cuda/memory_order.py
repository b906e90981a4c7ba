"""Arrays in any memory order, as the C-contiguous arrays that kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def in_memory_order(x: Any, xp: Any) -> tuple[Any, Sequence[int]]:
    """Return (a C-contiguous view of `x` with its axes permuted, that permutation); a copy if there is no such view.

    >>> import numpy as np
    >>> from minidl.kernels.cuda.memory_order import in_memory_order
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
    """Undo the permutation `axes` of `in_memory_order` in a result `y`."""
    return y if type(axes) is range else y.transpose([axes.index(axis) for axis in range(len(axes))])
