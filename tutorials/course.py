"""What the tutorials share: their images, and the style of their plots."""

from __future__ import annotations

import os

import matplotlib.pyplot as plt
import numpy as np

from minidl.data import digits, mnist

plt.style.use("tableau-colorblind10")
plt.rcParams.update(
    {
        "figure.figsize": (7.5, 3.4),  # inches
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "image.cmap": "gray_r",
        "legend.frameon": False,
    }
)


def load_images(train_limit: int = 6000, test_limit: int = 1000) -> tuple[np.ndarray, ...]:
    """Handwritten digits: scikit-learn's own, or MNIST where the variable MINIDL_DATA names a folder that holds it.

    Parameters
    ----------
    train_limit, test_limit : int
        At most so many images, the first ones: MNIST has ten times as many, which would only cost time here.

    Returns
    -------
    x_train, y_train, x_test, y_test
        Images (N, 1, H, W), float32 from 0 (paper) to 1 (ink), and their digits (N,), int64.
    """
    if os.environ.get("MINIDL_DATA"):
        name, parts = "MNIST", mnist()
    else:
        name, parts = "scikit-learn's digits", digits()
    arrays: list[np.ndarray] = []
    for part, limit in zip(parts, (train_limit, test_limit)):
        arrays += part.get_batch(np.arange(min(limit, len(part))))
    x_train, _, x_test, _ = arrays
    height, width = x_train.shape[2:]
    print(f"{name}: {len(x_train)} training and {len(x_test)} test images of {height}x{width} pixels")
    return tuple(arrays)


def show_image(axes: plt.Axes, image: np.ndarray, title: str = "", **options) -> None:
    """Draw one image in a thin frame, which shows where the white background ends."""
    axes.imshow(np.squeeze(image), **options)
    axes.set_title(title, fontsize=10)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set(visible=True, color="lightgray", linewidth=0.8)
