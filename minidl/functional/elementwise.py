"""Arithmetic, number by number: the operators of Tensor, and the functions of school calculus.

Shapes broadcast as in NumPy. Of two dtypes the wider counts, but as in PyTorch integers never widen a float, a Python
number promotes nothing, and integers that need be floats become float32 (arrays promote as in NumPy). Each class holds
a formula and the rule of its gradient; the function of its name is what programs call, with Tensors or with arrays.
The derivatives are in any table, for example Abramowitz and Stegun, Handbook of Mathematical Functions, 3.3, 4.1-4.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, is_array, is_grad_enabled, not_promoted, tensor_method, to_device
from minidl.functional import error_function
from minidl.kernels import array_module

__all__ = [
    "abs", "add", "astype", "ceil", "clamp", "clip", "cos", "div", "eq", "erf", "exp", "expm1", "floor",
    "floor_divide", "ge", "gt", "isfinite", "isinf", "isnan", "le", "log", "log1p", "logical_and", "logical_not",
    "logical_or", "lt", "maximum", "minimum", "move", "mul", "ne", "neg", "pow", "reciprocal", "remainder", "round",
    "rsqrt", "sign", "sin", "sqrt", "square", "sub", "tan", "tanh", "where",
]  # fmt: skip


def data_of(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.data if isinstance(x, Tensor) else x


def namespace(*values: Any) -> Any:
    """The array library of the first array or Tensor among `values`; NumPy if all are plain numbers."""
    for value in values:
        if type(value) is np.ndarray:
            return np
        value = data_of(value)
        if is_array(value):
            return array_module(value)
    return np


def as_array(x: Any) -> Any:
    """x as the kernels want it: an array also where NumPy gives a number for an array without axes."""
    return np.asarray(x) if isinstance(x, (np.generic, float, int)) else x


def recordable(*values: Any) -> bool:
    """Whether an operation on `values` goes through a Function: any of them is a Tensor."""
    return any(isinstance(value, Tensor) for value in values)


# Two arguments


class Add(Function):
    """y = x1 + x2."""

    saves_inputs = False

    def forward(self, x1, x2):
        return x1 + x2

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = 1
        return dy, dy


class Sub(Function):
    """y = x1 - x2."""

    saves_inputs = False

    def forward(self, x1, x2):
        return x1 - x2

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = -1
        return dy, -dy if self.needs(1) else None


class Mul(Function):
    """y = x1 * x2."""

    def forward(self, x1, x2):
        return x1 * x2

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = x2, dy/dx2 = x1
        return dy * x2 if self.needs(0) else None, dy * x1 if self.needs(1) else None


class Div(Function):
    """y = x1 / x2."""

    def forward(self, x1, x2):
        return x1 / x2

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = 1 / x2, dy/dx2 = -x1 / x2^2
        return dy / x2 if self.needs(0) else None, -dy * x1 / (x2 * x2) if self.needs(1) else None


class Pow(Function):
    """y = x1 ** x2."""

    def forward(self, x1, x2):
        return x1**x2

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        dx1 = dx2 = None
        if self.needs(0):
            # dy/dx1 = x2 * x1^(x2 - 1), and 0 where x2 = 0, also at x1 = 0
            constant = not hasattr(x2, "shape")
            exponent = x2 - 1 if constant else where(x2 == 0, 0, x2 - 1)
            dx1 = dy * (x2 * x1**exponent) if not (constant and x2 == 0) else dy * 0
        if self.needs(1):
            # dy/dx2 = x1^x2 * log(x1), and 0 at x1 = 0 where x2 >= 0
            zero = (x1 == 0) & (x2 >= 0)
            dx2 = dy * where(zero, 0, x1**x2 * log(where(zero, 1, x1)))
        return dx1, dx2


class Maximum(Function):
    """y = max(x1, x2); NaN if either is."""

    def forward(self, x1, x2):
        return namespace(x1, x2).maximum(x1, x2)

    def backward(self, dy, inputs, output):
        # all of dy goes to the larger one, half to each where they are equal, all to both where one is NaN
        x1, x2 = inputs
        return dy * _share(x1 < x2, x1 == x2, dy), dy * _share(x2 < x1, x1 == x2, dy)


class Minimum(Function):
    """y = min(x1, x2); NaN if either is."""

    def forward(self, x1, x2):
        return namespace(x1, x2).minimum(x1, x2)

    def backward(self, dy, inputs, output):
        # all of dy goes to the smaller one, half to each where they are equal, all to both where one is NaN
        x1, x2 = inputs
        return dy * _share(x1 > x2, x1 == x2, dy), dy * _share(x2 > x1, x1 == x2, dy)


def _share(loses: Any, ties: Any, dy: Any) -> Any:
    """0 where it `loses`, 1/2 where it `ties`, 1 elsewhere, in the dtype of dy: a constant, so an array."""
    loses, ties = data_of(loses), data_of(ties)
    return 1 - loses.astype(dy.dtype) - ties.astype(dy.dtype) / 2


class Remainder(Function):
    """y = x1 - floor(x1 / x2) * x2, with the sign of x2 as in Python."""

    def forward(self, x1, x2):
        return x1 % x2

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = -floor(x1 / x2)
        x1, x2 = inputs
        return dy, -dy * floor(x1 / x2) if self.needs(1) else None


@tensor_method("__add__", "__radd__", "add")
def add(x1: Any, x2: Any) -> Any:
    """x1 + x2.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0]) + 1
    tensor([2., 3.])
    """
    return Add()(x1, x2)


@tensor_method("__sub__", "sub")
def sub(x1: Any, x2: Any) -> Any:
    """x1 - x2."""
    return Sub()(x1, x2)


@tensor_method("__mul__", "__rmul__", "mul")
def mul(x1: Any, x2: Any) -> Any:
    """x1 * x2, number by number."""
    return Mul()(x1, x2)


@tensor_method("__truediv__", "div")
def div(x1: Any, x2: Any) -> Any:
    """x1 / x2."""
    return Div()(x1, x2)


@tensor_method("__pow__", "pow")
def pow(x1: Any, x2: Any) -> Any:
    """x1 ** x2."""
    return Pow()(x1, x2)


@tensor_method("__mod__", "remainder")
def remainder(x1: Any, x2: Any) -> Any:
    """x1 % x2 = x1 - floor(x1 / x2) * x2: the sign of x2, as in Python."""
    return Remainder()(x1, x2)


@tensor_method("__floordiv__", "floor_divide")
def floor_divide(x1: Any, x2: Any) -> Any:
    """floor(x1 / x2); its gradient is 0."""
    return unrecorded(lambda x1, x2: x1 // x2, x1, x2)


@tensor_method("maximum")
def maximum(x1: Any, x2: Any) -> Any:
    """The larger of x1 and x2; NaN if either is. Where they are equal each gets half of the gradient."""
    return Maximum()(x1, x2)


@tensor_method("minimum")
def minimum(x1: Any, x2: Any) -> Any:
    """The smaller of x1 and x2; NaN if either is. Where they are equal each gets half of the gradient."""
    return Minimum()(x1, x2)


tensor_method("__rsub__")(lambda x2, x1: Sub()(x1, x2))
tensor_method("__rtruediv__")(lambda x2, x1: Div()(x1, x2))
tensor_method("__rpow__")(lambda x2, x1: Pow()(x1, x2))
tensor_method("__rmod__")(lambda x2, x1: Remainder()(x1, x2))
tensor_method("__rfloordiv__")(lambda x2, x1: floor_divide(x1, x2))


KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}  # of dtypes: what is changed in place may not need a higher one


def _in_place(name: str, operation: Any) -> None:
    """``x += y``: x becomes the recorded result, or, where nothing is recorded, its memory is written to.

    A recorded change is refused where another tensor shares the memory, for that one would not see it.
    """

    def method(self: Tensor, other: Any, alpha: float = 1) -> Tensor:
        if alpha != 1:
            other = other * alpha
        needs_grad = self.requires_grad or (isinstance(other, Tensor) and other.requires_grad)
        result = operation(self, other)
        if result.shape != self.shape:
            raise ValueError(
                f"{name}: the result has shape {result.shape}, which does not fit the tensor's own {self.shape}"
            )
        if KINDS[result.dtype.kind] > KINDS[self.dtype.kind]:
            raise TypeError(f"{name}: the result is {result.dtype}, which a tensor of {self.dtype} can't hold")
        if not (needs_grad and is_grad_enabled()) or self.is_leaf and self.requires_grad:
            return self.assign_(result)  # which refuses a leaf that requires grad
        if self.shares_memory():
            raise RuntimeError(
                f"{name} in place would be lost on the tensors that this one is a view of, or that are views of it; "
                "write x = x + y instead of x += y, or change x inside `with minidl.no_grad():`"
            )
        if result.dtype != self.dtype:
            result = result.astype(self.dtype)
        self.data, self.origin, self.version = result.data, result.origin, result.version
        self.requires_grad = True
        return self

    tensor_method(f"__i{name}__")(method)
    tensor_method(f"{'div' if name == 'truediv' else name}_")(method)


for _name, _operation in (("add", add), ("sub", sub), ("mul", mul), ("truediv", div)):
    _in_place(_name, _operation)


# One argument


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
        return namespace(x).exp(x)

    def backward(self, dy, inputs, output):
        # dy/dx = e^x = y
        return dy * output


class Expm1(Function):
    """y = e^x - 1, exact for small x."""

    saves_inputs, saves_output = False, True

    def forward(self, x):
        return namespace(x).expm1(x)

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
        return dy * (-0.5 * output**3)


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
        # ddx moves dy as dy moved x, and y by -2 * y * dy
        return TanhGrad()(ddx, y), ddx * dy * y * -2 if self.needs(1) else None


class Erf(Function):
    """y = erf(x), the error function: 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x."""

    def forward(self, x):
        return error_function.erf(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 2 / sqrt(pi) * e^(-x^2)
        return dy * (2 / np.pi**0.5 * exp(-square(inputs[0])))


def _function_of(rule: type[Function], *names: str) -> Callable[[Any], Any]:
    """The function that programs call, `exp` of the class Exp, with the text of the class; a method of Tensor too."""

    def function(x: Any) -> Any:
        return rule()(x)

    function.__name__ = function.__qualname__ = rule.__name__.lower()
    function.__doc__ = rule.__doc__
    return tensor_method(*names)(function)


neg = _function_of(Neg, "__neg__", "neg")
abs = _function_of(Abs, "__abs__", "abs")
exp = _function_of(Exp)
expm1 = _function_of(Expm1)
log = _function_of(Log)
log1p = _function_of(Log1p)
sqrt = _function_of(Sqrt)
rsqrt = _function_of(Rsqrt)
reciprocal = _function_of(Reciprocal)
square = _function_of(Square)
sin = _function_of(Sin)
cos = _function_of(Cos)
tan = _function_of(Tan)
tanh = _function_of(Tanh)
erf = _function_of(Erf)


# Choosing


class Where(Function):
    """y = x1 where the condition holds, x2 elsewhere."""

    saves_inputs, watches_inputs = False, True

    def forward(self, condition, x1, x2):
        self.saved = condition
        return namespace(condition, x1, x2).where(condition, x1, x2)

    def backward(self, dy, inputs, output):
        condition = self.saved
        return None, where(condition, dy, 0), where(condition, 0, dy)


class Clip(Function):
    """y = min(max(x, low), high)."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        return namespace(x).clip(x, self.low, self.high)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 where low <= x <= high, else 0
        x = inputs[0]
        inside = x == x  # all but NaN
        if self.low is not None:
            inside = inside & (x >= self.low)
        if self.high is not None:
            inside = inside & (x <= self.high)
        return where(inside, dy, 0)


