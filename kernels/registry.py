"""Choose the implementation that serves a call of a kernel.

A kernel is a folder of this package. Its `__init__.py` holds the contracts: functions marked `@kernel` whose docstring
is the specification and whose body only checks the arguments and returns them, complete and in order. Each other
module of the folder named in `BACKENDS` is an implementation: for a contract `forward` it has a function `forward`
that takes these arguments. The registry finds modules by name, so one more implementation is one more file.

The choice:
* the type of the first array, or of the first of a list, gives the device (`numpy` -> cpu, `cupy` -> cuda);
* `use_backend(name)`, or else the environment variable MINIDL_BACKEND, gives the backend to try first;
* then those of `ORDER[device]` follow, an order fixed here and never timed at run time. An implementation is skipped
  where its module is missing or not built, lacks the function, or does not list the dtype in its `DTYPES` (without
  that list it takes any dtype). With `strict=True` nothing is skipped: the call raises, with the reason.

Choices are cached by backend, array type and dtype, so each call costs one look-up.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from . import build_report
from .arrays import device_of

# backend: (module in the kernel's folder, device it runs on, or None for any)
BACKENDS: dict[str, tuple[str, str | None]] = {
    "reference": ("reference", None),
    "cython": ("cython_cpu", "cpu"),
    "cython_naive": ("cython_naive", "cpu"),
    "cython_blocked": ("cython_blocked", "cpu"),
    "numba": ("numba_cpu", "cpu"),
    "cuda": ("cuda_gpu", "cuda"),
}

# What "auto" tries on each device, best first. Numba is left out: it is slower than Cython for every kernel, takes a
# second to compile each, and its threads do not survive a fork. Without a C compiler, ask for it by use_backend.
ORDER: dict[str, tuple[str, ...]] = {
    "cpu": ("cython", "reference"),
    "cuda": ("cuda", "reference"),
    "other": ("reference",),
}

MISSING = "this kernel has no such implementation"


class Choice(NamedTuple):
    """What `use_backend` and `simulate_device` ask for."""

    backend: str
    strict: bool = False  # no other backend may serve instead
    device: str | None = None  # in place of the arrays' own device: a simulated GPU works on NumPy arrays


class Implementation(NamedTuple):
    """One row of `table()`: an implementation of a kernel, and why it cannot serve here, if so."""

    kernel: str
    backend: str
    available: bool
    reason: str


_choice: ContextVar[Choice | None] = ContextVar("minidl_backend", default=None)
_kernels: dict[str, list[str]] = {}  # kernel's package -> its functions
_caches: list[dict[tuple, Callable]] = []  # one a function: (choice, array type, dtype) -> implementation


def _validated(backend: str, where: str) -> str:
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(f"{where}: unknown backend {backend!r}; expected one of auto, {', '.join(BACKENDS)}")
    return backend


@functools.cache
def _first_choice() -> Choice:
    return Choice(_validated(os.environ.get("MINIDL_BACKEND") or "auto", "MINIDL_BACKEND"))


def current_backend() -> str:
    """Return the backend in force: that of the innermost `use_backend`, else of MINIDL_BACKEND, else "auto"."""
    return (_choice.get() or _first_choice()).backend


@contextmanager
def use_backend(backend: str, strict: bool = False) -> Iterator[None]:
    """Choose the backend of all kernels, in this thread and inside this `with`.

    Parameters
    ----------
    backend : {"auto", "reference", "cython", "cython_naive", "cython_blocked", "numba", "cuda"}
        "auto" takes the fixed order of each device.
    strict : bool
        Raise, with the reason, where this backend cannot serve a call, instead of trying the next one in order.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> with kernels.use_backend("reference"):
    ...     kernels.matmul.forward(np.ones((2, 3)), np.ones((3, 1)))
    array([[3.],
           [3.]])
    """
    outer = _choice.get()
    device = outer.device if outer else None
    token = _choice.set(Choice(_validated(backend, "backend"), bool(strict), device))
    try:
        yield
    finally:
        _choice.reset(token)


@contextmanager
def simulate_device(device: str | None, backend: str = "auto", strict: bool = False) -> Iterator[None]:
    """Treat every array as one of `device` inside this `with`, so that a simulated GPU is given NumPy arrays.

    With None, arrays keep their own device. Start the simulation first: which backends can serve is found out anew on
    entry and on exit.
    """
    token = _choice.set(Choice(_validated(backend, "backend"), bool(strict), device))
    _forget()
    try:
        yield
    finally:
        _choice.reset(token)
        _forget()


def _forget() -> None:
    """Forget which backends can serve, and all implementations chosen so far."""
    _load.cache_clear()
    for cache in _caches:
        cache.clear()


def kernel(contract: Callable[..., tuple]) -> Callable[..., Any]:
    """Turn a contract into a kernel: a call of it checks the arguments, then runs an implementation with them."""
    package, function = contract.__module__, contract.__name__
    _kernels.setdefault(package, []).append(function)
    cache: dict[tuple, Callable] = {}
    _caches.append(cache)

    @functools.wraps(contract)
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = contract(*args, **kwargs)
        x = arguments[0][0] if type(arguments[0]) is list else arguments[0]
        key = (_choice.get(), type(x), x.dtype)
        implementation = cache.get(key)
        if implementation is None:
            implementation = cache[key] = _choose(package, function, x)
        return implementation(*arguments)

    return call


def _choose(package: str, function: str, x: Any) -> Callable:
    choice = _choice.get() or _first_choice()
    device = choice.device or device_of(x)
    order = ORDER[device]
    if choice.backend != "auto":
        order = (choice.backend,) if choice.strict else (choice.backend, *order)
    reasons = []
    for backend in order:
        implementation, reason = _find(package, function, backend, device, x.dtype)
        if implementation is not None:
            return implementation
        reasons.append(f"{backend}: {reason}")
    raise RuntimeError(f"no implementation of {_short(package)}.{function} can serve: " + "; ".join(reasons))


def _find(package: str, function: str, backend: str, device: str, dtype: Any) -> tuple[Callable | None, str]:
    """Return the implementation, or None and the reason why it cannot serve."""
    runs_on = BACKENDS[backend][1]
    if runs_on not in (None, device):
        return None, f"runs on {runs_on} arrays, the array is on {device}"
    module, reason = _load(package, backend)
    if module is None:
        return None, reason
    if not hasattr(module, function):
        return None, f"has no {function}"
    dtypes = getattr(module, "DTYPES", None)
    if dtypes is not None and (dtype.name not in dtypes or not dtype.isnative):
        return None, f"dtype {dtype} is not among {', '.join(dtypes)}"
    return getattr(module, function), ""


@functools.cache
def _load(package: str, backend: str) -> tuple[Any, str]:
    """Import an implementation's module; return it, or None and why it cannot serve here.

    An extension that nobody has built, or that is older than its sources, raises `build_report.BuildError`, which says
    what to type: a silent fallback would cost its user hours.
    """
    name = f"{package}.{BACKENDS[backend][0]}"
    if Path(sys.modules[package].__file__).with_name(BACKENDS[backend][0] + ".pyx").is_file():
        if reason := build_report.unavailable(name):
            return None, reason
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        return None, f"{error.name} is not installed" if error.name != name else MISSING
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return None, "Numba found no writable folder for its cache; set NUMBA_CACHE_DIR to one"
    unavailable = getattr(module, "unavailable", None)  # optional: returns why it cannot serve, such as "no GPU"
    reason = unavailable() if unavailable is not None else None
    return (None, reason) if reason else (module, "")


def _short(package: str) -> str:
    return package.rpartition(".")[2]


def table() -> list[Implementation]:
    """Return every implementation of every kernel: whether it can serve here, and if not, why.

    Examples
    --------
    >>> from minidl import kernels
    >>> [row.available for row in kernels.table() if row.kernel == "matmul" and row.backend == "reference"]
    [True]
    """
    rows = []
    for package in sorted(_kernels):
        for backend in BACKENDS:
            try:
                module, reason = _load(package, backend)
            except build_report.BuildError as error:
                module, reason = None, str(error)
            if reason != MISSING:
                rows.append(Implementation(_short(package), backend, module is not None, reason))
    return rows
