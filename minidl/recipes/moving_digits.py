"""Films of moving digits: a CNN computes features of each frame, an LSTM reads them, and the class is the motion.

A single frame does not show the motion: the same network, trained on the middle frame alone, can only guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import data, metrics, models, nn, optim, random, training, visualize
from minidl.optim.lr_scheduler import LRScheduler
from minidl.recipes.recipe import LoadImages, Recipe
from minidl.recipes.schedules import cosine


class Films(data.ImageDataset):
    """The test films (N, T, H, W), with those of training beside them for the network that sees one frame."""

    def __init__(self, films: data.ImageDataset, training_films: data.ImageDataset):
        super().__init__(films.images, films.labels, films.classes)
        self.training_films = training_films


@dataclass(frozen=True, kw_only=True)
class MotionClassifier(Recipe):
    """`models.FrameLSTM` on films made of a classification set; test films are made of its test images."""

    load: LoadImages
    films: tuple[int, int]  # for training and for the test
    size: int = 32  # of a frame

    def datasets(self, root: Path | None) -> tuple[data.ImageDataset, Films]:
        generator = np.random.default_rng(0)  # the same films for every seed of the network
        train, test = (
            data.moving_images(part.images, count, size=self.size, generator=generator)
            for part, count in zip(self.load(root), self.films)
        )
        return train, Films(test, train)

    def options_of_data(self, train_data: data.ImageDataset) -> dict[str, Any]:
        return {"classes": len(train_data.classes), "image_size": train_data.images.shape[-1]}

    def make_schedule(self, optimizer: optim.Optimizer, steps: int) -> LRScheduler:
        """Down to 0: with constant steps the test accuracy of an epoch is anything from 0.98 to 0.998."""
        return cosine(optimizer, steps)

    def fit_options(self, train_data: data.ImageDataset) -> dict[str, Any]:
        return {"metrics": ["accuracy"]}

    def callbacks(self, test_data: Films, output: Path) -> Sequence[training.Callback]:
        return [training.Evaluation("test", test_data)]

    def results(self, model: nn.Module, test_data: Films, history: dict[str, list]) -> dict[str, Any]:
        return {
            "test_accuracy": history["test_accuracy"][-1],
            "one_frame_accuracy": self.one_frame_accuracy(model, test_data, epochs=len(history["epoch"])),
            "chance": 1 / len(test_data.classes),
            "test_loss": history["test_loss"][-1],
            "train_loss": history["train_loss"][-1],
        }

    def one_frame_accuracy(self, model: models.FrameLSTM, test_data: Films, epochs: int) -> float:
        """The test accuracy of the same network, trained as long, on the frame in the middle of each film."""
        train, test = (one_frame(films) for films in (test_data.training_films, test_data))
        with random.fork(seed=0):
            same = models.FrameLSTM(**model.options).to(next(model.parameters()).device)
            optimizer = optim.Adam(same.parameters(), self.lr)
            training.fit(same, train, optimizer=optimizer, epochs=epochs, batch_size=self.batch_size)
        return training.evaluate(same, test)["accuracy"]

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        _, test = self.datasets(root)
        measured = training.evaluate(model, test)
        return {"test_films": len(test), "test_accuracy": measured["accuracy"], "test_loss": measured["loss"]}

    def figures(self, model: nn.Module, test_data: Films, history: dict[str, list]) -> dict[str, Any]:
        classes = test_data.classes
        predicted = training.predict(model, test_data).numpy().argmax(1)
        counts = metrics.confusion_matrix(test_data.labels, predicted, labels=range(len(classes)))
        title = f"{self.name}: {self.dataset}, test accuracy {history['test_accuracy'][-1]:.4f}"
        first = [np.flatnonzero(test_data.labels == label)[0] for label in range(len(classes))]
        shown = {name: test_data.images[i][:, None] for name, i in zip(classes, first)}  # (T, 1, H, W) each
        return {
            "curves.png": visualize.learning_curves(history, title=title),
            "confusion_matrix.png": visualize.confusion_matrix(counts, classes, title=title),
            "films.png": visualize.image_rows(shown, title="a film of each motion, from left to right"),
        }


def one_frame(films: data.ImageDataset) -> data.ImageDataset:
    """The middle frame of each film, as films of one frame."""
    middle = films.images.shape[1] // 2
    return data.ImageDataset(films.images[:, middle : middle + 1], films.labels, films.classes)


RECIPE = MotionClassifier(
    name="moving-digits",
    task="film classification",
    dataset="MNIST, moved",
    load=data.mnist,
    films=(8000, 2000),
    network="frame_lstm",
    lr=0.001,
    batch_size=32,
    epochs=8,
    expected="accuracy 0.997 to 0.999, of one frame alone 0.13",
    minutes=0.3,
)
