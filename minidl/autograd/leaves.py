"""The gradients of many leaves at once, for modules and optimizers alike."""

from __future__ import annotations

from collections.abc import Iterable

from minidl.autograd.tensor import Tensor
from minidl.kernels import array_module


def zero_gradients(tensors: Iterable[Tensor], set_to_none: bool) -> None:
    """Set the gradients to None, or to zeros; those that are None stay None."""
    for tensor in tensors:
        dx = tensor.grad
        if dx is not None:
            tensor._grad = None if set_to_none else Tensor(array_module(dx.data).zeros_like(dx.data))
