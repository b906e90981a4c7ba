# cython: language_level=3, boundscheck=False, cdivision=True
"""Convolution, ReLU and max pooling on the CPU, band by band, so that z never leaves the cache.

    y[n,i,j,k]  = max(0, max over (u, v) of z[n, i*ph + u, j*pw + v, k])        z = conv2d(x, w, b)
    dz[n, i*ph + u, j*pw + v, k] = dy[n,i,j,k] where taps[n,i,j,k] == u*pw + v, else 0

A band is some rows of windows of one image, few enough for z and x to fit into the L2 cache. From the outside:

    forward    chunk    a band: the unit of work of a thread
                 z      the sweep of conv2d over its pixels, into scratch memory              -> conv2d/sweep.pxi
                 y      the maximum of each window                                           -> cpu/windows.h

The loops of backward are in backward.pxi and sparse.pxi.

Why it is fast: without fusion, z and dz, the largest arrays of a network (ph*pw times the size of y), are written to
memory and read back three times. Here only x, y, a byte for each y, and the gradients go through memory. And of the
ph*pw numbers of a window of dz all but one are 0: backward multiplies by that one only, where that pays.

Rows and columns of z beyond the last whole window are not computed. Where there are many weights and few pixels, as in
the last layers of a deep network, the three steps follow one another after all: reference.py, by the kernels of each.
"""

import numpy as np

from libc.limits cimport INT_MAX
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from .. import memory_order
from ..arrays import channels_last
from ..conv2d import output_size as _output_size
from . import pooled_size as _pooled_size
from . import reference as _reference

from ..cpu cimport buffers, pool, tiles, vector_loops
from ..cpu.tiles cimport TILE_MAX_ROWS, TILE_MAX_VECTORS
from ..cpu.views cimport real, view, view_of
from ..cpu.ceil_div cimport ceil_div

DTYPES = ("float32", "float64")

include "../conv2d/images.pxi"
include "../conv2d/sweep.pxi"
include "../conv2d/packing.pxi"
include "../conv2d/scattering.pxi"
include "../conv2d/correlation.pxi"
include "../conv2d/correlation_band.pxi"
include "../conv2d/correlation_blocks.pxi"

cdef enum:
    MAX_TAPS = 255
    # Where more weights than these are also more than the numbers in x and z, each thread's copy of them (forward) or
    # each slot's sum of their gradients (backward) costs more than z and dz in memory.
    MANY_TO_PACK = 1 << 20
    MANY_TO_ADD_UP = 1 << 17

ctypedef struct windows:
    const tiles.tile_table* tiles
    size_t itemsize
    long images, channels
    long[2] size  # of a window
    long[2] count  # of the windows of an image
    long band_rows, bands  # rows of windows in a band; bands in an image
    long unit_images, units  # backward: a unit is one band, or some small images of one band each
    long z_row  # numbers in a row of z, which has count*size pixels
    bint out_of_memory

ctypedef struct forward_job:
    windows pool
    sweep conv
    void* y
    uint8_t* taps

include "backward.pxi"
include "sparse.pxi"


def forward(x, w, b, pool_size, stride, padding, dilation, groups):
    cdef view vx, vw, vb, vy, vtaps
    cdef forward_job f
    size = _pooled_size(_output_size(x.shape[2:], w.shape[2:], stride, padding, dilation), pool_size)
    outputs = x.shape[0] * w.shape[0] * size[0] * size[1]
    if w.size >= MANY_TO_PACK and has_more_weights(x, w, outputs, pool_size):
        return _reference.forward(x, w, b, pool_size, stride, padding, dilation, groups)
    y = buffers.empty((x.shape[0], *size, w.shape[0]), x.dtype)
    taps = buffers.empty(y.shape, np.uint8)
    bias = None if b is None else np.ascontiguousarray(b)
    x, w, y, taps = view_of(x, &vx), view_of(w, &vw), view_of(y, &vy), view_of(taps, &vtaps)
    begin_forward(&f.conv, &vx, &vw, stride, padding, dilation, groups)
    if bias is not None:
        bias = view_of(bias, &vb)
        f.conv.bias = vb.data
    begin_windows(&f.pool, &vy, pool_size)
    f.conv.y_h, f.conv.y_w = f.pool.count[0] * f.pool.size[0], f.pool.count[1] * f.pool.size[1]
    f.conv.y_row, f.conv.y_column, f.conv.y_image = f.pool.z_row, f.pool.channels, 0
    f.y, f.taps, f.conv.job = vy.data, <uint8_t*>vtaps.data, pool.new_job()
    if y.size:
        with nogil:
            forward_all(&f)
    if f.pool.out_of_memory or f.conv.out_of_memory:
        raise MemoryError("no memory for the packed weights or a band of a convolution")
    return y.transpose(0, 3, 1, 2), taps.transpose(0, 3, 1, 2)


