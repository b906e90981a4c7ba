"""Writes minidl/autograd/tensor_methods.pyi: the methods of Tensor, for editors and type checkers.

Each operation attaches itself to Tensor beside its formula, when it is imported, which nothing that only reads the
sources can see. Run it after you added a method or changed its arguments: python -m tests.tensor_methods
"""

from __future__ import annotations

import ast
import builtins
import inspect
import types
import typing
from pathlib import Path

import minidl
from minidl import Tensor
from minidl.functional.axes import takes_numpys_names

TAKES_NUMPYS_NAMES = takes_numpys_names(lambda: None).__code__  # of every function that the decorator makes

STUB = Path(minidl.__file__).parent / "autograd" / "tensor_methods.pyi"

# Methods that give one tensor or several, as their arguments say: no single type holds.
SEVERAL = {"max", "median", "min", "nonzero", "unique"}

HEADER = '''"""The methods that operations attach to Tensor. Written by tests/tensor_methods.py: do not edit."""

# ruff: noqa: E501

import builtins
from collections.abc import Callable, Sequence
from typing import Any

from numpy.random import Generator

from minidl.autograd.hooks import HookHandle
from minidl.autograd.tensor import Tensor
from minidl.functional.extremes import MinAndMax, ValuesAndIndices

class TensorMethods:
'''


def attached() -> dict[str, typing.Any]:
    """What was attached to Tensor outside of its class statement, by name."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(Tensor)))
    (statement,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Tensor"]
    own = {node.name for node in statement.body if isinstance(node, ast.FunctionDef)}
    return {
        name: value
        for name, value in vars(Tensor).items()
        if name not in own and (inspect.isfunction(value) or isinstance(value, property) and value.__doc__)
    }


def stub() -> str:
    """The text of the stub."""
    return HEADER + "".join(_lines(name, value) for name, value in sorted(attached().items()))


def _lines(name: str, value: typing.Any) -> str:
    if isinstance(value, property):
        return f'    @property\n    def {name}(self) -> {_result(name, value.fget)}:\n        """{value.__doc__}"""\n'
    hints = typing.get_type_hints(value)
    arguments = ["self"]
    for parameter in list(inspect.signature(value).parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and name.startswith("__"):
            continue  # an operator can't be given it
        if parameter.kind is parameter.KEYWORD_ONLY and not any(part.startswith("*") for part in arguments):
            arguments.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else " = ..."
        arguments.append(f"{star}{parameter.name}: {_written(hints.get(parameter.name, typing.Any))}{default}")
    if value.__code__ is TAKES_NUMPYS_NAMES:
        star = [] if "*" in arguments else ["*"]
        arguments += [*star, "axis: Any = ...", "keepdims: Any = ..."]
    override = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
    line = f"    def {name}({', '.join(arguments)}) -> {_result(name, value)}:"
    if name.startswith("__") or not value.__doc__:
        return f"{line} ...{override}\n"
    return f'{line}\n        """{value.__doc__.splitlines()[0]}"""\n'


def _result(name: str, function: typing.Any) -> str:
    """An operation says Any, for it gives an array for arrays; of a Tensor it gives a Tensor."""
    result = typing.get_type_hints(function).get("return", typing.Any)
    if name.endswith("_") and not name.startswith("__"):
        return "Tensor"  # which was changed in place
    if result is typing.Any:
        return "Any" if name in SEVERAL else "Tensor"
    return "builtins.tuple[Tensor, ...]" if result is tuple else _written(result)


def _written(hint: typing.Any) -> str:
    """A type as the stub writes it; methods are called float and int, too, so these types need their module."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return " | ".join(_written(part) for part in typing.get_args(hint))
    if origin is not None:
        parts = [part if isinstance(part, list) else _written(part) for part in typing.get_args(hint)]
        parts = [f"[{', '.join(map(_written, part))}]" if isinstance(part, list) else part for part in parts]
        return f"{_written(origin)}[{', '.join(parts)}]"
    if hint is Ellipsis or hint is type(None):
        return {Ellipsis: "...", type(None): "None"}[hint]
    name = getattr(hint, "__qualname__", str(hint))
    return f"builtins.{name}" if hasattr(builtins, name) else name


if __name__ == "__main__":
    STUB.write_text(stub())
    print(f"{STUB}: {len(attached())} methods")
