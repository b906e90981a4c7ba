"""The machine, build and versions of a measurement."""

from __future__ import annotations

import os
import subprocess
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from minidl import machine

ROOT = Path(__file__).resolve().parent.parent


def describe(threads: int) -> dict[str, Any]:
    """The machine, the build and the versions, as plain values for JSON."""
    found = machine.describe()
    return {
        "date": date.today().isoformat(),
        "commit": _commit(),
        "cpu": found["cpu"],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else found["cores"],
        "threads": threads,
        "instruction_set": found["instruction_set"] or "none",
        "build": found["cython_kernels"],
        "system": found["platform"],
        "python": found["python"],
        "versions": {name: _version(name) for name in ("minidl", "numpy", "numba", "torch", "jax", "tensorflow")},
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """The commit, with a + if files differ from it (other than results, which are written on it)."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
