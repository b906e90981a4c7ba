"""A process that times one framework's training step when told to.

It prints ``ready VERSION`` when the step is built and has run a few times, then for every line ``run SECONDS`` on its
standard input it prints the milliseconds of each step of a run of about that long, as JSON. It waits, asleep, in
between, so that frameworks take turns on an otherwise idle machine.
"""

import json
import sys
import time
from collections.abc import Callable

WARM_UP_SECONDS, WARM_UP_STEPS = 1.0, 3


def serve(step: Callable[[], float], version: str) -> None:
    """`step` trains once and returns the loss, which must be a number: the work is done when it is there."""
    begin = time.perf_counter()
    step()
    first = time.perf_counter() - begin
    count = 1
    while time.perf_counter() - begin < WARM_UP_SECONDS or count < WARM_UP_STEPS:
        step()
        count += 1
    print("ready", json.dumps({"version": version, "first_step_seconds": round(first, 3)}), flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        times = []
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            begin = time.perf_counter()
            loss = step()
            times.append(1e3 * (time.perf_counter() - begin))
        if loss != loss:
            raise SystemExit("the loss is not a number")
        print(json.dumps(times), flush=True)
