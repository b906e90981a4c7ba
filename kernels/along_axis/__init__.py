"""gather and its adjoint scatter_add: indexing along one axis, with an index for every number.

    gather        y[o, j, i] = x[o, index[o, j, i], i]
    scatter_add   y[o, r, i] = sum of x[o, j, i] over all j with index[o, j, i] = r

j and r run along `axis`, o over all axes before it, i over all axes after it.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array
from ..registry import kernel


@kernel
def gather(x: Any, index: Any, axis: int) -> Any:
    """Return y, of the shape of `index`.

    Parameters
    ----------
    x : array
    index : array of integers
        From 0 to ``x.shape[axis] - 1``. Its shape is that of `x`, except along `axis`.
    axis : int
        From 0 on.

    Returns
    -------
    array of the shape of `index` and the dtype of `x`

    Raises
    ------
    ValueError, TypeError
        Shapes that do not match; an index that is not of integers.
    IndexError
        An index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.along_axis.gather(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1], [0]]), 1)
    array([[2.],
           [3.]])
    """
    _check(x, index, axis)
    return x, index, axis


@kernel
def scatter_add(x: Any, index: Any, axis: int, size: int) -> Any:
    """Return y, with `size` numbers along the axis.

    Parameters
    ----------
    x : array
    index : array of integers, of the shape of `x`
        From 0 to ``size - 1``; numbers for the same place are added in the order of j, on a GPU in any order.
    axis, size : int
        From 0 on.

    Returns
    -------
    array of the dtype of `x`
        Zeros where nothing is added.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.along_axis.scatter_add(np.array([[1.0, 2.0, 4.0]]), np.array([[1, 0, 1]]), 1, 3)
    array([[2., 5., 0.]])
    """
    _check(x, index, axis)
    if index.shape != x.shape:
        raise ValueError(f"index must have the shape of x, {x.shape}, got {index.shape}")
    if size < 0:
        raise ValueError(f"size must be from 0 on, got {size}")
    return x, index, axis, size


def _check(x: Any, index: Any, axis: int) -> None:
    check_array(x, "x", 1, at_least=True)
    check_array(index, "index", x.ndim)
    if index.dtype.kind not in "iu":
        raise TypeError(f"index must hold integers, got {index.dtype.name}")
    if not 0 <= axis < x.ndim:
        raise ValueError(f"axis must be from 0 to {x.ndim - 1}, got {axis}")
    if any(n != m for i, (n, m) in enumerate(zip(x.shape, index.shape, strict=True)) if i != axis):
        raise ValueError(f"index must have the shape of x, {x.shape}, except along axis {axis}, got {index.shape}")
