"""Checkpoints: one safetensors file with all that training needs to go on as if it had never stopped.

model.<name>                  the state dict
optimizer.<number>.<name>     the optimizer's arrays for each parameter
metadata["crc32"]             a checksum of all the others, to notice a damaged file
metadata["minidl"]            JSON: format version, optimizer (its numbers and groups), random streams, history, and
                              what the caller adds: recipe, options, class names, input normalization
"""

from __future__ import annotations

import json
import platform
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from minidl import random
from minidl.autograd import Tensor
from minidl.nn import Module
from minidl.optim import Optimizer
from minidl.serialization import (
    existing_file,
    in_existing_folder,
    python_number,
    read_safetensors,
    write_safetensors,
)

FORMAT = 1
ENTRY, CHECKSUM = "minidl", "crc32"


def checkpoint_path(path: Path | str) -> Path:
    """The path, if a checkpoint can be written there."""
    path = in_existing_folder(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"the path of a checkpoint must end in .safetensors, got {path}")
    return path


def save_checkpoint(
    path: Path | str, model: Module, optimizer: Optimizer, history: dict[str, list], info: dict[str, Any] | None = None
) -> None:
    """Write a checkpoint; the file at `path` is replaced atomically, so that there is a complete one at any time.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``.
    model, optimizer, history
        As `fit` has them; the state of :mod:`minidl.random` is written too.
    info : dict, optional
        What else to keep: values that can be written as JSON.

    Examples
    --------
    >>> import tempfile
    >>> from minidl import nn, optim, training
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.Adam(model.parameters())
    >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/run.safetensors"
    ...     training.save_checkpoint(path, model, optimizer, {}, {"epoch": 3, "schedule": schedule.state_dict()})
    ...     saved = training.load_checkpoint(path)
    >>> saved.restore(model, optimizer)
    >>> schedule.load_state_dict(saved.info["schedule"])
    >>> saved.info["epoch"]
    3
    """
    path = checkpoint_path(path)
    if info is not None and not isinstance(info, dict):
        raise TypeError(f"info must be a dict, got {type(info).__name__}")
    arrays = {f"model.{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
    state = optimizer.state_dict()
    numbers: dict[str, dict[str, Any]] = {}
    for parameter, values in state["state"].items():
        numbers[str(parameter)] = {}
        for name, value in values.items():
            if isinstance(value, Tensor):
                arrays[f"optimizer.{parameter}.{name}"] = value.numpy()
            else:
                numbers[str(parameter)][name] = value
    entry = {
        "format": FORMAT,
        "versions": {"minidl": version("minidl"), "python": platform.python_version(), "numpy": np.__version__},
        "optimizer": {"type": type(optimizer).__name__, "state": numbers, "param_groups": state["param_groups"]},
        "random": random.get_state(),
        "history": history,
        "info": info or {},
    }
    text = json.dumps(entry, default=python_number)
    write_safetensors(path, arrays, {ENTRY: text, CHECKSUM: _checksum(text, arrays)})


def _checksum(entry: str, arrays: dict[str, np.ndarray]) -> str:
    """The CRC-32 of the JSON, then of each array's name and numbers, in the order of the names."""
    checksum = zlib.crc32(entry.encode())
    for name, array in sorted(arrays.items()):
        array = array.astype(np.float32) if array.dtype == np.float16 else array  # as it will be read
        checksum = zlib.crc32(np.ravel(array), zlib.crc32(name.encode(), checksum))
    return f"{checksum:08x}"


@dataclass
class SavedRun:
    """What a checkpoint holds."""

    path: Path
    model: dict[str, Tensor]
    optimizer: dict[str, Any]  # its type and its state dict
    random: dict[str, Any]
    history: dict[str, list]
    info: dict[str, Any]
    versions: dict[str, str]

    @property
    def epochs(self) -> int:
        """The number of epochs that were done."""
        return len(self.history.get("epoch", ()))

    def restore_model(self, model: Module) -> None:
        """Copy the weights into a model; a ValueError names the keys that do not fit."""
        try:
            model.load_state_dict(self.model)
        except RuntimeError as error:
            raise ValueError(f"{self.path} is a checkpoint of another model: {error}") from error

    def restore(self, model: Module, optimizer: Optimizer) -> None:
        """Bring the model, the optimizer and the random streams back to where they were."""
        if type(optimizer).__name__ != self.optimizer["type"]:
            raise ValueError(
                f"{self.path} was trained with {self.optimizer['type']}, the optimizer is {type(optimizer).__name__}"
            )
        self.restore_model(model)
        try:
            optimizer.load_state_dict(self.optimizer)
            random.set_state(self.random)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _damaged(self.path, error) from error


def load_checkpoint(path: Path | str) -> SavedRun:
    """Read a checkpoint; how training goes on from it is in :class:`Checkpoint`.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is truncated, damaged, or no checkpoint of minidl; the message names it.
    """
    path = existing_file(path, "checkpoint")
    arrays, metadata = read_safetensors(path)
    if ENTRY not in metadata:
        raise ValueError(f"{path} holds weights but is no checkpoint of minidl; read them with minidl.load")
    if CHECKSUM in metadata and metadata[CHECKSUM] != _checksum(metadata[ENTRY], arrays):  # older ones have none
        raise ValueError(f"{path}: damaged checkpoint (it does not hold what was saved: its checksum differs)")
    try:
        entry = json.loads(metadata[ENTRY])
        found = entry["format"]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    if found != FORMAT:
        raise ValueError(f"{path} is a checkpoint of format {found}, this minidl reads format {FORMAT}")
    try:
        optimizer, history = entry["optimizer"], entry["history"]
        for name in ("optimizer", "random", "history", "info", "versions"):
            _check_kind(entry, name, dict)
        _check_kind(optimizer, "type", str)
        for name in history:
            _check_kind(history, name, list)
        model = {}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            if part == "model":
                model[rest] = Tensor(array)
            else:
                parameter, _, key = rest.partition(".")
                optimizer["state"].setdefault(parameter, {})[key] = Tensor(array)
        return SavedRun(path, model, optimizer, entry["random"], history, entry["info"], entry["versions"])
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _check_kind(values: dict[str, Any], name: str, kind: type) -> None:
    if not isinstance(values[name], kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {values[name]!r:.40}")


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path}: damaged checkpoint ({type(error).__name__}: {error})")
