"""Multi-head attention; attention itself is in :mod:`minidl.functional.attention`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.autograd import Tensor
from minidl.kernels import array_module
from minidl.nn import init
from minidl.nn.linear import Linear, new_parameter
from minidl.nn.module import Module


class MultiheadAttention(Module):
    """Attention in several subspaces at once, each with projections of its own.

    head_i = attention(query Wq_i^T, key Wk_i^T, value Wv_i^T);  y = concatenate(heads) W_out^T

    Parameters
    ----------
    embed_dim : int
        E, the size of a query and of an output.
    num_heads : int
        Must divide E; each head works with vectors of size E / num_heads.
    dropout : float
        The probability with which an attention weight is dropped in training.
    bias : bool
    kdim, vdim : int, optional
        The sizes of a key and of a value; E if not given.
    batch_first : bool
        Inputs and outputs are (N, L, E) instead of (L, N, E).

    Notes
    -----
    ``y, weights = attention(query, key, value)``. As in PyTorch, and unlike
    :func:`minidl.functional.scaled_dot_product_attention`, True in a boolean mask hides a key.
    Source: Vaswani et al., Attention is all you need, 2017, 3.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> x = np.zeros((2, 5, 16), "float32")
    >>> y, weights = nn.MultiheadAttention(16, 4, batch_first=True)(x, x, x)
    >>> y.shape, weights.shape
    ((2, 5, 16), (2, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ):
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, got {num_heads} and {embed_dim}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be a probability from 0 to 1, got {dropout}")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = new_parameter(3 * embed_dim, embed_dim)  # the rows of Wq, Wk and Wv
        else:
            self.q_proj_weight = new_parameter(embed_dim, embed_dim)
            self.k_proj_weight = new_parameter(embed_dim, self.kdim)
            self.v_proj_weight = new_parameter(embed_dim, self.vdim)
        self.register_parameter("in_proj_bias", new_parameter(3 * embed_dim) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for name, parameter in self.named_parameters(recurse=False):
            if name.endswith("weight"):
                init.xavier_uniform_(parameter)
            else:
                init.zeros_(parameter)
        self.out_proj.reset_parameters()
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """The output and, with `need_weights`, the attention weights.

        Parameters
        ----------
        query : (L, N, E)
        key : (S, N, kdim)
        value : (S, N, vdim)
            (N, ...) first with ``batch_first``; without the N axis for a single sequence.
        key_padding_mask : (N, S), optional
            Booleans: True for a key that is padding. Numbers: added to the scores.
        need_weights : bool
            Also give the weights.
        attn_mask : (L, S) or (N * num_heads, L, S), optional
            Booleans: True where a query must not see a key. Numbers: added to the scores.
        average_attn_weights : bool
            Give the mean of the heads' weights.
        is_causal : bool
            Query l sees the keys s <= l only.

        Returns
        -------
        y : (L, N, E)
        weights : (N, L, S), or (N, num_heads, L, S) without `average_attn_weights`; None without `need_weights`
        """
        batched = query.ndim == 3
        self._check(query, key, value)
        same = query is key and key is value
        if not batched:
            query, key, value = (F.unsqueeze(x, 0) for x in (query, key, value))
            key_padding_mask = (
                None if key_padding_mask is None else F.unsqueeze(_mask(key_padding_mask, "key_padding_mask"), 0)
            )
        elif not self.batch_first:
            query, key, value = (F.swapaxes(x, 0, 1) for x in (query, key, value))
        q, k, v = (self._split_heads(x) for x in self._project(query, key, value, same))  # (N, heads, L or S, E/heads)
        dropout, weights = self.dropout if self.training else 0.0, None
        only_causal = is_causal and key_padding_mask is None and attn_mask is None
        mask = None if only_causal else self._joint_mask(q, k, key_padding_mask, attn_mask, is_causal)
        if need_weights:
            p = F.dropout(F.attention_weights(q, k, mask, only_causal), dropout)  # (N, heads, L, S)
            weights = p.mean(1) if average_attn_weights else p
            heads = F.matmul(p, v)  # (N, heads, L, E/heads)
        else:
            heads = F.scaled_dot_product_attention(q, k, v, mask, dropout, only_causal)
        heads = F.swapaxes(heads, 1, 2)  # (N, L, heads, E/heads)
        y = self.out_proj(F.reshape(heads, (*heads.shape[:2], self.embed_dim)))  # (N, L, E)
        if not batched:
            return y.squeeze(0), None if weights is None else weights.squeeze(0)
        return y if self.batch_first else F.swapaxes(y, 0, 1), weights

    def _check(self, query: Any, key: Any, value: Any) -> None:
        sizes = (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim))
        for name, x, size in sizes:
            if x.ndim not in (2, 3) or x.ndim != query.ndim or x.shape[-1] != size:
                layout = "(N, L, E)" if self.batch_first else "(L, N, E)"
                got = f"{tuple(x.shape)}" if x is query else f"{tuple(x.shape)} beside query {tuple(query.shape)}"
                raise ValueError(f"{name} must be {layout}, or (L, E) for one sequence, with E = {size}, got {got}")
        if key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"key and value must be equally long, got {tuple(key.shape)} and {tuple(value.shape)}")

    def _project(self, query: Any, key: Any, value: Any, same: bool) -> Any:
        """query Wq^T + bq, key Wk^T + bk, value Wv^T + bv; a single product where all three are the same tensor."""
        if "in_proj_weight" in self._parameters:
            if same:
                return F.chunk(F.linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
            weights = F.chunk(self.in_proj_weight, 3)
        else:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        biases = (None,) * 3 if self.in_proj_bias is None else F.chunk(self.in_proj_bias, 3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]

    def _split_heads(self, x: Any) -> Any:
        """(N, L, E) -> (N, heads, L, E/heads)"""
        return F.swapaxes(F.reshape(x, (*x.shape[:2], self.num_heads, x.shape[2] // self.num_heads)), 1, 2)

    def _joint_mask(self, q: Any, k: Any, key_padding_mask: Any, attn_mask: Any, is_causal: bool) -> Any:
        """All masks as one: booleans, True for a visible key, if all are boolean; else numbers to add to the scores."""
        batch, heads, queries, keys = *q.shape[:3], k.shape[2]
        masks = []
        if key_padding_mask is not None:
            mask = _mask(key_padding_mask, "key_padding_mask")
            if mask.shape != (batch, keys):
                raise ValueError(f"key_padding_mask must be (N, S) = {(batch, keys)}, got {mask.shape}")
            masks.append(F.reshape(mask, (batch, 1, 1, keys)))
        if attn_mask is not None:
            mask = _mask(attn_mask, "attn_mask")
            if mask.shape not in ((queries, keys), (batch * heads, queries, keys)):
                raise ValueError(
                    f"attn_mask must be (L, S) = {(queries, keys)} or (N * num_heads, L, S), got {mask.shape}"
                )
            masks.append(mask if mask.ndim == 2 else F.reshape(mask, (batch, heads, queries, keys)))
        if is_causal:
            masks.append(Tensor(~array_module(q.data).tri(queries, keys, dtype=np.bool_)))
        if not masks:
            return None
        if all(mask.dtype == np.bool_ for mask in masks):
            return F.logical_not(functools.reduce(F.logical_or, masks))
        # True hides a key: -inf is added to its score
        hide, show = q.dtype.type(-np.inf), q.dtype.type(0)
        return sum(F.where(mask, hide, show) if mask.dtype == np.bool_ else mask for mask in masks)

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, num_heads={self.num_heads}"


def _mask(mask: Any, name: str) -> Tensor:
    mask = mask if isinstance(mask, Tensor) else Tensor(mask)
    if mask.dtype.kind not in "bf":
        raise TypeError(
            f"{name} must be bool, True where a key is hidden, or floating point, which is added to the scores; "
            f"got {mask.dtype}"
        )
    return mask
