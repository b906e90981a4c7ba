"""The same numbers in another dtype, or on another device."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method, to_device
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


@tensor_method()
def astype(x: Any, dtype: Any) -> Any:
    """x in another dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return unrecorded(lambda x: x.astype(dtype), x)
    return Astype(dtype)(x)


@tensor_method()
def move(x: Any, device: str) -> Any:
    """x on another device: ``"cpu"``, ``"cuda"`` (the current GPU), ``"cuda:1"``."""
    return Move(device)(x)
