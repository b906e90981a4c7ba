"""Activations that are bounded, cut or made of other functions."""

from __future__ import annotations

from typing import Any

from minidl import kernels
from minidl.autograd import Function
from minidl.functional.activation import elu, sigmoid, softplus
from minidl.functional.axes import one_axis
from minidl.functional.choice import Clip, ClipGrad, where
from minidl.functional.elementwise import expm1, floating, tanh
from minidl.functional.joining import chunk
from minidl.functional.operands import as_array, check_float, data_of, namespace
from minidl.functional.softmax import softmax

__all__ = [
    "celu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "mish", "relu6", "selu", "softmin",
    "softshrink", "tanhshrink", "threshold",
]  # fmt: skip


class Hardtanh(Clip):
    """y = min(max(x, low), high), whose slope is 0 on the bounds, where that of clip is 1."""

    def backward(self, dy, inputs, output):
        return HardtanhGrad(self.low, self.high)(dy, inputs[0])


class HardtanhGrad(ClipGrad):
    """dx = dy where low < x < high, else 0, at NaN too."""

    def forward(self, dy, x):
        return kernels.activations.hardtanh_backward(as_array(dy), as_array(x), self.low, self.high)


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
    """min(max(x, 0), 6), of Howard et al., MobileNets, 2017.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.relu6(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0., 0., 1.])
    """
    return hardtanh(x, 0.0, 6.0)


class Hardsigmoid(Function):
    """y = min(max(x + 3, 0), 6) / 6."""

    def forward(self, x):
        return kernels.activations.hardsigmoid_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return HardsigmoidGrad()(dy, inputs[0])


class HardsigmoidGrad(Function):
    """dx = dy / 6 where -3 < x < 3, else 0."""

    def forward(self, dy, x):
        return kernels.activations.hardsigmoid_backward(as_array(dy), as_array(x))

    def backward(self, ddx, inputs, output):
        return HardsigmoidGrad()(ddx, inputs[1]), None  # x only chooses


def hardsigmoid(x: Any, inplace: bool = False) -> Any:
    """min(max(x + 3, 0), 6) / 6, an approximation of the sigmoid without an exponential.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.hardsigmoid(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1667, 0.5   , 0.6667])
    """
    check_float("hardsigmoid", x)
    return Hardsigmoid()(x)


class Hardswish(Function):
    """y = x * min(max(x + 3, 0), 6) / 6."""

    def forward(self, x):
        return kernels.activations.hardswish_forward(as_array(x))

    def backward(self, dy, inputs, output):
        return HardswishGrad()(dy, inputs[0])


class HardswishGrad(Function):
    """dx = dy * (x/3 + 1/2) where -3 < x < 3, 0 below, dy above."""

    def forward(self, dy, x):
        return kernels.activations.hardswish_backward(as_array(dy), as_array(x))

    def backward(self, ddx, inputs, output):
        dy, x = inputs
        # d/dx (x/3 + 1/2) = 1/3 where -3 < x < 3, twice that of the hardsigmoid
        return HardswishGrad()(ddx, x), HardsigmoidGrad()(2 * ddx * dy, x) if self.needs(1) else None


def hardswish(x: Any, inplace: bool = False) -> Any:
    """x * hardsigmoid(x), of Howard et al., Searching for MobileNetV3, 2019.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.hardswish(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.3333,  0.    ,  0.6667])
    """
    check_float("hardswish", x)
    return Hardswish()(x)


def selu(x: Any, inplace: bool = False) -> Any:
    """scale * elu(x, alpha), which keeps mean 0 and variance 1 from layer to layer.

    Source: Klambauer et al., Self-normalizing neural networks, 2017, with alpha and scale from its appendix A4.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.selu(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.5202,  0.    ,  1.0507])
    """
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return scale * elu(x, alpha)


def mish(x: Any, inplace: bool = False) -> Any:
    """x * tanh(softplus(x)), of Misra, Mish: a self regularized non-monotonic activation function, 2019.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.mish(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.2525,  0.    ,  0.8651])
    """
    return x * tanh(softplus(x))


def celu(x: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where x > 0, alpha * (e^(x / alpha) - 1) elsewhere: an :func:`elu` whose slope at 0 is 1 for every alpha.

    Source: Barron, Continuously differentiable exponential linear units, 2017.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.celu(minidl.tensor([-2.0, 0.0, 1.0]), alpha=0.5)
    tensor([-0.4908,  0.    ,  1.    ])
    """
    check_float("celu", x)
    if alpha == 0:
        raise ValueError("celu: alpha must not be 0")
    if alpha == 1:
        return elu(x)
    # expm1 sees 0 in place of the large x, where it would overflow
    return where(x > 0, x, alpha * expm1(where(x > 0, 0, x) / alpha))


def tanhshrink(x: Any) -> Any:
    """x - tanh(x).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.tanhshrink(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.036 ,  0.    ,  0.2384])
    """
    x = floating(x)
    return x - tanh(x)


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    """x where |x| > `lambd`, 0 elsewhere.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.hardshrink(minidl.tensor([-2.0, 0.0, 1.0]), 1.5)
    tensor([-2.,  0.,  0.])
    """
    check_float("hardshrink", x)
    return where(abs(data_of(x)) <= lambd, 0, x)


class Softshrink(Function):
    """y = x - min(max(x, -lambd), lambd)."""

    def __init__(self, lambd):
        self.lambd = lambd

    def forward(self, x):
        return x - namespace(x).clip(x, -self.lambd, self.lambd)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 where |x| > lambd, else 0
        return where(abs(data_of(inputs[0])) <= self.lambd, 0, dy)


def softshrink(x: Any, lambd: float = 0.5) -> Any:
    """x moved towards 0 by `lambd`, and 0 where |x| is smaller: the step of an L1 penalty.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.softshrink(minidl.tensor([-2.0, 0.3, 1.0]))
    tensor([-1.5,  0. ,  0.5])
    """
    check_float("softshrink", x)
    if lambd < 0:
        raise ValueError(f"softshrink: lambd must not be negative, got {lambd}")
    return Softshrink(lambd)(x)


def threshold(x: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """x where x > `threshold`, `value` elsewhere; NaN stays NaN.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.threshold(minidl.tensor([-2.0, 0.0, 1.0]), 0.5, -9.0)
    tensor([-9., -9.,  1.])
    """
    check_float("threshold", x)
    return where(data_of(x) <= threshold, value, x)


def softmin(x: Any, dim: int = -1, dtype: Any = None) -> Any:
    """e^-x[i] / sum_j e^-x[j] along `dim`: :func:`softmax` of -x, the most for the smallest.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.softmin(minidl.tensor([-2.0, 0.0, 1.0]), dim=0)
    tensor([0.8438, 0.1142, 0.042 ])
    """
    return softmax(-x, dim, dtype=dtype)


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
