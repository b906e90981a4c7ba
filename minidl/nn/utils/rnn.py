"""Sequences of different lengths in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl.functional import pad, stack


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Sequences (T_i, ...) padded to the length T of the longest and stacked: (T, N, ...); `batch_first`, (N, T, ...).

    Parameters
    ----------
    sequences : list of N Tensors
    padding_value : float
        What shorter sequences are padded with.
    padding_side : {"right", "left"}
        After the sequence, or before it.

    Examples
    --------
    >>> import minidl
    >>> from minidl.nn.utils.rnn import pad_sequence
    >>> pad_sequence([minidl.tensor([1, 2, 3]), minidl.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    sequences = list(sequences)
    if not sequences or any(getattr(x, "ndim", 0) < 1 for x in sequences):
        raise ValueError(f"sequences must hold tensors (T, ...), got {[getattr(x, 'shape', x) for x in sequences]}")
    if padding_side not in ("right", "left"):
        raise ValueError(f"padding_side must be 'right' or 'left', got {padding_side!r}")
    longest = max(len(x) for x in sequences)
    borders = [(0, longest - len(x)) if padding_side == "right" else (longest - len(x), 0) for x in sequences]
    padded = [pad(x, (0, 0) * (x.ndim - 1) + border, value=padding_value) for x, border in zip(sequences, borders)]
    return stack(padded, 0 if batch_first else 1)
