"""``python -m benchmarks.gpu [NAMES] [--json FILE] [--plot FILE]``: the CUDA kernels beside NVIDIA's, on a GPU.

``python -m benchmarks.gpu --training [NAMES]``: whole training steps on the GPU beside PyTorch's eager ones, each in a
process of its own; see training.py. The time holds the wait for the loss at the end of each step.

Matrix product: each step of the ladder of kernels/matmul beside cuBLAS, which CuPy calls, and which PyTorch calls for
TF32 (10 bits of mantissa). Convolution, forward and both gradients: beside cuDNN, which PyTorch calls, with TF32 off
(the same arithmetic as ours) and on. Images have channels last in memory, as between the layers of a network on a GPU;
cuDNN is measured in both orders. Kernels that read much and compute little ("memory"): beside PyTorch's, and in bytes a
second, each array counted once.

How it is measured: ours and the peers work on the same arrays, in turns. Before each run the second-level cache is
overwritten, so that operands come from memory as they do in a network. The time is that between two events of the GPU,
the median of all runs. Results are compared before and after. A case that is wrong or fails is reported, the others
still run, and the exit status is then 1; the file is written after each case. The `best_peer` of a kernel in float32 is
never one that computes in TF32.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks import machine, training
from benchmarks.gpu_cases import Case, conv2d_cases, matmul_cases, memory_cases
from benchmarks.steps.networks import NETWORKS
from minidl.kernels import cuda
from minidl.kernels.arrays import channels_last
from minidl.kernels.matmul import cuda_gpu as matmul

# Multiply-adds a clock that one multiprocessor does in float32, by compute capability; 128 where it is not named.
LANES = {(8, 0): 64}
TOLERANCE = {"tf32": 5e-3, "": 1e-4}  # of the largest number of the result
LAUNCH_MS = 1.0  # more than Python needs to launch what is timed


class Device(Protocol):
    """Where a case runs: the array library, the clock, and the peers that it has."""

    xp: Any
    about: dict[str, Any]  # "peak_gflops", "peak_gbytes_per_second" and what else the report should say

    def milliseconds(self, run: Callable[[], Any]) -> float: ...

    def peers(self, case: Case, arrays: Sequence[Any]) -> dict[str, Callable[[], Any]]: ...


def run(cases: Sequence[Case], device: Device, rounds: int = 20) -> list[dict[str, Any]]:
    """Measure the cases; a row for each, in the format of the other benchmarks, printed as it is found."""
    return [_row(case, device, rounds) for case in cases]


def _row(case: Case, device: Device, rounds: int) -> dict[str, Any]:
    arrays = [_random(device.xp, shape, seed) for seed, shape in enumerate(case.shapes)]
    arrays[: case.images] = map(channels_last, arrays[: case.images])
    ours = lambda: case.run(*arrays)  # noqa: E731
    peers = device.peers(case, arrays)
    times: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    _check(case, device, ours, peers)
    for _ in range(rounds):
        for name, function in (("ours", ours), *peers.items()):
            times[name].append(device.milliseconds(function))
    _check(case, device, ours, peers)
    median = {name: statistics.median(values) for name, values in times.items()}
    ours_ms, peers_ms = median.pop("ours"), median
    alike = [name for name in peers_ms if case.tf32 or not name.endswith("tf32")]
    best = min(alike, key=lambda name: peers_ms[name]) if alike else None
    moved = 4 * (sum(array.size for array in arrays) + ours().size)  # bytes
    gflops, gbytes = case.flops / ours_ms / 1e6, moved / ours_ms / 1e6
    row = {
        "name": case.name,
        "threads": 0,
        "ours_ms": ours_ms,
        "peers_ms": peers_ms,
        "best_peer": best,
        "ratio": ours_ms / peers_ms[best] if best else None,
        "gflops": gflops,
        "percent_of_peak": None if case.tf32 else _percent(gflops, device.about["peak_gflops"]),  # that of float32
        "gbytes_per_second": gbytes,
        "percent_of_bandwidth": _percent(gbytes, device.about["peak_gbytes_per_second"]),
        "operations_per_byte": case.flops / moved,
    }
    others = "  ".join(f"{name} {value:.3f} ms" for name, value in peers_ms.items())
    speed = f"{gflops:9.0f} GFLOP/s" if case.flops else f"{gbytes:9.0f} GB/s   "
    print(f"{case.name:28} {ours_ms:9.3f} ms {speed}   {others or 'no peer'}", flush=True)
    return row


def _percent(value: float, peak: float) -> float | None:
    return 100 * value / peak if peak else None  # 0 where the driver does not tell a clock


def _random(xp: Any, shape: tuple[int, ...], seed: int) -> Any:
    import numpy as np

    return xp.asarray(np.random.default_rng(seed).standard_normal(shape, dtype="float32"))


def _check(case: Case, device: Device, ours: Callable[[], Any], peers: dict[str, Callable[[], Any]]) -> None:
    """Raise unless ours and every peer agree; peers in TF32 within what TF32 can."""
    xp, got = device.xp, ours()
    for name, peer in peers.items():
        expected = xp.asarray(peer())
        tolerance = TOLERANCE["tf32" if case.tf32 or name.endswith("tf32") else ""]
        worst = float(abs(got - expected).max() / abs(expected).max())
        if not worst <= tolerance:
            raise ValueError(f"{case.name}: ours and {name} differ by {worst:.1e} of the largest number")


class Gpu:
    """The GPU of this machine, through CuPy; PyTorch's operations as peers where it is installed with CUDA."""

    def __init__(self) -> None:
        self.xp, self.about = cuda.array_library(), about_the_gpu()
        properties = self.xp.cuda.runtime.getDeviceProperties(self.xp.cuda.Device().id)
        self.flush = self.xp.empty(8 * properties["l2CacheSize"] + 1, "uint8")
        self.fills = 1
        once = min(self.milliseconds(lambda: self.flush.fill(0)) for _ in range(3))
        self.fills = math.ceil(LAUNCH_MS / once)
        try:
            import torch

            self.torch = torch if torch.cuda.is_available() else None
        except ImportError:
            self.torch = None

    def milliseconds(self, run: Callable[[], Any]) -> float:
        # CuPy and PyTorch both launch on the default stream, whose events these are.
        start, end = self.xp.cuda.Event(), self.xp.cuda.Event()
        for _ in range(self.fills):  # while the GPU does this, Python launches the rest: launching is not in the time
            self.flush.fill(0)
        start.record()
        run()
        end.record()
        end.synchronize()
        return self.xp.cuda.get_elapsed_time(start, end)

    def peers(self, case: Case, arrays: Sequence[Any]) -> dict[str, Callable[[], Any]]:
        if case.reference == "matmul":
            cublas = {"cublas": lambda: arrays[0] @ arrays[1]}
            return cublas if self.torch is None else cublas | {"cublas-tf32": self._tf32_product(arrays)}
        if self.torch is None:
            return {}
        if case.in_torch:
            tensors = [self.torch.from_dlpack(x) for x in arrays]
            return {"torch": lambda: case.in_torch(self.torch, *tensors)}
        return {
            "cudnn": self._convolution(case.reference, arrays, False),
            "cudnn-channels-first": self._convolution(case.reference, arrays, False, channels_last=False),
            "cudnn-tf32": self._convolution(case.reference, arrays, True),
        }

    def _tf32_product(self, arrays: Sequence[Any]) -> Callable[[], Any]:
        a, b = map(self.torch.from_dlpack, arrays)

        def run() -> Any:
            self.torch.backends.cuda.matmul.allow_tf32 = True
            return a @ b

        return run

    def _convolution(
        self, operation: str, arrays: Sequence[Any], tf32: bool, channels_last: bool = True
    ) -> Callable[[], Any]:
        torch = self.torch
        order = torch.channels_last if channels_last else torch.contiguous_format
        first, second = (torch.from_dlpack(x).contiguous(memory_format=order) for x in arrays)
        channels = first.shape[1]

        def run() -> Any:
            torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = tf32, True
            if operation == "conv2d-forward":
                return torch.nn.functional.conv2d(first, second, padding=1)
            if operation == "conv2d-input_grad":
                return torch.nn.grad.conv2d_input(first.shape, second, first, padding=1)
            return torch.nn.grad.conv2d_weight(first, (channels, channels, 3, 3), second, padding=1)

        return run


