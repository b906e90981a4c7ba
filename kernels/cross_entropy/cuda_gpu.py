"""Cross-entropy in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

from pathlib import Path

from ..channel_sums import cuda_gpu as channel_sums
from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.rows import grid_of_rows, warps_a_row

__all__ = ["DTYPES", "backward", "forward", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")


def forward(x, target, weight, ignore_index):
    runtime, rows, columns = current_runtime(), target.size, x.shape[1]
    module = load(SOURCE, x.dtype, WARPS_A_ROW=warps_a_row(columns))
    losses, kept_weights = runtime.empty(rows, x.dtype), runtime.empty(rows, x.dtype)
    x, target, weight = _arrays(runtime.xp, x, target, weight)
    arguments = (x, target, weight, losses, kept_weights, rows, columns, ignore_index)
    module.get_function("cross_entropy_forward")(*grid_of_rows(rows, columns), arguments)
    total = channel_sums.forward(kept_weights.reshape(rows, 1), None)
    return losses.reshape(target.shape), total.reshape(())


def backward(dlosses, x, target, weight, ignore_index):
    runtime, rows, columns = current_runtime(), target.size, x.shape[1]
    module = load(SOURCE, x.dtype, WARPS_A_ROW=warps_a_row(columns))
    x, target, weight = _arrays(runtime.xp, x, target, weight)
    dx = runtime.empty(x.shape, x.dtype)
    dlosses, stride = runtime.xp.ascontiguousarray(dlosses), int(dlosses.ndim > 0)
    arguments = (dlosses, x, target, weight, dx, rows, columns, ignore_index, stride)
    module.get_function("cross_entropy_backward")(*grid_of_rows(rows, columns), arguments)
    return dx if dx.ndim == 2 else runtime.xp.moveaxis(dx, -1, 1)


def _arrays(xp, x, target, weight):
    """x with its classes last in memory (N, ..., C), the target and the weights, contiguous."""
    weight = None if weight is None else xp.ascontiguousarray(weight)
    x = x if x.ndim == 2 else xp.moveaxis(x, 1, -1)
    return xp.ascontiguousarray(x), xp.ascontiguousarray(target, dtype="int64"), weight
