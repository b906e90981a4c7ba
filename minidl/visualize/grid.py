"""Grids of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd import to_numpy
from minidl.visualize.figure import Figure, make_panels


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
    rows = max(1, math.ceil(len(pictures) / columns))
    size = (1.15, 1.15 if labels is None else 1.45)
    figure, panels = make_panels(rows, min(columns, max(len(pictures), 1)), size, title)
    for axes in panels:
        axes.axis("off")
    for number, (axes, picture) in enumerate(zip(panels, pictures)):
        draw_image(axes, picture)
        if labels is not None:
            axes.set_title(labels[number], fontsize=7.5, pad=3)
    return figure


def check_columns(columns: int) -> None:
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")


def draw_image(axes: Any, picture: np.ndarray) -> None:
    """One picture (1 or 3, H, W), bytes or floating in 0..1, drawn in existing axes."""
    shown = to_unit_range(picture).transpose(1, 2, 0)  # (H, W, C)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def to_unit_range(pictures: np.ndarray) -> np.ndarray:
    """Bytes divided by 255, floating values cut to 0..1."""
    if pictures.dtype != np.uint8 and pictures.dtype.kind not in "fb":
        raise TypeError(f"pictures must be bytes (uint8, 0..255) or floating (0..1), got {pictures.dtype}")
    return pictures / 255 if pictures.dtype == np.uint8 else np.clip(pictures, 0, 1)
