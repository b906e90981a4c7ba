"""What a convolution has learned: its filters, and its output for a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidl import nn
from minidl.autograd import Tensor, to_numpy
from minidl.visualize.figure import Figure, make_panels
from minidl.visualize.grid import check_columns, images


def filters(layer: nn.Module, *, columns: int = 8, title: str = "") -> Figure:
    """The filters of a convolution, one picture each, on a common scale with 0 in white.

    With 3 input channels they are shown in colour, with 0 in grey; otherwise only the first input channel is shown.

    Parameters
    ----------
    layer : nn.Conv2d
        Weights (K, C, R, S).
    """
    w = to_numpy(getattr(layer, "weight", 0.0))
    if w.ndim != 4:
        got = f"{type(layer).__name__} with weights of shape {w.shape}" if w.ndim else type(layer).__name__
        raise ValueError(f"layer must be a convolution with weights (K, C, R, S), got {got}")
    scale = float(np.abs(w).max()) or 1.0
    if w.shape[1] == 3:
        return images(0.5 + w / (2 * scale), columns=columns, title=title)
    return _maps(w[:, 0], scale, "weight", columns, title)


def feature_maps(model: nn.Module, layer: str, picture: Any, *, columns: int = 8, title: str = "") -> Figure:
    """The output of each channel of a layer for one picture.

    Parameters
    ----------
    model : Module
        Run once, in evaluation mode.
    layer : str
        Its name in ``model.named_modules()``; its output must be (1, C, H, W).
    picture : array or Tensor (C, H, W)
    """
    with output_of(model, layer) as seen, nn.utils.evaluation_mode(model):
        model(Tensor(to_numpy(picture)[None]))
    [maps] = to_numpy(seen[0])
    return _maps(maps, float(np.abs(maps).max()) or 1.0, "activation", columns, title)


@contextmanager
def output_of(model: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """A block in which the model is run once, and a list that then holds the layer's output, images (1, C, H, W)."""
    seen: list[Tensor] = []
    with model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: seen.append(output)):
        yield seen
    if not seen or seen[0].ndim != 4:
        got = f"shape {seen[0].shape}" if seen else "nothing: the model did not call it"
        raise ValueError(f"the layer {layer} gives no images (1, C, H, W), got {got}")


def _maps(maps: np.ndarray, scale: float, label: str, columns: int, title: str) -> Figure:
    """Signed pictures (N, H, W) on one scale: blue below 0, white at 0, red above."""
    check_columns(columns)
    figure, panels = make_panels(math.ceil(len(maps) / columns), min(columns, len(maps)), (1.0, 1.0), title)
    for axes in panels:
        axes.axis("off")
    for axes, picture in zip(panels, maps):
        image = axes.imshow(picture, cmap="RdBu_r", vmin=-scale, vmax=scale, interpolation="nearest")
    figure.colorbar(image, ax=panels, label=label, shrink=0.8)
    return figure
