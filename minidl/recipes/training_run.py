"""Trains a recipe: from its data to a folder with the checkpoint, the history and the pictures."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from pathlib import Path
from typing import Any

import minidl
from minidl import data, kernels, metrics, models, training, visualize
from minidl.recipes.recipe import Recipe
from minidl.serialization import write_whole

CHECKPOINT = "checkpoint.safetensors"
ACCURACY = ("accuracy",)


def train(
    recipe: Recipe,
    *,
    root: Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    network_options: dict[str, Any] | None = None,
    device: str = "cpu",
    output: Path | None = None,
    resume: bool = False,
    callbacks: list[training.Callback] | None = None,
) -> dict[str, Any]:
    """Train a recipe, test it, and leave everything in a folder.

    Parameters
    ----------
    recipe : Recipe
    root : path, optional
        The folder with the data; see the data set's own function for where else it is looked for.
    epochs, batch_size, lr, network_options : optional
        In place of the recipe's.
    seed : int
        Of all random numbers; 0 unless given.
    device : {"cpu", "cuda"}
    output : path, optional
        The folder; ``runs/<recipe>`` unless given.
    resume : bool
        Go on from the checkpoint in `output`, with its options; `epochs` may be more than they were.
    callbacks : list of Callback, optional
        ``[training.ProgressBar()]``, say.

    Returns
    -------
    dict
        ``recipe dataset seed epochs train_loss test_accuracy seconds images_per_second checkpoint ...``, also written as
        ``result.json``.
    """
    asked = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "network_options": network_options}
    output = Path("runs", recipe.name) if output is None else Path(output)
    saved = training.load_checkpoint(output / CHECKPOINT) if resume else None
    defaults = {
        "epochs": recipe.epochs, "batch_size": recipe.batch_size, "lr": recipe.lr, "seed": 0, "network_options": recipe.network_options,
    }  # fmt: skip
    options = _resumed_options(saved, recipe, asked) if saved else defaults | {k: v for k, v in asked.items() if v is not None}
    if options["epochs"] < 1 or options["batch_size"] < 1 or not options["lr"] > 0:
        raise ValueError(f"epochs and batch_size must be at least 1 and lr above 0, got {options['epochs']}, {options['batch_size']} and {options['lr']}")
    _check_device(device)
    minidl.manual_seed(options["seed"])
    model = models.build(recipe.network, **options["network_options"]).to(device)
    optimizer = recipe.optimizer(model.parameters(), options["lr"])
    if saved:
        saved.restore(model, optimizer)
    train_data, test_data = recipe.datasets(root)
    _make_writable_folder(output)

    info = {
        "recipe": recipe.name, "options": options, "network": recipe.network, "classes": list(test_data.classes),
        "input": {"shape": list(test_data.images.shape[1:]), "mean": recipe.mean, "std": recipe.std, "bright_on_dark": recipe.bright_on_dark},
    }  # fmt: skip
    history = training.fit(
        model, train_data, optimizer=optimizer, epochs=options["epochs"], batch_size=options["batch_size"], drop_last=True, metrics=ACCURACY,
        callbacks=[
            training.Evaluation("test", test_data, metrics=ACCURACY),
            training.Checkpoint(output / CHECKPOINT, info),
            *(callbacks or []),
        ],
        history=saved.history if saved else None,
    )  # fmt: skip
    logits = training.predict(model, test_data).numpy()
    pictures = _draw(output, recipe, history, test_data, logits)

    seconds = sum(history["seconds"])
    result = {
        "recipe": recipe.name,
        "dataset": recipe.dataset,
        **{name: options[name] for name in ("seed", "batch_size", "lr")},
        "epochs": len(history["epoch"]),
        "train_loss": history["train_loss"][-1],
        "test_loss": history["test_loss"][-1],
        "test_accuracy": history["test_accuracy"][-1],
        "seconds": seconds,
        "images_per_second": sum(s * rate for s, rate in zip(history["seconds"], history["samples_per_second"])) / seconds,
        "train_images": len(train_data),
        "test_images": len(test_data),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "device": device,
        "backend": kernels.current_backend(),
        "threads": kernels.get_num_threads(),
        "checkpoint": str(output / CHECKPOINT),
        "pictures": [str(path) for path in pictures],
    }
    write_whole(output / "result.json", (json.dumps(result | {"history": history}, indent=2) + "\n").encode())
    return result


def _resumed_options(saved: training.SavedRun, recipe: Recipe, asked: dict[str, Any]) -> dict[str, Any]:
    """The options of the run that is resumed; what was asked for must agree, but for more epochs."""
    if saved.info.get("recipe") != recipe.name:
        raise ValueError(f"{saved.path} is a checkpoint of {saved.info.get('recipe')}, not of {recipe.name}")
    options = saved.info["options"]
    for name, value in asked.items():
        if value is not None and value != options[name] and name != "epochs":
            raise ValueError(f"{name} is {options[name]} in {saved.path}, got {value}: a resumed run keeps its options")
    if asked["epochs"] is not None:
        if asked["epochs"] < saved.epochs:
            raise ValueError(f"epochs must be at least the {saved.epochs} that {saved.path} has done, got {asked['epochs']}")
        options["epochs"] = asked["epochs"]
    return options


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu or cuda, got {device!r}")
    if device == "cuda":
        status = kernels.cuda.gpu_status()
        if not status.available:
            raise ValueError(f"device cuda cannot be used here: {status.reason}")


def _make_writable_folder(folder: Path) -> None:
    """Fail now rather than after the first epoch."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"the output folder {folder} cannot be written: {error.strerror}") from error


def _draw(output: Path, recipe: Recipe, history: dict, test_data: data.Dataset, logits: Any) -> list[Path]:
    """The pictures of a trained classifier, where matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    labels, predicted = test_data.labels, logits.argmax(1)
    counts = metrics.confusion_matrix(labels, predicted, labels=range(len(test_data.classes)))
    title = f"{recipe.name}: {recipe.dataset}, test accuracy {history['test_accuracy'][-1]:.4f}"
    paths = [output / name for name in ("curves.png", "confusion_matrix.png", "misclassified.png")]
    visualize.save(visualize.learning_curves(history, title=title), paths[0])
    visualize.save(visualize.confusion_matrix(counts, test_data.classes, title=title), paths[1])
    visualize.save(visualize.misclassified(test_data.images, labels, logits, test_data.classes), paths[2])
    return paths
