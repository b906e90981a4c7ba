"""Sums over all axes but the channels: for the gradients of biases and the statistics of normalization."""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_same_kind
from ..registry import kernel


@kernel
def forward(x: Any, y: Any = None) -> Any:
    """Return one sum for each channel, accumulated in float64.

        s[c] = sum over all axes but axis 1 of x            (or of x * y)

    A plain float32 sum over channels-last memory loses three digits; these sums do not.

    Parameters
    ----------
    x : array (N, C, ...)
    y : array (N, C, ...), optional
        Of the shape and dtype of `x`.

    Returns
    -------
    array (C,), in the dtype of `x`

    Raises
    ------
    ValueError
        Fewer than 2 dimensions, or shapes that differ.
    TypeError
        Mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.channel_sums.forward(np.ones((2, 3, 4, 5)))
    array([40., 40., 40.])
    """
    check_array(x, "x", 2, at_least=True)
    if y is not None:
        check_array(y, "y", 2, at_least=True)
        check_same_kind(x, "x", y, "y")
        if x.shape != y.shape:
            raise ValueError(f"y must have the shape of x, {x.shape}, got {y.shape}")
    return x, y
