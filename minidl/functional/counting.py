"""Which values there are, how often, and in which range: no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import tensor_method
from minidl.functional.operands import check_float, data_of, integers, namespace, unrecorded

__all__ = ["bincount", "histc", "isin", "unique"]


@tensor_method()
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """y[k] = how often k is in x; with `weights`, the sum of weights[i] over the i with x[i] = k.

    Parameters
    ----------
    x : (N,) integers, none of them negative
    weights : (N,), optional
        The sums are in float64, those of float32 weights in float32.
    minlength : int
        The least length of y, which otherwise is the largest x + 1.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0, 2, 2]).bincount(minlength=4)
    tensor([1, 0, 2, 0])
    """
    numbers = data_of(x)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise ValueError(f"bincount: x must be integers (N,), got {x.dtype} of shape {tuple(x.shape)}")
    if (numbers < 0).any():
        raise ValueError(f"bincount: x must be integers (N,) from 0 up, got {numbers.min()}")
    if weights is not None and tuple(weights.shape) != tuple(x.shape):
        raise ValueError(f"bincount: weights must be {tuple(x.shape)} like x, got {tuple(weights.shape)}")
    if weights is None:
        return unrecorded(lambda x: namespace(x).bincount(x, None, minlength), x)
    weights = weights if weights.dtype == np.float32 else weights.astype(np.float64)
    return unrecorded(lambda x, w: namespace(x).bincount(x, w, minlength).astype(w.dtype), x, weights)


@tensor_method()
def unique(
    x: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The values of x, each once, in ascending order; along `dim`, the different slices.

    Parameters
    ----------
    sorted : bool
        Has no effect: the values are always sorted.
    return_inverse : bool
        Also return the positions in the result of the values of x, in the shape of x.
    return_counts : bool
        Also return how often each value occurs in x.

    Returns
    -------
    values, or a tuple (values, inverse, counts) of those that were asked for

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    found = namespace(x).unique(data_of(x), return_inverse=return_inverse, return_counts=return_counts, axis=dim)
    if not (return_inverse or return_counts):
        return unrecorded(lambda x: found, x)
    values, *others = found
    if return_inverse:
        others[0] = others[0].reshape(x.shape if dim is None else -1)  # some versions of NumPy give it flat
    return tuple(unrecorded(lambda x, part=part: part, x) for part in (values, *others))


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """For each number of `elements`, whether it is one of `test_elements`; with `invert`, whether it is none of them.

    Parameters
    ----------
    assume_unique : bool
        That neither holds a number twice, which may save time.

    Examples
    --------
    >>> import minidl
    >>> minidl.isin(minidl.tensor([[1, 2], [3, 4]]), minidl.tensor([2, 4]))
    tensor([[False,  True],
            [False,  True]])
    """
    if not hasattr(elements, "dtype") and not hasattr(test_elements, "dtype"):
        raise TypeError("isin: elements or test_elements must be a tensor, got two numbers")

    def inside(elements: Any, others: Any) -> Any:
        xp = namespace(elements, others)
        return xp.isin(xp.asarray(elements), xp.asarray(others), assume_unique=assume_unique, invert=invert)

    return unrecorded(inside, elements, test_elements)


@tensor_method()
def histc(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many numbers of x lie in each of `bins` equal parts of the range from `min` to `max`, in the dtype of x.

    The last part includes `max`; numbers outside and NaN are not counted. Where `min` and `max` are equal the range is
    that of x, and where that is a single number, from 1 below to 1 above it.

    Raises
    ------
    TypeError, ValueError
        An x that is not floating point; fewer bins than 1; a range that is not finite, or with `max` below `min`.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0, 1.0, 4.0]).histc(bins=4, min=0, max=4)
    tensor([0., 2., 1., 1.])
    """
    check_float("histc", x)
    (bins,), low, high, numbers = integers("bins", bins), float(min), float(max), data_of(x).reshape(-1)
    if bins < 1:
        raise ValueError(f"histc: bins must be at least 1, got {bins}")
    if low == high and numbers.size:
        low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        low, high = low - 1, high + 1
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"histc: the range must be finite, from min up to max, got {low} to {high}")

    def counts(x: Any) -> Any:
        xp, x = namespace(x), x.reshape(-1)
        # part i from low + i * (high - low) / bins on
        part = ((x[(x >= low) & (x <= high)] - low) / (high - low) * bins).astype(np.int64)
        return xp.bincount(xp.minimum(part, bins - 1), None, bins).astype(x.dtype)

    return unrecorded(counts, x)
