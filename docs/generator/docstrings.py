"""Docstrings are written to be read in the file; this makes reST of them.

Indented lines and formulas become literal blocks, `names` become code, numpydoc's sections become lists, and signs
that mean something to reST (the * of a product, the | of an absolute value) are escaped. A Sphinx extension.
Napoleon would do the sections alone, and puts a type into brackets that has them already: x ((N, C, H, W)).
"""

from __future__ import annotations

import re
import textwrap

MARKUP = re.compile(r"``[^`]+``|:[\w:]+:`[^`]+`|`[^`]+`")
FORMULA = re.compile(r"[\w\[\](),'^{}|.* -]{1,40}\s=\s")
UNDERLINE = re.compile(r"-{3,}$")
ANY = r"(~?typing\.)?Any"  # as autodoc writes it
NAMED = ("Parameters", "Attributes")
BULLET = re.compile(r"([*-]|\d+\.) ")


def to_rst(docstring: str) -> str:
    return "\n".join(to_rst_lines(textwrap.dedent(docstring).strip().splitlines()))


def to_rst_lines(lines: list[str]) -> list[str]:
    """reST of the lines of a numpydoc docstring."""
    converted: list[str] = []
    for heading, body in _sections(lines):
        if heading:
            converted += [f".. rubric:: {heading}", ""]
        if heading in ("", "Notes", "See Also"):
            converted += _prose(body)
        elif heading.startswith("Example"):
            converted += _examples(body)
        else:
            converted += _fields(body, named=heading in NAMED)
        converted.append("")
    return converted


def _sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """[(heading, lines below)]; the first has no heading."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line, above, below in zip(lines, ["", *lines], [*lines[1:], ""]):
        if UNDERLINE.match(below) and line and not line.startswith(" "):
            sections.append((line, []))
        elif not (UNDERLINE.match(line) and above):
            sections[-1][1].append(line)
    return sections


def _prose(lines: list[str]) -> list[str]:
    result: list[str] = []
    for paragraph in _paragraphs(lines):
        if paragraph[0].startswith(">>>"):
            result += [*paragraph, ""]
        elif BULLET.match(paragraph[0]):
            result += [*_bullets(paragraph), ""]
        elif paragraph[0].startswith(" ") or _is_formula(paragraph):
            result += _literal(paragraph)
        else:  # an indented line ends the sentence above it and starts a formula
            while paragraph:
                n = next((i for i, line in enumerate(paragraph) if line.startswith(" ")), len(paragraph))
                m = next((i for i in range(n, len(paragraph)) if not paragraph[i].startswith(" ")), len(paragraph))
                result += [*map(escape, paragraph[:n]), ""] + (_literal(paragraph[n:m]) if m > n else [])
                paragraph = paragraph[m:]
    return result


def _paragraphs(lines: list[str]) -> list[list[str]]:
    """Runs of lines between empty ones; indented runs that follow each other are one."""
    found: list[list[str]] = []
    for line in lines:
        if not line.strip():
            found.append([])
        elif not found:
            found.append([line])
        else:
            found[-1].append(line)
    joined: list[list[str]] = []
    for paragraph in filter(None, found):
        if joined and paragraph[0].startswith(" ") and joined[-1][0].startswith(" "):
            joined[-1] += ["", *paragraph]
        else:
            joined.append(paragraph)
    return joined


def _is_formula(paragraph: list[str]) -> bool:
    return bool(FORMULA.match(paragraph[0])) and not paragraph[-1].endswith((".", ":", ";", ","))


def _literal(lines: list[str]) -> list[str]:
    return ["::", "", *(f"    {line}" if line else "" for line in textwrap.dedent("\n".join(lines)).split("\n")), ""]


def _bullets(lines: list[str]) -> list[str]:
    result, indent = [], 0
    for line in lines:
        if match := BULLET.match(line):
            indent = match.end()
            result.append(match[0] + escape(line[indent:]))
        else:
            result.append(" " * indent + escape(line.strip()))
    return result


def _examples(lines: list[str]) -> list[str]:
    in_example, result = False, []
    for line in lines:
        in_example = bool(line.strip()) and (in_example or line.startswith(">>>"))
        result.append(line if in_example else escape(line))
    return result


def _fields(lines: list[str], named: bool) -> list[str]:
    """Parameters, Returns, Raises ...: at the margin a name and its type, below it what it means.

    `named`: a line without a colon is a name (``**options``), not a type.
    """
    result: list[str] = []
    for line in lines:
        if line.startswith(" ") or not line:
            indented = line.strip() and f"  {escape(line.removeprefix('    '))}"
            if indented and result and result[-1].startswith("* "):
                result[-1] += " –"
            result.append(indented)
            continue
        name, colon, kind = line.partition(" : ")
        item = f"**{escape(name)}**" if colon or named else escape(name)
        result.append(f"* {item} : {escape(kind)}" if colon else f"* {item}")
    return result


def escape(line: str) -> str:
    """The line with `x` made ``x``, and every sign of reST outside of code escaped."""
    result, place = [], 0
    for match in MARKUP.finditer(line):
        result.append(_escaped(line[place : match.start()]))
        result.append(f"`{match[0]}`" if match[0][0] == "`" and match[0][1] != "`" else match[0])
        if place < match.end() < len(line) and line[match.end()].isalnum():
            result.append("\\ ")
        place = match.end()
    return "".join([*result, _escaped(line[place:])])


def _escaped(text: str) -> str:
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", re.sub(r"([*|\\`])", r"\\\1", text))


def _process(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = to_rst_lines(list(lines))


def _process_signature(
    app: object, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """The signature without `Any`, which says nothing: an array or a Tensor comes in, and the same goes out."""
    if signature:
        signature = re.sub(rf": {ANY} = ", "=", signature)
        signature = re.sub(rf": {ANY}(?=[,)])", "", signature)
    return signature, None if re.fullmatch(ANY, returns or "") else returns


def _process_bases(app: object, name: str, obj: object, options: object, bases: list[type]) -> None:
    """A private base class is no news to a reader: the public one above it is."""
    bases[:] = [b.__base__ if isinstance(b, type) and b.__name__[0] == "_" else b for b in bases]


def setup(app: object) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-bases", _process_bases)
    app.connect("autodoc-process-signature", _process_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
