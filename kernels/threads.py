"""How many threads the CPU kernels use.

Results do not depend on it: work is divided, and partial sums are added, in the same way for any number of threads.
"""

from __future__ import annotations

import operator
import os
import sys

_threads: int | None = None  # None: not asked for yet


def get_num_threads() -> int:
    """Return how many threads the CPU kernels use.

    The first value is MINIDL_NUM_THREADS, or else the number of cores that this process may use.
    """
    global _threads
    if _threads is None:
        _threads = _initial_threads()
    return _threads


def set_num_threads(n: int) -> None:
    """Let the CPU kernels use `n` threads, 1 to 64, counting the caller's own."""
    global _threads
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"n must be an integer, got {n!r}") from None
    if not 1 <= n <= 64:
        raise ValueError(f"n must be between 1 and 64, got {n}")
    _threads = n
    pool = sys.modules.get(f"{__package__}.cpu.pool")  # if not loaded yet, it will ask get_num_threads
    if pool is not None:
        pool.set_num_threads(n)


def set_numba_threads() -> None:
    """Let Numba use as many threads, or its maximum if that is lower; its parallel kernels call this first."""
    import numba

    numba.set_num_threads(min(get_num_threads(), numba.config.NUMBA_NUM_THREADS))


def _initial_threads() -> int:
    asked = os.environ.get("MINIDL_NUM_THREADS")
    if not asked:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, 64)
    if not asked.isdecimal() or not 1 <= int(asked) <= 64:
        raise ValueError(f"MINIDL_NUM_THREADS must be an integer between 1 and 64, got {asked!r}")
    return int(asked)
