"""Broadcasting: the same numbers several times. The results share memory where NumPy's do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.operands import apart, namespace, sizes_of
from minidl.functional.shape import reshape

__all__ = ["broadcast_tensors", "broadcast_to", "expand", "meshgrid", "repeat", "tile"]


class BroadcastTo(Function):
    """y = x repeated along axes of size 1 and new axes in front."""

    saves_inputs = False
    is_view = True

    def __init__(self, shape):
        self.new_shape = shape

    def forward(self, x):
        if type(x) is np.ndarray and x.size == 1 and x.ndim <= len(self.new_shape):
            # the gradient of a sum, in less than half the time of NumPy's function
            y = np.ndarray(self.new_shape, x.dtype, x, strides=(0,) * len(self.new_shape))
            y.flags.writeable = False
            return y
        try:
            return namespace(x).broadcast_to(x, self.new_shape)
        except ValueError:
            raise ValueError(
                f"broadcast_to: x of shape {tuple(x.shape)} does not broadcast to {self.new_shape}; counted from the "
                "last axis, its sizes must be equal to those or 1"
            ) from None

    def backward(self, dy, inputs, output):
        # dx is the sum of dy over the repetitions; the engine takes it, as for every operand that broadcasts
        return dy


def common_shape(operation: str, **tensors: Any) -> tuple[int, ...]:
    """The shape that all `tensors` broadcast to; an error that names them if there is none."""
    shapes = {name: np.shape(x) for name, x in tensors.items()}
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        given = " and ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{operation}: the tensors must broadcast to one shape, got {given}") from None


@tensor_method()
def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """x repeated to `shape`, without copying.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1, 2]).broadcast_to((2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return BroadcastTo(shape)(x)


def broadcast_tensors(*tensors: Any) -> tuple:
    """The tensors, each repeated to the shape that all of them broadcast to, without copying.

    Examples
    --------
    >>> import minidl
    >>> x, y = minidl.broadcast_tensors(minidl.zeros(3, 1), minidl.zeros(2))
    >>> x.shape, y.shape
    ((3, 2), (3, 2))
    """
    shape = common_shape("broadcast_tensors", **{f"tensors[{i}]": x for i, x in enumerate(tensors)})
    return tuple(x if tuple(x.shape) == shape else broadcast_to(x, shape) for x in tensors)


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
    sizes = sizes_of(sizes)
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
    repeats = sizes_of(repeats, "repeats")
    added = len(repeats) - x.ndim
    if added < 0:
        raise ValueError(f"repeat needs a number for each of the {x.ndim} axes of x, got {repeats}")
    shape = (1,) * added + tuple(x.shape)
    interleaved = tuple(part for n in shape for part in (1, n))
    tiled = tuple(part for copies, n in zip(repeats, shape) for part in (copies, n))
    y = broadcast_to(reshape(x, interleaved), tiled)
    return apart(reshape(y, tuple(copies * n for copies, n in zip(repeats, shape))), x)


@tensor_method()
def tile(x: Any, *dims: int | Sequence[int]) -> Any:
    """:func:`repeat`, where `dims` may be fewer than the axes of x: those in front are then not repeated.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).tile(2)
    tensor([[1, 2, 1, 2],
            [3, 4, 3, 4]])
    """
    dims = sizes_of(dims, "dims")
    return repeat(x, (1,) * (x.ndim - len(dims)) + dims)
