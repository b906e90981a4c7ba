"""Sequences of different lengths in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minidl.autograd import Tensor
from minidl.functional import as_tensor, index_put, index_select, pad, stack

__all__ = [
    "PackedSequence", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence", "unpack_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


class PackedSequence(_Packed):
    """Sequences of different lengths without padding, the longest first: what RNN, LSTM and GRU take and give.

    The functions below make them; one made by hand is checked.

    Attributes
    ----------
    data : (sum of the lengths, ...)
        The first step of all sequences, then the second of those that have one, and so on.
    batch_sizes : (T,) integers
        How many sequences have a step t.
    sorted_indices, unsorted_indices : (N,) integers, or None for sequences that came in this order
        Which sequence comes first, second ...; and back. One gives the other.

    Raises
    ------
    TypeError, ValueError
        Batch sizes that are no integers, that rise, or that do not add up to the rows of the data; indices that do not
        name each sequence once, or not each other's inverse.

    Examples
    --------
    >>> import minidl
    >>> from minidl.nn.utils.rnn import PackedSequence, pad_packed_sequence
    >>> packed = PackedSequence(minidl.tensor([1, 4, 2, 3]), minidl.tensor([2, 1, 1]))  # 1 2 3, and 4
    >>> pad_packed_sequence(packed, batch_first=True)[0]
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Any, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        batch_sizes = as_tensor(batch_sizes)
        sizes = _integers("batch_sizes", batch_sizes)
        if not sizes.size or sizes.min() < 1 or (np.diff(sizes) > 0).any():
            raise ValueError(f"batch_sizes must be (T,) integers from 1 up that do not rise, got {sizes.tolist()}")
        shape = tuple(getattr(data, "shape", ()))
        if not shape or shape[0] != sizes.sum():
            raise ValueError(
                f"data must have {sizes.sum()} rows, the sum of batch_sizes {sizes.tolist()}, "
                f"got {f'shape {shape}' if shape else repr(data)}"
            )
        if sorted_indices is None and unsorted_indices is None:
            return super().__new__(cls, data, batch_sizes)
        there = _order("sorted_indices", sorted_indices, sizes[0])
        back = _order("unsorted_indices", unsorted_indices, sizes[0])
        there, back = np.argsort(back) if there is None else there, np.argsort(there) if back is None else back
        if (there[back] != np.arange(sizes[0])).any():
            raise ValueError(
                f"unsorted_indices must lead back from sorted_indices, got {back.tolist()} and {there.tolist()}"
            )
        return super().__new__(cls, data, batch_sizes, Tensor(there), Tensor(back))

    def to(self, *targets: Any, **options: Any) -> PackedSequence:
        """The data on another device, in another dtype."""
        return self._replace(data=self.data.to(*targets, **options))


def _integers(name: str, values: Any) -> np.ndarray:
    """Integers (N,) as an array on the CPU."""
    values = np.asarray(values)
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise TypeError(f"{name} must be integers of one axis, got {values.dtype} of shape {values.shape}")
    return values


def _order(name: str, indices: Any, count: int) -> np.ndarray | None:
    """The indices, checked to be 0 to count - 1 in some order."""
    if indices is None:
        return None
    order = _integers(name, indices)
    if not np.array_equal(np.sort(order), np.arange(count)):
        raise ValueError(f"{name} must hold each of the {count} sequences once, got {order.tolist()}")
    return order


