"""Picking numbers by position, and the adjoint: adding numbers up at positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.autograd import Function, Tensor, is_array, is_grad_enabled, tensor_method
from minidl.functional.arithmetic import in_place
from minidl.functional.axes import one_axis
from minidl.functional.choice import check_mask, where
from minidl.functional.operands import as_array, data_of, namespace, unrecorded
from minidl.functional.shape import broadcast_to, reshape

__all__ = [
    "gather", "index", "index_add", "index_select", "masked_fill", "masked_select", "nonzero", "one_hot", "scatter",
    "scatter_add", "take_along_dim",
]  # fmt: skip


class Index(Function):
    """y = x[key]: slices, integers, arrays, booleans, ``...`` and None, as in NumPy."""

    saves_inputs = False
    is_view = True

    def __init__(self, key, distinct=False):
        self.key, self.distinct = key, distinct

    def forward(self, x):
        self.saved = x.shape
        y = x[self.key]
        if isinstance(y, np.generic):  # integers for all axes: a 0-d view, not a copied number
            y = x[(*self.key, ...) if isinstance(self.key, tuple) else (self.key, ...)]
        return y

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
        elif isinstance(self.key, np.ndarray) and self.key.dtype.kind in "iu" and x.size:
            _add_rows(y, self.key.reshape(-1), x.reshape(-1, *y.shape[1:]))
        elif xp is np and _picks_numbers(self.key, y.ndim):
            # with one array of positions `add.at` is ten times faster than with several
            places = np.broadcast_to(_flat_places(self.key, y.shape), x.shape)
            np.add.at(y.reshape(-1), places.reshape(-1), x.reshape(-1))
        else:
            xp.add.at(y, self.key, x)
        return y

    def backward(self, dy, inputs, output):
        return Index(self.key, self.distinct)(dy)


def _add_rows(y: np.ndarray, rows: np.ndarray, x: np.ndarray) -> None:
    """y[rows[i]] += x[i] where y is 0: sorted, equal rows are one sum each (six times faster than ``add.at``)."""
    if rows.min() < -len(y) or rows.max() >= len(y):
        raise IndexError(f"key must be from {-len(y)} to {len(y) - 1}, got {rows.min()} to {rows.max()}")
    rows = rows % len(y)  # negative ones count from the end
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    y[rows[starts]] = np.add.reduceat(x[order], starts)


def _picks_numbers(key: Any, ndim: int) -> bool:
    """Whether a key has an array of positions for every axis of several."""
    if type(key) is not tuple or len(key) != ndim or ndim == 1:
        return False
    return all(hasattr(part, "dtype") and part.dtype.kind in "iu" for part in key)


def _flat_places(key: tuple, shape: tuple[int, ...]) -> np.ndarray:
    """The places in the flattened array: (key[0] * shape[1] + key[1]) * shape[2] + ..."""
    places = np.int64(0)
    for part, n in zip(key, shape):
        part = part.astype(np.int64, copy=False)
        least, largest = (part.min(), part.max()) if part.size else (0, -1)
        if least < -n or largest >= n:
            raise IndexError(f"key must be from {-n} to {n - 1} along an axis of {n}, got {least} to {largest}")
        places = places * n + (part if least >= 0 else part % n)  # negative ones count from the end
    return places


def _is_basic(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer)) for part in parts)


def _plain_key(key: Any, x: Any) -> Any:
    """A key for arrays like that of x: Tensors as their arrays, lists as arrays."""
    return tuple(_plain(part, x) for part in key) if isinstance(key, tuple) else _plain(key, x)


def _plain(part: Any, x: Any) -> Any:
    if part is None or isinstance(part, (slice, int)) or part is Ellipsis:
        return part
    if isinstance(part, list):
        part = np.asarray(part) if part else np.zeros(0, np.int64)
    part = data_of(part)
    if hasattr(part, "dtype") and part.dtype.kind not in "iub":
        raise IndexError(f"an index must hold integers or booleans, got {part.dtype}")
    if hasattr(part, "dtype") and part.ndim == 0 and part.dtype.kind in "iu":
        return int(part)
    part = part.copy() if is_array(part) else part  # so that it may be changed before backward comes
    return namespace(x).asarray(part) if isinstance(part, np.ndarray) else part


@tensor_method("__getitem__")
def index(x: Any, key: Any) -> Any:
    """x[key]: slices, integers, arrays, lists, booleans, ``...`` and None, as in NumPy and PyTorch.

    Where the two differ it is NumPy's way: a list of lists is one array, and bytes (uint8) are positions, not a mask.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x[:, 1], x[x > 2]
    (tensor([2., 4.]), tensor([3., 4.]))
    """
    if type(key) is int or type(key) is slice:
        return Index(key)(x)
    for step in _steps(_plain_key(key, x), x.ndim):
        x = Index(step)(x)
    return x


def _steps(key: Any, ndim: int) -> tuple:
    """The keys to use one after the other: integers beside arrays pick first, as in PyTorch.

    In ``x[0, :, rows]`` NumPy would count the 0 among the arrays, and move their axis to the front.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if not any(hasattr(part, "ndim") for part in parts) or not any(type(part) is int for part in parts):
        return (key,)
    used = 0  # axes of x that the key names
    for part in parts:
        if hasattr(part, "ndim"):
            used += part.ndim if part.dtype == bool else 1
        else:
            used += part is not None and part is not Ellipsis
    first, second = [], []
    for part in parts:
        if hasattr(part, "ndim"):
            first += [slice(None)] * (part.ndim if part.dtype == bool else 1)
            second.append(part)
        elif part is Ellipsis:
            first += [slice(None)] * (ndim - used)
            second += [slice(None)] * (ndim - used)
        else:
            first.append(part)
            second += [slice(None)] if type(part) is not int else []
    return tuple(first), tuple(second)


