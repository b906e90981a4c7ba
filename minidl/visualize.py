"""Pictures of a training run and of what a network has learned.

Every function draws with matplotlib, which is imported when the first is called, and returns a Figure that belongs to
no window: show it in a notebook, or write it with `save`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor
from minidl.serialization import write_whole

Figure = Any  # matplotlib.figure.Figure, for those who read signatures

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def save(figure: Figure, path: Path | str, dpi: int = 150) -> None:
    """Write a figure as PNG, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    write_whole(path, buffer.getbuffer())


def learning_curves(runs: Mapping[str, Any], *, title: str = "") -> Figure:
    """Loss and accuracy over the epochs, of one run or of several.

    Parameters
    ----------
    runs : dict
        A history of `training.fit`, or several by name.
    title : str

    Examples
    --------
    >>> from minidl import visualize
    >>> figure = visualize.learning_curves({"epoch": [1, 2], "train_loss": [0.9, 0.5], "test_loss": [0.8, 0.6]})
    >>> len(figure.axes)
    1
    """
    if "epoch" in runs:
        runs = {"": runs}
    parts = [
        part for part in ("train", "validation", "test") if any(f"{part}_loss" in history for history in runs.values())
    ]
    first = next(iter(runs.values()))
    measures = [name.partition("_")[2] for name in first if name.partition("_")[0] == parts[0]]
    figure, panels = _panels(1, len(measures), (4.6, 3.4), title)
    styles = dict(zip(("train", "validation", "test"), ("--", "-", "-"))) if len(runs) > 1 else {}
    for axes, measure in zip(panels, measures):
        for number, (label, history) in enumerate(runs.items()):
            for place, part in enumerate(parts):
                if f"{part}_{measure}" not in history:
                    continue
                axes.plot(
                    history["epoch"], history[f"{part}_{measure}"],
                    color=COLORS[(number if len(runs) > 1 else place) % len(COLORS)], linestyle=styles.get(part, "-"),
                    marker="o" if len(history["epoch"]) <= 30 else None, markersize=3.5, linewidth=1.6,
                    label=f"{label}, {part}" if label else part,
                )  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_ylabel(measure)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if measure == "loss":
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def confusion_matrix(counts: np.ndarray, classes: Sequence[str], *, title: str = "") -> Figure:
    """Which class (row) was taken for which (column): the counts, shaded by their share of the row.

    Parameters
    ----------
    counts : array (K, K)
        Of `metrics.confusion_matrix`.
    classes : sequence of str
        K names.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(
            f"counts must have the shape ({len(classes)}, {len(classes)}) of {len(classes)} classes, got {counts.shape}"
        )
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 1.8 + 0.46 * len(classes)
    figure, [axes] = _panels(1, 1, (side + 0.9, side), title)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=color, fontsize=8)
    places = range(len(classes))
    long_names = max(map(len, classes)) > 2
    axes.set_xticks(places, classes, rotation=45 if long_names else 0, ha="right" if long_names else "center")
    axes.set_yticks(places, classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def images(pictures: Any, labels: Sequence[str] | None = None, *, columns: int = 8, title: str = "") -> Figure:
    """A grid of images.

    Parameters
    ----------
    pictures : array or Tensor (N, C, H, W)
        C is 1 or 3; bytes in 0..255 or floating in 0..1 (values outside are cut).
    labels : sequence of str, optional
        One over each image.
    """
    pictures = _array(pictures)
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(f"pictures must have the shape (N, 1 or 3, H, W), got {pictures.shape}")
    rows = max(1, math.ceil(len(pictures) / columns))
    figure, panels = _panels(rows, min(columns, max(len(pictures), 1)), (1.15, 1.15 if labels is None else 1.45), title)
    for axes in panels:
        axes.axis("off")
    for number, (axes, picture) in enumerate(zip(panels, pictures)):
        _show_image(axes, picture)
        if labels is not None:
            axes.set_title(labels[number], fontsize=7.5, pad=3)
    return figure


def misclassified(
    pictures: Any, labels: np.ndarray, logits: np.ndarray, classes: Sequence[str], *, limit: int = 24
) -> Figure:
    """The wrong predictions that the network was surest of: true class, prediction and its probability.

    Parameters
    ----------
    pictures : array (N, C, H, W)
    labels : array (N,) of int
    logits : array (N, K)
    classes : sequence of str
    limit : int
        How many to show.
    """
    pictures, labels, logits = _array(pictures), _array(labels), _array(logits)
    probabilities = F.softmax(logits, 1)  # (N, K)
    predicted = probabilities.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:limit]
    texts = [f"{classes[labels[i]]}\n→ {classes[predicted[i]]}, {probabilities[i, predicted[i]]:.0%}" for i in surest]
    which = f", the {limit} surest" if len(wrong) > limit else ""
    title = f"{len(wrong)} of {len(labels)} images misclassified{which}: true class → prediction, its probability"
    return images(pictures[surest], texts, columns=6, title=title)


def filters(layer: nn.Module, *, columns: int = 8, title: str = "") -> Figure:
    """The filters of a convolution: one picture each, all on one scale, 0 in white.

    Filters of 3 input channels are shown in colour (grey for 0); of others the first input channel is shown.

    Parameters
    ----------
    layer : nn.Conv2d
        Weights (K, C, R, S).
    """
    w = _array(layer.weight)
    if w.ndim != 4:
        raise ValueError(f"layer must be a convolution with weights (K, C, R, S), got weights of shape {w.shape}")
    scale = float(np.abs(w).max()) or 1.0
    if w.shape[1] == 3:
        return images(0.5 + w / (2 * scale), columns=columns, title=title)
    return _maps(w[:, 0], scale, "weight", columns, title)


def feature_maps(model: nn.Module, layer: str, picture: Any, *, columns: int = 8, title: str = "") -> Figure:
    """What each channel of a layer makes of one picture.

    Parameters
    ----------
    model : Module
        Run once, in evaluation mode.
    layer : str
        Its name in ``model.named_modules()``; its output must be (1, C, H, W).
    picture : array or Tensor (C, H, W)
    """
    seen: list[np.ndarray] = []
    hooked = model.get_submodule(layer)
    with (
        hooked.register_forward_hook(lambda module, inputs, output: seen.append(_array(output))),
        nn.utils.evaluation_mode(model),
    ):
        model(Tensor(_array(picture)[None]))
    [maps] = seen[0] if seen and seen[0].ndim == 4 else [None]
    if maps is None:
        raise ValueError(f"the layer {layer} gives no images (1, C, H, W)")
    return _maps(maps, float(np.abs(maps).max()) or 1.0, "activation", columns, title)


def _maps(maps: np.ndarray, scale: float, label: str, columns: int, title: str) -> Figure:
    """Signed pictures (N, H, W) on one scale: blue below 0, white at 0, red above."""
    figure, panels = _panels(math.ceil(len(maps) / columns), min(columns, len(maps)), (1.0, 1.0), title)
    for axes in panels:
        axes.axis("off")
    for axes, picture in zip(panels, maps):
        image = axes.imshow(picture, cmap="RdBu_r", vmin=-scale, vmax=scale, interpolation="nearest")
    figure.colorbar(image, ax=panels, label=label, shrink=0.8)
    return figure


def _show_image(axes: Any, picture: np.ndarray) -> None:
    picture = picture / 255 if picture.dtype == np.uint8 else np.clip(picture, 0, 1)
    axes.imshow(picture.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1, interpolation="nearest")  # (H, W, C)


def _panels(rows: int, columns: int, size: tuple[float, float], title: str) -> tuple[Figure, list[Any]]:
    """A figure of rows x columns axes of `size` inches each, and those axes in reading order."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib, which is not installed: pip install matplotlib") from error
    width = max(size[0] * columns, 0.062 * len(title), 2.0)  # a title of 9 points takes some 0.06 inches a letter
    figure = Figure(figsize=(width, size[1] * rows + (0.4 if title else 0)), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=9)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _array(x: Any) -> np.ndarray:
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)
