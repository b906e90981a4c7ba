"""The argument `dim`: the axes along which an operation works, checked and counted from 0."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Axes = int | tuple[int, ...] | None


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
    """Let a reduction be called with ``axis=`` and ``keepdims=`` in place of ``dim=`` and ``keepdim=``."""

    @functools.wraps(reduction)
    def renamed(*arguments: Any, **options: Any) -> Any:
        for name, numpys in (("dim", "axis"), ("keepdim", "keepdims")) if options else ():
            if numpys in options:
                if name in options:
                    both = f"{name}={options[name]!r} and {numpys}={options[numpys]!r}"
                    raise TypeError(f"{reduction.__name__}: {name} and {numpys} are one argument, got {both}")
                options[name] = options.pop(numpys)
        return reduction(*arguments, **options)

    return renamed


def with_reduced_axes(y: Any, axes: tuple[int, ...], ndim: int) -> Any:
    """y with the reduced axes put back as axes of size 1."""
    kept = iter(y.shape)
    return y.reshape(tuple(1 if axis in axes else next(kept) for axis in range(ndim)))


def any_empty(shape: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Whether one of the axes has no entries."""
    return 0 in [shape[axis] for axis in axes]
