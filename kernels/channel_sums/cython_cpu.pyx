# cython: language_level=3, boundscheck=False, cdivision=True
"""Channel sums on the CPU, in double, whichever of the two memory orders x has.

    s[c] = sum_n,p x[n, c, p] (* y[n, c, p])                                p runs over the pixels

Channels last in memory, x is a table of (n, p) rows and c columns: vectors of columns are summed down the rows. Where
there are few channels, several pixels together are taken as one wide row, so that vectors are full, and its columns are
folded at the end. Channels first, the numbers of one channel are consecutive: they are read as rows of 64 columns.

Why it is right: float32 numbers are widened to double before they are added. The rows are cut into blocks by the shape
alone, and the blocks are added up in order, so the number of threads does not change a bit of the result.
"""

import numpy as np

from libc.string cimport memset

from ..cpu cimport pool, tiles
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    BLOCK = 32768  # numbers that one chunk adds up, about
    MAX_BLOCKS = 64
    WIDTH = 64  # columns of a wide row, at least


def forward(x, y):
    last = range(2, x.ndim)
    if x.transpose(0, *last, 1).flags.c_contiguous and (y is None or y.transpose(0, *last, 1).flags.c_contiguous):
        return _sum_rows(x, y)
    if x.flags.c_contiguous and (y is None or y.flags.c_contiguous):
        return _sum_runs(x, y)
    x, y = (None if v is None else np.ascontiguousarray(v.transpose(0, *last, 1)) for v in (x, y))
    back = (0, x.ndim - 1, *range(1, x.ndim - 1))
    return _sum_rows(x.transpose(back), None if y is None else y.transpose(back))


ctypedef struct summation:
    const tiles.tile_table* tiles
    size_t itemsize
    const char* x
    const char* y
    long rows, channels  # channels last: rows (n, p)
    long widen  # rows that are taken as one
    long images, run  # channels first: numbers of one channel in one image
    long blocks
    double* sums  # [block][column]


cdef _sum_rows(x, y):
    cdef view vx, vy
    cdef summation s
    cdef long block, column, width
    x = view_of(x, &vx)
    s.x, s.y, s.itemsize, s.tiles = vx.data, NULL, vx.itemsize, tiles.table(vx.itemsize)
    if y is not None:
        y = view_of(y, &vy)
        s.y = vy.data
    s.channels = vx.shape[1]
    s.rows = x.size // s.channels if s.channels else 0
    s.widen = max(1, min(s.rows, WIDTH // max(1, s.channels)))
    s.blocks = max(1, min(MAX_BLOCKS, s.rows * s.channels // BLOCK))
    width = s.widen * s.channels
    partial = np.zeros((s.blocks, width))
    cdef double[:, ::1] sums = partial
    if partial.size:
        s.sums = &sums[0, 0]
        with nogil:
            pool.run(s.blocks, sum_block_of_rows, &s)
    return partial.reshape(s.blocks * s.widen, s.channels).sum(axis=0).astype(x.dtype)


cdef void sum_block_of_rows(void* argument, long block) noexcept nogil:
    cdef summation* s = <summation*>argument
    cdef long first = s.rows * block // s.blocks, end = s.rows * (block + 1) // s.blocks
    cdef long wide = (end - first) // s.widen, width = s.widen * s.channels
    cdef long start = first * s.channels * <long>s.itemsize, rest = start + wide * width * <long>s.itemsize
    cdef double* sums = s.sums + block * width
    s.tiles.column_sums(wide, width, s.x + start, s.y + start if s.y != NULL else NULL, width, sums)
    s.tiles.column_sums(end - first - wide * s.widen, s.channels, s.x + rest, s.y + rest if s.y != NULL else NULL,
                        s.channels, sums)


cdef _sum_runs(x, y):
    cdef view vx, vy
    cdef summation s
    x = view_of(x, &vx)
    s.x, s.y, s.itemsize, s.tiles = vx.data, NULL, vx.itemsize, tiles.table(vx.itemsize)
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
        s.tiles.column_sums(s.run // WIDTH, WIDTH, s.x + start, s.y + start if s.y != NULL else NULL, WIDTH, sums)
        s.tiles.column_sums(1, WIDTH, s.x + rest, s.y + rest if s.y != NULL else NULL, s.run % WIDTH, sums)
