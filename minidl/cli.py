"""The command line: ``minidl info | train | evaluate | predict | gradcheck | play``.

Each command imports what it needs when it runs. An error that the user can fix ends in one line on standard error and
exit status 2, Ctrl-C in status 130. With ``--json`` the last line of standard output is one JSON object. If only a part
of the work could be done, the result has that part and ``failures``, a line for each failure; the status is then 2.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import minidl
from minidl.serialization import json_text

DATA_HELP = "folder with the data sets; else MINIDL_DATA, else the cache folder"
USER_ERRORS = (ValueError, IndexError, OSError, ImportError, FloatingPointError, MemoryError)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(f"{message} (see {self.prog} --help)")


def fail(message: str) -> NoReturn:
    """End with exit status 2 and one line."""
    print(f"minidl: error: {message}", file=sys.stderr)
    raise SystemExit(2)


def message_of(error: Exception) -> str:
    """What an error says, in one line; of the system's errors, without their number."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{first} {'; '.join(rest)}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as in `minidl info >&-`
            setattr(sys, name, open(os.devnull, "w"))
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    warnings.showwarning = lambda message, *_, **__: print(f"minidl: warning: {message}", file=sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    started = time.time()
    try:
        result = options.run(options)
        if options.json:
            print(json_text(result))
        sys.stdout.flush()
        failures = result.get("failures", ())
        for failure in failures:
            print(f"minidl: error: {failure}", file=sys.stderr)
        return 2 if failures else 0
    except BrokenPipeError:  # the reader has seen enough, as in `minidl info | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 141
    except USER_ERRORS as error:
        fail(message_of(error))
    except KeyboardInterrupt:
        print(f"minidl: interrupted{how_to_go_on(options, arguments, started)}", file=sys.stderr)
        return 130


def how_to_go_on(options: argparse.Namespace, arguments: Sequence[str], started: float) -> str:
    """What to type to resume an interrupted training; nothing for other commands."""
    if options.run is not train:
        return ""
    from minidl import recipes

    checkpoint = (options.output or Path("runs", options.recipe or recipes.DEFAULT)) / recipes.CHECKPOINT
    if not checkpoint.exists() or not options.resume and checkpoint.stat().st_mtime < started:
        return "; no epoch was done, so nothing of this run is kept"
    command = shlex.join(["minidl", *(word for word in arguments if word != "--resume"), "--resume"])
    return f"; to go on from {checkpoint}: {command}"


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="minidl", description="Deep learning that you can read, and that is fast enough to use.")
    top.add_argument("--version", action="version", version=f"minidl {minidl.__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(run: Any, description: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(run.__name__, help=description, description=description)
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        sub.set_defaults(run=run)
        return sub

    command(info, "show the version, the machine, and which kernels work on it")

    sub = command(train, "train a recipe; its checkpoint and pictures go to a folder")
    sub.add_argument("recipe", nargs="?", metavar="RECIPE", help="see --list; digits-cnn unless given")
    sub.add_argument("--list", action="store_true", help="show the recipes")
    sub.add_argument("--data", type=Path, metavar="DIR", help=DATA_HELP)
    sub.add_argument("--epochs", type=int, metavar="N", help="times through the data")
    sub.add_argument("--batch-size", type=int, metavar="N", help="samples for each step of the optimizer")
    sub.add_argument("--lr", type=float, metavar="X", help="learning rate")
    sub.add_argument("--seed", type=int, metavar="N", help="seed of all random numbers; 0 unless given")
    sub.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    sub.add_argument("--backend", metavar="NAME", help="kernels to use: auto, reference, cython, numba, cuda")
    sub.add_argument("--output", type=Path, metavar="DIR", help="folder for the results; runs/RECIPE unless given")
    sub.add_argument("--weights", type=Path, metavar="FILE", help="start from these weights; the last layer is new")
    sub.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the network: hidden_size=32")

    sub = command(evaluate, "test a checkpoint on the test set of its recipe")
    sub.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    sub.add_argument("--data", type=Path, metavar="DIR", help=DATA_HELP)

    sub = command(predict, "classify pictures (PNG, JPEG and others)")
    sub.description += (
        ". Those that cannot be read are named on standard error, and the exit status is then 2. A picture is first "
        "made like those that the network was trained on: grey if it takes grey, light on dark for digits and clothes "
        "(a picture with a light border is inverted), square (padded; photographs are cropped), and resized."
    )
    sub.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    sub.add_argument("images", type=Path, nargs="+", metavar="IMAGE")

    sub = command(play, "draw in a browser, and watch the layers of a trained classifier")
    sub.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    sub.add_argument("--port", type=int, default=0, metavar="N", help="port on this machine; a free one unless given")
    sub.add_argument("--no-browser", action="store_true", help="print the address, open no browser")

    sub = command(gradcheck, "check first and second derivatives of the operations against finite differences")
    sub.add_argument("operations", nargs="*", metavar="OP", help="names such as conv2d; all unless given")
    return top


def info(options: argparse.Namespace) -> dict[str, Any]:
    from minidl.machine import describe, describe_text

    result = describe()
    if not options.json:
        print(describe_text(result))
    return result


def train(options: argparse.Namespace) -> dict[str, Any]:
    from minidl import recipes, training, use_backend, visualize

    if options.list:
        rows = list(recipes.recipes().values())
        columns = ("name", "task", "dataset", "network", "epochs", "expected", "minutes")
        print_table(columns, [[str(getattr(recipe, column)) for column in columns] for recipe in rows])
        return {"recipes": [{column: getattr(recipe, column) for column in columns} for recipe in rows]}
    if options.backend:
        warn_if_missing(options.backend)
    with use_backend(options.backend) if options.backend else nullcontext():
        result = recipes.train(
            recipes.find(options.recipe or recipes.DEFAULT),
            root=options.data, epochs=options.epochs, batch_size=options.batch_size, lr=options.lr, seed=options.seed,
            network_options=dict(map(named_value, options.set)) or None, weights=options.weights,
            device=options.device, output=options.output, resume=options.resume, callbacks=[training.ProgressBar()],
        )  # fmt: skip
    print_measures({name: result[name] for name in result["measures"]})
    speed = f"{result['images_per_second']:,.0f} samples/s"
    print(f"{'training':<24} {result['seconds']:.1f} s for {epochs_text(result['epochs'])}, {speed}")
    print(f"{'checkpoint':<24} {result['checkpoint']}")
    nothing_drawn = "none" if visualize.available() else "none: matplotlib is not installed"
    print(f"{'pictures':<24} {' '.join(result['pictures']) or nothing_drawn}")
    return result


def warn_if_missing(backend: str) -> None:
    """Warn if the backend that was asked for can compute no kernel here, so that others are used."""
    from minidl import kernels

    rows = [row for row in kernels.table() if row.backend == backend]
    if rows and not any(row.available for row in rows):
        reason = f"no kernel has the backend {backend} here ({rows[0].reason}); others are used"
        print(f"minidl: warning: {reason}", file=sys.stderr)


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from minidl import recipes

    model, saved = recipes.load_trained(options.checkpoint)
    recipe = recipes.find(saved.info["recipe"]).trained_with(saved.info)
    print(f"{recipe.name}, trained for {epochs_text(saved.epochs)} on {recipe.dataset}")
    measured = recipe.evaluate(model, options.data)
    print_measures(measured)
    return {"checkpoint": str(options.checkpoint), "recipe": recipe.name, "dataset": recipe.dataset} | measured


def predict(options: argparse.Namespace) -> dict[str, Any]:
    from minidl import recipes

    classifier = recipes.load_classifier(options.checkpoint)
    rows, failures = [], []
    for image in options.images:
        try:
            pixels = recipes.read_pixels(image)
        except (ValueError, OSError) as error:
            failures.append(message_of(error))
            continue
        prediction = classifier.predict(pixels)
        best = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:3]
        chances = "  ".join(f"{label} {probability:.3f}" for label, probability in best)
        print(f"{image}: {prediction.label}   {chances}")
        rows.append({"image": str(image), "class": prediction.label, "probabilities": prediction.probabilities})
    return {"checkpoint": str(options.checkpoint), "predictions": rows, "failures": failures}


