# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Convolution, first step of the ladder: the formula as seven loops.

    y[n,k,i,j]  = b[k] + sum_c,r,s x[n, c, i*stride + r*dilation - padding, j*...] * w[k,c,r,s]

Loop order n, k, i, j, c, r, s, whatever the memory order of the arrays. Both gradients are the same loops with the
roles of x, w and y exchanged. Why it is slow: one number at a time, each waiting for the addition before it, and x is
read again for every output channel k. Next step: cython_blocked.pyx.
"""

import numpy as np

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
    y = np.zeros((x.shape[0], *size, w.shape[0]), x.dtype).transpose(0, 3, 1, 2)
    if b is not None:
        y += b[:, None, None]
    _run(FORWARD, x, w, y, stride, padding, dilation, groups)
    return y


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    dx = np.zeros((dy.shape[0], *input_size, w.shape[1] * groups), dy.dtype).transpose(0, 3, 1, 2)
    _run(INPUT_GRAD, dx, w, dy, stride, padding, dilation, groups)
    return dx


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    dw = np.zeros((dy.shape[1], x.shape[1] // groups, *kernel_size), x.dtype)
    _run(WEIGHT_GRAD, x, dw, dy, stride, padding, dilation, groups)
    return dw


cdef _run(pass_ which, x, w, y, stride, padding, dilation, groups):
    x, w, y = (np.require(v, requirements="AW") for v in (x, w, y))
    convolve(which, x, w, y, (*stride, *padding, *dilation), groups)


def convolve(pass_ which, real[:, :, :, :] x, real[:, :, :, :] w, real[:, :, :, :] y, geometry, Py_ssize_t groups):
    cdef Py_ssize_t n, k, i, j, c, r, s, p, q, channel, group_in = w.shape[1], group_out = w.shape[0] // groups
    cdef Py_ssize_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w
    stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w = geometry
    with nogil:
        for n in range(x.shape[0]):
            for k in range(w.shape[0]):
                for i in range(y.shape[2]):
                    for j in range(y.shape[3]):
                        for c in range(group_in):
                            channel = k // group_out * group_in + c
                            for r in range(w.shape[2]):
                                p = i * stride_h + r * dilation_h - pad_h
                                if p < 0 or p >= x.shape[2]:
                                    continue
                                for s in range(w.shape[3]):
                                    q = j * stride_w + s * dilation_w - pad_w
                                    if q < 0 or q >= x.shape[3]:
                                        continue
                                    if which == FORWARD:
                                        y[n, k, i, j] += x[n, channel, p, q] * w[k, c, r, s]
                                    elif which == INPUT_GRAD:
                                        x[n, channel, p, q] += y[n, k, i, j] * w[k, c, r, s]
                                    else:
                                        w[k, c, r, s] += x[n, channel, p, q] * y[n, k, i, j]
