# cython: language_level=3, boundscheck=False, cdivision=True
"""Softmax on the CPU: a row is read from memory once, and intermediate results stay in the cache.

    forward         y[c]  = e^(x[c] - m) / s                             m = max_k x[k],  s = sum_k e^(x[k] - m)
    log_forward     y[c]  = x[c] - m - log(s)
    input_grad      dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])
    log_input_grad  dx[c] = dy[c] - e^y[c] * sum_k dy[k]

From the outside:

    chunk   rows: the unit of work of a thread
      row   its maximum, its sum (in double), its result    -> cpu/vector_loops_rows.pxi

For the channels of images (N, C, H, W), which the caller has moved to the last axis, C may be strided in memory. Then x
is read and written in place:

    block     pixels of an image, contiguous in memory: the unit of work of a thread
      pixels  their maxima, their sums (in double), their results, many at a time    -> cpu/vector_loops_scores.pxi

Every row is computed by one thread, so results are bit-identical for any number of threads.
"""

import numpy as np

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384  # numbers of x that one chunk reads, about
    LEAST = 16  # rows side by side in memory that are worth loops of their own

ctypedef struct rows_of_scores:
    const vector_loops.loop_table* loops
    size_t itemsize
    long rows, columns, chunk_rows  # of x, or of one image where they lie across memory
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
    axis = _axis_in_memory(x)
    if axis is None:
        return _run_along(dy, x, logarithm)
    last = x.ndim - 1
    order = (*range(axis), last, *range(axis, last))  # in which x lies in memory
    y = _run_across(None if dy is None else dy.transpose(order), x.transpose(order), axis, logarithm)
    return y.transpose(*range(axis), *range(axis + 1, last + 1), axis)


def _axis_in_memory(x):
    """Where the last axis stands in the C order that x lies in, if it is another place with enough behind it."""
    if x.flags.c_contiguous:
        return None
    last, behind = x.ndim - 1, 1
    for axis in range(last - 1, -1, -1):
        behind *= x.shape[axis]
        if behind >= LEAST and x.transpose(*range(axis), last, *range(axis, last)).flags.c_contiguous:
            return axis
    return None


cdef list begin(rows_of_scores* r, dy, x, bint logarithm):
    """Fill all but the shape; return the arrays that `r` points into, the result first."""
    cdef view v_dy, v_x, v_out
    out = buffers.empty(x.shape, x.dtype)
    x, out = view_of(np.ascontiguousarray(x), &v_x), view_of(out, &v_out)
    r.loops, r.itemsize, r.logarithm = vector_loops.table(), v_x.itemsize, logarithm
    r.dy, r.x, r.out = NULL, v_x.data, v_out.data
    if dy is not None:
        dy = view_of(np.ascontiguousarray(dy), &v_dy)
        r.dy = v_dy.data
    return [out, x, dy]


cdef _run_along(dy, x, bint logarithm):
    cdef rows_of_scores r
    cdef list alive = begin(&r, dy, x, logarithm)
    r.columns = x.shape[x.ndim - 1]
    r.rows = x.size // r.columns
    r.chunk_rows = max(1, CHUNK // r.columns)
    with nogil:
        pool.run(ceil_div(r.rows, r.chunk_rows), run_chunk, &r)
    return alive[0]


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef rows_of_scores* r = <rows_of_scores*>argument
    cdef long first = chunk * r.chunk_rows, rows = min(r.chunk_rows, r.rows - first)
    cdef long at = first * r.columns * <long>r.itemsize
    if r.dy == NULL:
        r.loops.softmax_forward(r.itemsize, rows, r.columns, r.x + at, r.out + at, r.logarithm)
    else:
        r.loops.softmax_backward(r.itemsize, rows, r.columns, r.dy + at, r.x + at, r.out + at, r.logarithm)


cdef _run_across(dy, x, int axis, bint logarithm):
    cdef rows_of_scores r
    cdef list alive = begin(&r, dy, x, logarithm)
    r.columns, r.rows = x.shape[axis], 1
    for n in x.shape[axis + 1 :]:
        r.rows *= n
    cdef long images = x.size // (r.rows * r.columns)
    r.chunk_rows = max(1, CHUNK // 64 // r.columns) * 64
    with nogil:
        pool.run(images * ceil_div(r.rows, r.chunk_rows), run_block, &r)
    return alive[0]


cdef void run_block(void* argument, long block) noexcept nogil:
    cdef rows_of_scores* r = <rows_of_scores*>argument
    cdef long blocks = ceil_div(r.rows, r.chunk_rows), first = block % blocks * r.chunk_rows
    cdef long rows = min(r.chunk_rows, r.rows - first)
    cdef long at = (block // blocks * r.columns * r.rows + first) * <long>r.itemsize
    if r.dy == NULL:
        r.loops.softmax_across(r.itemsize, r.columns, r.rows, rows, r.x + at, r.out + at, r.logarithm)
    else:
        r.loops.softmax_backward_across(r.itemsize, r.columns, r.rows, rows, r.dy + at, r.x + at, r.out + at,
                                        r.logarithm)
