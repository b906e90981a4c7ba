"""Pooling: the largest value, or the mean, of each window of an image.

The window of output pixel (i, j) has kernel_size taps (r, s); tap (r, s) lies at input pixel
(i*stride + r*dilation - padding, j*stride + s*dilation - padding). With n image and c channel:

    max_forward     y[n,c,i,j]    = max over the taps inside x;   taps[n,c,i,j] = r*kw + s of the first maximum
    max_scatter     dx[n,c,p,q]   = sum of dy[n,c,i,j] over the windows whose maximum was at (p, q)
    max_gather      y[n,c,i,j]    = x at the tap taps[n,c,i,j]
    avg_forward     y[n,c,i,j]    = sum of the taps inside x / divisor[i,j]
    avg_input_grad  dx[n,c,p,q]   = sum over the windows that contain (p, q) of dy[n,c,i,j] / divisor[i,j]

max_scatter and max_gather are adjoint, so that each is the gradient of the other; so are avg_forward and
avg_input_grad.

Output size, for each direction: (H + 2*padding - dilation*(kernel_size-1) - 1) / stride + 1, rounded down, or up with
`ceil_mode`; a window that would start in the padding after the last pixel is dropped. These are PyTorch's rules, and
so is the divisor: the pixels of the window that lie inside x or, with `count_include_pad`, inside x and its padding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Pair, check_array, pair
from ..registry import kernel


def output_size(
    input_size: Pair, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0), dilation: Pair = (1, 1), ceil_mode=False
) -> Pair:
    """Return (OH, OW); raise ValueError where no window fits.

    >>> from minidl.kernels.pool2d import output_size
    >>> output_size((5, 5), (2, 2), (2, 2)), output_size((5, 5), (2, 2), (2, 2), ceil_mode=True)
    ((2, 2), (3, 3))
    """
    sizes = []
    for n, r, step, pad, d in zip(input_size, kernel_size, stride, padding, dilation, strict=True):
        reach = d * (r - 1) + 1  # pixels from the first tap to the last
        if 2 * pad > reach:
            raise ValueError(
                f"padding must be at most half of the window, got padding {padding} for kernel_size {kernel_size} "
                f"with dilation {dilation}"
            )
        # OH = (H + 2*padding - dilation*(kernel_size-1) - 1) // stride + 1, rounded up with ceil_mode
        free = n + 2 * pad - reach
        count = (free + (step - 1 if ceil_mode else 0)) // step + 1
        if ceil_mode and (count - 1) * step >= n + pad:  # the last window starts in the padding after x
            count -= 1
        if count < 1:
            raise ValueError(
                f"kernel_size {kernel_size} with dilation {dilation} reaches over {reach} pixels, more than the padded "
                f"input has: input size {input_size}, padding {padding}"
            )
        sizes.append(count)
    return sizes[0], sizes[1]


_cached_output_size = lru_cache(maxsize=1024)(output_size)


def taps_dtype(kernel_size: Pair) -> type:
    """Return the dtype of taps, positions in a window: uint8 up to 256 taps, then int32."""
    return np.uint8 if kernel_size[0] * kernel_size[1] <= 256 else np.int32


def _window(kernel_size, stride, padding, dilation=(1, 1)) -> tuple[Pair, Pair, Pair, Pair]:
    kernel_size = pair(kernel_size, "kernel_size", 1)
    stride = kernel_size if stride is None else pair(stride, "stride", 1)
    return kernel_size, stride, pair(padding, "padding"), pair(dilation, "dilation", 1)


def _check_float(x: Any, name: str) -> None:
    if x.dtype.kind != "f":
        raise TypeError(f"{name} must be floating point to be averaged, got {x.dtype.name}")


def _check_taps(taps: Any, kernel_size: Pair) -> None:
    check_array(taps, "taps", 4)
    if taps.dtype != taps_dtype(kernel_size):
        raise TypeError(
            f"taps must be {np.dtype(taps_dtype(kernel_size)).name}, as max_forward returns them for "
            f"kernel_size {kernel_size}, got {taps.dtype.name}"
        )


@kernel
def max_forward(x: Any, kernel_size, stride=None, padding=(0, 0), dilation=(1, 1), ceil_mode: bool = False) -> Any:
    """Return the maximum of each window, and its tap.

    The first of equal values counts. NaN counts as the largest value, so that it is never hidden.

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size, stride, padding, dilation : int or pair of int
        In pixels; `stride=None` is `kernel_size`. Padding, at most half a window, is never the maximum.
    ceil_mode : bool
        Round the output size up.

    Returns
    -------
    y : array (N, C, OH, OW), channels last in memory
    taps : array (N, C, OH, OW), channels last in memory
        Position r*kw + s of the maximum in its window: uint8, or int32 for windows of more than 256 taps.

    Raises
    ------
    ValueError
        A kernel, stride or dilation below 1, padding negative or above half the window, a window larger than the
        padded input.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> y, taps = kernels.pool2d.max_forward(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    >>> y.tolist(), taps.tolist()
    ([[[[5.0, 7.0], [13.0, 15.0]]]], [[[[3, 3], [3, 3]]]])
    """
    check_array(x, "x", 4)
    window = _window(kernel_size, stride, padding, dilation)
    _cached_output_size(x.shape[2:], *window, bool(ceil_mode))
    return x, *window, bool(ceil_mode)


@kernel
def max_scatter(dy: Any, taps: Any, input_size: Pair, kernel_size, stride=None, padding=(0, 0), dilation=(1, 1)) -> Any:
    """Return dx, the gradient of `max_forward`: each dy is added to the pixel of its window's maximum.

    Parameters
    ----------
    dy, taps : arrays (N, C, OH, OW)
        `taps` as `max_forward` returned them.
    input_size : pair of int
        (H, W) of x.

    Returns
    -------
    array (N, C, H, W), channels last in memory

    Raises
    ------
    ValueError, TypeError
        Shapes that do not match; taps of another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.pool2d.max_scatter(np.full((1, 1, 1, 1), 5.0), np.full((1, 1, 1, 1), 2, np.uint8), (2, 2), 2)
    array([[[[0., 0.],
             [5., 0.]]]])
    """
    check_array(dy, "dy", 4)
    input_size, window = pair(input_size, "input_size"), _window(kernel_size, stride, padding, dilation)
    _check_taps(taps, window[0])
    if dy.shape != taps.shape:
        raise ValueError(f"dy must have the shape of taps, {taps.shape}, got {dy.shape}")
    _check_pooled(dy.shape, "dy", input_size, window)
    return dy, taps, input_size, *window


@kernel
def max_gather(x: Any, taps: Any, kernel_size, stride=None, padding=(0, 0), dilation=(1, 1)) -> Any:
    """Return the value of x at the tap of each window: the adjoint of `max_scatter`, and so its gradient.

    Parameters
    ----------
    x : array (N, C, H, W)
    taps : array (N, C, OH, OW)
        As `max_forward` returned them, for an input of the shape of `x`.

    Returns
    -------
    array (N, C, OH, OW), channels last in memory

    Raises
    ------
    ValueError, TypeError
        Shapes that do not match; taps of another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.pool2d.max_gather(np.arange(4.0).reshape(1, 1, 2, 2), np.full((1, 1, 1, 1), 2, np.uint8), 2)
    array([[[[2.]]]])
    """
    check_array(x, "x", 4)
    window = _window(kernel_size, stride, padding, dilation)
    _check_taps(taps, window[0])
    if taps.shape[:2] != x.shape[:2]:
        raise ValueError(f"taps must have the images and channels of x, {x.shape[:2]}, got {taps.shape[:2]}")
    _check_pooled(taps.shape, "taps", x.shape[2:], window)
    return x, taps, *window


@kernel
def avg_forward(
    x: Any, kernel_size, stride=None, padding=(0, 0), ceil_mode: bool = False, count_include_pad: bool = True
) -> Any:
    """Return the mean of each window.

    Parameters
    ----------
    x : array (N, C, H, W), floating point
    kernel_size, stride, padding : int or pair of int
        In pixels; `stride=None` is `kernel_size`.
    ceil_mode : bool
        Round the output size up.
    count_include_pad : bool
        Whether pixels of the padding count in the divisor.

    Returns
    -------
    array (N, C, OH, OW), channels last in memory

    Raises
    ------
    ValueError
        As `max_forward`.
    TypeError
        Integers.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.pool2d.avg_forward(np.arange(4.0).reshape(1, 1, 2, 2), 2)
    array([[[[1.5]]]])
    """
    check_array(x, "x", 4)
    _check_float(x, "x")
    kernel_size, stride, padding, dilation = _window(kernel_size, stride, padding)
    _cached_output_size(x.shape[2:], kernel_size, stride, padding, dilation, bool(ceil_mode))
    return x, kernel_size, stride, padding, bool(ceil_mode), bool(count_include_pad)


@kernel
def avg_input_grad(
    dy: Any,
    input_size: Pair,
    kernel_size,
    stride=None,
    padding=(0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """Return dx, the gradient of `avg_forward`: each dy, divided as there, is added to every pixel of its window.

    Parameters
    ----------
    dy : array (N, C, OH, OW), floating point
    input_size : pair of int
        (H, W) of x.

    Returns
    -------
    array (N, C, H, W), channels last in memory

    Raises
    ------
    ValueError, TypeError
        As `avg_forward`; also where `dy` is not of the shape that it gives for `input_size`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.pool2d.avg_input_grad(np.full((1, 1, 1, 1), 4.0), (2, 2), 2)
    array([[[[1., 1.],
             [1., 1.]]]])
    """
    check_array(dy, "dy", 4)
    _check_float(dy, "dy")
    input_size = pair(input_size, "input_size")
    kernel_size, stride, padding, dilation = _window(kernel_size, stride, padding)
    expected = _cached_output_size(input_size, kernel_size, stride, padding, dilation, bool(ceil_mode))
    if dy.shape[2:] != expected:
        raise ValueError(f"dy must have output size {expected} for input_size {input_size}, got {dy.shape[2:]}")
    return dy, input_size, kernel_size, stride, padding, bool(ceil_mode), bool(count_include_pad)


def _check_pooled(shape, name, input_size, window) -> None:
    """Raise unless `shape` has the output size of pooling for `input_size`, rounded up or down."""
    size = _cached_output_size(input_size, *window, True)
    if shape[2:] != size and shape[2:] != _cached_output_size(input_size, *window, False):
        raise ValueError(f"{name} must have output size {size} for input size {input_size}, got {shape[2:]}")
