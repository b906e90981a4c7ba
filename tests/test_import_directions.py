"""Who may import whom, and which library may be imported where.

Reads every import in `minidl/` and `kernels/` (those inside functions and under TYPE_CHECKING too) without running any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A part of the project (a folder or module of minidl; "minidl" is its __init__.py): the parts that it may import.
ENGINE = {"kernels", "autograd", "random"}
NETWORKS = ENGINE | {"functional", "nn", "optim"}
LIBRARY = NETWORKS | {"data", "metrics", "cluster"}
ABOVE = {"func", "serialization", "training", "models", "recipes", "visualize", "play", "machine", "checks", "cli"}
TOP = LIBRARY | ABOVE | {"minidl"}
MAY_IMPORT: dict[str, set[str]] = {
    "kernels": set(),
    "autograd": {"kernels"},
    "random": {"kernels"},
    "functional": ENGINE,
    "nn": ENGINE | {"functional"},
    "optim": ENGINE | {"functional"},
    "func": ENGINE | {"nn"},
    "data": ENGINE | {"serialization"},
    "metrics": ENGINE,
    "cluster": ENGINE,
    "serialization": {"autograd"},
    "training": LIBRARY | {"serialization"},
    "models": LIBRARY,
    "recipes": TOP,
    "visualize": TOP,
    "play": TOP,
    "machine": {"kernels", "data", "minidl"},
    "checks": ENGINE | {"functional"},
    "cli": TOP,
    "__main__": {"cli"},
    "minidl": TOP | {"_source_tree", "_elsewhere"},
    "_source_tree": set(),
    "_elsewhere": set(),
}


class Library(NamedTuple):
    """Where a library that is not Python's own may be imported."""

    anywhere_in: str  # at module level or inside a function, in the files that this pattern finds
    lazily_in: str = "^$"  # inside functions alone


# The patterns are searched in a file's path. What is installed on request only must be imported where it is used.
LIBRARIES: dict[str, Library] = {
    "numpy": Library(""),
    "PIL": Library("^minidl/(data|visualize|play)"),
    "safetensors": Library("^minidl/serialization/"),
    "tqdm": Library("^minidl/(training|data|recipes)"),
    "threadpoolctl": Library("^kernels/"),
    "numba": Library("^kernels/.*numba_cpu.py$", lazily_in="^kernels/"),
    "cupy": Library("^kernels/.*cuda_gpu.py$", lazily_in="^(kernels|minidl/autograd)/"),
    "matplotlib": Library("^$", lazily_in="^minidl/visualize"),
    "tensorboardX": Library("^$", lazily_in="^minidl/training/"),
    "sklearn": Library("^$", lazily_in="^minidl/data/"),
    "scipy": Library("^$", lazily_in="^minidl/(cluster|metrics)"),
}


class Import(NamedTuple):
    file: str  # path below the root
    line: int
    module: str  # the importing module
    target: str  # the module that is imported, as deep as it is known to be one
    name: str  # what `from package import name` takes out of a package; "" otherwise
    package: str  # that package
    lazy: bool  # inside a function