def about_the_gpu() -> dict[str, Any]:
    """The current GPU, its peaks in float32, and the versions that its figures depend on."""
    xp = cuda.array_library()
    runtime, number = xp.cuda.runtime, xp.cuda.Device().id
    properties = runtime.getDeviceProperties(number)
    capability, multiprocessors = (properties["major"], properties["minor"]), properties["multiProcessorCount"]
    kilohertz, memory_kilohertz, memory_bits = (
        runtime.deviceGetAttribute(attribute, number)
        for attribute in (
            runtime.cudaDevAttrClockRate, runtime.cudaDevAttrMemoryClockRate, runtime.cudaDevAttrGlobalMemoryBusWidth
        )
    )  # fmt: skip
    return {
        "device": properties["name"].decode(),
        "compute_capability": ".".join(map(str, capability)),
        "peak_gflops": 2 * LANES.get(capability, 128) * multiprocessors * kilohertz / 1e6,
        "peak_gbytes_per_second": 2 * memory_kilohertz * memory_bits / 8 / 1e6,
        "cupy": xp.__version__,
        "nvrtc": ".".join(map(str, xp.cuda.nvrtc.getVersion())),
        "driver": runtime.driverGetVersion(),
    }


def plot_ladder(report: dict[str, Any], path: str) -> None:
    """Draw the ladder of the matrix product as a roofline: operations a byte against GFLOP/s, beside the peers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for step in (*matmul.STEPS, matmul.TF32):
        rows = [row for row in report["rows"] if row["name"].startswith(f"matmul-{step}-")]
        if rows:
            axes.plot([r["operations_per_byte"] for r in rows], [r["gflops"] for r in rows], "o-", label=step)
    peer = [row for row in report["rows"] if row["name"].startswith("matmul-async-") and row["best_peer"]]
    speeds = [row["gflops"] * row["ratio"] for row in peer]
    axes.plot([row["operations_per_byte"] for row in peer], speeds, "k--", label="cuBLAS")
    if report["machine"]["peak_gflops"]:
        axes.axhline(report["machine"]["peak_gflops"], color="gray", label="peak, float32")
    axes.set(xscale="log", yscale="log", xlabel="operations a byte of the matrices", ylabel="GFLOP/s")
    axes.legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None, device: Device | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only those whose name contains one of these words")
    parser.add_argument("--rounds", type=int, default=20, help="how often ours and the peers take turns")
    parser.add_argument("--json", metavar="FILE", help="write the machine and all rows")
    parser.add_argument("--plot", metavar="FILE", help="draw the ladder of the matrix product as PNG or SVG")
    parser.add_argument("--training", action="store_true", help="whole training steps instead of kernels")
    options = parser.parse_args(arguments)
    if options.training:
        return report_steps(options, device)
    cases = [*matmul_cases(), *conv2d_cases(), *memory_cases()]
    chosen = [case for case in cases if not options.names or any(name in case.name for name in options.names)]
    if not chosen:
        parser.error(f"no case has {' or '.join(options.names)} in its name: {', '.join(case.name for case in cases)}")
    if device is None:
        require_gpu()
        device = Gpu()
    report: dict[str, Any] = {"machine": machine.describe(0) | device.about, "rows": [], "failed": {}}
    for case in chosen:
        try:
            report["rows"] += run([case], device, options.rounds)
        except Exception as error:
            report["failed"][case.name] = f"{type(error).__name__}: {error}"
            print(f"{case.name:28} failed: {report['failed'][case.name]}", flush=True)
        write(report, options.json)
    if options.plot:
        plot_ladder(report, options.plot)
    return 1 if report["failed"] else 0


def report_steps(options: argparse.Namespace, device: Device | None) -> int:
    """Our training steps and PyTorch's; on a GPU, or, for a test, where the networks say."""
    networks = NETWORKS if device is not None else {name: part | {"device": "cuda"} for name, part in NETWORKS.items()}
    networks = {name: network for name, network in networks.items() if network["kind"] != "adversarial"}
    if device is None:
        require_gpu()
    about = about_the_gpu() if device is None else device.about
    report: dict[str, Any] = {"machine": machine.describe(2) | about, "rows": []}
    for row in training.rows(options.names, ["torch-eager"], 2, max(1, options.rounds // 4), 0.5, networks):
        report["rows"].append(row)
        write(report, options.json)
    return 0


def require_gpu() -> None:
    """End with the reason where there is no GPU."""
    if not cuda.gpu_status().available:
        sys.exit(f"python -m benchmarks.gpu: no GPU can be used: {cuda.gpu_status().reason}")


def write(report: dict[str, Any], path: str | None) -> None:
    if path:
        Path(path).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
