"""Which arrays a Tensor can hold, and moving them between the CPU and a GPU."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np


def is_array(x: Any) -> bool:
    """Whether `x` is an array of NumPy, of CuPy or of a type that behaves as they do (a NumPy scalar is not)."""
    return isinstance(x, np.ndarray) or (
        hasattr(x, "__array_ufunc__")
        and hasattr(x, "dtype")
        and not isinstance(x, np.generic)
        and x.__array_ufunc__ is not None
    )


def to_device(array: Any, device: str) -> Any:
    """`array` on ``"cpu"``, ``"cuda"`` (the current GPU) or ``"cuda:1"``; itself if it is there already."""
    kind, _, number = device.partition(":")
    on_gpu = hasattr(array, "__cuda_array_interface__")
    if kind == "cpu":
        return array.get() if on_gpu else array
    if kind != "cuda" or not (number.isdigit() or number == ""):
        raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    from minidl.kernels import cuda

    xp = cuda.array_library()
    with xp.cuda.Device(int(number)) if number else contextlib.nullcontext():
        return xp.asarray(array)
