# cython: language_level=3, boundscheck=False, cdivision=True
"""Dropout on the CPU: random numbers are computed in registers and never stored.

    y[i] = x[i] / (1 - p)  where  u(i, key) >= p,  else 0

    chunk      CHUNK numbers in the order of x's axes: the unit of work of a thread
      block    counters, four numbers each, in vector registers    -> cpu/vector_loops_random.pxi

Why it is fast: neither the random numbers nor a mask go to memory; backward computes them again. Channels last, number
i does not follow number i - 1 in memory: then an image is the unit of work, and is transposed in the cache.
"""

import numpy as np

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from ..cpu cimport buffers, pool, tiles, vector_loops
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384

ctypedef struct run:
    const tiles.tile_table* tiles
    const vector_loops.loop_table* loops
    size_t itemsize
    long n
    uint64_t key
    uint32_t threshold
    double scale
    long channels, pixels  # of an image, where memory is channels last
    const char* x
    char* y
    bint out_of_memory


def forward(x, p, key):
    cdef view v_x, v_y
    cdef run r
    cdef bint channels_last = x.ndim == 4 and not x.flags.c_contiguous and x.transpose(0, 2, 3, 1).flags.c_contiguous
    if not channels_last and not x.flags.c_contiguous:
        y = buffers.empty_like(x)
        y[...] = forward(np.ascontiguousarray(x), p, key)
        return y
    x = view_of(x, &v_x)
    y = buffers.empty_like(x)
    view_of(y, &v_y)
    channels_last &= not x.flags.c_contiguous  # view_of may have made a copy, in the order of the axes
    r.tiles, r.loops, r.itemsize = tiles.table(v_x.itemsize), vector_loops.table(), v_x.itemsize
    r.n, r.x, r.y = x.size, v_x.data, v_y.data
    r.key, r.threshold, r.scale, r.out_of_memory = key, int(p * 2**32), 1 / (1 - p), False
    if channels_last:
        r.channels, r.pixels = v_x.shape[1], v_x.shape[2] * v_x.shape[3]
        with nogil:
            pool.run(v_x.shape[0], run_image, &r)
    else:
        with nogil:
            pool.run(ceil_div(r.n, CHUNK), run_chunk, &r)
    if r.out_of_memory:
        raise MemoryError(f"no memory for an image of x {x.shape}")
    return y


cdef void run_image(void* argument, long image) noexcept nogil:
    """A channels-last image: transposed to the order of the axes, and back."""
    cdef run* r = <run*>argument
    cdef long size = r.channels * r.pixels, first = image * size, before = first % 4, itemsize = r.itemsize
    cdef char* planes = <char*>pool.scratch(0, (size + 4) * itemsize)
    cdef char* dropped = <char*>pool.scratch(1, (size + 4) * itemsize)
    if planes == NULL or dropped == NULL:
        r.out_of_memory = True
        return
    memset(planes, 0, before * itemsize)
    r.tiles.transpose(r.pixels, r.channels, r.x + first * itemsize, r.channels, planes + before * itemsize, r.pixels)
    r.loops.dropout_forward(r.itemsize, before + size, first - before, r.key, r.threshold, r.scale, planes, dropped)
    r.tiles.transpose(r.channels, r.pixels, dropped + before * itemsize, r.pixels, r.y + first * itemsize, r.channels)
    pool.scratch_done(0)
    pool.scratch_done(1)


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef run* r = <run*>argument
    cdef long first = chunk * CHUNK, at = first * <long>r.itemsize
    r.loops.dropout_forward(r.itemsize, min(<long>CHUNK, r.n - first), first, r.key, r.threshold, r.scale, r.x + at,
                            r.y + at)
