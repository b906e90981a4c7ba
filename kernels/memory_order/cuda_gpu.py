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
    _, channels, height, width = x.shape
    return _transpose(nhwc, current_runtime().empty(x.shape, x.dtype), height * width, channels)


def channels_last(x):
    return nhwc(x).transpose(0, 3, 1, 2)


def nhwc(x):
    """x (N, C, H, W) as a C-contiguous (N, H, W, C)."""
    last = x.transpose(0, 2, 3, 1)
    if last.flags.c_contiguous:
        return last
    images, channels, height, width = x.shape
    y = current_runtime().empty(last.shape, x.dtype)
    return _transpose(current_runtime().xp.ascontiguousarray(x), y, channels, height * width)


def _transpose(x, y, rows, columns):
    """Write the transpose of each image of x, a matrix (rows, columns), to y, and return y."""
    check_count("channels, or pixels an image", max(rows, columns))
    kernel = load(SOURCE, x.dtype).get_function("transpose_images")
    tiles = -(-rows // TILE) * -(-columns // TILE)
    for first in range(0, len(x), MAX_GRID):
        part = (x, y) if len(x) <= MAX_GRID else (x[first : first + MAX_GRID], y[first : first + MAX_GRID])
        kernel((tiles, len(part[0])), (TILE, ROWS), (*part, rows, columns))
    return y
