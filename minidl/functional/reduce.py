"""Reductions: many numbers to one, along one axis, several, or all.

`dim` is an axis, a tuple of axes, or None or () for all of them; negative axes count from the end. ``keepdim=True``
keeps the reduced axes with size 1. NumPy's names ``axis`` and ``keepdims`` can be used instead. The mean, the standard
deviation (variance.py) and the norm of integers are computed in float32, where PyTorch raises an error.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, tensor_method
from minidl.functional.axes import (
    Axes,
    any_empty,
    normalize_axes,
    reduced_axes,
    takes_numpys_names,
    with_reduced_axes,
)
from minidl.functional.broadcast import broadcast_to
from minidl.functional.choice import where
from minidl.functional.elementwise import abs, exp, floating, sign
from minidl.functional.extremes import amax, amin
from minidl.functional.operands import namespace, unrecorded
from minidl.kernels import reduced

__all__ = ["all", "any", "count_nonzero", "logsumexp", "mean", "norm", "sum"]


class Sum(Function):
    """y = sum of x along some axes."""

    saves_inputs = False

    def __init__(self, axes, keepdim):
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x):
        self.saved = x.shape
        return reduced("sum", x, self.axes, self.keepdim)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 for every x in the sum
        if not self.keepdim:
            dy = with_reduced_axes(dy, self.axes, len(self.saved))
        return broadcast_to(dy, self.saved)


class Mean(Sum):
    """y = sum of x along some axes / n, the number of x in it; NaN where there are none."""

    def forward(self, x):
        total = super().forward(x)
        self.count = math.prod(x.shape[axis] for axis in self.axes)
        return total / self.count if self.count else total * float("nan")

    def backward(self, dy, inputs, output):
        # dy/dx = 1 / n for every x in the sum
        return super().backward(dy / max(self.count, 1), inputs, output)


class LogSumExp(Function):
    """y = log(sum of e^x) along some axes."""

    saves_output = True

    def __init__(self, axes):
        self.axes = axes

    def forward(self, x):
        xp = namespace(x)
        if x.size == 0:
            return xp.log(xp.exp(x).sum(self.axes))  # -inf where there are no values
        highest = reduced("max", x, self.axes, keepdims=True)
        highest = xp.where(xp.isfinite(highest), highest, x.dtype.type(0))
        total = reduced("sum", exp(x - highest), self.axes)
        return xp.log(total) + highest.reshape(total.shape)

    def backward(self, dy, inputs, output):
        # dy/dx[i] = e^x[i] / sum_j e^x[j] = e^(x[i] - y)
        x = inputs[0]
        y = with_reduced_axes(output, self.axes, x.ndim)
        return with_reduced_axes(dy, self.axes, x.ndim) * exp(x - y)


@tensor_method()
@takes_numpys_names
def sum(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The sum along `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(1)
    tensor([3., 7.])
    """
    axes = reduced_axes(dim, x.ndim)
    if x.dtype.kind in "bu":
        x = x.astype(np.int64)
    return Sum(axes, keepdim)(x)


