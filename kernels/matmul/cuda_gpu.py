"""Matrix product in CUDA: the host side of the ladder in `cuda_gpu.cu`, and of its last step in `cuda_gpu_tf32.cu`."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any, NamedTuple

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
    m, k, n = *a.shape[-2:], b.shape[-1]
    batch_shape = _broadcast(a.shape[:-2], b.shape[:-2])
    batches = math.prod(batch_shape)
    if 0 in (m, n, k, batches):
        return runtime.xp.zeros((*batch_shape, m, n), a.dtype)
    a, b = _operand(a, batch_shape, runtime), _operand(b, batch_shape, runtime)
    rows = m
    if batches > 1 and b.stride == 0 and a.stride and not a.transposed:
        rows, batches = m * batches, 1  # stack the matrices of a
    c = runtime.empty((*batch_shape, m, n), a.array.dtype)
    if batches <= MAX_GRID:
        _launch(runtime, step, a, b, c, (batches, rows, k, n))
    else:
        c_parts = c.reshape(batches, m, n)
        for first in range(0, batches, MAX_GRID):
            part = c_parts[first : first + MAX_GRID]
            _launch(runtime, step, a.part(first), b.part(first), part, (len(part), m, k, n))
    return c


def linear(x: Any, w: Any, b: Any, relu: bool, step: str = "async") -> Any:
    """x (N, C) @ w^T (C, K), with bias and ReLU applied to the sums as they are stored, by step "async" or "tf32"."""
    _check_step(step, (STEPS[-1], TF32), x)
    runtime = current_runtime()
    y = runtime.empty((len(x), len(w)), x.dtype)
    if y.size:
        bias = None if b is None else runtime.xp.ascontiguousarray(b)
        size = (1, *x.shape, len(w))
        x, w = _operand(x, (), runtime), _operand(w, (), runtime)
        w = w._replace(transposed=not w.transposed)
        _launch_async(runtime, step, x, w, y, size, bias, relu)
    return y


class _Operand(NamedTuple):
    """A matrix or several, C-contiguous as they are or each transposed."""

    array: Any
    transposed: bool
    stride: int  # numbers from one matrix to the next; 0 where there is only one

    def part(self, first: int) -> _Operand:
        """MAX_GRID of them from number `first` on."""
        if self.stride == 0:
            return self
        return self._replace(array=self.array.reshape(-1, *self.array.shape[-2:])[first : first + MAX_GRID])


def _check_step(step, steps, x):
    if step not in steps:
        raise ValueError(f"step must be one of {', '.join(steps)}, got {step!r}")
    if step == TF32 and x.dtype != "float32":
        raise ValueError(f"step {TF32!r} takes float32 arrays, got {x.dtype.name}")


def _launch(runtime, step, a, b, c, size):
    """c = a @ b for size = (batches, m, k, n)."""
    if step not in _BLOCKS:
        return _launch_async(runtime, step, a, b, c, size)
    (batches, m, k, n), ((tile_m, tile_n), block) = size, _BLOCKS[step]
    a_strides = (1, m) if a.transposed else (k, 1)
    b_strides = (1, k) if b.transposed else (n, 1)
    kernel = load(SOURCE, c.dtype).get_function(f"matmul_{step}")
    grid = _checked((-(-m // tile_m), -(-n // tile_n), batches), m, n, k)
    kernel(grid, block, (a.array, b.array, c, m, n, k, *a_strides, *b_strides, a.stride, b.stride))


def _launch_async(runtime, step, a, b, c, size, bias=None, relu=False):
    batches, m, k, n = size
    plan = _plan(step, c.dtype, size, a.transposed, b.transposed, runtime.multiprocessors)
    kernel, grid, block, splits, l_per_split = plan
    parts = c if splits == 1 else runtime.empty((splits, *c.shape), c.dtype)
    own_bias, own_relu = (bias, int(relu)) if splits == 1 else (None, 0)  # else add_parts applies them to the whole sum
    numbers = (own_relu, m, n, k, splits, l_per_split, a.stride, b.stride)
    kernel(grid, block, (a.array, b.array, own_bias, parts, *numbers))
    if splits > 1:
        add_parts = kernel.module.get_function("add_parts")
        add_parts(*lane_each(c.size, splits), (parts, bias, c, int(relu), c.size, n, splits))


@functools.lru_cache(1024)  # a network asks for the same products at every step
def _plan(step, dtype, size, a_transposed, b_transposed, multiprocessors):
    """The kernel, its grid and block, the number of splits and the length of one."""
    batches, m, k, n = size
    along_l = {"A_ALONG_L": int(not a_transposed), "B_ALONG_L": int(b_transposed)}
    if step == TF32:
        tile, block_k, module = TF32_TILE, TF32_BLOCK_K, load(TF32_SOURCE, dtype, **along_l)
    else:
        tile, block_k = choose_tile(m, n, batches, dtype, multiprocessors), BLOCK_K
        module = load(SOURCE, dtype, **tile._asdict(), **along_l)
    grid = _checked(tile.grid(m, n, batches), m, n, k)
    splits, l_per_split = choose_splits(math.prod(grid), k, multiprocessors, MAX_GRID // batches, block_k=block_k)
    kernel = module.get_function(f"matmul_{step}")
    return kernel, (*grid[:2], batches * splits), (tile.threads,), splits, l_per_split


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


def _operand(x, batch_shape, runtime):
    """The matrices (..., rows, columns) as an operand; a transposed view costs no copy."""
    size = math.prod(x.shape[-2:])
    stride = 0 if x.size == size else size
    if stride and x.shape[:-2] != batch_shape:
        x = runtime.xp.broadcast_to(x, (*batch_shape, *x.shape[-2:]))
    if x.flags.c_contiguous:
        return _Operand(x, False, stride)
    turned = x.swapaxes(-1, -2)
    if turned.flags.c_contiguous:
        return _Operand(turned, True, stride)
    return _Operand(runtime.xp.ascontiguousarray(x), False, stride)
