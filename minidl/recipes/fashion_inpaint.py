"""Pictures of clothes with a hole: an encoder-decoder learns to fill it, from the squared error and a discriminator.

The error alone leads to a blurred mean of all that may have been there; the discriminator makes it look real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import data, nn, optim, training, visualize
from minidl import functional as F
from minidl.autograd import Tensor
from minidl.recipes import adversarial
from minidl.recipes.epoch_picture import EpochPicture
from minidl.recipes.recipe import LoadImages, Recipe

SHOWN = 12  # images in a row
ADVERSARIAL_WEIGHT = 0.005  # of the adversarial loss, which is about 0.7; the squared error is about 0.04


class DamagedImages(data.Dataset):
    """Pairs of (damaged, whole): a square of every image (1, H, W) is missing.

    damaged = [image * (1 - hole), hole], (2, H, W), with a hole of 1 where pixels are missing, 0 elsewhere.

    Parameters
    ----------
    images : ImageDataset
    hole : int
        Height and width of the square.
    mean_image : array (1, H, W)
        Of the training images; what a hole is filled with for comparison.
    seed : int, optional
        With it, an image always has the same hole; without, the hole is drawn anew every time.
    """

    batched = True

    def __init__(self, images: data.ImageDataset, hole: int, mean_image: np.ndarray, seed: int | None = None):
        self.images, self.hole, self.mean_image = images, hole, mean_image
        self.corners = None if seed is None else self._draw(np.random.default_rng(seed), len(images))

    def __len__(self) -> int:
        return len(self.images)

    def get_batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        whole, _ = self.images.get_batch(indices)  # (N, 1, H, W)
        if self.corners is None:
            corners = self._draw(data.augmentation_generator(), len(indices))
        else:
            corners = self.corners[indices]
        holes = np.zeros_like(whole)
        for hole, (top, left) in zip(holes, corners):
            hole[:, top : top + self.hole, left : left + self.hole] = 1
        return np.concatenate([whole * (1 - holes), holes], 1), whole

    def _draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """The upper left corners of holes that lie within the image, (count, 2)."""
        height, width = self.images.images.shape[2:]
        return generator.integers(0, [height - self.hole + 1, width - self.hole + 1], (count, 2))


@dataclass(frozen=True, kw_only=True)
class Inpainting(Recipe):
    """`models.Inpainter` on the images of a classification set."""

    load: LoadImages
    hole: int  # height and width, in pixels

    def datasets(self, root: Path | None) -> tuple[DamagedImages, DamagedImages]:
        train, test = self.load(root)
        mean_image = np.float32(train.images.mean(0) / (255 if train.images.dtype == np.uint8 else 1))
        return DamagedImages(train, self.hole, mean_image), DamagedImages(test, self.hole, mean_image, seed=0)

    def options_of_data(self, train_data: DamagedImages) -> dict[str, Any]:
        return {"image_size": train_data.images.images.shape[-1]}

    def make_optimizer(self, model: nn.Module, lr: float) -> optim.Optimizer:
        return adversarial.make_optimizer(model, lr)

    def fit_options(self, train_data: DamagedImages) -> dict[str, Any]:
        return {"step": self.step}

    def step(
        self, model: nn.Module, optimizer: optim.Optimizer, inputs: list[Tensor], whole: Tensor
    ) -> dict[str, Tensor]:
        """The discriminator learns to tell repaired images from whole ones, the generator to repair them."""
        repaired = model(*inputs)
        discriminator_loss = adversarial.discriminator_step(model, optimizer, whole, repaired)
        error = self.error_in_hole(repaired, whole)
        generator_loss = adversarial.generator_step(model, optimizer, repaired, ADVERSARIAL_WEIGHT, error)
        return {
            "reconstruction_loss": error.detach(),
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
        }

    def error_in_hole(self, repaired: Tensor, whole: Tensor) -> Tensor:
        """The mean of (repaired - whole)^2 over the pixels of the hole; elsewhere the two are the same."""
        height, width = whole.shape[2:]
        return F.mse_loss(repaired, whole) * (height * width / self.hole**2)

    def callbacks(self, test_data: DamagedImages, output: Path) -> Sequence[training.Callback]:
        return [
            training.Evaluation("test", test_data, loss=None, metrics={"reconstruction_loss": self.error_in_hole}),
            EpochPicture(output / "repaired", lambda model, title: draw_repaired(model, test_data, title)),
        ]

    def results(self, model: nn.Module, test_data: DamagedImages, history: dict[str, list]) -> dict[str, Any]:
        names = ("generator_loss", "discriminator_loss", "reconstruction_loss")
        return measure(model, test_data) | {f"train_{name}": history[f"train_{name}"][-1] for name in names}

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        _, test = self.datasets(root)
        return measure(model, test)

    def figures(self, model: nn.Module, test_data: DamagedImages, history: dict[str, list]) -> dict[str, Any]:
        title = f"{self.name}: {self.dataset}, {len(history['epoch'])} epochs"
        return {
            "curves.png": visualize.learning_curves(history, title=title),
            "repaired.png": draw_repaired(model, test_data, title),
        }


def measure(model: nn.Module, test_data: DamagedImages) -> dict[str, float]:
    """The mean squared error in the holes: of the network, and of filling them with the training images' mean."""
    repaired = training.predict(model, test_data).numpy()  # (N, 1, H, W)
    damaged, whole = test_data.get_batch(np.arange(len(test_data)))
    hole = damaged[:, 1:]

    def error(filled: np.ndarray) -> float:
        return float((hole * (filled - whole) ** 2).sum(dtype=np.float64) / hole.sum(dtype=np.float64))

    mean_image = test_data.mean_image
    errors = {
        "error": error(repaired),
        "error_of_mean_image": error(mean_image),
        "error_of_mean_value": error(mean_image.mean()),
    }
    return {"error_relative_to_mean_image": errors["error"] / errors["error_of_mean_image"]} | errors


def draw_repaired(model: nn.Module, test_data: DamagedImages, title: str) -> visualize.Figure:
    damaged, whole = test_data.get_batch(np.arange(min(SHOWN, len(test_data))))
    repaired = training.predict(model, damaged).numpy()
    image, hole = damaged[:, :1], damaged[:, 1:]
    return visualize.image_rows(
        {
            "damaged": image + 0.5 * hole,  # grey where it is missing
            "filled with the mean": np.where(hole > 0, test_data.mean_image, image),
            "repaired": repaired,
            "original": whole,
        },
        title=title,
    )


RECIPE = Inpainting(
    name="fashion-inpaint",
    task="image repair",
    dataset="Fashion-MNIST",
    load=data.fashion_mnist,
    network="inpainter",
    lr=0.001,
    batch_size=64,
    epochs=3,
    hole=12,
    expected="error 0.24 of that of the mean image (seed 0)",
    minutes=2,
)
