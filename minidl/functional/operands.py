"""Helpers of all operations: the array in a Tensor, its array library, integer arguments, unrecorded results."""

from __future__ import annotations

import operator
import re
from typing import Any

import numpy as np

from minidl.autograd import Tensor, is_array, name_operands, not_promoted
from minidl.kernels import array_module


def data_of(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x._data if isinstance(x, Tensor) else x


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
    """x as the array that kernels need: results without axes are NumPy scalars, not arrays."""
    return np.asarray(x) if isinstance(x, (np.generic, float, int)) else x


def integers(name: str, values: Any) -> tuple[int, ...]:
    """`values`, one or several, as a tuple of Python integers; a float is an error, not rounded in silence."""
    if not isinstance(values, (tuple, list)):
        values = values.tolist() if hasattr(values, "tolist") else values  # an array, a Tensor, a NumPy number
    try:
        return tuple(map(operator.index, values if isinstance(values, (tuple, list)) else (values,)))
    except TypeError:
        raise TypeError(f"{name} must be one integer, or several, got {values!r}") from None


def sizes_of(arguments: tuple, name: str = "sizes", by_name: Any = None) -> tuple[int, ...]:
    """Integers that a function was given as ``(2, 3)``, as ``2, 3``, or by their name."""
    if by_name is not None:
        if arguments:
            raise TypeError(f"{name} was given twice: {arguments} and {name}={by_name}")
        arguments = (by_name,)
    if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)):
        arguments = tuple(arguments[0])
    return integers(name, arguments)


def apart(y: Any, x: Any) -> Any:
    """y, or a copy if it shares memory with x, so that an in-place change of one does not reach the other."""
    if not namespace(x).may_share_memory(data_of(y), data_of(x)):
        return y
    return y.clone() if isinstance(y, Tensor) else y.copy()


def check_operand(name: str, x: Any) -> None:
    """Raise a TypeError for what no operation computes with, such as None, which NumPy takes as an array of objects."""
    if not hasattr(x, "dtype") and not isinstance(x, (int, float, list, tuple)):
        raise TypeError(f"{name}: an operand must be a Tensor, an array or a number, got {x!r}")


def check_float(name: str, x: Any, argument: str = "x") -> None:
    """Raise a TypeError unless x, an argument of the operation `name`, is a floating-point Tensor or array."""
    if not isinstance(x, (Tensor, np.generic)) and not is_array(x):
        raise TypeError(f"{name}: {argument} must be a Tensor or an array, got {type(x).__name__}")
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: {argument} must be floating point, got {x.dtype}; convert with {argument}.float()")


class ErrorsNaming:
    """Inside this ``with``, errors of kernels, which speak of w and b as formulas do, name a function's own arguments.

    >>> from minidl.functional.operands import ErrorsNaming
    >>> with ErrorsNaming(w="weight"):
    ...     raise ValueError("w must have 4 dimensions")
    Traceback (most recent call last):
    ValueError: weight must have 4 dimensions
    """

    def __init__(self, **names: str):
        self.names, self.words = names, re.compile(rf"\b({'|'.join(names)})\b")

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, (TypeError, ValueError, IndexError)):
            error.args = (self.words.sub(lambda word: self.names[word[0]], str(error)),)


WEIGHT_AND_BIAS = ErrorsNaming(w="weight", b="bias")


def unrecorded(compute: Any, *values: Any) -> Any:
    """compute(*arrays), without recording; the result is a Tensor if any of the values is one."""
    arrays = [data_of(value) for value in values]
    try:
        result = compute(*arrays)
    except (TypeError, ValueError) as error:
        name_operands(error, compute.__name__, arrays)
        raise
    return Tensor(not_promoted(result, arrays)) if any(isinstance(value, Tensor) for value in values) else result
