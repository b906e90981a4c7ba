"""Normalization: each channel, or each row, to mean 0 and variance 1, then scaled and shifted.

    m[c] = mean of x[n, c, p] over n, p        v[c] = mean of (x[n, c, p] - m[c])^2        r[c] = 1 / sqrt(v[c] + eps)

    y[n, c, p]  = (x[n, c, p] - m[c]) * r[c] * w[c] + b[c]

    db[c]       = sum over n, p of dy[n, c, p]
    dw[c]       = sum over n, p of dy[n, c, p] * z[n, c, p]                              z = (x - m[c]) * r[c]
    dx[n, c, p] = r[c] * w[c] * (dy[n, c, p] - db[c] / count - z[n, c, p] * dw[c] / count)

For rows, x (M, K): each row i has m[i], v[i] and r[i], and each column k has w[k] and b[k]:

    y[i, k]  = (x[i, k] - m[i]) * r[i] * w[k] + b[k]                                     z = (x - m[i]) * r[i]
    db[k]    = sum over i of dy[i, k],   dw[k] = sum over i of dy[i, k] * z[i, k]
    dx[i, k] = r[i] * (g[i, k] - mean of g[i] - z[i, k] * mean of (g[i] * z[i]))         g = dy * w

For groups of channels of each image n, the channels c of a group g share m[n, g], v[n, g] and r[n, g]:

    y[n, c, p]  = (x[n, c, p] - m[n, g]) * r[n, g] * w[c] + b[c]     dw and db as above, dx as of a row with g = dy * w

p runs over the pixels; `count` numbers share a mean. All sums are accumulated in float64, and the variance is summed
around the mean, so that numbers far from 0 lose no digits. The results for channels are channels last in memory, and so
are those for groups, unless x is in C order.

Sources: Ioffe and Szegedy, Batch normalization, 2015, algorithm 1 and section 3; Ba et al., Layer normalization, 2016;
Wu and He, Group normalization, 2018.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_gradient, check_same_kind
from ..registry import kernel


@kernel
def channel_forward(x: Any, w: Any = None, b: Any = None, eps: float = 1e-5) -> Any:
    """Return y, and the mean and the variance of each channel.

    Parameters
    ----------
    x : array (N, C, ...), floating point
    w, b : array (C,), optional
        Scale and shift; without them 1 and 0.
    eps : float
        Added to the variance.

    Returns
    -------
    y : array of the shape of `x`
    m, v : array (C,)

    Raises
    ------
    ValueError, TypeError
        Fewer than 2 dimensions, no number in a channel, sizes that do not fit, mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> y, m, v = kernels.normalization.channel_forward(np.array([[1.0], [3.0]]), eps=0.0)
    >>> y.tolist(), m, v
    ([[-1.0], [1.0]], array([2.]), array([1.]))
    """
    _check_channels(x, {"w": w, "b": b})
    return x, w, b, float(eps)


@kernel
def channel_backward(dy: Any, x: Any, m: Any, v: Any, w: Any = None, eps: float = 1e-5) -> Any:
    """Return dx, dw and db, from the gradient with respect to y.

    Parameters
    ----------
    dy : array of the shape of `x`
    x, w, eps
        As given to `channel_forward`.
    m, v : array (C,)
        As it returned them.

    Returns
    -------
    dx : array of the shape of `x`
    dw, db : array (C,)

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x, one = np.array([[1.0], [3.0]]), np.ones(1)
    >>> dx, dw, db = kernels.normalization.channel_backward(np.array([[1.0], [0.0]]), x, 2 * one, one, eps=0.0)
    >>> dx.tolist(), dw, db
    ([[0.0], [0.0]], array([-1.]), array([1.]))
    """
    _check_channels(x, {"m": m, "v": v, "w": w})
    check_gradient(dy, x, "x")
    return dy, x, m, v, w, float(eps)


@kernel
def group_forward(x: Any, groups: int, w: Any = None, b: Any = None, eps: float = 1e-5) -> Any:
    """Return y, and the mean and the variance of each group of channels of each image.

    Parameters
    ----------
    x : array (N, C, ...), floating point
    groups : int
        Divides C.
    w, b : array (C,), optional
        Scale and shift; without them 1 and 0.
    eps : float

    Returns
    -------
    y : array of the shape of `x`
    m, v : array (N, groups)

    Raises
    ------
    ValueError, TypeError
        Fewer than 2 dimensions, groups of different sizes, sizes that do not fit, mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> y, m, v = kernels.normalization.group_forward(np.array([[1.0, 3.0, 10.0, 30.0]]), 2, eps=0.0)
    >>> y.tolist(), m.tolist(), v.tolist()
    ([[-1.0, 1.0, -1.0, 1.0]], [[2.0, 20.0]], [[1.0, 100.0]])
    """
    _check(x, {"w": w, "b": b}, 1, "channel")
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"groups must divide the channels of x {x.shape}, got {groups}")
    return x, int(groups), w, b, float(eps)


@kernel
def group_backward(dy: Any, x: Any, m: Any, v: Any, w: Any = None, eps: float = 1e-5) -> Any:
    """Return dx, dw and db, from the gradient with respect to y, what `group_forward` got, its m and v."""
    _check(x, {"w": w}, 1, "channel")
    for name, array in (("m", m), ("v", v)):
        check_array(array, name, 2)
        check_same_kind(x, "x", array, name)
        if array.shape[0] != x.shape[0] or not array.shape[1] or x.shape[1] % array.shape[1]:
            raise ValueError(f"{name} must have a number for each image and group of x {x.shape}, got {array.shape}")
    check_gradient(dy, x, "x")
    return dy, x, m, v, w, float(eps)


@kernel
def channel_scale(x: Any, m: Any = None, s: Any = None, b: Any = None) -> Any:
    """Return (x - m[c]) * s[c] + b[c]: a normalization by numbers that are known, or the scale and shift of another.

    Parameters
    ----------
    x : array (N, C, ...), floating point
    m, s, b : array (C,), optional
        Without them 0, 1 and 0.

    Returns
    -------
    array of the shape of `x`

    Raises
    ------
    ValueError, TypeError
        Fewer than 2 dimensions, sizes that do not fit, mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.normalization.channel_scale(np.array([[1.0, 3.0]]), np.array([1.0, 1.0]), np.array([5.0, 10.0]))
    array([[ 0., 20.]])
    """
    _check(x, {"m": m, "s": s, "b": b}, 1, "channel")
    return x, m, s, b


@kernel
def row_forward(x: Any, w: Any = None, b: Any = None, eps: float = 1e-5) -> Any:
    """Return y, and the mean and the variance of each row.

    Parameters
    ----------
    x : array (M, K), floating point
    w, b : array (K,), optional
        Scale and shift of each column; without them 1 and 0.
    eps : float

    Returns
    -------
    y : array (M, K)
    m, v : array (M,)

    Raises
    ------
    ValueError, TypeError
        As `channel_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> y, m, v = kernels.normalization.row_forward(np.array([[1.0, 3.0]]), eps=0.0)
    >>> y.tolist(), m, v
    ([[-1.0, 1.0]], array([2.]), array([1.]))
    """
    check_array(x, "x", 2)
    _check(x, {"w": w, "b": b}, 1, "column")
    return x, w, b, float(eps)


@kernel
def row_backward(dy: Any, x: Any, m: Any, v: Any, w: Any = None, eps: float = 1e-5) -> Any:
    """Return dx (M, K), dw and db (K,), from the gradient with respect to y, what `row_forward` got, its m and v."""
    check_array(x, "x", 2)
    _check(x, {"w": w}, 1, "column")
    _check(x, {"m": m, "v": v}, 0, "row")
    check_gradient(dy, x, "x")
    return dy, x, m, v, w, float(eps)


def _check(x: Any, arrays: dict[str, Any], axis: int, what: str) -> None:
    """Raise unless the arrays have a number for each channel, column or row: each index of an axis of x."""
    check_array(x, "x", 2, at_least=True)
    if x.dtype.kind != "f":
        raise TypeError(f"x must be floating point, got {x.dtype.name}")
    for name, array in arrays.items():
        if array is not None:
            check_array(array, name, 1)
            check_same_kind(x, "x", array, name)
            if array.shape[0] != x.shape[axis]:
                raise ValueError(f"{name} must have one number for each {what} of x {x.shape}, got {array.shape}")


def _check_channels(x: Any, arrays: dict[str, Any]) -> None:
    """The same of channels that have a mean: each has a number."""
    _check(x, arrays, 1, "channel")
    if x.size == 0 and x.shape[1] != 0:
        raise ValueError(f"every channel of x must have a number, got shape {x.shape}")