def play(options: argparse.Namespace) -> dict[str, Any]:
    import webbrowser

    from minidl import recipes
    from minidl.play import make_server

    server = make_server(recipes.load_classifier(options.checkpoint), options.port)
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"{address}   (Ctrl-C ends it)", flush=True)
    if not options.no_browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()
    return {"checkpoint": str(options.checkpoint), "address": address}


def gradcheck(options: argparse.Namespace) -> dict[str, Any]:
    from minidl import checks

    rows = [checks.check_gradients(name) for name in options.operations or checks.differentiable()]

    def text(row: checks.Check, order: str) -> str:
        error = getattr(row, order)
        return "WRONG" if error is None else f"{error:.1e}"

    cells = [(row.name, text(row, "first_order"), text(row, "second_order")) for row in rows]
    print_table(("operation", "first order", "second order"), cells)
    for row in rows:
        for order, failure in row.failures.items():
            print(f"{row.name}, {order.replace('_', ' ')}: {failure}", file=sys.stderr)
    wrong = [row.name for row in rows if row.failures]
    failures = [f"{len(wrong)} of {len(rows)} operations have a wrong gradient: {', '.join(wrong)}"] if wrong else []
    errors = {row.name: {"first_order": row.first_order, "second_order": row.second_order} for row in rows}
    return {"operations": errors, "failures": failures}


def epochs_text(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"


def named_value(text: str) -> tuple[str, int | float | str]:
    """("hidden_size", 32) from "hidden_size=32"."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ValueError(f"--set takes NAME=VALUE, got {text!r}")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def print_measures(measures: dict[str, Any]) -> None:
    """A line for each: "test accuracy   0.9611"."""
    for name, value in measures.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name.replace('_', ' '):<24} {shown}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip())
