"""The Transformer's decoder, which writes one sequence while it reads another; and encoder and decoder in one."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from minidl.autograd import Tensor
from minidl.functional import full
from minidl.nn import init
from minidl.nn.attention import MultiheadAttention
from minidl.nn.container import ModuleList
from minidl.nn.dropout import Dropout
from minidl.nn.linear import Linear
from minidl.nn.module import Module
from minidl.nn.norm import LayerNorm
from minidl.nn.transformer import TransformerEncoder, TransformerEncoderLayer, activation_of


class TransformerDecoderLayer(Module):
    """Attention of a sequence to itself, then to another (memory), then two dense layers; each is added and normalized.

    x = norm1(x + attention(x)); x = norm2(x + attention(x, memory)); x = norm3(x + linear2(activation(linear1(x))))

    The parameters are those of :class:`TransformerEncoderLayer`; with `norm_first` the input of each part is normalized
    instead.

    Notes
    -----
    Source: Vaswani et al., Attention is all you need, 2017, 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> layer = nn.TransformerDecoderLayer(16, 4, dim_feedforward=32, batch_first=True)
    >>> layer(np.zeros((2, 5, 16), "float32"), np.zeros((2, 7, 16), "float32"), tgt_is_causal=True).shape
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
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm_first = norm_first
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model, layer_norm_eps, bias=bias) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (Dropout(dropout) for _ in range(3))
        self.activation = activation_of(activation)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """y (L, N, E) of tgt (L, N, E), with attention to memory (S, N, E).

        The masks are those of :class:`MultiheadAttention`: of tgt to itself, and of tgt to memory.
        """

        def attend(x: Any) -> Any:
            masks = {"key_padding_mask": tgt_key_padding_mask, "attn_mask": tgt_mask, "is_causal": tgt_is_causal}
            return self.dropout1(self.self_attn(x, x, x, need_weights=False, **masks)[0])

        def attend_to_memory(x: Any) -> Any:
            masks = {
                "key_padding_mask": memory_key_padding_mask, "attn_mask": memory_mask, "is_causal": memory_is_causal,
            }  # fmt: skip
            return self.dropout2(self.multihead_attn(x, memory, memory, need_weights=False, **masks)[0])

        def feed_forward(x: Any) -> Any:
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        x = tgt
        for part, norm in ((attend, self.norm1), (attend_to_memory, self.norm2), (feed_forward, self.norm3)):
            x = x + part(norm(x)) if self.norm_first else norm(x + part(x))
        return x


class TransformerDecoder(Module):
    """A stack of copies of a decoder layer, all with the same memory.

    Parameters
    ----------
    decoder_layer : TransformerDecoderLayer
        Copied with its weights; each copy is then trained by itself.
    num_layers : int
    norm : Module, optional
        Applied at the end.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 32), num_layers=2)
    >>> decoder(minidl.zeros(5, 2, 16), minidl.zeros(7, 2, 16)).shape
    (5, 2, 16)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__()
        self.layers = ModuleList(deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def forward(self, tgt: Any, memory: Any, *masks: Any, **options: Any) -> Any:
        """y (L, N, E) of tgt and memory; the masks are those of :meth:`TransformerDecoderLayer.forward`."""
        x = tgt
        for layer in self.layers:
            x = layer(x, memory, *masks, **options)
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """An encoder that reads src, and a decoder that computes tgt from what the encoder made of it.

    y = norm(decoder(tgt, norm(encoder(src))))

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        Of each layer, see :class:`TransformerEncoderLayer`.
    num_encoder_layers, num_decoder_layers : int

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> model = nn.Transformer(16, 4, 1, 1, dim_feedforward=32)
    >>> model(np.zeros((7, 2, 16), "float32"), np.zeros((5, 2, 16), "float32"), tgt_is_causal=True).shape
    (5, 2, 16)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        *,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ):
        super().__init__()
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        norms = (LayerNorm(d_model, layer_norm_eps, bias=bias) for _ in range(2))
        self.encoder = TransformerEncoder(TransformerEncoderLayer(*sizes), num_encoder_layers, next(norms))
        self.decoder = TransformerDecoder(TransformerDecoderLayer(*sizes), num_decoder_layers, next(norms))
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """y (L, N, E) of src (S, N, E) and tgt (L, N, E); the masks are those of the encoder and the decoder."""
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: str | None = None, dtype: Any = None) -> Tensor:
        """The causal mask (sz, sz): 0 where s <= l, -inf where s > l; in float32 unless `dtype` says otherwise."""
        return full((sz, sz), -math.inf, dtype=dtype, device=device).triu(1)
