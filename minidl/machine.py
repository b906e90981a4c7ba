"""What minidl finds on this machine, for ``minidl info`` and for the records of the benchmarks."""

from __future__ import annotations

import importlib
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

import minidl
from minidl import data, kernels


def describe() -> dict[str, Any]:
    """Versions, processor, compiled kernels, threads, GPU and data folders, as JSON can hold them."""
    tiles = "minidl.kernels.cpu.tiles"
    status = kernels.build_report.extension_status(tiles)
    built = status.state == "built"
    instruction_sets = importlib.import_module(tiles) if built else None
    gpu = kernels.cuda.gpu_status()
    return {
        "minidl": minidl.__version__,
        "folder": str(Path(minidl.__file__).parent),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": kernels.get_num_threads(),
        "instruction_set": instruction_sets.chosen() if built else None,
        "instruction_sets": list(instruction_sets.SUPPORTED) if built else [],
        "cython_kernels": status.message if built else f"{status.state}: {status.message}",
        "backend": kernels.current_backend(),
        "kernels": [row._asdict() for row in kernels.table()],
        "gpu": {
            "name": gpu.device,
            "compute_capability": list(gpu.compute_capability),
            "memory_bytes": gpu.memory_bytes,
        }
        if gpu.available
        else None,
        "no_gpu_because": gpu.reason,
        "data_folders": {"MINIDL_DATA": os.environ.get("MINIDL_DATA"), "cache": str(data.lookup.cache_folder())},
    }


def describe_text(found: dict[str, Any]) -> str:
    """What :func:`describe` found, as text for people."""
    sets = (
        f"{found['instruction_set']} (of {', '.join(found['instruction_sets'])})"
        if found["instruction_set"]
        else "none: not compiled"
    )
    gpu = found["gpu"]
    folders = found["data_folders"]
    facts = [
        ("minidl", f"{found['minidl']} in {found['folder']}"),
        ("Python, NumPy", f"{found['python']}, {found['numpy']}"),
        ("platform", found["platform"]),
        ("processor", f"{found['cpu']}, {found['cores']} cores"),
        ("instructions", sets),
        ("Cython kernels", found["cython_kernels"]),
        ("threads", str(found["threads"])),
        ("GPU", f"{gpu['name']}, {gpu['memory_bytes'] / 2**30:.0f} GiB" if gpu else f"none: {found['no_gpu_because']}"),
        ("backend", found["backend"]),
        ("data", f"MINIDL_DATA: {folders['MINIDL_DATA'] or 'not set'}; cache: {folders['cache']}"),
    ]
    return "\n".join([*(f"{name:<16}{value}" for name, value in facts), "", *_kernel_lines(found["kernels"])])


def _kernel_lines(rows: list[dict[str, Any]]) -> list[str]:
    """One line for each kernel with the backends that work; then why the others cannot."""
    available: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    for row in rows:
        served = available.setdefault(row["kernel"], [])
        if row["available"]:
            served.append(row["backend"])
        else:
            reasons.setdefault(f"{row['backend']}: {row['reason']}", []).append(row["kernel"])
    width = max(map(len, available), default=0) + 2
    lines = [
        "kernel".ljust(width) + "backends that work here",
        *(kernel.ljust(width) + ", ".join(backends) for kernel, backends in available.items()),
    ]
    return lines + [f"\nno {reason}\n    for {', '.join(names)}" for reason, names in reasons.items()]


def _cpu_name() -> str:
    """The processor's name and model from /proc/cpuinfo, else what the platform module calls it.

    In virtual machines the name is often that of a whole series, "AMD EPYC"; family and model tell the generation.
    """
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        first = ""
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    model = f" (family {facts['cpu family']}, model {facts['model']})" if {"cpu family", "model"} <= set(facts) else ""
    return facts["model name"] + model
