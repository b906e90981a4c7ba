"""Keys of x[key]: read, cut into steps that NumPy takes, and what is wrong with one that does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Tensor, is_array
from minidl.functional.operands import data_of, namespace
from minidl.kernels import extent


def plain_key(key: Any, x: Any) -> Any:
    """The key with arrays in place of Tensors, lists and ranges."""
    return tuple(plain_index(part, x) for part in key) if isinstance(key, tuple) else plain_index(key, x)


def plain_index(part: Any, x: Any) -> Any:
    """One part of a key as NumPy or CuPy takes it; an array is copied, as it might be changed before backward."""
    if part is None or isinstance(part, (slice, int)) or part is Ellipsis:
        return part
    if isinstance(part, (list, tuple, range)):
        part = Tensor(list(part)) if part else np.zeros(0, np.int64)
    part = data_of(part)
    if not hasattr(part, "dtype"):
        raise IndexError(f"key must hold integers, slices, ..., None or arrays of integers or booleans, got {part!r}")
    if part.dtype.kind not in "iub":
        raise IndexError(f"an index must hold integers or booleans, got {part.dtype}")
    if part.ndim == 0 and part.dtype.kind in "iu":
        return int(part)
    part = part.copy() if is_array(part) else part
    return namespace(x).asarray(part) if isinstance(part, np.ndarray) else part


def steps_of(key: Any, ndim: int) -> tuple:
    """The key as one or two keys, to be applied one after the other: first its integers, then its arrays.

    So ``x[0, :, rows]`` is ``x[0][:, rows]``, as in PyTorch. NumPy would treat the 0 as an array too, and move the axis
    of the rows to the front.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if not any(hasattr(part, "ndim") for part in parts) or not any(type(part) is int for part in parts):
        return (key,)
    used = sum(map(_axes_of, parts))
    first, second = [], []
    for part in parts:
        if hasattr(part, "ndim"):
            first += [slice(None)] * _axes_of(part)
            second.append(part)
        elif part is Ellipsis:
            first += [slice(None)] * (ndim - used)
            second += [slice(None)] * (ndim - used)
        else:
            first.append(part)
            second += [slice(None)] if type(part) is not int else []
    return tuple(first), tuple(second)


def check_key(key: Any, shape: tuple[int, ...]) -> None:
    """Raise the IndexError that says why a key, as `plain_key` gives it, does not fit an x of this shape, if so."""
    parts = key if isinstance(key, tuple) else (key,)
    used = sum(map(_axes_of, parts))
    if used > len(shape):
        raise IndexError(f"key must name at most the {len(shape)} axes of x {shape}, got {used}") from None
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError("key must hold ... only once") from None
    axis, arrays = 0, []
    for part in parts:
        count = _axes_of(part)
        if hasattr(part, "dtype") and part.dtype == bool:
            named = shape[axis : axis + count]
            if part.shape != named:
                place = f"for axis {axis} of x {shape}"
                raise IndexError(f"key must hold booleans of shape {named} {place}, got shape {part.shape}") from None
        elif hasattr(part, "dtype") or type(part) is int:
            _check_range(np.asarray(part) if type(part) is int else part, axis, shape)
            arrays.append(np.shape(part))
        axis += len(shape) - used if part is Ellipsis else count
    try:
        np.broadcast_shapes(*arrays)
    except ValueError:
        raise IndexError(f"key must hold arrays that broadcast, got shapes {arrays}") from None


def _check_range(positions: Any, axis: int, shape: tuple[int, ...]) -> None:
    if not positions.size:
        return
    n = shape[axis]
    if not -n <= int(positions.min()) <= int(positions.max()) < n:
        raise IndexError(
            f"key must be from {-n} to {n - 1} along axis {axis} of x {shape}, got {extent(positions)}"
        ) from None


def _axes_of(part: Any) -> int:
    """How many axes of x one part of a key names."""
    if hasattr(part, "ndim"):
        return part.ndim if part.dtype == bool else 1
    return int(type(part) in (int, slice))
