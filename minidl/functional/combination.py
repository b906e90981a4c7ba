"""Sums of products: x1 + weight * (x2 - x1), as in moving averages, and x + value * tensor1 * tensor2."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Tensor, tensor_method
from minidl.functional.arithmetic import add, div, mul, sub

__all__ = ["addcdiv", "addcmul", "lerp"]


@tensor_method()
def lerp(x1: Any, x2: Any, weight: Any) -> Any:
    """x1 + weight * (x2 - x1): x1 where `weight` is 0, x2 where it is 1, a moving average where it is small.

    Examples
    --------
    >>> import minidl
    >>> average = minidl.tensor([1.0, 2.0])
    >>> average.lerp_(minidl.tensor([11.0, 22.0]), 0.1)
    tensor([2., 4.])
    """
    return add(x1, mul(sub(x2, x1), weight))


@tensor_method()
def addcmul(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """x + value * tensor1 * tensor2.

    Examples
    --------
    >>> import minidl
    >>> squares, dx = minidl.tensor([1.0, 2.0]), minidl.tensor([3.0, -1.0])
    >>> squares.mul_(0.5).addcmul_(dx, dx, value=0.5)
    tensor([5. , 1.5])
    """
    return add(x, mul(tensor1, tensor2), alpha=value)


@tensor_method()
def addcdiv(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """x + value * tensor1 / tensor2, of floating-point numbers.

    Raises
    ------
    TypeError
        Where both tensor1 and tensor2 hold integers.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 1.0]).addcdiv(minidl.tensor([1.0, 3.0]), minidl.tensor([2.0, 2.0]), value=-1)
    tensor([ 0.5, -0.5])
    """
    return add(x, _quotient(tensor1, tensor2), alpha=value)


def _quotient(tensor1: Any, tensor2: Any) -> Any:
    if tensor1.dtype.kind != "f" and tensor2.dtype.kind != "f":
        raise TypeError(f"addcdiv: tensor1 or tensor2 must be floating point, got {tensor1.dtype} and {tensor2.dtype}")
    return div(tensor1, tensor2)


@tensor_method()
def lerp_(x1: Tensor, x2: Any, weight: Any) -> Tensor:
    """x1 += weight * (x2 - x1)."""
    return x1.add_(mul(sub(x2, x1), weight))


@tensor_method()
def addcmul_(x: Tensor, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """x += value * tensor1 * tensor2."""
    return x.add_(mul(tensor1, tensor2), alpha=value)


@tensor_method()
def addcdiv_(x: Tensor, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """x += value * tensor1 / tensor2."""
    return x.add_(_quotient(tensor1, tensor2), alpha=value)
