"""Activations: the bends that let a network be more than one matrix; and softmax, from scores to probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, is_array, tensor_method
from minidl.functional.axes import one_axis
from minidl.functional.choice import where
from minidl.functional.conversion import astype
from minidl.functional.elementwise import exp, floating
from minidl.functional.operands import as_array, namespace
from minidl.functional.shape import reshape

__all__ = [
    "elu", "gelu", "leaky_relu", "log_sigmoid", "log_softmax", "logsigmoid", "prelu", "relu", "sigmoid", "silu",
    "softmax", "softplus",
]  # fmt: skip


class Relu(Function):
    """y = max(x, 0)."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return kernels.activations.relu_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return ReluGrad()(dy, output)


class ReluGrad(Function):
    """dx = dy where x > 0 (or NaN), that is, where y is not 0; else 0."""

    def forward(self, dy, y):
        return kernels.activations.relu_backward(as_array(dy), as_array(y))

    def backward(self, ddx, inputs, output):
        return ReluGrad()(ddx, inputs[1]), None  # y only chooses


class LeakyRelu(Function):
    """y = x where x > 0, slope * x elsewhere."""

    def __init__(self, slope):
        self.slope = slope

    def forward(self, x):
        return kernels.activations.leaky_relu_forward(as_array(x), self.slope)

    def backward(self, dy, inputs, output):
        return LeakyReluGrad(self.slope)(dy, inputs[0])


class LeakyReluGrad(Function):
    """dx = dy where x > 0, else slope * dy."""

    def __init__(self, slope):
        self.slope = slope

    def forward(self, dy, x):
        return kernels.activations.leaky_relu_backward(as_array(dy), as_array(x), self.slope)

    def backward(self, ddx, inputs, output):
        return LeakyReluGrad(self.slope)(ddx, inputs[1]), None  # x only chooses


class Elu(Function):
    """y = x where x > 0, alpha * (e^x - 1) elsewhere."""

    def __init__(self, alpha):
        self.alpha = alpha

    def forward(self, x):
        return kernels.activations.elu_forward(as_array(x), self.alpha)

    def backward(self, dy, inputs, output):
        return EluGrad(self.alpha)(dy, inputs[0])


class EluGrad(Function):
    """dx = dy where x > 0, else dy * alpha * e^x."""

    def __init__(self, alpha):
        self.alpha = alpha

    def forward(self, dy, x):
        return kernels.activations.elu_backward(as_array(dy), as_array(x), self.alpha)

    def backward(self, ddx, inputs, output):
        dy, x = inputs
        ddy = EluGrad(self.alpha)(ddx, x)
        # the derivative of e^x is e^x
        return ddy, where(x > 0, 0, ddy * dy) if self.needs(1) else None


class Sigmoid(Function):
    """y = 1 / (1 + e^-x)."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return kernels.activations.sigmoid_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return SigmoidGrad()(dy, output)


class SigmoidGrad(Function):
    """dx = dy * y * (1 - y)."""

    def forward(self, dy, y):
        return kernels.activations.sigmoid_backward(as_array(dy), as_array(y))

    def backward(self, ddx, inputs, output):
        dy, y = inputs
        # ddx moves dy as dy moved x, and y by dy * (1 - 2 * y)
        return SigmoidGrad()(ddx, y), ddx * dy * (1 - 2 * y) if self.needs(1) else None


class Silu(Function):
    """y = x * sigmoid(x)."""

    def forward(self, x):
        return kernels.activations.silu_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return SiluGrad()(dy, inputs[0])


class SiluGrad(Function):
    """dx = dy * s * (1 + x * (1 - s)) with s = sigmoid(x)."""

    def forward(self, dy, x):
        return kernels.activations.silu_backward(as_array(dy), as_array(x))

    def backward(self, ddx, inputs, output):
        dy, x = inputs
        if not self.needs(1):
            return SiluGrad()(ddx, x), None
        s = sigmoid(x)
        # d/dx (s + x * s * (1 - s)) = s * (1 - s) * (2 + x * (1 - 2 * s))
        return SiluGrad()(ddx, x), ddx * dy * (s * (1 - s) * (2 + x * (1 - 2 * s)))


class Gelu(Function):
    """y = x * P(x), P(x) = (1 + erf(x / sqrt(2))) / 2: the part of all standard normal numbers below x."""

    def forward(self, x):
        return kernels.activations.gelu_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return GeluGrad()(dy, inputs[0])


class GeluGrad(Function):
    """dx = dy * (P(x) + x * p(x)), where p(x) = P'(x) = e^(-x^2/2) / sqrt(2 * pi)."""

    def forward(self, dy, x):
        return kernels.activations.gelu_backward(as_array(dy), as_array(x))

    def backward(self, ddx, inputs, output):
        dy, x = inputs
        if not self.needs(1):
            return GeluGrad()(ddx, x), None
        # d/dx (P + x * p) = 2 * p + x * p', and p' = -x * p
        p = exp(x * x * -0.5) * (2 * math.pi) ** -0.5
        return GeluGrad()(ddx, x), ddx * dy * (p * (2 - x * x))


