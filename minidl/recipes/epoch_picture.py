"""A picture of the network after every epoch, so that one can watch it learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from minidl import nn, training, visualize


class EpochPicture(training.Callback):
    """Write ``<folder>/epoch-<number>.png`` after every epoch, where matplotlib is installed.

    What fails here is a warning, the first time: training goes on, and each epoch tries again.

    Parameters
    ----------
    folder : path
    draw : callable
        ``draw(model, title)`` gives a figure; it must not use the random streams of training.
    """

    def __init__(self, folder: Path, draw: Callable[[nn.Module, str], visualize.Figure]):
        self.folder, self.draw = folder, draw
        self.warned = False

    def on_epoch_end(self, run: training.Run) -> None:
        if not visualize.available():
            return
        path = self.folder / f"epoch-{run.epoch:02}.png"
        try:
            self.folder.mkdir(exist_ok=True)
            visualize.save(self.draw(run.model, f"epoch {run.epoch}"), path)
        except Exception as error:
            if not self.warned:
                warnings.warn(f"{path} could not be drawn ({type(error).__name__}: {error})", stacklevel=2)
            self.warned = True
