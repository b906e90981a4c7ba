"""How many threads the CPU kernels use.

The number never changes a result: the work is cut, and partial sums are added, in the same way for any of them.
"""

from __future__ import annotations

import functools
import operator
import os
from types import ModuleType


@functools.cache
def _pool() -> ModuleType | None:
    try:
        from .cpu import pool
    except ImportError:  # not built: the reference serves, and it has no threads of ours
        return None
    return pool


def get_num_threads() -> int:
    """Return how many threads the CPU kernels use: 1 where the Cython kernels are not built.

    The first value is MINIDL_NUM_THREADS, or else the number of cores that this process may use.
    """
    return pool.get_num_threads() if (pool := _pool()) else 1


def set_num_threads(n: int) -> None:
    """Let the CPU kernels use `n` threads, 1 to 64, the calling one included."""
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"n must be an integer, got {n!r}") from None
    if not 1 <= n <= 64:
        raise ValueError(f"n must be between 1 and 64, got {n}")
    if pool := _pool():
        pool.set_num_threads(n)


def default_num_threads() -> int:
    """Return the number of threads to start with: MINIDL_NUM_THREADS, or the cores that this process may use."""
    asked = os.environ.get("MINIDL_NUM_THREADS")
    if not asked:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, 64)
    if not asked.isdecimal() or not 1 <= int(asked) <= 64:
        raise ValueError(f"MINIDL_NUM_THREADS must be an integer between 1 and 64, got {asked!r}")
    return int(asked)