class GeluTanh(Function):
    """y = x/2 * (1 + tanh(u)) = x * sigmoid(v) with v = 2u = 2 * sqrt(2/pi) * (x + 0.044715 * x^3)."""

    def forward(self, x):
        return kernels.activations.gelu_tanh_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return GeluTanhGrad()(dy, inputs[0])


class GeluTanhGrad(Function):
    """dx = dy * s * (1 + x * (1 - s) * v') with s = sigmoid(v)."""

    def forward(self, dy, x):
        return kernels.activations.gelu_tanh_backward(as_array(dy), as_array(x))

    def backward(self, ddx, inputs, output):
        dy, x = inputs
        if not self.needs(1):
            return GeluTanhGrad()(ddx, x), None
        c = 2 * math.sqrt(2 / math.pi)
        # v, v' and v'', its derivatives by x
        v, dv, ddv = c * (x + 0.044715 * x * x * x), c * (1 + 3 * 0.044715 * x * x), c * 6 * 0.044715 * x
        s = sigmoid(v)
        # d/dx (s + x * s * (1 - s) * v') = s * (1 - s) * (2 * v' + x * (v'' + (1 - 2 * s) * v'^2))
        return GeluTanhGrad()(ddx, x), ddx * dy * (s * (1 - s) * (2 * dv + x * (ddv + (1 - 2 * s) * dv * dv)))


class Softplus(Function):
    """y = log(1 + e^(beta * x)) / beta, and x itself where beta * x is above the threshold."""

    def __init__(self, beta, threshold):
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        xp, z = namespace(x), x * self.beta
        # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), in a quarter of the time of NumPy's logaddexp
        y = (xp.maximum(z, x.dtype.type(0)) + xp.log1p(xp.exp(-xp.abs(z)))) / self.beta
        return xp.where(z > self.threshold, x, y)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (1 + e^(-beta * x))
        x = inputs[0]
        return dy * where(x * self.beta > self.threshold, 1, sigmoid(x * self.beta))


def _along(kernel: Any, axis: tuple[int, ...], *arrays: Any) -> Any:
    """kernel(*arrays), for a kernel that goes along the last axis."""
    if not axis:  # a number is a row of one
        return kernel(*(x.reshape(1) for x in arrays)).reshape(())
    if arrays[0].size == 0:
        return arrays[0]
    xp = namespace(*arrays)
    # not swapaxes: the channels of channels-last memory, once they are the last axis, are read as they lie
    return xp.moveaxis(kernel(*(xp.moveaxis(x, axis[0], -1) for x in arrays)), -1, axis[0])


class Softmax(Function):
    """y[i] = e^x[i] / sum_j e^x[j] along an axis."""

    saves_inputs, saves_output = False, True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return _along(kernels.softmax.forward, self.axis, x)

    def backward(self, dy, inputs, output):
        return SoftmaxGrad(self.axis)(dy, output)


class SoftmaxGrad(Function):
    """dx[i] = y[i] * (dy[i] - sum_j dy[j] * y[j])."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, dy, y):
        return _along(kernels.softmax.input_grad, self.axis, dy, y)

    def backward(self, ddx, inputs, output):
        dy, y = inputs
        ddy = SoftmaxGrad(self.axis)(ddx, y)  # dx is made of dy by a symmetric matrix
        if not self.needs(1):
            return ddy, None
        # y[i] moves dx[i] itself, and all others through the sum
        sums = [(d * y).sum(self.axis, keepdims=True) for d in (dy, ddx)]
        return ddy, ddx * (dy - sums[0]) - dy * sums[1]


class LogSoftmax(Function):
    """y[i] = x[i] - log(sum_j e^x[j]) along an axis."""

    saves_inputs, saves_output = False, True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return _along(kernels.softmax.log_forward, self.axis, x)

    def backward(self, dy, inputs, output):
        return LogSoftmaxGrad(self.axis)(dy, output)


class LogSoftmaxGrad(Function):
    """dx[i] = dy[i] - e^y[i] * sum_j dy[j]."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, dy, y):
        return _along(kernels.softmax.log_input_grad, self.axis, dy, y)

    def backward(self, ddx, inputs, output):
        dy, y = inputs
        moved = ddx * exp(y)
        # dy[j] moves dx[j] itself, and every dx[i] by -e^y[i]
        ddy = ddx - moved.sum(self.axis, keepdims=True)
        return ddy, -moved * dy.sum(self.axis, keepdims=True) if self.needs(1) else None


