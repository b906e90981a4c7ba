"""Convolution as a sum over the taps (r, s) of the kernel: each tap is a matrix product over the channels.

For one tap, the pixels that all output pixels read form a strided slice of the padded input. As matrices, with G groups
and P = N*OH*OW pixels: slice of x (G, P, C/G), tap of w (G, C/G, K/G), output (G, P, K/G).
"""

from ..arrays import array_module, channels_last
from . import output_size


def forward(x, w, b, stride, padding, dilation, groups):
    xp, (n, _, *input_size), (k, _, *kernel_size) = array_module(x), x.shape, w.shape
    size = output_size(input_size, kernel_size, stride, padding, dilation)
    x = _pad(x, padding)
    y = xp.zeros((groups, n * size[0] * size[1], k // groups), dtype=x.dtype)
    for r, s, rows, columns in _taps(kernel_size, size, stride, dilation):
        # y[n,k,i,j] += sum_c x[n, c, i*stride + r*dilation, j*stride + s*dilation] * w[k,c,r,s]
        y += _to_matrices(x[:, :, rows, columns], groups) @ _group(w[:, :, r, s], groups).swapaxes(1, 2)
    y = _to_images(y, n, size)
    return y if b is None else y + b[:, None, None]


def input_grad(dy, w, input_size, stride, padding, dilation, groups):
    xp, (n, _, *size), (_, group_channels, *kernel_size) = array_module(dy), dy.shape, w.shape
    (h, width), (top, left) = input_size, padding
    dx = xp.zeros((n, h + 2 * top, width + 2 * left, group_channels * groups), dtype=dy.dtype).transpose(0, 3, 1, 2)
    dy = _to_matrices(dy, groups)
    for r, s, rows, columns in _taps(kernel_size, size, stride, dilation):
        # dx[n, c, i*stride + r*dilation, j*stride + s*dilation] += sum_k dy[n,k,i,j] * w[k,c,r,s]
        dx[:, :, rows, columns] += _to_images(dy @ _group(w[:, :, r, s], groups), n, size)
    return channels_last(dx[:, :, top : top + h, left : left + width])


def weight_grad(x, dy, kernel_size, stride, padding, dilation, groups):
    xp, (_, k, *size) = array_module(x), dy.shape
    x, dy = _pad(x, padding), _to_matrices(dy, groups).swapaxes(1, 2)
    dw = xp.zeros((k, x.shape[1] // groups, *kernel_size), dtype=x.dtype)
    for r, s, rows, columns in _taps(kernel_size, size, stride, dilation):
        # dw[k,c,r,s] = sum_n,i,j dy[n,k,i,j] * x[n, c, i*stride + r*dilation, j*stride + s*dilation]
        dw[:, :, r, s] = (dy @ _to_matrices(x[:, :, rows, columns], groups)).reshape(dw.shape[:2])
    return dw


def _pad(x, padding):
    return array_module(x).pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)) if any(padding) else x


def _taps(kernel_size, size, stride, dilation):
    """Yield each tap (r, s) with the rows and the columns of the padded input that it reads."""
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            first = r * dilation[0], s * dilation[1]
            end = tuple(first[a] + (size[a] - 1) * stride[a] + 1 for a in (0, 1))
            rows, columns = (slice(first[a], end[a], stride[a]) for a in (0, 1))
            yield r, s, rows, columns


def _to_matrices(x, groups):
    """(N, C, OH, OW) -> (G, N*OH*OW, C/G)"""
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 0, 3, 4, 2).reshape(groups, n * h * w, c // groups)


def _to_images(matrices, n, size):
    """(G, N*OH*OW, K/G) -> (N, K, OH, OW), channels last in memory"""
    groups, _, channels = matrices.shape
    images = matrices.reshape(groups, n, *size, channels).transpose(1, 0, 4, 2, 3)
    return channels_last(images.reshape(n, groups * channels, *size))


def _group(tap, groups):
    """(K, C/G) -> (G, K/G, C/G)"""
    return tap.reshape(groups, tap.shape[0] // groups, tap.shape[1])
