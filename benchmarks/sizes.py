"""What a training step costs as its data grow: time and memory against the batch size and against the image's pixels.

Every size runs in fresh processes, because the memory is measured as the peak of the resident set since the framework
was imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Any

from benchmarks import training, turns, workers
from benchmarks.choice import chosen
from benchmarks.steps.networks import NETWORKS

PEERS = ["torch-eager", "torch-channels-last"]
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
IMAGES = (28, 56, 84, 112, 140, 168, 196, 224)  # height and width
BATCH_NETWORK, IMAGE_NETWORK = NETWORKS["M1 MNIST CNN N=32"], NETWORKS["M4 224x224 CNN N=32"]

# name: (what grows, how large it is, the network)
SIZES: dict[str, tuple[str, int, dict[str, Any]]] = {
    f"batch {n}": ("batch", n, {**BATCH_NETWORK, "batch": n}) for n in BATCHES
} | {f"image {s}x{s}": ("image", s * s, {**IMAGE_NETWORK, "image": (1, s, s)}) for s in IMAGES}


def run(
    names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float, sizes=SIZES
) -> list[dict[str, Any]]:
    """A row for each size whose name contains one of `names` (all for none), printed as it comes."""
    rows = []
    for name in chosen(names, sizes, "size"):
        series, size, network = sizes[name]
        with workers.started(["minidl", *peers], threads) as (started, missing):
            row = training.measure(name, network, started, rounds, seconds)
            peaks = {framework: worker.peak_bytes for framework, worker in started.items()}
        row["missing"] |= missing
        row = {"name": name, "threads": threads, "series": series, "size": size, **row, "peak_bytes": peaks}
        print(turns.line(row, f"{peaks['minidl'] / 1e6:6.0f} MB"), flush=True)
        rows.append(row)
    for series in dict.fromkeys(row["series"] for row in rows):
        of_series = [row for row in rows if row["series"] == series]
        print(f"{series}: time grows as size ** {exponent(of_series):.2f} over the upper half", flush=True)
    return rows


def exponent(rows: list[dict[str, Any]]) -> float:
    """p in time = c * size ** p, between the middle and the largest size: 1 is linear."""
    first, last = rows[len(rows) // 2 - 1], rows[-1]
    if first["size"] == last["size"]:
        return float("nan")
    return log(last["ours_ms"] / first["ours_ms"]) / log(last["size"] / first["size"])
