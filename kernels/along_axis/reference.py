"""gather and scatter_add by the array module's own indexing."""

import numpy as np

from ..arrays import array_module, extent


def gather(x, index, axis):
    # y[o, j, i] = x[o, index[o, j, i], i]
    return x[_places(index, axis, x.shape[axis])]


def scatter_add(x, index, axis, size):
    xp = array_module(x)
    y = xp.zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)
    # y[o, index[o, j, i], i] += x[o, j, i]
    xp.add.at(y, _places(index, axis, size), x)
    return y


def _places(index, axis, size):
    """The indexing key with `index` along `axis`, and 0, 1, 2 ... along each other axis."""
    if isinstance(index, np.ndarray) and index.size and not (0 <= index.min() and index.max() < size):
        raise IndexError(f"index must be from 0 to {size - 1}, got {extent(index)}")
    xp = array_module(index)
    after = [(1,) * (index.ndim - 1 - i) for i in range(index.ndim)]
    return tuple(
        index if i == axis else xp.arange(n).reshape(n, *ones) for i, (n, ones) in enumerate(zip(index.shape, after))
    )
