"""The same numbers in another dtype, or on another device."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Function, Tensor, is_array, tensor_method, to_device
from minidl.functional.operands import unrecorded

__all__ = ["astype", "move"]


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


@tensor_method("astype", "type")
def astype(x: Any, dtype: Any) -> Any:
    """x in another dtype.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.7, -1.7]).astype("int64")
    tensor([ 1, -1])
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return unrecorded(lambda x: x.astype(dtype), x)
    return Astype(dtype)(x)


@tensor_method()
def move(x: Any, device: str) -> Any:
    """x on another device: ``"cpu"``, ``"cuda"`` (the current GPU), ``"cuda:1"``."""
    return Move(device)(x)


@tensor_method()
def to(x: Tensor, *targets: Any, device: str | None = None, dtype: Any = None, non_blocking: bool = False) -> Tensor:
    """x on another device (``"cpu"``, ``"cuda"``), in another dtype, or in both of another Tensor or array.

    `non_blocking` has no effect: a copy between devices is always complete when this returns.
    """
    for target in targets:
        if target is None:
            continue  # np.dtype(None) is float64
        if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
            device = target
        elif isinstance(target, Tensor) or is_array(target):
            device, dtype = (Tensor(target) if is_array(target) else target).device, target.dtype
        else:
            try:
                dtype = np.dtype(target)
            except TypeError:
                raise TypeError(f"to() takes a device, 'cpu' or 'cuda', a dtype or a Tensor, got {target!r}") from None
    result = x
    if dtype is not None and np.dtype(dtype) != x.dtype:
        result = result.astype(dtype)
    if device is not None and device not in (result.device, result.device.partition(":")[0]):
        result = result.move(device)
    return result


@tensor_method()
def type_as(x: Tensor, other: Any) -> Tensor:
    """x in the dtype and on the device of another Tensor or array, as ``other.data`` is."""
    return to(x, other)


@tensor_method()
def cpu(x: Tensor) -> Tensor:
    """``to("cpu")``."""
    return to(x, "cpu")


@tensor_method()
def cuda(x: Tensor, non_blocking: bool = False) -> Tensor:
    """``to("cuda")``."""
    return to(x, "cuda")


@tensor_method()
def float(x: Tensor) -> Tensor:
    """x in float32."""
    return to(x, np.float32)


@tensor_method()
def double(x: Tensor) -> Tensor:
    """x in float64."""
    return to(x, np.float64)


@tensor_method()
def int(x: Tensor) -> Tensor:
    """x in int32."""
    return to(x, np.int32)


@tensor_method()
def long(x: Tensor) -> Tensor:
    """x in int64."""
    return to(x, np.int64)


@tensor_method()
def bool(x: Tensor) -> Tensor:
    """True where x is not 0."""
    return to(x, np.bool_)
