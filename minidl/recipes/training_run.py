"""Trains a recipe: from its data to a folder with the checkpoint, the history and the pictures."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

import minidl
from minidl import kernels, nn, optim, training, visualize
from minidl.recipes.recipe import Recipe
from minidl.recipes.trained import check_entries, load_run
from minidl.serialization import PARTIAL, json_text, write_atomically

CHECKPOINT = "checkpoint.safetensors"
RESULT = "result.json"
# of the options in a checkpoint, what a run needs to go on
OPTIONS = {"epochs": int, "batch_size": int, "lr": Real, "seed": int, "network_options": dict}


def train(
    recipe: Recipe,
    *,
    root: Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    network_options: dict[str, Any] | None = None,
    weights: Path | None = None,
    device: str = "cpu",
    output: Path | None = None,
    resume: bool = False,
    callbacks: Sequence[training.Callback] = (),
) -> dict[str, Any]:
    """Train a recipe, test it, and leave everything in a folder.

    Parameters
    ----------
    recipe : Recipe
    root : path, optional
        The folder with the data; see the data set's own function for where else it is looked for.
    epochs, batch_size, lr, network_options : optional
        In place of the recipe's. A run that is resumed with more epochs than before continues with the schedule for the
        new number.
    seed : int
        Of all random numbers; 0 unless given.
    weights : path, optional
        A file of weights to start from: a checkpoint, or what `minidl.load` reads, PyTorch's ``.pth`` among it. The
        last layer stays new.
    device : {"cpu", "cuda"}
    output : path, optional
        The folder; ``runs/<recipe>`` unless given.
    resume : bool
        Go on from the checkpoint in `output`, with its options; only `epochs` may be larger.
    callbacks : sequence of Callback
        For example ``[training.ProgressBar()]``.

    Returns
    -------
    dict
        ``recipe dataset seed epochs seconds images_per_second checkpoint ...`` and the recipe's measures
        (``test_accuracy train_loss``); `result.json` in the folder holds it and the history.
    """
    output = Path("runs", recipe.name) if output is None else Path(output)
    asked = dict(epochs=epochs, batch_size=batch_size, lr=lr, seed=seed, network_options=network_options)
    asked["weights"] = None if weights is None else str(weights)
    saved = _saved_run(output) if resume else None
    if saved is None:
        options = _new_options(recipe, asked)
    else:
        options = _resumed_options(recipe, asked, saved)
        recipe = recipe.trained_with(saved.info)
    # so that methods of the recipe see the numbers of this run
    recipe = dataclasses.replace(recipe, **{name: options[name] for name in ("epochs", "batch_size", "lr")})
    _check_device(device)

    minidl.manual_seed(options["seed"])
    train_data, test_data = _datasets(recipe, root, options)
    network_options = recipe.options_of_data(train_data) | options["network_options"]
    model = recipe.build(network_options).to(device)
    info = {"recipe": recipe.name, "options": options, "network": recipe.network, "network_options": network_options}

    with _only_run_in(output):
        if saved is None:
            _warn_of_unfinished(output)
            recipe.start(model, weights, root, output)
        optimizer = recipe.make_optimizer(model, options["lr"])
        if saved is not None:
            saved.restore(model, optimizer)
        history = training.fit(
            model,
            recipe.training_batches(train_data, options["batch_size"]),
            optimizer=optimizer,
            epochs=options["epochs"],
            batch_size=options["batch_size"],
            drop_last=True,
            callbacks=[
                *_schedule(recipe, optimizer, train_data, options),
                *recipe.callbacks(test_data, output),
                training.Checkpoint(output / CHECKPOINT, info | recipe.info(test_data)),
                *callbacks,
            ],
            history=None if saved is None else saved.history,
            **recipe.fit_options(train_data),
        )
        result = _result(recipe, model, device, train_data, test_data, options, history)
        result |= {"checkpoint": str(output / CHECKPOINT), "pictures": []}
        _write_result(output, result, history)  # before what may fail
        result["pictures"] = _draw(recipe, model, test_data, history, output)
        _write_result(output, result, history)
    return result


def _saved_run(output: Path) -> training.SavedRun:
    if not (output / CHECKPOINT).exists():
        raise FileNotFoundError(f"{output / CHECKPOINT} does not exist, so there is no run to resume: start a new one")
    saved = load_run(output / CHECKPOINT)
    check_entries(saved.path, saved.info["options"], OPTIONS)
    return saved


def _new_options(recipe: Recipe, asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, and the recipe's own options for the rest."""
    options = dict(epochs=recipe.epochs, batch_size=recipe.batch_size, lr=recipe.lr, seed=0, weights=None)
    options |= {name: value for name, value in asked.items() if value is not None}
    options["network_options"] = recipe.network_options | (asked["network_options"] or {})
    for name in ("epochs", "batch_size"):
        if options[name] < 1:
            raise ValueError(f"{name} must be at least 1, got {options[name]}")
    if not 0 < options["lr"] < math.inf:
        raise ValueError(f"lr must be a number above 0, got {options['lr']}")
    return options


