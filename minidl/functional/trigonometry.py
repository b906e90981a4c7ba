"""Sine, cosine, tangent, the hyperbolic ones and the inverses of them all (tanh is an activation: elementwise.py).

Angles are in radians. The derivatives are in any table, for example Abramowitz and Stegun, Handbook of Mathematical
Functions, 4.3-4.6.
"""

from __future__ import annotations

import math
from typing import Any

from minidl.autograd import Function, tensor_method
from minidl.functional.choice import where
from minidl.functional.elementwise import floating, function_of, rsqrt
from minidl.functional.in_place import in_place
from minidl.functional.operands import namespace

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "deg2rad", "rad2deg", "sin", "sinh",
    "tan",
]  # fmt: skip


class Sin(Function):
    """y = sin(x), x in radians."""

    def forward(self, x):
        return namespace(x).sin(x)

    def backward(self, dy, inputs, output):
        # dy/dx = cos(x)
        return dy * cos(inputs[0])


class Cos(Function):
    """y = cos(x), x in radians."""

    def forward(self, x):
        return namespace(x).cos(x)

    def backward(self, dy, inputs, output):
        # dy/dx = -sin(x)
        return -dy * sin(inputs[0])


class Tan(Function):
    """y = tan(x), x in radians."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return namespace(x).tan(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 + tan(x)^2 = 1 + y^2
        return dy * (1 + output * output)


class Asin(Function):
    """y = asin(x), the angle from -pi/2 to pi/2 whose sine is x; NaN outside of -1 to 1."""

    def forward(self, x):
        return namespace(x).arcsin(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / sqrt(1 - x^2)
        return dy * rsqrt(1 - inputs[0] * inputs[0])


class Acos(Function):
    """y = acos(x), the angle from 0 to pi whose cosine is x; NaN outside of -1 to 1."""

    def forward(self, x):
        return namespace(x).arccos(x)

    def backward(self, dy, inputs, output):
        # dy/dx = -1 / sqrt(1 - x^2)
        return -dy * rsqrt(1 - inputs[0] * inputs[0])


class Atan(Function):
    """y = atan(x), the angle from -pi/2 to pi/2 whose tangent is x."""

    def forward(self, x):
        return namespace(x).arctan(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (1 + x^2)
        return dy / (1 + inputs[0] * inputs[0])


class Sinh(Function):
    """y = sinh(x), the hyperbolic sine: (e^x - e^-x) / 2."""

    def forward(self, x):
        return namespace(x).sinh(x)

    def backward(self, dy, inputs, output):
        # dy/dx = cosh(x)
        return dy * cosh(inputs[0])


class Cosh(Function):
    """y = cosh(x), the hyperbolic cosine: (e^x + e^-x) / 2."""

    def forward(self, x):
        return namespace(x).cosh(x)

    def backward(self, dy, inputs, output):
        # dy/dx = sinh(x)
        return dy * sinh(inputs[0])


class Asinh(Function):
    """y = asinh(x), whose hyperbolic sine is x: log(x + sqrt(x^2 + 1))."""

    def forward(self, x):
        return namespace(x).arcsinh(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / sqrt(x^2 + 1)
        return dy * rsqrt(inputs[0] * inputs[0] + 1)


class Acosh(Function):
    """y = acosh(x), from 0 up, whose hyperbolic cosine is x: log(x + sqrt(x^2 - 1)); NaN below 1."""

    def forward(self, x):
        return namespace(x).arccosh(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / sqrt(x^2 - 1)
        return dy * rsqrt(inputs[0] * inputs[0] - 1)


class Atanh(Function):
    """y = atanh(x), whose hyperbolic tangent is x: log((1 + x) / (1 - x)) / 2; NaN outside of -1 to 1."""

    def forward(self, x):
        return namespace(x).arctanh(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (1 - x^2)
        return dy / (1 - inputs[0] * inputs[0])


class Atan2(Function):
    """z = atan2(y, x), the angle from -pi to pi of the point (x, y); 0 at the origin, with a gradient of 0."""

    def forward(self, y, x):
        return namespace(y, x).arctan2(y, x)

    def backward(self, dz, inputs, output):
        y, x = inputs
        # dz/dy = x / (x^2 + y^2), dz/dx = -y / (x^2 + y^2), and 0 at the origin
        square = x * x + y * y
        scaled = dz / where(square == 0, 1, square)
        return scaled * x if self.needs(0) else None, -scaled * y if self.needs(1) else None


sin = function_of(Sin)
cos = function_of(Cos)
tan = function_of(Tan)
asin = function_of(Asin)
acos = function_of(Acos)
atan = function_of(Atan)
sinh = function_of(Sinh)
cosh = function_of(Cosh)
asinh = function_of(Asinh)
acosh = function_of(Acosh)
atanh = function_of(Atanh)


@tensor_method()
def atan2(y: Any, x: Any) -> Any:
    """The angle from -pi to pi of the point (x, y): atan(y / x) in all four quadrants.

    Examples
    --------
    >>> import minidl
    >>> minidl.atan2(minidl.tensor([1.0, 0.0]), minidl.tensor([0.0, -1.0]))
    tensor([1.5708, 3.1416])
    """
    return Atan2()(floating(y, "atan2"), floating(x, "atan2"))


@tensor_method()
def deg2rad(x: Any) -> Any:
    """x * pi / 180: degrees in radians."""
    return floating(x) * (math.pi / 180)


@tensor_method()
def rad2deg(x: Any) -> Any:
    """x * 180 / pi: radians in degrees."""
    return floating(x) * (180 / math.pi)


for _operation in (
    sin, cos, tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh, atan2, deg2rad, rad2deg,
):  # fmt: skip
    in_place(_operation, f"{_operation.__name__}_")
