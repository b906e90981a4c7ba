"""Datasets: objects with a length, whose samples are read by index, as in torch.utils.data."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from minidl import kernels, random
from minidl.autograd import Tensor, is_array
from minidl.data.collate import join_batches


class Dataset:
    """What a DataLoader reads: `len(dataset)` samples, each as `dataset[index]`. Any object with these two will do.

    A dataset that can fetch many samples at once also sets `batched` to True and defines `get_batch(indices)`, which
    returns these samples as one batch; the DataLoader then asks for whole batches. Without a `__getitem__` of its own,
    a sample is what a batch of one holds.

    Examples
    --------
    >>> from minidl.data import Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> Squares()[3]
    (3, 9)
    """

    batched: bool = False

    def __class_getitem__(cls, samples: Any) -> type:
        """The class itself, so that annotations may say what a sample is: ``Dataset[tuple[Tensor, int]]``."""
        return cls

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__, the number of its samples")

    def __getitem__(self, index: int) -> Any:
        if type(self).get_batch is Dataset.get_batch:
            raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), one sample")
        batch = self.get_batch(np.array([index]))
        if isinstance(batch, Mapping):
            return {name: part[0] for name, part in batch.items()}
        return tuple(part[0] for part in batch) if isinstance(batch, (tuple, list)) else batch[0]

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])

    def get_batch(self, indices: np.ndarray) -> Any:
        """The samples `indices` as one batch."""
        raise NotImplementedError(f"{type(self).__name__} sets batched = True and must define get_batch(indices)")


class TensorDataset(Dataset):
    """Arrays or Tensors that share their first axis: sample i is `(a[i], b[i], ...)`.

    Parameters
    ----------
    *tensors : array or Tensor
        Of shapes (N, ...), one N for all.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import TensorDataset
    >>> dataset = TensorDataset(np.arange(6.0).reshape(3, 2), np.array([0, 1, 0]))
    >>> len(dataset), dataset[2]
    (3, (array([4., 5.]), np.int64(0)))
    """

    batched = True

    def __init__(self, *tensors: np.ndarray | Tensor):
        if not tensors:
            raise ValueError("TensorDataset needs at least one array, got none")
        self.tensors = tuple(t if isinstance(t, Tensor) or is_array(t) else np.asarray(t) for t in tensors)
        for position, tensor in enumerate(self.tensors):
            if tensor.ndim == 0:
                raise ValueError(
                    f"tensors[{position}] of TensorDataset has no axis of samples: expected shape (N, ...), got ()"
                )
        lengths = [t.shape[0] for t in self.tensors]
        if len(set(lengths)) > 1:
            raise ValueError(f"the arrays of a TensorDataset must have the same length, got {lengths}")

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def get_batch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        arrays = (tensor.data if isinstance(tensor, Tensor) else tensor for tensor in self.tensors)
        return tuple(array[kernels.array_module(array).asarray(indices)] for array in arrays)


class Subset(Dataset):
    """The samples `indices` of a dataset, in that order; negative ones count from its end.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import Subset, TensorDataset
    >>> Subset(TensorDataset(np.array([10, 20, 30])), [2, 0])[0]
    (np.int64(30),)
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int] | np.ndarray):
        indices = np.asarray(indices)
        if indices.ndim != 1:
            raise ValueError(f"indices must be one-dimensional, got shape {indices.shape}")
        if indices.size and indices.dtype.kind not in "iu":
            hint = "; of a mask, give np.flatnonzero(mask)" if indices.dtype.kind == "b" else ""
            raise TypeError(f"indices must be integers, got {indices.dtype}{hint}")
        self.dataset = dataset
        indices = indices.astype(np.int64)
        if indices.size and not (-len(dataset) <= indices.min() and indices.max() < len(dataset)):
            raise IndexError(f"indices must lie in 0..{len(dataset) - 1}, got {indices.min()}..{indices.max()}")
        self.indices = np.where(indices < 0, indices + len(dataset), indices)  # get_batch need not know negative ones

    @property
    def batched(self) -> bool:
        return getattr(self.dataset, "batched", False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the dataset beneath."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def get_batch(self, indices: np.ndarray) -> Any:
        return self.dataset.get_batch(self.indices[indices])


class ConcatDataset(Dataset):
    """Several datasets, one after the other; ``a + b`` of two datasets is one too.

    If all of them fetch whole batches, it does too: of each dataset its part of the batch.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import TensorDataset
    >>> both = TensorDataset(np.array([10, 20])) + TensorDataset(np.array([30]))
    >>> len(both), both[2], both[-3]
    (3, (np.int64(30),), (np.int64(10),))
    >>> both.cumulative_sizes  # where each of them ends
    [2, 3]
    """

    def __init__(self, datasets: Iterable[Dataset]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one dataset, got none")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index must lie in {-len(self)}..{len(self) - 1}, got {index}")
        place = index % len(self)
        part = bisect_right(self.cumulative_sizes, place)  # the first that ends after it
        return self.datasets[part][place - (self.cumulative_sizes[part - 1] if part else 0)]

    @property
    def batched(self) -> bool:
        return all(getattr(dataset, "batched", False) for dataset in self.datasets)

    def get_batch(self, indices: np.ndarray) -> Any:
        parts, batches, taken = np.searchsorted(self.cumulative_sizes, indices, side="right"), [], []
        for part in np.unique(parts):
            where = np.flatnonzero(parts == part)
            begin = self.cumulative_sizes[part] - len(self.datasets[part])
            batches.append(self.datasets[part].get_batch(indices[where] - begin))
            taken.append(where)
        return batches[0] if len(batches) == 1 else join_batches(batches, np.argsort(np.concatenate(taken)))


def random_split(
    dataset: Dataset, lengths: Sequence[int | float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Splits a dataset into random parts that share no sample.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of float
        The number of samples of each part, N in total; or fractions that add up to 1. Part k then gets
        floor(fraction_k * N) samples, and the samples left over go to the first parts, one each.
    generator : numpy.random.Generator, optional
        Default: the "shuffling" stream.

    Returns
    -------
    list of Subset

    Raises
    ------
    ValueError
        When the lengths do not add up.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import TensorDataset, random_split
    >>> dataset = TensorDataset(np.arange(10))
    >>> [len(part) for part in random_split(dataset, [0.75, 0.25], np.random.default_rng(0))]
    [8, 2]
    """
    total = len(dataset)
    if len(lengths) == 0 or any(length < 0 for length in lengths):
        raise ValueError(f"lengths must be numbers >= 0, got {list(lengths)}")
    if all(isinstance(length, (int, np.integer)) for length in lengths) and sum(lengths) == total:
        counts = [int(length) for length in lengths]
    elif abs(sum(lengths) - 1) < 1e-6:
        counts = [int(np.floor(fraction * total)) for fraction in lengths]
        for part in range(total - sum(counts)):
            counts[part % len(counts)] += 1
    else:
        raise ValueError(
            f"lengths must add up to the {total} samples of the dataset, or to 1 as fractions; got {list(lengths)}, "
            f"sum {sum(lengths)}"
        )
    order = random.chosen(generator, "shuffling").permutation(total)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]
