"""The whole library on the emulator: kernels called with NumPy arrays run their CUDA versions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from minidl.kernels import cuda, registry

from .device_array import DeviceRuntime
from .emulator import EmulatedRuntime


@contextlib.contextmanager
def emulated_gpu(*, device_arrays: bool = False, **settings: object) -> Iterator[EmulatedRuntime]:
    """Run every kernel that has a CUDA version on the emulator, and the others by their reference.

    With `device_arrays`, the GPU has arrays of its own type. The other settings are those of :class:`EmulatedRuntime`,
    which is handed in, with its count of launches.
    """
    runtime = (DeviceRuntime if device_arrays else EmulatedRuntime)(**settings)
    with cuda.use_runtime(runtime), registry.simulate_device(None if device_arrays else "cuda"):
        yield runtime
