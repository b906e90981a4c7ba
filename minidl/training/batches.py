"""What fit, evaluate and predict take as data: arrays, a Dataset or a DataLoader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minidl.autograd import Tensor, is_array
from minidl.data import DataLoader, Dataset, Subset, TensorDataset, random_split
from minidl.nn import Module


def as_dataset(data: Any) -> Dataset:
    """A tuple or list of arrays, or one array, as a dataset; a dataset, or a list of samples, as it is."""
    if is_list_of_samples(data):
        return data
    if is_array(data) or hasattr(data, "__array__"):  # also a Tensor, or a table of pandas
        data = (data,)
    if isinstance(data, (tuple, list)):
        return TensorDataset(*(part if hasattr(part, "dtype") else Tensor(part) for part in data))
    if hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, Mapping):
        return data
    raise TypeError(f"data must be a Dataset, a DataLoader or a tuple of arrays, got {type(data).__name__}")


def is_list_of_samples(data: Any) -> bool:
    """Whether it is a list [(x, target), ...], as DataLoaders take it, and no list of arrays [x, target]."""
    return isinstance(data, list) and len(data) > 0 and isinstance(data[0], tuple)


def as_loader(data: Any, batch_size: int, *, shuffle: bool = False, drop_last: bool = False) -> DataLoader:
    """A DataLoader over `data`; one that is given is used as it is, with its own batch size and order."""
    loader = data
    if not isinstance(data, DataLoader):
        loader = DataLoader(as_dataset(data), batch_size, shuffle=shuffle, drop_last=drop_last)
    if len(loader) == 0:
        if not loader.drop_last:
            raise ValueError("data gives no batch: its sampler is empty")
        n = len(loader.dataset if loader.sampler is None else loader.sampler)
        raise ValueError(f"drop_last leaves no batch: {n} samples are fewer than batch_size={loader.batch_size}")
    return loader


def split_validation(data: Any, fraction: float, seed: int) -> tuple[Subset, Subset]:
    """(training, validation): a random `fraction` of the samples, fixed by `seed`, is set aside for validation."""
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split must be a fraction from 0 up to 1, got {fraction}")
    if isinstance(data, DataLoader):
        raise ValueError("validation_split cannot split a DataLoader: give a Dataset or arrays, or validation_data=")
    dataset = as_dataset(data)
    train, validation = random_split(dataset, [1 - fraction, fraction], np.random.default_rng(seed))
    if len(train) == 0 or len(validation) == 0:
        raise ValueError(
            f"validation_split={fraction} of {len(dataset)} samples leaves {len(train)} and {len(validation)}; "
            "both must have some"
        )
    return train, validation


def parts_of(batch: Any, device: str) -> list[Tensor]:
    """The tensors of a batch, on the device: (x, ..., target), or x alone."""
    if isinstance(batch, Tensor):
        batch = (batch,)
    if not isinstance(batch, (tuple, list)):
        raise TypeError(f"a batch must be a tuple of Tensors such as (x, target), got {type(batch).__name__}")
    return [part.to(device) for part in batch]


def inputs_and_target(batch: Any, device: str) -> tuple[list[Tensor], Tensor]:
    """([x, ...], target) of a batch (x, ..., target)."""
    *inputs, target = parts_of(batch, device)
    if not inputs:
        raise ValueError("data must have samples (x, ..., target), got samples of one part; for no target give (x, x)")
    return inputs, target


def device_of_model(model: Module) -> str:
    """Where the model's parameters are, and so where its batches must go."""
    return next((parameter.device for parameter in model.parameters()), "cpu")
