"""Entries of an axis: whole ones, such as the rows of a matrix, picked, repeated, added up."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.arithmetic import add
from minidl.functional.axes import one_axis
from minidl.functional.in_place import in_place
from minidl.functional.indexing import Index, IndexAdd
from minidl.functional.operands import integers, namespace
from minidl.functional.places import key_and_source, key_of_entries
from minidl.functional.reduce import sum
from minidl.functional.shape import reshape

__all__ = ["index_add", "index_select", "repeat_interleave"]


@tensor_method()
def index_select(x: Any, dim: int, index: Any) -> Any:
    """The entries `index` (one axis of integers from 0) of x along `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]]).index_select(1, minidl.tensor([1, 1]))
    tensor([[2., 2.],
            [4., 4.]])
    """
    if x.ndim == 0:
        return reshape(index_select(reshape(x, -1), dim, index), ())
    key, _, _ = key_of_entries("index_select", x, dim, index)
    return Index(key)(x)


@tensor_method()
def repeat_interleave(x: Any, repeats: Any, dim: int | None = None) -> Any:
    """Each entry of x along `dim`, repeated `repeats` times in a row; without `dim`, each of the flattened x.

    Parameters
    ----------
    repeats : int, or integers (N,)
        One for all N entries, or one for each.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1, 2]).repeat_interleave(2), minidl.tensor([1, 2]).repeat_interleave(minidl.tensor([2, 1]))
    (tensor([1, 1, 2, 2]), tensor([1, 1, 2]))
    """
    if dim is None or x.ndim == 0:
        x, dim = reshape(x, -1), 0
    n, counts = x.shape[one_axis(dim, x.ndim)[0]], integers("repeats", repeats)
    if len(counts) not in (1, n) or min(counts, default=0) < 0:
        raise ValueError(f"repeats must be from 0 up, one number or {n}, got {counts}")
    if len(counts) == 1:
        return Repeat(one_axis(dim, x.ndim)[0], counts[0])(x)
    return index_select(x, dim, np.repeat(np.arange(n), counts))


class Repeat(Function):
    """y[i] = x[floor(i / times)] along one axis."""

    saves_inputs = False

    def __init__(self, axis, times):
        self.axis, self.times = axis, times

    def forward(self, x):
        self.saved = x.shape[self.axis]
        return namespace(x).repeat(x, self.times, self.axis)

    def backward(self, dy, inputs, output):
        # dx[j] = dy[j * times] + ... + dy[j * times + times - 1]
        before, after = dy.shape[: self.axis], dy.shape[self.axis + 1 :]
        return sum(reshape(dy, (*before, self.saved, self.times, *after)), self.axis + 1)


@tensor_method()
def index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """y = x, then y[index[i]] += alpha * source[i] along `dim`; entries for the same place add up.

    Parameters
    ----------
    x : (..., N, ...)
    dim : int
    index : (M,) integers from 0 to N - 1
    source : (..., M, ...)
        In the dtype of x, and of its sizes along all axes but `dim`.

    Raises
    ------
    IndexError, ValueError, TypeError
        An index outside of x, a source of another shape or dtype.

    Examples
    --------
    >>> import minidl
    >>> sums = minidl.zeros(3, 2)
    >>> sums.index_add_(0, minidl.tensor([2, 0, 2]), minidl.tensor([[1.0, 1.0], [5.0, 6.0], [2.0, 2.0]]))
    tensor([[5., 6.],
            [0., 0.],
            [3., 3.]])
    """
    if x.ndim == 0:
        return reshape(index_add(reshape(x, -1), dim, index, reshape(source, -1), alpha=alpha), ())
    key, source = key_and_source("index_add", x, dim, index, source)
    return add(x, IndexAdd(key, tuple(x.shape))(source), alpha=alpha)


in_place(index_add, "index_add_")
