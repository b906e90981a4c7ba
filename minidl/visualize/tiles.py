"""Many small images side by side in one picture, for example samples of a GAN or the frames of a film."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minidl.autograd import to_numpy
from minidl.visualize.figure import Figure, make_panels
from minidl.visualize.grid import check_columns, draw_image, to_unit_range

GAP = 2  # pixels between images
TILE = 0.62  # inches for an image


def sample_grid(pictures: Any, *, columns: int = 8, title: str = "") -> Figure:
    """A grid of many images without labels, drawn as one picture.

    Parameters
    ----------
    pictures : array or Tensor (N, C, H, W)
        C is 1 or 3; bytes in 0..255 or floating in 0..1 (values outside are cut).
    columns : int
    title : str

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import visualize
    >>> figure = visualize.sample_grid(np.zeros((12, 1, 8, 8)), columns=4)
    >>> figure.axes[0].images[0].get_array().shape  # 3 rows and 4 columns, with 2 pixels between
    (28, 38)
    """
    tiled = _tile(pictures, columns)
    rows = math.ceil(len(pictures) / columns)
    figure, [axes] = make_panels(1, 1, (TILE * columns, TILE * rows), title)
    draw_image(axes, tiled)
    axes.axis("off")
    return figure


def image_rows(rows: Mapping[str, Any], *, title: str = "") -> Figure:
    """Rows of images, each with its name on the left; images that belong together stand one under the other.

    Parameters
    ----------
    rows : dict of array or Tensor (N, C, H, W)
        By name; all of one shape, values as in :func:`sample_grid`.
    title : str

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import visualize
    >>> images = np.zeros((6, 1, 8, 8))
    >>> figure = visualize.image_rows({"damaged": images, "repaired": images, "original": images})
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['damaged', 'repaired', 'original']
    """
    pictures = [to_numpy(row) for row in rows.values()]
    shapes = {name: picture.shape for name, picture in zip(rows, pictures)}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"rows must be images of one shape, at least one row, got {shapes}")
    count, _, height, _ = pictures[0].shape
    tiled = _tile(np.concatenate(pictures), count)
    width = TILE * count + 0.075 * max(map(len, rows))  # a letter of 8 points takes some 0.075 inches
    figure, [axes] = make_panels(1, 1, (width, TILE * len(rows) + 0.1), title)
    draw_image(axes, tiled)
    axes.set_xticks([])
    axes.set_yticks([(height - 1) / 2 + row * (height + GAP) for row in range(len(rows))], rows, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _tile(pictures: Any, columns: int) -> np.ndarray:
    """One picture (C, height, width) in 0..1 of N images; white between them and where the last row ends early."""
    pictures = to_numpy(pictures)
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or len(pictures) == 0:
        raise ValueError(f"pictures must have the shape (N, 1 or 3, H, W), N at least 1, got {pictures.shape}")
    check_columns(columns)
    pictures = to_unit_range(pictures)
    count, channels, height, width = pictures.shape
    rows = math.ceil(count / columns)
    tiled = np.ones((channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP))
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        tiled[:, top : top + height, left : left + width] = picture
    return tiled
