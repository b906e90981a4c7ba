"""Which values there are, and how often: no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import tensor_method
from minidl.functional.operands import data_of, namespace, unrecorded

__all__ = ["bincount", "unique"]


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
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or (numbers < 0).any():
        raise ValueError(f"bincount: x must be integers (N,) from 0 up, got {x.dtype} of shape {tuple(x.shape)}")
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
