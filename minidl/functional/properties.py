"""What a program asks of a tensor: how many numbers, of which kind, and where they lie."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Tensor, tensor_method
from minidl.functional.operands import data_of

__all__ = ["is_floating_point", "numel"]


def numel(x: Any) -> int:
    """The number of elements of x, ``x.numel()``.

    Examples
    --------
    >>> import minidl
    >>> minidl.numel(minidl.zeros(2, 3))
    6
    """
    return data_of(x).size


def is_floating_point(x: Any) -> bool:
    """Whether the dtype of x is a floating-point one: only those have gradients."""
    return x.dtype.kind == "f"


@tensor_method()
def nelement(x: Tensor) -> int:
    """The number of elements: ``x.numel()``."""
    return x.numel()


@tensor_method()
def ndimension(x: Tensor) -> int:
    """The number of axes: ``x.dim()``."""
    return x.ndim


@tensor_method()
def is_contiguous(x: Tensor) -> bool:
    """Whether the numbers lie in C order, one after the other."""
    return x.data.flags.c_contiguous


def _is_cuda(x: Tensor) -> bool:
    return x.device != "cpu"


Tensor.is_cuda = property(_is_cuda, doc="Whether the numbers are on a GPU.")
