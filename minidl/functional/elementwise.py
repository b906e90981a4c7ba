"""Functions of one number: the exponential, logarithms, roots ..., and rounding. Sine and its like: trigonometry.py.

Each class holds a formula and the rule of its gradient; the function of its name is what programs call, with Tensors or
with arrays. The derivatives are in any table, for example Abramowitz and Stegun, Handbook of Mathematical Functions,
4.1-4.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, tensor_method
from minidl.functional.choice import where
from minidl.functional.in_place import in_place
from minidl.functional.operands import as_array, check_operand, namespace

__all__ = [
    "abs", "ceil", "erf", "exp", "expm1", "floor", "log", "log10", "log1p", "log2", "neg", "reciprocal", "round",
    "rsqrt", "sign", "sqrt", "square", "tanh",
]  # fmt: skip


class Neg(Function):
    """y = -x."""

    saves_inputs = False

    def forward(self, x):
        return -x

    def backward(self, dy, inputs, output):
        return -dy


class Abs(Function):
    """y = |x|; the gradient is 0 at 0."""

    def forward(self, x):
        return namespace(x).abs(x)

    def backward(self, dy, inputs, output):
        # dy/dx = sign(x), and 0 at 0
        return dy * sign(inputs[0])


class Exp(Function):
    """y = e^x."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return kernels.activations.exp_forward(as_array(x))

    def backward(self, dy, inputs, output):
        # dy/dx = e^x = y
        return dy * output


class Expm1(Function):
    """y = e^x - 1, exact for small x."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return kernels.activations.expm1_forward(as_array(x))

    def backward(self, dy, inputs, output):
        # dy/dx = e^x = y + 1
        return dy * (output + 1)


class Log(Function):
    """y = log(x), the natural logarithm; -inf at 0, NaN below."""

    def forward(self, x):
        return namespace(x).log(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / x
        return dy / inputs[0]


class Log2(Function):
    """y = log2(x), the logarithm to base 2; -inf at 0, NaN below."""

    def forward(self, x):
        return namespace(x).log2(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (x * log(2))
        return dy / (inputs[0] * np.log(2.0))


class Log10(Function):
    """y = log10(x), the logarithm to base 10; -inf at 0, NaN below."""

    def forward(self, x):
        return namespace(x).log10(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (x * log(10))
        return dy / (inputs[0] * np.log(10.0))


class Log1p(Function):
    """y = log(1 + x), exact for small x."""

    def forward(self, x):
        return namespace(x).log1p(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (1 + x)
        return dy / (1 + inputs[0])


class Sqrt(Function):
    """y = sqrt(x); NaN below 0."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return namespace(x).sqrt(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (2 * sqrt(x)) = 1 / (2 * y)
        return dy / (2 * output)


class Rsqrt(Function):
    """y = 1 / sqrt(x)."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return 1 / namespace(x).sqrt(x)

    def backward(self, dy, inputs, output):
        # dy/dx = -1/2 * x^(-3/2) = -1/2 * y^3
        return dy * (-0.5 * (output * output * output))


class Reciprocal(Function):
    """y = 1 / x."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return 1 / x

    def backward(self, dy, inputs, output):
        # dy/dx = -1 / x^2 = -y^2
        return -dy * (output * output)


class Square(Function):
    """y = x^2."""

    def forward(self, x):
        return x * x

    def backward(self, dy, inputs, output):
        # dy/dx = 2 * x
        return dy * (2 * inputs[0])


