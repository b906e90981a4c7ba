"""Callbacks: what else happens during training. Each reacts to some of the events of `Callback`."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.serialization import in_existing_folder, json_text, python_number, write_atomically
from minidl.training.checkpoint import checkpoint_path, save_checkpoint
from minidl.training.evaluation import evaluate
from minidl.training.measures import named_metrics

if TYPE_CHECKING:
    from minidl.training.loop import Run


class Callback:
    """The events of a training run. A subclass defines those that it needs; `run` is a `Run`, its present state.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim, training
    >>> class StopAt(training.Callback):
    ...     def __init__(self, accuracy):
    ...         self.accuracy = accuracy
    ...     def on_epoch_end(self, run):
    ...         run.stop = run.values["train_accuracy"] >= self.accuracy
    >>> model = nn.Linear(1, 2)
    >>> history = training.fit(
    ...     model, (np.array([[-1.0], [1.0]], "float32"), np.array([0, 1])), optimizer=optim.SGD(model.parameters()),
    ...     epochs=100, metrics=["accuracy"], callbacks=[StopAt(0.0)],
    ... )
    >>> history["epoch"]
    [1]
    """

    def on_fit_start(self, run: Run) -> None:
        """Before the first epoch."""

    def on_epoch_start(self, run: Run) -> None:
        """Before the first batch of an epoch."""

    def on_batch_end(self, run: Run) -> None:
        """After every step of the optimizer."""

    def on_validation_end(self, run: Run) -> None:
        """After an epoch's training and validation; what is added to `run.values` here goes into the history."""

    def on_epoch_end(self, run: Run) -> None:
        """After the epoch's values were added to the history."""

    def on_fit_end(self, run: Run) -> None:
        """At the end, also when training ends with an error; the last callback first, and only those that had begun."""


class Evaluation(Callback):
    """Evaluate the model on more data after every epoch, as ``<name>_loss`` and ``<name>_accuracy`` in the history.

    Parameters
    ----------
    name : str
        Such as ``"test"``. A measure that has the same name already is replaced.
    data : Dataset, DataLoader or tuple of arrays
    **options
        `loss`, `metrics` and `batch_size` of :func:`evaluate`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim, training
    >>> x, y = np.array([[-1.0], [1.0]], "float32"), np.array([0, 1])
    >>> model = nn.Linear(1, 2)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> test = training.Evaluation("test", (x, y))
    >>> history = training.fit(model, (x, y), optimizer=optimizer, epochs=2, callbacks=[test])
    >>> [name for name in history if name.startswith("test")], len(history["test_loss"])
    (['test_loss', 'test_accuracy'], 2)
    """

    def __init__(self, name: str, data: Any, **options: Any):
        if options.get("metrics") is not None:
            options["metrics"] = named_metrics(options["metrics"])  # a generator is used up after one epoch
        self.name, self.data, self.options = name, data, options

    def on_validation_end(self, run: Run) -> None:
        measured = evaluate(run.model, self.data, **self.options)
        run.values |= {f"{self.name}_{name}": value for name, value in measured.items()}


class ProgressBar(Callback):
    """A tqdm bar for the current epoch, with its loss, metrics and samples per second, and a line for each epoch done.

    The bar is shown on a terminal and in a notebook; a log file gets the lines only.

    Parameters
    ----------
    interval : float
        Seconds between updates. Few, because reading the loss from a GPU waits for all its work.
    """

    def __init__(self, interval: float = 0.2):
        self.interval = interval
        self.bar: Any = None

    def on_epoch_start(self, run: Run) -> None:
        from tqdm.auto import tqdm

        title, total = self._title(run), run.samples
        self.bar = tqdm(desc=title, total=total, unit=" samples", leave=False, disable=None, mininterval=0, miniters=1)
        self.shown_at = time.monotonic()

    def on_batch_end(self, run: Run) -> None:
        now = time.monotonic()
        if now - self.shown_at >= self.interval and not self.bar.disable:
            self.shown_at = now
            self.bar.set_postfix_str(_values_text(run.measures.values()), refresh=False)
            self.bar.update(run.samples_done - self.bar.n)

    def on_epoch_end(self, run: Run) -> None:
        self.bar.close()
        shown = {name: value for name, value in run.values.items() if name not in ("seconds", "samples_per_second")}
        speed = f"{run.values['samples_per_second']:,.0f} samples/s"
        self.bar.write(f"{self._title(run)}  {_values_text(shown)}  {speed}", file=sys.stderr)

    def on_fit_end(self, run: Run) -> None:
        if self.bar is not None:
            self.bar.close()

    @staticmethod
    def _title(run: Run) -> str:
        return f"epoch {run.epoch:>{len(str(run.epochs))}}/{run.epochs}"


