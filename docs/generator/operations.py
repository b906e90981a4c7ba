"""A page for each family of operations: formula, shapes, gradient check, kernels, the lines of rule and function."""

from __future__ import annotations

import ast
import functools
import re
from concurrent.futures import ProcessPoolExecutor

from generator import code_map, tutorials
from generator.docstrings import to_rst
from generator.pages import Pages, code, table, title, toctree
from generator.source_pages import source_page
from minidl import checks


def write(pages: Pages) -> None:
    names = checks.differentiable()
    with ProcessPoolExecutor() as pool:
        measured = dict(zip(names, pool.map(checks.check_gradients, names)))
    wrong = [name for name, check in measured.items() if check.failures]
    if wrong:
        raise ArithmeticError(f"wrong gradients: {', '.join(wrong)}; see `minidl gradcheck`")
    families = sorted(code_map.families(), key=lambda family: family_title(family).lower())
    for family in families:
        pages.write(f"operations/{family}.rst", _page(family, measured))
    pages.write("operations/index.rst", _index(families, measured))


def family_title(family: str) -> str:
    return _title_and_text(family)[0]


def _title_and_text(family: str) -> tuple[str, str]:
    """ "Convolution" and "A small window ...", from "Convolution: a small window ..."; else the file's name and all."""
    docstring = ast.get_docstring(ast.parse((code_map.FAMILIES / f"{family}.py").read_text())) or ""
    before, colon, text = docstring.partition(": ")
    if not colon or len(before) > 30 or "\n" in before:
        return family.replace("_", " ").capitalize(), docstring
    return before, re.sub("^[a-z](?=[a-z]*[ ,])", lambda letter: letter[0].upper(), text)  # x[key] stays as it is


def errors(check: checks.Check | None) -> tuple[str, str]:
    """The worst errors of first and second order, as text."""
    if check is None:
        return "–", "–"
    return tuple("–" if e is None else f"{e:.1e}" for e in (check.first_order, check.second_order))


def _index(families: list[str], measured: dict[str, checks.Check]) -> str:
    rows = []
    for family in families:
        for operation in code_map.operations(family):
            kernels = {kernel for kernel, _ in code_map.kernels_of(code_map.lines_of(family, operation))}
            links = ", ".join(f":doc:`{kernel} </kernels/{kernel}>`" for kernel in sorted(kernels))
            rows.append([_operation_link(operation), f":doc:`{family}`", *errors(measured.get(operation)), links])
    number = len(measured)
    return (
        title("Operations")
        + "Called with arrays, an operation only computes. Called with a Tensor, it is also recorded, so that it has a "
        "gradient. ``import minidl.functional as F`` makes all of them available.\n\n"
        f"The gradients of {number} operations were compared with finite differences while this site was built. The "
        "table shows the worst error ``|gradient - difference| / max(1, |difference|)`` over all test cases of an "
        "operation, in float64, along random directions. A dash means that the operation has no gradient of that "
        "order, or none that is smooth. ``minidl gradcheck`` repeats the comparison.\n\n"
        + table(["operation", "family", "first order", "second order", "kernels"], rows)
        + toctree([f"{family_title(family)} <{family}>" for family in families], "hidden")
    )


def _operation_link(operation: str) -> str:
    return f":func:`{operation} <minidl.functional.{operation}>`"


def _page(family: str, measured: dict[str, checks.Check]) -> str:
    heading, introduction = _title_and_text(family)
    text = title(heading) + to_rst(introduction) + "\n\n"
    for operation in code_map.operations(family):
        lines = code_map.lines_of(family, operation)
        text += title(operation, "-") + f".. autofunction:: minidl.functional.{operation}\n\n"
        text += _facts(operation, lines, measured.get(operation)) + _lines(lines)
    return text


def _facts(operation: str, lines: list[code_map.Lines], check: checks.Check | None) -> str:
    facts = []
    if check is not None:
        first, second = errors(check)
        facts.append(f"**Gradient check**, worst error: first order {first}, second order {second}")
    calls = [f":func:`{kernel}.{f} <minidl.kernels.{kernel}.{f}>`" for kernel, f in code_map.kernels_of(lines)]
    if calls:
        facts.append("**Kernels**: " + ", ".join(calls))
    taught = _taught(operation)
    if taught:
        facts.append("**Used in**: " + ", ".join(f":doc:`{label} </{page}>`" for page, label in taught.items()))
    return "".join(f"| {fact}\n" for fact in facts) + "\n"


def _taught(operation: str) -> dict[str, str]:
    """The tutorials that call `F.operation`."""
    return {page: label for page, label in tutorials.titles().items() if operation in _called()[page]}


@functools.cache
def _called() -> dict[str, set[str]]:
    """The names that each tutorial writes after `F.`."""
    return {f"tutorials/{path.stem}": set(re.findall(r"\bF\.(\w+)", path.read_text())) for path in tutorials.files()}


def _lines(lines: list[code_map.Lines]) -> str:
    rules = [part for part in lines[1:] if not part.name.startswith("_")]
    opened = "Source: " + ", ".join(f"``{part.name}``" for part in [lines[0], *rules])
    body = ""
    for part in lines:
        href = f"../{source_page(part.path)}.html#L{part.first}"
        body += f".. raw:: html\n\n   <p class='place'><a href='{href}'>{part.path}, line {part.first}</a></p>\n\n"
        body += code(part.source, "python", part.first)
    indented = "".join(f"   {line}" if line.strip() else line for line in body.splitlines(keepends=True))
    return f".. dropdown:: {opened}\n\n{indented}\n"
