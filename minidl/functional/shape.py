"""Shapes: the same numbers in another arrangement. The results share memory where NumPy's do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, tensor_method
from minidl.functional.axes import normalize_axes, one_axis
from minidl.functional.choice import where
from minidl.functional.operands import apart, data_of, integers, namespace

__all__ = [
    "broadcast_to", "contiguous", "expand", "flatten", "flip", "meshgrid", "movedim", "permute", "repeat", "reshape",
    "roll", "squeeze", "swapaxes", "t", "transpose", "tril", "triu", "unflatten", "unsqueeze", "view",
]  # fmt: skip


class Reshape(Function):
    """y = x in another shape, read in C order."""

    saves_inputs = False
    is_view = True

    def __init__(self, shape):
        self.new_shape = shape

    def forward(self, x):
        self.saved = x.shape
        if x.ndim == 4 and len(self.new_shape) == 2 and self.new_shape[0] == x.shape[0] and not x.flags.c_contiguous:
            if x.transpose(0, 2, 3, 1).flags.c_contiguous:  # flattened images, which NumPy would copy slowly
                x = kernels.memory_order.channels_first(x)
        return x.reshape(self.new_shape)

    def backward(self, dy, inputs, output):
        return reshape(dy, self.saved)


class Permute(Function):
    """y[i, j, ...] = x with its axes in another order."""

    saves_inputs = False
    is_view = True

    def __init__(self, axes):
        self.axes = axes

    def forward(self, x):
        return x.transpose(self.axes)

    def backward(self, dy, inputs, output):
        # put the axes back in their places
        return permute(dy, tuple(self.axes.index(i) for i in range(len(self.axes))))


class BroadcastTo(Function):
    """y = x repeated along axes of size 1 and new axes in front."""

    saves_inputs = False
    is_view = True

    def __init__(self, shape):
        self.new_shape = shape

    def forward(self, x):
        return namespace(x).broadcast_to(x, self.new_shape)

    def backward(self, dy, inputs, output):
        # each x got copied; the engine sums the copies' gradients, since dy has the larger shape
        return dy


class Flip(Function):
    """y[i] = x[n - 1 - i] along some axes."""

    saves_inputs = False

    def __init__(self, axes):
        self.axes = axes

    def forward(self, x):
        return namespace(x).flip(x, self.axes).copy("K")  # no view, as in PyTorch; the memory order stays

    def backward(self, dy, inputs, output):
        return flip(dy, self.axes)


class Roll(Function):
    """y[(i + shift) mod n] = x[i] along some axes."""

    saves_inputs = False

    def __init__(self, shifts, axes):
        self.shifts, self.axes = shifts, axes

    def forward(self, x):
        return namespace(x).roll(x, self.shifts, self.axes)

    def backward(self, dy, inputs, output):
        return Roll(tuple(-shift for shift in self.shifts), self.axes)(dy)


def _sizes(shape: tuple, name: str = "sizes") -> tuple[int, ...]:
    """Integers given as ``(2, 3)`` or as ``2, 3``."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return integers(name, shape)


def _known(sizes: Sequence[int]) -> int:
    """The product of the sizes that are given: all but -1."""
    return math.prod(n for n in sizes if n != -1)


@tensor_method("reshape", "view")
def reshape(x: Any, *shape: int | Sequence[int]) -> Any:
    """x in another shape with as many numbers; one size may be -1, meaning "what is left".

    The result shares the memory of x where its memory order allows that, and else is a copy (so of a convolution's
    output, whose channels stand last in memory). ``view`` is the same function, while PyTorch's refuses to copy.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0, 3.0, 4.0]).reshape(2, -1)
    tensor([[1., 2.],
            [3., 4.]])
    """
    sizes = _sizes(shape)
    try:
        if min(sizes, default=0) >= -1:  # NumPy takes any negative size for a -1
            return Reshape(sizes)(x)
    except ValueError:
        pass
    count = math.prod(x.shape)
    raise ValueError(f"shape {sizes} does not fit the {count} numbers of x, whose shape is {tuple(x.shape)}")


view = reshape


@tensor_method()
def view_as(x: Any, other: Any) -> Any:
    """x in the shape of `other`."""
    return reshape(x, tuple(other.shape))


