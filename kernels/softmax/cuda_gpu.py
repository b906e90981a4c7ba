"""Softmax in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

from pathlib import Path

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.rows import grid_of_rows, warps_a_row

__all__ = ["DTYPES", "forward", "input_grad", "log_forward", "log_input_grad", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")


def forward(x):
    return _launch("softmax_forward", 0, x)


def log_forward(x):
    return _launch("softmax_forward", 1, x)


def input_grad(dy, y):
    return _launch("softmax_input_grad", 0, dy, y)


def log_input_grad(dy, y):
    return _launch("softmax_input_grad", 1, dy, y)


def _launch(name, logarithm, *inputs):
    runtime, first = current_runtime(), inputs[0]
    columns = first.shape[-1]
    rows = first.size // columns
    result = runtime.empty(first.shape, first.dtype)
    kernel = load(SOURCE, first.dtype, WARPS_A_ROW=warps_a_row(columns)).get_function(name)
    arrays = [runtime.xp.ascontiguousarray(x) for x in inputs]
    kernel(*grid_of_rows(rows, columns), (*arrays, result, rows, columns, logarithm))
    return result
