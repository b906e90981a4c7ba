# cython: language_level=3, boundscheck=False, cdivision=True
"""Convolution on the CPU, without building the matrix of patches: the register tile walks over the image itself.

    forward      y[n,i,j,k]  = b[k] + sum_r,s,c  x[n, i*stride + r*dilation - padding, j*..., c] * w[r,s,c,k]
    input_grad   dx[n,p,q,c] = sum_r,s,k  dy[n, (p + padding - r*dilation)/stride, (q + ...)/stride, k] * w[r,s,c,k]
    weight_grad  dw[r,s,c,k] = sum_n,i,j  x[n, i*stride + r*dilation - padding, j*..., c] * dy[n,i,j,k]

Memory is channels last: the channels of a pixel, and the pixels of a row, are consecutive, so for one output pixel and
one row r of the kernel the numbers to read, all (s, c), are one run of x. The weights are packed to the same order.

forward and input_grad are one loop, the sweep (sweep.pxi). For a gradient it sweeps over dy with the kernel turned
round; where stride > 1, the pixels of dx fall into stride x stride phases, each of which sees its own part of the
kernel, and each is one sweep. From the outside:

    chunk           some images, or some rows of one: the unit of work of a thread; its input stays in the L2 cache
      group, block  as many output channels as the widest tile has (64 with AVX-512)
        tile        6 output pixels x 64 channels in registers     -> cpu/tile.h
          r         rows of the kernel
            (s, c)  one run of x times one run of the packed weights

A sweep for dx multiplies zeros at the borders, and fills vectors with the channels of x alone. For small images, or few
channels, input_grad therefore scatters instead (scattering.pxi): for each row r of the kernel, a tile of 6 pixels of dy
is added to the runs (s, c) of dx that they have been made of.

weight_grad exchanges the roles (correlation.pxi): a tile is 6 numbers (r, s, c) x 64 channels k, and the sum runs over
the pixels:

    slot            a fixed share of the images, with a dw of its own: unit of work of a thread
      band          rows of an image whose x and dy fit into the L2 cache
        block, tile
          i, j      pixels of the band

(with few channels k, a tile is 6 channels k x 64 numbers (s, c) of one row r).

At the end the slots are added up in order. How many there are depends on shapes alone, so the number of threads does
not change a bit of the result; nor does the batch that an image comes in change its y or dx.

Why it is fast: the same multiply-adds as a matrix product, but each input pixel comes into the cache once. Only where
there is padding, or where x is not in channels-last memory, a chunk is first copied, with its zeros, to a scratch that
stays in the cache.
"""

from math import gcd

import numpy as np

from libc.string cimport memcpy, memset

from ..cpu cimport pool, tiles
from ..cpu.tiles cimport TILE_MAX_ROWS
from ..cpu.views cimport view, view_of
from . import output_size as _output_size

DTYPES = ("float32", "float64")

ctypedef fused real:
    float
    double

cdef enum:
    CACHE_BYTES = 256 << 10  # what a chunk may take of the L2 cache for its images
    CHUNKS_PER_THREAD = 4
    SLOTS = 4  # partial weight gradients

# An image batch in any memory order, and the window of it that a chunk reads.
ctypedef struct images:
    const void* data
    long n, c, h, w
    long n_stride, c_stride, h_stride, w_stride


def forward(x, w, b, stride, padding, dilation, groups):
    n, k = x.shape[0], w.shape[0]
    oh, ow = _output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.empty((n, oh, ow, k), x.dtype)
    if b is None:
        bias = None
    else:
        bias = np.ascontiguousarray(b)
    cdef view vx, vw, vb, vy
    cdef sweep s
    x, w, y = view_of(x, &vx), view_of(w, &vw), view_of(y, &vy)
    begin(&s, &vx, &vw, groups)
    s.group_out = s.out_channels = vw.shape[0]
    s.group_out //= s.groups
    s.w_in, s.w_out = vw.strides[1], vw.strides[0]
    if bias is not None:
        bias = view_of(bias, &vb)
        s.bias = vb.data
    for axis in range(2):
        s.step[axis], s.origin[axis], s.taps[axis] = stride[axis], -padding[axis], vw.shape[2 + axis]
        s.first_tap[axis], s.next_tap[axis], s.spread[axis] = 0, 1, dilation[axis]
    s.y = vy.data
    s.y_h, s.y_w = oh, ow
    s.y_image, s.y_row, s.y_column = vy.strides[0], vy.strides[1], vy.strides[2]
    run_sweep(&s)
    return y.transpose(0, 3, 1, 2)


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    h, width = input_size
    channels = w.shape[1] * groups
    dx = np.empty((dy.shape[0], h, width, channels), dy.dtype)
    cdef view vdy, vw, vdx
    cdef sweep s
    cdef scattering t
    dy, w, dx = view_of(dy, &vdy), view_of(w, &vw), view_of(dx, &vdx)
    if groups == 1 and dilation[1] == 1:
        begin_scattering(&t, &vdy, &vw, &vdx, stride, padding, dilation[0])
        if scattering_pays(&t):
            run_scattering(&t)
            return dx.transpose(0, 3, 1, 2)
    begin(&s, &vdy, &vw, groups)
    s.group_out, s.out_channels = vw.shape[1], channels
    s.w_in, s.w_out = vw.strides[0], vw.strides[1]
    cdef long phase_h, phase_w, step_h = stride[0], step_w = stride[1]
    for phase_h in range(min(step_h, vdx.shape[1])):
        for phase_w in range(min(step_w, vdx.shape[2])):
            see_phase(&s, 0, phase_h, w.shape[2], stride[0], padding[0], dilation[0])
            see_phase(&s, 1, phase_w, w.shape[3], stride[1], padding[1], dilation[1])
            s.y_h = rounded_up(vdx.shape[1] - phase_h, step_h)
            s.y_w = rounded_up(vdx.shape[2] - phase_w, step_w)
            s.y = vdx.data + (phase_h * vdx.strides[1] + phase_w * vdx.strides[2]) * <long>vdx.itemsize
            s.y_image = vdx.strides[0]
            s.y_row, s.y_column = step_h * vdx.strides[1], step_w * vdx.strides[2]
            run_sweep(&s)
    return dx.transpose(0, 3, 1, 2)


