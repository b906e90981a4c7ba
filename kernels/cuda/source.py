"""Read a ``.cu`` file: insert its headers, and parse the parameters of its kernels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HEADERS = Path(__file__).parent

_INCLUDE = re.compile(r'^[ \t]*#include[ \t]*([<"])([^>"]+)[>"].*$', re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+(?:void\s+)?(?:__launch_bounds__\s*\([^)]*\)\s*)?(?:void\s+)?(\w+)\s*\(([^)]*)\)'
)


class Parameter(NamedTuple):
    """One parameter of a kernel, such as ``const float* x``."""

    name: str
    type: str  # without const and *
    pointer: bool
    const: bool


def inline_headers(path: Path, folders: Sequence[Path] = ()) -> str:
    """Return the text of `path` with every ``#include "header.cuh"`` replaced by that header, each once.

    Compile caches see only this text, so it must be complete. Headers are searched for in `folders`, beside `path`,
    then in this folder. ``#line`` directives keep the compiler's line numbers right.
    """
    seen: set[str] = set()

    def expand(file: Path) -> str:
        text = file.read_text(encoding="utf-8")

        def replace(match: re.Match[str]) -> str:
            kind, name = match.groups()
            if kind == "<":
                raise ValueError(
                    f"{file.name} includes <{name}>: kernels use no header of the toolkit, which may be absent"
                )
            if name in seen:
                return ""
            seen.add(name)
            for folder in (*folders, file.parent, HEADERS):
                if (folder / name).is_file():
                    next_line = text.count("\n", 0, match.end()) + 2
                    return f'{expand(folder / name)}\n#line {next_line} "{file.name}"'
            raise FileNotFoundError(f'{file.name} includes "{name}", which is neither beside it nor in {HEADERS}')

        return f'#line 1 "{file.name}"\n' + _INCLUDE.sub(replace, text.replace("#pragma once", ""))

    return expand(path)


def signatures(code: str, defines: Mapping[str, object] | None = None) -> dict[str, list[Parameter]]:
    """Return the parameters of every ``extern "C" __global__`` kernel in `code`, by its name.

    >>> from minidl.kernels.cuda.source import signatures
    >>> code = 'extern "C" __global__ void fill(scalar* y, int n) {}'
    >>> for parameter in signatures(code, {"scalar": "float"})["fill"]:
    ...     print(parameter)
    Parameter(name='y', type='float', pointer=True, const=False)
    Parameter(name='n', type='int', pointer=False, const=False)
    """
    found = {}
    for name, parameters in _KERNEL.findall(_COMMENT.sub(" ", code)):
        split = [text for text in parameters.split(",") if text.strip()]
        found[name] = [_parameter(text, defines or {}) for text in split]
    return found


def _parameter(text: str, defines: Mapping[str, object]) -> Parameter:
    words = re.findall(r"\w+|\*", text)
    rest = [word for word in words if word not in ("const", "*", "__restrict__", "volatile")]
    *type_words, name = rest
    c_type = " ".join(str(defines.get(word, word)) for word in type_words)
    c_type = {"unsigned": "unsigned int"}.get(c_type, c_type)
    return Parameter(name, c_type, "*" in words, words[0] == "const")
