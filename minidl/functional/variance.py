"""Variance and standard deviation: how far numbers lie from their mean. `dim` is as in reduce.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.axes import Axes, reduced_axes, takes_numpys_names, with_reduced_axes
from minidl.functional.operands import namespace
from minidl.functional.reduce import mean, reciprocal_or_zero
from minidl.kernels import reduced

__all__ = ["std", "std_mean", "var", "var_mean"]


class Var(Function):
    """y = sum((x - m)^2) / (n - correction) along some axes, with m their mean and n their number."""

    def __init__(self, axes, correction):
        self.axes, self.correction = axes, correction

    def centered(self, x: Any) -> Any:
        """x - m, where far from 0 the rounding of m would count: the mean of what is left is subtracted too."""
        d = x - mean(x, self.axes, keepdim=True)
        return d - mean(d, self.axes, keepdim=True)

    def divisor(self, x: Any) -> float:
        return max(math.prod(x.shape[axis] for axis in self.axes) - self.correction, 0)

    def forward(self, x):
        d = self.centered(x)
        freedom = self.divisor(x)
        return reduced("sum", d * d, self.axes) * (1 / freedom if freedom else np.inf)

    def backward(self, dy, inputs, output):
        # dy/dx = 2 * (x - m) / (n - correction); dy/dm = 0, because the x - m add up to 0
        x = inputs[0]
        freedom = self.divisor(x)
        d = self.centered(x)
        return with_reduced_axes(dy, self.axes, x.ndim) * d * (2 / freedom if freedom else np.inf)


class Std(Var):
    """y = the square root of :class:`Var`."""

    saves_output = True

    def forward(self, x):
        return namespace(x).sqrt(super().forward(x))

    def backward(self, dy, inputs, output):
        # dy/dvar = 1 / (2 * y), and 0 where y is 0
        return super().backward(dy * (reciprocal_or_zero(output) / 2), inputs, None)


def _spread(function: type[Var], x: Any, dim: Any, correction: Any, keepdim: bool, unbiased: bool | None) -> Any:
    if isinstance(dim, bool):  # var(x, unbiased), the older call
        dim, unbiased = None, dim
    axes = reduced_axes(dim, x.ndim)
    correction = 1 if correction is None else correction
    y = function(axes, correction if unbiased is None else int(unbiased))(x)
    return with_reduced_axes(y, axes, x.ndim) if keepdim else y


@tensor_method()
@takes_numpys_names
def var(x: Any, dim: Axes = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None) -> Any:
    """sum((x - mean)^2) / (n - correction) along `dim`: ``correction=1`` estimates the variance of what x samples.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, 3.0])
    >>> x.var(), x.var(correction=0)
    (tensor(2.), tensor(1.))
    """
    return _spread(Var, x, dim, correction, keepdim, unbiased)


@tensor_method()
@takes_numpys_names
def std(x: Any, dim: Axes = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None) -> Any:
    """The square root of :func:`var`; where it is 0 its gradient is 0.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, 2.0, 3.0, 4.0])
    >>> x.std(), x.std(correction=0)
    (tensor(1.291), tensor(1.118))
    """
    return _spread(Std, x, dim, correction, keepdim, unbiased)


@takes_numpys_names
def var_mean(
    x: Any, dim: Axes = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> tuple:
    """The pair of :func:`var` and :func:`mean` along `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.var_mean(minidl.tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    return var(x, dim, correction, keepdim, unbiased), mean(x, None if isinstance(dim, bool) else dim, keepdim)


@takes_numpys_names
def std_mean(
    x: Any, dim: Axes = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> tuple:
    """The pair of :func:`std` and :func:`mean` along `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.std_mean(minidl.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return std(x, dim, correction, keepdim, unbiased), mean(x, None if isinstance(dim, bool) else dim, keepdim)
