"""What a recipe for an image classifier says; the files beside this one hold one each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidl import data
from minidl.optim import Optimizer

Load = Callable[[Path | None], tuple[data.Dataset, data.Dataset]]


@dataclass(frozen=True)
class Recipe:
    """Data, network, optimizer and schedule of one system, and what to expect of it."""

    name: str
    task: str
    dataset: str
    load: Load  # from the folder of --data to the training and the test set, pixels in 0..1
    network: str  # of minidl.models
    optimizer: Callable[[Iterable[Any], float], Optimizer]  # of (parameters, learning rate)
    lr: float
    batch_size: int
    epochs: int
    accuracy: str  # of the test that is to be expected, over several seeds
    minutes: float  # of training on two cores
    mean: tuple[float, ...] | None = None  # of each channel: pixels are normalized to (x - mean) / std
    std: tuple[float, ...] | None = None
    bright_on_dark: bool = False  # how what is to be recognized lies in the pictures
    network_options: dict[str, Any] = field(default_factory=dict)

    def datasets(self, root: Path | None) -> tuple[data.Dataset, data.Dataset]:
        """The training and the test set as the network takes them."""
        train, test = self.load(root)
        if self.mean is None:
            return train, test
        normalize = data.transforms.Normalize(self.mean, self.std)
        return train.with_transform(normalize), test.with_transform(normalize)
