"""Which lines belong to an operation: its function, the Functions with forward and gradient rule, and their kernels."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

from generator.pages import ROOT

FAMILIES = ROOT / "minidl" / "functional"


class Lines(NamedTuple):
    """Some lines of a file, which define `name`."""

    path: str
    name: str
    first: int
    last: int
    source: str


@functools.cache
def definitions_of(path: Path) -> dict[str, ast.stmt]:
    """The statements of a module that define a name, by that name."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    return found


def families() -> list[str]:
    """The modules of minidl.functional that have public operations."""
    return sorted(p.stem for p in FAMILIES.glob("*.py") if p.stem != "__init__" and operations(p.stem))


def operations(family: str) -> list[str]:
    public = definitions_of(FAMILIES / f"{family}.py").get("__all__")
    return [] if public is None else sorted(set(ast.literal_eval(public.value)))


def lines_of(family: str, operation: str) -> list[Lines]:
    """The operation's own lines, then those of the Functions of its file that it leads to, in the file's order."""
    path = _home(family, operation)
    definitions, text = definitions_of(path), path.read_text().splitlines()
    rules: set[str] = set()
    waiting = [operation]
    public = operations(family)
    while waiting:
        names = {node.id for node in ast.walk(definitions[waiting.pop()]) if isinstance(node, ast.Name)}
        for name in names & definitions.keys() - rules:
            node = definitions[name]
            helper = isinstance(node, ast.FunctionDef) and name[0] == "_" and name not in public
            if isinstance(node, ast.ClassDef) or helper:
                rules.add(name)
                waiting.append(name)
    wanted = [definitions[operation], *sorted((definitions[n] for n in rules), key=lambda node: node.lineno)]
    found = []
    for node in wanted:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        name = getattr(node, "name", operation)
        place = path.relative_to(ROOT).as_posix()
        found.append(Lines(place, name, first, node.end_lineno, "\n".join(text[first - 1 : node.end_lineno])))
    return found


def _home(family: str, operation: str) -> Path:
    """The file that defines the operation; a family may name one that it imports."""
    own = FAMILIES / f"{family}.py"
    files = [own, *sorted(FAMILIES.glob("*.py"))]
    return next(path for path in files if operation in definitions_of(path))


def kernels_of(lines: list[Lines]) -> list[tuple[str, str]]:
    """The kernels that these lines call: [("conv2d", "forward"), ...]."""
    calls = {call for part in lines for call in re.findall(r"\bkernels\.(\w+)\.(\w+)", part.source)}
    return sorted(call for call in calls if (ROOT / "kernels" / call[0] / "reference.py").is_file())


@functools.cache
def users() -> dict[str, list[tuple[str, str]]]:
    """The operations that call each kernel: {"conv2d": [("conv", "conv2d"), ...]}."""
    found: dict[str, list[tuple[str, str]]] = {}
    for family in families():
        for operation in operations(family):
            for kernel in {kernel for kernel, _ in kernels_of(lines_of(family, operation))}:
                found.setdefault(kernel, []).append((family, operation))
    return found
