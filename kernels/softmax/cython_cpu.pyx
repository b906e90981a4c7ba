# cython: language_level=3, boundscheck=False, cdivision=True
"""Softmax on the CPU: a row is read from memory once, and what is computed of it stays in the cache.

    forward         y[c]  = e^(x[c] - m) / s                             m = max_k x[k],  s = sum_k e^(x[k] - m)
    log_forward     y[c]  = x[c] - m - log(s)
    input_grad      dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])
    log_input_grad  dx[c] = dy[c] - e^y[c] * sum_k dy[k]

From the outside:

    chunk   rows: the unit of work of a thread
      row   its maximum, its sum (in double), its result    -> cpu/vector_loops_rows.pxi

Every row is one thread's work, so the number of threads does not change a bit of the result.
"""

import numpy as np

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384  # numbers of x that one chunk reads, about

ctypedef struct rows_of_scores:
    const vector_loops.loop_table* loops
    size_t itemsize
    long rows, columns, chunk_rows
    bint logarithm
    const char* dy
    const char* x  # for the gradients, y
    char* out


def forward(x):
    return _run(None, x, False)


def log_forward(x):
    return _run(None, x, True)


def input_grad(dy, y):
    return _run(dy, y, False)


def log_input_grad(dy, y):
    return _run(dy, y, True)


cdef _run(dy, x, bint logarithm):
    cdef view v_dy, v_x, v_out
    cdef rows_of_scores r
    x = np.ascontiguousarray(x)
    out = buffers.empty(x.shape, x.dtype)
    x, out = view_of(x, &v_x), view_of(out, &v_out)
    r.dy, r.x, r.out = NULL, v_x.data, v_out.data
    if dy is not None:
        dy = view_of(np.ascontiguousarray(dy), &v_dy)
        r.dy = v_dy.data
    r.loops, r.itemsize, r.logarithm = vector_loops.table(), v_x.itemsize, logarithm
    r.columns = v_x.shape[v_x.ndim - 1]
    r.rows = x.size // r.columns
    r.chunk_rows = max(1, CHUNK // r.columns)
    with nogil:
        pool.run((r.rows + r.chunk_rows - 1) // r.chunk_rows, run_chunk, &r)
    return out


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef rows_of_scores* r = <rows_of_scores*>argument
    cdef long first = chunk * r.chunk_rows, rows = min(r.chunk_rows, r.rows - first)
    cdef long at = first * r.columns * <long>r.itemsize
    if r.dy == NULL:
        r.loops.softmax_forward(r.itemsize, rows, r.columns, r.x + at, r.out + at, r.logarithm)
    else:
        r.loops.softmax_backward(r.itemsize, rows, r.columns, r.dy + at, r.x + at, r.out + at, r.logarithm)
