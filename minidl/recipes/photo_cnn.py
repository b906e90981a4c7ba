"""Your own photographs: a folder with one subfolder of pictures for each class, given by --data.

The folders `train` and `test` (or `val`) in it are the two parts; else every fifth picture of each class is for the
test. Files that cannot be read are left out, with a warning that names them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from minidl import data, nn, optim, training
from minidl.data.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToTensor,
)
from minidl.recipes.image_classifier import ImageClassifier
from minidl.recipes.schedules import warm_up_and_cosine

SIZE = 224  # pixels
THUMBNAIL = 96  # pixels, in the figure of mistakes


def load(root: Path | None) -> tuple[data.Dataset, data.Dataset]:
    """The training and the test pictures of a folder, as Pillow images."""
    if root is None:
        raise ValueError("photo-cnn needs a folder of pictures, with a subfolder for each class: --data FOLDER")
    train, test = data.image_folder(root, on_error="skip")
    if len(train.classes) < 2:
        raise ValueError(
            f"{root} has pictures of one class alone, {train.classes[0]!r}; expected subfolders of two or more"
        )
    return train, test


def labels_of(pictures: data.Dataset) -> np.ndarray:
    """The labels (N,) of a folder of pictures or of a part of one."""
    return labels_of(pictures.dataset)[pictures.indices] if isinstance(pictures, data.Subset) else pictures.targets


def with_transforms(pictures: data.Dataset, *transforms: Any) -> data.Dataset:
    """The same pictures with other transforms."""
    if isinstance(pictures, data.Subset):
        return data.Subset(with_transforms(pictures.dataset, *transforms), pictures.indices)
    return pictures.with_transform(Compose(transforms))


class PhotoClassifier(ImageClassifier):
    """A classifier of pictures that are read from their files as they are needed."""

    def datasets(self, root: Path | None) -> tuple[data.Dataset, data.Dataset]:
        train, test = self.load(root)
        to_input = ToTensor(), Normalize(self.mean, self.std)
        return (
            with_transforms(train, *self.augment, *to_input),
            with_transforms(test, Resize(SIZE), CenterCrop(SIZE), *to_input),
        )

    def options_of_data(self, train_data: data.Dataset) -> dict[str, Any]:
        return {"classes": len(train_data.classes)}

    def fit_options(self, train_data: data.Dataset) -> dict[str, Any]:
        """Classes count alike, however many pictures they have."""
        weight = training.balanced_class_weights(labels_of(train_data), len(train_data.classes))
        return super().fit_options(train_data) | {"loss": nn.CrossEntropyLoss(weight=weight)}

    def info(self, test_data: data.Dataset) -> dict[str, Any]:
        shape = {"shape": [3, SIZE, SIZE], "mean": self.mean, "std": self.std, "bright_on_dark": self.bright_on_dark}
        return {"classes": list(test_data.classes), "input": shape}

    def trained_with(self, info: dict[str, Any]) -> PhotoClassifier:
        def load_same_classes(root: Path | None) -> tuple[data.Dataset, data.Dataset]:
            train, test = self.load(root)
            if list(train.classes) != info["classes"]:
                raise ValueError(
                    f"{root} has the classes {', '.join(train.classes)}; the network was trained on "
                    f"{', '.join(info['classes'])}"
                )
            return train, test

        return dataclasses.replace(self, load=load_same_classes)

    def pictures(self, test_data: data.Dataset) -> tuple[np.ndarray, np.ndarray]:
        thumbnails = with_transforms(test_data, Resize(THUMBNAIL), CenterCrop(THUMBNAIL), ToTensor())
        pictures = [np.uint8(thumbnails[index][0].numpy() * 255) for index in range(len(thumbnails))]
        return np.stack(pictures), labels_of(test_data)


RECIPE = PhotoClassifier(
    name="photo-cnn",
    task="image classification",
    dataset="a folder of pictures",
    load=load,
    network="photo_cnn",
    optimizer=optim.AdamW,
    lr=0.002,
    batch_size=16,
    epochs=20,
    schedule=warm_up_and_cosine,
    mean=(0.485, 0.456, 0.406),  # of the photographs of ImageNet
    std=(0.229, 0.224, 0.225),
    augment=(
        RandomResizedCrop(SIZE, scale=(0.35, 1.0)),
        RandomHorizontalFlip(),
        ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
    ),
    expected="depends on the pictures",
    minutes=10,
)
