# cython: language_level=3, boundscheck=False, cdivision=True
"""Convolution on the CPU, without a matrix of patches (im2col): the register tile reads the image itself.

    forward      y[n,i,j,k]  = b[k] + sum_r,s,c  x[n, i*stride + r*dilation - padding, j*..., c] * w[r,s,c,k]
    input_grad   dx[n,p,q,c] = sum_r,s,k  dy[n, (p + padding - r*dilation)/stride, (q + ...)/stride, k] * w[r,s,c,k]
    weight_grad  dw[r,s,c,k] = sum_n,i,j  x[n, i*stride + r*dilation - padding, j*..., c] * dy[n,i,j,k]

Memory is channels last: the channels of a pixel, and the pixels of a row, are consecutive. So for one output pixel and
one row r of the kernel, all (s, c) to be read are one contiguous run of x; the weights are packed in the same order.

forward and input_grad are one loop, the sweep (sweep.pxi). input_grad sweeps over dy with the kernel rotated by 180
degrees. Where stride > 1, the pixels of dx fall into stride x stride phases; each phase sees other taps of the kernel,
and is a sweep of its own. From the outside:

    chunk           some images, or some rows of one: the unit of work of a thread; its input stays in the L2 cache;
                    where there are few pixels or many weights, these for one block only
      group, block  as many output channels as the widest tile has (64 with AVX-512)
        tile        6 output pixels x 64 channels in registers     -> cpu/tile.h
          r         rows of the kernel
            (s, c)  one run of x times one run of the packed weights

A sweep for dx multiplies by zeros at the borders, and its vectors hold only the channels c. For small images, or few
channels, input_grad therefore scatters instead (scattering.pxi): for each row r of the kernel, a tile multiplies 6
pixels of dy by the weights, and adds the products to the runs (s, c) of dx that these pixels were computed from.

weight_grad exchanges the roles (correlation.pxi, and correlation_band.pxi for a band): a tile is 6 rows (r, s, c) of dw
x 64 channels k, and the sum runs over the pixels:

    slot              a fixed share of the images, with a dw of its own
      part            some rows of that dw, or all: the unit of work of a thread
        band          rows of an image whose x and dy fit into the L2 cache
          block       64 channels k
            piece     rows of the band whose dy, in these channels, fits into the L1 cache (for wide tiles, L2)
              tile
                i, j  pixels of the piece

With few channels k, a tile is 6 channels k x 64 numbers (s, c) of one row r instead.

At the end the slots are added in order. Their number depends on shapes alone, so results are bit-identical for any
number of threads; y and dx of an image are so for any batch that it is part of. Where dw is large compared with x and
dy, threads share blocks of it instead, each summed over all images (correlation_blocks.pxi).

Why it is fast: the same multiply-adds as a matrix product, but each input pixel enters the cache once. Only where there
is padding, or x is not channels last, is a chunk first copied, with its zeros, to scratch memory that stays in the
cache. Each thread packs the weights that its chunks read, once (pool.own_copy): weights packed by all threads for all
would have to cross between the caches of the cores, in both directions, at every call.
"""

import numpy as np

from libc.string cimport memcpy, memset

from ..cpu cimport buffers, pool, tiles
from ..cpu.tiles cimport TILE_MAX_ROWS, TILE_MAX_VECTORS
from ..cpu.views cimport real, view, view_of
from ..cpu.ceil_div cimport ceil_div
from . import output_size as _output_size

DTYPES = ("float32", "float64")


def forward(x, w, b, stride, padding, dilation, groups):
    n, k = x.shape[0], w.shape[0]
    oh, ow = _output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = buffers.empty((n, oh, ow, k), x.dtype)
    bias = None if b is None else np.ascontiguousarray(b)
    cdef view vx, vw, vb, vy
    cdef sweep s
    x, w, y = view_of(x, &vx), view_of(w, &vw), view_of(y, &vy)
    begin_forward(&s, &vx, &vw, stride, padding, dilation, groups)
    if bias is not None:
        bias = view_of(bias, &vb)
        s.bias = vb.data
    s.y = vy.data
    s.y_h, s.y_w = oh, ow
    s.y_image, s.y_row, s.y_column = vy.strides[0], vy.strides[1], vy.strides[2]
    run_sweep(&s)
    return y.transpose(0, 3, 1, 2)


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    h, width = input_size
    channels = w.shape[1] * groups
    dx = buffers.empty((dy.shape[0], h, width, channels), dy.dtype)
    cdef view vdy, vw, vdx
    cdef sweep s
    cdef scattering t
    dy, w, dx = view_of(dy, &vdy), view_of(w, &vw), view_of(dx, &vdx)
    if groups == 1 and dilation[1] == 1:
        begin_scattering(&t, &vdy, &vw, &vdx, stride, padding, dilation[0])
        if scattering_pays(&t):
            run_scattering(&t)
            return dx.transpose(0, 3, 1, 2)
    begin_input_grad(&s, &vdy, &vw, groups)
    cdef long phase_h, phase_w, step_h = stride[0], step_w = stride[1]
    for phase_h in range(min(step_h, vdx.shape[1])):
        for phase_w in range(min(step_w, vdx.shape[2])):
            set_phases(&s, phase_h, phase_w, &vdx, &vw, stride, padding, dilation)
            run_sweep(&s)
    return dx.transpose(0, 3, 1, 2)


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    k, group_in = dy.shape[1], x.shape[1] // groups
    dw = buffers.empty((k, group_in, *kernel_size), x.dtype)
    cdef view vx, vdy, vdw
    cdef correlation q
    x, dy, dw = view_of(x, &vx), view_of(dy, &vdy), view_of(dw, &vdw)
    images_of(&vdy, &q.dy)
    begin_correlation(&q, &vx, &vdw, stride, padding, dilation, groups)
    if dw.size:
        with nogil:
            correlate(&q)
    if q.out_of_memory:
        raise MemoryError(f"no memory for the partial gradients of w {dw.shape}")
    return dw


include "images.pxi"
include "sweep.pxi"
include "packing.pxi"
include "scattering.pxi"
include "correlation.pxi"
include "correlation_band.pxi"
include "correlation_blocks.pxi"
