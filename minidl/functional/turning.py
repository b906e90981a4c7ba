"""Images mirrored and turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.axes import normalize_axes
from minidl.functional.operands import apart, integers
from minidl.functional.shape import flip, transpose

__all__ = ["fliplr", "flipud", "rot90"]


@tensor_method()
def fliplr(x: Any) -> Any:
    """x in reverse order along axis 1: left and right of a matrix exchanged.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).fliplr()
    tensor([[2, 1],
            [4, 3]])
    """
    if x.ndim < 2:
        raise ValueError(f"fliplr: x must have at least 2 dimensions, got shape {tuple(x.shape)}")
    return flip(x, 1)


@tensor_method()
def flipud(x: Any) -> Any:
    """x in reverse order along axis 0: top and bottom of a matrix exchanged.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).flipud()
    tensor([[3, 4],
            [1, 2]])
    """
    if x.ndim < 1:
        raise ValueError("flipud: x must have an axis, got a single number")
    return flip(x, 0)


@tensor_method()
def rot90(x: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """x turned by `k` right angles, from the first of the two axes `dims` to the second; a copy.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).rot90()
    tensor([[2, 4],
            [1, 3]])
    """
    (k,), axes = integers("k", k), normalize_axes(tuple(integers("dims", dims)), x.ndim)
    if len(axes) != 2:
        raise ValueError(f"rot90: dims must name two axes of x, got {tuple(dims)} for shape {tuple(x.shape)}")
    first, second = axes
    if k % 4 == 0:
        return apart(x, x)
    if k % 4 == 2:
        return flip(x, axes)
    return transpose(flip(x, second if k % 4 == 1 else first), first, second)
