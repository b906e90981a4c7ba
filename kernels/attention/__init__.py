"""Attention: for each query, the mean of the values, weighted by how well their keys match it.

    z[l, s] = scale * sum_e q[l, e] * k[s, e]           plus mask[l, s], if that is a number
    p[l, s] = e^z[l, s] / sum_j e^z[l, j]               over the keys that query l may see; 0 if all z[l] are -inf
    y[l, c] = sum_s d[l, s] * v[s, c]                   d = dropout(p), or p itself

Backward, from dy:

    dv[s, c] = sum_l d[l, s] * dy[l, c]
    dp[l, s] = sum_c dy[l, c] * v[s, c]                 and dropout with the same random numbers
    dz[l, s] = p[l, s] * (dp[l, s] - sum_j dp[l, j] * p[l, j])
    dq[l, e] = scale * sum_s dz[l, s] * k[s, e]
    dk[s, e] = scale * sum_l dz[l, s] * q[l, e]

p is not kept for backward, but computed again: of all arrays, it alone has L * S numbers, for L queries and S keys.

Sources: Vaswani et al., Attention is all you need, 2017, equation 1; Dao et al., FlashAttention, 2022, for computing p
twice instead of keeping it.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from ..arrays import check_array, check_same_kind
from ..registry import kernel


@kernel
def forward(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    dropout_key: int = 0,
) -> Any:
    """Return y[l] = sum_s d[l, s] * v[s].

    Parameters
    ----------
    q : array (..., L, E), floating point
    k : array (..., S, E)
    v : array (..., S, C)
        The axes in front are those of `q`.
    mask : array that broadcasts to (..., L, S), optional
        Booleans: True where a query may see a key. Numbers, of the dtype of `q`: added to z; -inf hides a key.
    is_causal : bool
        Query l sees the keys s <= l only; instead of `mask`.
    scale : float, optional
        1 / sqrt(E) if left out; of no importance where E is 0, as all scores are 0 there.
    dropout_p : float
        The probability, from 0 up to 1, with which a weight is dropped.
    dropout_key : int
        From 0 to 2^64 - 1, which random numbers: d is ``kernels.dropout.forward(p, dropout_p, dropout_key)``.

    Returns
    -------
    array (..., L, C)
        Zeros for a query whose scores z are all -inf, because it sees no key or because they overflowed; NaN where one
        overflowed to inf. So it is in PyTorch.

    Raises
    ------
    ValueError
        Shapes that do not belong together, a mask and `is_causal`, `dropout_p` or `dropout_key` out of range.
    TypeError
        Mixed dtypes; a mask of integers.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> q, k = np.array([[0.0, 0.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> kernels.attention.forward(q, k, np.array([[1.0], [5.0]]))
    array([[3.]])
    """
    return _check(q, k, v, mask, is_causal, scale, dropout_p, dropout_key)


@kernel
def backward(
    dy: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    dropout_key: int = 0,
) -> Any:
    """Return (dq, dk, dv), the gradients of `forward`, whose other arguments are those here.

    Parameters
    ----------
    dy : array (..., L, C)

    Returns
    -------
    dq, dk, dv : arrays of the shapes of q, k and v

    Raises
    ------
    ValueError, TypeError
        As `forward`; a `dy` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> one = np.ones((1, 1))
    >>> [float(gradient[0, 0]) for gradient in kernels.attention.backward(2 * one, one, one, one)]
    [0.0, 0.0, 2.0]
    """
    arguments = _check(q, k, v, mask, is_causal, scale, dropout_p, dropout_key)
    check_array(dy, "dy", 2, at_least=True)
    check_same_kind(q, "q", dy, "dy")
    if dy.shape != (*q.shape[:-1], v.shape[-1]):
        raise ValueError(f"dy must have shape {(*q.shape[:-1], v.shape[-1])}, got {dy.shape}")
    return dy, *arguments


def _check(
    q: Any, k: Any, v: Any, mask: Any, is_causal: bool, scale: float | None, dropout_p: float, dropout_key: int
) -> tuple:
    for x, name in (q, "q"), (k, "k"), (v, "v"):
        check_array(x, name, 2, at_least=True)
        check_same_kind(q, "q", x, name)
    if q.dtype.kind != "f" or not q.dtype.isnative:
        raise TypeError(f"q, k and v must be floating point, in the machine's byte order, got {q.dtype}")
    if k.shape[:-2] != q.shape[:-2] or v.shape[:-1] != k.shape[:-1] or q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"q, k and v must be (..., L, E), (..., S, E) and (..., S, C), got {q.shape}, {k.shape} and {v.shape}"
        )
    if mask is not None:
        _check_mask(mask, is_causal, q, (*q.shape[:-1], k.shape[-2]))
    if not 0 <= dropout_p < 1:
        raise ValueError(f"dropout_p must be from 0 up to 1, got {dropout_p}")
    if not 0 <= dropout_key < 2**64:
        raise ValueError(f"dropout_key must be from 0 to 2**64 - 1, got {dropout_key}")
    if scale is not None and not isinstance(scale, numbers.Real):
        raise TypeError(f"scale must be a number, got {scale!r}")
    scale = 1 / math.sqrt(max(1, q.shape[-1])) if scale is None else float(scale)
    return q, k, v, mask, bool(is_causal), scale, float(dropout_p), int(dropout_key)


def _check_mask(mask: Any, is_causal: bool, q: Any, shape: tuple[int, ...]) -> None:
    check_array(mask, "mask", 0, at_least=True)
    if is_causal:
        raise ValueError("give either mask or is_causal=True, not both")
    if mask.dtype.kind != "b":
        check_same_kind(q, "q", mask, "mask")
    fits = mask.ndim <= len(shape) and all(n in (1, m) for n, m in zip(reversed(mask.shape), reversed(shape)))
    if not fits:
        raise ValueError(f"mask must broadcast to (..., L, S) = {shape}, got {mask.shape}")
