"""Embedding layers."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.autograd import no_grad
from minidl.nn import init
from minidl.nn.linear import new_parameter
from minidl.nn.module import Module
from minidl.nn.parameter import Parameter


def _row(padding_idx: int, num_embeddings: int) -> int:
    """The number of a row, counted from 0."""
    if not -num_embeddings <= padding_idx < num_embeddings:
        raise ValueError(f"padding_idx must be a row number below {num_embeddings}, got {padding_idx}")
    return padding_idx % num_embeddings


class Embedding(Module):
    """A table of `num_embeddings` vectors of size `embedding_dim`, looked up by index.

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
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else _row(padding_idx, num_embeddings)
        self.weight = new_parameter(num_embeddings, embedding_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values; the row of `padding_idx` is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A layer whose weights are these vectors (V, D), in the same memory; not trained unless `freeze` is False.

        Examples
        --------
        >>> import minidl
        >>> from minidl import nn
        >>> vectors = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> nn.Embedding.from_pretrained(vectors)(minidl.tensor([1]))
        tensor([[3., 4.]])
        """
        if embeddings.ndim != 2:
            raise ValueError(f"embeddings must be (V, D), got shape {tuple(embeddings.shape)}")
        layer = cls(0, embeddings.shape[1])
        layer.num_embeddings, layer.weight = len(embeddings), Parameter(embeddings, requires_grad=not freeze)
        layer.padding_idx = None if padding_idx is None else _row(padding_idx, len(embeddings))
        return layer

    def forward(self, indices: Any) -> Any:
        return F.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class EmbeddingBag(Module):
    """The mean (or the sum) of vectors looked up by index; see :func:`minidl.functional.embedding_bag`.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V and D; bags of indices, (B, L) or (n,) with `offsets` (B,), become vectors (B, D).
    mode : {"mean", "sum"}

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.EmbeddingBag(10, 3)(minidl.tensor([1, 2, 0, 9]), minidl.tensor([0, 3])).shape
    (2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, mode: str = "mean"):
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.mode = num_embeddings, embedding_dim, mode
        self.weight = new_parameter(num_embeddings, embedding_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)

    def forward(self, indices: Any, offsets: Any = None) -> Any:
        return F.embedding_bag(indices, self.weight, offsets, self.mode)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}"
