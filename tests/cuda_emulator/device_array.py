"""Arrays of the emulated GPU, of a type of their own: what happens to CuPy's arrays happens to them.

A DeviceArray refuses to become a NumPy array silently, as every StrictArray. Beside that it has what the library asks a
CuPy array for (``device``, ``get``, ``__cuda_array_interface__``). Each time the host has to wait for a GPU, to read a
value or a size that only the GPU knows, `synchronizations` notes the place in the code that did so. `library_calls`
notes what the array library computes or copies itself, which takes the host several times what a launch of ours does.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.strict_array import Namespace, StrictArray, bare

from .emulator import EmulatedModule, EmulatedRuntime

# Functions whose result has a size that depends on values: CuPy reads it back before it can allocate.
SIZE_UNKNOWN = ("nonzero", "flatnonzero", "argwhere", "unique", "bincount", "compress", "extract", "allclose")
NO_WORK = (
    "broadcast_to", "empty", "empty_like", "may_share_memory", "moveaxis", "ravel", "reshape", "squeeze", "swapaxes",
    "transpose",
)  # fmt: skip
_noted: list[str] = []
_computed: list[str] = []


@contextlib.contextmanager
def library_calls() -> Iterator[list[str]]:
    """The names of what the array library computed or copied inside this ``with``."""
    _computed.clear()
    yield _computed


@contextlib.contextmanager
def synchronizations() -> Iterator[list[str]]:
    """The waits for the GPU inside this ``with``, each as ``what at file:line``."""
    _noted.clear()
    yield _noted


def _note(what: str) -> None:
    frames = traceback.extract_stack()[:-2]
    place = next(frame for frame in reversed(frames) if "strict_array" not in frame.filename)
    _noted.append(f"{what} at {place.filename}:{place.lineno}")


class DeviceArray(StrictArray):
    """An array on the emulated GPU."""

    device = SimpleNamespace(id=0)
    __cuda_array_interface__ = None  # that it is there says: on a GPU

    @classmethod
    def called(cls, name: str, args: tuple) -> None:
        if name in SIZE_UNKNOWN:
            _note(f"{name}()")
        if name not in NO_WORK and not (name == "ascontiguousarray" and args[0].flags.c_contiguous):
            _computed.append(name)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return namespace

    def get(self) -> np.ndarray:
        _note("get()")
        return self._array.copy()

    def item(self, *index: int) -> Any:
        _note("item()")
        return self._array.item(*index)

    def tolist(self) -> Any:
        _note("tolist()")
        return self._array.tolist()

    def nonzero(self) -> Any:
        return namespace.nonzero(self)

    def __bool__(self) -> bool:
        _note("bool()")
        return bool(self._array)

    def __int__(self) -> int:
        _note("int()")
        return int(self._array)

    def __index__(self) -> int:
        _note("index")
        return self._array.__index__()

    def __float__(self) -> float:
        _note("float()")
        return float(self._array)

    def __getitem__(self, key: Any) -> Any:
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, DeviceArray) and part.dtype == bool:
                _note("a choice by a mask")
        return super().__getitem__(key)


class _DeviceNamespace(Namespace):
    """`xp` as CuPy is: NumPy's functions, ``ndarray``, and the devices."""

    ndarray = DeviceArray
    cuda = SimpleNamespace(
        Device=lambda number=0: contextlib.nullcontext(), runtime=SimpleNamespace(getDevice=lambda: 0)
    )

    def asarray(self, value: Any, dtype: Any = None) -> Any:
        if isinstance(value, DeviceArray) and dtype in (None, value.dtype):
            return value
        return super().asarray(value, dtype)


namespace = _DeviceNamespace("device", DeviceArray)


class DeviceRuntime(EmulatedRuntime):
    """The emulator for arrays of this type."""

    xp = namespace

    def compile(self, code: str, options: Sequence[str] = ()) -> _Module:
        return _Module(super().compile(code, options))

    def empty(self, shape: int | Sequence[int], dtype: Any) -> DeviceArray:
        array = DeviceArray(super().empty(shape, dtype))
        array.base = None  # as CuPy's: that it begins at a multiple of 512 bytes is no view to anyone
        return array

    def address(self, array: DeviceArray) -> int:
        return super().address(array._array)


class _Module:
    def __init__(self, module: EmulatedModule) -> None:
        self.module = module

    def get_function(self, name: str) -> _Function:
        return _Function(self.module.get_function(name))


class _Function:
    """A kernel that takes DeviceArrays out of their coats."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, grid: Any, block: Any, args: Sequence[Any]) -> None:
        self.function(grid, block, tuple(bare(argument) for argument in args))
