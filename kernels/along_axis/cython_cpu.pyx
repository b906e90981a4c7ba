# cython: language_level=3, boundscheck=False, cdivision=True
"""gather and scatter_add on the CPU: the index is read once, in order, and no temporary array is made.

    gather        y[o, j, i] = x[o, index[o, j, i], i]
    scatter_add   y[o, index[o, j, i], i] += x[o, j, i]

From the outside:

    chunk    some o, or some of the i of one o: the unit of work of a thread; no two threads write to the same number
      o, j   the numbers i, which are contiguous

Each number of y is summed in the order of j, however the work is cut.
"""

import numpy as np

from libc.string cimport memset

from ..cpu cimport buffers, pool
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport real, view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    COLUMNS = 256  # numbers i in a chunk, at most
    CHUNK = 16384  # numbers in a chunk of several o, about

ctypedef struct job:
    size_t itemsize
    bint add, wrong  # scatter_add; whether an index was out of range
    long count, chunk_count  # of o: in all, and in a chunk
    long picked, size, columns  # lengths of the axis in index and in the other array (x or y), and of i
    const char* x
    const long long* index
    char* y


def gather(x, index, axis):
    return _run(x, index, axis, x.shape[axis], index.shape, False)


def scatter_add(x, index, axis, size):
    return _run(x, index, axis, size, (*x.shape[:axis], size, *x.shape[axis + 1 :]), True)


cdef _run(x, index, int axis, size, shape, bint add):
    cdef view vx, v_index, vy
    cdef job j
    cdef int i
    y = buffers.empty(shape, x.dtype)
    x, index = np.ascontiguousarray(x), np.ascontiguousarray(index, np.int64)
    x, index, y = view_of(x, &vx), view_of(index, &v_index), view_of(y, &vy)
    j.itemsize, j.add, j.wrong, j.size, j.picked = vx.itemsize, add, False, size, v_index.shape[axis]
    j.x, j.index, j.y = vx.data, <const long long*>v_index.data, vy.data
    j.count = j.columns = 1
    for i in range(v_index.ndim):
        if i < axis:
            j.count *= v_index.shape[i]
        elif i > axis:
            j.columns *= v_index.shape[i]
    j.chunk_count = max(1, CHUNK // max(1, j.picked * j.columns))
    cdef long chunks = ceil_div(j.count, j.chunk_count) * ceil_div(j.columns, COLUMNS)
    with nogil:
        pool.run(chunks, run_chunk, &j)
    if j.wrong:
        raise IndexError(f"index must be from 0 to {size - 1}, got {index.min()} to {index.max()}")
    return y


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef job* j = <job*>argument
    cdef long parts = ceil_div(j.columns, COLUMNS), column = chunk % parts * COLUMNS
    cdef long columns = min(<long>COLUMNS, j.columns - column), first = chunk // parts * j.chunk_count, o
    for o in range(first, min(first + j.chunk_count, j.count)):
        if j.itemsize == sizeof(float):
            pick(j, o, column, columns, <const float*>j.x, <float*>j.y)
        else:
            pick(j, o, column, columns, <const double*>j.x, <double*>j.y)


cdef void pick(job* j, long o, long column, long columns, const real* x, real* y) noexcept nogil:
    """One o, for `columns` of the numbers i from `column` on."""
    cdef long k, all_of_index = j.picked * j.columns, all_of_axis = j.size * j.columns
    cdef const long long* index = j.index + o * all_of_index + column
    cdef bint right = True
    x += o * (all_of_index if j.add else all_of_axis) + column
    y += o * (all_of_axis if j.add else all_of_index) + column
    if j.add and columns == j.columns:
        memset(y, 0, all_of_axis * sizeof(real))
    elif j.add:
        for k in range(j.size):
            memset(y + k * j.columns, 0, columns * sizeof(real))
    if j.columns == 1 and j.add:  # one i: the numbers j are contiguous
        right = add_run(j.picked, j.size, 1, 0, index, x, y)
    elif j.columns == 1:
        right = gather_run(j.picked, j.size, 1, 0, index, x, y)
    elif j.add:
        for k in range(j.picked):
            right &= add_run(columns, j.size, j.columns, 1, index + k * j.columns, x + k * j.columns, y)
    else:
        for k in range(j.picked):
            right &= gather_run(columns, j.size, j.columns, 1, index + k * j.columns, x, y + k * j.columns)
    if not right:
        j.wrong = True


cdef inline bint gather_run(long n, long size, long step, int apart, const long long* index, const real* x,
                            real* y) noexcept nogil:
    """y[i] = x[index[i] * step + i * apart]; whether each index is from 0 to size - 1."""
    cdef bint right = True
    cdef long i
    for i in range(n):
        if 0 <= index[i] < size:
            y[i] = x[index[i] * step + i * apart]
        else:
            right = False
    return right


cdef inline bint add_run(long n, long size, long step, int apart, const long long* index, const real* x,
                         real* y) noexcept nogil:
    """y[index[i] * step + i * apart] += x[i]; whether each index is from 0 to size - 1."""
    cdef bint right = True
    cdef long i
    for i in range(n):
        if 0 <= index[i] < size:
            y[index[i] * step + i * apart] += x[i]
        else:
            right = False
    return right