@tensor_method()
def where(condition: Any, x1: Any, x2: Any) -> Any:
    """x1 where `condition` is true, x2 elsewhere; all three broadcast.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([-1.0, 2.0])
    >>> minidl.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if not recordable(x1, x2):
        return unrecorded(namespace(condition, x1, x2).where, condition, x1, x2)
    return Where()(condition, x1, x2)


@tensor_method("clip", "clamp")
def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x, but at least `min` and at most `max`, numbers or tensors; its gradient is 1 inside and on the bounds."""
    if min is None and max is None:
        raise ValueError("clip needs min, max or both")
    if not (hasattr(min, "shape") or hasattr(max, "shape")):
        return Clip(min, max)(x)
    y = x if min is None else where(x < min, min, x)
    return y if max is None else where(y > max, max, y)


clamp = clip


# Of no gradient, or 0 everywhere


def unrecorded(compute: Any, *values: Any) -> Any:
    """Compute on the arrays; a Tensor that nothing is recorded of if any value was a Tensor."""
    arrays = [data_of(value) for value in values]
    result = compute(*arrays)
    return Tensor(not_promoted(result, arrays)) if recordable(*values) else result


class Flat(Function):
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
    """-1, 0 or 1, and 0 for NaN; its gradient is 0."""
    return Flat(_sign)(x)


