"""Embedding layer."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.autograd import no_grad
from minidl.nn import init
from minidl.nn.linear import new_parameter
from minidl.nn.module import Module


class Embedding(Module):
    """A table of `num_embeddings` vectors of `embedding_dim` numbers, looked up by number.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V and D; indices (...) become vectors (..., D).
    padding_idx : int, optional
        A row that starts as zeros and gets no gradient.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Embedding(10, 3)(minidl.tensor([[1, 2], [0, 9]])).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None):
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"padding_idx must be a row number below {num_embeddings}, got {padding_idx}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = new_parameter(num_embeddings, embedding_dim)
        init.normal_(self.weight)
        if padding_idx is not None:
            with no_grad():
                self.weight[padding_idx] = 0

    def forward(self, indices: Any) -> Any:
        return F.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
