"""Convolution, ReLU and pooling one after the other, and their gradients in reverse order.

Each is called through its contract, so by the backend that was asked for.
"""

from .. import channel_sums, conv2d, pool2d
from ..arrays import array_module


def forward(x, w, b, pool_size, stride, padding, dilation, groups):
    xp = array_module(x)
    z = conv2d.forward(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)
    largest, taps = pool2d.max_forward(z, pool_size)
    # y = max(0, z), and NaN stays NaN
    y = xp.maximum(largest, xp.zeros((), z.dtype))
    none = xp.asarray(pool_size[0] * pool_size[1], dtype=taps.dtype)
    return y, xp.where(largest <= 0, none, taps)


def backward(dy, taps, x, w, pool_size, needs_dx, stride, padding, dilation, groups):
    xp, none = array_module(x), pool_size[0] * pool_size[1]
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv_size = conv2d.output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    # dz gets dy at the tap of the maximum, if that was above 0
    positive, zero = taps != none, xp.zeros((), dy.dtype)
    dz = pool2d.max_scatter(xp.where(positive, dy, zero), xp.where(positive, taps, taps * 0), conv_size, pool_size)
    dx = conv2d.input_grad(dz, w, x.shape[2:], **geometry) if needs_dx else None
    return dx, conv2d.weight_grad(x, dz, w.shape[2:], **geometry), channel_sums.forward(dz)
