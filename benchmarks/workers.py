"""Frameworks in processes of their own, which live for a whole run and sleep between their turns."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT

STEPS = Path(__file__).resolve().parent / "steps"

# framework: (module it needs, its file in steps/, what else it is told)
FRAMEWORKS = {
    "minidl": ("minidl", "minidl_torch_steps.py", ["minidl"]),
    "torch-eager": ("torch", "minidl_torch_steps.py", ["eager"]),
    "torch-channels-last": ("torch", "minidl_torch_steps.py", ["channels-last"]),
    "torch-compile": ("torch", "minidl_torch_steps.py", ["compile"]),
    "jax": ("jax", "jax_steps.py", []),
    "tensorflow": ("tensorflow", "tensorflow_steps.py", []),
}
PEERS = [name for name in FRAMEWORKS if name != "minidl"]
DEFAULT_PEERS = [name for name in PEERS if name != "torch-compile"]  # whose compiling takes minutes
SETTLE_SECONDS = 0.05  # OpenMP and OpenBLAS spin for a while after their work; then their threads sleep


class Worker:
    """One framework; see ``steps/worker.py`` for what it is told and answers."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None):
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self.waited_cpu = self.waited_seconds = 0.0
        self.loss, self.peak_bytes = float("nan"), 0
        self.version = self._answer()["version"]

    def build(self, network: dict[str, Any]) -> dict[str, Any]:
        """Build the step of a network; return its first losses and how long the first step took."""
        return self._ask(build=network)

    def run(self, seconds: float) -> list[float]:
        """Milliseconds of each step of a run of about that long."""
        time.sleep(SETTLE_SECONDS)
        answer = self._ask(run=seconds)
        self.loss, self.peak_bytes = answer["loss"], answer["peak_bytes"]
        self.waited_cpu += answer["waited"]["cpu"]
        self.waited_seconds += answer["waited"]["seconds"]
        return answer["ms"]

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def _ask(self, **order: Any) -> dict[str, Any]:
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and what it said on the way stands in `errors`
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        text = self.process.stdout.readline()
        if not text:
            status = self.process.wait()
            self.errors.seek(0)
            errors = self.errors.read().strip().splitlines()
            raise RuntimeError(errors[-1] if errors else f"its process ended with status {status}")
        answer = json.loads(text)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


@contextmanager
def started(names: Iterable[str], threads: int) -> Iterator[tuple[dict[str, Worker], dict[str, str]]]:
    """Workers of the frameworks `names`, ended at the exit; and for each that cannot run here, why."""
    workers: dict[str, Worker] = {}
    missing: dict[str, str] = {}
    try:
        for name in names:
            module, file, options = FRAMEWORKS[name]
            python = python_with(module)
            if python is None:
                missing[name] = f"{module} is not installed here, nor in .venv-{module}"
                continue
            try:
                workers[name] = Worker([python, str(STEPS / file), str(threads), *options])
            except RuntimeError as error:
                missing[name] = str(error)
        yield workers, missing
    finally:
        for worker in workers.values():
            worker.close()


def python_with(module: str) -> str | None:
    """This Python, or that of ``.venv-MODULE``, whichever has the module."""
    if importlib.util.find_spec(module) is not None:
        return sys.executable
    own = ROOT / f".venv-{module}" / "bin" / "python"
    return str(own) if own.exists() else None
