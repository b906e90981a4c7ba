"""Joining and cutting: several tensors into one, and one into several."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.axes import one_axis, takes_numpys_names
from minidl.functional.operands import integers, namespace

__all__ = ["cat", "chunk", "concat", "concatenate", "narrow", "split", "stack", "unbind"]


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


class Split(Function):
    """y[i] = the piece of x from start[i] to end[i] along an axis."""

    saves_inputs = False
    is_view = True

    def __init__(self, sizes, axis):
        self.axis = axis
        ends = list(itertools.accumulate(sizes))
        self.pieces = [(slice(None),) * axis + (slice(end - size, end),) for size, end in zip(sizes, ends)]

    def forward(self, x):
        self.saved = x.shape
        return tuple([x[piece] for piece in self.pieces])

    def backward(self, dy, inputs, output):
        # dx = the dy of all pieces, one after the other; zeros for a piece that was not used
        if any(part is None for part in dy):
            given = next(part for part in dy if part is not None)
            zeros = namespace(given).zeros(self.saved, given.dtype)
            dy = [zeros[piece] if part is None else part for piece, part in zip(self.pieces, dy)]
        return cat(list(dy), self.axis)


class Stack(Function):
    """y = several x of one shape, one after the other along a new axis."""

    saves_inputs = False

    def __init__(self, axis):
        self.axis = axis

    def forward(self, *xs):
        new_axis = (slice(None),) * self.axis + (None,)
        return namespace(*xs).concatenate([x[new_axis] for x in xs], self.axis)

    def backward(self, dy, inputs, output):
        # each x gets its own slice of dy
        return unbind(dy, self.axis)


class Unbind(Function):
    """y[i] = x[i] for every i along an axis; one gradient comes back for all of them."""

    saves_inputs = False
    is_view = True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        before = (slice(None),) * self.axis
        return tuple([x[(*before, i, ...)] for i in range(x.shape[self.axis])])

    def backward(self, dy, inputs, output):
        # dx = all dy, one after the other; zeros for a slice that was not used
        if any(part is None for part in dy):
            given = next(part for part in dy if part is not None)
            zeros = namespace(given).zeros(given.shape, given.dtype)
            dy = [zeros if part is None else part for part in dy]
        return stack(dy, self.axis)


@takes_numpys_names
def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors joined end to end along `dim`; all other sizes must be equal.

    Examples
    --------
    >>> import minidl
    >>> minidl.cat([minidl.tensor([1.0]), minidl.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    tensors = list(tensors)
    shapes = shapes_of("cat", tensors)
    if max(map(len, shapes)) > 1:  # shape (0,) is left out: loops that collect tensors start with an empty one
        tensors = [x for x, shape in zip(tensors, shapes) if shape != (0,)]
        shapes = [shape for shape in shapes if shape != (0,)]
    (axis,) = one_axis(dim, len(shapes[0])) or (0,)
    others = [(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes]
    for i, shape in enumerate(shapes):
        if others[i] != others[0] or not shape:
            raise ValueError(
                f"cat along dim {dim}: tensors[{i}] has shape {shape}, tensors[0] {shapes[0]}; all sizes but that one "
                "must be equal"
            )
    return Cat(axis)(*tensors)


concat = concatenate = cat


@takes_numpys_names
def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors of one shape joined along a new axis `dim`.

    Examples
    --------
    >>> import minidl
    >>> minidl.stack([minidl.tensor([1, 2]), minidl.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = list(tensors)
    shapes = shapes_of("stack", tensors)
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(f"stack needs equal shapes: tensors[{i}] has {shape}, tensors[0] {shapes[0]}")
    return Stack(one_axis(dim, len(shapes[0]) + 1)[0])(*tensors)


def shapes_of(name: str, tensors: list) -> list[tuple[int, ...]]:
    """Their shapes; an error where there is none, or one is no tensor."""
    if not tensors:
        raise ValueError(f"{name} needs at least one tensor")
    try:
        return [x.shape for x in tensors]
    except AttributeError:
        raise TypeError(f"{name} needs tensors, got {[type(x).__name__ for x in tensors]}") from None


@tensor_method()
def split(x: Any, split_size: int | Sequence[int], dim: int = 0) -> tuple:
    """x cut along `dim` into pieces of `split_size` (the last may be smaller), or of the sizes in a list.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    axis = _axis_to_cut("split", x, dim)
    n = x.shape[axis]
    if isinstance(split_size, (int, np.integer)):
        if split_size < 1:
            raise ValueError(f"split_size must be at least 1, got {split_size}")
        sizes = [min(split_size, n - start) for start in range(0, n, split_size)] or [0]
    else:
        sizes = integers("split_size", split_size)
        if min(sizes, default=0) < 0:
            raise ValueError(f"split_size must hold sizes from 0 on, got {sizes}")
        if sum(sizes) != n:
            raise ValueError(f"split_size {sizes} adds up to {sum(sizes)}, the axis has {n}")
    return Split(sizes, axis)(x)


@tensor_method()
def chunk(x: Any, chunks: int, dim: int = 0) -> tuple:
    """x cut along `dim` into at most `chunks` pieces of equal size (the last may be smaller).

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).chunk(3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    (chunks,) = integers("chunks", chunks)
    if chunks < 1:
        raise ValueError(f"chunks must be at least 1, got {chunks}")
    axis = _axis_to_cut("chunk", x, dim)
    n = x.shape[axis]
    return split(x, -(-n // chunks) if n else [0] * chunks, axis)


@tensor_method()
def unbind(x: Any, dim: int = 0) -> tuple:
    """x cut along `dim` into pieces of size 1, without that axis.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).unbind(1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    return Unbind(_axis_to_cut("unbind", x, dim))(x)


@tensor_method()
def narrow(x: Any, dim: int, start: int, length: int) -> Any:
    """`length` numbers of x along `dim`, from `start` on.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = _axis_to_cut("narrow", x, dim)
    n = x.shape[axis]
    first = start + n if start < 0 else start
    if not (0 <= first <= n and 0 <= length <= n - first):
        raise ValueError(
            f"narrow: {length} numbers from {start} on are not all in axis {dim} of shape {tuple(x.shape)}"
        )
    return x[(slice(None),) * axis + (slice(first, first + length),)]


def _axis_to_cut(name: str, x: Any, dim: int) -> int:
    if x.ndim == 0:
        raise ValueError(f"{name}: x must have an axis to be cut along, got a single number")
    return one_axis(dim, x.ndim)[0]
