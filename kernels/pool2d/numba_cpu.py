"""Pooling in Numba, channels last in memory: the formulas of the contract as loops, in parallel on all cores.

In the forward passes, a thread takes a row of y. max_gather and the two gradients, which add to an image, take a whole
image.
"""

import numpy as np
from numba import njit, prange

from ..arrays import channels_last
from ..threads import set_numba_threads
from . import output_size, taps_dtype

DTYPES = ("float32", "float64")

jit = njit(parallel=True, cache=True)


def max_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    set_numba_threads()
    size = output_size(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    y = np.full((x.shape[0], *size, x.shape[1]), -np.inf, x.dtype)
    taps = np.zeros(y.shape, taps_dtype(kernel_size))
    _max_forward(_nhwc(x), y, taps, kernel_size, stride, padding, dilation)
    return y.transpose(0, 3, 1, 2), taps.transpose(0, 3, 1, 2)


def max_scatter(dy, taps, input_size, kernel_size, stride, padding, dilation):
    set_numba_threads()
    dx = np.zeros((dy.shape[0], *input_size, dy.shape[1]), dy.dtype)
    _max_scatter(_nhwc(dy), _nhwc(taps), dx, kernel_size, stride, padding, dilation)
    return dx.transpose(0, 3, 1, 2)


def max_gather(x, taps, kernel_size, stride, padding, dilation):
    set_numba_threads()
    taps = _nhwc(taps)
    y = np.zeros(taps.shape, x.dtype)
    _max_gather(_nhwc(x), taps, y, kernel_size, stride, padding, dilation)
    return y.transpose(0, 3, 1, 2)


def avg_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    set_numba_threads()
    size = output_size(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    y = np.zeros((x.shape[0], *size, x.shape[1]), x.dtype)
    _avg_forward(_nhwc(x), y, kernel_size, stride, padding, count_include_pad)
    return y.transpose(0, 3, 1, 2)


def avg_input_grad(dy, input_size, kernel_size, stride, padding, ceil_mode, count_include_pad):
    set_numba_threads()
    dx = np.zeros((dy.shape[0], *input_size, dy.shape[1]), dy.dtype)
    _avg_input_grad(_nhwc(dy), dx, kernel_size, stride, padding, count_include_pad)
    return dx.transpose(0, 3, 1, 2)


def _nhwc(x):
    return np.require(channels_last(x).transpose(0, 2, 3, 1), requirements="CAW")


@jit
def _max_forward(x, y, taps, kernel_size, stride, padding, dilation):
    images, oh, ow, channels = y.shape
    for row in prange(images * oh):
        n, i = row // oh, row % oh
        for j in range(ow):
            first = True
            for r in range(kernel_size[0]):
                p = i * stride[0] + r * dilation[0] - padding[0]
                for s in range(kernel_size[1]):
                    q = j * stride[1] + s * dilation[1] - padding[1]
                    if 0 <= p < x.shape[1] and 0 <= q < x.shape[2]:
                        for c in range(channels):
                            # y[n,i,j,c] = max_r,s x[n,p,q,c], the first of equals; NaN is larger than any number
                            value, best = x[n, p, q, c], y[n, i, j, c]
                            if first or value > best or (value != value and best == best):
                                y[n, i, j, c] = value
                                taps[n, i, j, c] = r * kernel_size[1] + s
                        first = False


@njit
def _pixel_of(tap, i, j, kernel_size, stride, padding, dilation):
    r, s = tap // kernel_size[1], tap % kernel_size[1]
    return i * stride[0] + r * dilation[0] - padding[0], j * stride[1] + s * dilation[1] - padding[1]


@jit
def _max_scatter(dy, taps, dx, kernel_size, stride, padding, dilation):
    for n in prange(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for c in range(dy.shape[3]):
                    p, q = _pixel_of(np.int64(taps[n, i, j, c]), i, j, kernel_size, stride, padding, dilation)
                    if 0 <= p < dx.shape[1] and 0 <= q < dx.shape[2]:
                        dx[n, p, q, c] += dy[n, i, j, c]


@jit
def _max_gather(x, taps, y, kernel_size, stride, padding, dilation):
    for n in prange(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for c in range(y.shape[3]):
                    p, q = _pixel_of(np.int64(taps[n, i, j, c]), i, j, kernel_size, stride, padding, dilation)
                    if 0 <= p < x.shape[1] and 0 <= q < x.shape[2]:
                        y[n, i, j, c] = x[n, p, q, c]


@njit
def _counted(window, size, kernel_size, stride, padding, count_include_pad):
    """How many pixels a window counts in its divisor, along one axis."""
    first = window * stride - padding
    end = min(first + kernel_size, size + padding)
    return end - first if count_include_pad else min(end, size) - max(first, 0)


@jit
def _avg_forward(x, y, kernel_size, stride, padding, count_include_pad):
    images, oh, ow, channels = y.shape
    for row in prange(images * oh):
        n, i = row // oh, row % oh
        rows = _counted(i, x.shape[1], kernel_size[0], stride[0], padding[0], count_include_pad)
        for j in range(ow):
            columns = _counted(j, x.shape[2], kernel_size[1], stride[1], padding[1], count_include_pad)
            for r in range(kernel_size[0]):
                for s in range(kernel_size[1]):
                    p, q = i * stride[0] + r - padding[0], j * stride[1] + s - padding[1]
                    if 0 <= p < x.shape[1] and 0 <= q < x.shape[2]:
                        for c in range(channels):
                            y[n, i, j, c] += x[n, p, q, c]
            for c in range(channels):
                # y[n,i,j,c] = sum_r,s x[n,p,q,c] / divisor[i,j]
                y[n, i, j, c] /= y.dtype.type(rows * columns)


@jit
def _avg_input_grad(dy, dx, kernel_size, stride, padding, count_include_pad):
    for n in prange(dy.shape[0]):
        for i in range(dy.shape[1]):
            rows = _counted(i, dx.shape[1], kernel_size[0], stride[0], padding[0], count_include_pad)
            for j in range(dy.shape[2]):
                columns = _counted(j, dx.shape[2], kernel_size[1], stride[1], padding[1], count_include_pad)
                divisor = dy.dtype.type(rows * columns)
                for r in range(kernel_size[0]):
                    for s in range(kernel_size[1]):
                        p, q = i * stride[0] + r - padding[0], j * stride[1] + s - padding[1]
                        if 0 <= p < dx.shape[1] and 0 <= q < dx.shape[2]:
                            for c in range(dy.shape[3]):
                                # dx[n,p,q,c] += dy[n,i,j,c] / divisor[i,j]
                                dx[n, p, q, c] += dy[n, i, j, c] / divisor
