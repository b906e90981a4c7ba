"""scatter_reduce: the sum, mean, largest or smallest of the numbers that go to each place."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Function, tensor_method
from minidl.functional.along_axis import scatter_key, source_of
from minidl.functional.choice import where
from minidl.functional.in_place import in_place
from minidl.functional.indexing import Index, IndexAdd, SetItem
from minidl.functional.operands import data_of, namespace, unrecorded
from minidl.functional.shape import reshape

__all__ = ["scatter_reduce"]


class ScatterExtreme(Function):
    """y = x; y[key] = max(y[key], src), number by number, or min; ties share the gradient equally.

    Without `include_self`, where a number goes to, y starts at the lowest there is instead of at x.
    """

    saves_output = True

    def __init__(self, ufunc, key, include_self):
        self.ufunc, self.key, self.include_self = ufunc, key, include_self

    def forward(self, x, src):
        xp, y = namespace(x), x.copy()
        if not self.include_self:
            least, most = _limits(x.dtype)
            y[self.key] = least if self.ufunc == "maximum" else most
        # number by number, in the flattened y: NumPy does that many times as fast
        places = xp.arange(x.size).reshape(x.shape)[self.key]
        getattr(xp, self.ufunc).at(y.reshape(-1), places.reshape(-1), src.reshape(-1))
        return y

    def backward(self, dy, inputs, output):
        x, src = (data_of(value) for value in inputs)
        y = data_of(output)
        # dy/dx and dy/dsrc = 1 / (how many numbers are y) for those that are, else 0
        own, chosen = (x == y).astype(dy.dtype), (src == y[self.key]).astype(dy.dtype)
        if not self.include_self:
            own[self.key] = 0
        count = own + IndexAdd(self.key, x.shape)(chosen)
        share = dy / where(count == 0, 1, count)  # 0 of them where y is NaN
        return share * own if self.needs(0) else None, Index(self.key)(share) * chosen if self.needs(1) else None


def _limits(dtype: np.dtype) -> tuple[Any, Any]:
    """The lowest and the largest there is."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    return (False, True) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


@tensor_method()
def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """y = x, then y[index[i, j], j] = the `reduce` of all src[i, j] that go there, and of x[...] with `include_self`.

    For ``dim=0``; y[i, index[i, j]] for ``dim=1``, and so on. Where nothing goes y is x. Sizes as in :func:`scatter`.

    Parameters
    ----------
    reduce : {"sum", "mean", "amax", "amin"}
        Means of integers are rounded down. The gradient of the last two is shared by equal numbers.

    Raises
    ------
    ValueError, TypeError, IndexError
        Another `reduce`; sizes, a dtype or an index that do not fit.

    Examples
    --------
    >>> import minidl
    >>> index, src = minidl.tensor([0, 2, 0]), minidl.tensor([1.0, 10.0, 5.0])
    >>> minidl.zeros(3).scatter_reduce(0, index, src, "amax")
    tensor([ 5.,  0., 10.])
    >>> minidl.ones(3).scatter_reduce(0, index, src, "mean", include_self=False)
    tensor([ 3.,  1., 10.])
    """
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise ValueError(f"scatter_reduce: reduce must be 'sum', 'mean', 'amax' or 'amin', got {reduce!r}")
    positions = data_of(index)
    if x.ndim + positions.ndim < 2:
        y = scatter_reduce(
            reshape(x, -1), dim, positions.reshape(-1), reshape(src, -1), reduce, include_self=include_self
        )
        return reshape(y, tuple(x.shape))
    key = scatter_key(x, dim, positions)
    src = source_of(src, positions, x)
    if reduce in ("amax", "amin"):
        return ScatterExtreme("maximum" if reduce == "amax" else "minimum", key, include_self)(x, src)
    start = x if include_self else SetItem((key,))(x, 0)
    y = start + IndexAdd(key, tuple(x.shape))(src)
    if reduce == "sum":
        return y
    count = IndexAdd(key, tuple(x.shape))(namespace(x).ones(positions.shape, x.dtype)) + include_self
    count = namespace(x).maximum(count, x.dtype.type(1))
    return y / count if x.dtype.kind == "f" else unrecorded(lambda y: (y // count).astype(x.dtype), y)


in_place(scatter_reduce, "scatter_reduce_")
