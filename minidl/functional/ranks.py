"""Ranks among sorted numbers: quantiles, the k-th smallest, and where a number would be inserted."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import tensor_method
from minidl.functional.axes import any_empty, one_axis, takes_numpys_names
from minidl.functional.choice import where
from minidl.functional.combination import lerp
from minidl.functional.extremes import ValuesAndIndices, values_at
from minidl.functional.operands import check_float, data_of, integers, namespace, unrecorded
from minidl.functional.shape import movedim, reshape
from minidl.functional.sorting import argsort, sort

__all__ = ["bucketize", "kthvalue", "quantile", "searchsorted"]

ROUNDED = {"lower": "floor", "higher": "ceil", "nearest": "round"}  # the interpolations that give one of the values


@tensor_method()
@takes_numpys_names
def quantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """The number that a fraction `q` of the values along `dim` lies below; NaN if any value is NaN.

    With the n values in order and q * (n - 1) = k + t, where k is whole and 0 <= t < 1, it is
    (1 - t) * x[k] + t * x[k + 1].

    Parameters
    ----------
    q : float, or (Q,) in the dtype of x
        From 0 to 1; 0.5 is the median, the mean of the middle two if n is even.
    dim : int, optional
        Default: the flattened x.
    interpolation : {"linear", "lower", "higher", "midpoint", "nearest"}
        The formula above; x[k]; x[k + 1]; their mean; the nearer one. Where t is 0 all of them give x[k].

    Returns
    -------
    x without `dim`, with (Q,) as the first axis if q has one

    Raises
    ------
    TypeError, ValueError
        An x that is not floating point, or has no values along `dim`; a `q` outside of 0 to 1 or of another dtype.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([4.0, 1.0, 3.0, 2.0])
    >>> x.quantile(0.5), x.quantile(minidl.tensor([0.0, 0.1]))
    (tensor(2.5), tensor([1. , 1.3]))
    """
    check_float("quantile", x)
    fractions = _fractions(q, x)
    if interpolation not in ("linear", "midpoint", *ROUNDED):
        raise ValueError(
            f"interpolation must be 'linear', 'lower', 'higher', 'midpoint' or 'nearest', got {interpolation!r}"
        )
    axes = tuple(range(x.ndim)) if dim is None else one_axis(dim, x.ndim)
    if any_empty(x.shape, axes):
        raise ValueError(f"quantile of no values: x has shape {tuple(x.shape)} and dim is {dim}")
    ordered = sort(reshape(x, -1) if dim is None or not axes else movedim(x, axes[0], -1)).values
    # k + t = q * (n - 1), of which only t has a gradient
    rank = reshape(fractions, -1) * (ordered.shape[-1] - 1)
    y = _at_rank(ordered, rank, interpolation)
    y = where(namespace(x).isnan(data_of(ordered[..., -1:])), float("nan"), y)  # NaN is sorted to the end
    y = movedim(y, -1, 0)
    if keepdim:
        y = reshape(y, (y.shape[0], *(1 if axis in axes else n for axis, n in enumerate(x.shape))))
    return y if fractions.ndim else y[0]


def _fractions(q: Any, x: Any) -> Any:
    """q in the dtype and on the device of x, checked; a Tensor stays one."""
    if hasattr(q, "dtype") and (q.dtype != x.dtype or q.ndim > 1):
        raise ValueError(f"quantile: q must be one number or (Q,) in {x.dtype}, got {q.dtype} {tuple(q.shape)}")
    fractions = namespace(x).asarray(data_of(q), x.dtype)
    if not ((fractions >= 0) & (fractions <= 1)).all():
        raise ValueError(f"quantile: q must be from 0 to 1, got {fractions.tolist()}")
    return q if hasattr(q, "dtype") else fractions


def _at_rank(ordered: Any, rank: Any, interpolation: str) -> Any:
    """What `interpolation` makes of the values x[k] and x[k + 1] of an ordered x, for rank = k + t."""
    xp, places = namespace(rank), data_of(rank)

    def at(place: Any) -> Any:
        return ordered[..., place.astype(np.int64)]

    if interpolation in ROUNDED:
        return at(getattr(xp, ROUNDED[interpolation])(places))
    k = xp.floor(places)
    # (1 - t) * x[k] + t * x[k + 1]; x[k] where t is 0, also at the end
    return lerp(at(k), at(xp.ceil(places)), rank - k if interpolation == "linear" else 0.5)


@tensor_method()
@takes_numpys_names
def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The k-th smallest value along `dim`, from 1 on, and where it is; NaN counts as the largest.

    Of several equal values it may be any.

    Examples
    --------
    >>> import minidl
    >>> values, indices = minidl.tensor([5.0, 9.0, 7.0]).kthvalue(2)
    >>> values, indices
    (tensor(7.), tensor(2))
    """
    (k,), axes = integers("k", k), one_axis(dim, x.ndim)
    size = x.shape[axes[0]] if axes else 1
    if not 1 <= k <= size:
        raise ValueError(f"k must be from 1 to {size}, the size of dim {dim}, got {k}")
    if not axes:
        return values_at(x, argsort(x), dim)
    place = unrecorded(lambda x: namespace(x).argpartition(x, k - 1, axes[0]), x)
    place = place[(slice(None),) * axes[0] + (slice(k - 1, k),)]
    return values_at(x, place if keepdim else place.squeeze(axes[0]), dim)


