"""Single kernels beside those of the peers: time, GFLOP/s, share of the measured peak, GB/s, and ratios.

Every implementation's result is held against float64 before and after it is timed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import minidl
from benchmarks import turns
from benchmarks.cases import CASES
from benchmarks.cases.case import Case, torch
from benchmarks.cases.matmul import PRODUCTS
from benchmarks.choice import chosen
from benchmarks.steps.openblas_matmul import version as blas_version
from benchmarks.steps.worker import timed
from benchmarks.workers import SETTLE_SECONDS, STEPS, Worker

# openblas is NumPy's, as it chooses its kernels; openblas-best the same, forced to the best kernels for this processor.
PEERS = ["torch-eager", "torch-channels-last", "openblas", "openblas-best", *turns.OWN]
CORE_TYPES = {"avx512": "SkylakeX", "avx2": "Haswell"}  # by our name of the instruction set
TOLERANCE = 1e-4  # of the largest number of a result
LADDER = ("reference", "cython_naive", "cython_blocked", "numba")
LADDER_OPERATIONS = 5e8  # beyond that, these would take most of the time of a run
ONCE_MS = 300.0  # a slower call has one turn


def run(
    names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float, cases=CASES
) -> list[dict[str, Any]]:
    """A row for each kernel whose name contains one of `names` (all for none), printed as it comes."""
    measured = chosen(names, cases, "kernel")
    before = minidl.get_num_threads()
    minidl.set_num_threads(threads)
    module = torch()
    if module is not None:
        module.set_num_threads(threads)
    rows = []
    try:
        with ExitStack() as stack:
            stack.enter_context(threadpool_limits(threads, "blas"))
            openblas, absent = None, ""
            if "openblas-best" in peers and any(name in PRODUCTS for name in measured):
                openblas, absent = best_openblas(threads, stack)
                print(f"openblas: {blas_version()}; openblas-best: {openblas.version if openblas else absent}")
            peak, bandwidth = roof()
            print(f"peak {peak:.0f} GFLOP/s, memory {bandwidth:.0f} GB/s, {threads} threads", flush=True)
            for name in measured:
                row = measure(name, cases[name](), peers, rounds, seconds, openblas, absent)
                row = {"name": name, "threads": threads, **row, **rates(row, peak, bandwidth)}
                print(turns.line(row, main_rate(row)), flush=True)
                rows.append(row)
    finally:
        minidl.set_num_threads(before)
    return rows


def measure(
    name: str, case: Case, peers: Iterable[str], rounds: int, seconds: float, openblas: Worker | None, absent: str
) -> dict[str, Any]:
    """Our kernel's times and each peer's."""
    expected = arrays(case.expected())
    makers = {"ours": case.ours, **{peer: case.peers[peer] for peer in peers if peer in case.peers}}
    missing = {peer: "has no such kernel, or is not installed" for peer in peers if peer not in case.peers}
    if case.operations > LADDER_OPERATIONS:
        for peer in LADDER:
            if makers.pop(peer, None):
                missing[peer] = f"not run beyond {LADDER_OPERATIONS:.0e} operations"
    first_ms: dict[str, float] = {}
    found: dict[str, turns.Turn] = {}
    for who, make in makers.items():
        try:
            call = make()
            begin = time.perf_counter()
            result = call()
            first_ms[who] = 1e3 * (time.perf_counter() - begin)
        except RuntimeError as reason:  # a backend that has not all functions of the kernel
            if who == "ours":
                raise
            missing[who] = str(reason)
            continue
        check(name, who, result, expected)
        found[who] = turn(make(), seconds)
    if name in PRODUCTS and "openblas-best" in peers:
        if openblas is None:
            missing["openblas-best"] = absent
        else:
            del missing["openblas-best"]
            [corner, *_] = openblas.build(PRODUCTS[name])["losses"]
            check(name, "openblas-best", np.array([corner]), [expected[0].reshape(-1)[-1:]])
            found["openblas-best"] = lambda: openblas.run(seconds)
    ours = found.pop("ours")
    if case.operations:
        found[turns.ROOF] = roof_turn(case.operations, seconds)
    begin = {peer: first_ms.get(peer, 0.0) for peer in found}
    once = {peer for peer in found if peer in LADDER and peer != "numba" and begin[peer] > ONCE_MS}
    row = turns.compare(ours, found, rounds, once)
    for who in first_ms:
        check(name, who, makers[who]()(), expected)
    return row | {
        "operations": case.operations,
        "bytes": case.bytes,
        "first_call_ms": first_ms,  # Numba's holds the compiling
        "missing": missing,
    }


def turn(call: Callable[[], Any], seconds: float) -> turns.Turn:
    """Milliseconds of some calls, after the threads of the one before have gone to sleep."""

    def run() -> list[float]:
        time.sleep(SETTLE_SECONDS)
        return timed(call, seconds)[0]

    return run


def roof_turn(operations: float, seconds: float) -> turns.Turn:
    """Milliseconds of that many operations on registers alone; it takes turns too, as the machine's speed varies."""
    from minidl.kernels.cpu import peak

    run = turn(peak.multiply_adds, seconds)
    return lambda: [ms * operations / peak.multiply_adds() for ms in run()]


