"""Transfer learning: few labels suffice if the network has learned from many images of other classes before.

A network learns the digits 0 to 4 from all their images (or is given by --weights: a checkpoint, or PyTorch's .pth of
the same layers). Its convolutions are kept, its two linear layers are replaced, and it learns the digits 5 to 9 from 10
images of each, in three ways side by side on the same batches:

    fine-tuned    the new head at lr, the convolutions at lr / 10: discriminative learning rates
    frozen        the new head alone
    scratch       all layers new, all at lr

Pretraining is worth about 0.1 of accuracy. Fine-tuning the convolutions is worth nothing here: 50 images give no better
features than the digits 0 to 4 did.

Source: Yosinski et al., How transferable are features in deep neural networks?, 2014; Howard and Ruder, Universal
language model fine-tuning for text classification, 2018, section 3.2 (discriminative rates).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import minidl
from minidl import Tensor, data, models, nn, optim, training, visualize
from minidl import functional as F
from minidl.recipes.image_classifier import ImageClassifier
from minidl.recipes.schedules import cosine

KNOWN = (0, 1, 2, 3, 4)  # classes of the pretraining
NEW = (5, 6, 7, 8, 9)
LABELS = 10  # images of each new class to learn from
WAYS = ("fine_tuned", "frozen", "scratch")
PRETRAINED = "pretrained.safetensors"


def select_classes(images: data.ImageDataset, classes: Sequence[int], limit: int | None = None) -> data.ImageDataset:
    """The images of some classes, labelled 0, 1, ...; at most `limit` of each, drawn from the stream "shuffling"."""
    chosen = []
    for label in classes:
        places = np.flatnonzero(images.labels == label)
        chosen.append(places if limit is None else minidl.random.generator("shuffling").permutation(places)[:limit])
    labels = np.repeat(np.arange(len(classes)), [len(places) for places in chosen])
    return data.ImageDataset(images.images[np.concatenate(chosen)], labels, [images.classes[k] for k in classes])


class Transfer(ImageClassifier):
    """The three ways of learning from few labels; the measure is the accuracy of the fine-tuned network."""

    def datasets(self, root: Path | None) -> tuple[data.ImageDataset, data.ImageDataset]:
        train, test = self.load(root)
        return select_classes(train, NEW, LABELS), select_classes(test, NEW)

    def start(self, model: models.TransferComparison, weights: Path | None, root: Path | None, output: Path) -> None:
        if weights is None:
            weights = output / PRETRAINED
            minidl.save(weights, self.pretrained(root).state_dict())
        training.load_pretrained(model.fine_tuned, weights, model.HEAD)
        training.load_pretrained(model.frozen, weights, model.HEAD)

    def pretrained(self, root: Path | None) -> nn.Module:
        """The network after two epochs of all images of the known classes."""
        known = select_classes(self.load(root)[0], KNOWN)
        model = models.mnist_cnn(len(KNOWN))
        training.fit(model, known, optimizer=optim.Adam(model.parameters(), lr=0.003), epochs=2, batch_size=32)
        return model

    def make_optimizer(self, model: models.TransferComparison, lr: float) -> optim.Optimizer:
        body = {id(parameter) for parameter in model.fine_tuned[model.BODY].parameters()}
        others = [p for p in model.parameters() if p.requires_grad and id(p) not in body]
        return optim.Adam(
            [{"params": others, "lr": lr}, {"params": model.fine_tuned[model.BODY].parameters(), "lr": lr / 10}]
        )

    def fit_options(self, train_data: data.ImageDataset) -> dict[str, Any]:
        return {"step": step}

    def callbacks(self, test_data: data.ImageDataset, output: Path) -> Sequence[training.Callback]:
        return [EvaluateEach(test_data)]

    def results(self, model: nn.Module, test_data: data.ImageDataset, history: dict[str, list]) -> dict[str, Any]:
        accuracies = {f"{way}_accuracy": history[f"{way}_test_accuracy"][-1] for way in WAYS[1:]}
        return {
            "test_accuracy": history["fine_tuned_test_accuracy"][-1],
            **accuracies,
            "train_loss": history["train_fine_tuned_loss"][-1],
        }

    def figures(self, model: nn.Module, test_data: data.ImageDataset, history: dict[str, list]) -> dict[str, Any]:
        measured = history | {"test_accuracy": history["fine_tuned_test_accuracy"]}
        runs = {
            way.replace("_", "-"): {
                "epoch": history["epoch"],
                "train_loss": history[f"train_{way}_loss"],
                "test_loss": history[f"{way}_test_loss"],
                "train_accuracy": history[f"train_{way}_accuracy"],
                "test_accuracy": history[f"{way}_test_accuracy"],
            }
            for way in WAYS
        }
        title = f"{self.name}: digits 5 to 9 from {LABELS} images of each"
        return super().figures(model, test_data, measured | {"train_loss": history["train_fine_tuned_loss"]}) | {
            "curves.png": visualize.learning_curves(runs, title=title)
        }


def step(
    model: models.TransferComparison, optimizer: optim.Optimizer, inputs: list[Tensor], target: Tensor
) -> dict[str, Any]:
    """One step of each of the three networks on the same batch."""
    optimizer.zero_grad()
    measured: dict[str, Any] = {}
    total: Any = 0
    for way in WAYS:
        output = getattr(model, way)(*inputs)
        loss = F.cross_entropy(output, target)
        total = total + loss  # they share no weight: each learns from its own term
        measured[f"{way}_loss"] = loss.detach()
        measured[f"{way}_accuracy"] = np.mean(output.numpy().argmax(1) == target.numpy())
    total.backward()
    optimizer.step()
    return measured


class EvaluateEach(training.Callback):
    """Test all three networks after every epoch."""

    def __init__(self, test_data: data.ImageDataset):
        self.test_data = test_data

    def on_validation_end(self, run: training.Run) -> None:
        for way in WAYS:
            for name, value in training.evaluate(getattr(run.model, way), self.test_data).items():
                run.values[f"{way}_test_{name}"] = value


RECIPE = Transfer(
    name="transfer",
    task="fine-tuning",
    dataset="MNIST",
    load=data.mnist,
    network="transfer_comparison",
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=10,
    epochs=40,
    schedule=cosine,
    expected="accuracy 0.89 to 0.91, frozen 0.90 to 0.91, from scratch 0.80 to 0.81",
    minutes=0.2,
    bright_on_dark=True,
)
