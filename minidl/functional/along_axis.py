"""Gather and scatter: indexing along one axis, number by number. Whole entries: entries.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, tensor_method
from minidl.functional.axes import one_axis
from minidl.functional.in_place import in_place
from minidl.functional.indexing import Index, IndexAdd, SetItem
from minidl.functional.indexing import index as index_of
from minidl.functional.keys import plain_index
from minidl.functional.operands import data_of, integers, namespace
from minidl.functional.shape import reshape

__all__ = ["gather", "one_hot", "scatter", "scatter_add", "take_along_dim"]


class Gather(Function):
    """y[i, j] = x[index[i, j], j] for axis 0, x[i, index[i, j]] for axis 1, and so on."""

    saves_inputs = False

    def __init__(self, axis, index):
        self.axis, self.index = axis, index

    def forward(self, x):
        self.saved = x.shape[self.axis]
        return kernels.along_axis.gather(x, self.index, self.axis)

    def backward(self, dy, inputs, output):
        # dx[index[i, j], j] += dy[i, j]
        return ScatterAdd(self.axis, self.index, self.saved)(dy)


class ScatterAdd(Function):
    """y = zeros; y[index[i, j], j] += x[i, j] for axis 0, and so on. The adjoint of :class:`Gather`."""

    saves_inputs = False

    def __init__(self, axis, index, size):
        self.axis, self.index, self.size = axis, index, size

    def forward(self, x):
        return kernels.along_axis.scatter_add(x, self.index, self.axis, self.size)

    def backward(self, dy, inputs, output):
        return Gather(self.axis, self.index)(dy)


@tensor_method()
def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Any:
    """y[i, j, ...] = x[i, indices[i, j, ...], ...] with the index in place of axis `dim`; the other axes broadcast.

    `dim` None takes from the flattened x. Negative indices count from the end.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[3, 1], [2, 5]])
    >>> x.take_along_dim(x.argsort(1), 1)
    tensor([[1, 3],
            [2, 5]])
    """
    positions = data_of(indices)
    check_integers(positions, "indices")
    if x.ndim == 0:
        return reshape(take_along_dim(reshape(x, -1), positions.reshape(-1), 0), positions.shape)
    if dim is None:
        x, positions, dim = reshape(x, -1), positions.reshape(-1), 0
    (axis,) = one_axis(dim, x.ndim)
    if positions.ndim != x.ndim:
        raise ValueError(f"indices must have as many dimensions as x, got {positions.shape} for x {tuple(x.shape)}")
    if any(i != axis and n != m and 1 not in (n, m) for i, (n, m) in enumerate(zip(positions.shape, x.shape))):
        raise ValueError(
            f"take_along_dim: indices {positions.shape} must broadcast to x {tuple(x.shape)} along all axes but {axis}"
        )
    check_positions(positions, "indices", x.shape[axis], f" along dim {dim}", least=-x.shape[axis])
    return Index(_key(positions, axis, x.shape, x))(x)


def _key(positions: Any, axis: int, sizes: tuple[int, ...], x: Any) -> tuple:
    """The key that has `positions` along an axis, and 0 to n - 1 for each of the `sizes` n along the others."""
    xp = namespace(x)

    def along(i: int, n: int) -> Any:
        return xp.asarray(np.arange(n).reshape((n,) + (1,) * (len(sizes) - 1 - i)))

    return tuple(plain_index(positions, x) if i == axis else along(i, n) for i, n in enumerate(sizes))


@tensor_method()
def gather(x: Any, dim: int, index: Any) -> Any:
    """y[i, j] = x[index[i, j], j] for ``dim=0``, x[i, index[i, j]] for ``dim=1``, and so on for more axes.

    Along the other axes `index` may be shorter than x.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.gather(1, minidl.tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    positions = data_of(index)
    if x.ndim + positions.ndim < 2:  # a 0-d array counts as one of shape (1,), here and in scatter
        return reshape(gather(reshape(x, -1), dim, positions.reshape(-1)), positions.shape)
    axis = _checked_axis(dim, positions, x)
    if entries := _key_of_entries(positions, axis, x):
        return Index(entries)(x)
    part = _slices(positions, axis, x)
    return Gather(axis, plain_index(positions, x))(index_of(x, part) if part else x)


def _slices(positions: Any, axis: int, x: Any) -> tuple | None:
    """The key for the part of x that is as long as the positions along the other axes; None if that is all of it."""
    sizes = [n if i == axis else m for i, (n, m) in enumerate(zip(x.shape, positions.shape))]
    return None if tuple(sizes) == tuple(x.shape) else tuple(slice(n) for n in sizes)


def _checked_axis(dim: int, positions: Any, x: Any) -> int:
    """The axis that `dim` means, for an index that `gather`, `scatter` and `scatter_add` can take."""
    if positions.ndim != x.ndim:
        raise ValueError(f"index must have as many dimensions as x, got {positions.shape} for x {tuple(x.shape)}")
    (axis,) = one_axis(dim, x.ndim)
    for i, (n, size) in enumerate(zip(positions.shape, x.shape)):
        if i != axis and n > size:
            raise ValueError(f"index {positions.shape} must not be longer than x {tuple(x.shape)} along dim {i}")
    check_positions(_before_expand(positions), "index", x.shape[axis], f" along dim {dim}")
    return axis


def _before_expand(positions: Any, kept: int | None = None) -> Any:
    """The positions with one place along each axis without a stride, along which they were expanded; `kept` stays."""
    return positions[tuple(slice(None if step or i == kept else 1) for i, step in enumerate(positions.strides))]


def _key_of_entries(positions: Any, axis: int, x: Any) -> tuple | None:
    """The key of whole entries of x, if the positions were expanded along all other axes; these are faster."""
    once = _before_expand(positions, kept=axis)
    if any(i != axis and (once.shape[i] != 1 or n != x.shape[i]) for i, n in enumerate(positions.shape)):
        return None
    return (slice(None),) * axis + (plain_index(once.reshape(-1), x),)


@tensor_method()
def scatter(x: Any, dim: int, index: Any, src: Any = None, *, value: float | None = None) -> Any:
    """y = x, then y[index[i, j], j] = src[i, j] for ``dim=0``, y[i, index[i, j]] = src[i, j] for ``dim=1``, and so on.

    Of several numbers for the same place the last one stays, and only it gets a gradient (on a GPU, any of them may).

    Parameters
    ----------
    x : (..., N, ...)
    dim : int
        The axis that `index` counts along.
    index : integers from 0 to N - 1
        Of as many axes as x; along the others it may be shorter than x.
    src : array or number
        In the dtype of x and at least as long as `index` along every axis; what lies beyond `index` is not read.
    value : float, optional
        A number in place of `src`.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(2, 3).scatter(1, minidl.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if (src is None) == (value is None):
        raise TypeError(f"scatter needs src or value, one of them, got {src!r} and {value!r}")
    src, positions = value if src is None else src, data_of(index)
    if x.ndim + positions.ndim < 2:
        y = scatter(reshape(x, -1), dim, positions.reshape(-1), reshape(src, -1) if hasattr(src, "ndim") else src)
        return reshape(y, tuple(x.shape))
    key = scatter_key(x, dim, positions)
    return SetItem((key,))(x, source_of(src, positions, x) if hasattr(src, "ndim") else src)


def scatter_key(x: Any, dim: int, positions: Any) -> tuple:
    """The key of the places x[positions[i, j], j] or x[i, positions[i, j]], after a check of the sizes."""
    axis = _checked_axis(dim, positions, x)
    return _key_of_entries(positions, axis, x) or _key(positions, axis, positions.shape, x)


@tensor_method()
def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """y = x, then y[index[i, j], j] += src[i, j] for ``dim=0``, y[i, index[i, j]] += src[i, j] for ``dim=1`` ...

    The adjoint of :func:`gather`; sizes as in :func:`scatter`. Numbers that go to the same place add up.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(3).scatter_add(0, minidl.tensor([0, 2, 0]), minidl.tensor([1.0, 10.0, 100.0]))
    tensor([101.,   0.,  10.])
    """
    positions = data_of(index)
    if x.ndim + positions.ndim < 2:
        return reshape(scatter_add(reshape(x, -1), dim, positions.reshape(-1), reshape(src, -1)), tuple(x.shape))
    axis = _checked_axis(dim, positions, x)
    src = source_of(src, positions, x)
    if entries := _key_of_entries(positions, axis, x):
        return x + IndexAdd(entries, tuple(x.shape))(src)
    part = _slices(positions, axis, x)
    sums = ScatterAdd(axis, plain_index(positions, x), x.shape[axis])(src)
    return x + (IndexAdd(part, tuple(x.shape))(sums) if part else sums)


def source_of(src: Any, positions: Any, x: Any) -> Any:
    """The part of `src` that is as long as the positions."""
    if src.dtype != x.dtype:
        raise TypeError(f"src must be {x.dtype} like x, got {src.dtype}")
    if src.ndim != x.ndim or any(n > size for n, size in zip(positions.shape, src.shape)):
        raise ValueError(f"src must be as long as index {positions.shape} along all axes, got {tuple(src.shape)}")
    return src[tuple(slice(n) for n in positions.shape)]


def check_integers(positions: Any, name: str) -> None:
    """Raise a TypeError unless the positions are integers."""
    if positions.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {positions.dtype}")


def check_positions(positions: Any, name: str, size: int, place: str = "", least: int = 0) -> None:
    """Raise unless the positions are integers from `least` to size - 1; `place` names in the error what has it."""
    check_integers(positions, name)
    if positions.size and not least <= int(positions.min()) <= int(positions.max()) < size:
        given = kernels.extent(positions)
        raise IndexError(f"{name} must be from {least} to {size - 1}{place}, got {given}")


def one_hot(indices: Any, num_classes: int = -1) -> Any:
    """Each index as a new last axis of `num_classes` integers: 1 at the index, 0 elsewhere.

    ``num_classes=-1`` stands for the largest index + 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.one_hot(minidl.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    positions = data_of(indices)
    check_integers(positions, "indices")
    (count,) = integers("num_classes", num_classes)
    count = count if count != -1 else int(positions.max()) + 1
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= count):
        allowed = "0 or more" if num_classes == -1 else f"from 0 to {count - 1}"
        raise ValueError(f"indices must be {allowed}, got {kernels.extent(positions)}")
    xp = namespace(positions)
    y = xp.zeros((*positions.shape, count), np.int64)
    y.reshape(positions.size, count)[xp.arange(positions.size), positions.reshape(-1)] = 1
    return Tensor(y) if isinstance(indices, Tensor) else y


in_place(scatter, "scatter_")
in_place(scatter_add, "scatter_add_")