def _sign(x: Any) -> Any:
    y = namespace(x).sign(x)
    return namespace(x).where(y == y, y, x.dtype.type(0)) if x.dtype.kind == "f" else y


@tensor_method()
def floor(x: Any) -> Any:
    """The largest integer not above x; its gradient is 0."""
    return Flat(lambda x: namespace(x).floor(x))(x)


@tensor_method()
def ceil(x: Any) -> Any:
    """The smallest integer not below x; its gradient is 0."""
    return Flat(lambda x: namespace(x).ceil(x))(x)


@tensor_method()
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest number of `decimals` decimals, ties to even; its gradient is 0."""
    return Flat(lambda x: namespace(x).round(x, decimals))(x)


@tensor_method("__eq__", "eq")
def eq(x1: Any, x2: Any) -> Any:
    """x1 == x2, as booleans."""
    return unrecorded(lambda x1, x2: x1 == x2, x1, x2)


@tensor_method("__ne__", "ne")
def ne(x1: Any, x2: Any) -> Any:
    """x1 != x2, as booleans."""
    return unrecorded(lambda x1, x2: x1 != x2, x1, x2)


@tensor_method("__lt__", "lt")
def lt(x1: Any, x2: Any) -> Any:
    """x1 < x2, as booleans."""
    return unrecorded(lambda x1, x2: x1 < x2, x1, x2)


@tensor_method("__le__", "le")
def le(x1: Any, x2: Any) -> Any:
    """x1 <= x2, as booleans."""
    return unrecorded(lambda x1, x2: x1 <= x2, x1, x2)


@tensor_method("__gt__", "gt")
def gt(x1: Any, x2: Any) -> Any:
    """x1 > x2, as booleans."""
    return unrecorded(lambda x1, x2: x1 > x2, x1, x2)


@tensor_method("__ge__", "ge")
def ge(x1: Any, x2: Any) -> Any:
    """x1 >= x2, as booleans."""
    return unrecorded(lambda x1, x2: x1 >= x2, x1, x2)


@tensor_method()
def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both x1 and x2 are true (not 0)."""
    return unrecorded(lambda x1, x2: namespace(x1, x2).logical_and(x1, x2), x1, x2)


