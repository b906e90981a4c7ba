# cython: language_level=3, boundscheck=False, cdivision=True
"""Cross-entropy on the CPU: a row of x is read from memory once, and what is computed of it stays in the cache.

    loss[n]  = weight[t] * (log(s) - (x[n, t] - m))                m = max_k x[n, k],  s = sum_k e^(x[n, k] - m)
    dx[n, c] = dloss[n] * weight[t] * (e^(x[n, c] - m) / s - (1 where c = t, else 0))

From the outside:

    chunk   rows: the unit of work of a thread
      row   its maximum, its sum (in double), its result    -> cpu/vector_loops_rows.pxi

Why it is fast: no array of log(p), of p or of masks is made; for a few rows of ten classes, which is what most networks
end with, everything costs about as much as one call of NumPy.
"""

import numpy as np

from libc.stdint cimport int64_t

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.views cimport view, view_of
from . import check_target as _check_target

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384  # numbers of x that one chunk reads, about

ctypedef struct rows_of_scores:
    const vector_loops.loop_table* loops
    size_t itemsize
    long rows, columns, chunk_rows
    const char* dlosses
    const char* x
    const int64_t* target
    const char* weight
    int64_t ignore_index
    char* out


def forward(x, target, weight, ignore_index):
    losses = np.empty(x.shape[0], x.dtype)
    return losses, _run(None, x, target, weight, ignore_index, losses)


def backward(dlosses, x, target, weight, ignore_index):
    dx = buffers.empty(x.shape, x.dtype)
    _run(dlosses, x, target, weight, ignore_index, dx)
    return dx


cdef _run(dlosses, x, target, weight, ignore_index, out):
    cdef view v_x, v_target, v_out, v_dlosses, v_weight
    cdef rows_of_scores r
    x, target = np.ascontiguousarray(x), np.ascontiguousarray(target, np.int64)
    x, target, out = view_of(x, &v_x), view_of(target, &v_target), view_of(out, &v_out)
    r.loops, r.itemsize, r.dlosses, r.weight = vector_loops.table(), v_x.itemsize, NULL, NULL
    r.rows, r.columns = v_x.shape[0], v_x.shape[1]
    r.x, r.target, r.out, r.ignore_index = v_x.data, <const int64_t*>v_target.data, v_out.data, ignore_index
    if dlosses is not None:
        dlosses = view_of(np.ascontiguousarray(dlosses), &v_dlosses)
        r.dlosses = v_dlosses.data
    if weight is not None:
        weight = view_of(np.ascontiguousarray(weight), &v_weight)
        r.weight = v_weight.data
    cdef double total = 0
    if not add_weights(&r, &total):
        _check_target(target, r.columns, ignore_index)
    r.chunk_rows = max(1, CHUNK // max(1, r.columns))
    with nogil:
        pool.run((r.rows + r.chunk_rows - 1) // r.chunk_rows, run_chunk, &r)
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
