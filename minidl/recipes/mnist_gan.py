"""A generative adversarial network that writes digits: a generator from noise, and a discriminator that it must fool.

The result is judged by a classifier of real images: does it see all classes, and how sure is it of what it sees?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minidl
from minidl import data, models, nn, optim, random, training, visualize
from minidl import functional as F
from minidl.autograd import Tensor
from minidl.optim.lr_scheduler import LRScheduler
from minidl.recipes import adversarial
from minidl.recipes.epoch_picture import EpochPicture
from minidl.recipes.recipe import LoadImages, Recipe
from minidl.recipes.schedules import cosine

SHOWN = 64  # images in a grid, of the same noise every time
JUDGED = 2000  # generated images that the classifier judges


@dataclass(frozen=True)
class RealImages:
    """Real images for the judge: it is trained on `train`, and its confidence on `test` is what fake images aim at."""

    train: data.ImageDataset
    test: data.ImageDataset

    def __len__(self) -> int:
        return len(self.test)


@dataclass(frozen=True, kw_only=True)
class ImageGAN(Recipe):
    """`models.GAN` on the images of a classification set, and the network that judges what it makes."""

    load: LoadImages
    judge: str  # of minidl.models
    judge_epochs: int

    def datasets(self, root: Path | None) -> tuple[data.ImageDataset, RealImages]:
        normalize = data.transforms.Normalize((0.5,), (0.5,))  # to -1..1, as tanh makes them
        train, test = (part.with_transform(normalize) for part in self.load(root))
        return train, RealImages(train, test)

    def options_of_data(self, train_data: data.ImageDataset) -> dict[str, Any]:
        return {"image_size": train_data.images.shape[-1]}

    def make_optimizer(self, model: nn.Module, lr: float) -> optim.Optimizer:
        return adversarial.make_optimizer(model, lr)

    def make_schedule(self, optimizer: optim.Optimizer, steps: int) -> LRScheduler:
        """Down to 0: with constant steps the two circle each other (tutorial 15), with shorter ones they settle."""
        return cosine(optimizer, steps)

    def fit_options(self, train_data: data.ImageDataset) -> dict[str, Any]:
        return {"step": gan_step}

    def callbacks(self, test_data: RealImages, output: Path) -> Sequence[training.Callback]:
        return [EpochPicture(output / "samples", draw_samples)]

    def results(self, model: nn.Module, test_data: RealImages, history: dict[str, list]) -> dict[str, Any]:
        losses = {name: history[f"train_{name}"][-1] for name in ("generator_loss", "discriminator_loss")}
        return self.judge_samples(model, test_data) | losses

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        _, real = self.datasets(root)
        return self.judge_samples(model, real)

    def judge_samples(self, model: nn.Module, real: RealImages) -> dict[str, Any]:
        """What a classifier of real images sees in generated ones, and how sure it is, beside real test images."""
        judge = self.train_judge(real.train, next(model.parameters()).device)
        made = training.predict(model, noise(JUDGED, model.latent, seed=1))
        probabilities = F.softmax(training.predict(judge, made), 1).numpy()  # (JUDGED, classes)
        of_real = F.softmax(training.predict(judge, real.test), 1).numpy()
        shares = np.bincount(probabilities.argmax(1), minlength=len(real.test.classes)) / JUDGED
        confidence, confidence_on_real = float(probabilities.max(1).mean()), float(of_real.max(1).mean())
        return {
            "relative_confidence": confidence / confidence_on_real,
            "smallest_class_share": float(shares.min()),
            "class_shares": dict(zip(real.test.classes, shares.tolist())),
            "confidence_on_real": confidence_on_real,
            "judge_accuracy": float((of_real.argmax(1) == real.test.labels).mean()),
        }

    def train_judge(self, real: data.ImageDataset, device: str) -> nn.Module:
        """The classifier, always the same one, whatever seed the GAN has."""
        with random.fork(seed=0):
            judge = models.build(self.judge, classes=len(real.classes)).to(device)
            optimizer = optim.Adam(judge.parameters(), lr=0.001)
            training.fit(judge, real, optimizer=optimizer, epochs=self.judge_epochs, batch_size=64)
        return judge

    def figures(self, model: nn.Module, test_data: RealImages, history: dict[str, list]) -> dict[str, Any]:
        epochs = f"{len(history['epoch'])} epochs"
        return {
            "curves.png": visualize.learning_curves(history, title=f"{self.name}: {self.dataset}"),
            "samples.png": draw_samples(model, f"{self.name}: {self.dataset}, {epochs}"),
        }


def gan_step(model: nn.Module, optimizer: optim.Optimizer, inputs: list[Tensor], target: Tensor) -> dict[str, Tensor]:
    """Each network learns once on a batch, of real images and as many fake ones; labels are not used."""
    [real] = inputs
    fake = model(minidl.randn(len(real), model.latent, device=real.device))
    discriminator_loss = adversarial.discriminator_step(model, optimizer, real, fake)
    generator_loss = adversarial.generator_step(model, optimizer, fake)
    return {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}


def noise(count: int, latent: int, seed: int) -> np.ndarray:
    """z (count, latent) that is the same at any time of training."""
    return np.random.default_rng(seed).standard_normal((count, latent), dtype=np.float32)


def draw_samples(model: nn.Module, title: str) -> visualize.Figure:
    x = training.predict(model, noise(SHOWN, model.latent, seed=0)).numpy()  # (N, 1, H, W) in -1..1
    return visualize.sample_grid((x + 1) / 2, title=title)


RECIPE = ImageGAN(
    name="mnist-gan",
    task="image generation",
    dataset="MNIST",
    load=data.mnist,
    network="gan",
    network_options={"latent": 100, "discriminator": "convolutional"},
    lr=0.0004,
    batch_size=32,
    epochs=10,
    judge="mnist_cnn",
    judge_epochs=2,
    expected="confidence 0.90 of that in real digits (seed 0)",
    minutes=15,
)
