"""Convolution in Numba, channels last in memory: the innermost loop runs along channels.

That loop counts from 0 over a slice, because otherwise the compiler does not vectorize it.

    forward      y[n,i,j,k]  += x[n,p,q,c] * w[r,s,c,k]          p = i*stride + r*dilation - padding, q = j*...
    input_grad   dx[n,p,q,c] += dy[n,i,j,k] * w[r,s,k,c]
    weight_grad  dw[r,s,c,k] += x[n,p,q,c] * dy[n,i,j,k]

The unit of work of a thread is a row of y, a row of dx, or one (r, s, c) of dw. No two threads write to the same
number, so the result does not depend on the number of threads.
"""

import numpy as np
from numba import njit, prange

from ..arrays import channels_last
from ..threads import set_numba_threads
from . import output_size

DTYPES = ("float32", "float64")

jit = njit(parallel=True, cache=True, fastmath={"contract"})


def forward(x, w, b, stride, padding, dilation, groups):
    set_numba_threads()
    size = output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.zeros((x.shape[0], *size, w.shape[0]), x.dtype)
    if b is not None:
        y += b
    _forward(_nhwc(x), _packed(w.transpose(2, 3, 1, 0)), y, stride, padding, dilation, groups)
    return y.transpose(0, 3, 1, 2)


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    set_numba_threads()
    dx = np.zeros((dy.shape[0], *input_size, w.shape[1] * groups), dy.dtype)
    _input_grad(_nhwc(dy), _packed(w.transpose(2, 3, 0, 1)), dx, stride, padding, dilation, groups)
    return dx.transpose(0, 3, 1, 2)


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    set_numba_threads()
    dw = np.zeros((*kernel_size, x.shape[1] // groups, dy.shape[1]), x.dtype)
    _weight_grad(_nhwc(x), _nhwc(dy), dw, stride, padding, dilation, groups)
    return np.ascontiguousarray(dw.transpose(3, 2, 0, 1))


def _packed(x):
    return np.require(x, requirements="CAW")


def _nhwc(x):
    return _packed(channels_last(x).transpose(0, 2, 3, 1))


@jit
def _forward(x, w, y, stride, padding, dilation, groups):
    images, oh, ow, channels = y.shape
    taps_h, taps_w, group_in, _ = w.shape
    group_out = channels // groups
    for row in prange(images * oh):
        n, i = row // oh, row % oh
        for r in range(taps_h):
            p = i * stride[0] + r * dilation[0] - padding[0]
            if 0 <= p < x.shape[1]:
                for j in range(ow):
                    for s in range(taps_w):
                        q = j * stride[1] + s * dilation[1] - padding[1]
                        if 0 <= q < x.shape[2]:
                            for g in range(groups):
                                y_pixel = y[n, i, j, g * group_out : (g + 1) * group_out]
                                for c in range(group_in):
                                    x_c, w_tap = x[n, p, q, g * group_in + c], w[r, s, c, g * group_out :]
                                    for k in range(y_pixel.size):
                                        y_pixel[k] += x_c * w_tap[k]


@jit
def _input_grad(dy, w, dx, stride, padding, dilation, groups):
    images, h, width, channels = dx.shape
    taps_h, taps_w, k_all, group_in = w.shape
    group_out = k_all // groups
    for row in prange(images * h):
        n, p = row // h, row % h
        for r in range(taps_h):
            above = p + padding[0] - r * dilation[0]
            i = above // stride[0]
            if above >= 0 and above % stride[0] == 0 and i < dy.shape[1]:
                for j in range(dy.shape[2]):
                    for s in range(taps_w):
                        q = j * stride[1] + s * dilation[1] - padding[1]
                        if 0 <= q < width:
                            for k in range(k_all):
                                dy_k, w_tap = dy[n, i, j, k], w[r, s, k]
                                dx_pixel = dx[n, p, q, k // group_out * group_in :]
                                for c in range(w_tap.size):
                                    dx_pixel[c] += dy_k * w_tap[c]


@jit
def _weight_grad(x, dy, dw, stride, padding, dilation, groups):
    taps_h, taps_w, group_in, k_all = dw.shape
    group_out = k_all // groups
    for part in prange(taps_h * taps_w * group_in):
        r, s, c = part // group_in // taps_w, part // group_in % taps_w, part % group_in
        for n in range(dy.shape[0]):
            for i in range(dy.shape[1]):
                p = i * stride[0] + r * dilation[0] - padding[0]
                if 0 <= p < x.shape[1]:
                    for j in range(dy.shape[2]):
                        q = j * stride[1] + s * dilation[1] - padding[1]
                        if 0 <= q < x.shape[2]:
                            for g in range(groups):
                                x_c, dw_tap = x[n, p, q, g * group_in + c], dw[r, s, c, g * group_out :]
                                dy_pixel = dy[n, i, j, g * group_out : (g + 1) * group_out]
                                for k in range(dy_pixel.size):
                                    dw_tap[k] += x_c * dy_pixel[k]
