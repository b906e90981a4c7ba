"""Memory of large arrays is reused from step to step: how much is in use and kept, and how to release it.

This concerns the arrays that the Cython kernels return; `cpu/buffers.pyx` says how it works, and also makes the memory
of parameters and of the state of optimizers. The environment variable MINIDL_KEEP_MB limits the free memory that is
kept, in megabytes: an eighth of the machine's memory unless set; with 0 nothing is reused.

NumPy's own arrays come from the C library. glibc keeps free memory too, up to twice the largest block that was freed so
far, if that has at most 32 MB; so a block of 31 MB is allocated and freed at import.
"""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

import numpy as np

from . import build_report

GLIBC_BLOCK = 31 << 20


class MemoryUsage(NamedTuple):
    """Bytes of large arrays that kernels have returned, of layers' parameters and of the state of optimizers."""

    in_use: int
    peak: int  # largest in_use since the start or `reset_peak_memory`
    kept: int  # free, and kept for the next arrays
    limit: int  # of `kept`


def kept_bytes() -> int:
    """Return how many bytes may be kept: MINIDL_KEEP_MB, or else an eighth of the machine's memory.

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
    """Return the module cpu.buffers; None where it could not be built."""
    if build_report.unavailable("minidl.kernels.cpu.buffers"):
        return None
    from .cpu import buffers as module

    return module


def memory_usage() -> MemoryUsage:
    """Return how much memory such arrays use (see :class:`MemoryUsage`), and how much is kept for the next ones.

    Examples
    --------
    >>> from minidl import kernels
    >>> usage = kernels.memory_usage()
    >>> usage.in_use <= usage.peak, usage.kept <= usage.limit
    (True, True)
    """
    module = buffers()
    return MemoryUsage(0, 0, 0, 0) if module is None else MemoryUsage(*module.usage())


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return np.empty(shape, dtype), in memory that begins at a cache line: for what changes at every step.

    np.empty's begins 16 bytes after one as often as not. Then each vector of 64 bytes that is stored lies in two cache
    lines, and a step of Adam takes twice as long.

    Examples
    --------
    >>> from minidl import kernels
    >>> kernels.aligned_empty((2, 3), "float32").shape
    (2, 3)
    """
    try:
        module = buffers()
    except build_report.BuildError:  # a network for a GPU needs no extension; on the CPU, the first kernel will raise
        module = None
    return np.empty(shape, dtype) if module is None else module.aligned_empty(shape, dtype)


def reset_peak_memory() -> None:
    """Set `peak` to what is in use now."""
    if (module := buffers()) is not None:
        module.reset_peak()


def release_memory() -> None:
    """Give the kept memory back to the system; arrays in use stay as they are."""
    if (module := buffers()) is not None:
        module.release()


if kept_bytes() > 0:
    np.empty(GLIBC_BLOCK, np.uint8)
