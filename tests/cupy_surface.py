"""What CuPy offers, as far as it shows without a GPU: names and parameters, kept in cupy_surface.json.

StrictArray refuses by it what CuPy would refuse, on machines that have no CuPy too. `python -m tests.cupy_surface`
writes the file anew from the CuPy that is installed.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_suffix(".json")

# Of the methods of CuPy's ufuncs, those that do more than raise NotImplementedError (cupy/_core/_kernel.pyx).
UFUNC_METHODS = {
    "__call__": None,  # any
    "outer": None,
    "at": {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"},
    "reduce": {"add", "multiply"},
    "accumulate": {"add", "multiply"},
    "reduceat": {"add"},
}
UFUNC_OPTIONS = {"out", "dtype", "casting"}  # not where


def read_installed() -> dict[str, Any]:
    """The surface of the CuPy that is installed."""
    import cupy

    names = [name for name in dir(cupy) if not name.startswith("_")]
    ufuncs = [name for name in names if type(getattr(cupy, name)) in (cupy.ufunc, type(cupy.matmul))]
    functions = {name: _signature(getattr(cupy, name)) for name in names if inspect.isfunction(getattr(cupy, name))}
    methods = {name: _documented(getattr(cupy.ndarray, name)) for name in dir(cupy.ndarray) if not name.startswith("_")}
    return {"cupy": cupy.__version__, "names": names, "ufuncs": ufuncs, "functions": functions, "methods": methods}


def check_ufunc(name: str, method: str, options: dict[str, Any]) -> None:
    """Raise where CuPy has no such ufunc, method of it or option."""
    if name not in _ufuncs():
        raise AttributeError(f"CuPy has no ufunc {name!r}")
    allowed = UFUNC_METHODS[method]
    if allowed is not None and name not in allowed:
        raise NotImplementedError(f"CuPy has no {name}.{method}")
    if method == "__call__" and options.keys() - UFUNC_OPTIONS:
        raise TypeError(f"CuPy's {name} takes no {', '.join(options.keys() - UFUNC_OPTIONS)}")


def check_function(name: str, args: tuple, options: dict[str, Any]) -> None:
    """Raise where CuPy has no such function, or not with these parameters."""
    if name not in _names():
        raise AttributeError(f"CuPy has no {name!r}")
    _bind(f"cupy.{name}", stored()["functions"].get(name), args, options)


def check_method(name: str, args: tuple, options: dict[str, Any]) -> None:
    """The same for a method of an array."""
    if name not in stored()["methods"]:
        raise AttributeError(f"CuPy's arrays have no {name!r}")
    _bind(f"cupy.ndarray.{name}", stored()["methods"][name], args, options)


@functools.cache
def stored() -> dict[str, Any]:
    return json.loads(STORED.read_text(encoding="utf-8"))


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(stored()["names"])


@functools.cache
def _ufuncs() -> frozenset[str]:
    return frozenset(stored()["ufuncs"])


def _bind(what: str, text: str | None, args: tuple, options: dict[str, Any]) -> None:
    if text is not None:
        try:
            _parsed(text).bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{what}{text} would refuse this call: {error}") from None


@functools.cache
def _parsed(text: str) -> inspect.Signature:
    namespace: dict[str, Any] = {}
    exec(f"def function{text}: pass", namespace)  # the text is our own file's
    return inspect.signature(namespace["function"])


def _signature(function: Any) -> str | None:
    try:
        return _text(inspect.signature(function).parameters.values())
    except ValueError:
        return None


def _text(parameters: Any) -> str:
    """Names and kinds, each default as None."""
    kept = [p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else None) for p in parameters]
    return str(inspect.Signature(kept))


def _documented(method: Any) -> str | None:
    """Cython writes the parameters into the first line of the documentation, without self and C types."""
    found = re.match(r"\w+\.\w+\(self(?:, )?(.*?)\)(?: ->.*)?$", (method.__doc__ or "").split("\n")[0])
    if found is None:
        return None
    plain = ", ".join(re.sub(r"^[\w ]+ (?=\w+(=|$))", "", part) for part in found[1].split(", ") if part)
    return _text(_parsed(f"({plain})").parameters.values())


if __name__ == "__main__":
    STORED.write_text(json.dumps(read_installed(), indent=0) + "\n", encoding="utf-8")
