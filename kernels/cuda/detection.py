"""Whether there is a GPU that the kernels can use, found out by trying it, and if not, why.

Importing CuPy proves nothing: that works without a driver too, and only the first allocation or compilation fails. Any
exception counts as "no": a missing library can raise ImportError, OSError or RuntimeError.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

OLDEST = (8, 0)  # compute capability: asynchronous copies to shared memory came with Ampere


class GpuStatus(NamedTuple):
    """Whether a GPU can be used, which one, or why not."""

    available: bool
    reason: str  # "" where available
    device: str = ""
    compute_capability: tuple[int, int] = (0, 0)
    memory_bytes: int = 0


@functools.cache
def gpu_status() -> GpuStatus:
    """Try the current device: its capability, the compiler, an allocation. Done once per process; never raises."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            return GpuStatus(False, "CuPy is not installed; pip install 'minidl[cuda]'")
        return GpuStatus(False, f"CuPy cannot be imported: {error}")
    except Exception as error:
        return GpuStatus(False, f"CuPy cannot be imported: {_first_line(error)}")
    try:
        if cupy.cuda.runtime.getDeviceCount() == 0:
            return GpuStatus(False, "no CUDA device is visible (is CUDA_VISIBLE_DEVICES set?)")
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        if reason := too_old(properties):
            return GpuStatus(False, reason)
        cupy.cuda.nvrtc.getVersion()
        cupy.ones(1, "float32").sum().item()
    except Exception as error:
        return GpuStatus(False, _first_line(error))
    return GpuStatus(True, "", *_name_and_capability(properties), properties["totalGlobalMem"])


def too_old(properties: dict[str, Any]) -> str:
    """Return why the kernels cannot run on the device with these properties, "" if they can."""
    name, capability = _name_and_capability(properties)
    if capability >= OLDEST:
        return ""
    return f"{name} has compute capability {_dotted(capability)}, the kernels need {_dotted(OLDEST)} or newer"


def is_available() -> bool:
    """Whether a GPU can be used; `gpu_status` says why not.

    Examples
    --------
    >>> import minidl
    >>> device = "cuda" if minidl.cuda.is_available() else "cpu"
    """
    return gpu_status().available


def _name_and_capability(properties: dict[str, Any]) -> tuple[str, tuple[int, int]]:
    return properties["name"].decode(), (properties["major"], properties["minor"])


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"
