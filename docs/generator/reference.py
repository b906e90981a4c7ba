"""The API reference: a page for each public module, each name on the page of the first module that has it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

import minidl
from generator import code_map
from generator.docstrings import to_rst
from generator.pages import Pages, table, title, toctree

# What comes first; the other modules follow by name. Operations and kernels have pages of their own.
FIRST = ["minidl", "minidl.nn", "minidl.optim", "minidl.data", "minidl.training", "minidl.metrics"]
ELSEWHERE = {"minidl.functional", "minidl.cli", "minidl.machine"}
FUNCTIONS = "minidl.functional"


def modules() -> list[str]:
    """The public modules: those at the top, and what they name in `__all__` that is a module."""
    found = ["minidl"] + [f"minidl.{m.name}" for m in pkgutil.iter_modules(minidl.__path__) if m.name[0] != "_"]
    found = [name for name in dict.fromkeys([*FIRST, *found]) if name not in ELSEWHERE and name != "minidl.kernels"]
    nested = []
    for name in found:
        nested.append(name)
        if name != "minidl":
            public = getattr(importlib.import_module(name), "__all__", [])
            members = [_get(name, n) for n in public]
            # by its own name: nn.functional is minidl.functional
            nested += [m.__name__ for m in members if isinstance(m, ModuleType) and m.__name__ not in ELSEWHERE]
    return [*dict.fromkeys(nested), "minidl.kernels"]


def _get(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _names(module: ModuleType) -> list[str]:
    """The public names: `__all__`, or what the module itself defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = [n for n, v in vars(module).items() if n[0] != "_" and getattr(v, "__module__", "") == module.__name__]
    return [name for name in own if inspect.isclass(vars(module)[name]) or inspect.isfunction(vars(module)[name])]


def write(pages: Pages) -> None:
    operations = {name for family in code_map.families() for name in code_map.operations(family)}
    home: dict[int, str] = {id(getattr(minidl.functional, name)): f"{FUNCTIONS}.{name}" for name in operations}
    for name in modules():
        pages.write(f"reference/{name}.rst", _page(name, home))
    rows = [[f":doc:`{name}`", _summary(importlib.import_module(name))] for name in modules()]
    pages.write(
        "reference/index.rst",
        title("API reference")
        + "The operations are listed under :doc:`/operations/index`, with their gradient checks, and the kernels under "
        ":doc:`/kernels/index`.\n\n" + table(["module", ""], rows) + toctree(modules(), "hidden"),
    )


def _summary(module: ModuleType) -> str:
    return to_rst((module.__doc__ or "").strip().split("\n\n")[0]).replace("\n", " ").strip()


def _page(name: str, home: dict[int, str]) -> str:
    module = importlib.import_module(name)
    described, elsewhere, constants = [], [], []
    for public in _names(module):
        value = getattr(module, public)
        if isinstance(value, ModuleType):
            continue
        if not callable(value):
            constants.append(public)
        elif id(value) in home:
            elsewhere.append(home[id(value)])
        else:
            home[id(value)] = f"{name}.{public}"
            described.append((public, value))
    text = title(name) + to_rst(module.__doc__ or "") + "\n\n"
    for public, value in described:
        text += title(public, "-") + _directive(f"{name}.{public}", value)
    for public in constants:
        text += title(public, "-") + f".. autodata:: {name}.{public}\n   :no-value:\n\n"
    if elsewhere:
        links = ", ".join(f":obj:`{target.rpartition('.')[2]} <{target}>`" for target in elsewhere)
        text += title("Also available here", "-") + f"Described elsewhere, available as ``{name}.NAME``: {links}.\n\n"
    return text


def _directive(path: str, value: Any) -> str:
    if not inspect.isclass(value):
        return f".. autofunction:: {path}\n\n"
    options = ["members:", "show-inheritance:", "member-order: bysource", "exclude-members: extra_repr"]
    return "\n".join([f".. autoclass:: {path}", *(f"   :{option}" for option in options)]) + "\n\n"
