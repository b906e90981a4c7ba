"""A page for each kernel: its contract, every implementation of it side by side, and its last benchmark."""

from __future__ import annotations

import ast
import importlib
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from generator import benchmarks, code_map
from generator.docstrings import to_rst
from generator.links import find_lines
from generator.pages import ROOT, Pages, code, table, title, toctree
from generator.source_pages import LANGUAGES, language, source_page
from minidl import kernels
from minidl.kernels.registry import BACKENDS, ORDER

FOLDER = ROOT / "kernels"
NAMES = {
    "reference": "Reference", "cython_naive": "Cython, naive", "cython_blocked": "Cython, blocked", "cython": "Cython",
    "numba": "Numba", "cuda": "CUDA",
}  # fmt: skip
DEVICE_FUNCTION = re.compile(r'^extern "C" __global__ [^{;]*?\b(?!__launch)(?P<name>\w+)\([^{;]*\{.*?^\}', re.M | re.S)
SHARED = {"cpu": "Shared by the CPU kernels", "cuda": "Shared by the CUDA kernels"}


def write(pages: Pages) -> None:
    rows = kernels.table()
    names = sorted({row.kernel for row in rows})
    for name in names:
        pages.write(f"kernels/{name}.rst", _page(name, [row for row in rows if row.kernel == name]))
    for folder, heading in SHARED.items():
        pages.write(f"kernels/{folder}.rst", _shared(folder, heading))
    pages.write("kernels/index.rst", _index(names, rows))


def _index(names: list[str], rows: list[kernels.Implementation]) -> str:
    cells = []
    for name in names:
        serving = {row.backend: row.available for row in rows if row.kernel == name}
        marks = ["" if backend not in serving else "✓" if serving[backend] else "not here" for backend in NAMES]
        cells.append([f":doc:`{name} <{name}>`", _first_sentence(name), *marks])
    readings = ["/reading-cpu-kernels", "/reading-cuda-kernels"]
    return (
        title("Kernels")
        + to_rst(kernels.__doc__)
        + "\n\n"
        + "✓: available on the machine that built this site. “not here”: the code exists, but something that it "
        "needs, such as a GPU, was missing on that machine.\n\n"
        + table(["kernel", "what it computes", *NAMES.values()], cells)
        + toctree([*readings, *(f"{name} <{name}>" for name in names), *SHARED], "hidden")
    )


def _first_sentence(name: str) -> str:
    return to_rst(_docstring(FOLDER / name / "__init__.py").split("\n\n")[0]).replace("\n", " ").strip()


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def _page(name: str, rows: list[kernels.Implementation]) -> str:
    module = importlib.import_module(f"minidl.kernels.{name}")
    text = title(f"Kernel: {name}") + to_rst(_docstring(FOLDER / name / "__init__.py")) + "\n\n"
    used = [f":func:`{o} <minidl.functional.{o}>`" for _, o in code_map.users().get(name, [])]
    if used:
        text += "**Operations that use it**: " + ", ".join(used) + "\n\n"
    text += title("Implementations", "-") + _served(rows)
    text += title("Contract and code", "-")
    for function in _contracts(module):
        text += title(function, "^") + f".. autofunction:: minidl.kernels.{name}.{function}\n\n"
        text += _side_by_side(name, function, [row.backend for row in rows])
    if measured := benchmarks.of_kernel(name):
        text += title("Latest benchmark", "-") + measured
    return text + title("Complete files", "-") + _files(FOLDER / name)


def _contracts(module: Any) -> list[str]:
    """The functions marked `@kernel`, in the order of the file."""
    tree = ast.parse(Path(module.__file__).read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any(getattr(d, "id", "") == "kernel" for d in node.decorator_list)
    ]