def _places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For falling lengths: the step and the sequence of every row of the packed data, and the batch sizes."""
    present = np.arange(lengths[0])[:, None] < lengths  # (T, N)
    return *np.nonzero(present), present.sum(1)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Padded sequences without their padding.

    Parameters
    ----------
    input : (T, N, ...), or (N, T, ...) with `batch_first`
    lengths : N integers from 1 to T
    enforce_sorted : bool
        Refuse sequences that do not come with the longest first; otherwise they are sorted.

    Raises
    ------
    ValueError, TypeError
        An input without a step or a sequence; lengths that are no integers, not from 1 to T, not N of them, or not
        sorted.

    Examples
    --------
    >>> import minidl
    >>> from minidl.nn.utils.rnn import pack_padded_sequence
    >>> x = minidl.tensor([[1, 2, 0], [3, 4, 5]])
    >>> packed = pack_padded_sequence(x, [2, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data, packed.batch_sizes
    (tensor([3, 1, 4, 2, 5]), tensor([2, 2, 1]))
    """
    shape = getattr(input, "shape", ())
    if len(shape) < 2 or 0 in shape[:2]:
        axes = "(N, T, ...)" if batch_first else "(T, N, ...)"
        raise ValueError(f"input must be {axes}, a step and a sequence at least, got {tuple(shape) or input!r}")
    x = input.swapaxes(0, 1) if batch_first else input
    sizes = np.asarray(lengths)
    if sizes.dtype.kind not in "iu" or sizes.shape != (x.shape[1],):
        raise TypeError(f"lengths must be {x.shape[1]} integers, one for each sequence, got {lengths!r}")
    if sizes.min() < 1 or sizes.max() > x.shape[0]:
        raise ValueError(f"lengths must be from 1 to the {x.shape[0]} steps of the padded sequences, got {lengths!r}")
    if enforce_sorted and (np.diff(sizes) > 0).any():
        raise ValueError(
            f"lengths must fall, with the longest sequence first, got {sizes.tolist()}; write enforce_sorted=False"
        )
    order = None
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes, x = sizes[order], index_select(x, 1, order)
    steps, sequences, batch_sizes = _places(sizes)
    data = x[Tensor(steps), Tensor(sequences)] if isinstance(x, Tensor) else x[steps, sequences]
    return PackedSequence(data, batch_sizes, order)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Tensor]:
    """The sequences padded, in the order in which they came, and their lengths.

    Parameters
    ----------
    sequence : PackedSequence
    padding_value : float
    total_length : int, optional
        The number of steps to pad to; default: those of the longest sequence.

    Returns
    -------
    x : (T, N, ...), or (N, T, ...) with `batch_first`
    lengths : (N,) integers

    Examples
    --------
    >>> import minidl
    >>> from minidl.nn.utils.rnn import pack_sequence, pad_packed_sequence
    >>> packed = pack_sequence([minidl.tensor([1, 2, 3]), minidl.tensor([4])])
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """
    data, batch_sizes = as_tensor(sequence.data), sequence.batch_sizes.numpy()
    lengths = (np.arange(batch_sizes[0])[:, None] < batch_sizes).sum(1)
    total = int(lengths[0]) if total_length is None else total_length
    if total < lengths[0]:
        raise ValueError(f"total_length must be at least {lengths[0]}, the longest sequence's, got {total}")
    steps, sequences, _ = _places(lengths)
    empty = data.new_full((total, len(lengths), *data.shape[1:]), padding_value)
    x = index_put(empty, (Tensor(steps), Tensor(sequences)), data)
    if sequence.unsorted_indices is not None:
        x = index_select(x, 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.numpy()]
    return x.swapaxes(0, 1) if batch_first else x, Tensor(lengths)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (T_i, ...) packed: :func:`pack_padded_sequence` of :func:`pad_sequence`.

    Examples
    --------
    >>> import minidl
    >>> from minidl.nn.utils.rnn import pack_sequence
    >>> pack_sequence([minidl.tensor([1, 2, 3]), minidl.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences (T_i, ...) of a packed one, in the order in which they came: the inverse of :func:`pack_sequence`.

    Examples
    --------
    >>> import minidl
    >>> from minidl.nn.utils.rnn import pack_sequence, unpack_sequence
    >>> unpack_sequence(pack_sequence([minidl.tensor([1, 2, 3]), minidl.tensor([4])]))
    [tensor([1, 2, 3]), tensor([4])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return [x[:length] for x, length in zip(padded, lengths.tolist())]


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
