"""Picking numbers by position, and the adjoint: adding numbers up at positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Function, Tensor, is_grad_enabled, tensor_method
from minidl.functional.elementwise import namespace, where
from minidl.functional.reduce import ValuesAndIndices, normalize_axes

__all__ = [
    "gather",
    "index",
    "index_add",
    "index_select",
    "masked_fill",
    "masked_select",
    "one_hot",
    "sort",
    "take_along_dim",
    "topk",
]


class Index(Function):
    """y = x[key]: slices, integers, arrays, booleans, ``...`` and None, as in NumPy."""

    saves_inputs = False
    is_view = True

    def __init__(self, key, distinct=False):
        self.key, self.distinct = key, distinct

    def forward(self, x):
        self.saved = x.shape
        return x[self.key]

    def backward(self, dy, inputs, output):
        # dx[key] += dy
        return IndexAdd(self.key, self.saved, self.distinct)(dy)


class IndexAdd(Function):
    """y = zeros; y[key] += x: numbers picked several times get as many additions. The adjoint of :class:`Index`."""

    saves_inputs = False

    def __init__(self, key, shape, distinct=False):
        self.key, self.new_shape = key, shape
        self.distinct = distinct or _is_basic(key)  # no number is met twice, so that += may be =

    def forward(self, x):
        xp = namespace(x)
        y = xp.zeros(self.new_shape, x.dtype)
        if self.distinct:
            y[self.key] = x
        else:
            xp.add.at(y, self.key, x)
        return y

    def backward(self, dy, inputs, output):
        return Index(self.key, self.distinct)(dy)


def _is_basic(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer)) for part in parts)


def _plain_key(key: Any, x: Any) -> Any:
    """A key for arrays like that of x: Tensors as their arrays, lists as arrays."""
    return tuple(_plain(part, x) for part in key) if isinstance(key, tuple) else _plain(key, x)


def _plain(part: Any, x: Any) -> Any:
    if part is None or isinstance(part, (slice, int)) or part is Ellipsis:
        return part
    if isinstance(part, Tensor):
        part = part.data.copy()  # so that it may be changed before backward comes
    elif isinstance(part, list):
        part = np.asarray(part) if part else np.zeros(0, np.int64)
    if hasattr(part, "dtype") and part.dtype.kind not in "iub":
        raise IndexError(f"an index must hold integers or booleans, got {part.dtype}")
    return namespace(_data(x)).asarray(part) if isinstance(part, np.ndarray) else part


@tensor_method("__getitem__")
def index(x: Any, key: Any) -> Any:
    """x[key]: slices, integers, arrays, lists, booleans, ``...`` and None, as in NumPy and PyTorch.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x[:, 1], x[x > 2]
    (tensor([2., 4.]), tensor([3., 4.]))
    """
    return Index(_plain_key(key, x))(x)


def index_add(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape`, with x added at `key`; positions that occur several times add up."""
    return IndexAdd(_plain_key(key, x), tuple(shape))(x)


@tensor_method("__setitem__")
def set_item(x: Tensor, key: Any, value: Any) -> None:
    """x[key] = value in place: only where no gradient flows through x."""
    key = _plain_key(key, x)
    if isinstance(value, Tensor) and value.requires_grad and is_grad_enabled():
        raise RuntimeError("x[key] = value is not recorded; use minidl.where(mask, value, x), or value.detach()")
    if x.requires_grad and is_grad_enabled():
        raise RuntimeError(
            "x[key] = value would change a recorded tensor; use minidl.where(mask, value, x), or no_grad()"
        )
    x.data[key] = value.data if isinstance(value, Tensor) else value
    x.changed()