def index_add(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape`, with x added at `key`; positions that occur several times add up.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.index_add(minidl.tensor([1.0, 10.0, 100.0]), minidl.tensor([0, 2, 0]), (4,))
    tensor([101.,   0.,  10.,   0.])
    """
    return IndexAdd(_plain_key(key, x), tuple(shape))(x)


class SetItem(Function):
    """y = x; y[key] = value. Several keys pick one after the other (see `_steps`).

    Of the values written to one place only the last one stands there, and has the gradient; PyTorch gives it to all.
    """

    saves_inputs, sets_dtype = False, True

    def __init__(self, steps):
        self.steps = steps

    def forward(self, x, value):
        y = as_array(x).copy()  # NumPy gives a number for a sum of no axes, and a number can't be written to
        _write(y, self.steps, value)
        self.saved = getattr(value, "shape", ())
        return y

    def backward(self, dy, inputs, output):
        # dx = dy but where it was written over; dvalue = dy[key] but where that was written over, summed by the engine
        # where value was broadcast
        dx = SetItem(self.steps)(dy, 0) if self.needs(0) else None
        if not self.needs(1):
            return dx, None
        dvalue = dy
        for step in self.steps:
            dvalue = Index(step)(dvalue)
        if not _writes_once(self.steps):
            dvalue = where(_last_written(self.steps, dy, dvalue.shape), dvalue, 0)
        return dx, reshape(dvalue, (1,) * (len(self.saved) - dvalue.ndim) + tuple(dvalue.shape))


def _writes_once(steps: tuple) -> bool:
    """Whether the keys name no place twice: there are no arrays of positions in them."""
    parts = [part for step in steps for part in (step if isinstance(step, tuple) else (step,))]
    return not any(hasattr(part, "dtype") and part.dtype.kind in "iu" for part in parts)


def _last_written(steps: tuple, dy: Any, shape: tuple[int, ...]) -> Any:
    """For each number written at the keys, whether it is the one that stands there in the end: write their numbers."""
    xp = namespace(dy)
    numbers = xp.arange(math.prod(shape)).reshape(shape)
    written = xp.zeros(dy.shape, np.int64)
    _write(written, steps, numbers)
    for step in steps:
        written = written[step]
    return written == numbers


def _write(memory: Any, steps: tuple, value: Any) -> None:
    *first, last = steps
    if first:
        memory = memory[first[0]]
    memory[last] = value


@tensor_method("__setitem__")
def set_item(x: Tensor, key: Any, value: Any) -> None:
    """x[key] = value in place; recorded where a gradient flows, unless another tensor shares the memory of x."""
    steps = _steps(_plain_key(key, x), x.ndim)
    recorded = x.requires_grad or isinstance(value, Tensor) and value.requires_grad
    if not recorded or not is_grad_enabled():
        _write(x.data, steps, data_of(value))
        x.changed()
        return
    if x.is_leaf and x.requires_grad:
        raise RuntimeError("x[key] = value would change a leaf that requires grad; write y = x.clone() and change y")
    if x.dtype.kind != "f":
        raise TypeError(f"x[key] = value: a value that requires grad needs a floating-point x, got {x.dtype}")
    x.become_(SetItem(steps)(x, value))


@tensor_method()
def take_along_dim(x: Any, indices: Any, dim: int | None = None, distinct: bool = False) -> Any:
    """y[i, j, ...] = x[i, indices[i, j, ...], ...] with the index in place of axis `dim`; the other axes broadcast.

    `dim` None takes from the flattened x. `distinct` promises that no number of x is taken twice, which makes the
    gradient faster.
    """
    positions = data_of(indices)
    _check_integers(positions, "indices")
    if x.ndim == 0:
        return reshape(take_along_dim(reshape(x, -1), positions.reshape(-1), 0), positions.shape)
    if dim is None:
        x, positions, dim = reshape(x, -1), positions.reshape(-1), 0
    (axis,) = one_axis(dim, x.ndim)
    if positions.ndim != x.ndim:
        raise ValueError(f"indices must have as many dimensions as x, got {positions.shape} for x {tuple(x.shape)}")
    return Index(_places(positions, axis, x.shape, x), distinct)(x)


def _places(positions: Any, axis: int, sizes: tuple[int, ...], x: Any) -> tuple:
    """The key with `positions` along an axis, and 0, 1, ... to each of the `sizes` along the others: all broadcast."""
    xp = namespace(x)

    def along(i: int, n: int) -> Any:
        return xp.asarray(np.arange(n).reshape((n,) + (1,) * (len(sizes) - 1 - i)))

    return tuple(_plain(positions, x) if i == axis else along(i, n) for i, n in enumerate(sizes))


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
    if x.ndim < 2 and positions.ndim < 2 and (x.ndim == 0 or positions.ndim == 0):
        shape = tuple(positions.shape)
        return reshape(gather(reshape(x, -1), dim, positions.reshape(-1)), shape)
    return Index(_places_along(dim, positions, x))(x)


def _places_along(dim: int, positions: Any, x: Any) -> tuple:
    """The key of x that `gather` and `scatter` mean."""
    if positions.ndim != x.ndim:
        raise ValueError(f"index must have as many dimensions as x, got {positions.shape} for x {tuple(x.shape)}")
    (axis,) = one_axis(dim, x.ndim)
    for i, (n, size) in enumerate(zip(positions.shape, x.shape)):
        if i != axis and n > size:
            raise ValueError(f"index {positions.shape} must not be longer than x {tuple(x.shape)} along dim {i}")
    _check_positions(positions, x.shape[axis], dim)
    return _places(positions, axis, positions.shape, x)


@tensor_method()
def scatter(x: Any, dim: int, index: Any, src: Any) -> Any:
    """y = x, then y[index[i, j], j] = src[i, j] for ``dim=0``, y[i, index[i, j]] = src[i, j] for ``dim=1``, and so on.

    Of several numbers for one place the last one stays, and only it has a gradient (on a GPU any of them may stay).

    Parameters
    ----------
    x : (..., N, ...)
    dim : int
        The axis that `index` counts along.
    index : integers from 0 to N - 1
        Of as many axes as x; along the others it may be shorter than x.
    src : array or number
        At least as long as `index` along every axis, in the dtype of x; what is beyond `index` is not read.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(2, 3).scatter(1, minidl.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    positions = data_of(index)
    if x.ndim < 2 and positions.ndim < 2 and (x.ndim == 0 or positions.ndim == 0):
        y = scatter(reshape(x, -1), dim, positions.reshape(-1), reshape(src, -1) if hasattr(src, "ndim") else src)
        return reshape(y, tuple(x.shape))
    key = _places_along(dim, positions, x)
    return SetItem((key,))(x, _source(src, positions, x) if hasattr(src, "ndim") else src)


@tensor_method()
def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """y = x, then y[index[i, j], j] += src[i, j] for ``dim=0``, y[i, index[i, j]] += src[i, j] for ``dim=1`` ...

    The adjoint of :func:`gather`; sizes as in :func:`scatter`. Numbers for one place add up.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(3).scatter_add(0, minidl.tensor([0, 2, 0]), minidl.tensor([1.0, 10.0, 100.0]))
    tensor([101.,   0.,  10.])
    """
    positions = data_of(index)
    if x.ndim < 2 and positions.ndim < 2 and (x.ndim == 0 or positions.ndim == 0):
        return reshape(scatter_add(reshape(x, -1), dim, positions.reshape(-1), reshape(src, -1)), tuple(x.shape))
    key = _places_along(dim, positions, x)
    return x + IndexAdd(key, tuple(x.shape))(_source(src, positions, x))


def _source(src: Any, positions: Any, x: Any) -> Any:
    """The part of `src` that is as long as the positions."""
    if src.dtype != x.dtype:
        raise TypeError(f"src must be {x.dtype} like x, got {src.dtype}")
    if src.ndim != x.ndim or any(n > size for n, size in zip(positions.shape, src.shape)):
        raise ValueError(f"src must be as long as index {positions.shape} along all axes, got {tuple(src.shape)}")
    return src[tuple(slice(n) for n in positions.shape)]


def _check_integers(positions: Any, name: str) -> None:
    if positions.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {positions.dtype}")


def _check_positions(positions: Any, size: int, dim: int) -> None:
    """Raise unless the positions are integers from 0 to size - 1."""
    _check_integers(positions, "index")
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= size):
        raise IndexError(
            f"index must be from 0 to {size - 1} along dim {dim}, got {positions.min()} to {positions.max()}"
        )


@tensor_method()
def index_select(x: Any, dim: int, index: Any) -> Any:
    """The entries `index` (one axis of integers from 0) of x along `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]]).index_select(1, minidl.tensor([1, 1]))
    tensor([[2., 2.],
            [4., 4.]])
    """
    (axis,) = one_axis(dim, x.ndim) or (0,)
    positions = namespace(x).asarray(data_of(index))
    if positions.ndim > 1:
        raise ValueError(f"index must have one dimension, got shape {tuple(positions.shape)}")
    if x.ndim == 0:
        return reshape(index_select(reshape(x, -1), 0, positions), ())
    _check_positions(positions, x.shape[axis], dim)
    # one number is an axis of one; a copy, so that it may be changed before backward comes
    return Index((slice(None),) * axis + (positions.reshape(-1).copy(),))(x)


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
    check_mask(mask, "mask")
    y = where(mask, value, x)
    return y if y.dtype == x.dtype else y.astype(x.dtype)


@tensor_method()
def masked_select(x: Any, mask: Any) -> Any:
    """The values of x where `mask` (bool) is true, in one axis."""
    check_mask(mask, "mask")
    shape = np.broadcast_shapes(tuple(x.shape), tuple(mask.shape))
    return index(broadcast_to(x, shape), namespace(mask).broadcast_to(data_of(mask), shape))


def one_hot(indices: Any, num_classes: int = -1) -> Any:
    """A new last axis of `num_classes` integers: 1 at the index, 0 elsewhere; -1 takes the largest index + 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.one_hot(minidl.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    positions = data_of(indices)
    if positions.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {positions.dtype}")
    count = num_classes if num_classes != -1 else int(positions.max()) + 1
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= count):
        raise ValueError(f"indices must be from 0 to {count - 1}, got {positions.min()} to {positions.max()}")
    xp = namespace(positions)
    y = (positions[..., None] == xp.arange(count)).astype(np.int64)
    return Tensor(y) if isinstance(indices, Tensor) else y


@tensor_method()
def nonzero(x: Any, as_tuple: bool = False) -> Any:
    """Where x is not 0 (NaN is not): one row of positions for each such number; `as_tuple`, one array for each axis.

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
        return unrecorded(lambda x: namespace(x).argwhere(x != 0), x)  # of booleans, which is faster
    rows = nonzero(reshape(x, -1) if x.ndim == 0 else x)
    return tuple(rows[:, i] for i in range(rows.shape[1]))


in_place(masked_fill, "masked_fill_")
in_place(scatter, "scatter_")
in_place(scatter_add, "scatter_add_")