@tensor_method()
@takes_numpys_names
def mean(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The sum along `dim` divided by the number of values; NaN where there are none.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 3.0], [5.0, 7.0]]).mean(dim=0, keepdim=True)
    tensor([[3., 5.]])
    """
    axes = reduced_axes(dim, x.ndim)
    if x.dtype.kind in "bu":
        x = x.astype(np.int64)
    return Mean(axes, keepdim)(x)


@tensor_method()
@takes_numpys_names
def logsumexp(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """log(sum of e^x) along `dim`, without overflow.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1000.0, 1000.0]).logsumexp(0)
    tensor(1000.6932)
    """
    axes = reduced_axes(dim, x.ndim)
    y = LogSumExp(axes)(floating(x))
    return with_reduced_axes(y, axes, x.ndim) if keepdim else y


@tensor_method()
@takes_numpys_names
def norm(x: Any, p: float | str | None = 2, dim: Axes = None, keepdim: bool = False) -> Any:
    """(sum |x|^p)^(1/p) along `dim`; ``p=inf`` the largest |x|, ``p=0`` the number of values that are not 0.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([3.0, -4.0])
    >>> x.norm(), x.norm(1), x.norm(float("inf"))
    (tensor(5.), tensor(7.), tensor(4.))
    """
    x = floating(x)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)  # an array of integers, which may not hold their powers
    if p in (None, "fro", 2):
        return Norm2(reduced_axes(dim, x.ndim), keepdim)(x)
    if not isinstance(p, numbers.Real):
        raise ValueError(f"p must be a number or 'fro', got {p!r}")
    size = abs(x)
    if p == float("inf"):
        return amax(size, dim, keepdim)
    if p == float("-inf"):
        return amin(size, dim, keepdim)
    if p == 0:
        return sum(where(x == x, abs(sign(x)), 1), dim, keepdim)  # NaN is not 0
    if p == 1:
        return sum(size, dim, keepdim)
    # the gradient is 0 at 0, where the powers have no derivative or an infinite one
    zero, powers = size == 0, where(size == 0, 1, size) ** p
    if p < 0:  # one 0 makes it 0, unless there is NaN
        if any_empty(x.shape, reduced_axes(dim, x.ndim)):
            raise ValueError(f"norm with p = {p} of no values: x has shape {tuple(x.shape)} and dim is {dim}")
        total = sum(powers, dim, keepdim)
        return where((sum(zero, dim, keepdim) > 0) & (total == total), 0, total ** (1 / p))
    total = sum(where(zero, 0, powers), dim, keepdim)
    return where(total == 0, 0, where(total == 0, 1, total) ** (1 / p))


def sum_of_squares(x: Any) -> Any:
    """sum x^2 over all axes, in memory order, and without an array of squares."""
    numbers = (x.ravel("K") if type(x) is np.ndarray else x).reshape(-1, 1)
    return kernels.channel_sums.forward(numbers, numbers)  # (1,)


def reciprocal_or_zero(y: Any) -> Any:
    """1 / y, and 0 where y is 0."""
    return where(y == 0, 0, 1 / where(y == 0, 1, y))


class Norm2(Function):
    """y = sqrt(sum x^2) along some axes."""

    saves_output = True

    def __init__(self, axes, keepdim):
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x):
        if len(self.axes) == x.ndim:
            squares = sum_of_squares(x).reshape((1,) * (x.ndim * self.keepdim))
        else:
            squares = reduced("sum", x * x, self.axes, self.keepdim)
        return namespace(x).sqrt(squares)

    def backward(self, dy, inputs, output):
        # dy/dx = x / y, and 0 at the origin
        x = inputs[0]
        if not self.keepdim:
            dy, output = (with_reduced_axes(part, self.axes, x.ndim) for part in (dy, output))
        return x * (dy * reciprocal_or_zero(output))


@tensor_method()
@takes_numpys_names
def all(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Whether every value along `dim` is true (not 0).

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[True, True], [True, False]])
    >>> x.all(), x.all(dim=1)
    (tensor(False), tensor([ True, False]))
    """
    return _truth("all", x, dim, keepdim)


@tensor_method()
@takes_numpys_names
def any(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Whether any value along `dim` is true (not 0).

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[False, False], [True, False]])
    >>> x.any(), x.any(dim=1)
    (tensor(True), tensor([False,  True]))
    """
    return _truth("any", x, dim, keepdim)


def _truth(name: str, x: Any, dim: Axes, keepdim: bool) -> Any:
    axes = normalize_axes(dim, x.ndim)
    return unrecorded(lambda x: getattr(x, name)(axes, keepdims=keepdim), x)


@tensor_method()
@takes_numpys_names
def count_nonzero(x: Any, dim: Axes = None) -> Any:
    """How many values along `dim` are not 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 0], [2, 3]]).count_nonzero(dim=0)
    tensor([2, 1])
    """
    return sum(x != 0, dim)