class Tanh(Function):
    """y = tanh(x), the hyperbolic tangent: (e^x - e^-x) / (e^x + e^-x)."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return kernels.activations.tanh_forward(as_array(x))

    def backward(self, dy, inputs, output):
        # dy/dx = 1 - tanh(x)^2 = 1 - y^2
        return TanhGrad()(dy, output)


class TanhGrad(Function):
    """dx = dy * (1 - y^2)."""

    def forward(self, dy, y):
        return kernels.activations.tanh_backward(as_array(dy), as_array(y))

    def backward(self, ddx, inputs, output):
        dy, y = inputs
        # d(dx)/d(dy) = 1 - y^2, d(dx)/dy = -2 * y * dy
        return TanhGrad()(ddx, y), ddx * dy * y * -2 if self.needs(1) else None


class Erf(Function):
    """y = erf(x), the error function: 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x."""

    def forward(self, x):
        return kernels.activations.erf_forward(as_array(x))

    def backward(self, dy, inputs, output):
        # dy/dx = 2 / sqrt(pi) * e^(-x^2)
        return dy * (2 / np.pi**0.5 * exp(-square(inputs[0])))


def floating(x: Any, name: str = "x") -> Any:
    """An operand of `name`; a Tensor of integers as float32, where NumPy gives float16 for the root of a byte."""
    if isinstance(x, Tensor):
        return x if x.dtype.kind == "f" else x.float()
    check_operand(name, x)
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def function_of(rule: type[Function], *names: str, keeps_integers: bool = False) -> Callable[[Any], Any]:
    """The function that programs call, `exp` for the class Exp, with its docstring; attached as a Tensor method too."""

    def function(x: Any) -> Any:
        return rule()(x if keeps_integers else floating(x, function.__name__))

    function.__name__ = function.__qualname__ = rule.__name__.lower()
    function.__doc__ = rule.__doc__
    return tensor_method(*names)(function)


neg = function_of(Neg, "__neg__", "neg", keeps_integers=True)
abs = function_of(Abs, "__abs__", "abs", keeps_integers=True)
exp = function_of(Exp)
expm1 = function_of(Expm1)
log = function_of(Log)
log2 = function_of(Log2)
log10 = function_of(Log10)
log1p = function_of(Log1p)
sqrt = function_of(Sqrt)
rsqrt = function_of(Rsqrt)
reciprocal = function_of(Reciprocal)
square = function_of(Square, keeps_integers=True)
tanh = function_of(Tanh)
erf = function_of(Erf)


class PiecewiseConstant(Function):
    """y = f(x) for an f that is constant between its jumps, so that its gradient is 0."""

    saves_inputs = False

    def __init__(self, compute):
        self.compute = compute

    def forward(self, x):
        return self.compute(x)

    def backward(self, dy, inputs, output):
        return where(namespace(dy).zeros(dy.shape, bool), dy, 0)  # not dy * 0, which is NaN for an infinite dy


@tensor_method()
def sign(x: Any) -> Any:
    """-1, 0 or 1, and 0 for NaN; its gradient is 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-3.0, 0.0, 2.0]).sign()
    tensor([-1.,  0.,  1.])
    """
    return PiecewiseConstant(_sign)(x)


def _sign(x: Any) -> Any:
    # NaN is neither above 0 nor below
    return x if x.dtype.kind == "b" else ((x > 0).astype(np.int8) - (x < 0)).astype(x.dtype)


@tensor_method()
def floor(x: Any) -> Any:
    """The largest integer not above x; its gradient is 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.7, -1.7]).floor()
    tensor([ 1., -2.])
    """
    return PiecewiseConstant(lambda x: namespace(x).floor(x))(x)


@tensor_method()
def ceil(x: Any) -> Any:
    """The smallest integer not below x; its gradient is 0."""
    return PiecewiseConstant(lambda x: namespace(x).ceil(x))(x)


@tensor_method()
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest number of `decimals` decimals, ties to even; its gradient is 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.5, 1.5, 2.5]).round()
    tensor([0., 2., 2.])
    """
    return PiecewiseConstant(lambda x: namespace(x).round(x, decimals))(x)


for _operation in (
    abs, ceil, erf, exp, expm1, floor, log, log10, log1p, log2, neg, reciprocal, round, rsqrt, sign, sqrt, square, tanh,
):  # fmt: skip
    in_place(_operation, f"{_operation.__name__}_")
