"""How the Cython kernels were built and what they use here: for `minidl info`, benchmarks and bug reports."""

from __future__ import annotations

from typing import NamedTuple

from . import build_report
from .threads import get_num_threads


class CpuInfo(NamedTuple):
    """How the Cython kernels were built, and what they use here."""

    compiled: tuple[str, ...]  # instruction sets in the binary, narrowest first
    supported: tuple[str, ...]  # those that this processor has
    chosen: str  # the one in use: the widest supported, or MINIDL_ISA
    build: str  # versions of Cython and of the compiler, and its flags
    threads: int


def cpu_info() -> CpuInfo | None:
    """Return how the Cython kernels were built and what they use here; None where they are not built.

    >>> from minidl.kernels.isa import cpu_info
    >>> info = cpu_info()
    >>> info is None or info.chosen in info.supported
    True
    """
    try:
        from .cpu import tiles
    except ImportError:
        return None
    build = build_report.extension_status(f"{__package__}.cpu.tiles").message
    return CpuInfo(tiles.COMPILED, tiles.SUPPORTED, tiles.chosen(), build, get_num_threads())
