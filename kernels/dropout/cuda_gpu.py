"""Dropout in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

from pathlib import Path

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import batches

__all__ = ["DTYPES", "forward", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK, NUMBERS_A_THREAD = 256, 4


def forward(x, p, key):
    runtime, module = current_runtime(), load(SOURCE, x.dtype)
    random = (int(p * 2**32), 1 / (1 - p), key & 0xFFFFFFFF, key >> 32)
    nhwc = x.transpose(0, 2, 3, 1) if x.ndim == 4 and not x.flags.c_contiguous else None
    if nhwc is not None and nhwc.flags.c_contiguous:
        y = runtime.empty(nhwc.shape, x.dtype)
        kernel, (_, channels, height, width) = module.get_function("dropout_channels_last"), x.shape
        first = 0
        for part, x_part in batches(y, nhwc):
            grid = (-(-part.size // BLOCK),)
            kernel(grid, (BLOCK,), (x_part, part, part.size, first, channels, height * width, *random))
            first += part.size
        return y.transpose(0, 3, 1, 2)
    y = runtime.empty(x.shape, x.dtype)
    kernel, grid = module.get_function("dropout_in_order"), (-(-x.size // (BLOCK * NUMBERS_A_THREAD)),)
    kernel(grid, (BLOCK,), (runtime.xp.ascontiguousarray(x), y, x.size, *random))
    return y
