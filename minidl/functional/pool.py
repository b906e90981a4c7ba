"""Pooling: one number for each window of an image, its maximum or its mean.

The loops are in ``kernels/pool2d``. For each maximum its tap is kept, the place in the window where it was found. The
gradient goes to that place (``max_scatter``), and the gradient of the gradient is read there (``max_gather``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.indexing import index
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import mean
from minidl.functional.shape import squeeze, unsqueeze
from minidl.kernels import pair, reduced

__all__ = [
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "global_avg_pool2d", "global_max_pool2d", "max_pool2d",
]  # fmt: skip

Size = int | tuple[int, int]


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


class WindowMeans(Function):
    """y[..., i] = mean of x[..., windows[i]], along the last axis or the one before."""

    saves_inputs = False

    def __init__(self, windows, axis):
        self.windows, self.axis = windows, axis

    def forward(self, x):
        self.saved = x.shape[self.axis]
        parts, axis = _parts(x, self.windows, self.axis), x.ndim + self.axis
        return namespace(x).stack([reduced("sum", part, (axis,)) / part.shape[axis] for part in parts], axis)

    def backward(self, dy, inputs, output):
        # every x of a window gets dy / (numbers in the window)
        return WindowMeansInputGrad(self.saved, self.windows, self.axis)(dy)


class WindowMeansInputGrad(Function):
    """dx of WindowMeans: linear in dy, and its adjoint is WindowMeans."""

    saves_inputs = False

    def __init__(self, size, windows, axis):
        self.size, self.windows, self.axis = size, windows, axis

    def forward(self, dy):
        shape = list(dy.shape)
        shape[self.axis] = self.size
        dx = namespace(dy).zeros(shape, dy.dtype)
        each = [slice(i, i + 1) for i in range(len(self.windows))]
        for part, d in zip(_parts(dx, self.windows, self.axis), _parts(dy, each, self.axis)):
            part += d / part.shape[self.axis]
        return dx

    def backward(self, ddx, inputs, output):
        return WindowMeans(self.windows, self.axis)(ddx)


def _parts(x: Any, slices: list[slice], axis: int) -> list[Any]:
    """Views of x, each a slice of the axis, which is the last one or the one before."""
    return [x[..., part] if axis == -1 else x[..., part, :] for part in slices]


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
    pooling = MaxPool2d(window, bool(ceil_mode))
    y = pooling(x)
    if not return_indices:
        return y
    _, taps = pooling.saved
    indices = _flat_indices(taps, x.shape[3], *window)
    return y, Tensor(indices) if isinstance(y, Tensor) else indices


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
    return AvgPool2d(kernel_size, stride, pair(padding, "padding"), bool(ceil_mode), bool(count_include_pad))(x)


def adaptive_avg_pool2d(x: Any, output_size: int | tuple[int | None, int | None]) -> Any:
    """The mean of each of OH x OW windows that cover the image evenly.

    Window i of OH reaches from row floor(i*H/OH) to row ceil((i+1)*H/OH), and columns likewise.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    output_size : int or (int or None, int or None)
        (OH, OW); None keeps the size of x.

    Returns
    -------
    (N, C, OH, OW) or (C, OH, OW)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.adaptive_avg_pool2d(minidl.tensor([[[1.0, 2.0, 3.0, 6.0]]]), (1, 2))
    tensor([[[1.5, 4.5]]])
    """
    rows, columns = _grid("adaptive_avg_pool2d", x, output_size)
    height, width = x.shape[-2:]
    if rows == columns == 1:
        return mean(x, (-2, -1), keepdim=True)
    if height % rows == 0 and width % columns == 0:
        return avg_pool2d(x, (height // rows, width // columns))
    # the mean over a rectangle is the mean over its columns of the means over its rows
    x = WindowMeans(_windows(rows, height), -2)(x)  # (N, C, rows, W)
    return WindowMeans(_windows(columns, width), -1)(x)


def adaptive_max_pool2d(x: Any, output_size: int | tuple[int | None, int | None]) -> Any:
    """The maximum of each of OH x OW windows that cover the image evenly, as in :func:`adaptive_avg_pool2d`.

    Of equal maxima the first gets the gradient.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    output_size : int or (int or None, int or None)
        (OH, OW); None keeps the size of x.

    Returns
    -------
    (N, C, OH, OW) or (C, OH, OW)

    Raises
    ------
    ValueError
        An x of other rank, a size below 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.adaptive_max_pool2d(minidl.tensor([[[1.0, 2.0, 3.0, 6.0]]]), (1, 2))
    tensor([[[2., 6.]]])
    """
    rows, columns = _grid("adaptive_max_pool2d", x, output_size)
    height, width = x.shape[-2:]
    if height % rows == 0 and width % columns == 0:
        return max_pool2d(x, (height // rows, width // columns))
    if x.ndim == 3:
        return squeeze(adaptive_max_pool2d(unsqueeze(x, 0), output_size), 0)
    xp = namespace(x)
    i, j = (xp.asarray(_places(_windows(*sizes))) for sizes in ((rows, height), (columns, width)))
    # copy the windows, which may overlap, side by side and all of one size, so that the kernel can find the maxima
    tiles, size = data_of(x)[..., i.reshape(-1, 1), j.reshape(-1)], (i.shape[1], j.shape[1])
    _, taps = kernels.pool2d.max_forward(tiles, size, size, (0, 0), (1, 1), False)
    taps = taps.astype(np.int64)
    row, column = i[xp.arange(rows)[:, None], taps // size[1]], j[xp.arange(columns), taps % size[1]]
    n, c = xp.arange(x.shape[0]).reshape(-1, 1, 1, 1), xp.arange(x.shape[1]).reshape(-1, 1, 1)
    return index(x, (n, c, row, column))


def _grid(name: str, x: Any, output_size: int | tuple[int | None, int | None]) -> tuple[int, int]:
    """How many rows and columns of windows `output_size` asks for."""
    sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(sizes) != 2 or x.ndim not in (3, 4):
        raise ValueError(
            f"{name}: x must be (N, C, H, W) or (C, H, W) and output_size one size or two, "
            f"got x {tuple(x.shape)} and {output_size}"
        )
    if 0 in x.shape[-2:]:
        raise ValueError(f"{name}: x must have at least one pixel, got shape {tuple(x.shape)}")
    rows, columns = (n if size is None else size for size, n in zip(sizes, x.shape[-2:]))
    if rows < 1 or columns < 1:
        raise ValueError(f"output_size must be at least 1, got {output_size}")
    return rows, columns


def _windows(size: int, n: int) -> list[slice]:
    """`size` windows that cover n numbers: from floor(i*n/size) to ceil((i+1)*n/size)."""
    return [slice(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


def _places(windows: list[slice]) -> np.ndarray:
    """The positions in each window, (windows, longest window); a shorter window repeats its last position."""
    longest = range(max(window.stop - window.start for window in windows))
    return np.array([[min(window.start + i, window.stop - 1) for i in longest] for window in windows])


def global_avg_pool2d(x: Any) -> Any:
    """The mean of each channel of each image: (N, C, H, W) to (N, C, 1, 1)."""
    return mean(x, (-2, -1), keepdim=True)


def global_max_pool2d(x: Any) -> Any:
    """The maximum of each channel of each image: (N, C, H, W) to (N, C, 1, 1)."""
    return max_pool2d(x, x.shape[-2:])