@tensor_method()
def take_along_dim(x: Any, indices: Any, dim: int, distinct: bool = False) -> Any:
    """y[i, j, ...] = x[i, indices[i, j, ...], ...] with the index in place of axis `dim`; other axes must match.

    `distinct` promises that no number of x is taken twice, which makes the gradient faster.
    """
    (axis,) = normalize_axes(dim, x.ndim) or (None,)
    if axis is None:
        return x * 1
    positions = _plain(indices, x)
    grids = np.ogrid[tuple(slice(n) for n in positions.shape)]
    xp = namespace(positions)
    key = tuple(positions if i == axis else xp.asarray(grid) for i, grid in enumerate(grids))
    return Index(key, distinct)(x)


@tensor_method()
def gather(x: Any, dim: int, index: Any) -> Any:
    """y[i, j] = x[index[i, j], j] for ``dim=0``, x[i, index[i, j]] for ``dim=1``, and so on for more axes."""
    positions = _plain(index, x)
    if positions.ndim != x.ndim:
        raise ValueError(f"index must have as many dimensions as x, got {positions.shape} for x {tuple(x.shape)}")
    (axis,) = normalize_axes(dim, x.ndim) or (0,)
    size = x.shape[axis] if x.ndim else 1
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= size):
        raise IndexError(
            f"index must be from 0 to {size - 1} along dim {dim}, got {positions.min()} to {positions.max()}"
        )
    return take_along_dim(x, positions, dim)


@tensor_method()
def index_select(x: Any, dim: int, index: Any) -> Any:
    """The entries `index` (one axis of integers) of x along `dim`."""
    (axis,) = normalize_axes(dim, x.ndim)
    return Index((slice(None),) * axis + (_plain(index, x),))(x)


@tensor_method()
def masked_fill(x: Any, mask: Any, value: float) -> Any:
    """`value` where `mask` is true, x elsewhere."""
    return where(mask, value, x)


@tensor_method()
def masked_select(x: Any, mask: Any) -> Any:
    """The values of x where `mask` is true, in one axis."""
    return index(x, mask)


def one_hot(indices: Any, num_classes: int = -1) -> Any:
    """A new last axis of `num_classes` integers: 1 at the index, 0 elsewhere; -1 takes the largest index + 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.one_hot(minidl.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    positions = _data(indices)
    if positions.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {positions.dtype}")
    count = num_classes if num_classes != -1 else int(positions.max()) + 1
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= count):
        raise ValueError(f"indices must be from 0 to {count - 1}, got {positions.min()} to {positions.max()}")
    xp = namespace(positions)
    y = (positions[..., None] == xp.arange(count)).astype(np.int64)
    return Tensor(y) if isinstance(indices, Tensor) else y


@tensor_method()
def sort(x: Any, dim: int = -1, descending: bool = False) -> ValuesAndIndices:
    """The values in order along `dim`, and where each came from; equal values keep their order."""
    data = x.data if isinstance(x, Tensor) else x
    (axis,) = normalize_axes(dim, data.ndim) or (None,)
    xp = namespace(data)
    if axis is None:
        order = xp.zeros((), np.int64)
    elif descending:  # sort the reversed axis and reverse back, so that equal values keep their order
        order = data.shape[axis] - 1 - xp.flip(xp.argsort(xp.flip(data, axis), axis, kind="stable"), axis)
    else:
        order = xp.argsort(data, axis, kind="stable")
    return ValuesAndIndices(take_along_dim(x, order, dim, distinct=True), Tensor(order) if isinstance(x, Tensor) else order)


@tensor_method()
def topk(x: Any, k: int, dim: int = -1, largest: bool = True) -> ValuesAndIndices:
    """The k largest (or smallest) values along `dim`, best first, and where they are."""
    (axis,) = normalize_axes(dim, x.ndim) or (0,)
    size = x.shape[axis] if x.ndim else 1
    if not 0 <= k <= size:
        raise ValueError(f"k must be from 0 to {size}, the size of dim {dim}, got {k}")
    values, indices = sort(x, dim, descending=largest)
    front = (slice(None),) * axis + (slice(0, k),) if x.ndim else ()
    return ValuesAndIndices(values[front], indices[front])


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x
