"""DataLoader: the batches of a dataset as Tensors, shuffled and prefetched."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minidl import random
from minidl.data.collate import collate, to_tensors
from minidl.data.dataset import Dataset
from minidl.data.prefetch import prefetched
from minidl.data.sampler import check_count, numbered_items, positions
from minidl.data.seeding import item_seeds
from minidl.data.workers import from_workers
from minidl.random import check_generator


class DataLoader:
    """Iterates over a dataset in batches of Tensors; every `for` loop over it is one epoch.

    An epoch draws its order, and the key of its augmentation, when the loop starts: a program that saves the random
    streams before an epoch and restores them later gets the same batches again, for any `num_workers`.

    Parameters
    ----------
    dataset : Dataset
        Anything with `__len__` and `__getitem__`. Samples are fetched one at a time; or, if its `batched` is true, a
        whole batch at once by `get_batch`.
    batch_size : int or None
        Samples in a batch; the last one may be smaller. None makes no batches: each sample comes as it is, its arrays
        as Tensors; for a dataset whose samples are batches.
    shuffle : bool
        A new random order every epoch.
    sampler : iterable of int, optional
        The samples of an epoch, in their order, in place of the dataset's: a :class:`Sampler`, a list.
    batch_sampler : iterable of lists of int, optional
        The samples of each batch, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        Samplers of both kinds are read to their end when an epoch starts.
    num_workers : int
        Processes that fetch batches; 0 fetches them in this process. They help where preparing a sample takes longer
        than sending it to this process, about 0.3 ms for a photograph of 224x224.
    collate_fn : callable, optional
        Makes a batch from a list of samples; default `default_collate`. If given, samples are fetched one at a time.
        With ``batch_size=None``, it is called with each sample.
    drop_last : bool
        Leave out a last batch that is smaller than batch_size.
    pin_memory : bool
        Has no effect: batches lie in ordinary memory, from which ``x.to("cuda")`` copies them as well.
    timeout : float
        Seconds to wait for a batch from a worker process; 0 is without limit.
    multiprocessing_context : str, optional
        How worker processes start: "fork", "spawn" or "forkserver". Default: "fork" on Linux, else "spawn".
    generator : numpy.random.Generator, optional
        Draws the order and the augmentation's key. Default: the streams "shuffling" and "augmentation".
    worker_init_fn : callable, optional
        Called with its number in every worker process, when it starts: once an epoch. Python's, NumPy's and minidl's
        generators are seeded before, differently in each worker and epoch, so no program needs it for that.
    persistent_workers : bool
        Has no effect: worker processes start anew with every epoch.
    prefetch_factor : int, optional
        PyTorch's name of `prefetch`; only with workers.
    prefetch : int, optional
        Batches fetched in advance, by a thread or by each worker process; 0 fetches a batch when it is asked for.
        Default: 2; but 0 for a batched dataset without workers, whose batches are fetched faster than a thread could
        pass them on.

    Yields
    ------
    Tensor, or a tuple, list or dict of Tensors
        Structured like a sample, each array with a new first axis of batch_size.

    Raises
    ------
    ValueError, TypeError
        For arguments out of range, and an empty dataset.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import DataLoader, TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5.0), np.arange(5)), batch_size=2)
    >>> len(loader)
    3
    >>> for x, y in loader:
    ...     print(y.tolist())
    [0, 1]
    [2, 3]
    [4]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int | None = 1,
        shuffle: bool = False,
        *,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Iterable[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        drop_last: bool = False,
        pin_memory: bool = False,
        timeout: float = 0,
        multiprocessing_context: str | None = None,
        generator: np.random.Generator | None = None,
        worker_init_fn: Callable[[int], Any] | None = None,
        persistent_workers: bool = False,
        prefetch_factor: int | None = None,
        prefetch: int | None = None,
    ):
        if prefetch_factor is not None:
            if prefetch is not None:
                raise ValueError("prefetch_factor is PyTorch's name of prefetch: give one of them, not both")
            prefetch = prefetch_factor
        if batch_size is not None:
            check_count("batch_size", batch_size)
        elif drop_last:
            raise ValueError("batch_size=None makes no batches: drop_last must be False")
        check_count("num_workers", num_workers, 0)
        if prefetch is not None:
            check_count("prefetch", prefetch, 0)
        methods = multiprocessing.get_all_start_methods()
        if multiprocessing_context not in (None, *methods):
            raise ValueError(f"multiprocessing_context must be one of {methods} here, got {multiprocessing_context!r}")
        if not timeout >= 0:
            raise ValueError(f"timeout must be at least 0, got {timeout}")
        check_generator(generator)
        if num_workers == 0:
            for name, given in (("prefetch_factor", prefetch_factor), ("persistent_workers", persistent_workers)):
                if given:
                    raise ValueError(f"{name} needs worker processes: give num_workers too, or leave it out")
        if worker_init_fn is not None and not callable(worker_init_fn):
            raise TypeError(f"worker_init_fn must be a function of a worker's number, got {worker_init_fn!r}")
        if not hasattr(dataset, "__len__"):
            raise TypeError(
                f"dataset must have a length and samples by number, got {type(dataset).__name__}; of what can only be "
                "iterated over make a list"
            )
        if len(dataset) == 0:
            raise ValueError("the dataset is empty: a DataLoader needs at least one sample")
        if sampler is not None and shuffle:
            raise ValueError("sampler decides the order of the samples: shuffle must be False")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("batch_sampler decides the batches: give no batch_size, shuffle, sampler or drop_last")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.pin_memory = bool(pin_memory)
        self.timeout = timeout
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.worker_init_fn = worker_init_fn
        self.persistent_workers = bool(persistent_workers)
        self.prefetch = prefetch

    @property
    def samples(self) -> int | None:
        """The number of samples in an epoch; None with a `batch_sampler`, where it is not known in advance."""
        if self.batch_sampler is not None:
            return None
        n = len(self.dataset) if self.sampler is None else _length("sampler", self.sampler)
        return n // self.batch_size * self.batch_size if self.drop_last else n

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        if self.batch_sampler is not None:
            return _length("batch_sampler", self.batch_sampler)
        return -(-self.samples // (self.batch_size or 1))

    def __iter__(self) -> Iterator[Any]:
        augmentation = random.chosen(self.generator, "augmentation")
        batches = self._batches()
        epoch_key = int(augmentation.integers(2**63))
        whole = getattr(self.dataset, "batched", False) and self.collate_fn is None and self.batch_size is not None
        if whole:
            fetch = partial(_fetch_whole, self.dataset, epoch_key)
        elif self.batch_size is None:
            fetch = partial(_fetch_each, self.dataset, epoch_key, partial(_the_one, self.collate_fn))
        else:
            fetch = partial(_fetch_each, self.dataset, epoch_key, self.collate_fn or collate)
        ahead = self.prefetch
        if ahead is None:
            ahead = 0 if whole and self.num_workers == 0 else 2
        return self._tensors(fetch, batches, epoch_key, ahead)

    def _batches(self) -> list[np.ndarray]:
        """The items (see `numbered_items`) of each batch."""
        n = len(self.dataset)
        if self.batch_sampler is not None:
            batches = [positions(batch, n, "batch_sampler") for batch in self.batch_sampler]
            if any(len(batch) == 0 for batch in batches):
                raise ValueError("batch_sampler gave a batch without samples")
            if not batches:
                return []
            items = numbered_items(np.concatenate(batches), n)
            return np.split(items, np.cumsum([len(batch) for batch in batches])[:-1])
        if self.sampler is not None:
            items = numbered_items(positions(self.sampler, n, "sampler"), n)
        elif self.shuffle:
            items = random.chosen(self.generator, "shuffling").permutation(n)
        else:
            items = np.arange(n)
        end = len(items) // self.batch_size * self.batch_size if self.drop_last else len(items)
        step = self.batch_size or 1
        return [items[start : start + step] for start in range(0, end, step)]

    def _tensors(
        self, fetch: Callable[[np.ndarray], Any], batches: list[np.ndarray], epoch_key: int, ahead: int
    ) -> Iterator[Any]:
        if self.num_workers > 0:
            arrays = from_workers(
                fetch,
                batches,
                num_workers=self.num_workers,
                epoch_key=epoch_key,
                ahead=max(ahead, 1),
                timeout=self.timeout,
                start_method=self.multiprocessing_context,
                dataset=self.dataset,
                worker_init_fn=self.worker_init_fn,
            )
        elif ahead > 0:
            arrays = prefetched(fetch, batches, ahead)
        else:
            arrays = (fetch(items) for items in batches)  # not map, which a StopIteration of the dataset would end
        for batch in arrays:
            yield to_tensors(batch)


def _length(name: str, sampler: Any) -> int:
    try:
        return len(sampler)
    except TypeError as error:
        raise TypeError(
            f"the {name} has no length, so the number of batches is not known in advance: "
            f"give {type(sampler).__name__} a __len__, or pass a list"
        ) from error


def _fetch_whole(dataset: Dataset, epoch_key: int, items: np.ndarray) -> Any:
    """The batch by one call; random transforms draw from the generator of its first item."""
    with item_seeds(epoch_key) as begin:
        begin(int(items[0]))
        return dataset.get_batch(items % len(dataset))


def _the_one(convert: Callable[[Any], Any] | None, samples: list) -> Any:
    return samples[0] if convert is None else convert(samples[0])


def _fetch_each(dataset: Dataset, epoch_key: int, collate_fn: Callable[[list], Any], items: np.ndarray) -> Any:
    """The batch sample by sample, each with a generator of its own."""
    samples, n = [], len(dataset)
    with item_seeds(epoch_key) as begin:
        for item in items.tolist():
            begin(item)
            samples.append(dataset[item % n])
    return collate_fn(samples)
