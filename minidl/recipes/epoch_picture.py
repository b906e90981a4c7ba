"""A picture of the network after every epoch, so that one can watch it learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minidl import nn, training, visualize


class EpochPicture(training.Callback):
    """Write ``<folder>/<name>_epoch_<number>.png`` after every epoch, where matplotlib is installed.

    Parameters
    ----------
    folder : path
    name : str
    draw : callable
        ``draw(model, title)`` gives a figure; it must not draw from the random streams of training.
    """

    def __init__(self, folder: Path, name: str, draw: Callable[[nn.Module, str], visualize.Figure]):
        self.folder, self.name, self.draw = folder, name, draw

    def on_epoch_end(self, run: training.Run) -> None:
        if visualize.available():
            figure = self.draw(run.model, f"epoch {run.epoch}")
            visualize.save(figure, self.folder / f"{self.name}_epoch_{run.epoch:02}.png")
