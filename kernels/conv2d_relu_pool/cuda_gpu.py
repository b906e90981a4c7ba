"""Convolution, ReLU and pooling in CUDA: the kernels of conv2d, and `cuda_gpu.cu` for ReLU and pooling in one pass."""

from __future__ import annotations

from pathlib import Path

from ..channel_sums import cuda_gpu as channel_sums
from ..conv2d import cuda_gpu as conv2d
from ..conv2d import output_size
from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import batches
from ..memory_order.cuda_gpu import nhwc
from . import pooled_size

__all__ = ["DTYPES", "backward", "forward", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK = 256


def forward(x, w, b, pool_size, *geometry):
    runtime = current_runtime()
    z = conv2d.forward(x, w, b, *geometry)
    size, out_size = z.shape[2:], pooled_size(z.shape[2:], pool_size)
    shape = (z.shape[0], *out_size, z.shape[1])
    y, taps = runtime.empty(shape, z.dtype), runtime.empty(shape, "uint8")
    _launch("relu_pool_forward", y, (nhwc(z), y, taps), (*size, *out_size, *pool_size))
    return y.transpose(0, 3, 1, 2), taps.transpose(0, 3, 1, 2)


def backward(dy, taps, x, w, pool_size, needs_dx, *geometry):
    stride, padding, dilation, _ = geometry
    size = output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    runtime = current_runtime()
    dz = runtime.empty((dy.shape[0], *size, dy.shape[1]), dy.dtype)
    taps = runtime.xp.ascontiguousarray(taps.transpose(0, 2, 3, 1))
    _launch("relu_pool_backward", dz, (nhwc(dy), taps, dz), (*size, *dy.shape[2:], *pool_size))
    dz = dz.transpose(0, 3, 1, 2)
    dx = conv2d.input_grad(dz, w, x.shape[2:], *geometry) if needs_dx else None
    return dx, conv2d.weight_grad(x, dz, w.shape[2:], *geometry), channel_sums.forward(dz, None)


def _launch(name, result, images, geometry):
    """One thread per element of `result`, in batches whose elements can be counted in 32 bits."""
    kernel = load(SOURCE, result.dtype).get_function(name)
    for part, *images_of_part in batches(result, *images):
        kernel((-(-part.size // BLOCK),), (BLOCK,), (*images_of_part, part.size, part.shape[3], *geometry))
