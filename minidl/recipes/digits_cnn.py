"""Handwritten digits of 8x8 pixels, which come with scikit-learn. Most of the 360 test images are by other writers."""

from __future__ import annotations

import warnings
from pathlib import Path

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier


def load(root: Path | None) -> tuple[data.ImageDataset, data.ImageDataset]:
    if root is not None:
        warnings.warn(f"the digits come with scikit-learn: nothing in {root} is used", stacklevel=2)
    return data.digits()


RECIPE = ImageClassifier(
    name="digits-cnn",
    task="image classification",
    dataset="digits",
    load=load,
    network="digits_cnn",
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=32,
    epochs=30,
    expected="accuracy 0.93 to 0.96",
    minutes=0.1,
    bright_on_dark=True,
)
