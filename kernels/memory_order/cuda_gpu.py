"""Changing the memory order in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

from pathlib import Path

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import MAX_GRID, check_count

__all__ = ["DTYPES", "channels_first", "channels_last", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
TILE, ROWS = 32, 8


def channels_first(x):
    if x.flags.c_contiguous:
        return x
    nhwc = x.transpose(0, 2, 3, 1)
    if not nhwc.flags.c_contiguous:
        return current_runtime().xp.ascontiguousarray(x)
    images, channels, height, width = x.shape
    return _transposed(nhwc, images, height * width, channels).reshape(x.shape)


def channels_last(x):
    nhwc = x.transpose(0, 2, 3, 1)
    if not nhwc.flags.c_contiguous:
        images, channels, height, width = x.shape
        x = current_runtime().xp.ascontiguousarray(x)
        nhwc = _transposed(x, images, channels, height * width).reshape(images, height, width, channels)
    return nhwc.transpose(0, 3, 1, 2)


def nhwc(x):
    """x (N, C, H, W) as a C-contiguous (N, H, W, C)."""
    return channels_last(x).transpose(0, 2, 3, 1)


def _transposed(x, images, rows, columns):
    """The transpose of each image of x, a matrix (rows, columns)."""
    check_count("channels, or pixels an image", max(rows, columns))
    y = current_runtime().empty((images, columns, rows), x.dtype)
    kernel = load(SOURCE, x.dtype).get_function("transpose_images")
    tiles = -(-rows // TILE) * -(-columns // TILE)
    x = x.reshape(images, rows, columns)
    for first in range(0, images, MAX_GRID):
        here = slice(first, first + MAX_GRID)
        kernel((tiles, len(x[here])), (TILE, ROWS), (x[here], y[here], rows, columns))
    return y
