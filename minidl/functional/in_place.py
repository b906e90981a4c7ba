"""Methods that change a tensor, such as ``x += y`` and ``x.clamp_(0, 1)``.

Where the operation is recorded the tensor becomes its result, history included; otherwise the result is written into
the tensor's memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minidl.autograd import Tensor, is_grad_enabled, tensor_method
from minidl.functional.operands import data_of

# of dtypes, in order: a change in place may not give a higher one than the tensor has
KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}


def in_place(operation: Callable, *names: str, compute: Callable | None = None) -> None:
    """Make methods of Tensor of an operation whose first argument is the tensor to change.

    Parameters
    ----------
    names : str
        Of the methods, such as ``"add_"``.
    compute : callable, optional
        The operation on two arrays with ``in_place=True``, which needs no memory for the result.
    """

    @functools.wraps(operation, updated=())
    def method(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        if compute is not None and len(arguments) == 1 and not options and _fits(x, arguments[0]):
            x.check_writable()
            compute(x.data, data_of(arguments[0]), in_place=True)
            x.changed()
            return x
        result = operation(x, *arguments, **options)
        if result.shape != x.shape:
            raise ValueError(
                f"{names[0]}: the result has shape {result.shape}, which does not fit the tensor's own {x.shape}"
            )
        if KINDS[result.dtype.kind] > KINDS[x.dtype.kind]:
            raise TypeError(f"{names[0]}: the result is {result.dtype}, which a tensor of {x.dtype} can't hold")
        if not result.requires_grad or x.is_leaf and x.requires_grad:
            return x.assign_(result)  # which refuses a leaf that requires grad
        return x.become_(result)

    tensor_method(*names)(method)


def _fits(x1: Tensor, x2: Any) -> bool:
    """Whether nothing is recorded, and a result of x1 and x2 has the shape and the dtype of x1 without a question."""
    if is_grad_enabled() and (x1.requires_grad or isinstance(x2, Tensor) and x2.requires_grad):
        return False
    x1, x2 = x1.data, data_of(x2)
    if x1.dtype.kind != "f":
        return False
    if type(x2) is type(x1):
        return x2.dtype == x1.dtype and x2.ndim <= x1.ndim and x2.shape == x1.shape[x1.ndim - x2.ndim :]
    return type(x2) is float or type(x2) is int
