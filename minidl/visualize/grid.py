"""Grids of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd import to_numpy
from minidl.visualize.figure import Figure, make_panels

SIDE = 1.08  # inches, the longer side of an image
CELL = 1.15  # inches from one image to the next


def images(pictures: Any, labels: Sequence[str] | None = None, *, columns: int = 8, title: str = "") -> Figure:
    """A grid of images.

    Parameters
    ----------
    pictures : array or Tensor (N, C, H, W)
        C is 1 or 3; bytes in 0..255 or floating in 0..1 (values outside are cut).
    labels : sequence of str, optional
        One over each image.
    """
    pictures = to_numpy(pictures)
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(f"pictures must have the shape (N, 1 or 3, H, W), got {pictures.shape}")
    if labels is not None and len(labels) != len(pictures):
        raise ValueError(f"labels must be one for each of the {len(pictures)} pictures, got {len(labels)}")
    check_columns(columns)
    rows, columns = max(1, math.ceil(len(pictures) / columns)), min(columns, max(len(pictures), 1))
    above = 0 if labels is None else 0.3  # of each image, for its label
    # One axes for all, with inches as units: axes of their own would cost 50 milliseconds for each image.
    figure, [axes] = make_panels(1, 1, (CELL * columns, (CELL + above) * rows), title)
    for number, picture in enumerate(pictures):
        height, width = (SIDE * pixels / max(picture.shape[1:]) for pixels in picture.shape[1:])
        left, top = number % columns * CELL + (SIDE - width) / 2, number // columns * (CELL + above) + above
        draw_image(axes, picture, extent=(left, left + width, top + height, top))
        if labels is not None:
            axes.text(left + width / 2, top - 0.04, labels[number], fontsize=7.5, ha="center", va="bottom")
    axes.set(xlim=(0, CELL * columns), ylim=((CELL + above) * rows, 0), aspect="equal")
    axes.axis("off")
    return figure


def check_columns(columns: int) -> None:
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")


def draw_image(axes: Any, picture: np.ndarray, **options: Any) -> None:
    """One picture (1 or 3, H, W), bytes or floating in 0..1, drawn in existing axes with the options of `imshow`."""
    shown = to_unit_range(picture).transpose(1, 2, 0)  # (H, W, C)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest", **options)


def to_unit_range(pictures: np.ndarray) -> np.ndarray:
    """Bytes divided by 255, floating values cut to 0..1."""
    if pictures.dtype != np.uint8 and pictures.dtype.kind not in "fb":
        raise TypeError(f"pictures must be bytes (uint8, 0..255) or floating (0..1), got {pictures.dtype}")
    return pictures / 255 if pictures.dtype == np.uint8 else np.clip(pictures, 0, 1)
