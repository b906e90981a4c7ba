"""Activations that are bounded on both sides, or made of other activations."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Function
from minidl.functional.activation import elu, sigmoid, softplus
from minidl.functional.axes import one_axis
from minidl.functional.choice import where
from minidl.functional.elementwise import tanh
from minidl.functional.joining import chunk
from minidl.functional.operands import check_float, namespace

__all__ = ["glu", "hardsigmoid", "hardswish", "hardtanh", "mish", "relu6", "selu"]


class Hardtanh(Function):
    """y = min(max(x, low), high)."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        return namespace(x).clip(x, x.dtype.type(self.low), x.dtype.type(self.high))

    def backward(self, dy, inputs, output):
        # dy/dx = 1 where low < x < high, else 0: at low and high too, where the gradient of clip is 1
        (x,) = inputs
        return where((x <= self.low) | (x >= self.high), 0, dy)


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """min(max(x, min_val), max_val); the gradient is 1 strictly between the two, 0 elsewhere.

    Raises
    ------
    ValueError
        `min_val` is above `max_val`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.hardtanh(minidl.tensor([-3.0, 0.5, 2.0]))
    tensor([-1. ,  0.5,  1. ])
    """
    check_float("hardtanh", x)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val must not be above max_val, got {min_val} and {max_val}")
    return Hardtanh(min_val, max_val)(x)


def relu6(x: Any, inplace: bool = False) -> Any:
    """min(max(x, 0), 6), of Howard et al., MobileNets, 2017."""
    return hardtanh(x, 0.0, 6.0)


def hardsigmoid(x: Any, inplace: bool = False) -> Any:
    """min(max(x + 3, 0), 6) / 6, an approximation of the sigmoid without an exponential."""
    return relu6(x + 3) / 6


def hardswish(x: Any, inplace: bool = False) -> Any:
    """x * hardsigmoid(x), of Howard et al., Searching for MobileNetV3, 2019."""
    return x * hardsigmoid(x)


def selu(x: Any, inplace: bool = False) -> Any:
    """scale * elu(x, alpha), which keeps mean 0 and variance 1 from layer to layer.

    Source: Klambauer et al., Self-normalizing neural networks, 2017, with alpha and scale from its appendix A4.
    """
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return scale * elu(x, alpha)


def mish(x: Any, inplace: bool = False) -> Any:
    """x * tanh(softplus(x)), of Misra, Mish: a self regularized non-monotonic activation function, 2019."""
    return x * tanh(softplus(x))


def glu(x: Any, dim: int = -1) -> Any:
    """a * sigmoid(b), where a is the first half of x along `dim` and b the second: b opens and closes a gate for a.

    Source: Dauphin et al., Language modeling with gated convolutional networks, 2017.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.glu(minidl.tensor([5.0, 7.0, 0.0, 100.0]))
    tensor([2.5, 7. ])
    """
    check_float("glu", x)
    if x.ndim == 0:
        raise ValueError("glu: x must have an axis to be halved, got a single number")
    (axis,) = one_axis(dim, x.ndim)
    if x.shape[axis] % 2:
        raise ValueError(f"glu: axis {dim} of x must have an even size, got shape {tuple(x.shape)}")
    a, b = chunk(x, 2, axis)
    return a * sigmoid(b)
