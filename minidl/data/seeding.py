"""The random numbers of augmentation: the same for any number of worker processes and after a resume.

Inside a DataLoader every item draws from a generator of its own, Philox(key=(epoch_key, index)). `epoch_key` is drawn
from the "augmentation" stream when the epoch starts. So the numbers depend on the seed, the epoch and the item, and not
on which process fetches the item, or when.

Datasets may also draw from NumPy's, Python's or minidl's global generators. These are seeded differently in each worker
and each epoch, so such numbers depend on the number of workers.
"""

import random as python_random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from minidl import random


class _Item:
    """The seed of one item's generator, and that generator once it was needed."""

    __slots__ = ("epoch_key", "generator", "index")

    def __init__(self, epoch_key: int, index: int):
        self.epoch_key = epoch_key
        self.index = index
        self.generator: np.random.Generator | None = None


_item: ContextVar[_Item | None] = ContextVar("item", default=None)


class WorkerInfo(NamedTuple):
    """What a worker process of a DataLoader knows of itself, see :func:`get_worker_info`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process its number ``id``, ``num_workers``, its ``seed`` and its ``dataset``; elsewhere None.

    Examples
    --------
    >>> from minidl.data import get_worker_info
    >>> get_worker_info() is None
    True
    """
    return _worker


def _seeds(epoch_key: int, number: int) -> np.ndarray:
    return np.random.SeedSequence([epoch_key, number]).generate_state(4, np.uint64)


def worker_seed(epoch_key: int, number: int) -> int:
    """What `minidl.initial_seed()` is in worker `number`: another in each epoch."""
    return int(_seeds(epoch_key, number)[0])


def begin_worker_process(epoch_key: int, info: WorkerInfo) -> None:
    """Mark this process as a DataLoader's worker, and seed its global generators, which are copies of the program's."""
    global _worker
    _worker = info
    seeds = _seeds(epoch_key, info.id)
    random.manual_seed(int(seeds[0]))
    python_random.seed(int(seeds[1]))
    # What datasets draw with np.random.rand(). np.random.seed would wait for the lock of the old generator, which
    # another thread of the program may have held at the fork.
    np.random.set_bit_generator(np.random.MT19937(seeds[2:]))


@contextmanager
def item_seeds(epoch_key: int) -> Iterator[Callable[[int], Any]]:
    """A block in which, after `begin(index)`, `augmentation_generator()` gives this thread that item's generator."""
    token = _item.set(None)
    try:
        yield lambda index: _item.set(_Item(epoch_key, index))
    finally:
        _item.reset(token)


def augmentation_generator(generator: np.random.Generator | None = None) -> np.random.Generator:
    """The generator that a random transform draws from.

    Parameters
    ----------
    generator : numpy.random.Generator, optional
        The user's own, which is returned as it is.

    Returns
    -------
    numpy.random.Generator
        `generator` if given; inside a DataLoader the current item's own; else the "augmentation" stream.

    Raises
    ------
    RuntimeError
        If `generator` is given in a worker process: every worker would draw the same numbers from its copy.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import augmentation_generator
    >>> augmentation_generator(np.random.default_rng(0)).integers(10)
    np.int64(8)
    """
    if generator is not None:
        if _worker is not None:
            raise RuntimeError(
                "a transform made with generator=... cannot run in worker processes: each has a copy of it and would "
                "draw the same numbers; leave generator=None (every item then gets a generator of its own), or use "
                "num_workers=0"
            )
        return generator
    item = _item.get()
    if item is None:
        return random.generator("augmentation")
    if item.generator is None:
        item.generator = np.random.Generator(
            np.random.Philox(key=np.array([item.epoch_key, item.index], dtype=np.uint64))
        )
    return item.generator
