"""Samplers: which samples an epoch has, in which order, and in which batches."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from operator import index
from typing import Any

import numpy as np

from minidl import random
from minidl.kernels import extent
from minidl.random import check_generator


class Sampler:
    """The samples of each epoch: what ``DataLoader(sampler=...)`` iterates over. Any iterable with a length will do.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import DataLoader, Sampler, TensorDataset
    >>> class Backwards(Sampler):
    ...     def __init__(self, n):
    ...         self.n = n
    ...     def __iter__(self):
    ...         return iter(range(self.n - 1, -1, -1))
    ...     def __len__(self):
    ...         return self.n
    >>> [x.tolist() for (x,) in DataLoader(TensorDataset(np.arange(3)), batch_size=2, sampler=Backwards(3))]
    [[2, 1], [0]]
    """

    def __class_getitem__(cls, samples: Any) -> type:
        """The class itself, so that annotations may say what it gives: ``Sampler[list[int]]``."""
        return cls

    def __iter__(self) -> Iterator[int]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, the positions of the samples")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__, the number of positions that it gives")


class SequentialSampler(Sampler):
    """Every sample of a dataset once, in their order: what a DataLoader does without a sampler.

    Examples
    --------
    >>> from minidl.data import SequentialSampler
    >>> list(SequentialSampler([7.0, 8.0, 9.0]))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Samples of a dataset in random order, in epochs of any length.

    Parameters
    ----------
    data_source : Dataset
        Anything that has a length n.
    replacement : bool
        Draw every sample from all n. Otherwise all n come before one comes again.
    num_samples : int, optional
        How many are drawn in an epoch; default n.
    generator : numpy.random.Generator, optional
        Default: the "shuffling" stream.

    Examples
    --------
    >>> from minidl.data import RandomSampler
    >>> sorted(RandomSampler(["a", "b", "c"]))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: np.random.Generator | None = None,
    ):
        if num_samples is not None:
            check_count("num_samples", num_samples)
        check_generator(generator)
        self.data_source, self.replacement, self.generator = data_source, bool(replacement), generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many are drawn in an epoch."""
        return len(self.data_source) if self._num_samples is None else int(self._num_samples)

    def __iter__(self) -> Iterator[int]:
        draw, n = random.chosen(self.generator, "shuffling"), len(self.data_source)
        if n == 0 and self.num_samples:
            raise ValueError(f"RandomSampler: num_samples is {self.num_samples}, but data_source has no samples")
        if self.replacement:
            return iter(draw.integers(0, n, self.num_samples).tolist())
        rounds = [draw.permutation(n) for _ in range(-(-self.num_samples // n))] if n else []
        return iter(np.concatenate([*rounds, np.zeros(0, np.int64)])[: self.num_samples].tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The samples `indices` of a dataset, each once, in random order.

    Parameters
    ----------
    indices : sequence of int
    generator : numpy.random.Generator, optional
        Default: the "shuffling" stream.

    Examples
    --------
    >>> from minidl.data import SubsetRandomSampler
    >>> sorted(SubsetRandomSampler([4, 2, 6]))
    [2, 4, 6]
    """

    def __init__(self, indices: Sequence[int], generator: np.random.Generator | None = None):
        check_generator(generator)
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        order = random.chosen(self.generator, "shuffling").permutation(len(self.indices))
        return iter([self.indices[place] for place in order.tolist()])

    def __len__(self) -> int:
        return len(self.indices)


class BatchSampler(Sampler):
    """What a sampler gives, in lists of `batch_size`: for ``DataLoader(batch_sampler=...)``.

    Parameters
    ----------
    sampler : iterable of int
    batch_size : int
    drop_last : bool
        Leave out a last list that is shorter.

    Examples
    --------
    >>> from minidl.data import BatchSampler
    >>> list(BatchSampler([3, 1, 4, 1, 5], batch_size=2, drop_last=False))
    [[3, 1], [4, 1], [5]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        check_count("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise TypeError(f"drop_last must be True or False, got {drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, int(batch_size), drop_last

    def __iter__(self) -> Iterator[list[int]]:
        samples = iter(self.sampler)
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


class WeightedRandomSampler(Sampler):
    """Draws sample i with probability weights[i] / sum(weights): for classes of very different sizes.

    Parameters
    ----------
    weights : sequence of float, array or Tensor
        At least 0, of any sum; often 1 / (size of the sample's class).
    num_samples : int
        How many are drawn in an epoch.
    replacement : bool
        Whether a sample may be drawn several times. Each time it is augmented anew.
    generator : numpy.random.Generator, optional
        Default: the "shuffling" stream.

    Raises
    ------
    ValueError, TypeError
        Weights below 0 or all 0; without replacement, fewer above 0 than `num_samples`.

    Examples
    --------
    >>> from minidl.data import WeightedRandomSampler
    >>> sampler = WeightedRandomSampler([0.0, 1.0, 0.0], num_samples=4)
    >>> list(sampler)
    [1, 1, 1, 1]
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: np.random.Generator | None = None,
    ):
        weights = np.asarray(weights, np.float64)
        if weights.ndim != 1:
            raise ValueError(f"weights must be one number for each sample, got shape {weights.shape}")
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError("weights must be finite, at least 0 and not all 0")
        check_integer("num_samples", num_samples)
        most = np.inf if replacement else np.count_nonzero(weights)
        if not 1 <= num_samples <= most:
            raise ValueError(f"num_samples must be from 1 to {most}, got {num_samples}")
        check_generator(generator)
        self.weights, self.num_samples, self.replacement = weights, int(num_samples), bool(replacement)
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        draw = random.chosen(self.generator, "shuffling")
        p = self.weights / self.weights.sum()
        return iter(draw.choice(len(p), self.num_samples, self.replacement, p).tolist())

    def __len__(self) -> int:
        return self.num_samples


def check_integer(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int, got {value!r}")


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise unless the value is an integer from `least` up."""
    check_integer(name, value)
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def positions(samples: Iterable[Any], n: int, name: str) -> np.ndarray:
    """What a sampler gives, as an array, checked to be positions from 0 to n - 1."""
    try:
        order = np.array([index(sample) for sample in samples], np.int64)
    except TypeError as error:
        raise TypeError(f"{name} must give integers, the positions of samples in the dataset: {error}") from None
    if len(order) and not 0 <= order.min() <= order.max() < n:
        raise IndexError(f"{name} must give positions from 0 to {n - 1}, got {extent(order)}")
    return order


def numbered_items(order: np.ndarray, n: int) -> np.ndarray:
    """The items of an epoch, each with a number of its own: item = position + n * (times the position came before).

    The number seeds the item's augmentation, so a sample that comes twice is augmented differently each time.
    """
    by_position = order.argsort(kind="stable")
    ordered = order[by_position]
    items = np.empty_like(order)
    # searchsorted finds where the run of equal positions begins
    items[by_position] = ordered + n * (np.arange(len(order)) - np.searchsorted(ordered, ordered))
    return items