def modules_of(root: Path) -> dict[str, Path]:
    """Every module of the project by name; that of a package is its __init__.py."""
    modules = {}
    for path in sorted([*root.glob("minidl/**/*.py"), *root.glob("kernels/**/*.py")]):
        parts = path.relative_to(root).with_suffix("").parts
        parts = ("minidl", *parts) if parts[0] == "kernels" else parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def imports_of(root: Path, modules: dict[str, Path]) -> Iterator[Import]:
    for module, path in modules.items():
        file = path.relative_to(root).as_posix()
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"), file)
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
        inside = {id(node) for function in functions for node in ast.walk(function)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(file, node.lineno, module, alias.name, "", "", id(node) in inside)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*above, base] if base else above)
                for alias in node.names:
                    full = f"{base}.{alias.name}"
                    target = full if full in modules else base
                    yield Import(file, node.lineno, module, target, alias.name, base, id(node) in inside)


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def names_bound_in(path: Path) -> set[str]:
    """The names that the top level of a file binds."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def violations(root: Path) -> list[str]:
    modules = modules_of(root)
    found, graph = [], {part: set() for part in MAY_IMPORT}
    for part in sorted({part_of(module) for module in modules} - MAY_IMPORT.keys()):
        found.append(f"{part}: a new part of the project: say in MAY_IMPORT what it may import")
    for i in imports_of(root, modules):
        where, library = f"{i.file}:{i.line}", i.target.partition(".")[0]
        if library != "minidl":
            rule = LIBRARIES.get(library, Library("^$"))
            if library in sys.stdlib_module_names or re.search(rule.anywhere_in, i.file):
                continue
            if re.search(rule.lazily_in, i.file):
                if not i.lazy:
                    found.append(f"{where}: {library} is to be imported inside the function that needs it")
            else:
                found.append(f"{where}: {library} is not to be imported here")
            continue
        source, target = part_of(i.module), part_of(i.target)
        if source == target:
            continue
        graph.setdefault(source, set()).add(target)
        if target not in MAY_IMPORT.get(source, set()):
            found.append(f"{where}: {source} is not to import {target}")
        in_a_folder = i.target.count(".") > 1 and modules.get(i.target, Path("__init__.py")).name != "__init__.py"
        offered = i.target != i.package in modules and i.name in names_bound_in(modules[i.package])
        if in_a_folder and not offered:
            found.append(f"{where}: {i.target} is to be entered through the __init__.py of its folder")
    for path in sorted(path for path in root.glob("kernels/**/*") if path.suffix in (".pyx", ".pxd", ".pxi")):
        found += violations_in_cython(path, path.relative_to(root).as_posix())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"a circle: {' <- '.join(error.args[1])}")
    return found


def violations_in_cython(path: Path, file: str) -> Iterator[str]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = re.match(r"\s*(?:from|import|cimport)\s+(\.*[A-Za-z_][\w.]*)", line)
        if match is None or not re.search(r"\bc?import\b", line):
            continue
        module = match[1]
        in_kernels = module.startswith((".", "minidl.kernels")) and not module.startswith("...")
        library = module.partition(".")[0]
        if not in_kernels and library not in sys.stdlib_module_names | {"numpy", "cython", "libc", "cpython", "posix"}:
            yield f"{file}:{number}: {module} is not to be imported here"


def test_the_project_keeps_its_directions():
    assert violations(ROOT) == []


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """The project's modules, all of them empty."""
    for path in modules_of(ROOT).values():
        empty = tmp_path / path.relative_to(ROOT)
        empty.parent.mkdir(parents=True, exist_ok=True)
        empty.touch()
    assert violations(tmp_path) == []
    return tmp_path


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("kernels/planted.py", "from minidl.autograd import Tensor", "kernels is not to import autograd"),
        ("kernels/matmul/planted.py", "from ...autograd import Tensor", "kernels is not to import autograd"),
        ("minidl/autograd/planted.py", "def f():\n    from ..nn import Linear", "autograd is not to import nn"),
        ("minidl/functional/planted.py", "import minidl", "functional is not to import minidl"),
        ("minidl/functional/planted.py", "from ..autograd.engine import backward", "through the __init__.py"),
        ("minidl/functional/planted.py", "from ..autograd import engine", "through the __init__.py"),
        ("minidl/nn/planted.py", "from ..optim import SGD", "nn is not to import optim"),
        ("minidl/planted.py", "import math", "say in MAY_IMPORT"),
        ("minidl/data/planted.py", "import torch", "torch is not to be imported here"),
        ("minidl/data/planted.py", "import sklearn.datasets", "inside the function"),
        ("minidl/nn/planted.py", "def f():\n    import matplotlib", "matplotlib is not to be imported here"),
        ("kernels/matmul/planted.py", "from numba import njit", "inside the function"),
        ("kernels/matmul/planted.pyx", "from minidl.autograd import Tensor", "minidl.autograd is not to be imported"),
        ("kernels/matmul/planted.pyx", "from ...autograd cimport tensor", "...autograd is not to be imported"),
        ("kernels/matmul/planted.pyx", "cimport scipy.linalg", "scipy.linalg is not to be imported"),
    ],
)
def test_a_planted_violation_is_found(skeleton: Path, file: str, code: str, complaint: str):
    (skeleton / file).parent.mkdir(exist_ok=True)
    (skeleton / file).write_text(code + "\n", encoding="utf-8")
    [found] = violations(skeleton)
    assert complaint in found


def test_a_planted_circle_is_found(skeleton: Path):
    (skeleton / "minidl" / "cli.py").write_text("from . import visualize\n", encoding="utf-8")
    (skeleton / "minidl" / "visualize.py").write_text("from . import cli\n", encoding="utf-8")
    [found] = violations(skeleton)
    assert "a circle" in found


def test_what_the_package_offers_may_be_imported(skeleton: Path):
    (skeleton / "minidl" / "autograd" / "__init__.py").write_text("from . import engine\n", encoding="utf-8")
    (skeleton / "minidl" / "functional").mkdir(exist_ok=True)
    (skeleton / "minidl" / "functional" / "linear.py").write_text("from ..autograd import engine\n", encoding="utf-8")
    assert violations(skeleton) == []
