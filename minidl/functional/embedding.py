"""Embedding: a table of vectors, looked up by number."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Tensor
from minidl.functional.choice import where
from minidl.functional.indexing import index
from minidl.functional.operands import data_of

__all__ = ["embedding"]


def embedding(indices: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """y[..., :] = weight[indices[...], :]; the row `padding_idx` gets no gradient.

    Parameters
    ----------
    indices : integers (...)
        From 0 to V - 1.
    weight : (V, D)

    Returns
    -------
    (..., D)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.embedding(minidl.tensor([1, 0, 1]), minidl.tensor([[0.1, 0.2], [0.3, 0.4]]))
    tensor([[0.3, 0.4],
            [0.1, 0.2],
            [0.3, 0.4]])
    """
    positions = data_of(indices)
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight must be (V, D), got shape {tuple(weight.shape)}")
    if padding_idx is not None and not -weight.shape[0] <= padding_idx < weight.shape[0]:
        raise ValueError(f"padding_idx must be a row of weight {tuple(weight.shape)}, got {padding_idx}")
    if positions.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {positions.dtype}")
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= weight.shape[0]):
        raise IndexError(f"indices must be from 0 to {weight.shape[0] - 1}, got {positions.min()} to {positions.max()}")
    y = index(weight, positions)
    if padding_idx is None:
        return y
    fixed = y.detach() if isinstance(y, Tensor) else y
    return where((positions == padding_idx % weight.shape[0])[..., None], fixed, y)
