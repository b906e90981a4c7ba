"""Channel sums in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import check_count
from ..cuda.thread_rows import LANES, LANES_AND_ROWS, THREAD_ROWS, lane_each, whole_turns

__all__ = ["DTYPES", "forward", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK = 256
BLOCKS_A_MULTIPROCESSOR = 4
NUMBERS_A_THREAD = 16  # at least, if there are several parts
PARTS_WORTH_A_PASS = 4  # fewer parts do not pay for the launch of a second pass


def forward(x: Any, y: Any) -> Any:
    runtime = current_runtime()
    xp, channels = runtime.xp, x.shape[1]
    if x.size == 0:
        return xp.zeros(channels, x.dtype)
    module, count = load(SOURCE, x.dtype), x.size // channels
    check_count("numbers of x a channel", count)
    s, last = runtime.empty(channels, x.dtype), x if x.ndim == 2 else xp.moveaxis(x, 1, -1)
    if channels > 1 and (x.ndim == 2 or last.flags.c_contiguous):
        last = xp.ascontiguousarray(last)
        other = None if y is None else xp.ascontiguousarray(xp.moveaxis(y, 1, -1))
        columns_of_blocks = -(-channels // LANES)
        parts, per_part, part_count = _parts(count, channels, columns_of_blocks, THREAD_ROWS, runtime)
        kernel, grid = module.get_function("sums_of_columns"), (columns_of_blocks, part_count)
        kernel(grid, LANES_AND_ROWS, (last, other, parts, s, count, channels, per_part))
    else:
        first = xp.ascontiguousarray(x)
        other = None if y is None else xp.ascontiguousarray(y)
        parts, per_part, part_count = _parts(count, channels, channels, BLOCK, runtime)
        kernel, grid = module.get_function("sums_of_planes"), (channels, part_count)
        kernel(grid, (BLOCK,), (first, other, parts, s, count, channels, math.prod(x.shape[2:]), per_part))
    if parts is not None:
        module.get_function("add_channel_parts")(*lane_each(channels, part_count), (parts, s, channels, part_count))
    return s


def _parts(count, channels, blocks, threads, runtime):
    """Cut the `count` numbers of a channel, of which `threads` threads share a part, so that the GPU is full.

    Returns an array for the sums of the parts (None for a single part), the length of a part, and their number.
    """
    wanted = -(-BLOCKS_A_MULTIPROCESSOR * runtime.multiprocessors // blocks)
    most = count // (NUMBERS_A_THREAD * threads)
    per_part = whole_turns(-(-count // (min(wanted, most) if most >= PARTS_WORTH_A_PASS else 1)), threads)
    part_count = -(-count // per_part)
    parts = runtime.empty((part_count, channels), "float64") if part_count > 1 else None
    return parts, per_part, part_count
