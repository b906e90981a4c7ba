"""The kind of recipe that classifies images, whole or row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import data, metrics, nn, training, visualize
from minidl.optim import Optimizer
from minidl.optim.lr_scheduler import LRScheduler
from minidl.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ImageClassifier(Recipe):
    """A network that gives logits for images (N, C, H, W), trained by cross-entropy, measured by its accuracy."""

    # from the folder of --data to the training and the test set, pixels in 0..1
    load: Callable[[Path | None], tuple[data.Dataset, data.Dataset]]
    optimizer: Callable[[Iterable[Any], float], Optimizer]  # of (parameters, learning rate)
    mean: tuple[float, ...] | None = None  # of each channel: pixels are normalized to (x - mean) / std
    std: tuple[float, ...] | None = None
    augment: Sequence[Callable[[Any], Any]] = ()  # random transforms of the training images, after normalization
    schedule: Callable[[Optimizer, int], LRScheduler] | None = None  # of (optimizer, number of its steps)
    clip_grad_norm: float | None = None
    bright_on_dark: bool = False  # whether pictures show bright objects on a dark background
    margin: float | None = None  # width of the empty border around the object, over the picture's side, if constant

    def datasets(self, root: Path | None) -> tuple[data.Dataset, data.Dataset]:
        train, test = self.load(root)
        normalize = [] if self.mean is None else [data.transforms.Normalize(self.mean, self.std)]
        train_transforms = [*normalize, *self.augment]
        if train_transforms:
            train = train.with_transform(data.transforms.Compose(train_transforms))
        return train, test.with_transform(data.transforms.Compose(normalize)) if normalize else test

    def make_optimizer(self, model: nn.Module, lr: float) -> Optimizer:
        return self.optimizer(model.parameters(), lr)

    def make_schedule(self, optimizer: Optimizer, steps: int) -> LRScheduler | None:
        return None if self.schedule is None else self.schedule(optimizer, steps)

    def fit_options(self, train_data: data.Dataset) -> dict[str, Any]:
        return {"metrics": ["accuracy"], "clip_grad_norm": self.clip_grad_norm}

    def callbacks(self, test_data: data.Dataset, output: Path) -> Sequence[training.Callback]:
        return [training.Evaluation("test", test_data, metrics=["accuracy"])]

    def info(self, test_data: data.Dataset) -> dict[str, Any]:
        """What `load_classifier` needs to show the network a picture."""
        return {
            "classes": list(test_data.classes),
            "input": {
                "shape": list(test_data.images.shape[1:]),
                "mean": self.mean,
                "std": self.std,
                "bright_on_dark": self.bright_on_dark,
                "margin": self.margin,
            },
        }

    def results(self, model: nn.Module, test_data: data.Dataset, history: dict[str, list]) -> dict[str, Any]:
        return {name: history[name][-1] for name in ("test_accuracy", "test_loss", "train_loss")}

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        _, test = self.datasets(root)
        measured = training.evaluate(model, test)
        return {"test_images": len(test), "test_accuracy": measured["accuracy"], "test_loss": measured["loss"]}

    def pictures(self, test_data: data.Dataset) -> tuple[np.ndarray, np.ndarray]:
        """The test images (N, C, H, W) as people see them, and their labels."""
        return test_data.images, test_data.labels

    def figures(self, model: nn.Module, test_data: data.Dataset, history: dict[str, list]) -> dict[str, Any]:
        logits = training.predict(model, test_data).numpy()
        pictures, labels = self.pictures(test_data)
        classes = test_data.classes
        counts = metrics.confusion_matrix(labels, logits.argmax(1), labels=range(len(classes)))
        title = f"{self.name}: {self.dataset}, test accuracy {history['test_accuracy'][-1]:.4f}"
        return {
            "curves.png": visualize.learning_curves(history, title=title),
            "confusion_matrix.png": visualize.confusion_matrix(counts, classes, title=title),
            "misclassified.png": visualize.misclassified(pictures, labels, logits, classes),
        }
