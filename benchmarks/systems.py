"""``python -m benchmarks systems [RECIPE...] --seeds 0 1 2 --data DIR``: the results of the recipes, run by run.

Every run is the public command ``minidl train RECIPE --seed N --json`` in a process of its own. Its result is kept in
``results/systems/<recipe>-seed<N>.json`` as ``{"commit", "machine", "command", "result"}``; ``--table`` prints all of
them as Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import machine
from minidl import kernels, recipes

RESULTS = Path(__file__).parent / "results" / "systems"


def run(recipe: str, seed: int, data: Path | None, options: list[str]) -> dict[str, Any]:
    """Train a recipe by its command and return what is to be kept; its output goes to runs/<recipe>-seed<N>."""
    words = ["train", recipe, *options, "--seed", str(seed), "--output", f"runs/{recipe}-seed{seed}", "--json"]
    read_on = machine.describe(kernels.get_num_threads())
    data_words = [] if data is None else ["--data", str(data)]
    done = subprocess.run(
        [sys.executable, "-m", "minidl", *words, *data_words], stdout=subprocess.PIPE, text=True, check=True
    )
    command = " ".join(["minidl", *words, *(["--data", "DIR"] if data_words else [])])
    result = json.loads(done.stdout.splitlines()[-1])
    return {"commit": read_on["commit"], "machine": read_on, "command": command, "result": result}


def kept(folder: Path = RESULTS) -> dict[str, list[dict[str, Any]]]:
    """The results of all runs in a folder, by recipe, each recipe's in the order of seeds."""
    by_recipe: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        by_recipe[row["result"]["recipe"]].append(row)
    for rows in by_recipe.values():
        rows.sort(key=lambda row: row["result"]["seed"])
    return dict(sorted(by_recipe.items()))


def table(folder: Path = RESULTS) -> str:
    """A Markdown table: the first measure of every recipe, its mean and range over the seeds."""
    lines = [
        "| recipe | measure | mean | range | seeds | epochs | seconds | commit |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for recipe, rows in kept(folder).items():
        results = [row["result"] for row in rows]
        measure = results[0]["measures"][0]
        values = [result[measure] for result in results]
        spread = f"{min(values):.4f} to {max(values):.4f}" if len(values) > 1 else "-"
        epochs = ", ".join(sorted({str(result["epochs"]) for result in results}))
        seconds = sum(result["seconds"] for result in results) / len(results)
        commits = ", ".join(sorted({row["commit"] for row in rows}))
        seeds = " ".join(str(result["seed"]) for result in results)
        lines.append(
            f"| {recipe} | {measure.replace('_', ' ')} | {sum(values) / len(values):.4f} | {spread} | {seeds} "
            f"| {epochs} | {seconds:.0f} | {commits} |"
        )
    return "\n".join(lines)


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipes", nargs="*", metavar="RECIPE", help="all unless given; see minidl train --list")
    command.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    command.add_argument("--data", type=Path, metavar="DIR", help="as for minidl train")
    command.add_argument("--epochs", type=int, metavar="N", help="in place of the recipe's")
    command.add_argument("--table", action="store_true", help="print what is kept, as Markdown; train nothing")
    command.set_defaults(run=partial(measure, command))


def measure(command: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Train the recipes, and keep what each run printed."""
    if options.table:
        print(table())
        return 0
    unknown = [name for name in options.recipes if name not in recipes.recipes()]
    if unknown:
        command.error(f"no recipe is called {', '.join(unknown)}; there are: {', '.join(recipes.recipes())}")
    words = [] if options.epochs is None else ["--epochs", str(options.epochs)]
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in options.recipes or recipes.recipes():
        for seed in options.seeds:
            row = run(name, seed, options.data, words)
            path = RESULTS / f"{name}-seed{seed}.json"
            path.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
            result = row["result"]
            first = result["measures"][0]
            print(f"{name} seed {seed}: {first} {result[first]:.4f}, {result['seconds']:.0f} s", flush=True)
    return 0
