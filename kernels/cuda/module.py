"""CUDA source files and their kernels: `CudaModule(path).get_function(name)(grid, block, args)`.

CuPy checks nothing at a launch: it passes a Python float as a double even to a `float` parameter, and an array of the
wrong dtype or memory order as it is. So every launch is checked here, against the signature in the source.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .arguments import IntegerArgument, argument
from .runtime import RawModule, Runtime, current_runtime
from .source import Parameter, inline_headers, signatures

DTYPES = ("float32", "float64")  # what `scalar` can stand for in a kernel
OPTIONS = ("--std=c++17",)

_C_TYPE = {"float32": "float", "float64": "double"}


class CudaModule:
    """A ``.cu`` file, and the constants to compile it with.

    Parameters
    ----------
    path : Path
        The file; `inline_headers` inserts its headers.
    **defines : str or int
        Constants: ``CudaModule(path, scalar="float", TILE=16)``.

    Notes
    -----
    Nothing is compiled before the first launch. Compiled code is cached by the whole text, headers and constants
    included, so that a change in any of them is never missed.
    """

    def __init__(self, path: Path, **defines: str | int) -> None:
        self.path, self.defines = Path(path), defines
        self._functions: dict[str, CudaFunction] = {}

    @property
    def options(self) -> tuple[str, ...]:
        return (*OPTIONS, *(f"-D{name}={value}" for name, value in sorted(self.defines.items())))

    @functools.cached_property
    def signatures(self) -> dict[str, list[Parameter]]:
        return signatures(self.code(()), self.defines)

    @functools.cache  # noqa: B019 - modules live as long as the process
    def code(self, header_folders: tuple[Path, ...]) -> str:
        return inline_headers(self.path, header_folders)

    def get_function(self, name: str) -> CudaFunction:
        """Return the kernel ``extern "C" __global__ void name(...)``."""
        if name not in self._functions:
            if name not in self.signatures:
                raise ValueError(
                    f"{self.path.name} has no kernel {name!r}; it has {', '.join(sorted(self.signatures))}"
                )
            self._functions[name] = CudaFunction(self, name, self.signatures[name])
        return self._functions[name]

    def compiled(self, runtime: Runtime) -> RawModule:
        return _compile(runtime, self.code(tuple(runtime.header_folders)), self.options)


class CudaFunction:
    """One kernel of a `CudaModule`, launched as ``f(grid, block, args)`` on CuPy's current stream.

    Parameters
    ----------
    grid, block : sequence of int
        Blocks in the grid, threads in a block, along up to three axes. An empty grid launches nothing.
    args : sequence
        Arrays for pointers (None is the null pointer), numbers for the rest.

    Raises
    ------
    TypeError
        Too many or too few arguments, an array of another library or dtype, an array for a number or the reverse.
    ValueError
        An array that is not C-contiguous or is on another device, or a number that does not fit its parameter.
    """

    def __init__(self, module: CudaModule, name: str, parameters: list[Parameter]) -> None:
        self.module, self.name, self.parameters = module, name, parameters
        known = [argument(name, parameter) for parameter in parameters]
        first = len(known)
        while first and isinstance(known[first - 1], IntegerArgument):
            first -= 1
        # Most parameters are integers at the end, the sizes of a layer: the same at every step of a training.
        self._arguments, self._integers = known[:first], known[first:]
        self._known_integers = functools.lru_cache(maxsize=256, typed=True)(self._convert_integers)  # 1.0 is not 1

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> None:
        runtime = current_runtime()
        if len(args) != len(self.parameters):
            names = ", ".join(parameter.name for parameter in self.parameters)
            raise TypeError(f"{self.name} takes {len(self.parameters)} arguments ({names}), got {len(args)}")
        device, device_of, xp = runtime.device(), runtime.device_of, runtime.xp
        ndarray, contiguous, integers = xp.ndarray, xp.ascontiguousarray, args[len(self._arguments) :]
        converted = [  # an array that is as it should be needs no closer look: CuPy makes an object of its flags
            x
            if type(x) is ndarray and x.dtype is known.dtype and contiguous(x) is x and device_of(x) == device
            else known.convert(x, runtime, device)
            for known, x in zip(self._arguments, args, strict=False)
        ]
        try:
            converted += self._known_integers(runtime, *integers)
        except TypeError:  # such as an array, which no cache can look up: the check says what is wrong with it
            converted += self._convert_integers(runtime, *integers)
        if 0 not in grid:
            self._raw_function(runtime)(grid, block, converted)

    def _convert_integers(self, runtime: Runtime, *values: Any) -> list[Any]:
        known = zip(self._integers, values, strict=True)
        return [runtime.number(argument.convert(value, runtime)) for argument, value in known]

    @functools.cache  # noqa: B019 - kernels live as long as the process
    def _raw_function(self, runtime: Runtime) -> Any:
        return self.module.compiled(runtime).get_function(self.name)


@functools.cache
def _compile(runtime: Runtime, code: str, options: tuple[str, ...]) -> RawModule:
    return runtime.compile(code, options)


@functools.cache
def load(path: Path, dtype: np.dtype, **defines: int | str) -> CudaModule:
    """Return the module of `path`, with `scalar` as this dtype; cached."""
    return CudaModule(path, scalar=_C_TYPE[dtype.name], **defines)