@tensor_method()
def logical_or(x1: Any, x2: Any) -> Any:
    """Whether x1 or x2 or both are true (not 0)."""
    return unrecorded(lambda x1, x2: namespace(x1, x2).logical_or(x1, x2), x1, x2)


@tensor_method()
def logical_not(x: Any) -> Any:
    """Whether x is not true (is 0)."""
    return unrecorded(lambda x: namespace(x).logical_not(x), x)


# On integers bit by bit, on booleans the logical functions above
tensor_method("__and__", "__rand__")(lambda x1, x2: unrecorded(lambda x1, x2: x1 & x2, x1, x2))
tensor_method("__or__", "__ror__")(lambda x1, x2: unrecorded(lambda x1, x2: x1 | x2, x1, x2))
tensor_method("__xor__", "__rxor__")(lambda x1, x2: unrecorded(lambda x1, x2: x1 ^ x2, x1, x2))
tensor_method("__invert__")(lambda x: unrecorded(lambda x: ~x, x))


@tensor_method()
def isnan(x: Any) -> Any:
    """Where x is NaN, as booleans."""
    return unrecorded(lambda x: namespace(x).isnan(x), x)


@tensor_method()
def isinf(x: Any) -> Any:
    """Where x is infinite, as booleans."""
    return unrecorded(lambda x: namespace(x).isinf(x), x)


@tensor_method()
def isfinite(x: Any) -> Any:
    """Where x is neither infinite nor NaN, as booleans."""
    return unrecorded(lambda x: namespace(x).isfinite(x), x)


# Another dtype, another device


class Astype(Function):
    """y = x in another dtype; the engine brings dy back to the dtype of x."""

    saves_inputs, sets_dtype = False, True

    def __init__(self, dtype):
        self.dtype_to = dtype

    def forward(self, x):
        return x.astype(self.dtype_to)

    def backward(self, dy, inputs, output):
        return dy


class Move(Function):
    """y = x on another device."""

    saves_inputs = False
    is_view = True  # where x is there already

    def __init__(self, device):
        self.device_to = device

    def forward(self, x):
        self.saved = "cpu" if isinstance(x, np.ndarray) else f"cuda:{x.device.id}"
        return to_device(x, self.device_to)

    def backward(self, dy, inputs, output):
        return move(dy, self.saved)


@tensor_method()
def astype(x: Any, dtype: Any) -> Any:
    """x in another dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return unrecorded(lambda x: x.astype(dtype), x)
    return Astype(dtype)(x)


@tensor_method()
def move(x: Any, device: str) -> Any:
    """x on another device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``."""
    return Move(device)(x)
