"""Sorting: all values in order, the k largest, the median."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import tensor_method
from minidl.functional.axes import any_empty, one_axis, takes_numpys_names, with_reduced_axes
from minidl.functional.extremes import Extreme, ValuesAndIndices, values_at
from minidl.functional.operands import integers, namespace, unrecorded
from minidl.functional.reduce import mean
from minidl.functional.shape import reshape

__all__ = ["argsort", "median", "sort", "topk"]

SHORT, FEW = 32, 2048  # numbers along an axis, and in all: fewer are soon sorted, without finding the largest first
PASSES = 8  # searches for a maximum, each a twentieth of the time that it takes to find several at once


@tensor_method()
def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> ValuesAndIndices:
    """The values in order along `dim`, and where each came from; equal values always keep their order, as if `stable`.

    Examples
    --------
    >>> import minidl
    >>> values, indices = minidl.tensor([3.0, 1.0, 2.0]).sort()
    >>> values, indices
    (tensor([1., 2., 3.]), tensor([1, 2, 0]))
    """
    return values_at(x, argsort(x, dim, descending, stable), dim)


@tensor_method()
def argsort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Where the values of :func:`sort` come from: integers in the shape of x, which have no gradient.

    Raises
    ------
    IndexError
        Where x has no axis `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([3.0, 1.0, 2.0]).argsort()
    tensor([1, 2, 0])
    """
    axes = one_axis(dim, x.ndim)
    return unrecorded(lambda x: _order(x, axes[0], descending) if axes else namespace(x).zeros((), np.int64), x)


def _order(x: Any, axis: int, descending: bool) -> Any:
    if descending:  # sort the reversed axis and reverse back, so that equal values keep their order
        backwards = (slice(None),) * axis + (slice(None, None, -1),)
        return x.shape[axis] - 1 - _order(x[backwards], axis, False)[backwards]
    return namespace(x).argsort(x, axis, kind="stable")


@tensor_method()
def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """The k largest (or smallest) values along `dim` and where they are, always in order, as if `sorted`, best first.

    NaN counts as the largest. Where only some of several equal values are taken, it may be any of them.

    Examples
    --------
    >>> import minidl
    >>> values, indices = minidl.tensor([3.0, 1.0, 2.0]).topk(2)
    >>> values, indices
    (tensor([3., 2.]), tensor([0, 2]))
    """
    (axis,), (k,) = one_axis(dim, x.ndim) or (0,), integers("k", k)
    size = x.shape[axis] if x.ndim else 1
    if not 0 <= k <= size:
        raise ValueError(f"k must be from 0 to {size}, the size of dim {dim}, got {k}")
    indices = unrecorded(lambda x: _first(x, k, axis, largest), x) if x.ndim else argsort(x)
    return values_at(x, indices, dim)


def _first(x: Any, k: int, axis: int, largest: bool) -> Any:
    """Where the k largest (or smallest) numbers are along an axis, best first."""
    xp, front = namespace(x), (slice(None),) * axis + (slice(0, k),)
    if not 0 < 2 * k <= x.shape[axis] or x.shape[axis] < SHORT or x.size < FEW:
        return _order(x, axis, largest)[front]
    if largest and k <= PASSES and type(x) is np.ndarray and x.dtype.kind == "f":
        found = _one_by_one(x, k, axis)
        if not (np.take_along_axis(x, found, axis)[(slice(None),) * axis + (slice(1, None),)] == -np.inf).any():
            return found  # of several -inf the first would be found again
    # find them, then sort those
    last = (slice(None),) * axis + (slice(-k, None),)
    found = xp.argpartition(x, -k, axis)[last] if largest else xp.argpartition(x, k - 1, axis)[front]
    return xp.take_along_axis(found, _order(xp.take_along_axis(x, found, axis), axis, largest), axis)


def _one_by_one(x: np.ndarray, k: int, axis: int) -> np.ndarray:
    """Where the k largest numbers are along an axis: each the first maximum of those that are left."""
    found, left = [x.argmax(axis, keepdims=True)], x
    while len(found) < k:
        left = x.copy("K") if left is x else left
        np.put_along_axis(left, found[-1], -np.inf, axis)
        found.append(left.argmax(axis, keepdims=True))
    return np.concatenate(found, axis)


class Median(Extreme):
    """y = the middle one of all x in order, the lower of two; NaN if any x is. Ties share the gradient."""

    def __init__(self, ndim):
        super().__init__("median", tuple(range(ndim)), nan_ties=True)

    def forward(self, x):
        ordered = namespace(x).sort(x.reshape(-1))  # NaN last
        last = ordered[-1:]
        return namespace(x).where(last == last, ordered[(x.size - 1) // 2], last).reshape(())


@tensor_method()
@takes_numpys_names
def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle one of the values in order, the lower of two; along `dim`, these values and where they are.

    NaN if any value is NaN, or if there is none. Without `dim` equal values share the gradient; along `dim` it goes to
    the one at the index.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([7.0, 1.0, 3.0, 5.0]).median()
    tensor(3.)
    >>> values, indices = minidl.tensor([[7.0, 1.0, 3.0], [2.0, 8.0, 4.0]]).median(1)
    >>> values, indices
    (tensor([3., 4.]), tensor([2, 2]))
    """
    if x.dtype == np.bool_:
        raise TypeError("median needs numbers, got bool")
    axes = tuple(range(x.ndim)) if dim is None else one_axis(dim, x.ndim)
    if any_empty(x.shape, axes):
        if dim is None and x.dtype.kind == "f":
            return mean(x, None, keepdim)  # NaN, as in PyTorch
        raise ValueError(f"median of no values: x has shape {tuple(x.shape)} and dim is {dim}")
    if dim is None:
        y = Median(x.ndim)(x)
        return with_reduced_axes(y, axes, x.ndim) if keepdim else y
    if x.ndim == 0:
        return median(reshape(x, -1), 0)
    return values_at(x, unrecorded(lambda x: _middle(x, axes[0], keepdim), x), dim)


def _middle(x: Any, axis: int, keepdim: bool) -> Any:
    """Where the median is along an axis: at the first NaN if there is one."""
    before = (x.shape[axis] - 1) // 2  # numbers that are smaller
    xp, broken = namespace(x), x != x
    y = xp.partition(x, before, axis)[(slice(None),) * axis + (slice(before, before + 1),)]
    return xp.asarray(xp.where(broken.any(axis, keepdims=True), broken, x == y).argmax(axis, keepdims=keepdim))
