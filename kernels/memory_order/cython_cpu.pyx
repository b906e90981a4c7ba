# cython: language_level=3, boundscheck=False, cdivision=True
"""Changing the memory order on the CPU: for each image, the transpose of a matrix (channels, pixels) or its reverse.

    y[p, c] = x[c, p]        or        y[c, p] = x[p, c]

    chunk     some rows of the matrix of one image: the unit of work of a thread
      block   64 x 64 numbers, 16 KB in float32, which stay in the L1 cache
        4 x 4 numbers, transposed in registers          -> cpu/transpose.h

Why it is fast: if a matrix were read row by row, each number would be written to another cache line, and lines would be
evicted before they are full. In a block, every line is read once and written once.
"""

import numpy as np

from .. import arrays as _arrays

from ..cpu cimport buffers, pool, tiles
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    BLOCK = 64
    CHUNK = 1 << 15  # numbers in a chunk, about

ctypedef struct matrices:
    const tiles.tile_table* tiles
    size_t itemsize
    long count, rows, columns
    const char* x
    char* y
    long chunk_rows


def channels_first(x):
    if x.flags.c_contiguous:
        return x
    if not x.transpose(0, 2, 3, 1).flags.c_contiguous:
        return np.ascontiguousarray(x)
    n, c, h, w = x.shape
    y = buffers.empty((n, c, h, w), x.dtype)
    _transpose(x.transpose(0, 2, 3, 1), y, h * w, c)
    return y


def channels_last(x):
    if not x.flags.c_contiguous or x.transpose(0, 2, 3, 1).flags.c_contiguous:
        return _arrays.channels_last(x)
    n, c, h, w = x.shape
    y = buffers.empty((n, h, w, c), x.dtype)
    _transpose(x, y, c, h * w)
    return y.transpose(0, 3, 1, 2)


cdef _transpose(x, y, long rows, long columns):
    """For each image, transpose x (rows, columns) to y (columns, rows), both C-contiguous."""
    cdef view vx, vy
    cdef matrices m
    x, y = view_of(x, &vx), view_of(y, &vy)
    m.tiles, m.itemsize, m.count, m.rows, m.columns = tiles.table(vx.itemsize), vx.itemsize, vx.shape[0], rows, columns
    m.x, m.y = vx.data, vy.data
    m.chunk_rows = min(rows, (CHUNK // (columns + 1) + BLOCK) // BLOCK * BLOCK)
    if y.size:
        with nogil:
            pool.run(m.count * ceil_div(rows, m.chunk_rows), transpose_chunk, &m)


cdef void transpose_chunk(void* argument, long chunk) noexcept nogil:
    cdef const matrices* m = <const matrices*>argument
    cdef long parts = ceil_div(m.rows, m.chunk_rows), i, j
    cdef long first = chunk % parts * m.chunk_rows, end = min(m.rows, first + m.chunk_rows)
    cdef long image = chunk // parts * m.rows * m.columns
    for i from first <= i < end by BLOCK:
        for j from 0 <= j < m.columns by BLOCK:
            m.tiles.transpose(min(<long>BLOCK, end - i), min(<long>BLOCK, m.columns - j),
                              m.x + (image + i * m.columns + j) * <long>m.itemsize, m.columns,
                              m.y + (image + j * m.rows + i) * <long>m.itemsize, m.rows)
