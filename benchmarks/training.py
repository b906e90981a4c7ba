"""Whole training steps (forward, loss, backward, optimizer) beside those of the peers.

Every framework starts from the same weights and data. Before a network is timed, the peers' first losses must be ours;
after it, the loss of a network that has trained on one batch must have come down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks import turns, workers
from benchmarks.choice import chosen
from benchmarks.steps.networks import NETWORKS

TOLERANCE = 0.01  # of a loss: frameworks round differently, and some have one recurrent bias where others have two


def run(
    names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float, networks=NETWORKS
) -> list[dict[str, Any]]:
    """A row for each network whose name contains one of `names` (all for none), printed as it comes."""
    return list(rows(names, peers, threads, rounds, seconds, networks))


def rows(
    names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float, networks=NETWORKS
) -> Iterator[dict[str, Any]]:
    """The rows of `run`, one by one, for those who keep each before the next is measured."""
    measured = chosen(names, networks, "network")
    with workers.started(["minidl", *peers], threads) as (started, missing):
        if "minidl" not in started:
            raise RuntimeError(f"minidl cannot run: {missing['minidl']}")
        for peer, reason in missing.items():
            print(f"{peer} is missing: {reason}", flush=True)
        for name in measured:
            row = {"name": name, "threads": threads, **measure(name, networks[name], started, rounds, seconds)}
            row["missing"] |= missing
            print(turns.line(row), flush=True)
            yield row
        for name, worker in started.items():
            print(f"{name}, waiting for its turns, used {share_waiting(worker):.1%} of a core", flush=True)


def measure(
    name: str, network: dict[str, Any], started: dict[str, workers.Worker], rounds: int, seconds: float
) -> dict[str, Any]:
    """Our step of a network and each peer's, and how they compare."""
    facts: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for framework, worker in started.items():
        try:
            facts[framework] = worker.build(network)
        except RuntimeError as error:
            if framework == "minidl":
                raise
            missing[framework] = str(error)
    expected = facts["minidl"]["losses"]
    for framework, fact in facts.items():
        if not all(abs(loss - own) <= TOLERANCE * abs(own) for loss, own in zip(fact["losses"], expected)):
            raise AssertionError(f"{name}: the first losses are {fact['losses']} with {framework}, ours are {expected}")
    peers = {peer: lambda worker=started[peer]: worker.run(seconds) for peer in facts if peer != "minidl"}
    row = turns.compare(lambda: started["minidl"].run(seconds), peers, rounds)
    for framework in facts:
        loss = started[framework].loss
        # The two networks of a GAN work against each other: no more can be said of the sum than that it is a number.
        good = loss == loss if network["kind"] == "adversarial" else loss < expected[0]
        if not good:
            raise AssertionError(f"{name}: the loss with {framework} is {loss} after training, and was {expected[0]}")
    return row | {
        "peer_versions": {peer: started[peer].version for peer in peers},
        "first_step_seconds": {framework: fact["first_step_seconds"] for framework, fact in facts.items()},
        "first_losses": {framework: fact["losses"] for framework, fact in facts.items()},
        "cpu_while_waiting": {framework: share_waiting(started[framework]) for framework in facts},
        "missing": missing,
    }


def share_waiting(worker: workers.Worker) -> float:
    """What a worker used of one core between its turns; more than a few percent would slow the others down."""
    return worker.waited_cpu / max(worker.waited_seconds, 1e-9)
