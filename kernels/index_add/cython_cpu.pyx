# cython: language_level=3, boundscheck=False, cdivision=True
"""index_add on the CPU: x is read once, in order.

    y[rows[i], j] += x[i, j]

From the outside:

    chunk      COLUMNS columns of all rows: the unit of work of a thread; no two threads write to the same number
      row i    added to row rows[i] of y

Why it is fast: nothing is sorted or copied. Each number of y is summed in the order of i, however the work is cut.
"""

import numpy as np

from libc.string cimport memset

from ..cpu cimport buffers, pool
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport real, view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    COLUMNS = 64

ctypedef struct job:
    size_t itemsize
    long n, count, columns
    const void* x
    const long long* rows
    void* y


def forward(x, rows, count):
    cdef view vx, v_rows, vy
    cdef job j
    y = buffers.empty((count, *x.shape[1:]), x.dtype)
    if y.size == 0:
        return y
    x, rows = view_of(np.ascontiguousarray(x), &vx), view_of(np.ascontiguousarray(rows, np.int64), &v_rows)
    view_of(y, &vy)
    j.itemsize, j.n, j.count, j.columns = vy.itemsize, vx.shape[0], count, y.size // count
    j.x, j.rows, j.y = vx.data, <const long long*>v_rows.data, vy.data
    with nogil:
        pool.run(ceil_div(j.columns, COLUMNS), add_columns_of, &j)
    return y


cdef void add_columns_of(void* argument, long chunk) noexcept nogil:
    cdef job* j = <job*>argument
    cdef long first = chunk * COLUMNS, columns = min(<long>COLUMNS, j.columns - first)
    if j.itemsize == sizeof(float):
        add_columns(j, <const float*>j.x + first, <float*>j.y + first, columns)
    else:
        add_columns(j, <const double*>j.x + first, <double*>j.y + first, columns)


cdef void add_columns(const job* j, const real* x, real* y, long columns) noexcept nogil:
    cdef long i, c
    cdef real* sum
    if columns == j.columns:
        memset(y, 0, j.count * columns * sizeof(real))
    else:
        for i in range(j.count):
            memset(y + i * j.columns, 0, columns * sizeof(real))
    for i in range(j.n):
        sum = y + j.rows[i] * j.columns
        for c in range(columns):
            sum[c] += x[c]
        x += j.columns
