"""Reductions without NaN: sums and means that leave out what is missing."""

from __future__ import annotations

from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.axes import Axes, takes_numpys_names
from minidl.functional.choice import where
from minidl.functional.operands import check_float, data_of
from minidl.functional.reduce import sum

__all__ = ["nanmean", "nansum"]


@tensor_method()
@takes_numpys_names
def nansum(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The sum along `dim` of what is not NaN; 0 where all is, or nothing is there.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, float("nan"), 3.0]).nansum()
    tensor(4.)
    """
    return sum(where(data_of(x == x), x, 0) if x.dtype.kind == "f" else x, dim, keepdim)


@tensor_method()
@takes_numpys_names
def nanmean(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """The mean along `dim` of what is not NaN; NaN where all is.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, float("nan")], [3.0, 5.0]]).nanmean(0)
    tensor([2., 5.])
    """
    check_float("nanmean", x)
    count = sum(data_of(x == x), dim, keepdim).astype(x.dtype)
    return nansum(x, dim, keepdim) / count
