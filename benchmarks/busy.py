"""Training steps on a busy machine: as many other processes compute all the time as there are cores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import training

PEERS = ["torch-eager", "torch-channels-last"]
NAMES = ["M1", "M2", "M3 LeNet N=64", "RNN 128"]

# It ends by itself when whoever started it is gone.
SPIN = """
import os, sys
parent = int(sys.argv[1])
print("spinning", flush=True)
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def loaded(processes: int) -> Iterator[None]:
    """Let that many processes compute until the exit."""
    command = [sys.executable, "-c", SPIN, str(os.getpid())]
    spinning = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    try:
        for process in spinning:
            process.stdout.readline()
        yield
    finally:
        for process in spinning:
            process.kill()
            process.communicate()


def run(names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """The rows of ``training``, read while all cores are busy."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with loaded(cores):
        rows = training.run(names or NAMES, peers, threads, rounds, seconds)
    return [{**row, "other_processes": cores} for row in rows]
