"""The folder of pages that Sphinx reads: written where something changed, cleared of what is gone."""

from __future__ import annotations

import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the repository


class Pages:
    """Writes pages; a page that did not change keeps its time, so that Sphinx need not read it again."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.written: set[Path] = set()

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        content = content.encode() if isinstance(content, str) else content
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
        self.written.add(path)

    def remove_others(self) -> None:
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self.written:
                path.unlink()


def title(text: str, underline: str = "=") -> str:
    return f"{text}\n{underline * (2 * len(text))}\n\n"  # a Chinese character is two columns wide


def code(source: str, language: str, first_line: int = 1, css_class: str = "") -> str:
    """A code block with the line numbers of its file."""
    options = [f".. code-block:: {language}", f"   :lineno-start: {first_line}", "   :force:"]
    if css_class:
        options.append(f"   :class: {css_class}")
    return "\n".join(options) + "\n\n" + textwrap.indent(source.rstrip(), "   ") + "\n\n"


def table(header: list[str], rows: list[list[str]], widths: str = "auto") -> str:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [header, *rows]:
        for i, cell in enumerate(row):
            lines.append(f"   {'* ' if i == 0 else '  '}- {cell}")
    return "\n".join(lines) + "\n\n"


def toctree(names: list[str], *options: str) -> str:
    lines = [".. toctree::", *(f"   :{option}:" for option in options), "", *(f"   {name}" for name in names)]
    return "\n".join(lines) + "\n\n"
