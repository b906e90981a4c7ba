"""More functions of one number: those made of others, and what is before and behind its decimal point."""

from __future__ import annotations

import math
from typing import Any

from minidl.autograd import Function, tensor_method
from minidl.functional.choice import clip, where
from minidl.functional.elementwise import PiecewiseConstant, floating, function_of, square
from minidl.functional.in_place import in_place
from minidl.functional.operands import check_float, data_of, namespace
from minidl.functional.trigonometry import sin

__all__ = ["exp2", "frac", "logit", "sinc", "trunc"]


class Exp2(Function):
    """y = 2^x."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return namespace(x).exp2(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 2^x * log(2) = y * log(2)
        return dy * output * math.log(2)


exp2 = function_of(Exp2)


@tensor_method("trunc", "fix")
def trunc(x: Any) -> Any:
    """x without what is behind its decimal point: the nearest integer towards 0; its gradient is 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.7, 1.7]).trunc()
    tensor([-1.,  1.])
    """
    return PiecewiseConstant(lambda x: namespace(x).trunc(x))(x)


@tensor_method()
def frac(x: Any) -> Any:
    """What is behind the decimal point of x, with its sign: x - trunc(x).

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.75, 1.75]).frac()
    tensor([-0.75,  0.75])
    """
    check_float("frac", x)
    return x - trunc(x)


class Logit(Function):
    """y = log(x / (1 - x)); -inf at 0, inf at 1, NaN outside of 0 to 1."""

    def forward(self, x):
        return namespace(x).log(x / (1 - x))

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (x * (1 - x))
        (x,) = inputs
        return dy / (x * (1 - x))


@tensor_method()
def logit(x: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), the inverse of the sigmoid: NaN outside of 0 to 1; with `eps`, of x cut to eps ... 1 - eps.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.5, 0.9]).logit()
    tensor([0.    , 2.1972])
    """
    x = floating(x)
    return Logit()(x if eps is None else clip(x, eps, 1 - eps))


@tensor_method()
def sinc(x: Any) -> Any:
    """sin(pi * x) / (pi * x), and 1 at 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.0, 0.5]).sinc()
    tensor([1.    , 0.6366])
    """
    z = floating(x) * math.pi
    small = data_of(abs(z) < 0.1)  # where the derivative of sin(z) / z, cos(z) / z - sin(z) / z^2, is lost in rounding
    zz, series = square(where(small, z, 0)), 1.0
    for k in (8, 6, 4, 2):
        series = 1 - zz / (k * (k + 1)) * series  # 1 - z^2/3! + z^4/5! - z^6/7! + z^8/9!, from its end
    return where(small, series, sin(z) / where(small, 1, z))


for _operation in (exp2, trunc, frac, logit, sinc):
    in_place(_operation, f"{_operation.__name__}_")
