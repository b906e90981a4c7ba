"""A page for each source file, highlighted, with an anchor for every line: what links to code lead to.

A Sphinx extension. The pages are made beside the others, not read by Sphinx, so the search does not list them.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_by_name

from generator.pages import ROOT

LANGUAGES = {
    ".py": "python", ".pyx": "cython", ".pxd": "cython", ".pxi": "cython", ".h": "cpp", ".inc": "cpp", ".cu": "cuda",
    ".cuh": "cuda",
}  # fmt: skip
FOLDERS = ("minidl", "kernels", "tutorials", "benchmarks")
ALONE = ("LICENSE", "Makefile", "setup.py", "pyproject.toml")


@functools.cache
def source_files() -> list[str]:
    """Every file that has such a page, from the top of the repository."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in LANGUAGES and not path.is_symlink()
    ]
    return sorted({*found, *ALONE})


def language(path: str) -> str:
    return LANGUAGES.get(Path(path).suffix, "text")


def source_page(path: str) -> str:
    """The name of a file's page, to which Sphinx adds .html."""
    return f"source/{path}"


def _write_pages(app: Any) -> list:
    """Write them all, in as many processes as Sphinx uses; nothing is left for Sphinx itself to write."""
    from sphinx.util.parallel import ParallelTasks, make_chunks  # here, as the tests of tutorials have no Sphinx

    def write(paths: list[str]) -> None:
        for path in paths:
            body = f'<h1 class="file">{path}</h1>\n{_highlighted(path)}'
            app.builder.handle_page(source_page(path), {"title": path, "body": body}, "page.html")

    tasks = ParallelTasks(app.parallel)
    for paths in make_chunks(source_files(), app.parallel):
        tasks.add_task(write, paths)
    tasks.join()
    return []


def _highlighted(path: str) -> str:
    formatter = HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True, cssclass="highlight")
    name = language(path)
    lexer = TextLexer() if name == "text" else get_lexer_by_name(name)
    return highlight((ROOT / path).read_text(), lexer, formatter).replace('"L-', '"L').replace('"#L-', '"#L')


def _share_navigation(made: dict, app: object, page: str, template: str, context: dict, doctree: object) -> None:
    """No source page is in the table of contents, so that all pages of a depth have the same: it is made once."""
    if page.startswith("source/"):
        context["toctree"] = made.setdefault(page.count("/"), functools.cache(context["toctree"]))


def setup(app: object) -> dict[str, bool]:
    app.connect("html-collect-pages", _write_pages)
    app.connect("html-page-context", functools.partial(_share_navigation, {}), priority=400)  # before the theme, 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
