"""Adaptive pooling: windows that cover an image evenly, as many as are asked for, and not always of one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function
from minidl.functional.indexing import index
from minidl.functional.operands import data_of, namespace
from minidl.functional.pool import avg_pool2d, max_pool2d
from minidl.functional.reduce import mean
from minidl.functional.shape import squeeze, unsqueeze
from minidl.kernels import reduced

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d"]


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

    Raises
    ------
    ValueError
        An x of other rank, a size below 1.

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
    """The maximum of each of OH x OW windows that cover the image evenly; sizes as in :func:`adaptive_avg_pool2d`.

    Of equal maxima the first gets the gradient.

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
    i, j = (xp.asarray(_positions(_windows(*sizes))) for sizes in ((rows, height), (columns, width)))
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


def _positions(windows: list[slice]) -> np.ndarray:
    """The positions in each window, (windows, longest window); a shorter window repeats its last position."""
    longest = range(max(window.stop - window.start for window in windows))
    return np.array([[min(window.start + i, window.stop - 1) for i in longest] for window in windows])
