"""How implementations take turns, and how their times are compared.

All run in every round, each round in the opposite order of the one before, so that a slow minute of the machine affects
all of them, and none always runs after the same other one. A turn returns the milliseconds of its calls.

The time of an implementation is the median over the rounds of its median in a round. The ratio to a peer is the median
of the ratios in each round; beside it stand the smallest, the largest, and the ratio of the shortest calls of all
rounds, which a busy machine changes least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

Turn = Callable[[], list[float]]

# Our own other implementations: they are measured too, but are never the best peer.
OWN = ("reference", "numba", "cython_naive", "cython_blocked")
ROOF = "peak"  # the same number of multiply-adds on registers alone: not a kernel, but the limit of the machine


def compare(ours: Turn, peers: dict[str, Turn], rounds: int, once: Iterable[str] = ()) -> dict[str, Any]:
    """The part of a row that holds times and ratios; slow peers, named in `once`, have a single turn."""
    turns = {"ours": ours, **peers}
    times: dict[str, list[list[float]]] = {name: [] for name in turns}
    for i in range(rounds):
        for name in reversed(turns) if i % 2 else turns:
            if i == 0 or name not in once:
                times[name].append(turns[name]())
    medians = {name: [median(turn) for turn in of_rounds] for name, of_rounds in times.items()}
    summary = {
        name: {
            "ms": median(of_rounds),
            "min_ms": min(min(turn) for turn in times[name]),
            "spread": (max(of_rounds) - min(of_rounds)) / median(of_rounds),
        }
        for name, of_rounds in medians.items()
    }
    own = summary.pop("ours")
    row = {f"ours_{key}": value for key, value in own.items()}
    row |= {f"peers_{key}": {peer: values[key] for peer, values in summary.items()} for key in own}
    row["ratios"] = {}
    for peer, of_rounds in medians.items():
        if peer != "ours":
            ratios = [a / b for a, b in zip(medians["ours"], of_rounds)]
            shortest = row["ours_min_ms"] / row["peers_min_ms"][peer]
            row["ratios"][peer] = {
                "median": median(ratios), "min": min(ratios), "max": max(ratios), "of_shortest": shortest,
            }  # fmt: skip
    rivals = {peer: values["ms"] for peer, values in summary.items() if peer not in (*OWN, ROOF)}
    best = min(rivals, key=rivals.__getitem__) if rivals else None
    return row | {"best_peer": best, "ratio": row["ratios"][best]["median"] if best else None}


def line(row: dict[str, Any], detail: str = "") -> str:
    """A row as one line of text."""
    peers = ", ".join(f"{peer} {ms:.3g}" for peer, ms in row["peers_ms"].items())
    ratio = "" if row["ratio"] is None else f"  ratio to {row['best_peer']} {row['ratio']:.2f}"
    return f"{row['name']:<26} {row['ours_ms']:9.4g} ms {detail}{ratio}   ({peers or 'no peer'})"
