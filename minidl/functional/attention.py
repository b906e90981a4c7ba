"""Attention: every query takes a weighted mean of the values, weighted by how well it matches their keys.

Source: Vaswani et al., Attention is all you need, 2017, equation 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.functional.activation import softmax
from minidl.functional.choice import where
from minidl.functional.conversion import astype
from minidl.functional.dropout import dropout
from minidl.functional.linear import matmul
from minidl.functional.operands import data_of, namespace
from minidl.functional.shape import swapaxes

__all__ = ["attention_weights", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
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

    Returns
    -------
    (..., L, V)
        Zeros where a query sees no key.

    Raises
    ------
    ValueError
        Sizes that do not fit, or both a mask and `is_causal`.

    Examples
    --------
    A query that matches both keys equally well gets the mean of the values:

    >>> import minidl, minidl.functional as F
    >>> query, key = minidl.tensor([[0.0, 0.0]]), minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> F.scaled_dot_product_attention(query, key, minidl.tensor([[1.0], [5.0]]))
    tensor([[3.]])
    """
    if key.shape[-2] != value.shape[-2]:
        shapes = f"{tuple(key.shape)} and {tuple(value.shape)}"
        raise ValueError(f"key and value must be (..., S, E) and (..., S, V) with one S, got {shapes}")
    p = attention_weights(query, key, attn_mask, is_causal, scale)
    # y[l] = sum_s p[l,s] * value[s]
    return matmul(dropout(p, dropout_p), value)


def attention_weights(
    query: Any, key: Any, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None
) -> Any:
    """p[l,s] = softmax over s of (scale * query[l] . key[s] + mask[l,s]): how much query l takes from value s.

    The parameters are those of :func:`scaled_dot_product_attention`.

    Returns
    -------
    (..., L, S)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> F.attention_weights(x, x, is_causal=True)
    tensor([[1.    , 0.    ],
            [0.3302, 0.6698]])
    """
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        shapes = f"{tuple(query.shape)} and {tuple(key.shape)}"
        raise ValueError(f"query and key must be (..., L, E) and (..., S, E) with one E, got {shapes}")
    if attn_mask is not None and is_causal:
        raise ValueError("give either attn_mask or is_causal=True, not both")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    # scores[l,s] = scale * query[l] . key[s]
    scores = matmul(query * scale, swapaxes(key, -2, -1))  # (..., L, S)
    if attn_mask is None and not is_causal:
        return softmax(scores, -1)
    if is_causal:
        attn_mask = namespace(scores).tri(*scores.shape[-2:], dtype=np.bool_)
    kind = data_of(attn_mask).dtype.kind
    if kind not in "bf":
        raise TypeError(
            "attn_mask must be bool, True where a query sees a key, or floating point, which is added to the scores; "
            f"got {data_of(attn_mask).dtype}"
        )
    if kind == "b":
        scores = where(attn_mask, scores, -math.inf)
    else:
        scores = scores + astype(attn_mask, scores.dtype)
    # a query that sees no key: its scores are all -inf, which softmax would turn into 0/0
    blind = (data_of(scores) == -math.inf).all(-1, keepdims=True)  # (..., L, 1)
    if isinstance(blind, np.ndarray) and not blind.any():  # for a GPU's answer the host would have to wait
        return softmax(scores, -1)
    return where(blind, 0.0, softmax(where(blind, 0.0, scores), -1))