def backward(dy, taps, x, w, pool_size, needs_dx, stride, padding, dilation, groups):
    one_by_one = w.size >= MANY_TO_ADD_UP and has_more_weights(x, w, dy.size, pool_size)
    if one_by_one or not (dy.size and x.size and w.size):
        return _reference.backward(dy, taps, x, w, pool_size, needs_dx, stride, padding, dilation, groups)
    cdef view vdy, vtaps, vx, vw, vdx, vdw, vdb
    cdef backward_job f
    dw, db = buffers.empty(w.shape, w.dtype), buffers.empty(w.shape[:1], w.dtype)
    dx = buffers.empty((x.shape[0], *x.shape[2:], x.shape[1]), x.dtype) if needs_dx else None
    dy = view_of(memory_order.channels_last(dy).transpose(0, 2, 3, 1), &vdy)
    taps = view_of(channels_last(taps).transpose(0, 2, 3, 1), &vtaps)
    x, w, dw, db = view_of(x, &vx), view_of(w, &vw), view_of(dw, &vdw), view_of(db, &vdb)
    begin_windows(&f.pool, &vdy, pool_size)
    f.dy, f.taps, f.needs_dx, f.scatters, f.phase_count = vdy.data, <const uint8_t*>vtaps.data, needs_dx, False, 0
    f.stride, f.padding, f.dx_rows, f.job = stride[0], padding[0], vx.shape[2], pool.new_job()
    f.halo = (vw.shape[2] - 1) * <long>dilation[0] // f.stride if needs_dx else 0
    begin_correlation(&f.dw, &vx, &vdw, stride, padding, dilation, groups)
    images_of_z(&f.pool, &f.dw.dy)
    lay_out_partial(&f.dw)
    f.sparse = sparse_pays(&f.pool, &f.dw, needs_dx)
    if f.sparse:
        exchange(&f.dw)
    # describe dz for the loops of conv2d; each band sets the address of its part
    cdef view vdz
    vdz.itemsize, vdz.data, vdz.ndim = vdy.itemsize, NULL, 4
    vdz.shape[:4] = [vdy.shape[0], f.pool.channels, f.dw.dy.h, f.dw.dy.w]
    vdz.strides[:4] = [0, 1, f.pool.z_row, f.pool.channels]
    if needs_dx:
        dx = view_of(dx, &vdx)
        begin_dx(&f, &vdz, &vw, &vdx, stride, padding, dilation, groups)
    with nogil:
        if f.pool.itemsize == sizeof(float):
            backward_all(<float*>NULL, &f, <float*>vdb.data)
        else:
            backward_all(<double*>NULL, &f, <double*>vdb.data)
    if f.pool.out_of_memory:
        raise MemoryError(f"no memory for the partial gradients of w {w.shape}")
    return dx.transpose(0, 3, 1, 2) if needs_dx else None, dw, db


cdef bint has_more_weights(x, w, outputs, pool_size):
    """Whether w has more numbers than x and z together."""
    return w.size > x.size + outputs * pool_size[0] * pool_size[1]


cdef void begin_windows(windows* p, const view* y, pool_size):
    """y (N, OH, OW, K)"""
    cdef int axis
    p.tiles, p.itemsize, p.images, p.channels = tiles.table(y.itemsize), y.itemsize, y.shape[0], y.shape[3]
    for axis in range(2):
        p.size[axis], p.count[axis] = pool_size[axis], y.shape[1 + axis]
    p.z_row = p.count[1] * p.size[1] * p.channels
    p.out_of_memory = False


cdef void cut_into_bands(windows* p, long row_bytes, long wanted) noexcept nogil:
    """Bands of as many rows (of `row_bytes` each) as the cache holds, but at least `wanted` bands in all."""
    p.band_rows = min(p.count[0], max(1, CACHE_BYTES // (p.size[0] * row_bytes + 1)))
    if p.images * ceil_div(p.count[0], p.band_rows) < wanted:
        p.band_rows = ceil_div(p.count[0], min(p.count[0], ceil_div(wanted, p.images)))
    p.bands = ceil_div(p.count[0], p.band_rows)


cdef void forward_all(forward_job* f) noexcept nogil:
    cdef sweep* s = &f.conv
    find_runs(s, can_stay_in_place(s))
    cut_into_bands(&f.pool, (f.pool.z_row + s.step[0] * s.x.w * s.x.c) * <long>s.itemsize,
                   CHUNKS_PER_THREAD * pool.num_threads() if pool.num_threads() > 1 else 1)
    pool.run(f.pool.images * f.pool.bands, forward_band_of, f)


cdef void forward_band_of(void* argument, long chunk) noexcept nogil:
    cdef forward_job* job = <forward_job*>argument
    if job.pool.itemsize == sizeof(float):
        forward_band(<float*>NULL, job, chunk)
    else:
        forward_band(<double*>NULL, job, chunk)


cdef void forward_band(const real* tag, forward_job* f, long chunk) noexcept nogil:
    cdef windows* p = &f.pool
    cdef long n = chunk // p.bands, first = chunk % p.bands * p.band_rows, i
    cdef long rows = min(p.band_rows, p.count[0] - first), at = (n * p.count[0] + first) * p.count[1] * p.channels
    cdef real* z = <real*>pool.scratch(3, rows * p.size[0] * p.z_row * sizeof(real))
    cdef sweep* s = &f.conv
    cdef real* packed = <real*>pool.own_copy(s.job, 0, packed_size(s, 0, s.blocks) * sizeof(real), pack_part, s)
    cdef int taps[MAX_TAPS]
    cdef long offsets[MAX_TAPS]
    if z == NULL or packed == NULL:
        p.out_of_memory = True
        return
    sweep_rows(s, packed, 0, n, 1, first * p.size[0], rows * p.size[0], z)
    taps_of_window(p, offsets)
    for i in range(MAX_TAPS):
        taps[i] = <int>i
    for i in range(rows):
        p.tiles.max_windows(p.count[1], z + i * p.size[0] * p.z_row, p.size[1] * p.channels,
                            <int>(p.size[0] * p.size[1]), offsets, taps, <int>(p.size[0] * p.size[1]), p.channels,
                            <real*>f.y + at, f.taps + at)
        at += p.count[1] * p.channels


cdef void taps_of_window(const windows* p, long* offsets) noexcept nogil:
    """The offsets of a window's taps in z."""
    cdef long u, v
    for u in range(p.size[0]):
        for v in range(p.size[1]):
            offsets[u * p.size[1] + v] = u * p.z_row + v * p.channels
