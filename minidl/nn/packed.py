"""A recurrent layer over packed sequences: as many steps at a time as all the sequences that are left have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.nn.utils.rnn import PackedSequence


def blocks(batch_sizes: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """The first row, the number of steps and the number of sequences of each run of steps of one batch size."""
    ends = [*np.flatnonzero(np.diff(batch_sizes)) + 1, len(batch_sizes)]
    rows = step = 0
    for end in map(int, ends):
        n = int(batch_sizes[step])
        yield rows, end - step, n
        rows, step = rows + (end - step) * n, end


def walk_packed(
    walk: Callable[..., tuple[Any, ...]], x: PackedSequence, start: tuple[Any, ...], weights: list, reverse: bool
) -> tuple[Any, ...]:
    """y of every row of the packed data, and the states after the last step of each sequence (after its first, if
    `reverse`), each (1, N, H); `walk` is the layer's own, of steps that all sequences have.
    """
    runs, outputs, ended = list(blocks(x.batch_sizes.numpy())), [], []
    states = tuple(state[:, : runs[-1 if reverse else 0][2]] for state in start)
    for rows, steps, n in reversed(runs) if reverse else runs:
        before = states[0].shape[1]
        if n < before:  # some sequences have come to their end
            ended.append(tuple(state[:, n:] for state in states))
            states = tuple(state[:, :n] for state in states)
        elif n > before:  # from behind, they begin
            states = tuple(F.cat([state, new[:, before:n]], 1) for state, new in zip(states, start))
        part = x.data[rows : rows + steps * n]
        y, *states = walk(part.reshape(steps, n, *part.shape[1:]), tuple(states), weights, reverse, False)
        outputs.append(y.reshape(steps * n, y.shape[-1]))
    final = [F.cat(parts, 1) if ended else parts[0] for parts in zip(states, *reversed(ended))]
    return F.cat(outputs[::-1] if reverse else outputs), *final


def in_order(states: tuple[Any, ...], indices: Any) -> tuple[Any, ...]:
    """The states (..., N, H) of the sequences in another order."""
    return states if indices is None else tuple(F.index_select(state, 1, indices) for state in states)
