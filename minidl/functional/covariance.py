"""Covariance: how variables go together; and correlation, which is free of their units."""

from __future__ import annotations

from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.choice import clip
from minidl.functional.diagonal import diagonal
from minidl.functional.elementwise import floating, sqrt
from minidl.functional.linear import matmul
from minidl.functional.operands import data_of
from minidl.functional.reduce import sum
from minidl.functional.shape import reshape, unsqueeze

__all__ = ["corrcoef", "cov"]


@tensor_method()
def cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """y[i, j] = sum_n w[n] * (x[i, n] - m[i]) * (x[j, n] - m[j]) / d, with m = sum_n w[n] * x[:, n] / sum_n w[n].

    Without weights w is 1 and d = N - `correction`: 1 estimates the covariance of what x samples, 0 is that of x.

    Source: the weights and their d are those of NumPy's cov: d = sum w - correction * sum(w * aweights) / sum w.

    Parameters
    ----------
    x : (D, N) or (N,)
        N observations of D variables: one variable a row, unlike the rows of a data set.
    fweights : (N,) integers, optional
        How often each observation was made.
    aweights : (N,) numbers, optional
        How much each observation counts. w is the product of both.

    Returns
    -------
    (D, D); a number for (N,) and (1, N)

    Raises
    ------
    ValueError, TypeError
        More than 2 axes; weights of another shape, below 0 or all 0, or fweights that are no integers.

    Examples
    --------
    >>> import minidl
    >>> minidl.cov(minidl.tensor([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]))
    tensor([[ 1., -2.],
            [-2.,  4.]])
    """
    if x.ndim > 2:
        raise ValueError(f"cov: x must be (D, N) or (N,), got shape {tuple(x.shape)}")
    x = floating(reshape(x, (1, -1)) if x.ndim < 2 else x)
    w, total, divisor = 1, x.shape[1], x.shape[1] - correction
    if fweights is not None or aweights is not None:
        w = _weights(x, fweights, aweights)
        total = sum(w)
        if not data_of(total):
            raise ValueError("cov: the weights must not all be 0")
        divisor = total - correction * (1 if aweights is None else sum(w * aweights) / total)
    d = x - unsqueeze(sum(x * w, 1), 1) / total
    y = matmul(d * w, d.T) / (divisor if data_of(divisor) > 0 else 0.0)
    return reshape(y, ()) if x.shape[0] == 1 else y


def _weights(x: Any, fweights: Any, aweights: Any) -> Any:
    """The product of both weights, in the dtype of x."""
    product: Any = 1
    for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "iuf")):
        if given is None:
            continue
        if given.dtype.kind not in kinds:
            wanted = "integers" if kinds == "iu" else "numbers"
            raise TypeError(f"cov: {name} must hold {wanted}, got {given.dtype}")
        if tuple(given.shape) != (x.shape[1],):
            raise ValueError(f"cov: {name} must be ({x.shape[1]},), one for each observation, got {tuple(given.shape)}")
        if (data_of(given) < 0).any():
            raise ValueError(f"cov: {name} must not be negative, got {data_of(given).min()}")
        product = product * (given if given.dtype == x.dtype else given.astype(x.dtype))
    return product


@tensor_method()
def corrcoef(x: Any) -> Any:
    """y[i, j] = c[i, j] / sqrt(c[i, i] * c[j, j]) with c the :func:`cov`: from -1 to 1, 1 on the diagonal.

    Parameters
    ----------
    x : (D, N) or (N,)
        N observations of D variables: one variable a row.

    Returns
    -------
    (D, D); a number for (N,) and (1, N); NaN for a variable that is constant

    Examples
    --------
    >>> import minidl
    >>> minidl.corrcoef(minidl.tensor([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if x.ndim > 2:
        raise ValueError(f"corrcoef: x must be (D, N) or (N,), got shape {tuple(x.shape)}")
    c = cov(x)
    if c.ndim == 0:
        return c / c
    size = sqrt(diagonal(c))
    return clip(c / unsqueeze(size, 1) / unsqueeze(size, 0), -1, 1)  # rounding may leave the range
