"""Dropout: each number of x becomes 0 with probability p, and is scaled up otherwise; no mask is kept for backward.

    y[i] = x[i] / (1 - p)  where  u(i, key) >= p,  else 0

u(i, key) is the i-th number, uniform in [0, 1), of a counter-based generator, and i counts through x in the order of
its axes: the same in any memory order, for any number of threads, and on a GPU. So the gradient needs no mask either:

    dx = forward(dy) with the same p and key

u is word i % 4 of Philox4x32-10 for counter i // 4, divided by 2^32; its key's lower 32 bits come first.

Sources: Srivastava et al., Dropout, 2014; Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array
from ..registry import kernel


@kernel
def forward(x: Any, p: float, key: int) -> Any:
    """Return x with each number 0 with probability p, and divided by 1 - p otherwise.

    Parameters
    ----------
    x : array of any shape, floating point
    p : float
        From 0 up to, but not including, 1.
    key : int
        The key of the generator, from 0 to 2^64 - 1.

    Returns
    -------
    array of the shape of `x`

    Raises
    ------
    ValueError, TypeError
        p or key out of range, x not floating point.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.dropout.forward(np.ones(6), 0.5, key=3)
    array([2., 0., 2., 2., 0., 2.])
    """
    check_array(x, "x", 0, at_least=True)
    if x.dtype.kind != "f":
        raise TypeError(f"x must be floating point, got {x.dtype.name}")
    if not 0 <= p < 1:
        raise ValueError(f"p must be from 0 up to 1, got {p}")
    if not 0 <= key < 2**64:
        raise ValueError(f"key must be from 0 to 2**64 - 1, got {key}")
    return x, float(p), int(key)
