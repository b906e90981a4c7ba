"""Convolution, ReLU and pooling in CUDA: the kernels of conv2d, and `cuda_gpu.cu` for ReLU and pooling in one pass."""

from __future__ import annotations

from pathlib import Path

from .. import arrays, channel_sums, conv2d
from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import batches
from ..memory_order.cuda_gpu import nhwc
from . import pooled_size

__all__ = ["DTYPES", "backward", "forward", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK = 256


def forward(x, w, b, pool_size, stride, padding, dilation, groups):
    runtime = current_runtime()
    z = conv2d.forward(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)
    size, out_size = z.shape[2:], pooled_size(z.shape[2:], pool_size)
    shape = (z.shape[0], *out_size, z.shape[1])
    y, taps = runtime.empty(shape, z.dtype), runtime.empty(shape, "uint8")
    _launch("relu_pool_forward", y, (nhwc(z), y, taps), (*size, *out_size, *pool_size))
    return y.transpose(0, 3, 1, 2), taps.transpose(0, 3, 1, 2)


def backward(dy, taps, x, w, pool_size, needs_dx, stride, padding, dilation, groups):
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    size = conv2d.output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    dz = current_runtime().empty((dy.shape[0], *size, dy.shape[1]), dy.dtype)
    taps = arrays.channels_last(taps).transpose(0, 2, 3, 1)
    _launch("relu_pool_backward", dz, (nhwc(dy), taps, dz), (*size, *dy.shape[2:], *pool_size))
    dz = dz.transpose(0, 3, 1, 2)
    dx = conv2d.input_grad(dz, w, x.shape[2:], **geometry) if needs_dx else None
    return dx, conv2d.weight_grad(x, dz, w.shape[2:], **geometry), channel_sums.forward(dz)


def _launch(name, result, images, geometry):
    """One thread per element of `result`, in batches whose elements can be counted in 32 bits."""
    kernel = load(SOURCE, result.dtype).get_function(name)
    for here in batches(result):
        part = [array[here] for array in images]
        elements = result[here].size
        kernel((-(-elements // BLOCK),), (BLOCK,), (*part, elements, result.shape[3], *geometry))
