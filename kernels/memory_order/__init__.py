"""Images in the other memory order: between channels first and channels last.

    channels_first    memory in the order n, c, h, w, which a reshape of (N, C, H, W) needs
    channels_last     memory in the order n, h, w, c, which convolution and pooling prefer

The shape stays (N, C, H, W), and so does every x[n,c,h,w]. An array that has the order already is returned unchanged.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array
from ..registry import kernel


@kernel
def channels_first(x: Any) -> Any:
    """Return `x` with C-contiguous memory.

    Parameters
    ----------
    x : array (N, C, H, W)

    Returns
    -------
    array (N, C, H, W)

    Raises
    ------
    ValueError
        Not four dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x = kernels.channels_last(np.zeros((2, 3, 4, 5)))
    >>> kernels.memory_order.channels_first(x).flags.c_contiguous
    True
    """
    check_array(x, "x", 4)
    return (x,)


@kernel
def channels_last(x: Any) -> Any:
    """Return `x` with channels-last memory.

    Parameters
    ----------
    x : array (N, C, H, W)

    Returns
    -------
    array (N, C, H, W)

    Raises
    ------
    ValueError
        Not four dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.memory_order.channels_last(np.zeros((2, 3, 4, 5))).transpose(0, 2, 3, 1).flags.c_contiguous
    True
    """
    check_array(x, "x", 4)
    return (x,)
