"""Elementwise sums, differences, products and quotients of large arrays, on all threads.

    add        y = x1 + x2
    subtract   y = x1 - x2
    multiply   y = x1 * x2
    divide     y = x1 / x2

x2 has the shape of x1, or of its last axes, or is a number. The result has the memory order of x1; with `in_place` it
is written into x1. The array library does the same on one thread; :func:`pays` tells where that is slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import check_array
from ..registry import kernel

LARGE = 1 << 18  # numbers, 1 MB of float32: two such arrays and their sum no longer fit into the L2 cache of one core


def pays(x1: Any, x2: Any) -> bool:
    """Whether these kernels accept ``x1`` and ``x2``, and are faster than NumPy's operators.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.kernels import arithmetic
    >>> arithmetic.pays(np.ones((512, 512)), np.ones(512)), arithmetic.pays(np.ones(512), np.ones(512))
    (True, False)
    """
    if type(x1) is not np.ndarray or x1.size < LARGE or x1.dtype.kind != "f":
        return False
    if type(x2) is np.ndarray:
        return x2.dtype == x1.dtype and 0 < x2.ndim and x1.shape[-x2.ndim :] == x2.shape
    return type(x2) is float or type(x2) is int


def _check(x1: Any, x2: Any, in_place: bool) -> tuple[Any, Any, bool]:
    check_array(x1, "x1", 0, at_least=True)
    if not hasattr(x2, "shape"):
        return x1, float(x2), bool(in_place)
    check_array(x2, "x2", 0, at_least=True)
    if x2.dtype != x1.dtype:
        raise TypeError(f"x2 must have the dtype of x1, {x1.dtype}, got {x2.dtype}")
    if x2.shape != x1.shape[x1.ndim - x2.ndim :] or x2.ndim > x1.ndim:
        raise ValueError(f"x2 must have the shape of x1, {x1.shape}, or of its last axes, got {x2.shape}")
    return x1, x2, bool(in_place)


@kernel
def add(x1: Any, x2: Any, in_place: bool = False) -> Any:
    """Return x1 + x2.

    Parameters
    ----------
    x1 : array of any shape
    x2 : array of the shape of `x1`, or of its last axes, or a number
    in_place : bool
        Write the result into `x1`, which may overlap `x2`, and return it.

    Returns
    -------
    array of the shape and dtype of `x1`

    Raises
    ------
    ValueError, TypeError
        Shapes or dtypes that do not match; with `in_place`, an `x1` that is read-only.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.arithmetic.add(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0]))
    array([[11., 22.],
           [13., 24.]])
    """
    return _check(x1, x2, in_place)


@kernel
def subtract(x1: Any, x2: Any, in_place: bool = False) -> Any:
    """Return x1 - x2; arguments and errors are those of `add`."""
    return _check(x1, x2, in_place)


@kernel
def multiply(x1: Any, x2: Any, in_place: bool = False) -> Any:
    """Return x1 * x2; arguments and errors are those of `add`."""
    return _check(x1, x2, in_place)


@kernel
def divide(x1: Any, x2: Any, in_place: bool = False) -> Any:
    """Return x1 / x2, inf or NaN where x2 is 0; arguments and errors are those of `add`."""
    return _check(x1, x2, in_place)
