"""Indexing: x[key], its adjoint (y[key] += x), and x[key] = value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, is_grad_enabled, tensor_method
from minidl.functional.choice import where
from minidl.functional.keys import check_key, plain_key, steps_of
from minidl.functional.operands import as_array, check_operand, data_of, namespace
from minidl.functional.shape import reshape

__all__ = ["add_at", "index"]


class Index(Function):
    """y = x[key]: slices, integers, arrays, booleans, ``...`` and None, as in NumPy."""

    saves_inputs = False
    is_view = True

    def __init__(self, key, distinct=False):
        self.key, self.distinct = key, distinct

    def forward(self, x):
        self.saved = x.shape
        axis = _axis_of_positions(self.key)
        if axis is not None and x.flags.c_contiguous:  # take is up to 9 times as fast, but would copy another x
            return x.take(self.key[axis] if type(self.key) is tuple else self.key, axis)
        y = x[self.key]
        if isinstance(y, np.generic):  # integers for all axes: a 0-d view, not a copied number
            y = x[(*self.key, ...) if isinstance(self.key, tuple) else (self.key, ...)]
        return y

    def backward(self, dy, inputs, output):
        # dx[key] += dy
        return IndexAdd(self.key, self.saved, self.distinct)(dy)


class IndexAdd(Function):
    """y = zeros; y[key] += x, where values for the same place add up. The adjoint of :class:`Index`."""

    saves_inputs = False

    def __init__(self, key, shape, distinct=False):
        self.key, self.new_shape = key, shape
        self.distinct = distinct or _names_once((key,))  # no place occurs twice: y[key] = x is then the same

    def forward(self, x):
        xp, shape = namespace(x), self.new_shape
        if xp is np and x.size and not self.distinct:
            # the kernel adds rows to rows; an array for each axis picks single numbers, rows of the flattened y
            axis = _axis_of_positions(self.key)
            if axis is not None:
                places = _from_zero(self.key[axis] if type(self.key) is tuple else self.key, shape[axis]).reshape(-1)
                rows = x.reshape(*shape[:axis], -1, *shape[axis + 1 :])
                if axis == 0:
                    return kernels.index_add.forward(rows, places, shape[0])
                return np.moveaxis(kernels.index_add.forward(np.moveaxis(rows, axis, 0), places, shape[axis]), 0, axis)
            if _picks_numbers(self.key, len(shape)):
                places = np.broadcast_to(_flat_places(self.key, shape), x.shape).reshape(-1)
                return kernels.index_add.forward(x.reshape(-1), places, math.prod(shape)).reshape(shape)
        y = xp.zeros(shape, x.dtype)
        if self.distinct:
            y[self.key] = x
        else:
            xp.add.at(y, self.key, x)
        return y

    def backward(self, dy, inputs, output):
        return Index(self.key, self.distinct)(dy)


def _axis_of_positions(key: Any) -> int | None:
    """The axis k of a key with one array of integers, behind k full slices: ``x[:, :, positions]``. None for others."""
    parts = key if type(key) is tuple else (key,)
    if not parts or not isinstance(parts[-1], np.ndarray) or parts[-1].dtype.kind not in "iu":
        return None
    return len(parts) - 1 if all(type(part) is slice and part == slice(None) for part in parts[:-1]) else None


def _picks_numbers(key: Any, ndim: int) -> bool:
    """Whether a key has an array of integers for each of several axes: ``x[i, j]``."""
    if type(key) is not tuple or len(key) != ndim or ndim == 1:
        return False
    return all(hasattr(part, "dtype") and part.dtype.kind in "iu" for part in key)


def _flat_places(key: tuple, shape: tuple[int, ...]) -> np.ndarray:
    """The places in the flattened array: (key[0] * shape[1] + key[1]) * shape[2] + ..."""
    places = np.int64(0)
    for part, n in zip(key, shape):
        places = places * n + _from_zero(part, n)
    return places


def _from_zero(positions: np.ndarray, n: int) -> np.ndarray:
    """Positions along an axis of n, negative ones counted from its end, as positions from 0 to n - 1."""
    positions = positions.astype(np.int64, copy=False)
    least, largest = (positions.min(), positions.max()) if positions.size else (0, -1)
    if least < -n or largest >= n:
        raise IndexError(f"key must be from {-n} to {n - 1} along an axis of {n}, got {kernels.extent(positions)}")
    return positions if least >= 0 else positions % n


@tensor_method("__getitem__")
def index(x: Any, key: Any) -> Any:
    """x[key]: slices, integers, arrays, lists, booleans, ``...`` and None, as in NumPy and PyTorch.

    Where the two differ it is as in NumPy: a list of lists is one array, and bytes (uint8) are positions, not a mask.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x[:, 1], x[x > 2]
    (tensor([2., 4.]), tensor([3., 4.]))
    """
    if type(key) is int or type(key) is slice:
        steps = (key,)
    else:
        key = plain_key(key, x)
        steps = steps_of(key, x.ndim)
    y = x
    try:
        for step in steps:
            y = Index(step)(y)
    except IndexError:
        check_key(key, tuple(x.shape))
        raise
    return y


def add_at(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """y = zeros of `shape`; y[key] += x, where values for the same place add up.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.add_at(minidl.tensor([1.0, 10.0, 100.0]), minidl.tensor([0, 2, 0]), (4,))
    tensor([101.,   0.,  10.,   0.])
    """
    return IndexAdd(plain_key(key, x), tuple(shape))(x)


class SetItem(Function):
    """y = x; y[key] = value, with the key in the form that `steps_of` gives.

    Of several values for one place the last one stays, and only it gets a gradient (in PyTorch all of them do).
    """

    saves_inputs, sets_dtype = False, True

    def __init__(self, steps):
        self.steps = steps

    def forward(self, x, value):
        y = as_array(x).copy()  # NumPy gives a number for a sum of no axes, and a number can't be written to
        _write(y, self.steps, value)
        self.saved = getattr(value, "shape", ())
        return y

    def backward(self, dy, inputs, output):
        # dx = dy, but 0 where x was overwritten; dvalue = dy[key], but 0 where a later value overwrote this one
        # (if value was broadcast, the engine takes the sum)
        dx = SetItem(self.steps)(dy, 0) if self.needs(0) else None
        if not self.needs(1):
            return dx, None
        dvalue = dy
        for step in self.steps:
            dvalue = Index(step)(dvalue)
        if not _names_once(self.steps):
            dvalue = where(_last_written(self.steps, dy, dvalue.shape), dvalue, 0)
        return dx, reshape(dvalue, (1,) * (len(self.saved) - dvalue.ndim) + tuple(dvalue.shape))


def _names_once(steps: tuple) -> bool:
    """Whether the steps name no place twice. Only an array of integers can; one counts as if it did."""
    parts = [part for step in steps for part in (step if isinstance(step, tuple) else (step,))]
    return not any(hasattr(part, "dtype") and part.dtype.kind in "iu" for part in parts)


def _last_written(steps: tuple, dy: Any, shape: tuple[int, ...]) -> Any:
    """For each value, whether it is the last one written to its place: write 0, 1, 2, ... instead, and compare."""
    xp = namespace(dy)
    numbers = xp.arange(math.prod(shape)).reshape(shape)
    written = xp.zeros(dy.shape, np.int64)
    _write(written, steps, numbers)
    for step in steps:
        written = written[step]
    return written == numbers


def _write(memory: Any, steps: tuple, value: Any) -> None:
    *first, last = steps
    if first:
        memory = memory[first[0]]
    try:
        memory[last] = value
    except (TypeError, ValueError):
        shape = memory[last].shape
        check_value(value, shape)
        added = getattr(value, "ndim", 0) - len(shape)
        if added <= 0:
            raise
        memory[last] = value.reshape(value.shape[added:])  # axes of 1, which NumPy drops for most keys by itself


def check_value(value: Any, shape: tuple[int, ...]) -> None:
    """Raise unless a value to be written to places of this shape broadcasts to them."""
    given = tuple(getattr(value, "shape", ()))
    if any(n not in (1, m) for n, m in zip(reversed(given), (*reversed(shape), *[1] * len(given)))):
        raise ValueError(f"value must broadcast to x[key], of shape {shape}, got {given}") from None


@tensor_method("__setitem__")
def set_item(x: Tensor, key: Any, value: Any) -> None:
    """x[key] = value in place; recorded where a gradient flows, unless another tensor shares the memory of x."""
    key, value = plain_key(key, x), Tensor(value) if isinstance(value, (list, tuple)) else value
    check_operand("x[key] = value", value)
    try:
        _set_steps(x, steps_of(key, x.ndim), value)
    except IndexError:
        check_key(key, x.shape)
        raise


def _set_steps(x: Tensor, steps: tuple, value: Any) -> None:
    recorded = x.requires_grad or isinstance(value, Tensor) and value.requires_grad
    if not recorded or not is_grad_enabled():
        x.check_writable()
        _write(x.data, steps, data_of(value))
        x.changed()
        return
    if x.is_leaf and x.requires_grad:
        raise RuntimeError("x[key] = value would change a leaf that requires grad; write y = x.clone() and change y")
    if isinstance(value, Tensor) and value is not x and value.version is x.version:
        raise RuntimeError(
            "x[i] = x[j]: the value is a view of x, which would change with it; write x[i] = x[j].clone()"
        )
    if x.dtype.kind != "f":
        raise TypeError(f"x[key] = value: a value that requires grad needs a floating-point x, got {x.dtype}")
    x.become_(SetItem(steps)(x, value))
