"""Comparisons: questions about each element, answered by True or False; they have no gradient."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minidl.autograd import tensor_method
from minidl.functional.operands import data_of, namespace, unrecorded

__all__ = [
    "allclose", "eq", "equal", "ge", "gt", "isclose", "isfinite", "isinf", "isnan", "le", "logical_and", "logical_not",
    "logical_or", "logical_xor", "lt", "ne",
]  # fmt: skip


@tensor_method("__eq__", "eq")
def eq(x1: Any, x2: Any) -> Any:
    """x1 == x2, as booleans."""
    if x2 is None or isinstance(x2, str):
        return NotImplemented  # so that x == None is False, as Python has it
    return unrecorded(operator.eq, x1, x2)


@tensor_method("__ne__", "ne")
def ne(x1: Any, x2: Any) -> Any:
    """x1 != x2, as booleans."""
    if x2 is None or isinstance(x2, str):
        return NotImplemented
    return unrecorded(operator.ne, x1, x2)


@tensor_method("__lt__", "lt")
def lt(x1: Any, x2: Any) -> Any:
    """x1 < x2, as booleans."""
    return unrecorded(operator.lt, x1, x2)


@tensor_method("__le__", "le")
def le(x1: Any, x2: Any) -> Any:
    """x1 <= x2, as booleans."""
    return unrecorded(operator.le, x1, x2)


@tensor_method("__gt__", "gt")
def gt(x1: Any, x2: Any) -> Any:
    """x1 > x2, as booleans."""
    return unrecorded(operator.gt, x1, x2)


@tensor_method("__ge__", "ge")
def ge(x1: Any, x2: Any) -> Any:
    """x1 >= x2, as booleans."""
    return unrecorded(operator.ge, x1, x2)


@tensor_method()
def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both x1 and x2 are true (not 0).

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([True, True]).logical_and(minidl.tensor([True, False]))
    tensor([ True, False])
    """
    return unrecorded(namespace(x1, x2).logical_and, x1, x2)


@tensor_method()
def logical_or(x1: Any, x2: Any) -> Any:
    """Whether x1 or x2 or both are true (not 0)."""
    return unrecorded(namespace(x1, x2).logical_or, x1, x2)


@tensor_method()
def logical_xor(x1: Any, x2: Any) -> Any:
    """Whether one of x1 and x2 is true (not 0), but not both."""
    return unrecorded(namespace(x1, x2).logical_xor, x1, x2)


@tensor_method()
def logical_not(x: Any) -> Any:
    """Whether x is not true (is 0)."""
    return unrecorded(namespace(x).logical_not, x)


# bit by bit on integers; on booleans the logical functions above
tensor_method("__and__", "__rand__")(lambda x1, x2: unrecorded(operator.and_, x1, x2))
tensor_method("__or__", "__ror__")(lambda x1, x2: unrecorded(operator.or_, x1, x2))
tensor_method("__xor__", "__rxor__")(lambda x1, x2: unrecorded(operator.xor, x1, x2))
tensor_method("__invert__")(lambda x: unrecorded(operator.invert, x))


@tensor_method()
def equal(x: Any, other: Any) -> bool:
    """Whether the shapes and all numbers are the same: one Python boolean.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1, 2])
    >>> x.equal(minidl.tensor([1, 2])), x.equal(minidl.tensor([[1, 2]]))
    (True, False)
    """
    x, other = data_of(x), data_of(other)
    return x.shape == other.shape and bool((x == other).all())


@tensor_method()
def isnan(x: Any) -> Any:
    """Where x is NaN, as booleans.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, float("nan")]).isnan()
    tensor([False,  True])
    """
    return unrecorded(namespace(x).isnan, x)


@tensor_method()
def isinf(x: Any) -> Any:
    """Where x is infinite, as booleans."""
    return unrecorded(namespace(x).isinf, x)


@tensor_method()
def isfinite(x: Any) -> Any:
    """Where x is neither infinite nor NaN, as booleans.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, float("inf")]).isfinite()
    tensor([ True, False])
    """
    return unrecorded(namespace(x).isfinite, x)


@tensor_method()
def isclose(x: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """|x - other| <= atol + rtol * |other|, as booleans; infinities are close to themselves, NaN with `equal_nan`.

    Raises
    ------
    TypeError, ValueError
        Dtypes that differ; a tolerance below 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0]).isclose(minidl.tensor([1.001, 2.0]))
    tensor([False,  True])
    """
    if x.dtype != other.dtype:
        raise TypeError(f"isclose: x and other must have the same dtype, got {x.dtype} and {other.dtype}")
    if rtol < 0 or atol < 0:
        raise ValueError(f"isclose: rtol and atol must not be negative, got {rtol} and {atol}")

    wide = x.dtype if x.dtype.kind == "f" else np.float64  # differences of small integers would wrap around

    def close(x: Any, other: Any) -> Any:
        xp = namespace(x)
        # |x - other| <= atol + rtol * |other|, which for an infinite `other` would hold of every x
        near = xp.abs(xp.subtract(x, other, dtype=wide)) <= atol + rtol * xp.abs(other.astype(wide))
        result = (x == other) | (near & xp.isfinite(other))
        return result | (x != x) & (other != other) if equal_nan else result

    return unrecorded(close, x, other)


@tensor_method()
def allclose(x: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close, see :func:`isclose`: one Python boolean.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.1]).allclose(minidl.tensor([0.3]) / 3)
    True
    """
    return bool(data_of(isclose(x, other, rtol, atol, equal_nan)).all())
