"""The emulated counterparts of ``cupy.RawModule``, its kernels, and the runtime that hands them out."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import math
import re
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from . import build
from .build import EmulatorError

MAX_THREADS_PER_BLOCK = 1024
ORDERS = ("forward", "reverse", "shuffled")
_C_TYPES = {
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "unsigned int": "uint32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "unsigned char": "uint8",
    "bool": "bool",
}
_one_launch_at_a_time = threading.Lock()


class _Argument(ctypes.Structure):
    _fields_ = [("type", ctypes.c_char_p), ("pointer", ctypes.c_bool)]


class _Kernel(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("call", ctypes.c_void_p),
        ("argument_count", ctypes.c_int),
        ("arguments", ctypes.POINTER(_Argument)),
        ("max_threads", ctypes.c_int),
    ]


class _CodePlace(ctypes.Structure):
    _fields_ = [("library", ctypes.c_char_p), ("offset", ctypes.c_size_t)]


class _ProfileRow(ctypes.Structure):
    _fields_ = [
        ("place", _CodePlace),
        ("shared", ctypes.c_int),
        ("store", ctypes.c_int),
        ("bytes", ctypes.c_uint64),
        ("requests", ctypes.c_uint64),
        ("cost", ctypes.c_uint64),
        ("least", ctypes.c_uint64),
    ]


@dataclasses.dataclass(frozen=True)
class MemoryRow:
    """How well one load or store of the source used the memory, over all warps."""

    line: str  # such as "cuda_gpu.cu:31"
    space: str  # "global" or "shared"
    operation: str  # "load" or "store"
    bytes: int  # a lane
    requests: int  # of whole warps
    cost: float  # sectors (global) or wavefronts (shared) a request
    least: float  # the fewest that would have done


class EmulatedModule:
    """CUDA C on the CPU, made and used as a ``cupy.RawModule``.

    With ``check`` every access to memory is looked at, and what a GPU would not allow raises :class:`EmulatorError`:
    out-of-bounds and misaligned accesses, reads of uninitialised shared memory, races, diverging barriers, deadlocks.
    Without it the kernel runs some ten times faster, and an access out of bounds may end the process.
    """

    def __init__(
        self,
        *,
        code: str,
        options: Sequence[str] = (),
        check: bool = True,
        profile: bool = False,
        order: str = "forward",
        seed: int = 0,
        extra_flags: Sequence[str] = (),
    ) -> None:
        self.check, self.profile, self.order, self.seed = check or profile, profile, order, seed
        self.launches: Counter[str] = Counter()  # by kernel
        self.in_tables: list[np.ndarray] = []  # arrays that the next launch finds by their address, in a table
        defines = tuple(option for option in options if option.startswith("-D"))
        unknown = [option for option in options if not re.match(r"-D|-?-std=|-?-use_fast_math", option)]
        if unknown:
            raise EmulatorError(f"compile options that the emulator does not know: {unknown}")
        self.parameter_names = build.parameter_names(code)
        self.library_path = build.build(code, defines, self.check, tuple(extra_flags))
        self.library = ctypes.CDLL(str(self.library_path))
        self.runtime = _load_runtime(tuple(extra_flags))

    def get_function(self, name: str) -> EmulatedFunction:
        """The kernel ``extern "C" __global__ void name(...)``."""
        for record in (_Kernel * len(self.parameter_names)).in_dll(self.library, "emulator_kernels"):
            if record.name == name.encode():
                return EmulatedFunction(self, name, record)
        raise EmulatorError(f"no kernel named {name!r}; there are {sorted(self.parameter_names)}")


class EmulatedFunction:
    """One kernel, launched as CuPy's: ``f(grid, block, args)``."""

    def __init__(self, module: EmulatedModule, name: str, record: _Kernel) -> None:
        self.module, self.name, self.record = module, name, record
        self.types = [
            (record.arguments[i].type.decode(), record.arguments[i].pointer) for i in range(record.argument_count)
        ]

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> None:
        grid, block = _three(grid), _three(block)
        self._check_launch(grid, block)
        if len(args) != len(self.types):
            raise EmulatorError(f"{self.name} takes {len(self.types)} arguments, got {len(args)}")
        values = [self._convert(i, argument) for i, argument in enumerate(args)]
        addresses = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        runtime, module = self.module.runtime, self.module
        names = [name.encode() for name in module.parameter_names[self.name]]
        module.launches[self.name] += 1
        with _one_launch_at_a_time:
            runtime.emulator_set_checks(int(module.check), int(module.profile))
            in_tables = [(b"an array of a table", array) for array in module.in_tables]
            module.in_tables.clear()
            for name, argument in (*zip(names, args, strict=True), *in_tables):
                if isinstance(argument, np.ndarray):
                    runtime.emulator_add_argument(
                        ctypes.c_void_p(argument.ctypes.data),
                        ctypes.c_size_t(argument.nbytes),
                        ctypes.c_size_t(min(4, argument.itemsize)),
                        name,
                    )
            three = ctypes.c_uint * 3
            failed = runtime.emulator_launch(
                ctypes.byref(self.record),
                three(*grid),
                three(*block),
                addresses,
                ORDERS.index(module.order),
                ctypes.c_uint64(module.seed),
            )
            if failed:
                place = _CodePlace()
                runtime.emulator_error_place(ctypes.byref(place))
                line = _source_lines([place])[0]
                message = runtime.emulator_error().decode()
                raise EmulatorError(f"{self.name}: {message}" + (f" at {line}" if line else ""))

    def _check_launch(self, grid: tuple[int, ...], block: tuple[int, ...]) -> None:
        threads, bound = math.prod(block), self.record.max_threads
        if min(grid + block) < 1:
            raise EmulatorError(f"{self.name}: empty grid {grid} or block {block}")
        if grid[0] > 2**31 - 1 or max(grid[1:]) > 65535 or threads > MAX_THREADS_PER_BLOCK or block[2] > 64:
            raise EmulatorError(f"{self.name}: grid {grid} or block {block} over CUDA's limits")
        if bound and threads > bound:
            raise EmulatorError(f"{self.name}: {threads} threads a block, but __launch_bounds__({bound})")

    def _convert(self, i: int, argument: Any) -> np.ndarray:
        """The argument's bits as the kernel expects them: the address of an array, or the value of a scalar."""
        type_name, pointer = self.types[i]
        if pointer and isinstance(argument, np.uintp):  # as CuPy: a pointer by its value
            return np.array([argument])
        got = np.asarray(argument).dtype
        if pointer != isinstance(argument, np.ndarray) or got != np.dtype(_C_TYPES.get(type_name, type_name)):
            raise EmulatorError(
                f"{self.name}: argument {i} is a {type(argument).__name__} of {got}, "
                f"the kernel takes {type_name}{'*' if pointer else ''}"
            )
        return np.array([argument.ctypes.data], np.uintp) if pointer else np.array([argument])


