"""The whole library on the emulator: kernels called with NumPy arrays run their CUDA versions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

from minidl.kernels import cuda, registry

from .emulator import EmulatedRuntime

# Like use_backend("cuda"), yet unequal to it: what the registry remembers in here must not serve anyone outside.
_CUDA_HERE = registry.Choice("cuda", strict=())


@contextlib.contextmanager
def emulated_gpu(**settings: object) -> Iterator[EmulatedRuntime]:
    """Run every kernel that has a CUDA version on the emulator, and the others by their reference.

    The settings are those of :class:`EmulatedRuntime`, which is handed in, with its count of launches.
    """
    token = registry._choice.set(_CUDA_HERE)
    try:
        with (
            mock.patch.object(registry, "device_of", lambda array: "cuda"),
            cuda.use_runtime(EmulatedRuntime(**settings)),
        ):
            registry._load.cache_clear()  # it has remembered that there is no GPU
            yield cuda.current_runtime()
    finally:
        registry._choice.reset(token)
        registry._load.cache_clear()
