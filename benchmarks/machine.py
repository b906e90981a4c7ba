"""What the figures were read on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import minidl

ROOT = Path(__file__).resolve().parent.parent


def describe(threads: int) -> dict[str, Any]:
    """The machine, the build and the versions, as plain values for JSON."""
    info = minidl.kernels.cpu_info()
    return {
        "date": date.today().isoformat(),
        "commit": _commit(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": threads,
        "instruction_set": info.chosen if info else "none",
        "build": info.build if info else "no Cython kernels: the reference serves",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "minidl": minidl.__version__,
        "load_before": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    """The commit, with a + where files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()
