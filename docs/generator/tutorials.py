"""The tutorials as notebooks, which are executed with the answers to their exercises."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import jupytext
import nbformat

from generator.links import site_links
from generator.pages import ROOT, Pages
from generator.source_pages import source_page

TUTORIALS = ROOT / "tutorials"
LABELS = ("title", "xlabel", "ylabel", "label")  # keywords whose values are written into a figure
TITLES = {"set_title": 0, "suptitle": 0, "set_ylabel": 0, "show_image": 2}  # and which argument of these calls is


def files() -> list[Path]:
    return sorted(TUTORIALS.glob("[0-9][0-9]_*.py"))


def page_of(number: str) -> str | None:
    """The page of tutorial "06", or None where there is none."""
    return next((f"tutorials/{path.stem}" for path in files() if path.stem.startswith(number)), None)


@functools.cache
def titles() -> dict[str, str]:
    """The title of each page: {"tutorials/01_slope": "01 · The slope"}."""
    return {f"tutorials/{path.stem}": re.search(r"^# # (.+)$", path.read_text(), re.M)[1] for path in files()}


def write(pages: Pages) -> None:
    for path in files():
        pages.write(f"tutorials/{path.stem}.ipynb", _notebook(path))
        pages.write(f"tutorials/{path.name}", path.read_bytes())  # a tutorial may read the text of others
    index = site_links((TUTORIALS / "README.md").read_text(), "tutorials", "tutorials/index")
    names = "\n".join(path.stem for path in files())
    pages.write("tutorials/index.md", f"{index}\n```{{toctree}}\n:hidden:\n\n{names}\n```\n")


def _said_in_figures(source: str) -> str:
    """For a reader who does not see the figures of a cell: their titles and labels, as far as its code spells them."""
    cell = ast.parse(source)
    named, written = _named_texts(cell), []
    for node in ast.walk(cell):
        if isinstance(node, ast.Call):
            place = TITLES.get(getattr(node.func, "attr", getattr(node.func, "id", "")), len(node.args))
            written += [keyword.value for keyword in node.keywords if keyword.arg in LABELS]
            written += node.args[place : place + 1]
    written.sort(key=lambda node: (node.lineno, node.col_offset))
    texts = [text for node in written for text in _texts(node, named)]
    return " ".join("; ".join(["Figure drawn by the code above", *dict.fromkeys(texts)]).split())


def _named_texts(cell: ast.Module) -> dict[str, list[str]]:
    """What names may stand for: the strings assigned to each, or written in the table that its loop goes through."""
    named: dict[str, list[str]] = {}
    for node in ast.walk(cell):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.For):
            value = node.iter if isinstance(node, ast.For) else node.value
            tables = [part for part in ast.walk(value) if isinstance(part, ast.Name | ast.Tuple | ast.List | ast.Dict)]
            texts = [text for part in [value, *tables] for text in _texts(part, named)]
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            for name in [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]:
                named[name] = named.get(name, []) + [text for text in texts if len(text) > 1]  # "o" is a marker
    return named


def _texts(node: ast.expr | None, named: dict[str, list[str]]) -> list[str]:
    """The strings that an expression may give, with dots for what an f-string computes."""
    match node:
        case ast.Constant(value=str(text)) if text:
            return [text]
        case ast.JoinedStr(values=values):
            return ["".join(part.value if isinstance(part, ast.Constant) else "…" for part in values)]
        case ast.Name(id=name):
            return named.get(name, [])
        case ast.IfExp(body=body, orelse=orelse):
            parts = [body, orelse]
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(keys=parts):
            pass
        case _:
            parts = []
    return [text for part in parts for text in _texts(part, named)]


def _notebook(path: Path) -> str:
    notebook = jupytext.read(path, fmt="py:percent")
    page = f"tutorials/{path.stem}"
    for cell in list(notebook.cells):
        if cell.cell_type == "markdown":  # what stands in an answer runs too, at the end, and is not shown again
            for answer in re.findall(r"```python\n(.*?)```", cell.source, flags=re.DOTALL):
                hidden = {"tags": ["remove-cell"]}
                notebook.cells.append(nbformat.v4.new_code_cell(answer, metadata=hidden))
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.metadata["mystnb"] = {"image": {"alt": _said_in_figures(cell.source)}}
        cell["id"] = f"cell-{number}"  # by itself it would be another at every build
        if cell.cell_type == "markdown":
            cell.source = site_links(cell.source, "tutorials", page)
    file = f'<a class="reference internal" href="../{source_page(f"tutorials/{path.name}")}.html">{path.name}</a>'
    notebook.cells[0].source += f"\n\n{{.executed}}\nExecuted from {file}, which is both a script and a notebook."
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.writes(notebook)
