"""A process that builds one framework's training step and times it when told to.

It reads a JSON object a line and answers with one: ``{"build": network}`` builds the step, runs it until it is warm and
answers with the first losses; ``{"run": seconds}`` answers with the milliseconds of each step of a run of about that
long. In between it waits for the next line, and tells how much processor time its threads took meanwhile.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

WARM_UP_SECONDS, WARM_UP_STEPS = 0.5, 3


def serve(build: Callable[[dict[str, Any]], Callable[[], float]], version: str) -> None:
    """`build` makes a step of a network's description; a step trains once and returns its loss, when all is done."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints is no answer

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    forget_peak()
    resident = peak_bytes()
    answer(version=version)
    step: Callable[[], float] | None = None
    since = time.process_time(), time.perf_counter()
    for line in sys.stdin:
        waited = {"cpu": time.process_time() - since[0], "seconds": time.perf_counter() - since[1]}
        order = json.loads(line)
        try:
            if "build" in order:
                step = None
                gc.collect()  # the former network's memory
                step = build(order["build"])
                answer(**_warm_up(step))
            else:
                times, loss = timed(step, order["run"])
                answer(ms=times, loss=loss, waited=waited, peak_bytes=peak_bytes() - resident)
        except Exception as error:  # noqa: BLE001  a peer that cannot build a network is named, and the others go on
            answer(error=f"{type(error).__name__}: {error}".splitlines()[0])
        since = time.process_time(), time.perf_counter()


def _warm_up(step: Callable[[], float]) -> dict[str, Any]:
    begin = time.perf_counter()
    losses = [step()]
    first = time.perf_counter() - begin
    while time.perf_counter() - begin < WARM_UP_SECONDS or len(losses) < WARM_UP_STEPS:
        losses.append(step())
    return {"losses": losses[:WARM_UP_STEPS], "first_step_seconds": round(first, 3)}


def timed(step: Callable[[], Any], seconds: float) -> tuple[list[float], Any]:
    """Milliseconds of each call during about `seconds`, at least one; and what the last one returned."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        result = step()
        times.append(1e3 * (time.perf_counter() - begin))
    return times, result


def forget_peak() -> None:
    """Let `peak_bytes` count from what is resident now, where the system can: importing may have needed more."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def peak_bytes() -> int:
    """The most memory that this process has had resident."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
