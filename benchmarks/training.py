"""Whole training steps (forward, loss, backward, optimizer) beside those of the peers.

Each framework builds the network in a process of its own (``steps/``), and they take turns: ours, a peer, ours, the
next peer, ... for some rounds, so that a slow minute of the machine falls on all. The ratio of a round is ours over the
peer's, both medians of the round; what is reported is the median over the rounds.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.steps.networks import NAMES

STEPS = Path(__file__).resolve().parent / "steps"

# peer: (module it needs, its file in steps/, what else it is told)
PEERS = {
    "torch-eager": ("torch", "torch_steps.py", ["eager"]),
    "torch-channels-last": ("torch", "torch_steps.py", ["channels-last"]),
    "torch-compile": ("torch", "torch_steps.py", ["compile"]),
    "jax": ("jax", "jax_steps.py", []),
    "tensorflow": ("tensorflow", "tensorflow_steps.py", []),
}
BUILD_SECONDS = 300  # compiling a step may take minutes


class Worker:
    """A framework in a process of its own; see ``steps/worker.py``."""

    def __init__(self, python: str, file: str, name: str, threads: int, options: list[str]):
        command = [python, str(STEPS / file), name, str(threads), *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.facts = json.loads(self._answer("ready"))

    def _answer(self, word: str = "") -> str:
        for line in self.process.stdout:
            if line.startswith(word) and (word or line.startswith("[")):
                return line[len(word) :]
        errors = self.process.stderr.read().strip().splitlines()
        raise RuntimeError(errors[-1] if errors else f"ended with status {self.process.wait()}")

    def run(self, seconds: float) -> list[float]:
        """Milliseconds of each step of a run of about that long."""
        self.process.stdin.write(f"run {seconds}\n")
        self.process.stdin.flush()
        return json.loads(self._answer())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def python_with(module: str) -> str | None:
    """This Python, or that of ``.venv-MODULE``, whichever has the module."""
    if importlib.util.find_spec(module) is not None:
        return sys.executable
    own = ROOT / f".venv-{module}" / "bin" / "python"
    return str(own) if own.exists() else None


def measure(name: str, peers: list[str], threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    """One row: our step of the network `name` and each peer's, and how they compare."""
    ours = Worker(sys.executable, "minidl_steps.py", name, threads, [])
    workers: dict[str, Worker] = {}
    missing: dict[str, str] = {}
    for peer in peers:
        module, file, options = PEERS[peer]
        python = python_with(module)
        if python is None:
            missing[peer] = f"{module} is not installed here, nor in .venv-{module}"
            continue
        try:
            workers[peer] = Worker(python, file, name, threads, options)
        except RuntimeError as error:
            missing[peer] = str(error)
    own_rounds: list[float] = []
    peer_rounds: dict[str, list[float]] = {peer: [] for peer in workers}
    ratios: dict[str, list[float]] = {peer: [] for peer in workers}
    smallest: float = float("inf")
    try:
        for _ in range(rounds):
            for peer, worker in workers.items() or [("", None)]:
                times = ours.run(seconds)
                own_rounds.append(median(times))
                smallest = min(smallest, *times)
                if worker is not None:
                    theirs = median(worker.run(seconds))
                    peer_rounds[peer].append(theirs)
                    ratios[peer].append(own_rounds[-1] / theirs)
    finally:
        for worker in (ours, *workers.values()):
            worker.close()
    row: dict[str, Any] = {
        "name": name,
        "threads": threads,
        "ours_ms": median(own_rounds),
        "ours_min_ms": smallest,
        "ours_spread": (max(own_rounds) - min(own_rounds)) / median(own_rounds),
        "peers_ms": {peer: median(values) for peer, values in peer_rounds.items()},
        "peer_versions": {peer: worker.facts["version"] for peer, worker in workers.items()},
        "first_step_seconds": {
            "minidl": ours.facts["first_step_seconds"],
            **{peer: worker.facts["first_step_seconds"] for peer, worker in workers.items()},
        },
        "missing": missing,
        "best_peer": None,
        "ratio": None,
    }
    if workers:
        best = min(row["peers_ms"], key=row["peers_ms"].get)
        row.update(best_peer=best, ratio=median(ratios[best]), ratio_range=[min(ratios[best]), max(ratios[best])])
    return row


def run(names: list[str], peers: list[str], threads: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each network whose name contains one of `names` (all for none), printed as it comes."""
    rows = []
    for name in NAMES:
        if names and not any(part.lower() in name.lower() for part in names):
            continue
        row = measure(name, peers, threads, rounds, seconds)
        others = ", ".join(f"{peer} {ms:.2f}" for peer, ms in row["peers_ms"].items())
        ratio = "" if row["ratio"] is None else f"   ratio to {row['best_peer']} {row['ratio']:.2f}"
        print(f"{name:<22} ours {row['ours_ms']:8.3f} ms   {others}{ratio}", flush=True)
        for peer, reason in row["missing"].items():
            print(f"{'':<22} {peer} is missing: {reason}", flush=True)
        rows.append(row)
    if not rows:
        raise ValueError(f"no network is called {', '.join(names)}; there are: {', '.join(NAMES)}")
    return rows
