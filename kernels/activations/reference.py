"""The activations by the array module's own functions."""

import math

from ..arrays import array_module
from .error_function import erf

TWO_ROOT = 2 * math.sqrt(2 / math.pi)


def relu_forward(x):
    # y = max(x, 0)
    return array_module(x).maximum(x, x.dtype.type(0))


def relu_backward(dy, y):
    # dx = dy where y > 0, else 0
    return array_module(y).where(y <= 0, dy.dtype.type(0), dy)


def leaky_relu_forward(x, slope):
    # y = x where x > 0, else slope * x
    return array_module(x).where(x > 0, x, x * slope)


def leaky_relu_backward(dy, x, slope):
    # dx = dy where x > 0, else slope * dy
    return array_module(x).where(x > 0, dy, dy * slope)


def elu_forward(x, alpha):
    xp = array_module(x)
    # y = x where x >= 0 (-0 too), else alpha * (e^x - 1)
    return xp.where(x >= 0, x, alpha * xp.expm1(xp.minimum(x, x.dtype.type(0))))


def elu_backward(dy, x, alpha):
    xp = array_module(x)
    # dx = dy where x > 0, else dy * alpha * e^x
    return xp.where(x > 0, dy, dy * alpha * xp.exp(xp.minimum(x, x.dtype.type(0))))


def tanh_forward(x):
    return array_module(x).tanh(x)


def tanh_backward(dy, y):
    # dx = dy * (1 - y^2)
    return dy * (1 - y * y)


def sigmoid_forward(x):
    xp = array_module(x)
    # e^-|x| never overflows: y = 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def sigmoid_backward(dy, y):
    # dx = dy * y * (1 - y)
    return dy * (y * (1 - y))


def silu_forward(x):
    # y = x * sigmoid(x)
    return x * sigmoid_forward(x)


def silu_backward(dy, x):
    s = sigmoid_forward(x)
    # dx = dy * s * (1 + x * (1 - s))
    return dy * (s * (1 + x * (1 - s)))


def normal_below(x):
    # P(x) = (1 + erf(x / sqrt(2))) / 2
    return 0.5 * (1 + erf(0.7071067811865476 * x))


def gelu_forward(x):
    # y = x * P(x)
    return x * normal_below(x)


def gelu_backward(dy, x):
    # dx = dy * (P(x) + x * e^(-x^2/2) / sqrt(2 * pi))
    return dy * (normal_below(x) + 0.3989422804014327 * x * array_module(x).exp(-0.5 * x * x))


def gelu_tanh_forward(x):
    # y = x * sigmoid(2u),  2u = 2 * sqrt(2/pi) * (x + 0.044715 * x^3)
    return x * sigmoid_forward(TWO_ROOT * (x + 0.044715 * x * x * x))


def gelu_tanh_backward(dy, x):
    s = sigmoid_forward(TWO_ROOT * (x + 0.044715 * x * x * x))
    # dx = dy * s * (1 + x * (1 - s) * 2u'),  2u' = 2 * sqrt(2/pi) * (1 + 3 * 0.044715 * x^2)
    return dy * (s * (1 + x * (1 - s) * (TWO_ROOT * (1 + 3 * 0.044715 * x * x))))


def hardsigmoid_forward(x):
    # y = min(max(x + 3, 0), 6) / 6
    return array_module(x).clip(x + 3, 0, 6) / 6


def hardsigmoid_backward(dy, x):
    # dx = dy / 6 where -3 < x < 3, else 0
    return array_module(x).where((x > -3) & (x < 3), dy / 6, dy.dtype.type(0))


def hardswish_forward(x):
    # y = x * hardsigmoid(x)
    return x * hardsigmoid_forward(x)


def hardswish_backward(dy, x):
    xp = array_module(x)
    # dx = dy * (x/3 + 1/2) where -3 < x < 3, 0 below, dy above
    return xp.where(x <= -3, dy.dtype.type(0), xp.where(x >= 3, dy, dy * (x / 3 + 0.5)))


def clip_forward(x, low, high):
    # y = min(max(x, low), high)
    return array_module(x).clip(x, low, high)


def clip_backward(dy, x, low, high):
    # dx = dy where low <= x <= high, else 0
    return array_module(x).where((x >= low) & (x <= high), dy, dy.dtype.type(0))


def hardtanh_backward(dy, x, low, high):
    # dx = dy where low < x < high, else 0
    return array_module(x).where((x > low) & (x < high), dy, dy.dtype.type(0))


def huber_forward(x, delta):
    c = clip_forward(x, -delta, delta)
    # y = c * (x - c/2)
    return c * (x - c / 2)


def huber_backward(dy, x, delta):
    # dx = dy * c
    return dy * clip_forward(x, -delta, delta)


def erf_forward(x):
    return erf(x)


def softplus_forward(x):
    xp = array_module(x)
    # y = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); NumPy's own logaddexp and maximum take three times as long or more
    return xp.clip(x, 0, math.inf) + xp.log1p(xp.exp(-xp.abs(x)))


def exp_forward(x):
    return array_module(x).exp(x)


def expm1_forward(x):
    return array_module(x).expm1(x)
