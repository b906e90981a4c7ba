"""What a recipe is: the values that every recipe sets, and the methods in which recipes differ.

`training_run.py` calls these methods in order; the last two are for a network loaded from a checkpoint. A kind of
recipe (`image_classifier.py`) or a single recipe (its own file) overrides those that it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidl import data, models, nn, optim, training

# from the folder of --data to the training and the test set
LoadImages = Callable[[Path | None], tuple[data.ImageDataset, data.ImageDataset]]


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """Data, network, optimizer and schedule of one system, and what to expect of it."""

    name: str
    task: str
    dataset: str
    network: str  # of minidl.models
    lr: float
    batch_size: int
    epochs: int
    expected: str  # the result: its range over seeds 0 to 2, or the value of one seed
    minutes: float  # of training on two cores of the machine that README.md names; on others it may take twice as long
    network_options: dict[str, Any] = field(default_factory=dict)

    @abstractmethod
    def datasets(self, root: Path | None) -> tuple[Any, Any]:
        """The training and the test data as the network takes them, from the folder of --data."""

    def options_of_data(self, train_data: Any) -> dict[str, Any]:
        """Options of the network that depend on the data, such as the number of classes."""
        return {}

    def build(self, options: dict[str, Any]) -> nn.Module:
        """A new network with these options."""
        return models.build(self.network, **options)

    def start(self, model: nn.Module, weights: Path | None, root: Path | None, output: Path) -> None:
        """Give a new network the weights to start from: those of the file of --weights, except for its last layer."""
        if weights is not None:
            training.load_pretrained(model, weights)

    def make_optimizer(self, model: nn.Module, lr: float) -> optim.Optimizer:
        return optim.Adam(model.parameters(), lr)

    def training_batches(self, train_data: Any, batch_size: int) -> Any:
        """What `training.fit` goes through: the data, or a DataLoader over it where the order matters."""
        return train_data

    def make_schedule(self, optimizer: optim.Optimizer, steps: int) -> optim.lr_scheduler.LRScheduler | None:
        """How the learning rate changes over all `steps` of the optimizer; None, the default, keeps it constant."""
        return None

    def callbacks(self, test_data: Any, output: Path) -> Sequence[training.Callback]:
        """Measures and pictures of every epoch."""
        return ()

    def info(self, test_data: Any) -> dict[str, Any]:
        """What else the checkpoint must hold for the network to be used later."""
        return {}

    def fit_options(self, train_data: Any) -> dict[str, Any]:
        """What `training.fit` is given besides model, data, optimizer and numbers: loss, step, metrics, penalties."""
        return {}

    @abstractmethod
    def results(self, model: nn.Module, test_data: Any, history: dict[str, list]) -> dict[str, Any]:
        """The measures of the trained network; the first is the one that `expected` is about."""

    def figures(self, model: nn.Module, test_data: Any, history: dict[str, list]) -> dict[str, Any]:
        """Pictures of the trained network: matplotlib figures by file name."""
        return {}

    def trained_with(self, info: dict[str, Any]) -> Recipe:
        """The recipe for a network with `info` in its checkpoint: this one, if its data is always the same."""
        return self

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        """The measures of a trained network on the test data, for `minidl evaluate`."""
        raise ValueError(f"minidl evaluate does not know {self.task}, the task of {self.name}")
