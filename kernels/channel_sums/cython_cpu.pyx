# cython: language_level=3, boundscheck=False, cdivision=True
"""Channel sums on the CPU, in double precision, for both memory orders.

    s[c] = sum_n,p x[n, c, p] (* y[n, c, p])                                p runs over the pixels

Channels last in memory, x is a matrix of rows (n, p) and columns c: vectors of columns are summed down the rows. With
few channels, several pixels are taken as one wide row, so that vectors are full, and its columns are added up at the
end. Channels first, the numbers of one channel are contiguous, and are read as rows of 64 columns.

float32 numbers are widened to double before they are added. The rows are cut into blocks by the shape alone, and the
blocks are added in order, so results are bit-identical for any number of threads.
"""

import numpy as np

from libc.string cimport memset

from ..cpu cimport pool, vector_loops
from ..cpu.views cimport real, view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    BLOCK = 32768  # numbers in a chunk, about
    MAX_BLOCKS = 64
    WIDTH = 64  # columns of a wide row, at least


def forward(x, y):
    x_last, y_last = _channels_last(x), None if y is None else _channels_last(y)
    if x_last.flags.c_contiguous and (y is None or y_last.flags.c_contiguous):
        return _sum_rows(x_last, y_last)
    if x.flags.c_contiguous and (y is None or y.flags.c_contiguous):
        return _sum_runs(x, y)
    return _sum_rows(np.ascontiguousarray(x_last), None if y is None else np.ascontiguousarray(y_last))


def _channels_last(x):
    """A view (N, ..., C) of x (N, C, ...)."""
    return x if x.ndim == 2 else np.moveaxis(x, 1, -1)


ctypedef struct summation:
    const vector_loops.loop_table* loops
    size_t itemsize
    const char* x
    const char* y
    long rows, channels  # channels last: rows (n, p)
    long widen  # rows (n, p) in a wide row
    long images, run  # channels first: numbers of one channel in one image
    long blocks
    double* sums  # [block][column]


cdef _sum_rows(x, y):
    """The sums of x (N, ..., C), C-contiguous."""
    cdef view vx, vy, v_total
    cdef summation s
    x = view_of(x, &vx)
    s.x, s.y, s.itemsize, s.loops = vx.data, NULL, vx.itemsize, vector_loops.table()
    if y is not None:
        y = view_of(y, &vy)
        s.y = vy.data
    s.channels = vx.shape[vx.ndim - 1]
    s.rows = x.size // s.channels if s.channels else 0
    s.widen = max(1, min(s.rows, WIDTH // max(1, s.channels)))
    s.blocks = max(1, min(MAX_BLOCKS, s.rows * s.channels // BLOCK))
    total = np.empty(s.channels, x.dtype)
    total = view_of(total, &v_total)
    cdef size_t nbytes = max(1, s.blocks * s.widen * s.channels) * sizeof(double)
    s.sums = <double*>pool.scratch(0, nbytes)
    if s.sums == NULL:
        raise MemoryError(f"no memory for the partial sums of {s.channels} channels")
    with nogil:
        memset(s.sums, 0, nbytes)
        pool.run(s.blocks, sum_block_of_rows, &s)
        if s.itemsize == sizeof(float):
            fold(&s, <float*>v_total.data)
        else:
            fold(&s, <double*>v_total.data)
        pool.scratch_done(0)
    return total


cdef void fold(const summation* s, real* total) noexcept nogil:
    """total[c] = sum over all blocks, and all pixels of a wide row, of their sums for channel c."""
    cdef long c, row
    cdef double sum
    for c in range(s.channels):
        sum = 0
        for row in range(s.blocks * s.widen):
            sum += s.sums[row * s.channels + c]
        total[c] = <real>sum


cdef void sum_block_of_rows(void* argument, long block) noexcept nogil:
    cdef summation* s = <summation*>argument
    cdef long first = s.rows * block // s.blocks, end = s.rows * (block + 1) // s.blocks
    cdef long wide = (end - first) // s.widen, width = s.widen * s.channels
    cdef long start = first * s.channels * <long>s.itemsize, rest = start + wide * width * <long>s.itemsize
    cdef double* sums = s.sums + block * width
    s.loops.column_sums(s.itemsize, wide, width, s.x + start, s.y + start if s.y != NULL else NULL, sums)
    s.loops.column_sums(s.itemsize, end - first - wide * s.widen, s.channels, s.x + rest,
                        s.y + rest if s.y != NULL else NULL, sums)


cdef _sum_runs(x, y):
    """The sums of x (N, C, ...), C-contiguous."""
    cdef view vx, vy
    cdef summation s
    x = view_of(x, &vx)
    s.x, s.y, s.itemsize, s.loops = vx.data, NULL, vx.itemsize, vector_loops.table()
    if y is not None:
        y = view_of(y, &vy)
        s.y = vy.data
    s.images, s.channels = vx.shape[0], vx.shape[1]
    s.run = x.size // (s.images * s.channels) if x.size else 0
    s.blocks = max(1, min(min(MAX_BLOCKS, s.images), s.images * s.run // BLOCK))
    partial = np.zeros((s.blocks, s.channels, WIDTH))
    cdef double[:, :, ::1] sums = partial
    if x.size:
        s.sums = &sums[0, 0, 0]
        with nogil:
            pool.run(s.blocks * s.channels, sum_block_of_runs, &s)
    return partial.sum(axis=(0, 2)).astype(x.dtype)


cdef void sum_block_of_runs(void* argument, long chunk) noexcept nogil:
    """One channel of some images."""
    cdef summation* s = <summation*>argument
    cdef long block = chunk // s.channels, c = chunk % s.channels, n, start, rest
    cdef double* sums = s.sums + chunk * WIDTH
    for n in range(s.images * block // s.blocks, s.images * (block + 1) // s.blocks):
        start = (n * s.channels + c) * s.run * <long>s.itemsize
        rest = start + s.run // WIDTH * WIDTH * <long>s.itemsize
        s.loops.column_sums(s.itemsize, s.run // WIDTH, WIDTH, s.x + start, s.y + start if s.y != NULL else NULL, sums)
        s.loops.column_sums(s.itemsize, 1, s.run % WIDTH, s.x + rest, s.y + rest if s.y != NULL else NULL, sums)
