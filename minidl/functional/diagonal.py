"""The diagonal of a matrix, and the matrix of a diagonal."""

from __future__ import annotations

from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.indexing import Index, IndexAdd
from minidl.functional.operands import integers, namespace
from minidl.functional.reduce import sum
from minidl.functional.shape import movedim

__all__ = ["diag", "diagonal", "trace"]


def _places(x: Any, n: int, offset: int) -> tuple:
    """The key of `n` numbers on a diagonal of the last two axes: (..., i, i + offset), or (..., i - offset, i)."""
    i = namespace(x).arange(n)
    return ..., i + max(-offset, 0), i + max(offset, 0)


@tensor_method()
def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """y[..., i] = x[..., i, i + offset], the two axes being `dim1` and `dim2`: what stands `offset` above the diagonal.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]]).diagonal()
    tensor([1., 4.])
    """
    if x.ndim < 2:
        raise ValueError(f"diagonal: x must have at least 2 dimensions, got shape {tuple(x.shape)}")
    (offset,) = integers("offset", offset)
    x = movedim(x, (dim1, dim2), (-2, -1))
    rows, columns = x.shape[-2:]
    n = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    return Index(_places(x, n, offset), distinct=True)(x)


@tensor_method()
def diag(x: Any, diagonal: int = 0) -> Any:
    """The matrix with x (N,) on a diagonal and 0 elsewhere; of a matrix x its :func:`diagonal`.

    Examples
    --------
    >>> import minidl
    >>> minidl.diag(minidl.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    if x.ndim == 2:
        return _diagonal(x, diagonal)
    if x.ndim != 1:
        raise ValueError(f"diag: x must have 1 or 2 dimensions, got shape {tuple(x.shape)}")
    (offset,) = integers("diagonal", diagonal)
    size = x.shape[0] + abs(offset)
    return IndexAdd(_places(x, x.shape[0], offset), (size, size), distinct=True)(x)


_diagonal = diagonal  # `diag` has an argument of that name


@tensor_method()
def trace(x: Any) -> Any:
    """sum_i x[i, i] of a matrix."""
    if x.ndim != 2:
        raise ValueError(f"trace: x must have 2 dimensions, got shape {tuple(x.shape)}")
    return sum(diagonal(x))