class EmulatedRuntime:
    """What a kernel's host side sees of a GPU, made of the CPU: NumPy for CuPy, the emulator for ``RawModule``."""

    xp: ModuleType = np
    header_folders = (build.HERE / "include",)  # the twins of the headers with PTX
    multiprocessors = 4

    def __init__(self, *, check: bool = True, profile: bool = False, order: str = "forward", seed: int = 0) -> None:
        self.settings = {"check": check, "profile": profile, "order": order, "seed": seed}
        self.modules: list[EmulatedModule] = []
        self.in_tables: list[np.ndarray] = []

    def compile(self, code: str, options: Sequence[str] = ()) -> EmulatedModule:
        module = EmulatedModule(code=code, options=options, **self.settings)
        self.modules.append(module)
        module.in_tables = self.in_tables
        return module

    def number(self, number: np.generic) -> np.generic:
        return number

    def device(self) -> int:
        return 0

    def device_of(self, array: np.ndarray) -> int:
        return 0

    def address(self, array: np.ndarray) -> int:
        """Where the array lies; the checker lets the next launch use it, as if it were one of its arguments."""
        self.in_tables.append(array)
        return array.ctypes.data

    @property
    def launches(self) -> Counter[str]:
        """How often each kernel has been launched."""
        return sum((module.launches for module in self.modules), Counter())

    def empty(self, shape: int | Sequence[int], dtype: Any) -> np.ndarray:
        """An array full of NaN (all bits set), so that what a kernel forgets to write shows.

        It begins where CuPy's do, at a multiple of 512 bytes: what a kernel fetches is then the same in every run.
        """
        size = math.prod(np.atleast_1d(shape)) * np.dtype(dtype).itemsize
        memory = np.full(size + 512, 0xFF, np.uint8)
        first = -memory.ctypes.data % 512
        return memory[first : first + size].view(dtype).reshape(shape)


@functools.cache
def _load_runtime(extra_flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    runtime = ctypes.CDLL(str(build.build_runtime(extra_flags)))
    runtime.emulator_error.restype = ctypes.c_char_p
    return runtime


def memory_profile() -> list[MemoryRow]:
    """What launches with ``profile=True`` moved since the last call: a row for every load and store of the source."""
    runtime, rows = _load_runtime(), []
    row = _ProfileRow()
    while runtime.emulator_profile_row(len(rows), ctypes.byref(row)):
        rows.append(_ProfileRow.from_buffer_copy(row))
    runtime.emulator_profile_clear()
    merged: dict[tuple[str, int, int, int], list[int]] = {}
    for row, line in zip(rows, _source_lines([row.place for row in rows]), strict=True):
        sums = merged.setdefault((line, row.shared, row.store, row.bytes), [0, 0, 0])
        for i, value in enumerate((row.requests, row.cost, row.least)):
            sums[i] += value
    return [
        MemoryRow(line, ("global", "shared")[shared], ("load", "store")[store], size, n, cost / n, least / n)
        for (line, shared, store, size), (n, cost, least) in sorted(merged.items())
    ]


def _source_lines(places: list[_CodePlace]) -> list[str]:
    """The source lines of code in any library, "" where unknown."""
    lines = [""] * len(places)
    for library in {place.library for place in places if place.library}:
        of_library = [i for i, place in enumerate(places) if place.library == library]
        found = build.source_lines(Path(library.decode()), [places[i].offset for i in of_library])
        for i, line in zip(of_library, found, strict=True):
            lines[i] = line
    return lines


def _three(size: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(n) for n in (*size, 1, 1)[:3])
