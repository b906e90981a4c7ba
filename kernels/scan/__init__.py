"""Running totals along an axis: cumulative sums and products.

    cumsum    y[i] = x[0] + ... + x[i],  from the other end y[i] = x[i] + ... + x[n - 1]
    cumprod   y[i] = x[0] * ... * x[i]

The total is kept in double: a sum of a million numbers in float32 has four right digits.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array
from ..registry import kernel


@kernel
def cumsum(x: Any, axis: int, from_end: bool = False) -> Any:
    """Return the sum of each x and all before it along the axis.

    Parameters
    ----------
    x : array
    axis : int
        From 0 on.
    from_end : bool
        Of each x and all behind it.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    ValueError
        No such axis.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> kernels.scan.cumsum(x, 0), kernels.scan.cumsum(x, 0, from_end=True)
    (array([1., 3., 6.]), array([6., 5., 3.]))
    """
    _check(x, axis)
    return x, axis, bool(from_end)


@kernel
def cumprod(x: Any, axis: int) -> Any:
    """Return the product of each x and all before it along the axis; arguments and errors are those of `cumsum`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.scan.cumprod(np.array([2.0, 3.0, 4.0]), 0)
    array([ 2.,  6., 24.])
    """
    _check(x, axis)
    return x, axis


def _check(x: Any, axis: int) -> None:
    check_array(x, "x", 1, at_least=True)
    if not 0 <= axis < x.ndim:
        raise ValueError(f"axis must be from 0 to {x.ndim - 1}, got {axis}")
