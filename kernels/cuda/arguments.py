"""The arguments of a launch, checked against the kernel's parameters and converted to their types.

Each parameter has an object that is made once and prepares what it can, so that a launch costs little: a small network
launches many kernels that take only microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .source import Parameter

if TYPE_CHECKING:
    from .runtime import Runtime

_NUMPY_TYPE: dict[str, type[np.generic]] = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "unsigned int": np.uint32,
    "long long": np.int64,
    "unsigned char": np.uint8,
}
_NULL = np.uintp(0)  # some versions of CuPy drop an argument that is None


def wrong_device(where: str, device: int, current: int) -> ValueError:
    """The error of an array on another GPU than the current one, where its address means something else."""
    return ValueError(
        f"{where} is on GPU {device}, the current one is {current}; use `with cupy.cuda.Device({device}):`"
    )


class ArrayArgument:
    """A pointer: takes an array of the runtime, of the right dtype, in C order and on the current GPU, or None."""

    def __init__(self, kernel: str, parameter: Parameter) -> None:
        self.where = f"{kernel}: argument {parameter.name!r}"
        self.dtype = np.dtype(_NUMPY_TYPE[parameter.type])

    def convert(self, value: Any, runtime: Runtime, device: int) -> Any:
        if value is None:
            return _NULL
        xp = runtime.xp
        if not isinstance(value, xp.ndarray):
            raise TypeError(f"{self.where} must be an array of {xp.__name__} or None, got {type(value).__name__}")
        if value.dtype != self.dtype:
            raise TypeError(f"{self.where} must be {self.dtype.name}, got {value.dtype.name}")
        if not value.flags.c_contiguous:
            raise ValueError(f"{self.where} must be C-contiguous, got shape {value.shape} with strides {value.strides}")
        if (own := runtime.device_of(value)) != device:
            raise wrong_device(self.where, own, device)
        return value


class IntegerArgument:
    """An integer that fits its parameter."""

    dtype = None  # that of no array

    def __init__(self, kernel: str, parameter: Parameter) -> None:
        self.where, self.c_type = f"{kernel}: argument {parameter.name!r}", parameter.type
        self.type = _NUMPY_TYPE[parameter.type]
        self.lowest, self.highest = int(np.iinfo(self.type).min), int(np.iinfo(self.type).max)

    def convert(self, value: Any, runtime: Runtime, device: int = 0) -> Any:
        if type(value) is not int and not isinstance(value, (int, np.integer, np.bool_)):
            raise TypeError(f"{self.where} must be an integer ({self.c_type}), got {type(value).__name__}")
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"{self.where} does not fit {self.c_type}: {value}")
        return self.type(value)


class FloatArgument:
    """A number, rounded to its parameter's type."""

    dtype = None

    def __init__(self, kernel: str, parameter: Parameter) -> None:
        self.where, self.c_type = f"{kernel}: argument {parameter.name!r}", parameter.type
        self.type = _NUMPY_TYPE[parameter.type]

    def convert(self, value: Any, runtime: Runtime, device: int) -> Any:
        if not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{self.where} must be a number ({self.c_type}), got {type(value).__name__}")
        return self.type(value)


def argument(kernel: str, parameter: Parameter) -> ArrayArgument | IntegerArgument | FloatArgument:
    """Return the object that checks and converts the argument for this parameter."""
    if parameter.type not in _NUMPY_TYPE:
        known = ", ".join(_NUMPY_TYPE)
        raise TypeError(f"{kernel}: parameter {parameter.name!r} has type {parameter.type}; known are {known}")
    if parameter.pointer:
        return ArrayArgument(kernel, parameter)
    return (FloatArgument if parameter.type in ("float", "double") else IntegerArgument)(kernel, parameter)
