"""Whether each Cython extension is built, and from the sources beside it.

`setup.py` writes a stamp into every extension that it compiles: a hash of its sources, and how it was built. Here the
sources are hashed again and compared: file times prove nothing, as pip installs the `.pyx` after the binary. Where the
compiler failed, `setup.py` leaves the reason in `build_failures.json`, to tell "failed" from "not built yet".

`python kernels/build_report.py` prints a line for each extension, and exits with 1 if one of them is not built.
This file imports only the standard library: `setup.py` loads it before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

PACKAGE = "minidl.kernels"
KERNELS = Path(__file__).resolve().parent
FAILURES = "build_failures.json"  # {extension: {"source_hash": ..., "reason": ...}}
STAMP = b"minidl build stamp: "  # followed by the hash of the sources, a space, how it was built, and a NUL
HEADER_SUFFIXES = {".pxd", ".pxi", ".h", ".inc"}


class BuildError(ImportError):
    """An extension is not built, or was built from other sources. The message says what to type."""


class Status(NamedTuple):
    state: str  # "built", "failed" (the build ran; its reason follows), "stale" or "unbuilt"
    message: str  # how it was built, or what is wrong and what to type


def unavailable(module: str) -> str | None:
    """Why the extension `module` cannot serve on this machine; None where it can be imported.

    Returns
    -------
    str or None
        None: built from the sources beside it. A text: the build ran here and failed (there is no compiler, say), so
        another backend has to serve.

    Raises
    ------
    BuildError
        It was not built, or from other sources than these: the user has to build it.
    """
    status = extension_status(module)
    if status.state == "built":
        return None
    if status.state == "failed":
        return status.message
    raise BuildError(status.message)


def extension_status(module: str) -> Status:
    """The state of the extension `module`, such as "minidl.kernels.matmul.cython_cpu", and what to do about it."""
    pyx = KERNELS.joinpath(*module.removeprefix(PACKAGE + ".").split(".")).with_suffix(".pyx")
    if not pyx.is_file():
        raise ValueError(f"module: {module!r} is no extension of {PACKAGE}: there is no {pyx}")
    cimported = [path.with_suffix(".pyx") for path in sources(pyx) if path.suffix == ".pxd"]
    statuses = [_status_of(path) for path in (pyx, *cimported) if path.is_file()]
    return next((status for status in statuses if status.state != "built"), statuses[0])


@cache
def _status_of(pyx: Path) -> Status:
    module = _module(pyx)
    expected = source_hash(pyx)
    binary = next((path for s in EXTENSION_SUFFIXES if (path := pyx.with_name(pyx.stem + s)).is_file()), None)
    found, _, description = stamp(binary).partition(" ") if binary else ("", "", "")
    if found == expected:
        return Status("built", description)
    failure = _failures().get(module, {})
    if failure.get("source_hash") == expected:
        remedy = _remedy("with a working GCC or Clang, ")
        return Status("failed", f"the build of {module} failed: {failure['reason']}; {remedy}")
    if binary:
        return Status("stale", f"{binary} was not built from the sources beside it; {_remedy()}")
    python = f"CPython {sys.version_info.major}.{sys.version_info.minor}"
    return Status("unbuilt", f"{module} is not built for {python}; {_remedy()}")


def extensions() -> list[str]:
    """The names of all extensions: one for each `.pyx` below this folder."""
    return sorted(_module(pyx) for pyx in KERNELS.rglob("*.pyx"))


def source_hash(pyx: Path) -> str:
    """SHA-256 over the name and content of every file of `sources(pyx)`."""
    digest = hashlib.sha256()
    for path in sources(pyx):
        content = _read(path)
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def sources(pyx: Path) -> list[Path]:
    """`pyx`, then the headers below this folder that it names, directly or through other headers."""
    found, waiting = [pyx], [pyx]
    while waiting:
        user = waiting.pop()
        mentioned = [header for header in _headers() if header not in found and _mentions(user, header)]
        found += mentioned
        waiting += mentioned
    return [pyx, *sorted(found[1:])]


def stamp(binary: Path) -> str:
    """What `setup.py` wrote into `binary`: the hash of its sources and how it was built; "" if it did not."""
    _, _, rest = binary.read_bytes().partition(STAMP)
    return rest.partition(b"\0")[0].decode("ascii", "replace")


def _module(pyx: Path) -> str:
    return ".".join((PACKAGE, *pyx.relative_to(KERNELS).with_suffix("").parts))


def _mentions(user: Path, header: Path) -> bool:
    text = _read(user)
    if header.suffix != ".pxd":
        return header.name.encode() in text
    if header == user.with_suffix(".pxd"):
        return True
    name = header.parent.name if header.stem == "__init__" else header.stem
    return b"cimport" in text and re.search(rf"\b{name}\b".encode(), text) is not None


@cache
def _headers() -> list[Path]:
    return sorted(path for path in KERNELS.rglob("*") if path.suffix in HEADER_SUFFIXES)


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _failures() -> dict[str, dict[str, str]]:
    path = KERNELS / FAILURES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _remedy(condition: str = "") -> str:
    if (KERNELS.parent / "setup.py").is_file():
        return f"{condition}type `make build` or `pip install -e .` in {KERNELS.parent}"
    return f"{condition}type `pip install --force-reinstall --no-deps --no-cache-dir minidl`"


def main() -> int:
    statuses = {module: extension_status(module) for module in extensions()}
    for module, (state, message) in statuses.items():
        print(f"{module}: {state}: {message}")
    return int(any(status.state != "built" for status in statuses.values()))


if __name__ == "__main__":
    sys.exit(main())