def _values_text(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


class Checkpoint(Callback):
    """Write a checkpoint after every epoch, from which training can be resumed; see `save_checkpoint`.

    Parameters
    ----------
    path : path
        The file, in a folder that exists; ends in ``.safetensors``. It is replaced every time.
    info : dict, optional
        What else to keep in it: anything that can be written as JSON.
    best : str, optional
        Write only when this measure of the history, for example ``"validation_loss"``, is the best so far.
    mode : {"min", "max"}, optional
        Whether the smallest or the largest value of `best` is the best; default: the smallest of a loss, the largest of
        any other measure.

    Examples
    --------
    Two epochs, and a third one later, which may be in another process:

    >>> import numpy as np, tempfile
    >>> from minidl import nn, optim, training
    >>> data = np.array([[-1.0], [1.0]], "float32"), np.array([0, 1])
    >>> model = nn.Linear(1, 2)
    >>> optimizer = optim.Adam(model.parameters())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/run.safetensors"
    ...     history = training.fit(model, data, optimizer=optimizer, epochs=2, callbacks=[training.Checkpoint(path)])
    ...     saved = training.load_checkpoint(path)
    >>> saved.restore(model, optimizer)
    >>> history = training.fit(model, data, optimizer=optimizer, epochs=3, history=saved.history)
    >>> history["epoch"]
    [1, 2, 3]
    """

    def __init__(
        self, path: Path | str, info: dict[str, Any] | None = None, best: str | None = None, mode: str | None = None
    ):
        self.path, self.info, self.best, self.mode = checkpoint_path(path), info or {}, best, check_mode(mode)
        try:
            json.dumps(self.info, default=python_number)
        except (TypeError, ValueError) as error:
            raise TypeError(f"info must be what JSON holds: {error}") from error

    def on_epoch_end(self, run: Run) -> None:
        if self.best is None or best_epoch(run.history, self.best, self.mode) == run.epoch:
            save_checkpoint(self.path, run.model, run.optimizer, run.history, self.info)


class EarlyStopping(Callback):
    """Stop when a measure has not improved for `patience` epochs.

    It looks at the history only, so a run that was resumed stops where one that was never interrupted would.

    Parameters
    ----------
    monitor : str
        A measure of the history.
    patience : int
        Epochs to wait for a better value.
    mode : {"min", "max"}, optional
        Whether a smaller or a larger value is better; default: a smaller one of a loss, a larger one of any other
        measure.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim, training
    >>> data = np.array([[-1.0], [1.0]], "float32"), np.array([0, 1])
    >>> model = nn.Linear(1, 2)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.0)  # nothing is learned
    >>> stopping = training.EarlyStopping("train_loss", patience=2)
    >>> history = training.fit(model, data, optimizer=optimizer, epochs=100, shuffle=False, callbacks=[stopping])
    >>> history["epoch"]
    [1, 2, 3]
    """

    def __init__(self, monitor: str = "validation_loss", patience: int = 3, mode: str | None = None):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.monitor, self.patience, self.mode = monitor, patience, check_mode(mode)

    def on_fit_start(self, run: Run) -> None:
        if run.history:
            self.on_epoch_end(run)

    def on_epoch_end(self, run: Run) -> None:
        run.stop |= run.epoch - best_epoch(run.history, self.monitor, self.mode) >= self.patience


def check_mode(mode: str | None) -> str | None:
    """The mode, checked."""
    if mode not in (None, "min", "max"):
        raise ValueError(f"mode must be 'min', 'max' or None, got {mode!r}")
    return mode


def best_epoch(history: dict[str, list[float]], monitor: str, mode: str | None = None) -> int:
    """The number, from 1, of the first epoch with the best value of a measure; NaN is worse than any."""
    if monitor not in history:
        raise ValueError(f"the history has no {monitor!r} to monitor; it has {', '.join(history)}")
    mode = mode or ("min" if monitor.endswith("loss") else "max")
    sign = -1 if mode == "min" else 1
    scores = [-math.inf if math.isnan(value) else sign * value for value in history[monitor]]
    return scores.index(max(scores)) + 1


class CSVLogger(Callback):
    """Write the history to a CSV file after every epoch: a row for each epoch, a column for each measure.

    Examples
    --------
    >>> import minidl
    >>> import tempfile
    >>> from minidl import functional as F, nn, optim, training
    >>> model = nn.Linear(2, 1)
    >>> train = minidl.data.TensorDataset(minidl.ones(4, 2), minidl.ones(4, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = training.CSVLogger(f"{folder}/history.csv")
    ...     history = training.fit(
    ...         model, train, loss=F.mse_loss, optimizer=optim.SGD(model.parameters(), 0.1), epochs=2, batch_size=4,
    ...         callbacks=[log],
    ...     )
    ...     lines = log.path.read_text().splitlines()
    >>> len(lines), lines[0].split(',')[:2]
    (3, ['epoch', 'train_loss'])
    """

    def __init__(self, path: Path | str):
        self.path = in_existing_folder(path)

    def on_epoch_end(self, run: Run) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(run.history)
        writer.writerows(zip(*run.history.values()))
        write_atomically(self.path, text.getvalue().encode())


class JSONLogger(Callback):
    """Write the history to a JSON file after every epoch: ``{"epoch": [1, 2], "train_loss": [...], ...}``.

    Values that are not finite, or were not measured in an epoch, are null.
    """

    def __init__(self, path: Path | str):
        self.path = in_existing_folder(path)

    def on_epoch_end(self, run: Run) -> None:
        write_atomically(self.path, (json_text(run.history, indent=2) + "\n").encode())
