"""Products along an axis, and cumulative sums: reductions whose gradients need to know the order."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.joining import stack
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import Axes, normalize_axes, one_axis, takes_numpys_names, with_reduced_axes
from minidl.functional.shape import flip

__all__ = ["cumsum", "prod"]


class Prod(Function):
    """y = product of x along one axis."""

    saves_inputs = True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return x.prod(self.axis)

    def backward(self, dy, inputs, output):
        # dy/dx[i] = product of all x[j] but x[i]: those before times those after, so that a 0 is no trouble
        x = inputs[0]
        size, axis = x.shape[self.axis], self.axis
        parts = [x[(slice(None),) * axis + (i,)] for i in range(size)]
        before = [ones_like(dy)]
        for part in parts[:-1]:
            before.append(before[-1] * part)
        after = [ones_like(dy)]
        for part in parts[:0:-1]:
            after.append(after[-1] * part)
        return stack([dy * b * a for b, a in zip(before, after[::-1])], axis) if size else x * 0


def ones_like(x: Any) -> Any:
    """An array of ones in the shape of x."""
    return namespace(x).ones_like(data_of(x))


class Cumsum(Function):
    """y[i] = x[0] + ... + x[i] along one axis."""

    saves_inputs = False

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return x.cumsum(self.axis)

    def backward(self, dy, inputs, output):
        # dx[i] = dy[i] + dy[i + 1] + ... : a cumulative sum from the end
        return flip(cumsum(flip(dy, self.axis), self.axis), self.axis)


@tensor_method()
@takes_numpys_names
def prod(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The product along `dim`; of integers and booleans in int64.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([2.0, 3.0, 4.0]).prod()
    tensor(24.)
    """
    axes = normalize_axes(dim, x.ndim)
    y = _in_int64(x)
    for axis in sorted(axes, reverse=True):
        y = Prod(axis)(y)
    return with_reduced_axes(y, axes, x.ndim) if keepdim else y


@tensor_method()
@takes_numpys_names
def cumsum(x: Any, dim: int) -> Any:
    """y[i] = x[0] + ... + x[i] along `dim`; of integers and booleans in int64.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0, 3.0]).cumsum(0)
    tensor([1., 3., 6.])
    """
    axes, x = one_axis(dim, x.ndim), _in_int64(x)
    return Cumsum(axes[0])(x) if axes else x * 1


def _in_int64(x: Any) -> Any:
    return x if x.dtype.kind == "f" else x.astype(np.int64)
