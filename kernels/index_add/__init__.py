"""Rows of x added to given rows of zeros: the gradient of indexing rows, as in an embedding.

    y[r, ...] = sum of x[i, ...] over all i with rows[i] = r

Rows of y that do not occur in `rows` are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import check_array, extent
from ..registry import kernel


@kernel
def forward(x: Any, rows: Any, count: int) -> Any:
    """Return y, with `count` rows: row i of x is added to row ``rows[i]`` of zeros.

    Parameters
    ----------
    x : array (n, ...)
    rows : array (n,) of integers
        From 0 to count - 1; rows for the same place are added in the order of i, on a GPU in any order.
    count : int

    Returns
    -------
    array (count, ...) of the dtype of `x`

    Raises
    ------
    ValueError, TypeError
        `rows` without an integer for each row of x; a `count` that is not an integer from 0 on.
    IndexError
        A row number out of range. (Checked on the CPU only: on a GPU the check would have to wait for the result.)

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
        raise IndexError(f"rows must be from 0 to {count - 1}, got {extent(rows)}")
    return x, rows, int(count)
