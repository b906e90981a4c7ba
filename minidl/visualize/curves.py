"""How training went: losses and measures over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minidl.visualize.figure import COLORS, Figure, make_panels

PARTS = ("train", "validation", "test")  # that a measure's name in a history begins with


def learning_curves(runs: Mapping[str, Any], *, title: str = "") -> Figure:
    """Every measure over the epochs, of one run or of several: a panel for each, with training and test in the same.

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
    for label, history in runs.items():
        if not isinstance(history, Mapping) or "epoch" not in history:
            raise ValueError(f"runs must be a history with its 'epoch', or several by name; {label!r} has none")
    names = dict.fromkeys(name for history in runs.values() for name in history)
    parts = [part for part in PARTS if any(name.startswith(f"{part}_") for name in names)]
    measures = list(dict.fromkeys(name.partition("_")[2] for name in names if name.partition("_")[0] in parts))
    if not measures:
        found = ", ".join(names) or "nothing"
        raise ValueError(f"the history has no measure of training, validation or test; it has {found}")
    figure, panels = make_panels(1, len(measures), (4.6, 3.4), title)
    styles = dict(zip(PARTS, ("--", "-", "-"))) if len(runs) > 1 else {}
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
        axes.set_ylabel(measure.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        if measure.endswith("loss") and not axes.dataLim.ymin < 0:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure
