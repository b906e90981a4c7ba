"""The tutorials as notebooks, which are executed with the answers to their exercises."""

from __future__ import annotations

import ast
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
    written = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            place = TITLES.get(getattr(node.func, "attr", getattr(node.func, "id", "")), len(node.args))
            written += [keyword.value for keyword in node.keywords if keyword.arg in LABELS]
            written += node.args[place : place + 1]
    texts = [text for node in sorted(written, key=lambda node: (node.lineno, node.col_offset)) for text in _texts(node)]
    return "; ".join(["Figure drawn by the code above", *dict.fromkeys(texts)])


def _texts(node: ast.expr) -> list[str]:
    """The strings that an expression may give, with dots for what an f-string computes."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)]
    return [node.value] if isinstance(node, ast.Constant) and node.value else []


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
