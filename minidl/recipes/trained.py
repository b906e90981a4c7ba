"""Trained networks from their checkpoints: to evaluate them again, or to classify a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import data, models, nn, training
from minidl import functional as F
from minidl.data.transforms import Grayscale, Normalize, Resize

# what `minidl train` writes into every checkpoint
WRITTEN = {"recipe": str, "options": dict, "network": str, "network_options": dict}

LONGEST = 4096  # pixels of a side; a long strip would be padded to a square, which may not fit the memory


@dataclass
class Prediction:
    """What a classifier says of one picture."""

    label: str
    probabilities: dict[str, float]  # of every class


@dataclass
class TrainedClassifier:
    """The network of a checkpoint, in evaluation mode, and what the checkpoint says of its input and classes."""

    model: nn.Module
    saved: training.SavedRun

    @property
    def recipe(self) -> str:
        return self.saved.info["recipe"]

    @property
    def classes(self) -> list[str]:
        return self.saved.info["classes"]

    def predict(self, picture: Path | str | np.ndarray) -> Prediction:
        """The class of a picture, given as a file or as an array (1 or 3, H, W) in 0..1."""
        x = self.prepare(read_pixels(picture) if isinstance(picture, (str, Path)) else picture)  # (C, H, W)
        logits = training.predict(self.model, x[None]).numpy()  # (1, K)
        probabilities = F.softmax(logits[0].astype(np.float64), 0)
        by_class = dict(zip(self.classes, probabilities.tolist()))
        return Prediction(max(by_class, key=by_class.get), by_class)

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """A picture (1 or 3, H, W) in 0..1 as the network saw its own in training; see :func:`prepare`."""
        return prepare(pixels, **self.saved.info["input"])


def load_run(path: Path | str) -> training.SavedRun:
    """What `minidl train` left in a checkpoint."""
    saved = training.load_checkpoint(path)
    check_entries(path, saved.info, WRITTEN)
    return saved


def check_entries(path: Path | str, entries: dict[str, Any], kinds: dict[str, type]) -> None:
    """Raise a ValueError unless the entries of a checkpoint are complete and of their kinds."""
    missing = kinds.keys() - entries.keys()
    if missing:
        raise ValueError(f"{path} was not written by minidl train: it does not say its {', '.join(sorted(missing))}")
    for name, kind in kinds.items():
        if not isinstance(entries[name], kind):
            got = f"{entries[name]!r:.40}"
            raise ValueError(f"{path}: damaged checkpoint ({name} must be a {kind.__name__}, got {got})")


def load_trained(path: Path | str) -> tuple[nn.Module, training.SavedRun]:
    """The network that `minidl train` left in a checkpoint, in evaluation mode, and what the checkpoint says."""
    saved = load_run(path)
    model = models.build(saved.info["network"], **saved.info["network_options"])
    saved.restore_model(model)
    return model.eval(), saved


def load_classifier(path: Path | str) -> TrainedClassifier:
    """The image classifier that `minidl train` left in a checkpoint."""
    model, saved = load_trained(path)
    if not {"classes", "input"} <= saved.info.keys():
        raise ValueError(f"{path} holds the recipe {saved.info['recipe']}, which classifies no images")
    classes = saved.info["classes"]
    if not isinstance(classes, list) or not classes or not all(isinstance(label, str) for label in classes):
        raise ValueError(f"{path}: damaged checkpoint (classes must be a list of names, got {classes!r:.40})")
    classifier = TrainedClassifier(model, saved)
    try:
        classifier.prepare(np.zeros((3, 1, 1), np.float32))
    except Exception as error:  # whatever the entries of "input" may be
        raise ValueError(f"{path}: damaged checkpoint (its input: {error})") from error
    return classifier


def read_pixels(path: Path | str) -> np.ndarray:
    """The picture in a file, float32 (3, H, W) in 0..1."""
    return np.asarray(data.transforms.ToTensor()(data.read_picture(path)).data)


def prepare(
    pixels: np.ndarray,
    shape: list[int],
    mean: list[float] | None,
    std: list[float] | None,
    bright_on_dark: bool,
    margin: float | None = None,
) -> np.ndarray:
    """A picture in the form of those that the network was trained on.

    It is made grey if the network takes one channel; grey is repeated if it takes three. For a network that was trained
    on bright objects on a dark background (MNIST), a picture with a bright border is inverted, and it is padded with
    black to a square; with a `margin`, the bright part is cut out first and centred with that border around it. For
    other networks the longer side is cropped. Then the picture is resized with antialiasing. A picture with a side of
    more than LONGEST pixels is first reduced to that.

    Raises
    ------
    ValueError
        For what is no floating picture (1 or 3, H, W).
    """
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3) or 0 in pixels.shape or pixels.dtype.kind != "f":
        raise ValueError(
            f"a picture must be floating, 0..1, of the shape (1 or 3, H, W), got {pixels.dtype} of shape {pixels.shape}"
        )
    channels, height, width = shape
    longest = max(pixels.shape[1:])
    if longest > LONGEST:
        pixels = Resize(tuple(max(1, side * LONGEST // longest) for side in pixels.shape[1:]))(pixels)
    pixels = Grayscale()(pixels) if channels == 1 else np.repeat(pixels, channels // len(pixels), axis=0)
    if bright_on_dark:
        border = np.concatenate(
            [pixels[:, 0].ravel(), pixels[:, -1].ravel(), pixels[:, :, 0].ravel(), pixels[:, :, -1].ravel()]
        )
        if np.median(border) > 0.5:
            pixels = 1 - pixels
        pixels = _pad_to_square(pixels if margin is None else _cut_out(pixels), margin or 0.0)
    else:
        pixels = data.transforms.CenterCrop(min(pixels.shape[1:]))(pixels)
    pixels = Resize((height, width))(pixels).astype(np.float32)
    return pixels if mean is None else Normalize(mean, std)(pixels)


def _cut_out(pixels: np.ndarray) -> np.ndarray:
    """The smallest rectangle with all that is at least a quarter as bright as the brightest; all of a dark picture."""
    bright = pixels[0] >= max(pixels.max() / 4, 0.05)
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    if not len(rows):
        return pixels
    return pixels[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _pad_to_square(pixels: np.ndarray, margin: float) -> np.ndarray:
    """The picture in the middle of a dark square, with `margin` of the square's side free at every side."""
    _, height, width = pixels.shape
    side = round(max(height, width) / (1 - 2 * margin))
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(pixels, ((0, 0), (top, side - height - top), (left, side - width - left)))
