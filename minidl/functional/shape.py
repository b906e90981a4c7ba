"""Shapes: the same numbers arranged otherwise, joined or cut. Views share memory where NumPy's do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor, tensor_method
from minidl.functional.choice import where
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import broadcast_to, normalize_axes, one_axis

__all__ = [
    "broadcast_to", "cat", "chunk", "concatenate", "contiguous", "expand", "flatten", "flip", "movedim", "pad",
    "permute", "repeat", "reshape", "roll", "split", "squeeze", "stack", "swapaxes", "t", "transpose", "tril",
    "triu", "unbind", "unflatten", "unsqueeze", "view",
]  # fmt: skip

tensor_method("broadcast_to")(broadcast_to)


class Reshape(Function):
    """y = x in another shape, read in C order."""

    saves_inputs = False
    is_view = True

    def __init__(self, shape):
        self.new_shape = shape

    def forward(self, x):
        self.saved = x.shape
        if x.ndim == 4 and len(self.new_shape) == 2 and self.new_shape[0] == x.shape[0] and not x.flags.c_contiguous:
            if x.transpose(0, 2, 3, 1).flags.c_contiguous:  # images flattened: no view, and a slow copy otherwise
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


class Flip(Function):
    """y[i] = x[n - 1 - i] along some axes."""

    saves_inputs = False
    is_view = True

    def __init__(self, axes):
        self.axes = axes

    def forward(self, x):
        return namespace(x).flip(x, self.axes)

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


class Cat(Function):
    """y = several x, one after the other along an axis."""

    saves_inputs = False

    def __init__(self, axis):
        self.axis = axis

    def forward(self, *xs):
        self.saved = [x.shape[self.axis] for x in xs]
        return namespace(*xs).concatenate(xs, self.axis)

    def backward(self, dy, inputs, output):
        # each x gets its own piece of dy
        return split(dy, self.saved, self.axis)


class Pad(Function):
    """y = x with a border of a constant."""

    saves_inputs = False

    def __init__(self, widths, value):
        self.widths, self.value = widths, value

    def forward(self, x):
        self.saved = x.shape
        return namespace(x).pad(x, self.widths, constant_values=self.value)

    def backward(self, dy, inputs, output):
        # what stands inside the border
        return dy[tuple(slice(low, low + n) for (low, _), n in zip(self.widths, self.saved))]


def _sizes(shape: tuple) -> tuple[int, ...]:
    """Sizes given as ``(2, 3)`` or as ``2, 3``."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return tuple(map(int, shape))


def _known(sizes: Sequence[int]) -> int:
    """The product of the sizes that are given: all but -1."""
    return math.prod(n for n in sizes if n != -1)


