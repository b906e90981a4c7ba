"""Functions of two numbers: the hypotenuse, the logarithm of a sum, a remainder with the sign of the dividend."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Function, tensor_method
from minidl.functional.activation import sigmoid
from minidl.functional.arithmetic import check_divisor
from minidl.functional.choice import where
from minidl.functional.comparison import isinf
from minidl.functional.elementwise import floating, log
from minidl.functional.elementwise_variants import trunc
from minidl.functional.in_place import in_place
from minidl.functional.operands import data_of, namespace

__all__ = ["fmod", "hypot", "logaddexp", "xlogy"]


class Hypot(Function):
    """y = sqrt(x1^2 + x2^2), also where the squares would overflow."""

    saves_output = True

    def forward(self, x1, x2):
        return namespace(x1, x2).hypot(x1, x2)

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = x1 / y, dy/dx2 = x2 / y, and 0 at the origin; not x1 * (dy / y), as dy / y may overflow
        y = where(output == 0, 1, output)
        return dy * (x1 / y) if self.needs(0) else None, dy * (x2 / y) if self.needs(1) else None


class LogAddExp(Function):
    """y = log(e^x1 + e^x2), without overflow."""

    def forward(self, x1, x2):
        return namespace(x1, x2).logaddexp(x1, x2)

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = e^x1 / (e^x1 + e^x2) = sigmoid(x1 - x2), half to each where both are infinite
        equal = data_of((x1 == x2) & isinf(x1))  # their difference is NaN
        d = where(equal, 0, x1 - x2)
        return dy * sigmoid(d) if self.needs(0) else None, dy * sigmoid(-d) if self.needs(1) else None


class Xlogy(Function):
    """y = x1 * log(x2), and 0 where x1 is 0 and x2 any number."""

    def forward(self, x1, x2):
        xp, nothing = namespace(x1, x2), (x1 == 0) & (x2 == x2)
        return xp.where(nothing, 0, x1 * xp.log(xp.where(nothing, 1, x2)))

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = log(x2), dy/dx2 = x1 / x2, and both 0 where x1 is 0 and x2 has no logarithm
        nothing = data_of((x1 == 0) & (x2 <= 0))
        x = where(nothing, 1, x2)
        dx1 = dy * where(nothing, 0, log(x)) if self.needs(0) else None
        return dx1, dy * where(nothing, 0, x1 / x) if self.needs(1) else None


class Fmod(Function):
    """y = x1 - trunc(x1 / x2) * x2, with the sign of x1 as in C."""

    def forward(self, x1, x2):
        return namespace(x1, x2).fmod(x1, x2)

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = -trunc(x1 / x2)
        x1, x2 = inputs
        return dy, -dy * trunc(x1 / x2) if self.needs(1) else None


@tensor_method()
def hypot(x1: Any, x2: Any) -> Any:
    """sqrt(x1^2 + x2^2), the length of the vector (x1, x2); at the origin its gradient is 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.hypot(minidl.tensor([3.0, 1e30]), minidl.tensor([4.0, 0.0]))
    tensor([5.e+00, 1.e+30])
    """
    return Hypot()(floating(x1, "hypot"), floating(x2, "hypot"))


@tensor_method()
def logaddexp(x1: Any, x2: Any) -> Any:
    """log(e^x1 + e^x2): adds two probabilities whose logarithms are given.

    Examples
    --------
    >>> import minidl
    >>> minidl.logaddexp(minidl.tensor([1000.0]), minidl.tensor([1000.0]))
    tensor([1000.6932])
    """
    return LogAddExp()(floating(x1, "logaddexp"), floating(x2, "logaddexp"))


@tensor_method()
def xlogy(x1: Any, x2: Any) -> Any:
    """x1 * log(x2), and 0 where x1 is 0, whatever x2 is; NaN where x2 is.

    Examples
    --------
    >>> import minidl
    >>> p = minidl.tensor([0.0, 0.5, 0.5])
    >>> -minidl.xlogy(p, p).sum()
    tensor(0.6931)
    """
    x1, x2 = floating(x1, "xlogy"), floating(x2, "xlogy")
    if isinstance(x2, (int, float, list, tuple)):
        x2 = namespace(x1).asarray(x2, x1.dtype)  # else the logarithm of the number would be one of float32
    return Xlogy()(x1, x2)


@tensor_method()
def fmod(x1: Any, x2: Any) -> Any:
    """The remainder of x1 / x2 with the sign of x1, as in C; :func:`remainder` has that of x2, as in Python.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([5.0, -5.0]).fmod(3), minidl.tensor([5.0, -5.0]).remainder(3)
    (tensor([ 2., -2.]), tensor([2., 1.]))
    """
    check_divisor("fmod", x1, x2)
    return Fmod()(x1, x2)


for _operation in (hypot, logaddexp, xlogy, fmod):
    in_place(_operation, f"{_operation.__name__}_")
