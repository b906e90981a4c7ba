"""Joining side by side, below each other, behind each other, and along the diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl.functional.joining import cat, shapes_of
from minidl.functional.padding import pad
from minidl.functional.shape import reshape

__all__ = ["block_diag", "column_stack", "dstack", "hstack", "vstack"]


def hstack(tensors: Sequence[Any]) -> Any:
    """Tensors side by side: joined along axis 1, those of one axis along it.

    Examples
    --------
    >>> import minidl
    >>> minidl.hstack([minidl.tensor([[1], [2]]), minidl.tensor([[3], [4]])])
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = _with_axes("hstack", tensors, lambda shape: shape or (1,))
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Any]) -> Any:
    """Tensors below each other: joined along axis 0, where one of shape (N,) is a row (1, N).

    Examples
    --------
    >>> import minidl
    >>> minidl.vstack([minidl.tensor([1, 2]), minidl.tensor([[3, 4]])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat(_with_axes("vstack", tensors, lambda shape: (1,) * (2 - len(shape)) + shape), 0)


def dstack(tensors: Sequence[Any]) -> Any:
    """Tensors behind each other: joined along axis 2, where (N,) is (1, N, 1) and (N, M) is (N, M, 1).

    Examples
    --------
    >>> import minidl
    >>> minidl.dstack([minidl.tensor([1, 2]), minidl.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    tensors = _with_axes("dstack", tensors, lambda shape: (1,) * (2 - len(shape)) + shape + (1,) * (len(shape) < 3))
    return cat(tensors, 2)


def column_stack(tensors: Sequence[Any]) -> Any:
    """Tensors side by side: joined along axis 1, where one of shape (N,) is a column (N, 1).

    Examples
    --------
    >>> import minidl
    >>> minidl.column_stack([minidl.tensor([1, 2]), minidl.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return cat(_with_axes("column_stack", tensors, lambda shape: shape + (1,) * (2 - len(shape))), 1)


def block_diag(*tensors: Any) -> Any:
    """Matrices along the diagonal of one that is 0 elsewhere; a tensor of shape (N,) is a row (1, N).

    Examples
    --------
    >>> import minidl
    >>> minidl.block_diag(minidl.tensor([[1, 2], [3, 4]]), minidl.tensor([5, 6]))
    tensor([[1, 2, 0, 0],
            [3, 4, 0, 0],
            [0, 0, 5, 6]])
    """
    blocks = _with_axes("block_diag", tensors, lambda shape: (1,) * (2 - len(shape)) + shape)
    if any(x.ndim > 2 for x in blocks):
        raise ValueError(f"block_diag: tensors must have at most 2 axes, got {[tuple(x.shape) for x in tensors]}")
    width, left, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        rows.append(pad(x, (left, width - left - x.shape[1])))
        left += x.shape[1]
    return cat(rows, 0)


def _with_axes(name: str, tensors: Sequence[Any], shape_of: Any) -> list[Any]:
    """The tensors, each in the shape that `shape_of` makes of its own."""
    tensors = list(tensors)
    return [
        reshape(x, shape_of(shape)) if shape_of(shape) != shape else x
        for x, shape in zip(tensors, map(tuple, shapes_of(name, tensors)))
    ]
