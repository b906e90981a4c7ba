"""Maximum and minimum: the largest and smallest of many numbers, along some axes or of all, and where they are.

Along an axis, ``max`` and ``min`` give the values and their indices, ``amax`` and ``amin`` the values alone. The
gradient of a value with an index goes to that index, the first of several equal values; without indices, equal values
share it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidl.autograd import Function, Tensor, is_array, tensor_method
from minidl.functional.arithmetic import maximum, minimum
from minidl.functional.axes import (
    Axes,
    any_empty,
    normalize_axes,
    one_axis,
    reduced_axes,
    takes_numpys_names,
    with_reduced_axes,
)
from minidl.functional.indexing import Index
from minidl.functional.operands import apart, data_of, namespace, unrecorded
from minidl.kernels import reduced

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "min"]


class Extreme(Function):
    """y = the largest (or smallest) x along some axes; NaN if any x is NaN. Ties share the gradient equally.

    Where y is NaN, every x of the slice gets NaN, or, with `nan_ties`, the x that are NaN share the gradient.
    """

    saves_output = True

    def __init__(self, name, axes, nan_ties=False):
        self.name, self.axes, self.nan_ties = name, axes, nan_ties

    def forward(self, x):
        return reduced(self.name, x, self.axes)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / (number of ties) where x = y, else 0
        x = inputs[0]
        y = with_reduced_axes(output, self.axes, x.ndim)
        chosen = (x == y) | ((x != x) & (y != y)) if self.nan_ties else x == y
        chosen = data_of(chosen)
        share = chosen.astype(dy.dtype) / chosen.sum(self.axes, keepdims=True).astype(dy.dtype)
        return with_reduced_axes(dy, self.axes, x.ndim) * share


class ValuesAndIndices(NamedTuple):
    """What ``max`` and ``min`` along an axis give: the values, and where along the axis each was found."""

    values: Any
    indices: Any


def _extreme(name: str, x: Any, dim: Axes, keepdim: bool, nan_ties: bool = False) -> Any:
    axes = reduced_axes(dim, x.ndim)
    if any_empty(x.shape, axes):
        raise ValueError(f"{name} of no values: x has shape {tuple(x.shape)} and dim is {dim}")
    y = Extreme(name, axes, nan_ties)(x)
    return with_reduced_axes(y, axes, x.ndim) if keepdim else y


@tensor_method()
@takes_numpys_names
def amax(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The largest value along `dim`; ties share the gradient equally.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1.0, 5.0], [4.0, 2.0]])
    >>> x.amax(), x.amax(1)
    (tensor(5.), tensor([5., 4.]))
    """
    return _extreme("max", x, dim, keepdim)


@tensor_method()
@takes_numpys_names
def amin(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The smallest value along `dim`; ties share the gradient equally."""
    return _extreme("min", x, dim, keepdim)


class MinAndMax(NamedTuple):
    """What ``aminmax`` gives."""

    min: Any
    max: Any


@tensor_method()
@takes_numpys_names
def aminmax(x: Any, *, dim: int | None = None, keepdim: bool = False) -> MinAndMax:
    """The pair of :func:`amin` and :func:`amax`, along one axis or of all values.

    Examples
    --------
    >>> import minidl
    >>> low, high = minidl.tensor([3.0, -1.0, 2.0]).aminmax()
    >>> low, high
    (tensor(-1.), tensor(3.))
    """
    axes = None if dim is None else one_axis(dim, x.ndim)
    return MinAndMax(amin(x, axes, keepdim), amax(x, axes, keepdim))


def values_at(x: Any, indices: Any, dim: int) -> ValuesAndIndices:
    """The values of x at `indices` along `dim`, none of them twice in one slice; one index in each may lack the axis.

    The gradient of a value goes to its index, the first of several ties.
    """
    axes, positions = one_axis(dim, x.ndim), data_of(indices).copy()  # the caller may change the indices
    if not axes:
        return ValuesAndIndices(apart(x, x), indices)
    # x[i, indices[i, j, k], k] where i and k count along the other axes
    key = [namespace(x).asarray(numbers) for numbers in np.indices(positions.shape, sparse=True)]
    key[axes[0] : axes[0] + 1 + positions.ndim - x.ndim] = [positions]
    return ValuesAndIndices(Index(tuple(key), distinct=True)(x), indices)


def _extreme_with_indices(name: str, x: Any, dim: int, keepdim: bool) -> ValuesAndIndices:
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"{name} along dim: dim must be one integer, got {dim!r}; use a{name} for several axes")
    return values_at(x, _search(f"arg{name}", x, dim, keepdim), dim)


@tensor_method()
@takes_numpys_names
def max(x: Any, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
    """The largest value of all; along `dim`, the values and their (first) indices; NaN counts as the largest.

    Examples
    --------
    >>> import minidl
    >>> values, indices = minidl.tensor([[1.0, 5.0], [7.0, 3.0]]).max(1)
    >>> indices
    tensor([1, 0])
    """
    if isinstance(dim, Tensor) or is_array(dim):  # max(x1, x2)
        return maximum(x, dim)
    if dim is None:
        return _extreme("max", x, None, keepdim, nan_ties=True)
    return _extreme_with_indices("max", x, dim, keepdim)


@tensor_method()
@takes_numpys_names
def min(x: Any, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
    """The smallest value of all; along `dim`, the values and their (first) indices; NaN counts as the smallest.

    Examples
    --------
    >>> import minidl
    >>> values, indices = minidl.tensor([[1.0, 5.0], [4.0, 2.0]]).min(1)
    >>> values, indices
    (tensor([1., 2.]), tensor([0, 1]))
    """
    if isinstance(dim, Tensor) or is_array(dim):  # min(x1, x2)
        return minimum(x, dim)
    if dim is None:
        return _extreme("min", x, None, keepdim, nan_ties=True)
    return _extreme_with_indices("min", x, dim, keepdim)


def _search(name: str, x: Any, dim: int | None, keepdim: bool) -> Any:
    axes = normalize_axes(None, x.ndim) if dim is None else one_axis(dim, x.ndim)
    if any_empty(x.shape, axes):
        raise ValueError(f"{name} of no values: x has shape {tuple(x.shape)} and dim is {dim}")
    (axis,) = axes if dim is not None and axes else (None,)
    return unrecorded(lambda x: namespace(x).asarray(getattr(x, name)(axis, keepdims=keepdim)), x)


@tensor_method()
@takes_numpys_names
def argmax(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the (first) largest value is, along `dim` or in the flattened x.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 5.0], [7.0, 2.0]]).argmax(dim=1)
    tensor([1, 0])
    """
    return _search("argmax", x, dim, keepdim)


@tensor_method()
@takes_numpys_names
def argmin(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the (first) smallest value is, along `dim` or in the flattened x.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1.0, 5.0], [4.0, 2.0]])
    >>> x.argmin(), x.argmin(1)
    (tensor(0), tensor([0, 1]))
    """
    return _search("argmin", x, dim, keepdim)
