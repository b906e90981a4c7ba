"""Single kernels beside those of the peers: GFLOP/s, share of the measured peak, and the ratio of the times.

Every implementation's result is checked against NumPy in float64 before and after it is timed. Implementations take
turns, one call each, for some rounds; what is reported is the median. A peer's threads spin for a while after their
work, so each turn begins with a short sleep.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

import minidl
from minidl import kernels

PEERS = ("torch", "openblas", "reference", "numba")
MATMUL_SIZES = (128, 256, 512, 1024, 2048)
# name: batch, in channels, height = width, out channels, kernel_size
CONVOLUTIONS = {
    "M1.1": (32, 1, 28, 32, 3),
    "M1.2": (32, 32, 13, 64, 3),
    "M2.1": (64, 3, 32, 32, 3),
    "M2.2": (64, 32, 15, 64, 3),
    "M2.3": (64, 64, 6, 64, 3),
    "M3.1 N=64": (64, 3, 32, 6, 5),
    "M3.2 N=64": (64, 6, 14, 16, 5),
    "M4.1": (32, 1, 224, 32, 3),
    "M4.2": (32, 32, 111, 64, 3),
}
SETTLE_SECONDS = 0.003


class Case(NamedTuple):
    """One kernel on one shape."""

    name: str
    operations: float  # multiplications and additions
    bytes: float  # that must move at least once
    expected: Callable[[], Any]  # in float64
    ours: Callable[[], Any]
    peers: dict[str, Callable[[], Any]]


def matmul_cases() -> list[Case]:
    """Square products: a b, a b^T and a^T b."""
    cases = []
    for size in MATMUL_SIZES:
        random = np.random.default_rng(size)
        a, b = (random.standard_normal((size, size), dtype=np.float32) for _ in range(2))
        for kind, left, right in (("NN", a, b), ("NT", a, b.T), ("TN", a.T, b)):
            peers = {"openblas": lambda left=left, right=right: left @ right}
            if (torch := _torch()) is not None:
                tl, tr = torch.from_numpy(left), torch.from_numpy(right)
                peers["torch"] = lambda tl=tl, tr=tr: tl @ tr
            cases.append(
                Case(
                    f"matmul {kind} {size}",
                    2.0 * size**3,
                    3 * 4.0 * size**2,
                    lambda left=left, right=right: left.astype(np.float64) @ right.astype(np.float64),
                    lambda left=left, right=right: kernels.matmul.forward(left, right),
                    peers | _backends(lambda left=left, right=right: kernels.matmul.forward(left, right)),
                )
            )
    return cases


def conv2d_cases() -> list[Case]:
    """The three passes of the networks' convolutions, channels-last memory for all."""
    cases = []
    for name, (n, c, size, k, window) in CONVOLUTIONS.items():
        random = np.random.default_rng(size)
        out = size - window + 1
        x = kernels.channels_last(random.standard_normal((n, c, size, size), dtype=np.float32))
        dy = kernels.channels_last(random.standard_normal((n, k, out, out), dtype=np.float32))
        w = random.standard_normal((k, c, window, window), dtype=np.float32)
        passes = {
            "forward": (kernels.conv2d.forward, (x, w)),
            "input_grad": (kernels.conv2d.input_grad, (dy, w, (size, size))),
            "weight_grad": (kernels.conv2d.weight_grad, (x, dy, (window, window))),
        }
        torch_passes = _torch_passes(x, dy, w) if _torch() is not None else {}
        for which, (kernel, arguments) in passes.items():

            def ours(kernel=kernel, arguments=arguments) -> Any:
                return kernel(*arguments)

            def expected(kernel=kernel, arguments=arguments) -> Any:
                with kernels.use_backend("reference"):
                    return kernel(*(part.astype(np.float64) if hasattr(part, "astype") else part for part in arguments))

            peers = {"torch": torch_passes[which]} if torch_passes else {}
            operations = 2.0 * n * out * out * k * c * window * window
            cases.append(
                Case(
                    f"conv2d {name} {which}",
                    operations,
                    4.0 * (x.size + dy.size + w.size),
                    expected,
                    ours,
                    peers | _backends(ours),
                )
            )
    return cases


def pool2d_cases() -> list[Case]:
    """Maximum of 2 x 2 windows, forward and back."""
    cases = []
    for name, shape in {"M1": (32, 32, 26, 26), "M4": (32, 32, 222, 222)}.items():
        random = np.random.default_rng(0)
        x = kernels.channels_last(random.standard_normal(shape, dtype=np.float32))
        window = ((2, 2), (2, 2), (0, 0), (1, 1))
        y, taps = kernels.pool2d.max_forward(x, *window, False)

        def forward(x=x, window=window) -> Any:
            return kernels.pool2d.max_forward(x, *window, False)[0]

        def scatter(y=y, taps=taps, size=shape[2:], window=window) -> Any:
            return kernels.pool2d.max_scatter(y, taps, size, *window)

        for which, ours in (("max_forward", forward), ("max_scatter", scatter)):

            def expected(ours=ours) -> Any:
                with kernels.use_backend("reference"):
                    return ours().astype(np.float64)

            peers = {}
            if (torch := _torch()) is not None and which == "max_forward":
                tx = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
                peers["torch"] = lambda tx=tx: torch.nn.functional.max_pool2d(tx, 2)
            moved = 4.0 * (x.size + y.size) + taps.size
            cases.append(Case(f"pool2d {name} {which}", 0.0, moved, expected, ours, peers | _backends(ours)))
    return cases


def _torch() -> Any:
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch


