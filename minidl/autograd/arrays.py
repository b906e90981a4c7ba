"""Which arrays a Tensor can hold, and moving them between the CPU and a GPU."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from minidl.kernels import extent


def is_array(x: Any) -> bool:
    """Whether `x` is an array of NumPy, CuPy or a type that behaves like theirs.

    NumPy scalars are not, nor what gives one if asked, such as a column of pandas: x[0] is the row that is named 0.
    """
    return isinstance(x, np.ndarray) or (
        hasattr(x, "__array_function__") and hasattr(x, "dtype") and not isinstance(x, np.generic)
    )


def as_array(data: Any, dtype: Any = None) -> Any:
    """The array that a Tensor of `data` holds: Python floats as float32 (or `dtype`), no strings, no objects."""
    if isinstance(data, np.ndarray) and type(data) is not np.ndarray:
        data = plain_array(data)
    try:
        array = data if is_array(data) else np.asarray(data)
    except ValueError:
        with contextlib.suppress(RecursionError):  # of a list that holds itself, of which NumPy tells
            _even_shape(data)
        raise
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:  # kernels go up to float64
        raise TypeError(
            "data must be real numbers of at most 64 bits, in nested lists of equal lengths or an array, "
            f"got {array.dtype}"
        )
    if array is data:
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))  # as kernels need it
    if dtype is not None:
        _check_range(array, np.dtype(dtype))
    if array.dtype == np.float64 and getattr(_first_number(data), "dtype", None) != np.float64:
        return array.astype(dtype or np.float32)
    return array


def _even_shape(data: Any, name: str = "data") -> tuple[int, ...]:
    """The shape of nested lists; an error that says where they are not of equal lengths."""
    if not isinstance(data, (list, tuple)):
        return tuple(getattr(data, "shape", ()))
    shapes = [_even_shape(part, f"{name}[{i}]") for i, part in enumerate(data)]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(
                "data must be a number, or nested lists of equal lengths, "
                f"got {name}[0] of shape {shapes[0]} and {name}[{i}] of shape {shape}"
            )
    return (len(data), *shapes[0]) if shapes else (0,)


def _first_number(data: Any) -> Any:
    """The first number in nested lists: one of Python, or one, or an array, that has a dtype of its own."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def plain_array(data: np.ndarray) -> np.ndarray:
    """The numbers of an array of a subclass, whose operators may be other ones: * of np.matrix is a matrix product."""
    if np.ma.is_masked(data):
        raise TypeError("data must have a number everywhere, got a masked array; write data.filled(value)")
    return data.view(np.ndarray)


def _check_range(array: np.ndarray, dtype: np.dtype) -> None:
    """Raise if `dtype` is an integer type that can't hold the numbers."""
    if dtype.kind not in "iu" or not array.size:
        return
    least, largest, bounds = array.min().item(), array.max().item(), np.iinfo(dtype)
    if not (least >= bounds.min and largest <= bounds.max):  # written so that NaN fails
        raise OverflowError(f"data of dtype {dtype} must be from {bounds.min} to {bounds.max}, got {extent(array)}")


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


def to_numpy(values: Any) -> np.ndarray:
    """A NumPy array of a Tensor, an array on any device, or a list."""
    return np.asarray(to_device(values, "cpu"))
