"""Put and take: numbers written to some places of a tensor, or taken from them, by their positions or by a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.along_axis import check_positions
from minidl.functional.axes import one_axis
from minidl.functional.broadcast import broadcast_to, common_shape
from minidl.functional.choice import check_mask
from minidl.functional.in_place import in_place
from minidl.functional.indexing import IndexAdd, SetItem, check_value, index
from minidl.functional.keys import check_key, plain_key, steps_of
from minidl.functional.operands import ErrorsNaming, data_of, integers, namespace
from minidl.functional.shape import reshape

__all__ = ["index_copy", "index_fill", "index_put", "masked_scatter", "select", "take"]


@tensor_method()
def select(x: Any, dim: int, index: int) -> Any:
    """The entry `index` of x along `dim`, without that axis: x[:, index] for ``dim=1``. It shares the memory of x.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).select(1, -1)
    tensor([2, 4])
    """
    if x.ndim == 0:
        raise IndexError("select: x must have an axis, got a single number")
    (axis,), (place,) = one_axis(dim, x.ndim), integers("index", index)
    if not -x.shape[axis] <= place < x.shape[axis]:
        raise IndexError(f"select: index {place} is out of range for the {x.shape[axis]} entries of dim {dim}")
    return x[(slice(None),) * axis + (place,)]


@tensor_method()
def take(x: Any, index: Any) -> Any:
    """The numbers of the flattened x at `index`, in the shape of index; negative positions count from the end.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2], [3, 4]]).take(minidl.tensor([0, 2, -1]))
    tensor([1, 3, 4])
    """
    positions, flat = data_of(index), reshape(x, -1)
    n = flat.shape[0]
    check_positions(positions, "take: index", n, f" for the {n} numbers of x", least=-n)
    return _index(flat, index)


_index = index  # `take` has an argument of that name


def _check_like(name: str, x: Any, argument: str, value: Any) -> None:
    """Raise a TypeError unless an argument is a Tensor or an array in the dtype of x."""
    if not hasattr(value, "dtype"):
        raise TypeError(f"{name}: {argument} must be a Tensor or an array, got {type(value).__name__}")
    if value.dtype != x.dtype:
        raise TypeError(f"{name}: {argument} must be {x.dtype} like x, got {value.dtype}")


def key_of_entries(name: str, x: Any, dim: int, index: Any, from_end: bool = False) -> tuple[tuple, int, int]:
    """The key of the entries `index` along `dim`, that axis, and how many entries they are.

    With `from_end` negative positions count from the end; else they are an error.
    """
    (axis,) = one_axis(dim, x.ndim)
    positions = namespace(x).asarray(data_of(index))
    if positions.ndim > 1:
        raise ValueError(f"{name}: index must have one dimension, got shape {tuple(positions.shape)}")
    n = x.shape[axis]
    check_positions(positions, "index", n, f" along dim {dim}", least=-n if from_end else 0)
    # a copy, so that `index` may be changed before backward comes
    return (slice(None),) * axis + (positions.reshape(-1).copy(),), axis, positions.size


def key_and_source(name: str, x: Any, dim: int, index: Any, source: Any) -> tuple[tuple, Any]:
    """The key of the entries `index` along `dim`, and `source` in the shape of those entries."""
    _check_like(name, x, "source", source)
    key, axis, count = key_of_entries(name, x, dim, index)
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    if tuple(source.shape) != shape and not (source.ndim == 0 and shape == (1,)):
        raise ValueError(f"{name}: source must be {shape}, as x is {tuple(x.shape)}, got {tuple(source.shape)}")
    return key, reshape(source, shape)


@tensor_method()
def index_fill(x: Any, dim: int, index: Any, value: Any) -> Any:
    """y = x, then y[index] = `value`, one number, along `dim`; negative positions count from the end.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1, 2, 3], [4, 5, 6]]).index_fill(1, minidl.tensor([0, -1]), 0)
    tensor([[0, 2, 0],
            [0, 5, 0]])
    """
    if getattr(value, "ndim", 0):
        raise ValueError(f"index_fill: value must be one number, got shape {tuple(value.shape)}; use index_copy")
    if x.ndim == 0:
        return reshape(index_fill(reshape(x, -1), dim, index, value), ())
    key, _, _ = key_of_entries("index_fill", x, dim, index, from_end=True)
    return SetItem((key,))(x, value)


@tensor_method()
def index_copy(x: Any, dim: int, index: Any, source: Any) -> Any:
    """y = x, then y[index[i]] = source[i] along `dim`; of several for one place the last one stays.

    Sizes, dtypes and errors are those of :func:`index_add`.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(3, 2).index_copy(0, minidl.tensor([2, 0]), minidl.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [0., 0.],
            [1., 2.]])
    """
    if x.ndim == 0:
        return reshape(index_copy(reshape(x, -1), dim, index, reshape(source, -1)), ())
    key, source = key_and_source("index_copy", x, dim, index, source)
    return SetItem((key,))(x, source)


@tensor_method()
def index_put(x: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    """y = x, then y[indices] = values, or with `accumulate` y[indices] += values, those for one place added up.

    Parameters
    ----------
    indices : tuple of integers or booleans, one array for each of the first axes of x
    values : in the dtype of x; they broadcast to x[indices]

    Examples
    --------
    >>> import minidl
    >>> i, j = minidl.tensor([0, 0, 1]), minidl.tensor([1, 1, 0])
    >>> minidl.zeros(2, 2).index_put((i, j), minidl.tensor(1.0), accumulate=True)
    tensor([[0., 2.],
            [1., 0.]])
    """
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"index_put: indices must be a tuple of arrays, got {type(indices).__name__}; write (index,)")
    _check_like("index_put", x, "values", values)
    with ErrorsNaming(key="indices", value="values"):
        key = plain_key(tuple(indices), x)
        try:
            if not accumulate:
                return SetItem(steps_of(key, x.ndim))(x, values)
            shape = tuple(data_of(x)[key].shape)
        except IndexError:
            check_key(key, tuple(x.shape))
            raise
        check_value(values, shape)
    return x + IndexAdd(key, tuple(x.shape))(values if tuple(values.shape) == shape else broadcast_to(values, shape))


@tensor_method()
def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """y = x, then the places where `mask` (bool) is true are filled with the numbers of `source`, in order.

    Raises
    ------
    TypeError, ValueError
        A mask that is not bool, a source of another dtype, or with fewer numbers than there are places.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1, -2, 3, -4])
    >>> x.masked_scatter(x < 0, minidl.tensor([20, 40, 60]))
    tensor([ 1, 20,  3, 40])
    """
    check_mask(mask, "mask")
    _check_like("masked_scatter", x, "source", source)
    shape = common_shape("masked_scatter", x=x, mask=mask)
    places = namespace(x).broadcast_to(data_of(mask), shape)
    count, given = int(places.sum()), reshape(source, -1)
    if given.shape[0] < count:
        raise ValueError(f"masked_scatter: source must have {count} numbers, one for each True, got {given.shape[0]}")
    return SetItem((places,))(broadcast_to(x, shape), given[:count])


in_place(index_fill, "index_fill_")
in_place(index_copy, "index_copy_")
in_place(index_put, "index_put_")
in_place(masked_scatter, "masked_scatter_")
