"""Pooling as a loop over the taps (r, s) of the window: for one tap, all windows read one strided slice of the image.

The image is padded, before it by `padding` and after it as far as the last window reaches, so that every window has all
its taps. Gradients are computed with the padding, which is then cut off.
"""

import numpy as np

from ..arrays import array_module, channels_last
from . import output_size as pooled_size
from . import taps_dtype


def max_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    xp, input_size = array_module(x), x.shape[2:]
    output_size = pooled_size(input_size, kernel_size, stride, padding, dilation, ceil_mode)
    x = channels_last(x)
    lowest = -np.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else np.iinfo(x.dtype).min
    padded = _pad(x, lowest, kernel_size, stride, padding, dilation, output_size)
    inside = _pad(xp.ones((1, 1, *input_size), bool), False, kernel_size, stride, padding, dilation, output_size)
    y = xp.full_like(padded[_tap(0, 0, stride, dilation, output_size)], lowest)
    taps = xp.full_like(y, -1, dtype=np.int32)
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            here = _tap(r, s, stride, dilation, output_size)
            value = padded[here]
            # y[n,c,i,j] = max_r,s x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding]
            better = (value > y) | ((value != value) & (y == y)) | ((taps < 0) & inside[here])
            y = xp.where(better, value, y)
            taps = xp.where(better, r * kernel_size[1] + s, taps)
    taps = xp.maximum(taps, 0).astype(taps_dtype(kernel_size))  # a window without pixels inside x gets tap 0
    return channels_last(y), channels_last(taps)


def max_scatter(dy, taps, input_size, kernel_size, stride, padding, dilation):
    xp, output_size = array_module(dy), dy.shape[2:]
    zeros = _zeros_like_image(dy, input_size)
    dx = _pad(zeros, 0, kernel_size, stride, padding, dilation, output_size)
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            # dx[n,c, pixel of tap (r, s)] += dy[n,c,i,j] where taps[n,c,i,j] == r*kw + s
            chosen = taps == r * kernel_size[1] + s
            dx[_tap(r, s, stride, dilation, output_size)] += xp.where(chosen, dy, xp.zeros((), dy.dtype))
    return _unpad(dx, input_size, padding)


def max_gather(x, taps, kernel_size, stride, padding, dilation):
    xp, output_size = array_module(x), taps.shape[2:]
    padded = _pad(channels_last(x), 0, kernel_size, stride, padding, dilation, output_size)
    y = xp.zeros_like(padded[_tap(0, 0, stride, dilation, output_size)])
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            # y[n,c,i,j] = x[n,c, pixel of tap (r, s)] where taps[n,c,i,j] == r*kw + s
            chosen = taps == r * kernel_size[1] + s
            y = xp.where(chosen, padded[_tap(r, s, stride, dilation, output_size)], y)
    return channels_last(y)


def avg_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    xp, input_size = array_module(x), x.shape[2:]
    output_size = pooled_size(input_size, kernel_size, stride, padding, (1, 1), ceil_mode)
    padded = _pad(channels_last(x), 0, kernel_size, stride, padding, (1, 1), output_size)
    y = xp.zeros_like(padded[_tap(0, 0, stride, (1, 1), output_size)])
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            # y[n,c,i,j] = sum_r,s x[n, c, i*stride + r - padding, j*stride + s - padding] / divisor[i,j]
            y += padded[_tap(r, s, stride, (1, 1), output_size)]
    divisor = _divisor(input_size, output_size, kernel_size, stride, padding, count_include_pad)
    return channels_last(y / xp.asarray(divisor, dtype=y.dtype))


def avg_input_grad(dy, input_size, kernel_size, stride, padding, ceil_mode, count_include_pad):
    xp, output_size = array_module(dy), dy.shape[2:]
    divisor = _divisor(input_size, output_size, kernel_size, stride, padding, count_include_pad)
    share = dy / xp.asarray(divisor, dtype=dy.dtype)
    dx = _pad(_zeros_like_image(dy, input_size), 0, kernel_size, stride, padding, (1, 1), output_size)
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            # dx[n, c, i*stride + r - padding, j*stride + s - padding] += dy[n,c,i,j] / divisor[i,j]
            dx[_tap(r, s, stride, (1, 1), output_size)] += share
    return _unpad(dx, input_size, padding)


def _tap(r, s, stride, dilation, output_size):
    """The index of the pixels that tap (r, s) of every window reads in the padded image."""
    rows, columns = (
        slice(tap * dilation[a], tap * dilation[a] + (output_size[a] - 1) * stride[a] + 1, stride[a])
        for a, tap in enumerate((r, s))
    )
    return (slice(None), slice(None), rows, columns)


def _pad(x, value, kernel_size, stride, padding, dilation, output_size):
    widths = [(0, 0), (0, 0)]
    for a in (0, 1):
        reach = (output_size[a] - 1) * stride[a] + dilation[a] * (kernel_size[a] - 1) + 1  # pixels the windows cover
        widths.append((padding[a], max(0, reach - padding[a] - x.shape[2 + a])))
    return array_module(x).pad(x, widths, constant_values=value)


def _unpad(dx, input_size, padding):
    (h, w), (top, left) = input_size, padding
    return channels_last(dx[:, :, top : top + h, left : left + w])


def _zeros_like_image(dy, input_size):
    n, c = dy.shape[:2]
    return array_module(dy).zeros((n, *input_size, c), dtype=dy.dtype).transpose(0, 3, 1, 2)


def _divisor(input_size, output_size, kernel_size, stride, padding, count_include_pad):
    """How many pixels each window counts, (OH, OW), by PyTorch's rules."""
    counts = []
    for size, outputs, taps, step, pad in zip(input_size, output_size, kernel_size, stride, padding, strict=True):
        first = np.arange(outputs) * step - pad
        end = np.minimum(first + taps, size + pad)
        if not count_include_pad:
            first, end = np.maximum(first, 0), np.minimum(end, size)
        counts.append(end - first)
    return counts[0][:, None] * counts[1][None, :]