@tensor_method("reshape", "view")
def reshape(x: Any, *shape: int | Sequence[int]) -> Any:
    """x in another shape with as many numbers; one size may be -1, meaning "what is left".

    The result shares the memory of x where the memory order allows, and is a copy elsewhere (also of a convolution's
    output, whose channels stand last in memory); ``view`` is the same function, where PyTorch's refuses to copy.

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
    """x with the axes from `start_dim` to `end_dim` made one."""
    (start,), (end,) = (one_axis(dim, x.ndim) or (0,) for dim in (start_dim, end_dim))
    if x.ndim == 0:
        return reshape(x, 1)
    if start > end:
        raise ValueError(f"start_dim must not come after end_dim, got {start_dim} and {end_dim}")
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


@tensor_method()
def unflatten(x: Any, dim: int, sizes: Sequence[int]) -> Any:
    """x with axis `dim` made several, of the given `sizes`.

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
    dims = _sizes(order or (dims,))
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
    """x with one axis moved, or several, the others in their order.

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
    """x without its axes of size 1; with `dim`, without those of them that have size 1."""
    axes = normalize_axes(dim, x.ndim)
    return reshape(x, tuple(n for axis, n in enumerate(x.shape) if n != 1 or axis not in axes))


@tensor_method()
def unsqueeze(x: Any, dim: int) -> Any:
    """x with a new axis of size 1 at `dim`."""
    (axis,) = one_axis(dim, x.ndim + 1)
    return Reshape((*x.shape[:axis], 1, *x.shape[axis:]))(x)


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
def repeat(x: Any, *repeats: int | Sequence[int]) -> Any:
    """x tiled: `repeats` copies along each axis, new axes in front.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    repeats = _sizes(repeats)
    added = len(repeats) - x.ndim
    if added < 0:
        raise ValueError(f"repeat needs a number for each of the {x.ndim} axes of x, got {repeats}")
    shape = (1,) * added + tuple(x.shape)
    interleaved = tuple(part for n in shape for part in (1, n))
    tiled = tuple(part for copies, n in zip(repeats, shape) for part in (copies, n))
    return reshape(broadcast_to(reshape(x, interleaved), tiled), tuple(copies * n for copies, n in zip(repeats, shape)))


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors joined end to end along `dim`; all other sizes must be equal.

    Examples
    --------
    >>> import minidl
    >>> minidl.cat([minidl.tensor([1.0]), minidl.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    tensors = list(tensors)
    if not tensors:
        raise ValueError("cat needs at least one tensor")
    if any(not hasattr(x, "shape") for x in tensors):
        raise TypeError(f"cat needs tensors, got {[type(x).__name__ for x in tensors]}")
    if any(x.ndim > 1 for x in tensors):  # shape (0,) is nothing beside any: what a loop that collects starts with
        tensors = [x for x in tensors if tuple(x.shape) != (0,)]
    first = tensors[0]
    (axis,) = one_axis(dim, first.ndim) or (0,)
    for i, x in enumerate(tensors):
        fits = x.ndim == first.ndim > 0 and all(
            a == b for j, (a, b) in enumerate(zip(x.shape, first.shape)) if j != axis
        )
        if not fits:
            raise ValueError(
                f"cat along dim {dim}: tensors[{i}] has shape {tuple(x.shape)}, tensors[0] {tuple(first.shape)}; "
                "all sizes but that one must be equal"
            )
    return Cat(axis)(*tensors)


concatenate = cat


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors of one shape joined along a new axis `dim`."""
    tensors = list(tensors)
    if not tensors:
        raise ValueError("stack needs at least one tensor")
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ValueError(
                f"stack needs equal shapes: tensors[{i}] has {tuple(x.shape)}, tensors[0] {tuple(tensors[0].shape)}"
            )
    return cat([unsqueeze(x, dim) for x in tensors], dim)


@tensor_method()
def split(x: Any, split_size: int | Sequence[int], dim: int = 0) -> tuple:
    """x cut along `dim` into pieces of `split_size` (the last may be smaller), or of the sizes in a list.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    (axis,) = one_axis(dim, x.ndim)
    n = x.shape[axis]
    if isinstance(split_size, (int, np.integer)):
        if split_size < 1:
            raise ValueError(f"split_size must be at least 1, got {split_size}")
        sizes = [min(split_size, n - start) for start in range(0, n, split_size)] or [0]
    else:
        sizes = list(split_size)
        if sum(sizes) != n:
            raise ValueError(f"split_size {sizes} adds up to {sum(sizes)}, the axis has {n}")
    ends = itertools.accumulate(sizes)
    return tuple(x[(slice(None),) * axis + (slice(end - size, end),)] for size, end in zip(sizes, ends))


@tensor_method()
def chunk(x: Any, chunks: int, dim: int = 0) -> tuple:
    """x cut along `dim` into at most `chunks` pieces of equal size (the last may be smaller).

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).chunk(3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if chunks < 1:
        raise ValueError(f"chunks must be at least 1, got {chunks}")
    (axis,) = one_axis(dim, x.ndim)
    n = x.shape[axis]
    return split(x, -(-n // chunks) if n else [0] * chunks, axis)


@tensor_method()
def unbind(x: Any, dim: int = 0) -> tuple:
    """x cut along `dim` into pieces of size 1, without that axis."""
    (axis,) = one_axis(dim, x.ndim)
    return tuple(x[(slice(None),) * axis + (i,)] for i in range(x.shape[axis]))


@tensor_method()
def flip(x: Any, *axes: int | Sequence[int], dims: int | Sequence[int] = ()) -> Any:
    """x in reverse order along `dims`, also given as ``flip(x, 0, 1)``."""
    return Flip(normalize_axes(_sizes(axes or (dims,)), x.ndim))(x)


@tensor_method()
def roll(x: Any, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Any:
    """x moved by `shifts` along `dims`, what falls off coming in at the other end; along the flattened x for None.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(4).roll(1)
    tensor([3, 0, 1, 2])
    """
    if dims is None:
        return reshape(roll(flatten(x), shifts, 0), x.shape)
    shifts = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    axes = normalize_axes(tuple(dims) if isinstance(dims, (tuple, list)) else dims, x.ndim)
    if len(shifts) != len(axes):
        raise ValueError(f"shifts and dims must have as many entries, got {shifts} and {dims}")
    return Roll(shifts, axes)(x)


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Any:
    """x with a border. `pad` is (before, after) of the last axis, then of the one before it, and so on, as in PyTorch.

    Parameters
    ----------
    mode : {"constant", "reflect", "replicate"}
        The border is `value`; x mirrored at its edge numbers; or its edge numbers repeated.

    Examples
    --------
    >>> import minidl.functional as F, minidl
    >>> F.pad(minidl.tensor([[1.0, 2.0]]), (1, 0))
    tensor([[0., 1., 2.]])
    """
    if mode not in ("constant", "reflect", "replicate"):
        raise ValueError(f"mode must be 'constant', 'reflect' or 'replicate', got {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad needs two numbers for each of at most {x.ndim} axes, got {tuple(pad)}")
    widths = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        widths[-1 - i] = (int(pad[2 * i]), int(pad[2 * i + 1]))
    for axis, ((low, high), n) in enumerate(zip(widths, x.shape)):
        if n + low + high < 0 or (mode != "constant" and (low or high) and n + low + high < 1):
            raise ValueError(f"padding {(low, high)} leaves nothing of axis {axis}, whose size is {n}")
        if mode == "reflect" and (low or high) and max(low, high) >= n:
            raise ValueError(f"reflect can pad axis {axis} of size {n} by less than its size, got {(low, high)}")
    if mode != "constant":
        return _read_beyond(x, widths, mode)
    if any(min(width) < 0 for width in widths):  # a negative border cuts
        x = x[tuple(slice(max(0, -low), n - max(0, -high)) for (low, high), n in zip(widths, x.shape))]
        widths = [(max(0, low), max(0, high)) for low, high in widths]
    return Pad(widths, value)(x)


def _read_beyond(x: Any, widths: list[tuple[int, int]], mode: str) -> Any:
    """x read from -low to n + high along each axis: beyond its edges mirrored at them, or at the edge itself."""
    for axis, ((low, high), n) in enumerate(zip(widths, x.shape)):
        if low or high:
            places = np.arange(-low, n + high)
            mirrored = n - 1 - np.abs(n - 1 - np.abs(places))  # ... 2 1 | 0 1 ... n-1 | n-2 n-3 ...
            places = mirrored if mode == "reflect" else np.clip(places, 0, n - 1)
            x = x[(slice(None),) * axis + (namespace(x).asarray(places),)]
    return x


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
    return namespace(x).tri(*x.shape[-2:], diagonal, dtype=bool)


@tensor_method()
def contiguous(x: Any) -> Any:
    """x in C-ordered memory; itself if it is so already."""
    return x if data_of(x).flags.c_contiguous else Contiguous()(x)


class Contiguous(Function):
    """y = x, copied to C order."""

    saves_inputs = False

    def forward(self, x):
        return namespace(x).ascontiguousarray(x)

    def backward(self, dy, inputs, output):
        return dy
