"""The diagonal of a matrix, the matrix of a diagonal, and what lies below and above it."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Function, tensor_method
from minidl.functional.choice import where
from minidl.functional.in_place import in_place
from minidl.functional.indexing import IndexAdd
from minidl.functional.masks import masked_fill
from minidl.functional.operands import apart, integers, namespace
from minidl.functional.reduce import sum
from minidl.functional.shape import movedim

__all__ = ["diag", "diag_embed", "diagonal", "trace", "tril", "triu"]


class Diagonal(Function):
    """y[..., i] = x[..., i, i]."""

    saves_inputs = False
    is_view = True

    def forward(self, x):
        self.saved = x.shape
        return namespace(x).einsum("...ii->...i", x)  # a view that can be written to, as NumPy's diagonal can't

    def backward(self, dy, inputs, output):
        # dx[..., i, i] = dy[..., i], and 0 elsewhere
        i = namespace(dy).arange(dy.shape[-1])
        return IndexAdd((..., i, i), self.saved, distinct=True)(dy)


@tensor_method()
def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """y[..., i] = x[..., i, i + offset], where the two axes are `dim1` and `dim2`; offset 1 is just above the diagonal.

    The result shares the memory of x.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]]).diagonal()
    tensor([1., 4.])
    """
    if x.ndim < 2:
        raise ValueError(f"diagonal: x must have at least 2 dimensions, got shape {tuple(x.shape)}")
    (offset,) = integers("offset", offset)
    x = movedim(x, (dim1, dim2), (-2, -1))[..., max(-offset, 0) :, max(offset, 0) :]
    n = min(x.shape[-2:])
    return Diagonal()(x[..., :n, :n])


@tensor_method()
def diag(x: Any, diagonal: int = 0) -> Any:
    """The matrix with x (N,) on a diagonal and 0 elsewhere; of a matrix x its :func:`diagonal`, copied.

    Examples
    --------
    >>> import minidl
    >>> minidl.diag(minidl.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    if x.ndim == 2:
        return apart(_diagonal(x, diagonal), x)
    if x.ndim != 1:
        raise ValueError(f"diag: x must have 1 or 2 dimensions, got shape {tuple(x.shape)}")
    (offset,) = integers("diagonal", diagonal)
    i, size = namespace(x).arange(x.shape[0]), x.shape[0] + abs(offset)
    # y[i, i + offset] = x[i], or y[i - offset, i] = x[i]
    return IndexAdd((i + max(-offset, 0), i + max(offset, 0)), (size, size), distinct=True)(x)


_diagonal = diagonal  # `diag` has an argument of that name


@tensor_method()
def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices with the last axis of x on a diagonal and 0 elsewhere: y[..., i, i + offset] = x[..., i].

    The two axes of the matrices become `dim1` and `dim2` of the result.

    Examples
    --------
    >>> import minidl
    >>> minidl.diag_embed(minidl.tensor([[1, 2], [3, 4]]))
    tensor([[[1, 0],
             [0, 2]],
    <BLANKLINE>
            [[3, 0],
             [0, 4]]])
    """
    if x.ndim == 0:
        raise ValueError("diag_embed: x must have an axis, got a single number")
    (offset,) = integers("offset", offset)
    i, size = namespace(x).arange(x.shape[-1]), x.shape[-1] + abs(offset)
    key = (..., i + max(-offset, 0), i + max(offset, 0))
    y = IndexAdd(key, (*x.shape[:-1], size, size), distinct=True)(x)
    return movedim(y, (-2, -1), (dim1, dim2))


@tensor_method()
def trace(x: Any) -> Any:
    """sum_i x[i, i] of a matrix.

    Examples
    --------
    >>> import minidl
    >>> minidl.trace(minidl.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if x.ndim != 2:
        raise ValueError(f"trace: x must have 2 dimensions, got shape {tuple(x.shape)}")
    return sum(diagonal(x))


@tensor_method()
def tril(x: Any, diagonal: int = 0) -> Any:
    """x with zeros above the given diagonal: 0 is the main one, 1 the one above it, -1 the one below.

    Examples
    --------
    >>> import minidl
    >>> minidl.ones(2, 3).tril()
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return where(_lower_triangle("tril", x, diagonal), x, x.dtype.type(0))


@tensor_method()
def triu(x: Any, diagonal: int = 0) -> Any:
    """x with zeros below the given diagonal, see :func:`tril`.

    Examples
    --------
    >>> import minidl
    >>> minidl.ones(3, 3).triu(1)
    tensor([[0., 1., 1.],
            [0., 0., 1.],
            [0., 0., 0.]])
    """
    return where(_lower_triangle("triu", x, diagonal - 1), x.dtype.type(0), x)


def _lower_triangle(name: str, x: Any, diagonal: int) -> Any:
    """True on and below the given diagonal of the last two axes."""
    if x.ndim < 2:
        raise ValueError(f"{name} needs at least 2 dimensions, got shape {tuple(x.shape)}")
    return namespace(x).tri(*x.shape[-2:], *integers("diagonal", diagonal), dtype=bool)


def _fill_diagonal(x: Any, fill_value: float, wrap: bool = False) -> Any:
    """`fill_value` in the places x[i, i, ...], x elsewhere.

    x has at least 2 axes, more than 2 only of one size. With `wrap` the diagonal of a matrix with more rows than
    columns starts anew, one row further down.
    """
    if x.ndim < 2 or x.ndim > 2 and len(set(x.shape)) > 1:
        raise ValueError(f"fill_diagonal_: x must be a matrix, or have axes of one size, got shape {tuple(x.shape)}")
    xp, i = namespace(x), namespace(x).arange(min(x.shape))
    mask = xp.zeros(x.shape, bool)
    mask[(i,) * x.ndim] = True
    if wrap and x.ndim == 2:
        mask.reshape(-1)[:: x.shape[1] + 1] = True
    return masked_fill(x, mask, fill_value)


in_place(_fill_diagonal, "fill_diagonal_")
in_place(tril, "tril_")
in_place(triu, "triu_")
