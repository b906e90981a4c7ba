"""Masks: values set and taken where one is true, and where it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import tensor_method
from minidl.functional.broadcast import broadcast_to, common_shape
from minidl.functional.choice import check_mask, where
from minidl.functional.in_place import in_place
from minidl.functional.indexing import index
from minidl.functional.operands import data_of, namespace, unrecorded
from minidl.functional.shape import reshape

__all__ = ["argwhere", "masked_fill", "masked_select", "nonzero"]


@tensor_method()
def masked_fill(x: Any, mask: Any, value: float) -> Any:
    """`value` where `mask` (bool) is true, x elsewhere, in the dtype of x.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, -2.0])
    >>> x.masked_fill(x < 0, 0.0)
    tensor([1., 0.])
    """
    if getattr(value, "ndim", 0):
        raise ValueError(f"value must be one number, got shape {tuple(value.shape)}; use where(mask, value, x)")
    if not isinstance(value, (int, float, np.generic)) and not hasattr(value, "ndim"):
        raise TypeError(f"value must be a number, got {value!r}")
    check_mask(mask, "mask")
    try:
        y = where(mask, value, x)
    except ValueError:
        common_shape("masked_fill", x=x, mask=mask)
        raise
    return y if y.dtype == x.dtype else y.astype(x.dtype)


@tensor_method()
def masked_select(x: Any, mask: Any) -> Any:
    """The values of x where `mask` (bool) is true, as one axis.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1, 5], [7, 2]])
    >>> x.masked_select(x > 1)
    tensor([5, 7, 2])
    """
    check_mask(mask, "mask")
    shape = common_shape("masked_select", x=x, mask=mask)
    return index(broadcast_to(x, shape), namespace(mask).broadcast_to(data_of(mask), shape))


@tensor_method()
def nonzero(x: Any, as_tuple: bool = False) -> Any:
    """The positions of the values that are not 0 (NaN included), one row each; `as_tuple`, one array for each axis.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[0.0, 5.0], [7.0, 0.0]])
    >>> x.nonzero()
    tensor([[0, 1],
            [1, 0]])
    >>> x[x.nonzero(as_tuple=True)]
    tensor([5., 7.])
    """
    if not as_tuple:
        return unrecorded(lambda x: namespace(x).argwhere(x != 0), x)  # argwhere is faster on booleans
    rows = nonzero(reshape(x, -1) if x.ndim == 0 else x)
    return tuple(rows[:, i] for i in range(rows.shape[1]))


@tensor_method()
def argwhere(x: Any) -> Any:
    """The positions of the values that are not 0, one row each: ``nonzero(x)``.

    Examples
    --------
    >>> import minidl
    >>> minidl.argwhere(minidl.tensor([[0, 7], [5, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return nonzero(x)


in_place(masked_fill, "masked_fill_")
