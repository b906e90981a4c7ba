"""Windows of an image as columns and back (unfold, fold), channels as blocks of pixels and back (pixel_shuffle)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.axes import one_axis
from minidl.functional.indexing import index
from minidl.functional.operands import apart, integers, namespace
from minidl.functional.shape import movedim, permute, reshape, squeeze, unsqueeze
from minidl.kernels import pair

__all__ = ["fold", "pixel_shuffle", "pixel_unshuffle", "sliding_windows", "unfold"]

Size = int | tuple[int, int]


class Geometry:
    """Where the windows of an image of `size` lie."""

    def __init__(self, name, size, kernel_size, dilation, padding, stride):
        self.size, self.window = tuple(size), pair(kernel_size, "kernel_size", 1)
        self.dilation, self.padding = pair(dilation, "dilation", 1), pair(padding, "padding")
        self.stride = pair(stride, "stride", 1)
        self.padded = tuple(n + 2 * border for n, border in zip(self.size, self.padding))
        # OH = (H + 2*padding - dilation*(R-1) - 1) // stride + 1 windows down, OW across
        self.grid = tuple(
            (n - d * (r - 1) - 1) // step + 1
            for n, d, r, step in zip(self.padded, self.dilation, self.window, self.stride)
        )
        if min(self.grid) < 1:
            raise ValueError(
                f"{name}: a window of {self.window} with dilation {self.dilation} does not fit an image of "
                f"{self.size} with padding {self.padding}"
            )

    def taps(self) -> Iterator[tuple[int, int, tuple]]:
        """(r, s, the pixels of the padded image that stand at row r and column s of all windows)."""
        for r, s in np.ndindex(self.window):
            starts = r * self.dilation[0], s * self.dilation[1]
            yield r, s, (..., *(slice(a, a + (n - 1) * d + 1, d) for a, n, d in zip(starts, self.grid, self.stride)))

    def inside(self) -> tuple:
        """The image within its border."""
        return (..., *(slice(border, border + n) for border, n in zip(self.padding, self.size)))


class Unfold(Function):
    """y[n, (c,r,s), (i,j)] = x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding]."""

    saves_inputs = False

    def __init__(self, geometry):
        self.geometry = geometry

    def forward(self, x):
        g, (n, c) = self.geometry, x.shape[:2]
        padded = namespace(x).zeros((n, c, *g.padded), x.dtype)
        padded[g.inside()] = x
        y = namespace(x).empty((n, c, *g.window, *g.grid), x.dtype)
        for r, s, pixels in g.taps():
            y[:, :, r, s] = padded[pixels]
        return y.reshape(n, c * math.prod(g.window), math.prod(g.grid))

    def backward(self, dy, inputs, output):
        return Fold(self.geometry)(dy)


class Fold(Function):
    """The adjoint of :class:`Unfold`: each number of a column is added to its pixel."""

    saves_inputs = False

    def __init__(self, geometry):
        self.geometry = geometry

    def forward(self, x):
        g, n = self.geometry, x.shape[0]
        x = x.reshape(n, x.shape[1] // math.prod(g.window), *g.window, *g.grid)
        padded = namespace(x).zeros((n, x.shape[1], *g.padded), x.dtype)
        for r, s, pixels in g.taps():
            padded[pixels] += x[:, :, r, s]
        return padded[g.inside()].copy()

    def backward(self, dy, inputs, output):
        return Unfold(self.geometry)(dy)


def unfold(x: Any, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Any:
    """The windows of an image, each as a column: a convolution is then the product ``w.reshape(K, -1) @ columns``.

    y[n, (c,r,s), (i,j)] = x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding]

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    kernel_size, dilation, padding, stride : int or (int, int)
        In pixels, vertical first; the padding is 0.

    Returns
    -------
    (N, C*R*S, OH*OW) or (C*R*S, OH*OW)
        OH = (H + 2*padding - dilation*(R-1) - 1) // stride + 1, and OW likewise.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.unfold(minidl.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
    tensor([[1., 2.],
            [2., 3.]])
    """
    if x.ndim not in (3, 4):
        raise ValueError(f"unfold: x must be (N, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
    if x.ndim == 3:
        return squeeze(unfold(unsqueeze(x, 0), kernel_size, dilation, padding, stride), 0)
    return Unfold(Geometry("unfold", x.shape[2:], kernel_size, dilation, padding, stride))(x)


def fold(x: Any, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Any:
    """Columns added up at the places of their windows, the adjoint of :func:`unfold`.

    Parameters
    ----------
    x : (N, C*R*S, L) or (C*R*S, L)
        L, the number of windows of an image of `output_size`.
    output_size : int or (int, int)
        (H, W).
    kernel_size, dilation, padding, stride : int or (int, int)
        Those of the windows.

    Returns
    -------
    (N, C, H, W) or (C, H, W)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.fold(minidl.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2))
    tensor([[[1., 4., 3.]]])
    """
    if x.ndim not in (2, 3):
        raise ValueError(f"fold: x must be (N, C*R*S, L) or (C*R*S, L), got shape {tuple(x.shape)}")
    if x.ndim == 2:
        return squeeze(fold(unsqueeze(x, 0), output_size, kernel_size, dilation, padding, stride), 0)
    geometry = Geometry("fold", pair(output_size, "output_size", 1), kernel_size, dilation, padding, stride)
    taps, windows = math.prod(geometry.window), math.prod(geometry.grid)
    if x.shape[1] % taps or x.shape[2] != windows:
        raise ValueError(
            f"fold: an image of {geometry.size} has {windows} windows of {taps} numbers a channel, which x of shape "
            f"{tuple(x.shape)} does not fit"
        )
    return Fold(geometry)(x)


def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    """Each r*r channels as blocks of r x r pixels: an image r times as large.

    y[..., c, h*r + i, w*r + j] = x[..., (c*r + i)*r + j, h, w] with r = upscale_factor

    Parameters
    ----------
    x : (..., C*r*r, H, W)
    upscale_factor : int
        r.

    Returns
    -------
    (..., C, H*r, W*r)

    Notes
    -----
    Source: Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network, 2016.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.pixel_shuffle(minidl.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    r = _factor("pixel_shuffle", x, "upscale_factor", upscale_factor)
    *n, channels, h, w = x.shape
    if channels % (r * r):
        raise ValueError(f"pixel_shuffle: {r} * {r} must divide the channels of x, got shape {tuple(x.shape)}")
    c, before = channels // (r * r), len(n)
    y = reshape(x, (*n, c, r, r, h, w))
    order = (*range(before + 1), before + 3, before + 1, before + 4, before + 2)  # (..., c, h, i, w, j)
    return apart(reshape(permute(y, order), (*n, c, h * r, w * r)), x)


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """Each block of r x r pixels as r*r channels, the inverse of :func:`pixel_shuffle`.

    Parameters
    ----------
    x : (..., C, H*r, W*r)
    downscale_factor : int
        r.

    Returns
    -------
    (..., C*r*r, H, W)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.pixel_unshuffle(minidl.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2).tolist()
    [[[1.0]], [[2.0]], [[3.0]], [[4.0]]]
    """
    r = _factor("pixel_unshuffle", x, "downscale_factor", downscale_factor)
    *n, c, h, w = x.shape
    if h % r or w % r:
        raise ValueError(f"pixel_unshuffle: {r} must divide the height and width of x, got shape {tuple(x.shape)}")
    before = len(n)
    y = reshape(x, (*n, c, h // r, r, w // r, r))
    order = (*range(before + 1), before + 2, before + 4, before + 1, before + 3)  # (..., c, i, j, h, w)
    return apart(reshape(permute(y, order), (*n, c * r * r, h // r, w // r)), x)


def _factor(name: str, x: Any, argument: str, factor: int) -> int:
    if x.ndim < 3:
        raise ValueError(f"{name}: x must be (..., C, H, W), got shape {tuple(x.shape)}")
    if isinstance(factor, bool) or not isinstance(factor, (int, np.integer)) or factor < 1:
        raise ValueError(f"{name}: {argument} must be an integer from 1 up, got {factor!r}")
    return int(factor)


@tensor_method("unfold")
def sliding_windows(x: Any, dimension: int, size: int, step: int) -> Any:
    """Windows along one axis: y[..., i, ..., j] = x[..., i * step + j, ...], a new last axis of `size`, copied.

    As a method it is ``x.unfold(dimension, size, step)``.

    Parameters
    ----------
    dimension : int
        The axis, of length L; y has (L - size) // step + 1 windows there.
    size, step : int
        Of a window, from 0 to L, and from one window to the next, at least 1.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    axes, (size,), (step,) = one_axis(dimension, x.ndim), integers("size", size), integers("step", step)
    length = x.shape[axes[0]] if axes else 1
    if not 0 <= size <= length or step < 1:
        raise ValueError(f"unfold: size must be from 0 to {length} and step at least 1, got {size} and {step}")
    if not axes:
        return reshape(x, -1)[:size]
    xp, windows = namespace(x), (length - size) // step + 1
    places = xp.arange(windows)[:, None] * step + xp.arange(size)
    # the array of places puts its two axes where the axis was
    return movedim(index(x, (slice(None),) * axes[0] + (places,)), axes[0] + 1, -1)
