"""Questions with the answers True and False, number by number; they have no gradient."""

from __future__ import annotations

from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.operands import namespace, unrecorded

__all__ = [
    "eq", "ge", "gt", "isfinite", "isinf", "isnan", "le", "logical_and", "logical_not", "logical_or", "lt", "ne",
]  # fmt: skip


@tensor_method("__eq__", "eq")
def eq(x1: Any, x2: Any) -> Any:
    """x1 == x2, as booleans."""
    if x2 is None or isinstance(x2, str):
        return NotImplemented  # so that x == None is False, as Python has it
    return unrecorded(lambda x1, x2: x1 == x2, x1, x2)


@tensor_method("__ne__", "ne")
def ne(x1: Any, x2: Any) -> Any:
    """x1 != x2, as booleans."""
    if x2 is None or isinstance(x2, str):
        return NotImplemented
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
