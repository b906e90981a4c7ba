# cython: language_level=3, boundscheck=False, cdivision=True
"""Running totals on the CPU: x is read once, in its type, and no array of doubles is made.

x is (outer, n, columns), and the axis in the middle. From the outside:

    chunk      some rows o of `outer`, or up to COLUMNS columns of one: the unit of work of a thread
      o, i     along the axis, from either end
        k      the columns of the chunk, side by side in vector registers, each with its own total; where there is
               one column, that of ROWS rows, so that an addition need not wait for the one before

Each total is added up in one order, however the work is cut.
"""

import math

import numpy as np

from ..cpu cimport buffers, pool
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport real, view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    COLUMNS = 64  # in a chunk, at most: their totals stay in the L1 cache
    CHUNK = 16384  # numbers in a chunk of several o, about
    ROWS = 4

ctypedef struct job:
    bint product, from_end
    size_t itemsize
    long outer, chunk_outer  # in all, and in a chunk
    long n, columns
    const char* x
    char* y


def cumsum(x, axis, from_end):
    return _run(x, axis, False, from_end)


def cumprod(x, axis):
    return _run(x, axis, True, False)


cdef _run(x, int axis, bint product, bint from_end):
    cdef view vx, vy
    cdef job j
    x = view_of(np.ascontiguousarray(x), &vx)
    y = view_of(buffers.empty(x.shape, x.dtype), &vy)
    j.product, j.from_end, j.itemsize, j.x, j.y = product, from_end, vx.itemsize, vx.data, vy.data
    j.outer, j.n, j.columns = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    j.chunk_outer = max(1, CHUNK // max(1, j.n * j.columns))
    cdef long chunks = ceil_div(j.outer, j.chunk_outer) * ceil_div(j.columns, COLUMNS)
    with nogil:
        pool.run(chunks, run_chunk, &j)
    return y


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef const job* j = <const job*>argument
    if j.itemsize == sizeof(float):
        run_columns(j, chunk, <const float*>j.x, <float*>j.y)
    else:
        run_columns(j, chunk, <const double*>j.x, <double*>j.y)


cdef void run_columns(const job* j, long chunk, const real* x, real* y) noexcept nogil:
    cdef long blocks = ceil_div(j.columns, COLUMNS)
    cdef long first = chunk % blocks * COLUMNS, count = min(<long>COLUMNS, j.columns - first)
    cdef long o = chunk // blocks * j.chunk_outer, end = min(o + j.chunk_outer, j.outer), at
    cdef long step = -j.columns if j.from_end else j.columns
    while o < end:
        at = (o * j.n + (j.n - 1 if j.from_end else 0)) * j.columns + first
        if j.columns == 1 and o + ROWS <= end:
            scan(j.product, j.n, ROWS, j.n, step, x + at, y + at)
            o += ROWS - 1
        elif count == 1:
            scan(j.product, j.n, 1, 1, step, x + at, y + at)
        elif count == COLUMNS:
            scan(j.product, j.n, COLUMNS, 1, step, x + at, y + at)
        else:
            scan(j.product, j.n, count, 1, step, x + at, y + at)
        o += 1


cdef inline void scan(bint product, long n, long count, long apart, long step, const real* x, real* y) noexcept nogil:
    """y[i*step + k*apart] = the total of x[0*step + k*apart] ... x[i*step + k*apart]."""
    cdef double[COLUMNS] total
    cdef long i, k
    for k in range(count):
        total[k] = 1 if product else 0
    for i in range(n):
        for k in range(count):
            if product:
                total[k] *= x[k * apart]
            else:
                total[k] += x[k * apart]
            y[k * apart] = <real>total[k]
        x += step
        y += step
