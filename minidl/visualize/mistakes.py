"""The mistakes of a classifier: the confusion matrix, and the most confident wrong predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.autograd import to_numpy
from minidl.kernels import extent
from minidl.visualize.figure import Figure, make_panels
from minidl.visualize.grid import images


def confusion_matrix(
    counts: np.ndarray,
    classes: Sequence[str],
    columns: Sequence[str] | None = None,
    *,
    title: str = "",
    columns_are: str = "predicted class",
) -> Figure:
    """How often each true class (row) was predicted as each class (column), shaded by the share of the row.

    With more than 53 classes only the shades are drawn, without numbers.

    Parameters
    ----------
    counts : array (K, K), or (K, number of columns)
        For example from `metrics.confusion_matrix`, also with weights or normalized.
    classes : sequence of str
        K names, of the rows.
    columns : sequence of str, optional
        The names of the columns, for example of clusters; default: the classes.
    columns_are : str
        The label of the columns.
    """
    counts = to_numpy(counts)
    columns = classes if columns is None else columns
    if counts.shape != (len(classes), len(columns)):
        raise ValueError(
            f"counts must have the shape ({len(classes)}, {len(columns)}) of {len(classes)} classes"
            + ("" if columns is classes else f" and {len(columns)} columns")
            + f", got {counts.shape}"
        )
    if not counts.size:
        raise ValueError(f"counts must have at least one class and one column, got the shape {counts.shape}")
    totals = counts.sum(1, keepdims=True)
    shares = counts / np.where(totals == 0, 1, totals)
    cell = min(0.46, 16 / len(classes))  # inches; with very many classes the figure would not fit into memory
    side = 1.8 + cell * len(classes)
    figure, [axes] = make_panels(1, 1, (side + 0.9, side), title)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    text = str if counts.dtype.kind in "iu" else "{:.2f}".format
    for row, column in np.argwhere(counts > 0) if cell > 0.3 else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, text(counts[row, column]), ha="center", va="center", color=color, fontsize=8)
    long_names = max(map(len, [*classes, *columns])) > 2
    fontsize = min(10, 60 * cell)  # points: a name is to fit beside its row
    axes.set_xticks(
        range(len(columns)), columns, fontsize=fontsize,
        rotation=45 if long_names else 0, ha="right" if long_names else "center",
    )  # fmt: skip
    axes.set_yticks(range(len(classes)), classes, fontsize=fontsize)
    axes.set_xlabel(columns_are)
    axes.set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def misclassified(
    pictures: Any, labels: np.ndarray, logits: np.ndarray, classes: Sequence[str], *, limit: int = 24
) -> Figure:
    """The most confident wrong predictions, each with its true class, its prediction and the probability of that.

    Parameters
    ----------
    pictures : array (N, C, H, W)
    labels : array (N,) of int
    logits : array (N, K)
    classes : sequence of str
    limit : int
        How many to show.
    """
    pictures, labels, logits = to_numpy(pictures), to_numpy(labels), to_numpy(logits)
    if logits.ndim != 2 or not logits.shape[1] or labels.shape != logits.shape[:1] or len(pictures) != len(logits):
        raise ValueError(
            "pictures, labels and logits must have the shapes (N, C, H, W), (N,) and (N, K), K > 0, got "
            f"{pictures.shape}, {labels.shape} and {logits.shape}"
        )
    if len(classes) != logits.shape[1]:
        raise ValueError(f"classes must name the {logits.shape[1]} columns of logits, got {len(classes)} names")
    if labels.size and not 0 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(f"labels must be from 0 to {len(classes) - 1}, got {extent(labels)}")
    probabilities = F.softmax(logits, 1)  # (N, K)
    predicted = probabilities.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:limit]
    texts = [f"{classes[labels[i]]}\n→ {classes[predicted[i]]}, {probabilities[i, predicted[i]]:.0%}" for i in surest]
    which = f", the {limit} surest" if len(wrong) > limit else ""
    title = f"{len(wrong)} of {len(labels)} images misclassified{which}: true class → prediction, its probability"
    return images(pictures[surest], texts, columns=6, title=title)
