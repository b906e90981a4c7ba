"""A picture of the network after every epoch, so that one can watch it learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minidl import nn, training, visualize


class EpochPicture(training.Callback):
    """Write ``<folder>/epoch-<number>.png`` after every epoch, where matplotlib is installed.

    Parameters
    ----------
    folder : path
    draw : callable
        ``draw(model, title)`` gives a figure; it must not use the random streams of training.
    """

    def __init__(self, folder: Path, draw: Callable[[nn.Module, str], visualize.Figure]):
        self.folder, self.draw = folder, draw

    def on_epoch_end(self, run: training.Run) -> None:
        if visualize.available():
            self.folder.mkdir(exist_ok=True)
            figure = self.draw(run.model, f"epoch {run.epoch}")
            visualize.save(figure, self.folder / f"epoch-{run.epoch:02}.png")
