"""Convolution, ReLU and max pooling fused into one pass.

    z = conv2d(x, w, b)                                      as kernels/conv2d
    y[n,k,i,j] = max(0, max over taps (u, v) of the window of z[n, k, i*ph + u, j*pw + v])

The windows, `pool_size` = (ph, pw), do not overlap; rows and columns of z that fill no window are dropped. With (1, 1)
there is no pooling: y = max(0, z). ReLU and max pooling can be exchanged, because max(0, .) is monotonic.

z is never needed as a whole: each part of it can be pooled while it is in the cache. For backward, one byte for each y
says which tap it came from:

    taps[n,k,i,j] = u*pw + v of the (first) maximum, or ph*pw where no z of the window is above 0

    dz[n, k, i*ph + u, j*pw + v] = dy[n,k,i,j] where taps[n,k,i,j] == u*pw + v, else 0
    dx, dw = the gradients of conv2d for dz,    db[k] = sum_n,i,j dz[n,k,i,j]

An implementation may leave out the products with the zeros of dz, or not: where x or w is infinite, these are NaN.

Shapes: x (N, C, H, W), w (K, C/groups, R, S), b (K,), y and taps (N, K, OH // ph, OW // pw).
"""

from __future__ import annotations

from typing import Any

from ..arrays import Pair, check_array, check_same_kind, pair
from ..conv2d import check_forward
from ..registry import kernel

MAX_POOL_SIZE = 255  # taps of a window, so that a tap, or ph*pw for none, fits into a byte


def _pool_size(pool_size: Any) -> Pair:
    pool_size = pair(pool_size, "pool_size", 1)
    if pool_size[0] * pool_size[1] > MAX_POOL_SIZE:
        raise ValueError(f"pool_size must have at most {MAX_POOL_SIZE} taps, got {pool_size}")
    return pool_size


def pooled_size(conv_size: Pair, pool_size: Pair) -> Pair:
    """Return the size of y; raise ValueError where no window fits into z.

    >>> from minidl.kernels.conv2d_relu_pool import pooled_size
    >>> pooled_size((11, 11), (2, 2))
    (5, 5)
    """
    if conv_size[0] < pool_size[0] or conv_size[1] < pool_size[1]:
        raise ValueError(f"pool_size {pool_size} is larger than the convolution's output, {conv_size}")
    return conv_size[0] // pool_size[0], conv_size[1] // pool_size[1]


@kernel
def forward(
    x: Any, w: Any, b: Any = None, pool_size=(1, 1), *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups: int = 1
) -> Any:
    """Return y and taps; the formula stands at the top of this module.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (K, C/groups, R, S)
    b : array (K,), optional
    pool_size : int or pair of int
        (ph, pw), vertical first.
    stride, padding, dilation, groups
        As in `conv2d.forward`.

    Returns
    -------
    y : array (N, K, OH // ph, OW // pw), channels last in memory
    taps : array of uint8, of the shape and memory order of y

    Raises
    ------
    ValueError, TypeError
        As `conv2d.forward`; also for a window of more than 255 taps, or one that is larger than z.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x = np.array([[[[1.0, 3.0, -2.0, -4.0]]]])
    >>> y, taps = kernels.conv2d_relu_pool.forward(x, np.ones((1, 1, 1, 1)), pool_size=(1, 2))
    >>> y.tolist(), taps.tolist()
    ([[[[3.0, 0.0]]]], [[[[1, 2]]]])
    """
    *arguments, shape = check_forward(x, w, b, stride, padding, dilation, groups)
    pool_size = _pool_size(pool_size)
    pooled_size(shape[2:], pool_size)
    return x, w, b, pool_size, *arguments


@kernel
def backward(
    dy: Any,
    taps: Any,
    x: Any,
    w: Any,
    pool_size=(1, 1),
    needs_dx: bool = True,
    *,
    stride=(1, 1),
    padding=(0, 0),
    dilation=(1, 1),
    groups: int = 1,
) -> Any:
    """Return the gradients dx, dw and db.

    Parameters
    ----------
    dy : array, of the shape of y
    taps : array of uint8
        As `forward` returned them.
    x, w, pool_size, stride, padding, dilation, groups
        As in `forward`.
    needs_dx : bool
        Whether to compute dx, which the first layer of a network does not need.

    Returns
    -------
    dx : array (N, C, H, W), channels last in memory, or None
    dw : array (K, C/groups, R, S), C-contiguous
    db : array (K,)

    Raises
    ------
    ValueError, TypeError
        Shapes or dtypes that do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x, w = np.array([[[[1.0, 3.0, -2.0, -4.0]]]]), np.full((1, 1, 1, 1), 5.0)
    >>> y, taps = kernels.conv2d_relu_pool.forward(x, w, pool_size=(1, 2))
    >>> dx, dw, db = kernels.conv2d_relu_pool.backward(np.ones_like(y), taps, x, w, (1, 2))
    >>> dx.tolist(), dw.tolist(), db.tolist()
    ([[[[0.0, 5.0, 0.0, 0.0]]]], [[[[3.0]]]], [1.0])
    """
    *arguments, shape = check_forward(x, w, None, stride, padding, dilation, groups)
    pool_size = _pool_size(pool_size)
    shape = (*shape[:2], *pooled_size(shape[2:], pool_size))
    check_array(dy, "dy", 4)
    check_array(taps, "taps", 4)
    check_same_kind(x, "x", dy, "dy")
    if taps.dtype != "uint8":
        raise TypeError(f"taps must be uint8, as forward returns them, got {taps.dtype.name}")
    if dy.shape != shape or taps.shape != shape:
        raise ValueError(f"dy and taps must have shape {shape}, got {dy.shape} and {taps.shape}")
    return dy, taps, x, w, pool_size, bool(needs_dx), *arguments