def best_openblas(threads: int, stack: ExitStack) -> tuple[Worker | None, str]:
    """A process in which OpenBLAS uses the best kernels for this processor; or None, and why not."""
    core = CORE_TYPES.get(minidl.kernels.cpu_info().chosen if minidl.kernels.cpu_info() else "")
    if core is None:
        return None, "OpenBLAS has one core type for this instruction set"
    command = [sys.executable, str(STEPS / "openblas_matmul.py"), str(threads)]
    worker = Worker(command, {"OPENBLAS_CORETYPE": core})
    stack.callback(worker.close)
    return worker, ""


def roof() -> tuple[float, float]:
    """The limits of this machine with the threads in use, measured: GFLOP/s and GB/s."""
    from minidl.kernels.cpu import peak

    return peak.peak_gflops(), peak.memory_bandwidth()


def rates(row: dict[str, Any], peak: float, bandwidth: float) -> dict[str, Any]:
    """The rates of a row, and their shares of the machine's limits."""
    gflops, gb_per_s = row["operations"] / row["ours_ms"] / 1e6, row["bytes"] / row["ours_ms"] / 1e6
    return {
        "gflops": gflops,
        "percent_of_peak": 100 / row["ratios"][turns.ROOF]["median"] if row["operations"] else 0.0,
        "gb_per_s": gb_per_s,
        "percent_of_bandwidth": 100 * gb_per_s / bandwidth,
        "operations_per_byte": row["operations"] / row["bytes"],
        "peak_gflops": peak,
        "bandwidth_gb_per_s": bandwidth,
    }


def main_rate(row: dict[str, Any]) -> str:
    """GFLOP/s of a kernel that computes, GB/s of one that is limited by memory."""
    if row["operations"]:
        return f"{row['gflops']:6.0f} GFLOP/s {row['percent_of_peak']:4.0f} %"
    return f"{row['gb_per_s']:6.1f} GB/s"


def arrays(result: Any) -> list[np.ndarray]:
    """A result, of us or of PyTorch, as a list of arrays."""
    parts = result if isinstance(result, list | tuple) else [result]
    return [np.asarray(part.detach().numpy() if hasattr(part, "detach") else part) for part in parts]


def check(name: str, who: str, result: Any, expected: list[np.ndarray]) -> None:
    """Raise unless each array of the result is the expected one."""
    for actual, wanted in zip(arrays(result), expected, strict=True):
        error = np.abs(actual.astype(np.float64) - wanted).max() / np.abs(wanted).max()
        if not error < TOLERANCE:
            raise AssertionError(f"{name}: {who} is wrong, its error is {error:.1e} of the largest number")
