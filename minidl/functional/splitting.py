"""Cutting a tensor into as many parts as wanted, or at the places wanted; pieces of given sizes: joining.py."""

from __future__ import annotations

from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.axes import one_axis
from minidl.functional.joining import split
from minidl.functional.operands import integers

__all__ = ["hsplit", "tensor_split", "vsplit"]


@tensor_method()
def tensor_split(x: Any, indices_or_sections: Any, dim: int = 0) -> tuple:
    """x cut along `dim` into a number of parts, the first ones larger by 1; or at the places in a list.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).tensor_split(3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> minidl.arange(5).tensor_split([1, 4])
    (tensor([0]), tensor([1, 2, 3]), tensor([4]))
    """
    if x.ndim == 0:
        raise ValueError("tensor_split: x must have an axis to be cut along, got a single number")
    n = x.shape[one_axis(dim, x.ndim)[0]]
    several = isinstance(indices_or_sections, (tuple, list)) or getattr(indices_or_sections, "ndim", 0)
    places = integers("indices_or_sections", indices_or_sections)
    if not several:
        (sections,) = places
        if sections < 1:
            raise ValueError(f"tensor_split: there must be at least 1 section, got {sections}")
        return split(x, [n // sections + (i < n % sections) for i in range(sections)], dim)
    # places as those of slices: from the end if negative, cut off where x ends
    ends = [min(max(place + n if place < 0 else place, 0), n) for place in places] + [n]
    if ends != sorted(ends):  # pieces that overlap, or a piece that is empty because it ends before it starts
        before = (slice(None),) * one_axis(dim, x.ndim)[0]
        return tuple(x[(*before, slice(start, max(start, end)))] for start, end in zip([0, *ends], ends))
    return split(x, [end - start for start, end in zip([0, *ends], ends)], dim)


@tensor_method()
def hsplit(x: Any, indices_or_sections: Any) -> tuple:
    """x cut side by side: along axis 1, an x of one axis along it; into equal parts, or at the places in a list.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).hsplit(2)
    (tensor([[1],
            [3]]), tensor([[2],
            [4]]))
    """
    return _into_equal_parts("hsplit", x, indices_or_sections, 1 if x.ndim > 1 else 0)


@tensor_method()
def vsplit(x: Any, indices_or_sections: Any) -> tuple:
    """x, of at least 2 axes, cut along axis 0: into equal parts, or at the places in a list.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).vsplit(2)
    (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    if x.ndim < 2:
        raise ValueError(f"vsplit: x must have at least 2 dimensions, got shape {tuple(x.shape)}")
    return _into_equal_parts("vsplit", x, indices_or_sections, 0)


def _into_equal_parts(name: str, x: Any, indices_or_sections: Any, axis: int) -> tuple:
    if x.ndim and isinstance(indices_or_sections, int) and indices_or_sections > 0:
        if x.shape[axis] % indices_or_sections:
            raise ValueError(
                f"{name}: axis {axis} of shape {tuple(x.shape)} can't be cut into {indices_or_sections} equal parts; "
                "use tensor_split for unequal ones"
            )
    return tensor_split(x, indices_or_sections, axis)
