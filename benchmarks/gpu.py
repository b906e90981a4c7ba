"""``python -m benchmarks.gpu [NAMES] [--json FILE] [--plot FILE]``: the CUDA kernels beside NVIDIA's, on a GPU.

``python -m benchmarks.gpu --training [NAMES]``: whole training steps on the GPU beside PyTorch's eager ones, each in a
process of its own; see training.py. The time holds the wait for the loss at the end of each step.

Matrix product: each step of the ladder of kernels/matmul beside cuBLAS, which CuPy calls. Convolution, forward and both
gradients: beside cuDNN, which PyTorch calls, with TF32 off (the same arithmetic as ours) and on (10 bits of mantissa).
Images have channels last in memory, as between the layers of a network on a GPU; cuDNN is measured in both orders.

How it is measured: ours and the peers work on the same arrays, in turns. Before each run the second-level cache is
overwritten, so that operands come from memory as they do in a network. The time is that between two events of the GPU,
the median of all runs. Results are compared before and after. A case that is wrong or fails is reported, the others
still run, and the exit status is then 1; the file is written after each case. The `best_peer` of a kernel in float32 is
never one that computes in TF32.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks import machine, training
from benchmarks.steps.networks import NETWORKS
from minidl.kernels import conv2d, cuda
from minidl.kernels.arrays import channels_last
from minidl.kernels.matmul import cuda_gpu as matmul

# Multiply-adds a clock that one multiprocessor does in float32, by compute capability; 128 where it is not named.
LANES = {(8, 0): 64}
TOLERANCE = {"tf32": 5e-3, "": 1e-4}  # of the largest number of the result


class Device(Protocol):
    """Where a case runs: the array library, the clock, and the peers that it has."""

    xp: Any
    peak_gflops: float | None

    def milliseconds(self, run: Callable[[], Any]) -> float: ...

    def peers(self, case: Case, arrays: Sequence[Any]) -> dict[str, Callable[[], Any]]: ...


class Case(NamedTuple):
    """One kernel on one shape; `run` is ours, `shapes` are those of its arrays."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    flops: float
    run: Callable[..., Any]
    reference: str  # the peer's operation
    tf32: bool = False
    images: int = 0  # of the arrays, the first ones, have channels last in memory


def matmul_cases(sizes: Sequence[int] = (1024, 2048, 4096, 8192)) -> list[Case]:
    """c = a @ b of square matrices: 2 n^3 operations."""

    def step_of_the_ladder(step: str) -> Callable[..., Any]:
        return lambda a, b: matmul.forward(a, b, step)

    return [
        Case(
            f"matmul-{step}-{n}", ((n, n), (n, n)), 2.0 * n**3, step_of_the_ladder(step), "matmul", step == matmul.TF32
        )
        for n in sizes
        for step in (*matmul.STEPS, matmul.TF32)
    ]


def conv2d_cases(
    images: int = 32, layers: Sequence[tuple[int, int]] = ((64, 56), (128, 28), (256, 14), (64, 112))
) -> list[Case]:
    """3 x 3, padding 1, as many channels out as in: 2 * 9 * channels^2 * pixels operations, in each direction."""
    cases = []
    for channels, size in layers:
        x, w = (images, channels, size, size), (channels, channels, 3, 3)
        flops = 2.0 * 9 * channels**2 * images * size**2
        directions: dict[str, tuple[tuple, Callable[..., Any]]] = {
            "forward": ((x, w), lambda x, w: conv2d.forward(x, w, padding=1)),
            "input_grad": ((x, w), lambda dy, w: conv2d.input_grad(dy, w, dy.shape[2:], padding=1)),
            "weight_grad": ((x, x), lambda x, dy: conv2d.weight_grad(x, dy, (3, 3), padding=1)),
        }
        for direction, (shapes, run) in directions.items():
            name, image_count = f"conv2d-{direction}", 2 if direction == "weight_grad" else 1
            cases.append(Case(f"{name}-{channels}x{size}", shapes, flops, run, name, images=image_count))
    return cases


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
    gflops = case.flops / ours_ms / 1e6
    row = {
        "name": case.name,
        "threads": 0,
        "ours_ms": ours_ms,
        "peers_ms": peers_ms,
        "best_peer": best,
        "ratio": ours_ms / peers_ms[best] if best else None,
        "gflops": gflops,
        "percent_of_peak": 100 * gflops / device.peak_gflops if device.peak_gflops else None,
        "operations_per_byte": case.flops / (4 * sum(array.size for array in arrays) + 4 * ours().size),
    }
    others = "  ".join(f"{name} {value:.3f} ms" for name, value in peers_ms.items())
    print(f"{case.name:28} {ours_ms:9.3f} ms {gflops:9.0f} GFLOP/s   {others or 'no peer'}", flush=True)
    return row


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
        self.xp = cuda.array_library()
        properties = self.xp.cuda.runtime.getDeviceProperties(self.xp.cuda.Device().id)
        self.name = properties["name"].decode()
        capability = (properties["major"], properties["minor"])
        runtime = self.xp.cuda.runtime
        kilohertz = runtime.deviceGetAttribute(runtime.cudaDevAttrClockRate, self.xp.cuda.Device().id)
        lanes = LANES.get(capability, 128) * properties["multiProcessorCount"]
        self.peak_gflops = 2 * lanes * kilohertz / 1e6
        # So large that filling it takes longer than Python needs to launch what is timed: launching is not in the time.
        self.flush = self.xp.empty(8 * properties["l2CacheSize"] + 1, "uint8")
        try:
            import torch

            self.torch = torch if torch.cuda.is_available() else None
        except ImportError:
            self.torch = None

    def milliseconds(self, run: Callable[[], Any]) -> float:
        # CuPy and PyTorch both launch on the default stream, whose events these are.
        start, end = self.xp.cuda.Event(), self.xp.cuda.Event()
        self.flush.fill(0)
        start.record()
        run()
        end.record()
        end.synchronize()
        return self.xp.cuda.get_elapsed_time(start, end)

    def peers(self, case: Case, arrays: Sequence[Any]) -> dict[str, Callable[[], Any]]:
        if case.reference == "matmul":
            return {"cublas": lambda: arrays[0] @ arrays[1]}
        if self.torch is None:
            return {}
        return {
            "cudnn": self._convolution(case.reference, arrays, False),
            "cudnn-channels-first": self._convolution(case.reference, arrays, False, channels_last=False),
            "cudnn-tf32": self._convolution(case.reference, arrays, True),
        }

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
    if report["machine"].get("peak_gflops"):
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
    cases = [*matmul_cases(), *conv2d_cases()]
    chosen = [case for case in cases if not options.names or any(name in case.name for name in options.names)]
    if not chosen:
        parser.error(f"no case has {' or '.join(options.names)} in its name: {', '.join(case.name for case in cases)}")
    if device is None:
        require_gpu()
        device = Gpu()
    about = {"device": getattr(device, "name", "?"), "peak_gflops": device.peak_gflops}
    report: dict[str, Any] = {"machine": {**machine.describe(0), **about}, "rows": [], "failed": {}}
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
    report: dict[str, Any] = {"machine": machine.describe(2), "rows": []}
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
