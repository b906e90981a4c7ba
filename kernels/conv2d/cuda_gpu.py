"""Convolution in CUDA: the host side of `cuda_gpu.cu`, and of `cuda_gpu_depthwise.cu` for groups of one channel.

Images are channels last in memory, inputs and results. The weights, which are small in comparison, are packed at every
call into the order in which the kernel reads them.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import MAX_GRID, batches, check_count
from ..cuda.gemm_tile import choose_splits, choose_tile
from ..cuda.thread_rows import LANES, LANES_AND_ROWS, THREAD_ROWS, lane_each
from ..memory_order.cuda_gpu import nhwc
from . import output_size

__all__ = ["DTYPES", "forward", "input_grad", "unavailable", "weight_grad"]

SOURCE = Path(__file__).with_suffix(".cu")
DEPTHWISE_SOURCE = SOURCE.with_name("cuda_gpu_depthwise.cu")
MAX_MULTIPLIER = 4  # groups with so few output channels would fill too little of a tile: they are done as depthwise
BLOCK = LANES * THREAD_ROWS
MAX_TAPS = 8  # taps of a kernel row for one thread: each takes registers
PIECE = 64  # pixels of a row that a thread sums in the dtype of x; the pieces are added in double precision
BLOCKS_A_MULTIPROCESSOR = 4
LEAST_PER_PART = 4 * THREAD_ROWS  # pieces, below which another block does not pay


def forward(x, w, b, stride, padding, dilation, groups):
    runtime = current_runtime()
    layer = (x.shape, w_shape := w.shape, stride, padding, dilation, groups)
    images, k, *out_size = _shape_of_y(*layer)
    y = runtime.empty((images, *out_size, k), x.dtype)
    if y.size and not w.size:
        y[...] = 0 if b is None else b
    elif y.size:
        bias = None if b is None else runtime.xp.ascontiguousarray(b)
        if _is_depthwise(w_shape, groups):
            _depthwise("depthwise_forward", nhwc(x), (_by_taps(w, runtime.xp), bias), y, _depthwise_geometry(*layer))
        else:
            kernel, grid, block, numbers = _forward_plan(*layer, x.dtype, runtime.multiprocessors)
            packed = _packed(kernel.module, w, groups, channels_last=False)  # (groups, R, S, C, K)
            kernel(grid, block, (nhwc(x), packed, bias, y, *numbers))
    return y.transpose(0, 3, 1, 2)


@functools.lru_cache(1024)  # a network asks for the same layers at every step
def _forward_plan(x_shape, w_shape, stride, padding, dilation, groups, dtype, multiprocessors):
    """The kernel, its grid and block, and the numbers that it takes after the arrays."""
    (images, _, *size), (out_channels, channels, *kernel_size) = x_shape, w_shape
    out_size = output_size(size, kernel_size, stride, padding, dilation)
    k, pixels = out_channels // groups, images * math.prod(out_size)
    tile = choose_tile(pixels, k, groups, dtype, multiprocessors)
    kernel = load(SOURCE, dtype, **tile._asdict()).get_function("conv2d_forward")
    geometry = (images, groups, channels, *size, k, *out_size, *kernel_size, *stride, *padding, *dilation)
    multipliers = map(multiplier, (channels, kernel_size[1], *out_size))
    return kernel, _grid(tile, pixels, k, groups), (tile.threads,), (*geometry, *multipliers)


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    runtime = current_runtime()
    images, channels, w_shape = len(dy), w.shape[1] * groups, w.shape
    layer = ((images, channels, *input_size), w_shape, stride, padding, dilation, groups)
    _shape_of_y(*layer)  # checks sizes
    dx = runtime.empty((images, *input_size, channels), dy.dtype)
    if dx.size and not (dy.size and w.size):
        dx[...] = 0
    elif dx.size:
        if _is_depthwise(w_shape, groups):
            weights = (_by_taps(w, runtime.xp),)
            _depthwise("depthwise_input_grad", nhwc(dy), weights, dx, _depthwise_geometry(*layer))
        else:
            kernel, grid, block, numbers = _input_grad_plan(*layer, dy.dtype, runtime.multiprocessors)
            packed = _packed(kernel.module, w, groups, channels_last=True)  # (groups, R, S, K, C)
            kernel(grid, block, (nhwc(dy), packed, dx, *numbers))
    return dx.transpose(0, 3, 1, 2)


@functools.lru_cache(1024)
def _input_grad_plan(x_shape, w_shape, stride, padding, dilation, groups, dtype, multiprocessors):
    """As `_forward_plan`."""
    (images, _, *size), (out_channels, channels, *kernel_size) = x_shape, w_shape
    out_size = output_size(size, kernel_size, stride, padding, dilation)
    k, pixels = out_channels // groups, images * math.prod(size)
    tile = choose_tile(pixels, channels, groups, dtype, multiprocessors)
    strides, name = ((), "conv2d_input_grad_stride_1") if stride == (1, 1) else (stride, "conv2d_input_grad")
    kernel = load(SOURCE, dtype, **tile._asdict()).get_function(name)
    geometry = (images, groups, channels, *size, k, *out_size, *kernel_size, *strides, *padding, *dilation)
    multipliers = map(multiplier, (k, kernel_size[1], *size, *strides))
    return kernel, _grid(tile, pixels, channels, groups), (tile.threads,), (*geometry, *multipliers)


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    runtime = current_runtime()
    w_shape = (dy.shape[1], x.shape[1] // groups, *kernel_size)
    layer = (x.shape, w_shape, stride, padding, dilation, groups)
    _shape_of_y(*layer)  # checks sizes
    dw = runtime.empty(w_shape, x.dtype)
    if dw.size and not (x.size and dy.size):
        dw[...] = 0
    elif dw.size:
        if _is_depthwise(w_shape, groups):
            _depthwise_weight_grad(nhwc(x), nhwc(dy), dw, _depthwise_geometry(*layer))
            return dw
        kernel, grid, block, numbers, (splits, *counts) = _weight_grad_plan(*layer, x.dtype, runtime.multiprocessors)
        parts = runtime.empty((splits, dw.size), x.dtype)  # of (groups, R, S, C, K)
        kernel(grid, block, (nhwc(x), nhwc(dy), parts, *numbers))
        add = kernel.module.get_function("add_weight_parts")
        add(*lane_each(dw.size, splits), (parts, dw, *counts, splits))
    return dw


@functools.lru_cache(1024)
def _weight_grad_plan(x_shape, w_shape, stride, padding, dilation, groups, dtype, multiprocessors):
    """As `_forward_plan`; and how many splits there are, and what add_weight_parts is to know of a part."""
    (images, _, *size), (out_channels, channels, *kernel_size) = x_shape, w_shape
    out_size = output_size(size, kernel_size, stride, padding, dilation)
    k, pixels, taps = out_channels // groups, images * math.prod(out_size), math.prod(kernel_size)
    tile = choose_tile(taps * channels, k, groups, dtype, 1)  # 1: the splits below give every multiprocessor work
    grid = _grid(tile, taps * channels, k, groups)
    splits, pixels_per_split = choose_splits(math.prod(grid), pixels, multiprocessors, MAX_GRID // groups)
    kernel = load(SOURCE, dtype, **tile._asdict()).get_function("conv2d_weight_grad")
    geometry = (images, groups, channels, *size, k, *out_size, *kernel_size, *stride, *padding, *dilation)
    numbers = (*geometry, *map(multiplier, (channels, kernel_size[1], *out_size)), splits, pixels_per_split)
    return kernel, (*grid[:2], groups * splits), (tile.threads,), numbers, (splits, groups, k, channels, taps)


def _packed(module, w, groups, channels_last):
    """w (groups*K, C, R, S) in the order in which the kernel reads it."""
    runtime, (out_channels, channels, *kernel_size) = current_runtime(), w.shape
    packed, counts = runtime.empty(w.size, w.dtype), (groups, out_channels // groups, channels, math.prod(kernel_size))
    grid = (-(-w.size // BLOCK),)
    kernel = module.get_function("pack_weights")
    kernel(grid, (BLOCK,), (runtime.xp.ascontiguousarray(w), packed, *counts, int(channels_last)))
    return packed


def multiplier(divisor):
    """The factor by which `Divisor` in cuda_gpu.cu multiplies instead of dividing."""
    shift = (divisor - 1).bit_length()
    return 2 ** (31 + shift) // divisor + 1


def _is_depthwise(w_shape, groups):
    return w_shape[1] == 1 and groups > 1 and w_shape[0] // groups <= MAX_MULTIPLIER


def _depthwise_geometry(x_shape, w_shape, stride, padding, dilation, groups):
    size, kernel_size = x_shape[2:], w_shape[2:]
    out_size = output_size(size, kernel_size, stride, padding, dilation)
    return groups, *size, w_shape[0] // groups, *out_size, *kernel_size, *stride, *padding, *dilation


def _by_taps(w, xp):
    """(groups*K, 1, R, S) -> (R, S, groups*K)"""
    return xp.ascontiguousarray(w[:, 0].transpose(1, 2, 0))


def _depthwise(name, images, weights, result, geometry):
    kernel = load(DEPTHWISE_SOURCE, result.dtype, TAPS=_taps_a_thread(weights[0].shape[1])).get_function(name)
    for part, x in batches(result, images):
        kernel((-(-part.size // BLOCK),), (BLOCK,), (x, *weights, part, part.size, *geometry))


def _depthwise_weight_grad(x, dy, dw, geometry):
    runtime, (images, out_height, out_width, out_channels) = current_runtime(), dy.shape
    kernel_height, kernel_width = dw.shape[2:]
    pieces_a_row, taps_a_thread = -(-out_width // PIECE), _taps_a_thread(kernel_width)
    pieces, piece_width = images * out_height * pieces_a_row, -(-out_width // pieces_a_row)
    blocks = -(-out_channels // LANES) * kernel_height * -(-kernel_width // taps_a_thread)
    wanted = -(-BLOCKS_A_MULTIPROCESSOR * runtime.multiprocessors // blocks)
    per_part = -(-pieces // max(1, min(wanted, pieces // LEAST_PER_PART)))
    parts = runtime.empty((-(-pieces // per_part), kernel_height, kernel_width, out_channels), "float64")
    module = load(DEPTHWISE_SOURCE, dw.dtype, TAPS=taps_a_thread)
    module.get_function("depthwise_weight_grad")(
        (blocks, len(parts)), LANES_AND_ROWS, (x, dy, parts, pieces, per_part, pieces_a_row, piece_width, *geometry)
    )
    module.get_function("depthwise_add_weight_parts")(
        *lane_each(dw.size, len(parts)), (parts, dw, kernel_height * kernel_width, out_channels, len(parts))
    )


def _taps_a_thread(kernel_width):
    return -(-kernel_width // -(-kernel_width // MAX_TAPS))


def _grid(tile, rows, channels, groups):
    grid = tile.grid(rows, channels, groups)
    if grid[1] > MAX_GRID or groups > MAX_GRID:
        raise ValueError(
            f"the CUDA convolution takes at most {MAX_GRID} groups of {MAX_GRID * tile.BLOCK_N} channels, "
            f"got {groups} groups of {channels}"
        )
    return grid


@functools.lru_cache(1024)
def _shape_of_y(x_shape, w_shape, stride, padding, dilation, groups):
    """Raise where the kernel's 32-bit counts overflow: weights, pixels of a batch, numbers of an image or a window."""
    y_shape = (x_shape[0], w_shape[0], *output_size(x_shape[2:], w_shape[2:], stride, padding, dilation))
    spans = [dilation[axis] * (w_shape[2 + axis] - 1) + 1 for axis in (0, 1)]
    check_count(f"weights, {w_shape}", math.prod(w_shape))
    for shape in (x_shape, y_shape):
        n, channels, height, width = shape
        check_count(f"pixels of all images, {shape}: split the batch", n * height * width)
        check_count(f"numbers an image, {shape}", max(height, spans[0]) * max(width, spans[1]) * channels)
    return y_shape