@tensor_method()
def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """x with the axes from `start_dim` to `end_dim` joined into one."""
    (start,), (end,) = (one_axis(dim, x.ndim) or (0,) for dim in (start_dim, end_dim))
    if x.ndim == 0:
        return reshape(x, 1)
    if start > end:
        raise ValueError(f"start_dim must not come after end_dim, got {start_dim} and {end_dim}")
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


@tensor_method()
def unflatten(x: Any, dim: int, sizes: Sequence[int]) -> Any:
    """x with axis `dim` cut into several, of the given `sizes`.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(6).unflatten(0, (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    (axis,) = one_axis(dim, x.ndim)
    sizes = tuple(x.shape[axis] // _known(sizes) if n == -1 else n for n in sizes)
    return reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


@tensor_method()
def permute(x: Any, *order: int | Sequence[int], dims: Sequence[int] = ()) -> Any:
    """x with its axes in the order `dims`, also given as ``permute(x, 1, 0)``: y.shape[i] = x.shape[dims[i]]."""
    dims = _sizes(order or (dims,), "dims")
    axes = normalize_axes(dims, x.ndim)
    if len(axes) != x.ndim:
        raise ValueError(f"dims must name each of the {x.ndim} axes once, got {dims}")
    return Permute(axes)(x)


@tensor_method("transpose", "swapaxes")
def transpose(x: Any, dim0: int, dim1: int) -> Any:
    """x with two axes exchanged."""
    first, second = one_axis(dim0, x.ndim), one_axis(dim1, x.ndim)
    order = list(range(x.ndim))
    if order:
        order[first[0]], order[second[0]] = order[second[0]], order[first[0]]
    return Permute(tuple(order))(x)


swapaxes = transpose


@tensor_method()
def movedim(x: Any, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Any:
    """x with one or several axes moved from `source` to `destination`; the others keep their order.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    starts, ends = normalize_axes(source, x.ndim), normalize_axes(destination, x.ndim)
    if len(starts) != len(ends):
        raise ValueError(f"source and destination must name as many axes, got {source} and {destination}")
    order = [axis for axis in range(x.ndim) if axis not in starts]
    for end, start in sorted(zip(ends, starts)):
        order.insert(end, start)
    return Permute(tuple(order))(x)


@tensor_method()
def t(x: Any) -> Any:
    """The transposed matrix."""
    if x.ndim > 2:
        raise ValueError(f"t() needs at most 2 dimensions, got shape {tuple(x.shape)}; use transpose(dim0, dim1)")
    return x if x.ndim < 2 else Permute((1, 0))(x)


Tensor.T = property(lambda x: Permute(tuple(range(x.ndim))[::-1])(x), doc="The tensor with its axes reversed.")
Tensor.mT = property(lambda x: transpose(x, -2, -1), doc="The tensor with its last two axes exchanged.")


@tensor_method()
def squeeze(x: Any, dim: int | tuple[int, ...] | None = None) -> Any:
    """x without its axes of size 1; of those that `dim` names, if it is given."""
    axes = normalize_axes(dim, x.ndim)
    return reshape(x, tuple(n for axis, n in enumerate(x.shape) if n != 1 or axis not in axes))


@tensor_method()
def unsqueeze(x: Any, dim: int) -> Any:
    """x with a new axis of size 1 at `dim`."""
    (axis,) = one_axis(dim, x.ndim + 1)
    return Reshape((*x.shape[:axis], 1, *x.shape[axis:]))(x)


@tensor_method()
def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """x repeated to `shape`, without copying."""
    return BroadcastTo(shape)(x)


