"""The Transformer's encoder: attention and dense layers in turns. The decoder is in transformer_decoder.py."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from minidl import functional as F
from minidl.nn.attention import MultiheadAttention
from minidl.nn.container import ModuleList
from minidl.nn.dropout import Dropout
from minidl.nn.linear import Linear
from minidl.nn.module import Module
from minidl.nn.norm import LayerNorm


class TransformerEncoderLayer(Module):
    """Attention of a sequence to itself, then two dense layers; each part is added to its input and normalized.

    x = norm1(x + attention(x)); x = norm2(x + linear2(activation(linear1(x))))
    With `norm_first`: x = x + attention(norm1(x)); x = x + linear2(activation(linear1(norm2(x)))).

    Parameters
    ----------
    d_model : int
        E, the size of each element of the sequence.
    nhead : int
        Heads; must divide E.
    dim_feedforward : int
        The size between the two dense layers.
    dropout : float
        The probability of dropout in training: of attention weights, between the dense layers, and of what each part
        adds.
    activation : {"relu", "gelu"} or function
    layer_norm_eps : float
    batch_first : bool
        Inputs and outputs are (N, L, E) instead of (L, N, E).
    norm_first : bool
    bias : bool

    Notes
    -----
    Sources: Vaswani et al., Attention is all you need, 2017, 3.1; Xiong et al., On layer normalization in the
    Transformer architecture, 2020, for `norm_first`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> layer = nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, batch_first=True)
    >>> layer(np.zeros((2, 5, 16), "float32")).shape
    (2, 5, 16)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ):
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation_of(activation)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """y (L, N, E) of src (L, N, E); the masks are those of :class:`MultiheadAttention`."""
        x, masks = src, (src_mask, src_key_padding_mask, is_causal)
        if self.norm_first:
            x = x + self._attend(self.norm1(x), *masks)
            return x + self._feed_forward(self.norm2(x))
        x = self.norm1(x + self._attend(x, *masks))
        return self.norm2(x + self._feed_forward(x))

    def _attend(self, x: Any, mask: Any, key_padding_mask: Any, is_causal: bool) -> Any:
        y, _ = self.self_attn(x, x, x, key_padding_mask, need_weights=False, attn_mask=mask, is_causal=is_causal)
        return self.dropout1(y)

    def _feed_forward(self, x: Any) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


def activation_of(activation: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function that "relu" or "gelu" names; a function as it is."""
    if isinstance(activation, str) and activation not in ("relu", "gelu"):
        raise ValueError(f"activation must be 'relu', 'gelu' or a function, got {activation!r}")
    return getattr(F, activation) if isinstance(activation, str) else activation


class TransformerEncoder(Module):
    """A stack of copies of an encoder layer.

    Parameters
    ----------
    encoder_layer : TransformerEncoderLayer
        Copied with its weights; each copy is then trained by itself.
    num_layers : int
    norm : Module, optional
        Applied at the end.
    enable_nested_tensor : bool
        Has no effect.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32), num_layers=2)
    >>> encoder(np.zeros((5, 2, 16), "float32"), is_causal=True).shape
    (5, 2, 16)
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True
    ):
        super().__init__()
        self.layers = ModuleList(deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """y (L, N, E) of src (L, N, E); the masks are those of :class:`MultiheadAttention`."""
        x = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)
