"""Channel sums in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..cuda import DTYPES, current_runtime, load, unavailable

__all__ = ["DTYPES", "forward", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
ROWS_OF_THREADS, LANES, BLOCK = 8, 32, 256
BLOCKS_A_MULTIPROCESSOR = 4
LEAST_PER_PART = 1024  # numbers of one channel that are worth a block


def forward(x: Any, y: Any) -> Any:
    runtime = current_runtime()
    xp, channels = runtime.xp, x.shape[1]
    if x.size == 0:
        return xp.zeros(channels, x.dtype)
    module = load(SOURCE, x.dtype)
    last = xp.moveaxis(x, 1, -1)
    if last.flags.c_contiguous or x.ndim == 2:
        last = xp.ascontiguousarray(last)
        other = None if y is None else xp.ascontiguousarray(xp.moveaxis(y, 1, -1))
        rows, columns_of_blocks = last.size // channels, -(-channels // LANES)
        part_count, per_part = _parts(rows, columns_of_blocks, runtime)
        parts = runtime.empty((part_count, channels), "float64")
        kernel, grid = module.get_function("sums_of_columns"), (columns_of_blocks, part_count)
        kernel(grid, (LANES, ROWS_OF_THREADS), (last, other, parts, rows, channels, per_part))
    else:
        first = xp.ascontiguousarray(x)
        other = None if y is None else xp.ascontiguousarray(y)
        pixels = math.prod(x.shape[2:])
        count = x.shape[0] * pixels
        part_count, per_part = _parts(count, channels, runtime)
        parts = runtime.empty((part_count, channels), "float64")
        kernel, grid = module.get_function("sums_of_planes"), (channels, part_count)
        kernel(grid, (BLOCK,), (first, other, parts, count, channels, pixels, per_part))
    s = runtime.empty(channels, x.dtype)
    module.get_function("add_channel_parts")((-(-channels // BLOCK),), (BLOCK,), (parts, s, channels, part_count))
    return s


def _parts(count, blocks_without, runtime):
    """Cut `count` numbers a channel into parts so that the GPU is full; return how many, and the length of one."""
    wanted = -(-BLOCKS_A_MULTIPROCESSOR * runtime.multiprocessors // blocks_without)
    part_count = max(1, min(wanted, count // LEAST_PER_PART))
    per_part = -(-count // part_count)
    return -(-count // per_part), per_part