@tensor_method()
def expand(x: Any, *sizes: int | Sequence[int]) -> Any:
    """x repeated along axes of size 1 and new axes in front, without copying; -1 keeps a size.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    sizes = _sizes(sizes)
    added = len(sizes) - x.ndim
    if added < 0:
        raise ValueError(f"expand needs at least the {x.ndim} sizes that x has, got {sizes}")
    if -1 in sizes[:added]:
        raise ValueError(f"-1 keeps a size, so it can't stand for a new axis: {sizes}")
    return broadcast_to(x, tuple(x.shape[i - added] if n == -1 else n for i, n in enumerate(sizes)))


@tensor_method()
def expand_as(x: Any, other: Any) -> Any:
    """x repeated to the shape of `other`, see :func:`expand`."""
    return expand(x, tuple(other.shape))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple:
    """The coordinates of a grid: y[k][i, j, ...] = tensors[k][the index of axis k], all of one shape.

    Parameters
    ----------
    tensors : (N,), (M,), ...
        Also as one list.
    indexing : {"ij", "xy"}
        Axis k of the results is that of tensors[k]; with "xy" the first two axes are exchanged, as in pictures.

    Examples
    --------
    >>> import minidl
    >>> minidl.meshgrid(minidl.tensor([1, 2]), minidl.tensor([5, 6, 7]))[0]
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    xs = list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else list(tensors)
    if indexing not in ("ij", "xy"):
        raise ValueError(f"indexing must be 'ij' or 'xy', got {indexing!r}")
    if not xs or any(getattr(x, "ndim", 2) > 1 for x in xs):
        raise ValueError(f"meshgrid needs tensors of one axis, got {[getattr(x, 'shape', x) for x in xs]}")
    axes = [1, 0, *range(2, len(xs))] if indexing == "xy" and len(xs) > 1 else range(len(xs))
    xs = [reshape(x, tuple(-1 if i == axis else 1 for i in range(len(xs)))) for axis, x in zip(axes, xs)]
    shape = np.broadcast_shapes(*[tuple(x.shape) for x in xs])
    return tuple(broadcast_to(x, shape) for x in xs)


@tensor_method()
def repeat(x: Any, *repeats: int | Sequence[int]) -> Any:
    """x tiled: `repeats` copies along each axis, new axes in front.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    repeats = _sizes(repeats, "repeats")
    added = len(repeats) - x.ndim
    if added < 0:
        raise ValueError(f"repeat needs a number for each of the {x.ndim} axes of x, got {repeats}")
    shape = (1,) * added + tuple(x.shape)
    interleaved = tuple(part for n in shape for part in (1, n))
    tiled = tuple(part for copies, n in zip(repeats, shape) for part in (copies, n))
    y = broadcast_to(reshape(x, interleaved), tiled)
    return apart(reshape(y, tuple(copies * n for copies, n in zip(repeats, shape))), x)


@tensor_method()
def flip(x: Any, *axes: int | Sequence[int], dims: int | Sequence[int] = ()) -> Any:
    """x in reverse order along `dims`, also given as ``flip(x, 0, 1)``."""
    return Flip(normalize_axes(_sizes(axes or (dims,), "dims"), x.ndim))(x)


@tensor_method()
def roll(x: Any, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Any:
    """x shifted by `shifts` along `dims`; what leaves at one end comes in at the other. None shifts the flattened x.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(4).roll(1)
    tensor([3, 0, 1, 2])
    """
    if dims is None:
        return reshape(roll(flatten(x), shifts, 0), x.shape)
    shifts = _sizes((shifts,), "shifts")
    axes = normalize_axes(tuple(dims) if isinstance(dims, (tuple, list)) else dims, x.ndim)
    if len(shifts) != len(axes):
        raise ValueError(f"shifts and dims must have as many entries, got {shifts} and {dims}")
    return Roll(shifts, axes)(x)


@tensor_method()
def tril(x: Any, diagonal: int = 0) -> Any:
    """x with zeros above the given diagonal."""
    return where(_lower_triangle("tril", x, diagonal), x, x.dtype.type(0))


@tensor_method()
def triu(x: Any, diagonal: int = 0) -> Any:
    """x with zeros below the given diagonal."""
    return where(_lower_triangle("triu", x, diagonal - 1), x.dtype.type(0), x)


def _lower_triangle(name: str, x: Any, diagonal: int) -> Any:
    """True on and below the given diagonal of the last two axes."""
    if x.ndim < 2:
        raise ValueError(f"{name} needs at least 2 dimensions, got shape {tuple(x.shape)}")
    return namespace(x).tri(*x.shape[-2:], *integers("diagonal", diagonal), dtype=bool)


@tensor_method()
def contiguous(x: Any) -> Any:
    """x in C-ordered memory; x itself if it is that already."""
    return x if data_of(x).flags.c_contiguous else Contiguous()(x)


class Contiguous(Function):
    """y = x, copied to C order."""

    saves_inputs = False

    def forward(self, x):
        return namespace(x).ascontiguousarray(x)

    def backward(self, dy, inputs, output):
        return dy
