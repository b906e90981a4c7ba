"""Memory of large arrays is reused from step to step: how much there is, and the way to give it back.

The arrays that the Cython kernels return take part; how it works stands in `cpu/buffers.pyx`. The environment variable
MINIDL_KEEP_MB says how many megabytes may be kept free for later, an eighth of the machine's memory unless set; with 0
nothing is reused.

Arrays that NumPy makes come from the C library. That of GNU also keeps free memory, up to twice the largest block it
has seen being freed; so it is shown one of 31 MB at the start (beyond 32 MB it learns nothing).
"""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

import numpy as np

from . import build_report

LARGEST_TO_LEARN_FROM = 31 << 20


class MemoryUsage(NamedTuple):
    """In bytes, of the large arrays that kernels have returned."""

    in_use: int
    peak: int  # the most that was in use at a time, since the start or `reset_peak_memory`
    kept: int  # free, and waiting for the next array
    limit: int  # of `kept`


def kept_bytes() -> int:
    """Return how much may be kept, by MINIDL_KEEP_MB or else by the machine's memory.

    Raises
    ------
    ValueError
        MINIDL_KEEP_MB is not a whole number of at least 0.
    """
    text = os.environ.get("MINIDL_KEEP_MB")
    if text:
        if not text.isdecimal():
            raise ValueError(f"MINIDL_KEEP_MB must be a whole number of megabytes, 0 for none, got {text!r}")
        return int(text) << 20
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8
    except (AttributeError, OSError, ValueError):  # not on this system
        return 1 << 30


@functools.cache
def buffers() -> Any:
    """Return the module that keeps the memory; None where the Cython kernels could not be built."""
    if build_report.unavailable("minidl.kernels.cpu.buffers"):
        return None
    from .cpu import buffers as module

    return module


def memory_usage() -> MemoryUsage:
    """Return what the large arrays of the kernels use, and what is kept for the next ones.

    Examples
    --------
    >>> from minidl import kernels
    >>> usage = kernels.memory_usage()
    >>> usage.in_use <= usage.peak, usage.kept <= usage.limit
    (True, True)
    """
    module = buffers()
    return MemoryUsage(0, 0, 0, 0) if module is None else MemoryUsage(*module.usage())


def reset_peak_memory() -> None:
    """Start anew to look for the most that is in use at a time."""
    if (module := buffers()) is not None:
        module.reset_peak()


def release_memory() -> None:
    """Return the memory that is kept for later to the system; arrays in use stay as they are."""
    if (module := buffers()) is not None:
        module.release()


if kept_bytes() > 0:
    np.empty(LARGEST_TO_LEARN_FROM, np.uint8)
