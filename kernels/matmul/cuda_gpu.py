"""Matrix product in CUDA: the host side of the ladder in `cuda_gpu.cu`, and of its last step in `cuda_gpu_tf32.cu`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.counts import MAX_GRID, check_count
from ..cuda.gemm_tile import BLOCK_K, Tile, choose_splits, choose_tile
from ..cuda.thread_rows import lane_each

__all__ = ["DTYPES", "STEPS", "TF32", "forward", "linear", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
TF32_SOURCE = SOURCE.with_name("cuda_gpu_tf32.cu")
STEPS = ("naive", "tiled", "registers", "async")  # the ladder, slowest first
TF32 = "tf32"  # one more step, faster but with 10 bits of mantissa: only by name
TF32_TILE, TF32_BLOCK_K = Tile(128, 128, 8, 16), 16  # as in its source

# step: (rows and columns of c for one block, threads of a block)
_BLOCKS = {"naive": ((8, 32), (32, 8)), "tiled": ((32, 32), (32, 32)), "registers": ((64, 64), (64,))}


def forward(a: Any, b: Any, step: str = "async") -> Any:
    """a (..., m, k) @ b (..., k, n), by one step of the ladder."""
    _check_step(step, (*STEPS, TF32), a)
    runtime = current_runtime()
    xp = runtime.xp
    m, k, n = *a.shape[-2:], b.shape[-1]
    batch_shape = _broadcast(a.shape[:-2], b.shape[:-2])
    batches = math.prod(batch_shape)
    if 0 in (m, n, k, batches):
        return xp.zeros((*batch_shape, m, n), a.dtype)
    a, a_transposed, a_stride = _operand(a, batch_shape, xp)
    b, b_transposed, b_stride = _operand(b, batch_shape, xp)
    rows = m
    if batches > 1 and b_stride == 0 and a_stride and not a_transposed:
        rows, batches = m * batches, 1  # stack the matrices of a
    result = runtime.empty((*batch_shape, m, n), a.dtype)  # owns its memory: a view would be copied as a gradient
    c = result.reshape(batches, rows, n)
    for first in range(0, batches, MAX_GRID):
        here = slice(first, first + MAX_GRID)
        part_a, part_b = a[here] if a_stride else a, b[here] if b_stride else b
        operands = (part_a, part_b, c[here], k, a_transposed, b_transposed, a_stride, b_stride)
        if step in _BLOCKS:
            _launch(step, *operands)
        else:
            _launch_async(runtime, step, *operands)
    return result


def linear(x: Any, w: Any, b: Any, relu: bool, step: str = "async") -> Any:
    """x (N, C) @ w^T (C, K), with bias and ReLU applied to the sums as they are stored, by step "async" or "tf32"."""
    _check_step(step, (STEPS[-1], TF32), x)
    runtime = current_runtime()
    xp = runtime.xp
    rows, columns, k = *x.shape, w.shape[0]
    y = runtime.empty((rows, k), x.dtype)
    if y.size:
        bias = None if b is None else xp.ascontiguousarray(b)
        x, x_transposed, _ = _operand(x, (), xp)
        w, w_transposed, _ = _operand(w, (), xp)
        operands = (x, w, y.reshape(1, rows, k), columns, x_transposed, not w_transposed, 0, 0)
        _launch_async(runtime, step, *operands, bias, relu)
    return y


def _check_step(step, steps, x):
    if step not in steps:
        raise ValueError(f"step must be one of {', '.join(steps)}, got {step!r}")
    if step == TF32 and x.dtype != "float32":
        raise ValueError(f"step {TF32!r} takes float32 arrays, got {x.dtype.name}")


def _launch(step, a, b, c, k, a_transposed, b_transposed, a_stride, b_stride):
    (batches, m, n), ((tile_m, tile_n), block) = c.shape, _BLOCKS[step]
    a_strides = (1, m) if a_transposed else (k, 1)
    b_strides = (1, k) if b_transposed else (n, 1)
    kernel = load(SOURCE, a.dtype).get_function(f"matmul_{step}")
    grid = _checked((-(-m // tile_m), -(-n // tile_n), batches), m, n, k)
    kernel(grid, block, (a, b, c, m, n, k, *a_strides, *b_strides, a_stride, b_stride))


def _launch_async(runtime, step, a, b, c, k, a_transposed, b_transposed, a_stride, b_stride, bias=None, relu=False):
    batches, m, n = c.shape
    along_l = {"A_ALONG_L": int(not a_transposed), "B_ALONG_L": int(b_transposed)}
    if step == TF32:
        tile, block_k, module = TF32_TILE, TF32_BLOCK_K, load(TF32_SOURCE, a.dtype, **along_l)
    else:
        tile, block_k = choose_tile(m, n, batches, c.dtype, runtime.multiprocessors), BLOCK_K
        module = load(SOURCE, a.dtype, **tile._asdict(), **along_l)
    grid = _checked(tile.grid(m, n, batches), m, n, k)
    splits, l_per_split = choose_splits(
        math.prod(grid), k, runtime.multiprocessors, MAX_GRID // batches, block_k=block_k
    )
    parts = c if splits == 1 else runtime.empty((splits, *c.shape), c.dtype)
    own_bias, own_relu = (bias, int(relu)) if splits == 1 else (None, 0)  # else add_parts applies them to the whole sum
    module.get_function(f"matmul_{step}")(
        (*grid[:2], batches * splits),
        (tile.threads,),
        (a, b, own_bias, parts, own_relu, m, n, k, splits, l_per_split, a_stride, b_stride),
    )
    if splits > 1:
        module.get_function("add_parts")(*lane_each(c.size, splits), (parts, bias, c, int(relu), c.size, n, splits))


def _checked(grid, m, n, k):
    check_count("rows of a", m)
    check_count("columns of a", k)
    if grid[1] > MAX_GRID:
        raise ValueError(f"b has {n} columns, more than {MAX_GRID} tiles of this step cover; cut b")
    return grid


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    longest = max(len(a), len(b))
    a, b = (1,) * (longest - len(a)) + a, (1,) * (longest - len(b)) + b
    return tuple(q if p == 1 else p for p, q in zip(a, b, strict=True))


def _operand(x, batch_shape, xp):
    """Return `x` as C-contiguous (batches, ., .) matrices, whether they are transposed, and the stride of a batch."""
    rows, columns = x.shape[-2:]
    if math.prod(x.shape[:-2]) == 1:
        x, stride = x.reshape(1, rows, columns), 0
    else:
        if x.shape[:-2] != batch_shape:
            x = xp.broadcast_to(x, (*batch_shape, rows, columns))
        stride = rows * columns
    turned = x.swapaxes(-1, -2)
    transposed = turned.flags.c_contiguous and not x.flags.c_contiguous
    x = turned if transposed else xp.ascontiguousarray(x)
    return x.reshape(-1 if stride else 1, *x.shape[-2:]), transposed, stride
