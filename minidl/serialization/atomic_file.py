"""Files written atomically: under its name there is a complete file, the old one or the new one, at any time."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from minidl.serialization.paths import in_existing_folder

PARTIAL = ".partial"  # how the name of a file ends while it is written


def write_atomically(path: Path | str, content: bytes | memoryview) -> None:
    """Write `content` to a file, which is complete or not there at any time; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path | str) -> Iterator[BinaryIO]:
    """Open a file under a temporary name in the same folder, and rename it to `path` when the block ends.

    It is renamed once it is on disk, so whoever reads `path`, at any time and also after a crash, sees either the old
    file or the new one. After an error it is removed.
    """
    path = in_existing_folder(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # on a read-only disk this fails as well, and would hide the error
            temporary.unlink()
        # the error of a full disk names no file, others name the temporary one
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too, where folders can be opened (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
