"""``python -m benchmarks SUITE [NAMES] [--peers ...] [--threads N] [--json FILE] [--plot FILE]``.

``python -m benchmarks systems [RECIPE...] [--seeds N...]`` trains whole recipes and keeps what they reach;
``python -m benchmarks all FOLDER`` measures all suites, each in a process of its own, into JSON and pictures;
``python -m benchmarks table FILE...`` prints what was written with --json as Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import architectures, busy, engine, kernels, machine, plot, sizes, systems, table, training, workers

TORCH = architectures.PEERS


class Suite(NamedTuple):
    """One thing that can be measured."""

    help: str
    module: Any  # its run(names, peers, threads, rounds, seconds) gives the rows
    peers: list[str]  # all that can be asked for
    default_peers: list[str]  # those measured unless asked otherwise
    threads: int
    rounds: int
    seconds: float  # of one turn


SUITES = {
    "training": Suite("whole training steps", training, workers.PEERS, workers.DEFAULT_PEERS, 2, 5, 0.5),
    "architectures": Suite("whole steps of well-known architectures", architectures, TORCH, TORCH[:2], 2, 5, 0.5),
    "kernels": Suite("single kernels, beside the measured peak", kernels, kernels.PEERS, kernels.PEERS, 2, 5, 0.05),
    "sizes": Suite("training steps as the data grow", sizes, workers.PEERS, sizes.PEERS, 2, 3, 0.2),
    "engine": Suite("what recording and walking back costs", engine, engine.PEERS, engine.PEERS, 1, 7, 0.05),
    "busy": Suite("training steps while all cores are busy", busy, workers.PEERS, busy.PEERS, 2, 5, 0.5),
}

# file: what `all` measures into it
ALL = {
    "training": ["training"],
    "architectures": ["architectures"],
    "kernels": ["kernels"],
    "matmul-one-thread": ["kernels", "matmul", "--threads", "1"],
    "sizes": ["sizes"],
    "engine": ["engine"],
    "busy": ["busy"],
}
QUICK = ["--rounds", "1", "--seconds", "0.01"]


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    return options.run(options)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast minidl is, beside its peers.")
    commands = found.add_subparsers(required=True, metavar="SUITE")
    for name, suite in SUITES.items():
        command = commands.add_parser(name, help=suite.help)
        command.add_argument("names", nargs="*", help="only those whose name contains one of these words")
        command.add_argument("--peers", help=f"comma-separated, of: {', '.join(suite.peers)}")
        command.add_argument("--threads", type=int, default=suite.threads)
        command.add_argument("--rounds", type=int, default=suite.rounds, help="how often all take turns")
        command.add_argument("--seconds", type=float, default=suite.seconds, help="of one turn")
        command.add_argument("--json", metavar="FILE", help="write the machine and all rows")
        command.add_argument("--plot", metavar="FILE", help="draw them as PNG or SVG")
        command.set_defaults(run=partial(measure, name, command))
    command = commands.add_parser("all", help="everything, into FOLDER; about 28 minutes on two cores")
    command.add_argument("folder", metavar="FOLDER")
    command.add_argument("--quick", action="store_true", help="one short turn each: whether it runs, not how fast")
    command.set_defaults(run=measure_all)
    command = commands.add_parser("systems", help="what the recipes reach, run by run")
    systems.add_options(command)
    command = commands.add_parser("table", help="print measured rows as Markdown")
    command.add_argument("files", nargs="+", help="written with --json; or a page (.md) whose tables are made anew")
    command.set_defaults(run=print_tables)
    return found


def measure(name: str, command: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Measure a suite, and write and draw what was asked for."""
    suite = SUITES[name]
    peers = suite.default_peers if options.peers is None else [peer for peer in options.peers.split(",") if peer]
    if unknown := [peer for peer in peers if peer not in suite.peers]:
        command.error(f"no peer is called {', '.join(unknown)}; there are: {', '.join(suite.peers)}")
    report = {"suite": name, "machine": machine.describe(options.threads)}
    try:
        report["rows"] = suite.module.run(options.names, peers, options.threads, options.rounds, options.seconds)
    except ValueError as error:
        command.error(str(error))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot.draw(report, options.plot)
    return 0


def measure_all(options: argparse.Namespace, suites: dict[str, list[str]] = ALL) -> int:
    """Measure one suite after the other; one that fails does not keep the others from running."""
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, arguments in suites.items():
        print(f"== {' '.join(arguments)}", flush=True)
        written = ["--json", str(folder / f"{name}.json"), "--plot", str(folder / f"{name}.png")]
        command = [sys.executable, "-m", "benchmarks", *arguments, *(QUICK if options.quick else []), *written]
        if subprocess.run(command, cwd=machine.ROOT).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def print_tables(options: argparse.Namespace) -> int:
    """Print each report as Markdown; in a page, fill the marked places."""
    for file in map(Path, options.files):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".md":
            file.write_text(table.fill(text, machine.ROOT), encoding="utf-8")
        else:
            print(table.markdown(json.loads(text)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