def searchsorted(
    sorted_sequence: Any, values: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None
) -> Any:
    """How many numbers of a sorted sequence are below each value: where the value would have to be inserted.

    Parameters
    ----------
    sorted_sequence : (N,) or (..., N)
        Ascending along the last axis.
    values : number, or of any shape; for a sequence (..., N) of shape (..., M)
    out_int32 : bool
        The result in int32 instead of int64.
    right : bool
        Count equal numbers too. ``side="right"`` says the same.

    Raises
    ------
    ValueError
        Values whose axes in front are not those of the sequence; another `side`.

    Examples
    --------
    >>> import minidl
    >>> minidl.searchsorted(minidl.tensor([1, 3, 5]), minidl.tensor([0, 3, 9]))
    tensor([0, 1, 3])
    """
    if side not in (None, "left", "right") or side == "left" and right:
        raise ValueError(f"side must be 'left' or 'right', and not say other than right={right}, got {side!r}")
    shape = tuple(sorted_sequence.shape)
    if not shape:
        raise ValueError("searchsorted: sorted_sequence must have an axis, got a single number")
    if len(shape) > 1 and shape[:-1] != tuple(np.shape(data_of(values))[:-1]):
        raise ValueError(
            f"searchsorted: values must have the axes {shape[:-1]} of the sequence in front of their last, got shape "
            f"{tuple(np.shape(data_of(values)))}"
        )

    def find(sequence: Any, values: Any) -> Any:
        xp = namespace(sequence)
        common = np.result_type(sequence.dtype, getattr(values, "dtype", values))
        sequence, values = sequence.astype(common, copy=False), xp.asarray(values, common)
        which = "right" if right or side == "right" else "left"
        if sequence.ndim == 1:
            found = xp.asarray(xp.searchsorted(sequence, values, which))
        else:
            found = xp.empty(values.shape, np.int64)
            for row in np.ndindex(shape[:-1]):
                found[row] = xp.searchsorted(sequence[row], values[row], which)
        return found.astype(np.int32 if out_int32 else np.int64)

    return unrecorded(find, sorted_sequence, values)


@tensor_method()
def bucketize(x: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """The number i of the interval of each x: boundaries[i - 1] < x <= boundaries[i]; with `right`, < and <= exchanged.

    Parameters
    ----------
    boundaries : (N,)
        Ascending.

    Examples
    --------
    >>> import minidl
    >>> minidl.bucketize(minidl.tensor([0.0, 1.0, 2.5]), minidl.tensor([1.0, 2.0]))
    tensor([0, 0, 2])
    """
    if boundaries.ndim != 1:
        raise ValueError(f"bucketize: boundaries must be (N,), got shape {tuple(boundaries.shape)}")
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)
