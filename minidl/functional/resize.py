"""Resizing: each output pixel has a place in x, and takes the pixel there, or a weighted mean of the four around it.

Along one axis, with `ratio` input pixels to an output pixel, output pixel i lies at

    nearest                       floor(i * ratio)
    bilinear                      max((i + 1/2) * ratio - 1/2, 0)           pixels are areas: their centres are mapped
    bilinear, align_corners       i * (n - 1) / (size - 1)                  pixels are points: first and last are kept

and between two pixels p and p + 1, at p + u, x is x[p] * (1 - u) + x[p + 1] * u. An image is resized along one axis
after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd import Function
from minidl.functional.entries import index_select, repeat_interleave
from minidl.functional.linear import matmul
from minidl.functional.operands import apart, data_of, integers, namespace
from minidl.functional.shape import permute, reshape

__all__ = ["interpolate"]

MODES = {"nearest": (3, 4, 5), "linear": (3,), "bilinear": (4,)}


def interpolate(
    x: Any,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    recompute_scale_factor: bool | None = None,
) -> Any:
    """x in another size: each output pixel is the nearest pixel of x, or interpolated between neighbours.

    Parameters
    ----------
    x : (N, C, H, W); also (N, C, W), and with "nearest" (N, C, D, H, W)
    size : int or (OH, OW)
        Of the output; or instead
    scale_factor : float or (float, float)
        OH = floor(H * scale_factor), and OW likewise.
    mode : {"nearest", "linear", "bilinear"}
        "linear" is "bilinear" for (N, C, W).
    align_corners : bool
        Pixels are points, and the first and the last stay where they are: output pixel i lies at
        i * (H - 1) / (OH - 1). Otherwise they are areas, whose centres are mapped: at (i + 1/2) * H / OH - 1/2.
    recompute_scale_factor : bool
        Where `scale_factor` does not lead to a whole number of pixels, compute the places from the sizes of x and of
        the output instead of from the factor.

    Returns
    -------
    (N, C, OH, OW)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.interpolate(minidl.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1. , 1.5, 2.5, 3. ]]])
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if x.ndim not in MODES[mode]:
        raise ValueError(f"interpolate: mode {mode!r} needs x of {MODES[mode]} dimensions, got shape {tuple(x.shape)}")
    if align_corners and mode == "nearest":
        raise ValueError("align_corners belongs to the modes 'linear' and 'bilinear', mode is 'nearest'")
    spatial = tuple(x.shape[2:])
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate needs size or scale_factor, one of them")
    if size is None:
        factors = _for_each_axis(scale_factor, spatial, "scale_factor")
        sizes = [int(np.floor(n * factor)) for n, factor in zip(spatial, factors)]
        ratios = [n / out if recompute_scale_factor and out else 1 / f for n, out, f in zip(spatial, sizes, factors)]
    elif recompute_scale_factor:
        raise ValueError("recompute_scale_factor belongs to scale_factor, and size was given")
    else:
        sizes = integers("size", _for_each_axis(size, spatial, "size"))
        ratios = [n / out if out else 0.0 for n, out in zip(spatial, sizes)]
    if min(sizes) < 1 or min(spatial) < 1:
        raise ValueError(f"interpolate: sizes must be at least 1, got input {spatial} and output {tuple(sizes)}")
    # As PyTorch: of images alone, and linearly, the same size is a factor of 1 and twice the size a factor of 2.
    exact = mode != "nearest" or x.ndim == 4
    # channels that lie together in memory stay together
    pixels = data_of(x)
    last = x.ndim == 4 and not pixels.flags.c_contiguous and pixels.transpose(0, 2, 3, 1).flags.c_contiguous
    y = permute(x, 0, 2, 3, 1) if last else x
    for axis, (n, out, ratio) in enumerate(zip(spatial, sizes, ratios), start=1 if last else 2):
        if exact and out == n:
            continue
        if mode == "nearest":
            ratio = 0.5 if exact and out == 2 * n else ratio
            positions = np.minimum(np.floor(np.arange(out) * ratio), n - 1)
            whole = out % n == 0 and np.array_equal(positions, np.arange(out) // (out // n))
            y = repeat_interleave(y, out // n, axis) if whole else _take(y, axis, positions)
        else:
            y = _read_between(y, axis, n, out, ratio, align_corners)
    return apart(permute(y, 0, 3, 1, 2) if last else y, x)


def _read_between(x: Any, axis: int, n: int, size: int, ratio: float, align_corners: bool) -> Any:
    place = np.arange(size)
    place = place * ((n - 1) / max(size - 1, 1)) if align_corners else np.maximum((place + 0.5) * ratio - 0.5, 0)
    p = np.minimum(np.floor(place), n - 1)
    return ReadBetween(axis, p.astype(np.int64), (place - p).astype(x.dtype))(x)


class ReadBetween(Function):
    """y[i] = x[p] * (1 - u) + x[p + 1] * u along one axis; p and u are arrays over i."""

    saves_inputs = False

    def __init__(self, axis, p, u):
        self.axis, self.p, self.u = axis, p, u

    def forward(self, x):
        n = x.shape[self.axis]
        self.saved = n
        u = namespace(x).asarray(self.u.reshape((-1,) + (1,) * (x.ndim - 1 - self.axis)))
        # y[i] = x[p] * (1 - u) + x[p + 1] * u
        y, following = _take(x, self.axis, self.p), _take(x, self.axis, np.minimum(self.p + 1, n - 1))
        y *= 1 - u
        following *= u
        y += following
        return y

    def backward(self, dy, inputs, output):
        i, n = np.arange(len(self.p)), self.saved
        w = np.zeros((len(self.p), n), self.u.dtype)  # y[i] = sum_j w[i, j] * x[j]
        w[i, self.p] = 1 - self.u
        w[i, np.minimum(self.p + 1, n - 1)] += self.u
        w = namespace(dy).asarray(w)
        # dx[j] = sum_i w[i, j] * dy[i]
        if self.axis == dy.ndim - 1:
            return matmul(dy, w)
        before, after = dy.shape[: self.axis], dy.shape[self.axis + 1 :]
        dx = matmul(w.T, reshape(dy, (*before, len(i), math.prod(after))))
        return reshape(dx, (*before, n, *after))


def _take(x: Any, axis: int, positions: np.ndarray) -> Any:
    return index_select(x, axis, positions.astype(np.int64))


def _for_each_axis(value: Any, spatial: tuple[int, ...], name: str) -> tuple:
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(spatial)
    if len(values) != len(spatial) or min(values) <= 0:
        raise ValueError(f"{name} must be one positive number, or {len(spatial)} of them, got {value!r}")
    return values
