"""Embedding: a table of vectors, looked up by index, one by one or as the mean or sum of a bag of them."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Tensor
from minidl.functional.along_axis import check_positions
from minidl.functional.choice import where
from minidl.functional.indexing import add_at, index
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import sum

__all__ = ["embedding", "embedding_bag"]


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
    check_positions(positions, "indices", weight.shape[0])
    y = index(weight, positions)
    if padding_idx is None:
        return y
    fixed = y.detach() if isinstance(y, Tensor) else y
    return where((positions == padding_idx % weight.shape[0])[..., None], fixed, y)


def embedding_bag(indices: Any, weight: Any, offsets: Any = None, mode: str = "mean") -> Any:
    """y[b, :] = the mean (or the sum) of weight[i, :] over the indices i in bag b; an empty bag gives 0.

    Source: Joulin et al., Bag of tricks for efficient text classification, 2016 (a text is the mean of its words).

    Parameters
    ----------
    indices : integers (B, L), or (n,) with `offsets`
        From 0 to V - 1. Each row is a bag; with `offsets`, all bags one after the other.
    weight : (V, D)
    offsets : integers (B,), optional
        Where each bag begins, the first at 0; the last bag ends where the indices do.
    mode : {"mean", "sum"}

    Returns
    -------
    (B, D)

    Raises
    ------
    ValueError, TypeError, IndexError
        Shapes that do not fit, offsets that go back or beyond the indices, an index out of range.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> weight = minidl.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> F.embedding_bag(minidl.tensor([0, 1, 2]), weight, offsets=minidl.tensor([0, 2]))
    tensor([[2., 3.],
            [5., 6.]])
    """
    if mode not in ("mean", "sum"):
        raise ValueError(f"mode must be 'mean' or 'sum', got {mode!r}")
    if indices.ndim != (2 if offsets is None else 1):
        raise ValueError(
            f"embedding_bag: indices must be (B, L), or (n,) with offsets, got shape {tuple(indices.shape)} and "
            f"{'no offsets' if offsets is None else 'offsets'}"
        )
    rows = embedding(indices, weight)
    if offsets is None:
        return sum(rows, 1) / max(1, rows.shape[1]) if mode == "mean" else sum(rows, 1)
    starts, n = data_of(offsets), len(rows)
    if starts.dtype.kind not in "iu" or starts.ndim != 1:
        raise TypeError(f"offsets must be integers (B,), got {starts.dtype} of shape {tuple(starts.shape)}")
    if len(starts) and (int(starts[0]) != 0 or (starts[1:] < starts[:-1]).any() or int(starts[-1]) > n):
        raise ValueError(f"offsets must begin with 0 and rise up to {n}, the number of indices, got {starts}")
    xp = namespace(starts)
    ends = xp.concatenate((starts[1:], xp.full((1,), n, starts.dtype)))
    bags = xp.searchsorted(starts, xp.arange(n), side="right") - 1  # (n,)
    # y[b] = sum over the i with bags[i] = b of weight[indices[i]]; for "mean" divided by their number
    y = add_at(rows, bags, (len(starts), weight.shape[1]))
    return y / xp.maximum(ends - starts, 1).astype(y.dtype)[:, None] if mode == "mean" else y