def _served(rows: list[kernels.Implementation]) -> str:
    cells = []
    for row in rows:
        device = BACKENDS[row.backend][1] or "any"
        order = [f"{d}: {o.index(row.backend) + 1}" for d, o in ORDER.items() if row.backend in o and d != "other"]
        state = "yes" if row.available else to_rst(row.reason)
        cells.append([f"``{row.backend}``", device, ", ".join(order) or "by name only", state])
    header = ["backend", "runs on", "place in the order of “auto”", "available where this site was built"]
    return table(header, cells)


def _module_files(name: str, backend: str) -> list[Path]:
    """The files of an implementation; of CUDA the device code and its host side."""
    stem = BACKENDS[backend][0]
    return [path for suffix in (".pyx", ".py") if (path := FOLDER / name / f"{stem}{suffix}").is_file()]


def _side_by_side(name: str, function: str, backends: list[str]) -> str:
    tabs = []
    for backend in (backend for backend in NAMES if backend in backends):
        for path in _module_files(name, backend):
            place = path.relative_to(ROOT).as_posix()
            try:
                first, source = find_lines(place, function)
            except LookupError:
                continue
            heading = f"{NAMES[backend]}, host side" if backend == "cuda" else NAMES[backend]
            tabs.append((heading, _place(place, first) + code(source, language(place), first)))
    device = _device_code(name, function)
    return tab_set([*tabs, (NAMES["cuda"], device)] if device else tabs)


def _device_code(name: str, function: str) -> str:
    """The functions of the .cu files that the host side launches for this contract: those that it names."""
    launched, text = _names_in(FOLDER / name / "cuda_gpu.py", function), ""
    for path in sorted((FOLDER / name).glob("*.cu")):
        source, place = path.read_text(), path.relative_to(ROOT).as_posix()
        for match in DEVICE_FUNCTION.finditer(source):
            if any(fnmatchcase(match["name"], name) for name in launched):
                line = source.count("\n", 0, match.start()) + 1
                text += _place(place, line) + code(match[0], "cuda", line)
    return text


def _names_in(path: Path, function: str) -> set[str]:
    """The strings in a function of a file and in those that it calls there; a "*" for what an f-string fills in."""
    defined = dict(code_map.definitions_of(path)) if path.is_file() else {}
    names, waiting = set(), [function]
    while waiting:
        node = defined.pop(waiting.pop(), None)
        for part in ast.walk(node) if node else ():
            if isinstance(part, ast.Name):
                waiting.append(part.id)
            elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                names.add(part.value)
            elif isinstance(part, ast.JoinedStr):
                names.add("".join(piece.value if isinstance(piece, ast.Constant) else "*" for piece in part.values))
    return names


def _place(path: str, line: int) -> str:
    href = f"../{source_page(path)}.html#L{line}"
    return f".. raw:: html\n\n   <p class='place'><a href='{href}'>{path}, line {line}</a></p>\n\n"


def _files(folder: Path) -> str:
    order = [stem for stem, _ in BACKENDS.values()]

    def rank(path: Path) -> tuple:
        return (order.index(path.stem) if path.stem in order else len(order), path.suffix != ".cu", path.name)

    files = [path for path in folder.iterdir() if path.suffix in LANGUAGES and path.name != "__init__.py"]
    tabs = []
    for path in sorted(files, key=rank):
        place = path.relative_to(ROOT).as_posix()
        tabs.append((path.name, _place(place, 1) + code(path.read_text(), language(place), 1, "whole-file")))
    return tab_set(tabs)


def tab_set(tabs: list[tuple[str, str]]) -> str:
    if not tabs:
        return ""
    text = ".. tab-set::\n\n"
    for heading, body in tabs:
        text += f"   .. tab-item:: {heading}\n\n"
        text += "".join(f"      {line}" if line.strip() else line for line in body.splitlines(keepends=True)) + "\n"
    return text + "\n"


def _shared(folder: str, heading: str) -> str:
    return title(heading) + to_rst(_docstring(FOLDER / folder / "__init__.py")) + "\n\n" + _files(FOLDER / folder)