def _resumed_options(recipe: Recipe, asked: dict[str, Any], saved: training.SavedRun) -> dict[str, Any]:
    """The options of the run that is resumed; those asked for must agree with them, except that epochs may be more."""
    if saved.info["recipe"] != recipe.name:
        raise ValueError(f"{saved.path} is a checkpoint of {saved.info['recipe']}, not of {recipe.name}")
    options = dict(saved.info["options"])
    if asked["epochs"] is not None:
        if asked["epochs"] < saved.epochs:
            raise ValueError(
                f"epochs must be at least the {saved.epochs} that {saved.path} has done, got {asked['epochs']}"
            )
        options["epochs"] = asked["epochs"]
    if asked["network_options"] is not None:
        asked = asked | {"network_options": options["network_options"] | asked["network_options"]}
    for name, value in asked.items():
        if value is not None and value != options.get(name):
            raise ValueError(
                f"{name} is {options.get(name)} in {saved.path}, got {value}: a resumed run keeps its options"
            )
    return options


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu or cuda, got {device!r}")
    if device == "cuda":
        status = kernels.cuda.gpu_status()
        if not status.available:
            raise ValueError(f"device cuda cannot be used here: {status.reason}")


def _datasets(recipe: Recipe, root: Path | None, options: dict[str, Any]) -> tuple[Any, Any]:
    """The training and the test data; a ValueError if the training data does not fill a batch."""
    train_data, test_data = recipe.datasets(root)
    if options["batch_size"] > len(train_data):
        raise ValueError(
            f"batch_size must be at most the {len(train_data)} training samples, got {options['batch_size']}"
        )
    return train_data, test_data


@contextmanager
def _only_run_in(folder: Path) -> Iterator[None]:
    """Make the output folder and lock it for this run; the system frees the lock even if the process is killed.

    A folder that cannot be written to is an error now rather than after the first epoch.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"the output folder {folder} cannot be written: {error.strerror}") from error
    if os.name != "posix":  # where a folder cannot be opened, nor locked
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another run is writing to the output folder {folder}: wait until it has ended, or choose another"
            ) from error
        for left_over in folder.glob(f".*{PARTIAL}"):  # by a run that was killed while it wrote
            left_over.unlink()
        yield
    finally:
        os.close(descriptor)


def _warn_of_unfinished(output: Path) -> None:
    """Warn, while there is time to stop it, that this run will replace the checkpoint of an unfinished one."""
    try:
        old = _saved_run(output)
    except (FileNotFoundError, ValueError):
        return  # nothing there that a run could go on from
    planned = old.info["options"]["epochs"]
    if old.epochs < planned:
        warnings.warn(
            f"{old.path} holds {old.epochs} of {planned} epochs, which the first epoch of this new run replaces; "
            "to go on from there instead, stop and resume it",
            stacklevel=3,
        )


def _schedule(
    recipe: Recipe, optimizer: optim.Optimizer, train_data: Any, options: dict[str, Any]
) -> list[training.Callback]:
    """The callback that changes the learning rate as the recipe wants it; none where it is constant."""
    steps = options["epochs"] * (len(train_data) // options["batch_size"])
    schedule = recipe.make_schedule(optimizer, steps)
    return [] if schedule is None else [training.LearningRateSchedule(schedule, every="batch")]


def _result(
    recipe: Recipe,
    model: nn.Module,
    device: str,
    train_data: Any,
    test_data: Any,
    options: dict[str, Any],
    history: dict[str, list[float]],
) -> dict[str, Any]:
    """What the run reached, and under which conditions."""
    measures = recipe.results(model, test_data, history)
    seconds = sum(history["seconds"])
    samples = sum(s * rate for s, rate in zip(history["seconds"], history["samples_per_second"]))
    return {
        "recipe": recipe.name,
        "dataset": recipe.dataset,
        "seed": options["seed"],
        "batch_size": options["batch_size"],
        "lr": options["lr"],
        "epochs": len(history["epoch"]),
        "measures": list(measures),
        **measures,
        "seconds": seconds,
        "images_per_second": samples / seconds,
        "train_images": len(train_data),
        "test_images": len(test_data),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "device": device,
        "backend": kernels.current_backend(),
        "threads": kernels.get_num_threads(),
    }


def _write_result(output: Path, result: dict[str, Any], history: dict[str, list[float]]) -> None:
    write_atomically(output / RESULT, (json_text(result | {"history": history}, indent=2) + "\n").encode())


def _draw(recipe: Recipe, model: nn.Module, test_data: Any, history: dict[str, list[float]], output: Path) -> list[str]:
    """Write the recipe's pictures; returns their paths, none without matplotlib.

    What fails here is a warning: the training has succeeded, and its results are on the disk.
    """
    if not visualize.available():
        return []
    pictures = []
    try:
        for name, figure in recipe.figures(model, test_data, history).items():
            visualize.save(figure, output / name)
            pictures.append(str(output / name))
    except Exception as error:
        warnings.warn(f"not all pictures could be drawn ({type(error).__name__}: {error})", stacklevel=3)
    return pictures
