"""The cost of autograd itself: forward and backward of one operation on so few numbers that the arithmetic is free."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

import minidl
from benchmarks import turns
from benchmarks.cases.case import torch
from benchmarks.choice import chosen

PEERS = ["torch-eager"]
NUMBERS = 8
STEPS = 500  # timed together: one of them takes microseconds
# name: the operation, of a tensor x
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "x * 3": lambda x: x * 3,
    "x + x": lambda x: x + x,
    "x * x": lambda x: x * x,
    "exp(x)": lambda x: x.exp(),
    "tanh(x)": lambda x: x.tanh(),
}


def step(tensor: Callable[[np.ndarray], Any], operation: Callable[[Any], Any]) -> Callable[[], Any]:
    """Forward and backward of an operation; returns dx."""
    x, dy = (tensor(np.linspace(0.5, 1.5, NUMBERS, dtype=np.float32)) for _ in range(2))
    x.requires_grad = True

    def run() -> np.ndarray:
        x.grad = None
        operation(x).backward(dy)
        return x.grad

    return run


def turn(run: Callable[[], Any], seconds: float) -> list[float]:
    """Milliseconds of a step, as the mean of each block of steps during about `seconds`."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(STEPS):
            run()
        times.append(1e3 * (time.perf_counter() - begin) / STEPS)
    return times


def run(names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each operation whose name contains one of `names` (all for none), printed as it comes."""
    measured = chosen(names, OPERATIONS, "operation")
    found = {peer: torch() for peer in peers}  # PyTorch is the only one
    missing = {peer: "torch is not installed here" for peer, module in found.items() if module is None}
    for peer, reason in missing.items():
        print(f"{peer} is missing: {reason}")
    rows = []
    for name in measured:
        ours, theirs = step(minidl.Tensor, OPERATIONS[name]), {}
        for peer in found.keys() - missing:
            run_peer = step(found[peer].from_numpy, OPERATIONS[name])
            if not np.allclose(run_peer().numpy(), ours().numpy(), rtol=1e-6):
                raise AssertionError(f"{name}: the gradient is {run_peer()} with {peer}, ours is {ours()}")
            theirs[peer] = partial(turn, run_peer, seconds)
        row = turns.compare(partial(turn, ours, seconds), theirs, rounds)
        row = {"name": name, "threads": threads, **row, "missing": missing}
        print(turns.line(row), flush=True)
        rows.append(row)
    return rows
