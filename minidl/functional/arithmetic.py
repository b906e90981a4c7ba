"""Arithmetic of two numbers: the operators of Tensor, in place and not, and the larger and smaller of two.

Shapes broadcast as in NumPy. The dtype of the result is the wider of the two, with PyTorch's exceptions:

    an integer beside a float             the float's dtype
    a Python number or a 0-d float        does not widen a tensor with axes
    integers that must become floats      float32

Plain arrays promote as in NumPy. Unlike in PyTorch, lists count as arrays, ``-`` takes booleans beside numbers (as 0
and 1), and a number that the integer type can't hold is an error.

The derivatives are in any table, for example Abramowitz and Stegun, Handbook of Mathematical Functions, 3.3.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minidl.autograd import Function, Tensor, tensor_method
from minidl.functional.choice import where
from minidl.functional.comparison import isfinite
from minidl.functional.elementwise import log
from minidl.functional.in_place import in_place
from minidl.functional.operands import check_operand, data_of, namespace, unrecorded
from minidl.kernels import minus, over, plus, times

__all__ = ["add", "div", "floor_divide", "maximum", "minimum", "mul", "pow", "remainder", "sub"]


class Add(Function):
    """y = x1 + x2."""

    saves_inputs = False

    def forward(self, x1, x2):
        return plus(x1, x2)

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = 1
        return dy, dy


class Sub(Function):
    """y = x1 - x2."""

    saves_inputs = False

    def forward(self, x1, x2):
        return minus(x1, x2)

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = -1
        return dy, -dy if self.needs(1) else None


class Mul(Function):
    """y = x1 * x2."""

    def forward(self, x1, x2):
        return times(x1, x2)

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = x2, dy/dx2 = x1
        return times(dy, x2) if self.needs(0) else None, times(dy, x1) if self.needs(1) else None


class MulByNumber(Function):
    """y = x * c for a number c. Unlike Mul it does not keep x, which dx does not read."""

    saves_inputs = False
    compute = staticmethod(times)

    def __init__(self, c):
        self.c = c

    def forward(self, x):
        return self.compute(x, self.c)

    def backward(self, dy, inputs, output):
        # dx = dy * c, or dy / c
        return self.compute(dy, self.c)


class DivByNumber(MulByNumber):
    """y = x / c for a number c."""

    compute = staticmethod(over)


class Div(Function):
    """y = x1 / x2."""

    def forward(self, x1, x2):
        return over(x1, x2)

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        # dy/dx1 = 1 / x2, dy/dx2 = -x1 / x2^2; divided twice, as x2^2 may over- or underflow where dx2 does not
        dx1 = over(dy, x2) if self.needs(0) else None
        return dx1, times(-dy, over(over(x1, x2), x2)) if self.needs(1) else None


class Pow(Function):
    """y = x1 ** x2."""

    def forward(self, x1, x2):
        if type(x2) in (int, float) and x2 in (2, 3) and getattr(x1, "dtype", np.dtype(int)).kind == "f":
            # NumPy's power of 3 takes several times as long, of negative bases a hundred times
            return times(x1, x1) if x2 == 2 else times(times(x1, x1), x1)
        if type(x1) is np.ndarray and x1.dtype.kind == "f" and isinstance(x2, (int, float)) and x2 % 2 in (0, 1):
            # |x1|^x2, then the sign: NumPy's power of negative bases takes ten to fifty times as long
            y = np.abs(x1) ** x2
            return np.copysign(y, x1) if x2 % 2 else y
        return x1**x2

    def backward(self, dy, inputs, output):
        x1, x2 = inputs
        dx1 = dx2 = None
        if self.needs(0):
            # dy/dx1 = x2 * x1^(x2 - 1), and 0 where x2 = 0, also at x1 = 0
            constant = not hasattr(x2, "shape")
            exponent = x2 - 1 if constant else where((x2 == 0) & ~isfinite(1 / x1), 0, x2 - 1)
            dx1 = dy * (x2 * x1**exponent) if not (constant and x2 == 0) else dy * 0
        if self.needs(1):
            # dy/dx2 = x1^x2 * log(x1), and 0 at x1 = 0 where x2 >= 0
            zero = (x1 == 0) & (x2 >= 0)
            base = where(zero, 1, x1).astype(dy.dtype)  # NumPy's log of bytes is float16
            dx2 = dy * where(zero, 0, x1**x2 * log(base))
        return dx1, dx2


class Maximum(Function):
    """y = max(x1, x2); NaN if either is."""

    def forward(self, x1, x2):
        return namespace(x1, x2).maximum(x1, x2)

    def backward(self, dy, inputs, output):
        # all of dy goes to the larger one, half to each where they are equal, all to both where one is NaN
        x1, x2 = inputs
        dx1 = dy * _share(x1 < x2, x1 == x2, dy) if self.needs(0) else None
        return dx1, dy * _share(x2 < x1, x1 == x2, dy) if self.needs(1) else None


class Minimum(Function):
    """y = min(x1, x2); NaN if either is."""

    def forward(self, x1, x2):
        return namespace(x1, x2).minimum(x1, x2)

    def backward(self, dy, inputs, output):
        # all of dy goes to the smaller one, half to each where they are equal, all to both where one is NaN
        x1, x2 = inputs
        dx1 = dy * _share(x1 > x2, x1 == x2, dy) if self.needs(0) else None
        return dx1, dy * _share(x2 > x1, x1 == x2, dy) if self.needs(1) else None


def _share(loses: Any, ties: Any, dy: Any) -> Any:
    """0 where `loses`, 1/2 where `ties`, 1 elsewhere, in the dtype of dy; as it has no derivative, an array."""
    loses, ties = data_of(loses), data_of(ties)
    return 1 - loses.astype(dy.dtype) - ties.astype(dy.dtype) / 2


class Remainder(Function):
    """y = x1 - floor(x1 / x2) * x2, with the sign of x2 as in Python."""

    def forward(self, x1, x2):
        return x1 % x2

    def backward(self, dy, inputs, output):
        # dy/dx1 = 1, dy/dx2 = -floor(x1 / x2): by //, as x1 / x2 may be rounded up to an integer
        x1, x2 = inputs
        return dy, -dy * (x1 // x2) if self.needs(1) else None


@tensor_method("__add__", "__radd__", "add")
def add(x1: Any, x2: Any, *, alpha: float = 1) -> Any:
    """x1 + alpha * x2.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0]) + 1
    tensor([2., 3.])
    >>> minidl.tensor([1.0, 2.0]).add(minidl.tensor([10.0, 10.0]), alpha=0.5)
    tensor([6., 7.])
    """
    return Add()(x1, x2 if alpha == 1 else _scaled(x1, x2, alpha))


@tensor_method("__sub__", "sub")
def sub(x1: Any, x2: Any, *, alpha: float = 1) -> Any:
    """x1 - alpha * x2.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([5.0, 7.0]).sub(minidl.tensor([1.0, 2.0]), alpha=2)
    tensor([3., 3.])
    """
    return Sub()(x1, x2 if alpha == 1 else _scaled(x1, x2, alpha))


def _scaled(x1: Any, x2: Any, alpha: float) -> Any:
    """alpha * x2; integers beside a float are scaled in its dtype."""
    if hasattr(x2, "dtype") and x2.dtype.kind == "f":
        return mul(x2, alpha)
    dtypes = [x.dtype if hasattr(x, "dtype") else np.dtype(type(x)) for x in (x1, x2)]
    if isinstance(alpha, float) and not any(dtype.kind == "f" for dtype in dtypes):
        raise TypeError(f"alpha must be an integer where x1 and x2 are, got {alpha}")
    if hasattr(x2, "dtype") and dtypes[0].kind == "f" != dtypes[1].kind:
        x2 = x2.astype(dtypes[0])
    return mul(x2, alpha)


@tensor_method("__mul__", "__rmul__", "mul")
def mul(x1: Any, x2: Any) -> Any:
    """x1 * x2, element by element."""
    return MulByNumber(x2)(x1) if type(x2) in (float, int) else Mul()(x1, x2)


class RoundedDiv(Function):
    """y = x1 / x2 rounded down ("floor") or towards 0 ("trunc"), so that its gradient is 0; of integers an integer."""

    def __init__(self, rounding_mode):
        self.rounding_mode = rounding_mode

    def forward(self, x1, x2):
        if self.rounding_mode == "floor":
            return x1 // x2
        xp, y = namespace(x1, x2), over(x1, x2)
        if y.dtype.kind == "f" and any(getattr(x, "dtype", np.dtype(type(x))).kind == "f" for x in (x1, x2)):
            return xp.trunc(y)
        return (x1 - xp.fmod(x1, x2)) // x2  # exact, as x1 / x2 need not be

    def backward(self, dy, inputs, output):
        return tuple(where(namespace(dy).zeros(dy.shape, bool), dy, 0) if self.needs(i) else None for i in (0, 1))


@tensor_method("__truediv__", "div")
def div(x1: Any, x2: Any, *, rounding_mode: str | None = None) -> Any:
    """x1 / x2; with `rounding_mode` "floor" rounded down, with "trunc" towards 0, both with a gradient of 0.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([7, -7])
    >>> x.div(2), x.div(2, rounding_mode="floor"), x.div(2, rounding_mode="trunc")
    (tensor([ 3.5, -3.5]), tensor([ 3, -4]), tensor([ 3, -3]))
    """
    if rounding_mode is None:
        return DivByNumber(x2)(x1) if type(x2) in (float, int) else Div()(x1, x2)
    if rounding_mode not in ("floor", "trunc"):
        raise ValueError(f"rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}")
    check_divisor("div", x1, x2)
    return RoundedDiv(rounding_mode)(x1, x2)


@tensor_method("__pow__", "pow")
def pow(x1: Any, x2: Any) -> Any:
    """x1 ** x2; booleans count as the integers 0 and 1.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0, 3.0]) ** 2, 2 ** minidl.tensor([1.0, 2.0, 3.0])
    (tensor([1., 4., 9.]), tensor([2., 4., 8.]))
    """
    if hasattr(x1, "dtype") and x1.dtype.kind == "b" and not hasattr(x2, "dtype"):
        x1 = x1.astype(np.int64)  # NumPy gives a byte
    return Pow()(x1, x2)


@tensor_method("__mod__", "remainder")
def remainder(x1: Any, x2: Any) -> Any:
    """x1 % x2 = x1 - floor(x1 / x2) * x2: the sign of x2, as in Python.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([5, -5]) % 3, minidl.tensor([5.5, -5.5]).remainder(-3)
    (tensor([2, 1]), tensor([-0.5, -2.5]))
    """
    check_divisor("remainder", x1, x2)
    return Remainder()(x1, x2)


@tensor_method("__floordiv__", "floor_divide")
def floor_divide(x1: Any, x2: Any) -> Any:
    """floor(x1 / x2), without gradient.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([7, -7]) // 2
    tensor([ 3, -4])
    """
    check_divisor("floor_divide", x1, x2)
    return unrecorded(operator.floordiv, x1, x2)


def check_divisor(name: str, x1: Any, x2: Any) -> None:
    """Raise for what is no number, and where integers would be divided by 0: they have no infinity to show it."""
    for x in (x1, x2):
        check_operand(name, x)
    kinds = [getattr(x, "dtype", np.dtype(type(x))).kind for x in (x1, x2)]
    if all(kind in "biu" for kind in kinds) and not namespace(x2).all(data_of(x2)):
        raise ZeroDivisionError("integers can't be divided by 0")


@tensor_method("maximum")
def maximum(x1: Any, x2: Any) -> Any:
    """The larger of x1 and x2; NaN if either is. Where they are equal each gets half of the gradient.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 5.0]).maximum(minidl.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    check_operand("maximum", x2)
    return Maximum()(x1, x2)


@tensor_method("minimum")
def minimum(x1: Any, x2: Any) -> Any:
    """The smaller of x1 and x2; NaN if either is. Where they are equal each gets half of the gradient."""
    check_operand("minimum", x2)
    return Minimum()(x1, x2)


tensor_method("__pos__")(lambda x: x)
tensor_method("__rsub__")(lambda x2, x1: Sub()(x1, x2))
tensor_method("__rtruediv__")(lambda x2, x1: Div()(x1, x2))
tensor_method("__rpow__")(lambda x2, x1: Pow()(x1, x2))
tensor_method("__rmod__")(lambda x2, x1: Remainder()(x1, x2))
tensor_method("__rfloordiv__")(lambda x2, x1: floor_divide(x1, x2))


in_place(add, "__iadd__", compute=plus)
in_place(sub, "__isub__", compute=minus)
in_place(mul, "__imul__", "mul_", compute=times)
in_place(div, "__itruediv__", "div_", compute=over)
in_place(pow, "__ipow__", "pow_")
in_place(floor_divide, "__ifloordiv__", "floor_divide_")
in_place(remainder, "__imod__", "remainder_")


@tensor_method()
def add_(x1: Tensor, x2: Any, *, alpha: float = 1) -> Tensor:
    """x1 += alpha * x2."""
    return x1.__iadd__(x2 if alpha == 1 else _scaled(x1, x2, alpha))


@tensor_method()
def sub_(x1: Tensor, x2: Any, *, alpha: float = 1) -> Tensor:
    """x1 -= alpha * x2."""
    return x1.__isub__(x2 if alpha == 1 else _scaled(x1, x2, alpha))
