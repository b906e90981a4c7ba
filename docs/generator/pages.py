"""The folder of pages that Sphinx reads, and what they are written with."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the repository


class Pages:
    """Writes pages into a folder that is empty at first."""

    def __init__(self, folder: Path):
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


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
