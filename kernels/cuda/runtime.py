"""The runtime of the CUDA kernels: a GPU through CuPy, or what a test puts in its place.

A kernel's host side asks `current_runtime()` for the array library and for compiled code, and so never imports CuPy
itself. `use_runtime(...)` sets another runtime; the tests use one that runs the kernels on the CPU.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from .detection import gpu_status, too_old


class RawFunction(Protocol):
    """A kernel, launched as ``cupy.RawKernel`` is."""

    def __call__(self, grid: tuple, block: tuple, args: Sequence) -> None: ...


class RawModule(Protocol):
    """Compiled code, as ``cupy.RawModule``."""

    def get_function(self, name: str) -> RawFunction: ...


class Runtime(Protocol):
    """What the host side of a kernel needs."""

    xp: ModuleType  # the array library
    header_folders: Sequence[Path]  # searched for headers before the usual folders
    multiprocessors: int

    def compile(self, code: str, options: tuple[str, ...]) -> RawModule: ...

    def empty(self, shape: int | Sequence[int], dtype: Any) -> Any: ...

    def number(self, number: np.generic) -> Any: ...  # as an argument of a launch, made once for many of them

    def device(self) -> int: ...  # the number of the current GPU

    def device_of(self, array: Any) -> int: ...

    def address(self, array: Any) -> int: ...  # for tables of addresses that a kernel reads


class CupyRuntime:
    """The GPU, through CuPy."""

    header_folders: Sequence[Path] = ()

    device_of = staticmethod(attrgetter("data.device_id"))
    address = staticmethod(attrgetter("data.ptr"))

    def __init__(self) -> None:
        import cupy

        self.xp: ModuleType = cupy
        self.empty = cupy.ndarray
        self._get_device = cupy.cuda.runtime.getDevice
        self._multiprocessors: dict[int, int] = {}  # of each GPU that was used

    @property
    def multiprocessors(self) -> int:
        return self._multiprocessors[self.device()]

    def device(self) -> int:
        device = self._get_device()
        if device not in self._multiprocessors:
            # `gpu_status` tried one device only, and this may be another.
            if reason := too_old(self.xp.cuda.runtime.getDeviceProperties(device)):
                raise RuntimeError(f"GPU {device} cannot be used: {reason}")
            self._multiprocessors[device] = self.xp.cuda.Device(device).attributes["MultiProcessorCount"]
        return device

    def compile(self, code: str, options: tuple[str, ...]) -> RawModule:
        return self.xp.RawModule(code=code, options=options)

    def number(self, number: np.generic) -> Any:
        # What CuPy makes of a number at every launch, for about a quarter of the time of a launch without any.
        return self.xp.cuda.function.CNumpyArray(np.array(number))


_chosen: ContextVar[Runtime | None] = ContextVar("minidl_cuda_runtime", default=None)


@functools.cache
def _cupy_runtime() -> CupyRuntime:
    status = gpu_status()
    if not status.available:
        raise RuntimeError(f"no GPU can be used: {status.reason}")
    return CupyRuntime()


def current_runtime() -> Runtime:
    """Return the runtime in use; RuntimeError, with the reason, if none is set and no GPU can be used."""
    return _chosen.get() or _cupy_runtime()


def unavailable() -> str | None:
    """Return why the CUDA kernels cannot run here, or None if they can; the registry calls it in each `cuda_gpu.py`."""
    return None if _chosen.get() is not None or gpu_status().available else gpu_status().reason


def array_library() -> ModuleType:
    """Return the module whose arrays the kernels take, CuPy; RuntimeError, with the reason, if no GPU can be used."""
    return current_runtime().xp


@contextlib.contextmanager
def use_runtime(runtime: Runtime) -> Iterator[Runtime]:
    """Run the CUDA kernels that are called inside this ``with`` on `runtime`."""
    token = _chosen.set(runtime)
    try:
        yield runtime
    finally:
        _chosen.reset(token)
