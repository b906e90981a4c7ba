"""In-place changes: who may write into a tensor's memory, and how ``backward`` notices.

Operations save arrays, not copies. Tensors that share memory share its version, the number of the last in-place change;
``backward`` raises if an array that it reads has a version later than the operation that saved it.
"""

from __future__ import annotations

from typing import Any

from minidl.autograd.grad_mode import grad_mode
from minidl.autograd.hooks import stop_retaining
from minidl.autograd.tensor import Tensor, next_number, tensor_method


@tensor_method()
def shares_memory(x: Tensor) -> bool:
    """Whether another existing tensor shares this one's memory: a view of it, or the tensor that it is a view of."""
    sharing = [ref() for refs in x.version[1:] for ref in tuple(refs)]
    return any(other is not None and other is not x for other in sharing)


@tensor_method()
def changed(x: Tensor) -> None:
    """Tell the engine that the memory was written to, so that a ``backward`` that needs the old values raises."""
    x.version[0] = next_number()


@tensor_method()
def assign_(x: Tensor, values: Any) -> Tensor:
    """Write `values` (broadcast) into this tensor's memory. Not recorded, so no gradient may flow through it."""
    if x.requires_grad and grad_mode.enabled:
        kind = "a leaf that requires grad" if x.origin is None else "a recorded result"
        raise RuntimeError(
            f"{kind} can't be changed in place while operations are recorded; "
            "put the change inside `with minidl.no_grad():`, or write x = x + y instead of changing x"
        )
    if isinstance(values, Tensor):
        if values.requires_grad and grad_mode.enabled:
            raise RuntimeError(
                "the values require grad, and writing them into another tensor's memory is not recorded; "
                "write x[...] = values, which is, or values.detach(), or use the values themselves"
            )
        values = values.data
    x.check_writable()
    x.data[...] = values
    x.changed()
    return x


@tensor_method()
def check_writable(x: Tensor) -> None:
    """Raise if the memory is read-only: that of ``expand`` (many elements are one number), or of a read-only array."""
    if not getattr(x.data.flags, "writeable", True):  # CuPy's flags have no such attribute
        raise RuntimeError(
            f"a tensor of shape {x.shape} in read-only memory, as expand gives it, can't be changed in place; "
            "change x.clone() instead"
        )


@tensor_method()
def become_(x: Tensor, result: Tensor) -> Tensor:
    """Take over the values and history of `result`, computed from this tensor: a recorded in-place change.

    An error where another tensor shares the memory, as it would not see the change.
    """
    if x.shares_memory():
        raise RuntimeError(
            "a recorded change in place would not reach the tensors that share this memory: what this one is a "
            "view of, and its views; instead of x[i] += y write x[i] = x[i] + y, instead of x += y write "
            "x = x + y, or change it inside `with minidl.no_grad():`"
        )
    if result.dtype != x.dtype:
        result = result.astype(x.dtype)
    retains = x.retains_grad
    if retains:
        stop_retaining(x)
    x._data, x.origin, x.version = result._data, result.origin, result.version
    x._requires_grad = True
    if retains:
        x.retain_grad()  # the gradient of the new values, as in PyTorch
    return x


def _fill(x: Tensor, values: Any) -> Tensor:
    """x[...] = values, which is recorded where a gradient flows; otherwise :meth:`assign_`, which takes less time."""
    if grad_mode.enabled and (x.requires_grad and not x.is_leaf or isinstance(values, Tensor) and values.requires_grad):
        x[...] = values
        return x
    return x.assign_(values)


@tensor_method()
def copy_(x: Tensor, source: Any) -> Tensor:
    """Write the values of `source`; recorded where a gradient flows."""
    return _fill(x, source)


@tensor_method()
def fill_(x: Tensor, value: float) -> Tensor:
    """Write one value everywhere; recorded where a gradient flows."""
    return _fill(x, value)


@tensor_method()
def zero_(x: Tensor) -> Tensor:
    """Write 0 everywhere; recorded where a gradient flows."""
    return _fill(x, 0)
