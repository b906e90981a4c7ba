"""Attention: every query takes a weighted mean of the values, weighted by how well it matches their keys.

Source: Vaswani et al., Attention is all you need, 2017, equation 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.broadcast import broadcast_to, common_shape
from minidl.functional.choice import where
from minidl.functional.conversion import astype
from minidl.functional.dropout import Dropout, check_probability, dropout, new_key
from minidl.functional.entries import repeat_interleave
from minidl.functional.linear import matmul
from minidl.functional.operands import ErrorsNaming, data_of, namespace
from minidl.functional.shape import swapaxes
from minidl.functional.softmax import softmax

__all__ = ["attention_weights", "scaled_dot_product_attention"]

ARGUMENTS = ErrorsNaming(q="query", k="key", v="value", mask="attn_mask")


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """y[l] = sum_s p[l,s] * value[s], with p = softmax over s of (scale * query[l] . key[s] + mask[l,s]).

    Parameters
    ----------
    query : (..., L, E)
    key : (..., S, E)
    value : (..., S, V)
        The axes in front broadcast.
    attn_mask : broadcast to (..., L, S), optional
        Booleans: True where a query may see a key. Numbers: added to the scores; -inf hides a key.
    dropout_p : float
        The probability with which a weight is dropped; applied whenever it is above 0.
    is_causal : bool
        Query l sees the keys s <= l only; instead of `attn_mask`.
    scale : float, optional
        1 / sqrt(E) if left out.
    enable_gqa : bool
        Grouped queries: (..., H, L, E) reads a key and a value of fewer heads, (..., G, S, E) and (..., G, S, V), of
        which each serves the next H / G heads of the query.

    Returns
    -------
    (..., L, V)
        Zeros where all scores of a query are -inf, because it sees no key or because they overflowed; NaN where one
        overflowed to inf. So it is in PyTorch.

    Raises
    ------
    ValueError
        Sizes that do not fit, or both a mask and `is_causal`.
    TypeError
        Numbers that are not floating point, mixed dtypes, a mask of integers.

    Examples
    --------
    A query that matches both keys equally well gets the mean of the values:

    >>> import minidl, minidl.functional as F
    >>> query, key = minidl.tensor([[0.0, 0.0]]), minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> F.scaled_dot_product_attention(query, key, minidl.tensor([[1.0], [5.0]]))
    tensor([[3.]])
    """
    _check_query_and_key(query, key)
    if value.ndim < 2 or key.shape[-2] != value.shape[-2]:
        shapes = f"{tuple(key.shape)} and {tuple(value.shape)}"
        raise ValueError(f"key and value must be (..., S, E) and (..., S, V) with one S, got {shapes}")
    check_probability(dropout_p, "dropout_p")
    if enable_gqa:
        key, value = _for_every_head("key", key, query), _for_every_head("value", value, query)
    mask = _mask_for(attn_mask, is_causal, query.dtype)
    query, key, value = _with_equal_front(query, key, value, mask)
    if dropout_p == 1 or getattr(mask, "requires_grad", False):  # a mask that is learned has a gradient too
        p = attention_weights(query, key, mask, is_causal, scale)
        return matmul(dropout(p, dropout_p), value)
    attention = Attention(is_causal, scale, dropout_p, new_key() if dropout_p else 0)
    with ARGUMENTS:
        return attention(query, key, value, mask)


class Attention(Function):
    """y[l] = sum_s d[l,s] * v[s], with d = dropout(p), p = softmax(z), z[l,s] = scale * q[l] . k[s] + mask[l,s]."""

    def __init__(self, is_causal, scale, dropout_p, key):
        self.is_causal, self.scale, self.dropout_p, self.key = is_causal, scale, dropout_p, key

    def forward(self, q, k, v, mask):
        return kernels.attention.forward(q, k, v, mask, self.is_causal, self.scale, self.dropout_p, self.key)

    def backward(self, dy, inputs, output):
        if isinstance(dy, Tensor):
            return self._recorded(dy, *inputs)
        return *kernels.attention.backward(dy, *inputs, self.is_causal, self.scale, self.dropout_p, self.key), None

    def _recorded(self, dy, q, k, v, mask):
        """The rule in operations that are recorded themselves, for second derivatives."""
        scale = _default_scale(q) if self.scale is None else self.scale
        p = attention_weights(q, k, mask, self.is_causal, scale)
        # dv[s] = sum_l d[l,s] * dy[l];  dp[l,s] = dy[l] . v[s], and dropout
        dv, dp = matmul(swapaxes(self._drop(p), -2, -1), dy), self._drop(matmul(dy, swapaxes(v, -2, -1)))
        # dz[l,s] = p[l,s] * (dp[l,s] - sum_j dp[l,j] * p[l,j]), times scale
        dz = p * (dp - (dp * p).sum(-1, keepdims=True)) * scale
        # dq[l] = sum_s dz[l,s] * k[s];  dk[s] = sum_l dz[l,s] * q[l]
        return matmul(dz, k), matmul(swapaxes(dz, -2, -1), q), dv, None

    def _drop(self, p):
        return Dropout(self.dropout_p, self.key)(p) if self.dropout_p else p


def _for_every_head(name: str, x: Any, query: Any) -> Any:
    """x, a key or value of fewer heads, with a copy of each head for every head of the query that reads it."""
    heads, served = x.shape[-3] if x.ndim > 2 else 0, query.shape[-3] if query.ndim > 2 else 0
    if not heads or served % heads:
        raise ValueError(
            f"enable_gqa: the heads of query, axis -3 of {tuple(query.shape)}, must be a multiple of those of {name}, "
            f"got {tuple(x.shape)}"
        )
    return repeat_interleave(x, served // heads, -3)


def _with_equal_front(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """query, key and value broadcast to the same axes in front, for each of which p is dropped by itself."""
    front = [tuple(x.shape[:-2]) for x in (query, key, value)]
    if mask is not None and mask.ndim > 2:
        front.append(tuple(mask.shape[:-2]))
    if len(set(front)) == 1:
        return query, key, value
    try:
        joint = np.broadcast_shapes(*front)
    except ValueError:
        raise ValueError(
            f"the axes in front of query, key, value{', attn_mask' * (len(front) > 3)} must broadcast, got {front}"
        ) from None
    return [broadcast_to(x, (*joint, *x.shape[-2:])) for x in (query, key, value)]


def attention_weights(
    query: Any, key: Any, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None
) -> Any:
    """p[l,s] = softmax over s of (scale * query[l] . key[s] + mask[l,s]): how much query l takes from value s.

    The parameters are those of :func:`scaled_dot_product_attention`.

    Returns
    -------
    (..., L, S)
        Zeros where all scores of a query are -inf.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> F.attention_weights(x, x, is_causal=True)
    tensor([[1.    , 0.    ],
            [0.3302, 0.6698]])
    """
    _check_query_and_key(query, key)
    scale = _default_scale(query) if scale is None else scale
    # scores[l,s] = scale * query[l] . key[s]
    scores = matmul(query * scale, swapaxes(key, -2, -1))  # (..., L, S)
    mask = _mask_for(attn_mask, is_causal, scores.dtype)
    if is_causal:
        mask = namespace(scores).tri(*scores.shape[-2:], dtype=np.bool_)
    if mask is not None:
        common_shape("attention_weights", scores=scores, attn_mask=mask)
        scores = where(mask, scores, -math.inf) if mask.dtype == np.bool_ else scores + mask
    # a query that sees no key, or whose scores all overflowed to -inf: softmax would turn them into 0/0
    blind = (data_of(scores) == -math.inf).all(-1, keepdims=True)  # (..., L, 1)
    if isinstance(blind, np.ndarray) and not blind.any():  # for a GPU's answer the host would have to wait
        return softmax(scores, -1)
    return where(blind, 0.0, softmax(where(blind, 0.0, scores), -1))


def _default_scale(query: Any) -> float:
    return 1 / math.sqrt(max(1, query.shape[-1]))  # with E = 0 all scores are 0


def _check_query_and_key(query: Any, key: Any) -> None:
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        shapes = f"{tuple(query.shape)} and {tuple(key.shape)}"
        raise ValueError(f"query and key must be (..., L, E) and (..., S, E) with one E, got {shapes}")


def _mask_for(attn_mask: Any, is_causal: bool, dtype: np.dtype) -> Any:
    """`attn_mask`, if it is one, and its numbers in the dtype of the scores."""
    if attn_mask is None:
        return None
    if is_causal:
        raise ValueError("give either attn_mask or is_causal=True, not both")
    if not hasattr(attn_mask, "dtype"):
        raise TypeError(f"attn_mask must be a Tensor or an array, got {type(attn_mask).__name__}")
    if attn_mask.dtype.kind not in "bf":
        raise TypeError(
            "attn_mask must be bool, True where a query sees a key, or floating point, which is added to the scores; "
            f"got {attn_mask.dtype}"
        )
    return attn_mask if attn_mask.dtype in (np.bool_, dtype) else astype(attn_mask, dtype)
