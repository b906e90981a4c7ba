"""Pooling: one number for each window of an image, its maximum or its mean.

The loops are in ``kernels/pool2d``. For each maximum its tap is kept, the place in the window where it was found. The
gradient goes to that place (``max_scatter``), and the gradient of the gradient is read there (``max_gather``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.extremes import max as max_along
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import mean
from minidl.functional.shape import reshape, squeeze, unsqueeze
from minidl.kernels import pair

__all__ = ["avg_pool2d", "global_avg_pool2d", "global_max_pool2d", "max_pool2d"]

Size = int | tuple[int, int]

LARGE = 1 << 15  # numbers in x; of fewer the kernel's maximum is as fast as NumPy's
BYTE_TAPS = 256  # the places in a window that fit into a byte, with which the kernel works on vectors


class MaxPool2d(Function):
    """y[n,c,i,j] = max over r,s of x[n, c, i*stride + r*dilation - padding, ...]."""

    saves_inputs = False

    def __init__(self, window, ceil_mode):
        self.window, self.ceil_mode = window, ceil_mode  # window: kernel_size, stride, padding, dilation

    def forward(self, x):
        y, taps = kernels.pool2d.max_forward(x, *self.window, self.ceil_mode)
        self.saved = (x.shape[2:], taps)
        return y

    def backward(self, dy, inputs, output):
        input_size, taps = self.saved
        # dx gets dy at the tap of the maximum
        return MaxScatter(input_size, taps, self.window)(dy)


class MaxScatter(Function):
    """dx = zeros; dx[tap of the window] += dy, for every window."""

    saves_inputs = False

    def __init__(self, input_size, taps, window):
        self.input_size, self.taps, self.window = input_size, taps, window

    def forward(self, dy):
        return kernels.pool2d.max_scatter(dy, self.taps, self.input_size, *self.window)

    def backward(self, ddx, inputs, output):
        return MaxGather(self.taps, self.window)(ddx)


class MaxGather(Function):
    """y = x[tap of the window], for every window."""

    saves_inputs = False

    def __init__(self, taps, window):
        self.taps, self.window = taps, window

    def forward(self, x):
        self.saved = x.shape[2:]
        return kernels.pool2d.max_gather(x, self.taps, *self.window)

    def backward(self, dy, inputs, output):
        return MaxScatter(self.saved, self.taps, self.window)(dy)


class AvgPool2d(Function):
    """y[n,c,i,j] = mean over r,s of x[n, c, i*stride + r - padding, ...]."""

    saves_inputs = False

    def __init__(self, *window):
        self.window = window  # kernel_size, stride, padding, ceil_mode, count_include_pad

    def forward(self, x):
        self.saved = x.shape[2:]
        return kernels.pool2d.avg_forward(x, *self.window)

    def backward(self, dy, inputs, output):
        # every x of a window gets dy / (numbers in the window)
        return AvgPool2dInputGrad(self.saved, *self.window)(dy)


class AvgPool2dInputGrad(Function):
    """dx of avg_pool2d: linear in dy, and its adjoint is avg_pool2d."""

    saves_inputs = False

    def __init__(self, input_size, *window):
        self.input_size, self.window = input_size, window

    def forward(self, dy):
        return kernels.pool2d.avg_input_grad(dy, self.input_size, *self.window)

    def backward(self, ddx, inputs, output):
        return AvgPool2d(*self.window)(ddx)


def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[n,c,i,j] = max over r,s of x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding].

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    kernel_size, stride, padding, dilation : int or (int, int)
        In pixels, vertical first; `stride` is `kernel_size` if not given; padding counts as -inf.
    ceil_mode : bool
        Keep a last window that reaches beyond the image, as long as it starts inside.
    return_indices : bool
        Also return where each maximum is, as its position in the flattened H x W plane.

    Returns
    -------
    (N, C, OH, OW) or (C, OH, OW), and with `return_indices` integers of the same shape
        OH = (H + 2*padding - dilation*(kernel_size-1) - 1) // stride + 1. NaN in a window gives NaN; the first of
        several equal maxima gets the gradient, and the first of several NaN (in PyTorch the last).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.max_pool2d(minidl.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]), 2)
    tensor([[[[3.]]]])
    """
    if x.ndim == 3:
        y = max_pool2d(unsqueeze(x, 0), kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        return tuple(squeeze(part, 0) for part in y) if return_indices else squeeze(y, 0)
    kernel_size = pair(kernel_size, "kernel_size", 1)
    stride = kernel_size if stride is None else pair(stride, "stride", 1)
    window = (kernel_size, stride, pair(padding, "padding"), pair(dilation, "dilation", 1))
    if _is_whole(x, window) and 0 not in x.shape[:2]:
        pixels = data_of(x)
        if type(pixels) is np.ndarray and pixels.flags.c_contiguous and pixels.size >= LARGE:
            y = max_along(reshape(x, (*x.shape[:2], -1)), -1)
            y = tuple(reshape(part, (*x.shape[:2], 1, 1)) for part in y)
            return y if return_indices else y[0]
        if kernel_size[0] * kernel_size[1] > BYTE_TAPS and 1 not in kernel_size and not return_indices:
            # the largest of each row, then of these; the first of equal ones is the same
            return max_pool2d(max_pool2d(x, (1, kernel_size[1])), (kernel_size[0], 1))
    pooling = MaxPool2d(window, bool(ceil_mode))
    y = pooling(x)
    if not return_indices:
        return y
    _, taps = pooling.saved
    indices = _flat_indices(taps, x.shape[3], *window)
    return y, Tensor(indices) if isinstance(y, Tensor) else indices


def _is_whole(x: Any, window: tuple) -> bool:
    """Whether one window takes in all pixels of the image, each once."""
    kernel_size, _, padding, dilation = window
    return kernel_size == tuple(x.shape[2:]) and padding == (0, 0) and dilation == (1, 1)


def _flat_indices(taps: Any, width: int, kernel_size, stride, padding, dilation) -> Any:
    """The position of each maximum in the flattened H x W plane, from its tap."""
    xp = namespace(taps)
    taps = taps.astype(np.int64)
    row = xp.arange(taps.shape[2])[:, None] * stride[0] - padding[0] + taps // kernel_size[1] * dilation[0]
    column = xp.arange(taps.shape[3]) * stride[1] - padding[1] + taps % kernel_size[1] * dilation[1]
    return row * width + column


def avg_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """y[n,c,i,j] = mean over r,s of x[n, c, i*stride + r - padding, j*stride + s - padding].

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    kernel_size, stride, padding : int or (int, int)
        In pixels, vertical first; `stride` is `kernel_size` if not given.
    ceil_mode : bool
        Keep a last window that reaches over the border, as long as it starts inside.
    count_include_pad : bool
        Count the zeros of the padding among the numbers of a window.

    Returns
    -------
    (N, C, OH, OW) or (C, OH, OW)
        OH = (H + 2*padding - kernel_size) // stride + 1, rounded up instead of down with `ceil_mode`; OW likewise.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.avg_pool2d(minidl.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]), 2)
    tensor([[[[1.5]]]])
    """
    if x.ndim == 3:
        return squeeze(avg_pool2d(unsqueeze(x, 0), kernel_size, stride, padding, ceil_mode, count_include_pad), 0)
    kernel_size = pair(kernel_size, "kernel_size", 1)
    stride = kernel_size if stride is None else pair(stride, "stride", 1)
    padding = pair(padding, "padding")
    if _is_whole(x, (kernel_size, stride, padding, (1, 1))) and x.dtype.kind == "f":
        return mean(x, (-2, -1), keepdim=True)  # its gradient is one number, seen as an image
    return AvgPool2d(kernel_size, stride, padding, bool(ceil_mode), bool(count_include_pad))(x)


def global_avg_pool2d(x: Any) -> Any:
    """The mean of each channel of each image: (N, C, H, W) to (N, C, 1, 1).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.global_avg_pool2d(minidl.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]))
    tensor([[[[1.5]]]])
    """
    return mean(x, (-2, -1), keepdim=True)


def global_max_pool2d(x: Any) -> Any:
    """The maximum of each channel of each image: (N, C, H, W) to (N, C, 1, 1).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.global_max_pool2d(minidl.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]))
    tensor([[[[3.]]]])
    """
    return max_pool2d(x, x.shape[-2:])
