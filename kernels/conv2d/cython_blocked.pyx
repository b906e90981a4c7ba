# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Convolution, second step of the ladder: channels last in memory, so that the innermost loop is vectorized.

    forward      y[n,i,j,:]      += x[n,p,q,c] * w[r,s,c,:]         p = i*stride + r*dilation - padding, q = j*...
    input_grad   dx[n,p,q,c]     += dy[n,i,j,:] . w[r,s,c,:]
    weight_grad  dw[r,s,c,:]     += x[n,p,q,c] * dy[n,i,j,:]

Loop order n, i, r, j, s, c, k. The channels k of a pixel are consecutive numbers, which the compiler turns into vector
instructions. For one output row i and one kernel row r, the loops touch one row of x, one of y and one of w, which stay
in the cache. What still limits it: each multiply-add loads and stores a number of the result. The last step,
cython_cpu.pyx, keeps a tile of the result in registers.

Each group is one call of the loops.
"""

import numpy as np

from ..arrays import channels_last
from . import output_size as _output_size

DTYPES = ("float32", "float64")

ctypedef fused real:
    float
    double

cdef enum pass_:
    FORWARD
    INPUT_GRAD
    WEIGHT_GRAD


def forward(x, w, b, stride, padding, dilation, groups):
    size = _output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.zeros((x.shape[0], *size, w.shape[0]), x.dtype)
    if b is not None:
        y += b
    _run(FORWARD, _nhwc(x), _rsck(w), y, stride, padding, dilation, groups)
    return y.transpose(0, 3, 1, 2)


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    dx = np.zeros((dy.shape[0], *input_size, w.shape[1] * groups), dy.dtype)
    _run(INPUT_GRAD, dx, _rsck(w), _nhwc(dy), stride, padding, dilation, groups)
    return dx.transpose(0, 3, 1, 2)


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    dw = np.zeros((*kernel_size, x.shape[1] // groups, dy.shape[1]), x.dtype)
    _run(WEIGHT_GRAD, _nhwc(x), dw, _nhwc(dy), stride, padding, dilation, groups)
    return np.ascontiguousarray(dw.transpose(3, 2, 0, 1))


def _nhwc(x):
    return np.require(channels_last(x).transpose(0, 2, 3, 1), requirements="AW")


def _rsck(w):
    return np.require(w.transpose(2, 3, 1, 0), requirements="CAW")


cdef _run(pass_ which, x, w, y, stride, padding, dilation, groups):
    group_in, group_out = w.shape[2], w.shape[3] // groups
    geometry = (*stride, *padding, *dilation)
    for g in range(groups):
        x_g, y_g = x[..., g * group_in : (g + 1) * group_in], y[..., g * group_out : (g + 1) * group_out]
        w_g = w[..., g * group_out : (g + 1) * group_out]
        convolve(which, x_g, w_g, y_g, geometry)


def convolve(pass_ which, real[:, :, :, :] x, real[:, :, :, :] w, real[:, :, :, :] y, geometry):
    cdef Py_ssize_t n, i, j, r, s, p, q, c, k, channels = w.shape[3]
    cdef Py_ssize_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w
    cdef real* x_pixel
    cdef real* y_pixel
    cdef real* w_tap
    cdef real total
    stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w = geometry
    if x.size == 0 or y.size == 0 or w.size == 0:
        return
    with nogil:
        for n in range(y.shape[0]):
            for i in range(y.shape[1]):
                for r in range(w.shape[0]):
                    p = i * stride_h + r * dilation_h - pad_h
                    if p < 0 or p >= x.shape[1]:
                        continue
                    for j in range(y.shape[2]):
                        for s in range(w.shape[1]):
                            q = j * stride_w + s * dilation_w - pad_w
                            if q < 0 or q >= x.shape[2]:
                                continue
                            x_pixel, y_pixel = &x[n, p, q, 0], &y[n, i, j, 0]
                            for c in range(w.shape[2]):
                                w_tap = &w[r, s, c, 0]
                                if which == FORWARD:
                                    for k in range(channels):
                                        y_pixel[k] = y_pixel[k] + x_pixel[c] * w_tap[k]
                                elif which == INPUT_GRAD:
                                    total = 0
                                    for k in range(channels):
                                        total = total + y_pixel[k] * w_tap[k]
                                    x_pixel[c] = x_pixel[c] + total
                                else:
                                    for k in range(channels):
                                        w_tap[k] = w_tap[k] + x_pixel[c] * y_pixel[k]
