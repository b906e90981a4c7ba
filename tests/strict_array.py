"""An array that is not NumPy's: what works on it works on a GPU's arrays too, though no GPU is here.

A StrictArray computes as NumPy does, but refuses what CuPy refuses: to become a NumPy array silently, to be mixed with
one, and functions, methods and parameters that CuPy has not (cupy_surface.py). Results of arithmetic are C-contiguous,
whatever the operands are, as CuPy's. The operations are run on it (tests/test_operations.py), so that a forgotten `np.`
or `np.asarray` fails on every machine and not only where there is a GPU.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from tests import cupy_surface


class StrictArray(np.lib.mixins.NDArrayOperatorsMixin):
    """A NumPy array in a coat: the operators, methods and functions of NumPy, on its like and on plain numbers."""

    def __init__(self, array: Any):
        self._array = np.asarray(array)

    @classmethod
    def called(cls, name: str, args: tuple) -> None:
        """What a kind of these arrays wants to know: a function or method is called with them."""

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("a StrictArray was about to become a NumPy array silently")

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return namespace

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return call_ufunc(ufunc, method, inputs, options, type(self))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function.__module__ != "numpy":
            raise AttributeError(f"{function.__module__}.{function.__name__} is not in CuPy's own namespace")
        cupy_surface.check_function(function.__name__, args, options)
        self.called(function.__name__, args)
        return coated(function(*bare(args), **bare(options)), type(self))

    def __getitem__(self, key: Any) -> Any:
        return coated(self._array[bare(key)], type(self))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.called("setitem", (self,))
        self._array[bare(key)] = bare(value)

    def __getattr__(self, name: str) -> Any:  # shape, dtype, sum, reshape ...
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._array, name)
        if not callable(value):
            return coated(value, type(self))

        def method(*args: Any, **options: Any) -> Any:
            cupy_surface.check_method(name, args, options)
            self.called(name, (self,))
            return coated(value(*bare(args), **bare(options)), type(self))

        return method

    def __len__(self) -> int:
        return len(self._array)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __float__(self) -> float:
        return float(self._array)

    def __repr__(self) -> str:
        return f"StrictArray({self._array!r})"


def bare(value: Any) -> Any:
    """StrictArrays taken out of their coats, also inside tuples, lists and dictionaries; NumPy arrays are refused."""
    if isinstance(value, StrictArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"a NumPy array of shape {value.shape} was mixed with a StrictArray")
    if type(value) in (tuple, list):
        return type(value)(bare(item) for item in value)
    return {key: bare(item) for key, item in value.items()} if type(value) is dict else value


def coated(value: Any, coat: type[StrictArray] = StrictArray) -> Any:
    """What NumPy computed, as CuPy would give it: arrays, 0-d ones too, in coats."""
    if isinstance(value, (np.ndarray, np.generic)):
        return coat(value)
    return type(value)(coated(item, coat) for item in value) if type(value) in (tuple, list) else value


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple, options: dict[str, Any], coat: type[StrictArray]) -> Any:
    cupy_surface.check_ufunc(ufunc.__name__, method, options)
    coat.called(ufunc.__name__, inputs)
    result = getattr(ufunc, method)(*bare(inputs), **bare(options))
    if "out" not in options and isinstance(result, np.ndarray):
        result = np.ascontiguousarray(result).reshape(result.shape)
    return coated(result, coat)


class _Ufunc:
    """`xp.add`, with its methods `at` and `reduce`."""

    def __init__(self, ufunc: np.ufunc, coat: type[StrictArray]):
        self.ufunc, self.coat = ufunc, coat

    def __call__(self, *args: Any, **options: Any) -> Any:
        return call_ufunc(self.ufunc, "__call__", args, options, self.coat)

    def __getattr__(self, method: str) -> Any:
        return lambda *args, **options: call_ufunc(self.ufunc, method, args, options, self.coat)


class Namespace(types.ModuleType):
    """`xp`: NumPy's functions for StrictArrays, or for a kind of them; its types and constants as they are."""

    def __init__(self, name: str, coat: type[StrictArray] = StrictArray):
        super().__init__(name)
        self.coat = coat

    def asarray(self, value: Any, dtype: Any = None) -> StrictArray:
        """The one way in: to bring a NumPy array over is no silent conversion."""
        return self.coat(np.asarray(value if isinstance(value, np.ndarray) else bare(value), dtype))

    def __getattr__(self, name: str) -> Any:
        value = getattr(np, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value, self.coat)
        if not callable(value) or isinstance(value, type):
            return value

        def function(*args: Any, **options: Any) -> Any:
            cupy_surface.check_function(name, args, options)
            self.coat.called(name, args)
            return coated(value(*bare(args), **bare(options)), self.coat)

        return function


namespace = Namespace("strict")