cdef void see_phase(sweep* s, int axis, long phase, long taps, long stride, long padding, long dilation):
    """Which taps r the pixels p = phase + t*stride of dx see: those where p + padding - r*dilation divides by stride.

    They are `period` apart. From the last to the first, the row of dy that they meet at t = 0 ascends.
    """
    cdef long period = stride // gcd(stride, dilation), r = taps - 1
    while r >= 0 and (phase + padding - r * dilation) % stride != 0:
        r -= 1
    s.step[axis], s.first_tap[axis], s.next_tap[axis] = 1, r, -period
    s.taps[axis] = r // period + 1 if r >= 0 else 0
    s.origin[axis], s.spread[axis] = (phase + padding - r * dilation) // stride, period * dilation // stride


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    k, group_in = dy.shape[1], x.shape[1] // groups
    dw = np.empty((k, group_in, *kernel_size), x.dtype)
    cdef view vx, vdy, vdw
    cdef correlation q
    x, dy, dw = view_of(x, &vx), view_of(dy, &vdy), view_of(dw, &vdw)
    q.tiles, q.itemsize = tiles.table(vx.itemsize), vx.itemsize
    images_of(&vx, &q.x)
    images_of(&vdy, &q.dy)
    q.groups, q.group_in, q.group_out = groups, group_in, k // groups
    q.taps[0], q.taps[1] = kernel_size
    for axis in range(2):
        q.step[axis], q.padding[axis], q.dilation[axis] = stride[axis], padding[axis], dilation[axis]
    q.dw = vdw.data
    q.out_of_memory = False
    if dw.size:
        with nogil:
            correlate(&q)
    if q.out_of_memory:
        raise MemoryError(f"no memory for the partial gradients of w {dw.shape}")
    return dw


cdef void images_of(const view* v, images* x):
    x.data = v.data
    x.n, x.c, x.h, x.w = v.shape[0], v.shape[1], v.shape[2], v.shape[3]
    x.n_stride, x.h_stride, x.w_stride = v.strides[0], v.strides[2], v.strides[3]
    x.c_stride = v.strides[1] if x.c > 1 else 1  # what the stride of a single channel says means nothing


cdef void copy_window(const real* tag, const images* x, long n, long top, long left, long rows, long columns,
                      real* out) noexcept nogil:
    """out[i, j, c] = x[n, c, top + i, left + j], and 0 outside the image."""
    cdef long i, j, c, row, channels = x.c
    cdef long first = min(max(0, -left), columns), end = max(first, min(columns, x.w - left))
    cdef const real* source
    for i in range(rows):
        row = top + i
        if row < 0 or row >= x.h:
            memset(out, 0, columns * channels * sizeof(real))
        else:
            memset(out, 0, first * channels * sizeof(real))
            source = <const real*>x.data + n * x.n_stride + row * x.h_stride + (left + first) * x.w_stride
            if x.c_stride == 1 and x.w_stride == channels:
                memcpy(out + first * channels, source, (end - first) * channels * sizeof(real))
            else:
                for c in range(channels):
                    for j in range(end - first):
                        out[(first + j) * channels + c] = source[j * x.w_stride + c * x.c_stride]
            memset(out + end * channels, 0, (columns - end) * channels * sizeof(real))
        out += columns * channels


cdef inline long rounded_up(long n, long part) noexcept nogil:
    return (n + part - 1) // part


include "sweep.pxi"
include "scattering.pxi"
include "correlation.pxi"
