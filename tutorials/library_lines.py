"""Where the lines of the library are: found in its files each time, so that no number goes out of date."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def find_lines(path: str, symbol: str) -> tuple[int, str]:
    """The number of the first line of what defines a class, a function or another name, and its source.

    Parameters
    ----------
    path : str
        From the top of the repository: ``"minidl/functional/conv.py"``.
    symbol : str
        ``"conv2d"``, or with a dot for a method: ``"Conv2d.backward"``.
    """
    text = (REPOSITORY / path).read_text()
    if path.endswith(".py"):
        node = ast.parse(text)
        for name in symbol.split("."):
            inside = [child for child in node.body if name in _defined_by(child)]
            if not inside:
                raise LookupError(f"{path} defines no {symbol}")
            node = inside[-1]
        first, last = node.lineno, node.end_lineno
    else:  # Cython: a function reaches to the next line that is not indented
        lines, name = text.splitlines(), re.escape(symbol)
        starts = [i for i, line in enumerate(lines) if re.match(rf"c?p?def\b.*\b{name}\s*\(|{name} = ", line)]
        if not starts:
            raise LookupError(f"{path} defines no {symbol}")
        first = starts[0] + 1
        body = range(first, len(lines))
        last = next((i for i in body if lines[i] and not lines[i].startswith((" ", ")"))), len(lines))
    source = "\n".join(text.splitlines()[first - 1 : last])
    return first, textwrap.dedent(source).rstrip()


def _defined_by(statement: ast.stmt) -> list[str]:
    """The names that a statement gives to what it makes."""
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return [statement.name] if hasattr(statement, "name") else []


def show_lines(path: str, symbol: str) -> None:
    """Print the lines of the library that define `symbol`, and where they are."""
    first, source = find_lines(path, symbol)
    print(f"# {path}, line {first}\n{source}\n")
