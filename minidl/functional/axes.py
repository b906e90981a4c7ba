"""The argument `dim`: the axes along which an operation works, checked and counted from 0."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import kernels

Axes = int | tuple[int, ...] | None

MANY = 64  # numbers that are worth a way of their own
LARGE = 1 << 15  # numbers that are worth a matrix product
SHORT = 32  # numbers side by side; NumPy is slow to start on fewer


def normalize_axes(dim: Axes, ndim: int) -> tuple[int, ...]:
    """`dim` as a tuple of axes counted from 0; all of them for None.

    >>> from minidl.functional.axes import normalize_axes
    >>> normalize_axes(-1, 3), normalize_axes(None, 2)
    ((2,), (0, 1))
    """
    if dim is None:
        return tuple(range(ndim))
    if type(dim) is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    axes = []
    for axis in dim if isinstance(dim, (tuple, list)) else (dim,):
        if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool):
            raise TypeError(f"dim must be an integer or a tuple of integers, got {dim!r}")
        limit = ndim or 1  # a 0-d array may be reduced along axis 0 or -1, as in PyTorch
        if not -limit <= axis < limit:
            raise IndexError(f"dim {axis} is out of range for {ndim} dimensions (expected {-limit} to {limit - 1})")
        axes.append(axis % limit)
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim names an axis twice: {dim!r}")
    return tuple(axes) if ndim else ()


def one_axis(dim: int, ndim: int) -> tuple[int, ...]:
    """:func:`normalize_axes` for an operation along one axis: a tuple of one axis, empty for a 0-d array."""
    if type(dim) is int and -ndim <= dim < ndim:  # as it nearly always is
        return (dim % ndim,)
    if dim is None or isinstance(dim, (tuple, list)):
        raise TypeError(f"dim must be one integer, got {dim!r}")
    return normalize_axes(dim, ndim)


def reduced_axes(dim: Axes, ndim: int) -> tuple[int, ...]:
    """:func:`normalize_axes` for a reduction of numbers: () means all axes too, as in PyTorch."""
    return normalize_axes(None if isinstance(dim, (tuple, list)) and not dim else dim, ndim)


def takes_numpys_names(reduction: Callable) -> Callable:
    """Let a reduction be called with ``axis=`` and ``keepdims=``."""

    @functools.wraps(reduction)
    def renamed(*arguments: Any, **options: Any) -> Any:
        for name, numpys in (("dim", "axis"), ("keepdim", "keepdims")):
            if numpys in options:
                options[name] = options.pop(numpys)
        return reduction(*arguments, **options)

    signature = inspect.signature(reduction)
    numpys = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in ("axis", "keepdims")]
    renamed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *numpys])
    return renamed


def with_reduced_axes(y: Any, axes: tuple[int, ...], ndim: int) -> Any:
    """y with the reduced axes put back as axes of size 1."""
    kept = iter(y.shape)
    return y.reshape(tuple(1 if axis in axes else next(kept) for axis in range(ndim)))


def any_empty(shape: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Whether one of the axes has no entries."""
    return 0 in [shape[axis] for axis in axes]


_UFUNCS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}


def reduced(name: str, x: Any, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """x.sum(axes), or what else the name says; where few numbers lie side by side, in a faster way than NumPy's.

    NumPy's own loop starts anew for each row, or for each run, which takes it longer than the few numbers in it. Large
    sums down the rows are computed by all threads; NumPy adds row to row, and loses digits.
    """
    if type(x) is not np.ndarray:
        return getattr(x, name)(axes, keepdims=keepdims)
    if len(axes) == 1 and x.size >= MANY and x.dtype.kind == "f" and x.itemsize >= 4:
        (axis,), combine = axes, _UFUNCS[name]
        n, before, behind = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
        if 2 <= n < 8 and not behind:
            y = _by_columns(combine, x)
            return y[..., None] if keepdims else y
        if 2 <= n and behind and math.prod(behind) < SHORT and x.flags.c_contiguous:
            y = _by_halves(combine, x.reshape(-1, n, math.prod(behind)))
            return y.reshape(*before, *(1,) * keepdims, *behind)
    if name == "sum" and x.size >= LARGE and x.dtype.kind == "f" and x.itemsize >= 4:
        if axes == (0, *range(2, x.ndim)):
            y = kernels.channel_sums.forward(x)
            return y.reshape(1, -1, *(1,) * (x.ndim - 2)) if keepdims else y
        y = _by_product(x, axes)
        if y is not None:
            return y if keepdims else y.squeeze(axes)
    return _UFUNCS[name].reduce(x, axes, keepdims=keepdims)  # what the method calls, without its wrapping


def _by_product(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """The sum as a product with a row of ones, which all threads compute, with fewer roundings one after the other.

    None unless the axes lie next to each other in memory, with enough numbers side by side behind them.
    """
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    memory, places = x.transpose(order), [order.index(axis) for axis in axes]
    first, end = min(places, default=0), max(places, default=-1) + 1
    behind = math.prod(memory.shape[end:])
    if end - first != len(axes) or not axes or behind < SHORT or not memory.flags.c_contiguous:
        return None
    n = math.prod(memory.shape[first:end])
    y = kernels.matmul.forward(np.ones((1, n), x.dtype), memory.reshape(-1, n, behind))
    back = [order.index(axis) for axis in range(x.ndim)]
    return y.reshape(*memory.shape[:first], *(1,) * len(axes), *memory.shape[end:]).transpose(back)


def _by_columns(combine: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Along the last axis, rounded as NumPy does it."""
    y = combine(x[..., 0], x[..., 1])
    for i in range(2, x.shape[-1]):
        combine(y, x[..., i], out=y)
    return y


def _by_halves(combine: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Along axis 1 of three: one half with the other, and the result likewise; a sum gathers few roundings."""
    while (n := x.shape[1]) > 1:
        half = n // 2
        y = combine(x[:, :half], x[:, half : 2 * half])
        if n % 2:
            combine(y[:, 0], x[:, -1], out=y[:, 0])
        x = y
    return x
