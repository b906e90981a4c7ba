"""Samplers: which samples an epoch has and in which order, where it is not each sample once."""

from collections.abc import Iterable, Iterator
from operator import index
from typing import Any

import numpy as np

from minidl import random
from minidl.autograd import Tensor
from minidl.data.seeding import check_generator


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
        weights = np.asarray(weights.numpy() if isinstance(weights, Tensor) else weights, np.float64)
        if weights.ndim != 1:
            raise ValueError(f"weights must be one number for each sample, got shape {weights.shape}")
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError("weights must be finite, at least 0 and not all 0")
        if isinstance(num_samples, bool) or not isinstance(num_samples, (int, np.integer)):
            raise TypeError(f"num_samples must be an int, got {num_samples!r}")
        most = np.inf if replacement else np.count_nonzero(weights)
        if not 1 <= num_samples <= most:
            raise ValueError(f"num_samples must be from 1 to {most}, got {num_samples}")
        check_generator(generator)
        self.weights, self.num_samples, self.replacement = weights, int(num_samples), bool(replacement)
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        draw = self.generator or random.generator("shuffling")
        p = self.weights / self.weights.sum()
        return iter(draw.choice(len(p), self.num_samples, self.replacement, p).tolist())

    def __len__(self) -> int:
        return self.num_samples


def positions(samples: Iterable[Any], n: int, name: str) -> np.ndarray:
    """What a sampler gives, as an array, checked to be positions from 0 to n - 1."""
    try:
        order = np.array([index(sample) for sample in samples], np.int64)
    except TypeError as error:
        raise TypeError(f"{name} must give integers, the positions of samples in the dataset: {error}") from None
    if len(order) and not 0 <= order.min() <= order.max() < n:
        raise IndexError(f"{name} must give positions from 0 to {n - 1}, got {order.min()} to {order.max()}")
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
