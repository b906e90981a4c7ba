"""One kernel on one shape: its operations and bytes, its expected result, and the implementations to time."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidl import kernels

# Makes the call that is timed. An optimizer's call changes its arrays: each maker's call starts from fresh ones.
Maker = Callable[[], Callable[[], Any]]


class Case(NamedTuple):
    """One kernel on one shape."""

    operations: float  # multiplications and additions; 0 where memory is all that counts
    bytes: float  # that must be read or written at least once
    expected: Callable[[], Any]  # in float64
    ours: Maker
    peers: dict[str, Maker]


def torch() -> Any:
    """PyTorch, or None."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch


def tensors(*arrays: np.ndarray, last: bool = False) -> list[Any]:
    """The arrays as PyTorch's tensors; those of four dimensions in its channels-last format, or not."""
    module = torch()
    found = [module.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    return [t.contiguous(memory_format=module.channels_last) if last and t.ndim == 4 else t for t in found]


def in_torch(make: Callable[[Any, bool], Callable[[], Any]], layouts: bool = False) -> dict[str, Maker]:
    """Peers made by ``make(torch, channels_last)``: one, or one a memory layout."""
    if torch() is None:
        return {}
    names = {"torch-eager": False} | ({"torch-channels-last": True} if layouts else {})
    return {name: lambda last=last: make(torch(), last) for name, last in names.items()}


def backends(kernel: str, ours: Maker) -> dict[str, Maker]:
    """The same call by each of our other implementations that is available here: reference, Numba, naive, blocked."""

    def by(backend: str) -> Maker:
        def make() -> Callable[[], Any]:
            call = ours()

            def run() -> Any:
                with kernels.use_backend(backend, strict=True):
                    return call()

            return run

        return make

    names = [row.backend for row in kernels.table() if row.kernel == kernel and row.available]
    return {name: by(name) for name in names if name not in ("cython", "cuda")}


def exact(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What the reference gives in float64."""

    def double(value: Any) -> Any:
        if isinstance(value, list):
            return [double(part) for part in value]
        return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value

    with kernels.use_backend("reference", strict=True):
        return function(*map(double, arguments), **named)


def images(*shape: int, seed: int = 0) -> np.ndarray:
    """Random images with channels-last memory."""
    return kernels.channels_last(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def nbytes(*arrays: np.ndarray) -> float:
    return float(sum(array.nbytes for array in arrays))
