"""An autoencoder of MNIST: from 784 pixels to a code of 10 numbers and back, beside PCA, the best linear code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import cluster, data, metrics, nn, training, visualize
from minidl import functional as F
from minidl.recipes.recipe import Recipe

SHOWN = 12  # images in the picture of reconstructions


class Reconstruction(data.Dataset):
    """Samples (x, x) of an image dataset: the target is the input."""

    batched = True

    def __init__(self, images: data.ImageDataset):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def get_batch(self, indices: np.ndarray) -> tuple[Any, Any]:
        x, _ = self.images.get_batch(indices)
        return x, x


@dataclass(frozen=True, kw_only=True)
class ImageAutoencoder(Recipe):
    """An encoder and a decoder, trained on the mean squared error of the pixels."""

    def datasets(self, root: Path | None) -> tuple[Reconstruction, Reconstruction]:
        train, test = data.mnist(root)
        return Reconstruction(train), Reconstruction(test)

    def fit_options(self, train_data: Reconstruction) -> dict[str, Any]:
        return {"loss": F.mse_loss}

    def callbacks(self, test_data: Reconstruction, output: Path) -> Sequence[training.Callback]:
        return [training.Evaluation("test", test_data, loss=F.mse_loss, metrics=())]

    def results(self, model: nn.Module, test_data: Reconstruction, history: dict[str, list]) -> dict[str, Any]:
        codes = training.predict(model.encoder, test_data).numpy()
        labels = test_data.images.labels
        clusters = cluster.KMeans(len(test_data.images.classes), n_init=10, random_state=0).fit_predict(codes)
        return {
            "test_loss": history["test_loss"][-1],
            "pca_test_loss": pca_loss(_pixels(test_data), codes.shape[1]),
            "train_loss": history["train_loss"][-1],
            "test_clustering_accuracy": metrics.clustering_accuracy(labels, clusters),
        }

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        _, test = self.datasets(root)
        return {
            "test_images": len(test),
            "test_loss": training.evaluate(model, test, loss=F.mse_loss, metrics=())["loss"],
        }

    def figures(self, model: nn.Module, test_data: Reconstruction, history: dict[str, list]) -> dict[str, Any]:
        x, _ = test_data.get_batch(np.arange(SHOWN))
        pairs = np.concatenate([x, training.predict(model, x).numpy()])
        codes = training.predict(model.encoder, test_data).numpy()
        loss = f"{self.name}: {self.dataset}, mean squared error {history['test_loss'][-1]:.4f} on the test images"
        images = test_data.images
        return {
            "curves.png": visualize.learning_curves(history, title=loss),
            "reconstructions.png": visualize.images(pairs, columns=SHOWN, title="images and what their codes give"),
            "codes.png": visualize.embedding(codes, images.labels, images.classes, title="codes of test images"),
        }  # fmt: skip


def pca_loss(x: np.ndarray, size: int) -> float:
    """The mean squared error of samples x (N, D) reconstructed from their first `size` principal components.

    mean (x - x')^2 = sum of the other variances / D, the least that a linear code of that size can reach
    """
    variances = np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True))  # ascending
    return float(variances[:-size].sum() / x.shape[1])


def _pixels(dataset: Reconstruction) -> np.ndarray:
    """The images, (N, pixels)."""
    x, _ = dataset.get_batch(np.arange(len(dataset)))
    return x.reshape(len(x), -1)


RECIPE = ImageAutoencoder(
    name="mnist-autoencoder",
    task="autoencoder",
    dataset="MNIST",
    network="autoencoder",
    network_options={"hidden_sizes": [500, 250], "code_size": 10},
    lr=0.001,
    batch_size=256,
    epochs=15,
    expected="mean squared error below that of PCA",
    minutes=1.5,
)
