"""Cumulative sums and products: running totals along an axis; also the whole product, and differences of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, tensor_method
from minidl.functional.axes import Axes, normalize_axes, one_axis, takes_numpys_names, with_reduced_axes
from minidl.functional.joining import cat, split, stack, unbind
from minidl.functional.operands import apart, data_of, namespace
from minidl.functional.shape import unsqueeze
from minidl.kernels import reduced

__all__ = ["cumprod", "cumsum", "diff", "prod"]


class Prod(Function):
    """y = product of x along one axis."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return reduced("prod", x, (self.axis,))

    def backward(self, dy, inputs, output):
        # dy/dx[i] = product of all x[j] but x[i]
        x = inputs[0]
        if x.shape[self.axis] == 0:
            return x * 0
        return unsqueeze(dy, self.axis) * products_of_others(x, self.axis)


def products_of_others(x: Any, axis: int) -> Any:
    """For each x along an axis the product of all the others, without dividing by x, which may be 0.

    The first half is multiplied by the second, pair by pair, and the problem solved for these products, half as many.
    The others of x are then its partner and the others of its pair. The last of an odd number of x stays alone.
    """
    n, half = x.shape[axis], x.shape[axis] // 2
    if n == 1:
        return namespace(x).ones_like(data_of(x))
    first, second, last = split(x, (half, half, n % 2), axis)
    pairs, alone = split(products_of_others(cat([first * second, last], axis), axis), (half, n % 2), axis)
    return cat([pairs * second, pairs * first, alone], axis)


def products_before(parts: tuple) -> list[Any]:
    """1, parts[0], parts[0] * parts[1], ...: for each part the product of those before it."""
    products = [namespace(parts[0]).ones_like(data_of(parts[0]))]
    for part in parts[:-1]:
        products.append(products[-1] * part)
    return products


class Cumprod(Function):
    """y[i] = x[0] * ... * x[i] along one axis."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return kernels.scan.cumprod(x, self.axis)

    def backward(self, dy, inputs, output):
        # dy[k]/dx[i] = product of x[0] ... x[k] but x[i], so dx[i] = x[0] * ... * x[i - 1] * r[i] with
        # r[i] = dy[i] + x[i + 1] * dy[i + 1] + x[i + 1] * x[i + 2] * dy[i + 2] + ... = dy[i] + x[i + 1] * r[i + 1]
        x = inputs[0]
        if x.shape[self.axis] == 0:
            return x * 0
        parts, dparts = unbind(x, self.axis), unbind(dy, self.axis)
        r = [dparts[-1]]
        for dpart, following in zip(dparts[-2::-1], parts[:0:-1]):
            r.append(dpart + following * r[-1])
        return stack([before * later for before, later in zip(products_before(parts), r[::-1])], self.axis)


class Cumsum(Function):
    """y[i] = x[0] + ... + x[i] along one axis; from the end y[i] = x[i] + x[i + 1] + ..."""

    saves_inputs = False

    def __init__(self, axis, from_end=False):
        self.axis, self.from_end = axis, from_end

    def forward(self, x):
        return kernels.scan.cumsum(x, self.axis, self.from_end)

    def backward(self, dy, inputs, output):
        # dx[i] = dy[i] + dy[i + 1] + ... : a cumulative sum from the other end
        return Cumsum(self.axis, not self.from_end)(dy)


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


@tensor_method()
@takes_numpys_names
def cumprod(x: Any, dim: int) -> Any:
    """y[i] = x[0] * ... * x[i] along `dim`; of integers and booleans in int64. Its gradient is right at 0 too.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([2.0, 3.0, 4.0]).cumprod(0)
    tensor([ 2.,  6., 24.])
    """
    axes, x = one_axis(dim, x.ndim), _in_int64(x)
    return Cumprod(axes[0])(x) if axes else x * 1


@tensor_method()
def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """y[i] = x[i + 1] - x[i] along `dim`, `n` times over; of booleans, whether the two differ.

    Parameters
    ----------
    prepend, append : Tensor, optional
        Joined to x along `dim` first, before and after it.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 4.0, 9.0, 16.0]).diff()
    tensor([3., 5., 7.])
    """
    if x.ndim == 0:
        raise ValueError("diff: x must have an axis, got a single number")
    if n < 0:
        raise ValueError(f"diff: n must not be negative, got {n}")
    (axis,) = one_axis(dim, x.ndim)
    if n == 0:
        return apart(x, x)
    parts = [part for part in (prepend, x, append) if part is not None]
    y = cat(parts, axis) if len(parts) > 1 else x
    before = (slice(None),) * axis
    for _ in range(min(n, y.shape[axis])):
        later, earlier = y[(*before, slice(1, None))], y[(*before, slice(None, -1))]
        y = later != earlier if y.dtype == np.bool_ else later - earlier
    return y


def _in_int64(x: Any) -> Any:
    return x if x.dtype.kind == "f" else x.astype(np.int64)
