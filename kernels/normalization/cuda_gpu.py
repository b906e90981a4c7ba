"""Normalization in CUDA: the host side of `cuda_gpu.cu` (channels) and of `cuda_gpu_rows.cu`."""

from __future__ import annotations

import math
from pathlib import Path

from ..channel_sums import cuda_gpu as channel_sums
from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import check_count
from ..cuda.rows import grid_of_rows, warps_a_row
from ..cuda.thread_rows import LANES, LANES_AND_ROWS, THREAD_ROWS, lane_each, whole_turns
from .reference import channel_scale

__all__ = [
    "DTYPES", "channel_backward", "channel_forward", "channel_scale", "group_backward", "group_forward", "row_backward",
    "row_forward", "unavailable",
]  # fmt: skip

SOURCE = Path(__file__).with_suffix(".cu")
ROWS_SOURCE = SOURCE.with_name("cuda_gpu_rows.cu")
BLOCK = 256  # threads that normalize
BLOCKS_A_MULTIPROCESSOR = 4
FULL_OF_BLOCKS = 8  # of 256 threads: all that a multiprocessor holds at once
LEAST_PER_PART = 128  # rows that are worth a block


def channel_forward(x, w, b, eps):
    runtime = current_runtime()
    xp, channels, module = runtime.xp, x.shape[1], load(SOURCE, x.dtype)
    rows = x.size // max(1, channels)
    check_count("numbers of x a channel", rows)
    m, v = runtime.empty(channels, x.dtype), runtime.empty(channels, x.dtype)
    last = xp.ascontiguousarray(xp.moveaxis(x, 1, -1))  # (N, ..., C)
    y = runtime.empty(last.shape, x.dtype)
    if x.size:
        parts, per_part, grid = _parts(rows, channels, runtime)
        module.get_function("moments_of_columns")(grid, LANES_AND_ROWS, (last, parts, rows, channels, per_part))
        statistics = runtime.empty((2, channels), "float64")
        module.get_function("join_moments")(
            *lane_each(channels, parts.shape[1]),
            (parts, statistics, m, v, rows, channels, per_part, parts.shape[1], eps),
        )  # fmt: skip
        module.get_function("normalize")(
            _grid(x.size, channels, runtime), (BLOCK,),
            (last, statistics, _contiguous(w, xp), _contiguous(b, xp), y, x.size, channels),
        )  # fmt: skip
    return xp.moveaxis(y, -1, 1), m, v


def channel_backward(dy, x, m, v, w, eps):
    runtime = current_runtime()
    xp, channels, module = runtime.xp, x.shape[1], load(SOURCE, x.dtype)
    rows = x.size // max(1, channels)
    check_count("numbers of x a channel", rows)
    dw, db = runtime.empty(channels, x.dtype), runtime.empty(channels, x.dtype)
    x, dy = (xp.ascontiguousarray(xp.moveaxis(array, 1, -1)) for array in (x, dy))
    m, v, w = (_contiguous(array, xp) for array in (m, v, w))
    dx = runtime.empty(x.shape, x.dtype)
    if x.size:
        parts, per_part, grid = _parts(rows, channels, runtime)
        module.get_function("gradients_of_columns")(grid, LANES_AND_ROWS, (dy, x, m, parts, rows, channels, per_part))
        statistics = runtime.empty((3, channels), "float64")
        module.get_function("join_gradients")(
            *lane_each(channels, parts.shape[1]),
            (parts, v, statistics, dw, db, rows, channels, parts.shape[1], eps),
        )  # fmt: skip
        module.get_function("normalize_gradient")(
            _grid(x.size, channels, runtime), (BLOCK,),
            (dy, x, m, statistics, w, dx, x.size, channels),
        )  # fmt: skip
    return xp.moveaxis(dx, -1, 1), dw, db


def row_forward(x, w, b, eps):
    runtime = current_runtime()
    rows, columns = x.shape
    grid = grid_of_rows(rows, columns)
    y, (m, v) = runtime.empty(x.shape, x.dtype), (runtime.empty(rows, x.dtype) for _ in range(2))
    if columns == 0:  # the mean of nothing
        m[...] = v[...] = float("nan")
    elif rows:
        x, w, b = (_contiguous(array, runtime.xp) for array in (x, w, b))
        kernel = _load_rows(x).get_function("row_forward")
        kernel(*grid, (x, w, b, y, m, v, rows, columns, eps))
    return y, m, v


def row_backward(dy, x, m, v, w, eps):
    runtime = current_runtime()
    rows, columns = x.shape
    grid = grid_of_rows(rows, columns)
    dx, (dw, db) = runtime.empty(x.shape, x.dtype), (runtime.xp.zeros(columns, x.dtype) for _ in range(2))
    if x.size:
        dy, x, m, v, w = (_contiguous(array, runtime.xp) for array in (dy, x, m, v, w))
        module = _load_rows(x)
        r = runtime.empty(rows, x.dtype)
        module.get_function("row_input_grad")(*grid, (dy, x, m, v, w, dx, r, rows, columns, eps))
        parts, per_part, grid = _parts(rows, columns, runtime)
        module.get_function("column_gradients")(grid, LANES_AND_ROWS, (dy, x, m, r, parts, rows, columns, per_part))
        module.get_function("join_column_gradients")(
            *lane_each(columns, parts.shape[1]), (parts, dw, db, columns, parts.shape[1])
        )  # fmt: skip
    return dx, dw, db


def group_forward(x, groups, w, b, eps):
    z, m, v = row_forward(_rows_of_groups(x, groups), None, None, eps)
    return channel_scale(z.reshape(x.shape), None, w, b), m.reshape(-1, groups), v.reshape(-1, groups)


def group_backward(dy, x, m, v, w, eps):
    rows = _rows_of_groups(x, m.shape[1])
    g = _rows_of_groups(channel_scale(dy, None, w, None), m.shape[1])
    dx = row_backward(g, rows, m.ravel(), v.ravel(), None, eps)[0].reshape(x.shape)
    z = row_forward(rows, None, None, eps)[0].reshape(x.shape)
    return dx, channel_sums.forward(dy, z), channel_sums.forward(dy, None)


def _rows_of_groups(x, groups):
    """x (N, C, ...) as (N * groups, the numbers of a group)."""
    return x.reshape(x.shape[0] * groups, math.prod(x.shape[1:]) // groups)


def _load_rows(x):
    return load(ROWS_SOURCE, x.dtype, WARPS_A_ROW=warps_a_row(x.shape[1]))


def _parts(rows, channels, runtime):
    """Cut the rows into stretches so that the GPU is full: room for their sums, the length of one, and the grid."""
    columns_of_blocks = -(-channels // LANES)
    wanted = -(-BLOCKS_A_MULTIPROCESSOR * runtime.multiprocessors // columns_of_blocks)
    per_part = whole_turns(-(-rows // max(1, min(wanted, rows // LEAST_PER_PART))), THREAD_ROWS)
    part_count = -(-rows // per_part)
    return runtime.empty((2, part_count, channels), "float64"), per_part, (columns_of_blocks, part_count)


def _grid(size, channels, runtime):
    """As many blocks as the GPU holds at once, or fewer, in which the threads are a multiple of the channels."""
    multiple = channels // math.gcd(channels, BLOCK)
    wanted = min(-(-size // BLOCK), FULL_OF_BLOCKS * runtime.multiprocessors)
    return (-(-wanted // multiple) * multiple,)


def _contiguous(array, xp):
    return None if array is None else xp.ascontiguousarray(array)
