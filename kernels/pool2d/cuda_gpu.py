"""Pooling in CUDA: the host side of `cuda_gpu.cu`. Images are channels last in memory, inputs and results."""

from __future__ import annotations

from pathlib import Path

from .. import arrays
from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import batches
from ..memory_order.cuda_gpu import nhwc
from . import output_size, taps_dtype

__all__ = ["DTYPES", "avg_forward", "avg_input_grad", "max_forward", "max_gather", "max_scatter", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK, VECTOR_BYTES = 256, 16


def max_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    size, out_size = x.shape[2:], output_size(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    y, taps = _empty(x, out_size, x.dtype), _empty(x, out_size, taps_dtype(kernel_size))
    geometry = (*size, *out_size, *kernel_size, *stride, *padding, *dilation)
    x = nhwc(x)
    _launch("max_forward", y, (x, y, taps), geometry, taps.dtype, _channels_a_thread(x))
    return _nchw(y), _nchw(taps)


def max_scatter(dy, taps, input_size, kernel_size, stride, padding, dilation):
    dx = _empty(dy, input_size, dy.dtype)
    geometry = (*input_size, *dy.shape[2:], *kernel_size, *stride, *padding, *dilation)
    _launch("max_scatter", dx, (nhwc(dy), _taps_nhwc(taps), dx), geometry, taps.dtype)
    return _nchw(dx)


def max_gather(x, taps, kernel_size, stride, padding, dilation):
    y = _empty(x, taps.shape[2:], x.dtype)
    geometry = (*x.shape[2:], *taps.shape[2:], kernel_size[1], *stride, *padding, *dilation)
    _launch("max_gather", y, (nhwc(x), _taps_nhwc(taps), y), geometry, taps.dtype)
    return _nchw(y)


def avg_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    size, out_size = x.shape[2:], output_size(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    y = _empty(x, out_size, x.dtype)
    geometry = (*size, *out_size, *kernel_size, *stride, *padding, int(count_include_pad))
    _launch("avg_forward", y, (nhwc(x), y), geometry)
    return _nchw(y)


def avg_input_grad(dy, input_size, kernel_size, stride, padding, ceil_mode, count_include_pad):
    dx = _empty(dy, input_size, dy.dtype)
    geometry = (*input_size, *dy.shape[2:], *kernel_size, *stride, *padding, int(count_include_pad))
    _launch("avg_input_grad", dx, (nhwc(dy), dx), geometry)
    return _nchw(dx)


def _launch(name, result, images, geometry, tap_dtype="uint8", channels_a_thread=1):
    """Threads for all elements of `result`, in batches whose elements can be counted in 32 bits."""
    position = {"uint8": "unsigned char", "int32": "int"}[str(tap_dtype)]
    module = load(SOURCE, result.dtype, position=position, CHANNELS_A_THREAD=channels_a_thread)
    kernel = module.get_function(name)
    for part, *images_of_part in batches(result, *images):
        threads = part.size // channels_a_thread
        kernel((-(-threads // BLOCK),), (BLOCK,), (*images_of_part, part.size, part.shape[3], *geometry))


def _channels_a_thread(x):
    """How many channels of x (N, H, W, C) a thread can read at once: those of a vector, or one."""
    vector = VECTOR_BYTES // x.itemsize
    return vector if x.shape[3] % vector == 0 and current_runtime().address(x) % VECTOR_BYTES == 0 else 1


def _empty(like, size, dtype):
    """An array (N, H, W, C) for `size` = (H, W)."""
    return current_runtime().empty((like.shape[0], *size, like.shape[1]), dtype)


def _taps_nhwc(taps):
    return arrays.channels_last(taps).transpose(0, 2, 3, 1)


def _nchw(x):
    return x.transpose(0, 3, 1, 2)