def _torch_passes(x, dy, w) -> dict[str, Callable[[], Any]]:
    """The three passes in PyTorch, in its channels-last format."""
    torch = _torch()
    last = torch.channels_last
    tx, tdy, tw = (torch.from_numpy(np.ascontiguousarray(part)).contiguous(memory_format=last) for part in (x, dy, w))

    def gradient(which: int) -> Any:
        mask = [which == 0, which == 1, False]
        return torch.ops.aten.convolution_backward(tdy, tx, tw, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, mask)[
            which
        ]

    return {
        "forward": lambda: torch.nn.functional.conv2d(tx, tw),
        "input_grad": lambda: gradient(0),
        "weight_grad": lambda: gradient(1),
    }


def _backends(ours: Callable[[], Any]) -> dict[str, Callable[[], Any]]:
    """The same call by our reference and by Numba."""

    def by(backend: str) -> Any:
        with kernels.use_backend(backend, strict=True):
            return ours()

    found = {"reference": lambda: by("reference")}
    if importlib.util.find_spec("numba") is not None:
        found["numba"] = lambda: by("numba")
    return found


def _error(result: Any, expected: np.ndarray) -> float:
    """The largest difference, over the largest expected value."""
    result = np.asarray(result.detach().numpy() if hasattr(result, "detach") else result, np.float64)
    return float(np.abs(result - expected).max() / np.abs(expected).max())


def _milliseconds(call: Callable[[], Any]) -> float:
    time.sleep(SETTLE_SECONDS)
    begin = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begin)


def measure(case: Case, peers: list[str], threads: int, rounds: int, seconds: float, peak: float) -> dict[str, Any]:
    """One row: our kernel and each peer's."""
    missing = {peer: "has no such kernel, or is not installed" for peer in peers if peer not in case.peers}
    calls = {"ours": case.ours, **{peer: case.peers[peer] for peer in peers if peer in case.peers}}
    expected = case.expected()
    first_ms = {}
    for name, call in list(calls.items()):
        try:
            begin = time.perf_counter()
            error = _error(call(), expected)
            first_ms[name] = 1e3 * (time.perf_counter() - begin)
        except RuntimeError as reason:
            del calls[name]
            missing[name] = str(reason)
            continue
        if not error < 1e-4:
            raise AssertionError(f"{case.name}: {name} is wrong, relative error {error:.1e}")
    times: dict[str, list[float]] = {name: [] for name in calls}
    slow = {name for name in calls if name == "reference" and first_ms[name] > 200}  # a few calls tell enough
    end = time.perf_counter() + seconds * len(calls)
    turns = 0
    while turns < rounds or time.perf_counter() < end:
        for name, call in calls.items():
            if name not in slow or turns < rounds:
                times[name].append(_milliseconds(call))
        turns += 1
    for name, call in calls.items():
        if not _error(call(), expected) < 1e-4:
            raise AssertionError(f"{case.name}: {name} is wrong after timing")
    ours = times.pop("ours")
    middle = median(ours)
    peers_ms = {name: median(values) for name, values in times.items()}
    rivals = {name: ms for name, ms in peers_ms.items() if name in ("torch", "openblas")}
    best = min(rivals, key=rivals.get) if rivals else None
    gflops = case.operations / middle / 1e6
    return {
        "name": case.name,
        "threads": threads,
        "ours_ms": middle,
        "ours_min_ms": min(ours),
        "ours_spread": (np.quantile(ours, 0.75) - np.quantile(ours, 0.25)) / middle,
        "peers_ms": peers_ms,
        "first_call_ms": {name: first_ms[name] for name in first_ms if name == "numba"},
        "best_peer": best,
        "ratio": middle / rivals[best] if best else None,
        "gflops": gflops,
        "percent_of_peak": 100 * gflops / peak,
        "gb_per_s": case.bytes / middle / 1e6,
        "flops_per_byte": case.operations / case.bytes,
        "missing": missing,
    }


def memory_bandwidth() -> float:
    """GB/s of copying arrays that no cache holds, by NumPy on one core: bytes read and bytes written."""
    source = np.ones(1 << 26, np.float32)
    target = np.empty_like(source)
    np.copyto(target, source)
    return max(2 * source.nbytes / 1e6 / _milliseconds(lambda: np.copyto(target, source)) for _ in range(5))


def run(names: list[str], peers: list[str], threads: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each kernel whose name contains one of `names` (all for none), printed as it comes."""
    minidl.set_num_threads(threads)
    if (torch := _torch()) is not None:
        torch.set_num_threads(threads)
    peak = peak_gflops() * threads
    cases = [*matmul_cases(), *conv2d_cases(), *pool2d_cases()]
    chosen = [case for case in cases if not names or any(part.lower() in case.name.lower() for part in names)]
    if not chosen:
        raise ValueError(f"no kernel is called {', '.join(names)}; there are: {', '.join(case.name for case in cases)}")
    rows = []
    with threadpool_limits(threads, "blas"):
        for case in chosen:
            row = measure(case, list(peers), threads, rounds, seconds, peak)
            others = ", ".join(f"{peer} {ms:.3f}" for peer, ms in row["peers_ms"].items())
            speed = (
                f"{row['gflops']:6.0f} GFLOP/s {row['percent_of_peak']:3.0f} %"
                if row["gflops"]
                else f"{row['gb_per_s']:6.1f} GB/s"
            )
            ratio = "" if row["ratio"] is None else f"   ratio to {row['best_peer']} {row['ratio']:.2f}"
            print(f"{case.name:<28} ours {row['ours_ms']:9.3f} ms {speed}   {others}{ratio}", flush=True)
            rows.append(row)
    return rows


def peak_gflops() -> float:
    """GFLOP/s of one core doing nothing but multiply-adds in registers, in the instruction set in use."""
    from minidl.kernels.cpu import tiles

    return max(tiles.peak_gflops() for _ in range(5))
