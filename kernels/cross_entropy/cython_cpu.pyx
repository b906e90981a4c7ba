# cython: language_level=3, boundscheck=False, cdivision=True
"""Cross-entropy on the CPU: a row of x is read from memory once, and intermediate results stay in the cache.

    loss[n]  = weight[t] * (log(s) - (x[n, t] - m))                m = max_k x[n, k],  s = sum_k e^(x[n, k] - m)
    dx[n, c] = dloss[n] * weight[t] * (e^(x[n, c] - m) / s - (1 where c = t, else 0))

From the outside:

    chunk   rows: the unit of work of a thread
      row   its maximum, its sum (in double), its result    -> cpu/vector_loops_rows.pxi

Pixels of images (N, C, H, W) are such rows where the channels lie last in memory. In C order, where they lie across it,

    block     pixels of an image, side by side in memory: the unit of work of a thread
      pixels  their maxima, their sums (in double), their results, many at a time    -> cpu/vector_loops_scores.pxi

Why it is fast: no array of log(p), of p or of masks is made; for a few rows of ten classes, which is what most networks
end with, everything costs about as much as one call of NumPy.
"""

import numpy as np

from libc.stdint cimport int64_t

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view, view_of
from . import check_target as _check_target

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384  # numbers of x that one chunk reads, about
    LEAST = 16

ctypedef struct rows_of_scores:
    const vector_loops.loop_table* loops
    size_t itemsize
    long rows, columns, chunk_rows
    long pixels, blocks  # where the channels lie across memory: of an image, and the blocks that they are cut into
    const char* dlosses
    const char* x
    const int64_t* target
    const char* weight
    int64_t ignore_index
    char* out


def forward(x, target, weight, ignore_index):
    losses = np.empty(target.shape, x.dtype)
    across = _lies_across(x)
    if not across and x.ndim > 2:
        x = np.moveaxis(x, 1, -1)
    return losses, _run(None, x, target, weight, ignore_index, losses, across)


def backward(dlosses, x, target, weight, ignore_index):
    across = _lies_across(x)
    if not across and x.ndim > 2:
        x = np.moveaxis(x, 1, -1)
    dx = buffers.empty(x.shape, x.dtype)
    _run(dlosses, x, target, weight, ignore_index, dx, across)
    return dx if across or x.ndim == 2 else np.moveaxis(dx, -1, 1)


def _lies_across(x):
    """Whether classes lie across memory, with enough pixels side by side for loops of their own."""
    return x.ndim > 2 and x.flags.c_contiguous and x.size >= LEAST * x.shape[0] * x.shape[1]


cdef _run(dlosses, x, target, weight, ignore_index, out, bint across):
    cdef view v_x, v_target, v_out, v_dlosses, v_weight
    cdef rows_of_scores r
    x, target = np.ascontiguousarray(x), np.ascontiguousarray(target, np.int64)
    x, target, out = view_of(x, &v_x), view_of(target, &v_target), view_of(out, &v_out)
    r.loops, r.itemsize, r.dlosses, r.weight = vector_loops.table(), v_x.itemsize, NULL, NULL
    r.rows, r.columns = target.size, v_x.shape[1 if across else v_x.ndim - 1]
    r.x, r.target, r.out, r.ignore_index = v_x.data, <const int64_t*>v_target.data, v_out.data, ignore_index
    if dlosses is not None:
        dlosses = np.ascontiguousarray(dlosses) if dlosses.ndim else np.full(target.shape, dlosses, dlosses.dtype)
        dlosses = view_of(dlosses, &v_dlosses)
        r.dlosses = v_dlosses.data
    if weight is not None:
        weight = view_of(np.ascontiguousarray(weight), &v_weight)
        r.weight = v_weight.data
    cdef double total = 0
    if not add_weights(&r, &total):
        _check_target(target, r.columns, ignore_index)
    cdef long images = v_x.shape[0]
    if across and r.rows:
        r.pixels = r.rows // images
        r.chunk_rows = max(1, CHUNK // 64 // r.columns) * 64
        r.blocks = ceil_div(r.pixels, r.chunk_rows)
        with nogil:
            pool.run(images * r.blocks, run_block, &r)
        return total
    r.chunk_rows = max(1, CHUNK // max(1, r.columns))
    with nogil:
        pool.run(ceil_div(r.rows, r.chunk_rows), run_chunk, &r)
    return total


cdef bint add_weights(const rows_of_scores* r, double* total) noexcept:
    """Add up the weights of the rows that count; return False if a target is out of range."""
    cdef int64_t t
    cdef long i
    for i in range(r.rows):
        t = r.target[i]
        if t == r.ignore_index:
            continue
        if not 0 <= t < r.columns:
            return False
        if r.weight == NULL:
            total[0] += 1
        else:
            total[0] += (<const float*>r.weight)[t] if r.itemsize == sizeof(float) else (<const double*>r.weight)[t]
    return True


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef rows_of_scores* r = <rows_of_scores*>argument
    cdef long first = chunk * r.chunk_rows, rows = min(r.chunk_rows, r.rows - first)
    cdef long row = first * <long>r.itemsize, at = row * r.columns
    if r.dlosses == NULL:
        r.loops.cross_entropy_forward(r.itemsize, rows, r.columns, r.x + at, r.target + first, r.weight, r.ignore_index,
                                      r.out + row)
    else:
        r.loops.cross_entropy_backward(r.itemsize, rows, r.columns, r.dlosses + row, r.x + at, r.target + first,
                                       r.weight, r.ignore_index, r.out + at)


cdef void run_block(void* argument, long block) noexcept nogil:
    cdef rows_of_scores* r = <rows_of_scores*>argument
    cdef long image = block // r.blocks, first = block % r.blocks * r.chunk_rows
    cdef long pixels = min(r.chunk_rows, r.pixels - first), row = image * r.pixels + first
    cdef long at = (image * r.columns * r.pixels + first) * <long>r.itemsize
    if r.dlosses == NULL:
        r.loops.cross_entropy_across(r.itemsize, r.columns, r.pixels, pixels, r.x + at, r.target + row, r.weight,
                                     r.ignore_index, r.out + row * <long>r.itemsize)
    else:
        r.loops.cross_entropy_backward_across(r.itemsize, r.columns, r.pixels, pixels,
                                              r.dlosses + row * <long>r.itemsize, r.x + at, r.target + row, r.weight,
                                              r.ignore_index, r.out + at)
