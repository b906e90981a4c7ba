"""Rows added up by number: the gradient of looking rows up, in an embedding for example.

    y[r, ...] = sum of x[i, ...] over all i with rows[i] = r

Rows that nothing is added to are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import check_array
from ..registry import kernel


@kernel
def forward(x: Any, rows: Any, count: int) -> Any:
    """Return y, of `count` rows, with each row of x added to row ``rows[i]``.

    Parameters
    ----------
    x : array (n, ...)
    rows : array (n,) of integers
        From 0 to count - 1; equal ones add up in their order.
    count : int

    Returns
    -------
    array (count, ...) of the dtype of `x`
        Zeros in rows that nothing is added to.

    Raises
    ------
    ValueError, TypeError
        Not one row number for each row of x; numbers that are no integers; a `count` that is no size.
    IndexError
        A row number out of range (of NumPy arrays: a GPU would have to be waited for).

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.index_add.forward(np.array([[1.0, 2.0], [10.0, 20.0], [5.0, 5.0]]), np.array([2, 0, 2]), 3)
    array([[10., 20.],
           [ 0.,  0.],
           [ 6.,  7.]])
    """
    check_array(x, "x", 1, at_least=True)
    check_array(rows, "rows", 1)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"rows must hold integers, got {rows.dtype.name}")
    if rows.shape[0] != x.shape[0]:
        raise ValueError(f"rows must have one number for each of the {x.shape[0]} rows of x, got {rows.shape[0]}")
    if not isinstance(count, (int, np.integer)) or count < 0:
        raise ValueError(f"count must be an integer from 0 on, got {count!r}")
    if type(rows) is np.ndarray and rows.size and not (0 <= rows.min() and rows.max() < count):
        raise IndexError(f"rows must be from 0 to {count - 1}, got {rows.min()} to {rows.max()}")
    return x, rows, int(count)
