"""A dataset of images that are held in memory as one array."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.data.dataset import Dataset


class ImageDataset(Dataset):
    """Images and their labels, all in memory.

    x[i] = images[i] / 255, in float32, for images in bytes; floating-point images are returned as they are.

    Bytes stay bytes in memory (a quarter of the space) and are converted batch by batch.

    Parameters
    ----------
    images : array (N, C, H, W)
        uint8 in 0..255, or floating in 0..1.
    labels : array (N,) of int
        In 0..len(classes)-1.
    classes : sequence of str
        The name of each label.
    transform : callable, optional
        Called with these images (C, H, W) in 0..1, or with whole batches (N, C, H, W) if its `batched` is true.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import ImageDataset
    >>> dataset = ImageDataset(np.full((2, 1, 4, 4), 255, np.uint8), np.array([0, 1]), ["cat", "dog"])
    >>> image, label = dataset[1]
    >>> image.shape, image.dtype, float(image.max()), dataset.classes[label]
    ((1, 4, 4), dtype('float32'), 1.0, 'dog')
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[str],
        transform: Callable[[Any], Any] | None = None,
    ):
        self.images = np.asarray(images)
        self.labels = np.asarray(labels)
        self.classes = tuple(classes)
        self.transform = transform
        if self.images.ndim != 4:
            raise ValueError(f"images must have the shape (N, C, H, W), got {self.images.shape}")
        if self.images.dtype != np.uint8 and self.images.dtype.kind != "f":
            raise ValueError(f"images must be uint8 (0..255) or floating (0..1), got {self.images.dtype}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must have the shape ({len(self.images)},), one for each image, got {self.labels.shape}"
            )
        if self.labels.dtype.kind not in "iu":
            raise ValueError(f"labels must be integers, got {self.labels.dtype}")
        self.labels = self.labels.astype(np.int64, copy=False)
        check_labels(self.labels, len(self.classes), "labels")

    @property
    def batched(self) -> bool:
        return self.transform is None or getattr(self.transform, "batched", False)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, np.int64]:
        image = _to_float(self.images[index])  # (C, H, W)
        return (image if self.transform is None else self.transform(image)), self.labels[index]

    def get_batch(self, indices: np.ndarray) -> tuple[Any, np.ndarray]:
        images = _to_float(self.images[indices])  # (n, C, H, W)
        return (images if self.transform is None else self.transform(images)), self.labels[indices]

    def with_transform(self, transform: Callable[[Any], Any] | None) -> "ImageDataset":
        """The same images, not copied, under another transform."""
        other = copy.copy(self)
        other.transform = transform
        return other

    def __repr__(self) -> str:
        _, channels, height, width = self.images.shape
        size = f"{channels}x{height}x{width}"
        return f"ImageDataset({len(self)} images of {size}, {len(self.classes)} classes, transform={self.transform})"


def _to_float(images: np.ndarray) -> np.ndarray:
    return np.divide(images, np.float32(255)) if images.dtype == np.uint8 else images


def check_labels(labels: np.ndarray, classes: int, what: str) -> None:
    """Raises ValueError where a label lies outside 0..classes-1; `what` names the argument or file."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise ValueError(
            f"{what}: label {labels[wrong[0]]} at position {wrong[0]} is out of range, expected 0..{classes - 1}"
        )
