"""Questions that every kernel asks about its arrays: module, device and memory order; and checks of arguments.

Images always have the shape (N, C, H, W). Their memory order affects speed, never the meaning: convolution and pooling
prefer "channels last", in which the channels of one pixel lie together (N, H, W, C in memory), and return it.
"""

from __future__ import annotations

import operator
import sys
from types import ModuleType
from typing import Any

import numpy as np

Pair = tuple[int, int]


def device_of(x: Any) -> str:
    """Return "cpu" for a NumPy array, "cuda" for a CuPy array, "other" for any array with a namespace of its own.

    An array with a namespace and `__cuda_array_interface__`, such as a simulated GPU's, counts as "cuda" too. A scalar,
    which NumPy makes of arrays with no axes, is "other": the reference computes with it.
    """
    if isinstance(x, np.ndarray):
        return "cpu"
    if isinstance(x, np.generic):  # NumPy 2.0 gives it no namespace
        return "other"
    cupy = sys.modules.get("cupy")  # no import: without one elsewhere, x is no CuPy array
    if cupy is not None and isinstance(x, cupy.ndarray):
        return "cuda"
    if hasattr(x, "__array_namespace__"):
        return "cuda" if hasattr(x, "__cuda_array_interface__") else "other"
    raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")


def array_module(x: Any) -> ModuleType:
    """Return the module (`numpy` or `cupy`) whose functions work on `x`.

    >>> import numpy as np
    >>> from minidl.kernels.arrays import array_module
    >>> array_module(np.zeros(3)).__name__
    'numpy'
    """
    if isinstance(x, (np.ndarray, np.generic)):
        return np
    device = device_of(x)
    cupy = sys.modules.get("cupy")
    if device == "cuda" and cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    return x.__array_namespace__()


def channels_last(x: Any) -> Any:
    """Return `x` (N, C, H, W) with channels-last memory under the same shape; no copy where it has it already.

    >>> import numpy as np
    >>> from minidl.kernels.arrays import channels_last
    >>> y = channels_last(np.zeros((2, 3, 4, 5)))
    >>> y.shape, y.transpose(0, 2, 3, 1).flags.c_contiguous
    ((2, 3, 4, 5), True)
    """
    nhwc = x.transpose(0, 2, 3, 1)
    if nhwc.flags.c_contiguous:
        return x
    return array_module(x).ascontiguousarray(nhwc).transpose(0, 3, 1, 2)


def pair(value: int | tuple[int, int], name: str, minimum: int = 0) -> Pair:
    """Return `value`, an integer or two, as (vertical, horizontal); raise if one is below `minimum`.

    >>> from minidl.kernels.arrays import pair
    >>> pair(3, "kernel_size"), pair((2, 1), "stride")
    ((3, 3), (2, 1))
    """
    if type(value) is tuple and len(value) == 2 and type(value[0]) is type(value[1]) is int and min(value) >= minimum:
        return value  # the common case, made fast: layers pass pairs
    try:
        first, second = value if type(value) is tuple else (value, value) if not isinstance(value, list) else value
        first, second = operator.index(first), operator.index(second)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an integer or a pair of integers, got {value!r}") from None
    if first < minimum or second < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value!r}")
    return first, second


def single(value: int | tuple[int], name: str, minimum: int = 0) -> int:
    """Return `value`, an integer or one in a tuple, for an operation along one axis; raise if it is below `minimum`.

    >>> from minidl.kernels.arrays import single
    >>> single(3, "kernel_size"), single((2,), "stride")
    (3, 2)
    """
    number = value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value
    if not isinstance(number, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value!r}")
    return int(number)


def extent(x: Any) -> str:
    """The least and the largest number of x, for an error: "3 to 7", or "7" if they are equal.

    >>> import numpy as np
    >>> from minidl.kernels.arrays import extent
    >>> extent(np.array([7, 3])), extent(np.array([7, 7]))
    ('3 to 7', '7')
    """
    least, largest = x.min(), x.max()
    return str(least) if least == largest else f"{least} to {largest}"


def check_array(x: Any, name: str, ndim: int, at_least: bool = False) -> None:
    """Raise unless `x` is an array of `ndim` dimensions (or, with `at_least`, of that many or more)."""
    if type(x) is not np.ndarray and not (hasattr(x, "dtype") and hasattr(x, "ndim")):
        raise TypeError(f"{name} must be a NumPy or CuPy array, got {type(x).__name__}")
    if x.ndim != ndim and not (at_least and x.ndim > ndim):
        raise ValueError(f"{name} must have {'at least ' * at_least}{ndim} dimensions, got shape {tuple(x.shape)}")


def check_gradient(dy: Any, y: Any, name: str) -> None:
    """Raise unless `dy` is an array of the shape, the dtype and the device of the array `y`, called `name`."""
    check_array(dy, "dy", 0, at_least=True)
    check_same_kind(y, name, dy, "dy")
    if dy.shape != y.shape:
        raise ValueError(f"dy must have the shape of {name}, {y.shape}, got {dy.shape}")


def check_same_kind(x: Any, x_name: str, y: Any, y_name: str) -> None:
    """Raise unless `y` has the dtype and the device of `x`: nothing is converted silently."""
    if x.dtype != y.dtype:
        raise TypeError(
            f"{y_name} must have the dtype of {x_name}: got {x_name} {x.dtype} and {y_name} {y.dtype}; "
            "convert one of them with .astype(...)"
        )
    if type(x) is not type(y) and device_of(x) != device_of(y):
        raise TypeError(f"{x_name} and {y_name} must be on one device, got {device_of(x)} and {device_of(y)}")
