"""Shapes: the same numbers in another arrangement. The results share memory where NumPy's do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minidl import kernels
from minidl.autograd import Function, Tensor, tensor_method
from minidl.functional.axes import normalize_axes, one_axis
from minidl.functional.operands import data_of, namespace, sizes_of

__all__ = [
    "contiguous", "flatten", "flip", "moveaxis", "movedim", "permute", "ravel", "reshape", "roll", "squeeze",
    "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze", "view",
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


@tensor_method("reshape", "view")
def reshape(x: Any, *shape: int | Sequence[int]) -> Any:
    """x in another shape with as many numbers; one size may be -1, meaning "what is left".

    The result shares the memory of x where the order in memory allows it, else it is a copy (for example of a
    convolution's output, whose channels are last in memory). ``view`` is the same function; PyTorch's never copies.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0, 3.0, 4.0]).reshape(2, -1)
    tensor([[1., 2.],
            [3., 4.]])
    """
    sizes = sizes_of(shape)
    try:
        if min(sizes, default=0) >= -1:  # NumPy takes any negative size for a -1
            return Reshape(sizes)(x)
    except ValueError:
        pass
    count = math.prod(x.shape)
    raise ValueError(f"shape {sizes} does not fit the {count} numbers of x, whose shape is {tuple(x.shape)}")


view = reshape


@tensor_method("view_as", "reshape_as")
def view_as(x: Any, other: Any) -> Any:
    """x in the shape of `other`."""
    return reshape(x, tuple(other.shape))


@tensor_method()
def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """x with the axes from `start_dim` to `end_dim` joined into one.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(8, 3, 4, 4).flatten(1).shape
    (8, 48)
    """
    (start,), (end,) = (one_axis(dim, x.ndim) or (0,) for dim in (start_dim, end_dim))
    if x.ndim == 0:
        return reshape(x, 1)
    if start > end:
        raise ValueError(f"start_dim must not come after end_dim, got {start_dim} and {end_dim}")
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


@tensor_method()
def ravel(x: Any) -> Any:
    """x with all axes joined into one: ``flatten(x)``.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).ravel()
    tensor([1, 2, 3, 4])
    """
    return flatten(x)


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
    known = math.prod(n for n in sizes if n != -1)
    sizes = tuple(x.shape[axis] // known if n == -1 else n for n in sizes)
    return reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


@tensor_method()
def permute(x: Any, *order: int | Sequence[int], dims: Sequence[int] = ()) -> Any:
    """x with its axes in the order `dims`, also given as ``permute(x, 1, 0)``: y.shape[i] = x.shape[dims[i]].

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    dims = sizes_of(order or (dims,), "dims")
    axes = normalize_axes(dims, x.ndim)
    if len(axes) != x.ndim:
        raise ValueError(f"dims must name each of the {x.ndim} axes once, got {dims}")
    return Permute(axes)(x)


@tensor_method("transpose", "swapaxes", "swapdims")
def transpose(x: Any, dim0: int, dim1: int) -> Any:
    """x with two axes exchanged."""
    first, second = one_axis(dim0, x.ndim), one_axis(dim1, x.ndim)
    order = list(range(x.ndim))
    if order:
        order[first[0]], order[second[0]] = order[second[0]], order[first[0]]
    return Permute(tuple(order))(x)


swapaxes = swapdims = transpose


@tensor_method("movedim", "moveaxis")
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


moveaxis = movedim


@tensor_method()
def t(x: Any) -> Any:
    """The transposed matrix.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).t()
    tensor([[1, 3],
            [2, 4]])
    """
    if x.ndim > 2:
        raise ValueError(f"t() needs at most 2 dimensions, got shape {tuple(x.shape)}; use transpose(dim0, dim1)")
    return x if x.ndim < 2 else Permute((1, 0))(x)


Tensor.T = property(lambda x: Permute(tuple(range(x.ndim))[::-1])(x), doc="The tensor with its axes reversed.")
Tensor.mT = property(lambda x: transpose(x, -2, -1), doc="The tensor with its last two axes exchanged.")


@tensor_method()
def squeeze(x: Any, dim: int | tuple[int, ...] | None = None) -> Any:
    """x without its axes of size 1; of those that `dim` names, if it is given.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.zeros(1, 2, 1)
    >>> x.squeeze().shape, x.squeeze(0).shape
    ((2,), (2, 1))
    """
    axes = normalize_axes(dim, x.ndim)
    return reshape(x, tuple(n for axis, n in enumerate(x.shape) if n != 1 or axis not in axes))


@tensor_method()
def unsqueeze(x: Any, dim: int) -> Any:
    """x with a new axis of size 1 at `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1, 2]).unsqueeze(1)
    tensor([[1],
            [2]])
    """
    (axis,) = one_axis(dim, x.ndim + 1)
    return Reshape((*x.shape[:axis], 1, *x.shape[axis:]))(x)


@tensor_method()
def flip(x: Any, *axes: int | Sequence[int], dims: int | Sequence[int] = ()) -> Any:
    """x in reverse order along `dims`, also given as ``flip(x, 0, 1)``.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).flip(0)
    tensor([[3, 4],
            [1, 2]])
    """
    return Flip(normalize_axes(sizes_of(axes or (dims,), "dims"), x.ndim))(x)


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
    shifts = sizes_of((shifts,), "shifts")
    axes = normalize_axes(tuple(dims) if isinstance(dims, (tuple, list)) else dims, x.ndim)
    if len(shifts) != len(axes):
        raise ValueError(f"shifts and dims must have as many entries, got {shifts} and {dims}")
    return Roll(shifts, axes)(x)


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