@tensor_method()
def relu(x: Any, inplace: bool = False) -> Any:
    """max(x, 0); the gradient at 0 is 0, and NaN stays NaN.

    Nothing is overwritten: `inplace` is taken here and below as PyTorch's programs give it.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.0, 2.0]).relu()
    tensor([0., 2.])
    """
    return Relu()(x)


def leaky_relu(x: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where x > 0, ``negative_slope * x`` elsewhere."""
    _check_float("leaky_relu", x)
    return LeakyRelu(negative_slope)(x)


def prelu(x: Any, weight: Any) -> Any:
    """x where x > 0, ``weight * x`` elsewhere; the slope is learned (He et al., Delving deep into rectifiers, 2015).

    Parameters
    ----------
    x : (N, C, ...)
    weight : (C,) or (1,)
        The slope of each channel, or one for all; of an x with one axis or none, one.

    Returns
    -------
    The shape of x

    Raises
    ------
    ValueError
        Another number of slopes.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.prelu(minidl.tensor([[-1.0, -1.0], [2.0, 2.0]]), minidl.tensor([0.1, 0.5]))
    tensor([[-0.1, -0.5],
            [ 2. ,  2. ]])
    """
    _check_float("prelu", x)
    channels = x.shape[1] if x.ndim > 1 else 1
    if tuple(weight.shape) not in ((channels,), (1,), ()):
        raise ValueError(
            f"prelu: weight must be one slope, or one for each of {channels} channels, got shape {tuple(weight.shape)}"
        )
    w = reshape(weight, (-1,) + (1,) * max(x.ndim - 2, 0) if x.ndim else ())
    return relu(x) + w * where(x > 0, 0, x)  # of an endless x that is not chosen the slope's gradient would be NaN


def elu(x: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where x > 0, ``alpha * (e^x - 1)`` elsewhere (Clevert et al., 2015)."""
    _check_float("elu", x)
    return Elu(alpha)(x)


@tensor_method()
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return Sigmoid()(floating(x))


def silu(x: Any, inplace: bool = False) -> Any:
    """x * sigmoid(x), also known as swish."""
    _check_float("silu", x)
    return Silu()(x)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + e^(beta * x)) / beta, a smooth relu; x itself where beta * x > `threshold`."""
    _check_float("softplus", x)
    return Softplus(beta, threshold)(x)


def log_sigmoid(x: Any) -> Any:
    """log(1 / (1 + e^-x)) = -softplus(-x), exact for large and small x."""
    _check_float("log_sigmoid", x)
    return -Softplus(1.0, math.inf)(-x)


logsigmoid = log_sigmoid


def gelu(x: Any, approximate: str = "none") -> Any:
    """x * P(a standard normal number is below x), of Hendrycks and Gimpel, 2016.

    ``approximate="none"``: x/2 * (1 + erf(x / sqrt(2))).
    ``approximate="tanh"``: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))).
    """
    _check_float("gelu", x)
    if approximate == "none":
        return Gelu()(x)
    if approximate == "tanh":
        return GeluTanh()(x)
    raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")


@tensor_method()
def softmax(x: Any, dim: int = -1, dtype: Any = None) -> Any:
    """y[i] = e^x[i] / sum_j e^x[j] along axis `dim`: positive numbers that add up to 1.

    Without `dim` it is the last axis, whatever the rank of x; PyTorch warns, and takes the first or the second. With
    `dtype` x is brought to it first.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.0, 0.0]).softmax(0)
    tensor([0.5, 0.5])
    """
    x = x if dtype is None else astype(x, dtype)
    return Softmax(_axis("softmax", x, dim))(x)


@tensor_method()
def log_softmax(x: Any, dim: int = -1, dtype: Any = None) -> Any:
    """log(softmax(x)), exact where softmax would round to 0; with `dtype` x is brought to it first."""
    x = x if dtype is None else astype(x, dtype)
    return LogSoftmax(_axis("log_softmax", x, dim))(x)


def _axis(name: str, x: Any, dim: int) -> tuple[int, ...]:
    """`dim` as a tuple of one axis, or of none for a single number."""
    _check_float(name, x)
    return one_axis(dim, x.ndim)


def _check_float(name: str, x: Any) -> None:
    if not isinstance(x, (Tensor, np.generic)) and not is_array(x):
        raise TypeError(f"{name}: x must be a Tensor or an array, got {type(x).__name__}")
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: x must be floating point, got {x.dtype}; convert with x.float()")
