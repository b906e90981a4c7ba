"""From a kernel's contract to one of its implementations.

A kernel is a folder of this package. Its `__init__.py` holds the contracts: functions marked `@kernel` whose docstring
is the specification and whose body only checks the arguments and returns them, complete and in order. Each other
module of the folder named in `BACKENDS` is an implementation: for a contract `forward` it has a function `forward`
that takes those arguments. The registry finds modules by name, so one more implementation is one more file.

Which one serves a call:
* the type of the first array, or of the first of a list, gives the device (`numpy` -> cpu, `cupy` -> cuda);
* `use_backend(name)`, or else the environment variable MINIDL_BACKEND, gives the backend to try first;
* then `ORDER[device]`, fixed here and never timed at run time. An implementation is passed over where its module is
  missing or not built, lacks the function, or does not list the dtype in its `DTYPES` (no list: any dtype).
  With `strict=True` nothing is passed over: it is an error that gives the reason.

The choice is remembered by backend, array type and dtype, so that a call pays for one look-up.
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

# backend: (module in the kernel's folder, device it runs on; None: wherever the array is)
BACKENDS: dict[str, tuple[str, str | None]] = {
    "reference": ("reference", None),
    "cython": ("cython_cpu", "cpu"),
    "cython_naive": ("cython_naive", "cpu"),
    "cython_blocked": ("cython_blocked", "cpu"),
    "numba": ("numba_cpu", "cpu"),
    "cuda": ("cuda_gpu", "cuda"),
}

# What "auto" tries on each device, best first. Numba is not there: it is slower than Cython for each kernel, takes a
# second to compile each, and its threads do not survive a fork. Where nothing could be compiled, name it yourself.
ORDER: dict[str, tuple[str, ...]] = {
    "cpu": ("cython", "reference"),
    "cuda": ("cuda", "reference"),
    "other": ("reference",),
}

MISSING = "this kernel has no such implementation"


class Choice(NamedTuple):
    """The backend asked for, and whether anything else may serve in its place.

    With a `device`, every array counts as being there: a simulated GPU's are NumPy's.
    """

    backend: str
    strict: bool = False
    device: str | None = None


class Implementation(NamedTuple):
    """One row of `table()`: an implementation of a kernel, and where it cannot serve, the reason."""

    kernel: str
    backend: str
    available: bool
    reason: str


_choice: ContextVar[Choice | None] = ContextVar("minidl_backend", default=None)
_kernels: dict[str, list[str]] = {}  # kernel's package -> its functions
_remembered: list[dict[tuple, Callable]] = []  # for each function, which implementation serves which arrays


def _validated(backend: str, where: str) -> str:
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(f"{where}: unknown backend {backend!r}; expected one of auto, {', '.join(BACKENDS)}")
    return backend


@functools.cache
def _first_choice() -> Choice:
    return Choice(_validated(os.environ.get("MINIDL_BACKEND") or "auto", "MINIDL_BACKEND"))


def current_backend() -> str:
    """Return the backend chosen in this context: of the innermost `use_backend`, or of MINIDL_BACKEND, or "auto"."""
    return (_choice.get() or _first_choice()).backend


@contextmanager
def use_backend(backend: str, strict: bool = False) -> Iterator[None]:
    """Choose the code that runs the kernels, in this thread and inside this `with`.

    Parameters
    ----------
    backend : {"auto", "reference", "cython", "cython_naive", "cython_blocked", "numba", "cuda"}
        "auto" takes each device's committed order.
    strict : bool
        Raise, with the reason, where this backend cannot serve a call; otherwise the next in order serves it.

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
    """Take all arrays for arrays of this device inside this `with`: how a GPU that is simulated gets its calls.

    None for `device` leaves it to the arrays. The simulation must be in place already: each backend is asked anew
    whether it can serve, here and at the end.
    """
    token = _choice.set(Choice(_validated(backend, "backend"), bool(strict), device))
    _forget()
    try:
        yield
    finally:
        _choice.reset(token)
        _forget()


def _forget() -> None:
    """What was found out about the backends, and what was chosen by it."""
    _load.cache_clear()
    for chosen in _remembered:
        chosen.clear()


def kernel(contract: Callable[..., tuple]) -> Callable[..., Any]:
    """Make a kernel of a contract: call it to check the arguments, then hand what it returns to an implementation."""
    package, function = contract.__module__, contract.__name__
    _kernels.setdefault(package, []).append(function)
    chosen: dict[tuple, Callable] = {}
    _remembered.append(chosen)

    @functools.wraps(contract)
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = contract(*args, **kwargs)
        x = arguments[0][0] if type(arguments[0]) is list else arguments[0]
        key = (_choice.get(), type(x), x.dtype)
        implementation = chosen.get(key)
        if implementation is None:
            implementation = chosen[key] = _choose(package, function, x)
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

    An extension that nobody has built, or that is older than its source, is an error (`build_report.BuildError`)
    that says what to type: falling back in silence would cost its user hours.
    """
    name = f"{package}.{BACKENDS[backend][0]}"
    if Path(_folder(package), BACKENDS[backend][0] + ".pyx").is_file():
        if reason := build_report.unavailable(name):
            return None, reason
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        return None, f"{error.name} is not installed" if error.name != name else MISSING
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return None, "Numba found no folder for what it compiles; set NUMBA_CACHE_DIR to one"
    unavailable = getattr(module, "unavailable", None)  # a module may say at run time why it cannot serve: no GPU, ...
    reason = unavailable() if unavailable is not None else None
    return (None, reason) if reason else (module, "")


def _folder(package: str) -> str:
    return os.path.dirname(sys.modules[package].__file__)


def _short(package: str) -> str:
    return package.rpartition(".")[2]


def table() -> list[Implementation]:
    """Return, for every kernel and every backend that it has a file for, whether it can serve here, and if not, why.

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
