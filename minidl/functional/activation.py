"""Activations: the bends that let a network be more than one matrix; and softmax, from scores to probabilities."""

from __future__ import annotations

import math
from typing import Any

from minidl.autograd import Function, tensor_method
from minidl.functional.elementwise import erf, exp, namespace, tanh, where

__all__ = [
    "elu", "gelu", "leaky_relu", "log_sigmoid", "log_softmax", "logsigmoid", "relu", "sigmoid", "silu", "softmax",
    "softplus",
]  # fmt: skip


class Relu(Function):
    """y = max(x, 0)."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return namespace(x).maximum(x, x.dtype.type(0))

    def backward(self, dy, inputs, output):
        # dy/dx = 1 where x > 0 (that is, y > 0), else 0
        return dy * _constant(output > 0, dy)


class LeakyRelu(Function):
    """y = x where x > 0, slope * x elsewhere."""

    def __init__(self, slope):
        self.slope = slope

    def forward(self, x):
        return namespace(x).where(x > 0, x, x * self.slope)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 where x > 0, else slope
        return where(inputs[0] > 0, dy, dy * self.slope)


class Elu(Function):
    """y = x where x > 0, alpha * (e^x - 1) elsewhere."""

    def __init__(self, alpha):
        self.alpha = alpha

    def forward(self, x):
        xp = namespace(x)
        return xp.where(x > 0, x, self.alpha * xp.expm1(xp.minimum(x, x.dtype.type(0))))

    def backward(self, dy, inputs, output):
        # dy/dx = 1 where x > 0, else alpha * e^x
        x = inputs[0]
        return where(x > 0, dy, dy * self.alpha * exp(where(x > 0, 0, x)))


class Sigmoid(Function):
    """y = 1 / (1 + e^-x)."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        xp = namespace(x)
        # e^-|x| never overflows: y = 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below
        decay = xp.exp(-xp.abs(x))
        return xp.where(x >= 0, 1, decay) / (1 + decay)

    def backward(self, dy, inputs, output):
        # dy/dx = y * (1 - y)
        return dy * (output * (1 - output))


class Softplus(Function):
    """y = log(1 + e^(beta * x)) / beta."""

    def __init__(self, beta):
        self.beta = beta

    def forward(self, x):
        xp = namespace(x)
        return xp.logaddexp(x * self.beta, x.dtype.type(0)) / self.beta

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (1 + e^(-beta * x))
        return dy * sigmoid(inputs[0] * self.beta)


class Softmax(Function):
    """y[i] = e^x[i] / sum_j e^x[j] along an axis."""

    saves_inputs, saves_output = False, True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        xp = namespace(x)
        # subtracting the maximum changes nothing and keeps e^x from overflowing
        e = xp.exp(x - x.max(self.axis, keepdims=True))
        return e / e.sum(self.axis, keepdims=True)

    def backward(self, dy, inputs, output):
        # dx[i] = y[i] * (dy[i] - sum_j dy[j] * y[j])
        return output * (dy - (dy * output).sum(self.axis, keepdims=True))


class LogSoftmax(Function):
    """y[i] = x[i] - log(sum_j e^x[j]) along an axis."""

    saves_inputs, saves_output = False, True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        xp = namespace(x)
        shifted = x - x.max(self.axis, keepdims=True)
        return shifted - xp.log(xp.exp(shifted).sum(self.axis, keepdims=True))

    def backward(self, dy, inputs, output):
        # dx[i] = dy[i] - e^y[i] * sum_j dy[j]
        return dy - exp(output) * dy.sum(self.axis, keepdims=True)


def _constant(mask: Any, dy: Any) -> Any:
    """A boolean mask as numbers in the dtype of dy; an array, for nothing flows through a mask."""
    return getattr(mask, "data", mask).astype(dy.dtype) if not hasattr(mask, "astype") else mask.astype(dy.dtype)


@tensor_method()
def relu(x: Any) -> Any:
    """max(x, 0); the gradient at 0 is 0, and NaN stays NaN.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.0, 2.0]).relu()
    tensor([0., 2.])
    """
    return Relu()(x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where x > 0, ``negative_slope * x`` elsewhere."""
    return LeakyRelu(negative_slope)(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, ``alpha * (e^x - 1)`` elsewhere (Clevert et al., 2015)."""
    return Elu(alpha)(x)


@tensor_method()
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return Sigmoid()(x)


def silu(x: Any) -> Any:
    """x * sigmoid(x), also known as swish."""
    return x * sigmoid(x)


def softplus(x: Any, beta: float = 1.0) -> Any:
    """log(1 + e^(beta * x)) / beta, a smooth relu."""
    return Softplus(beta)(x)


def log_sigmoid(x: Any) -> Any:
    """log(1 / (1 + e^-x)) = -softplus(-x), exact for large and small x."""
    return -softplus(-x)


logsigmoid = log_sigmoid


def gelu(x: Any, approximate: str = "none") -> Any:
    """x * P(a standard normal number is below x), of Hendrycks and Gimpel, 2016.

    ``approximate="none"``: x/2 * (1 + erf(x / sqrt(2))).
    ``approximate="tanh"``: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))).
    """
    if approximate == "none":
        return x * 0.5 * (1 + erf(x * math.sqrt(0.5)))
    if approximate == "tanh":
        return x * 0.5 * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")


@tensor_method()
def softmax(x: Any, dim: int = -1) -> Any:
    """y[i] = e^x[i] / sum_j e^x[j] along axis `dim`: positive numbers that add up to 1.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.0, 0.0]).softmax(0)
    tensor([0.5, 0.5])
    """
    return Softmax(dim)(x)


@tensor_method()
def log_softmax(x: Any, dim: int = -1) -> Any:
    """log(softmax(x)), exact where softmax would round to 0."""
    return LogSoftmax(dim)(x)
