"""Activations: nonlinear functions of single numbers, without which layers in a row would be one matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, tensor_method
from minidl.functional.choice import where
from minidl.functional.elementwise import exp, floating
from minidl.functional.in_place import in_place
from minidl.functional.operands import as_array, check_float, namespace
from minidl.functional.shape import reshape

__all__ = [
    "elu", "gelu", "leaky_relu", "log_sigmoid", "logsigmoid", "prelu", "relu", "sigmoid", "silu", "softplus",
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
    """y = x * P(x) with P(x) = (1 + erf(x / sqrt(2))) / 2, the probability that a standard normal number is below x."""

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


class Prelu(Function):
    """y = x where x > 0, w * x elsewhere."""

    def forward(self, x, w):
        if self.is_leaky(x, w):
            return kernels.activations.leaky_relu_forward(as_array(x), w.item())
        # y = min(x, 0) * w + max(x, 0); NumPy's minimum takes three times as long as clip
        return namespace(x).clip(x, -math.inf, 0) * w + kernels.activations.relu_forward(as_array(x))

    def is_leaky(self, x: Any, w: Any) -> bool:
        """Whether this is a leaky ReLU: of one slope, that can be looked at without waiting for a GPU."""
        return type(x) is type(w) is np.ndarray and w.size == 1 and w.dtype == x.dtype

    def backward(self, dy, inputs, output):
        x, w = inputs
        positive = x > 0
        # dy/dx = 1 where x > 0, w elsewhere
        if not self.needs(0):
            dx = None
        elif self.is_leaky(x, w):
            dx = kernels.activations.leaky_relu_backward(as_array(dy), as_array(x), w.item())
        else:
            dx = where(positive, dy, 0) + where(positive, 0, dy * w)
        # dy/dw = 0 where x > 0, x elsewhere; chosen by where, as 0 * x would be NaN for an infinite x
        return dx, dy * where(positive, 0, x) if self.needs(1) else None


class Softplus(Function):
    """y = log(1 + e^z) / beta with z = beta * x, and x itself where z is above the threshold."""

    def __init__(self, beta, threshold):
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        z = self.z(x)
        y = kernels.activations.softplus_forward(as_array(z))
        return namespace(x).where(z > self.threshold, x, y / self.beta) if self.is_cut(x) else y

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (1 + e^-z)
        (x,) = inputs
        z = self.z(x)
        return dy * (where(z > self.threshold, 1, sigmoid(z)) if self.is_cut(x) else sigmoid(z))

    def z(self, x: Any) -> Any:
        return x if self.beta == 1 else x * self.beta

    def is_cut(self, x: Any) -> bool:
        """Whether the threshold changes any y: above z = 17 in float32, 37 in float64, log(1 + e^z) is z anyway."""
        return self.beta != 1 or self.threshold < (37 if x.dtype.itemsize == 8 else 17)


class LogSigmoid(Function):
    """y = log(1 / (1 + e^-x))."""

    def forward(self, x):
        # y = -log(1 + e^-x); subtracted from 0, so that it ends at 0 and not at -0
        return 0 - kernels.activations.softplus_forward(as_array(-x))

    def backward(self, dy, inputs, output):
        # dy/dx = e^-x / (1 + e^-x) = 1 / (1 + e^x)
        return dy * sigmoid(-inputs[0])


@tensor_method()
def relu(x: Any, inplace: bool = False) -> Any:
    """max(x, 0); the gradient at 0 is 0, and NaN stays NaN.

    `inplace` has no effect, here and in the other activations: it is accepted as PyTorch's programs give it.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.0, 2.0]).relu()
    tensor([0., 2.])
    """
    return Relu()(x)


def leaky_relu(x: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where x > 0, ``negative_slope * x`` elsewhere.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.leaky_relu(minidl.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    check_float("leaky_relu", x)
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
    check_float("prelu", x)
    channels = x.shape[1] if x.ndim > 1 else 1
    if tuple(weight.shape) not in ((channels,), (1,), ()):
        raise ValueError(
            f"prelu: weight must be one slope, or one for each of {channels} channels, got shape {tuple(weight.shape)}"
        )
    w = reshape(weight, (-1,) + (1,) * max(x.ndim - 2, 0) if x.ndim else ())
    return Prelu()(x, w)


def elu(x: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where x > 0, ``alpha * (e^x - 1)`` elsewhere (Clevert et al., 2015).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.elu(minidl.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    check_float("elu", x)
    return Elu(alpha)(x)


@tensor_method()
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.sigmoid(minidl.tensor([-200.0, 0.0, 200.0]))
    tensor([0. , 0.5, 1. ])
    """
    return Sigmoid()(floating(x))


def silu(x: Any, inplace: bool = False) -> Any:
    """x * sigmoid(x), also known as swish."""
    check_float("silu", x)
    return Silu()(x)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + e^(beta * x)) / beta, a smooth relu; x itself where beta * x > `threshold`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.softplus(minidl.tensor([-1.0, 0.0, 30.0]))
    tensor([ 0.3133,  0.6931, 30.    ])
    """
    check_float("softplus", x)
    return Softplus(beta, threshold)(x)


def log_sigmoid(x: Any) -> Any:
    """log(1 / (1 + e^-x)) = -softplus(-x), exact for large and small x."""
    check_float("log_sigmoid", x)
    return LogSigmoid()(x)


logsigmoid = log_sigmoid


def gelu(x: Any, approximate: str = "none") -> Any:
    """x times the probability that a standard normal number is below x (Hendrycks and Gimpel, 2016).

    ``approximate="none"``: x/2 * (1 + erf(x / sqrt(2))).
    ``approximate="tanh"``: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([-1.0, 0.0, 2.0])
    >>> F.gelu(x), F.gelu(x, approximate="tanh")
    (tensor([-0.1587,  0.    ,  1.9545]), tensor([-0.1588,  0.    ,  1.9546]))
    """
    check_float("gelu", x)
    if approximate == "none":
        return Gelu()(x)
    if approximate == "tanh":
        return GeluTanh()(x)
    raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")


in_place(relu, "relu_")
in_place(sigmoid, "sigmoid_")
