"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"  # how the name of a file ends while it is written


def in_existing_folder(path: Path | str) -> Path:
    """The path; a FileNotFoundError where its folder does not exist, so that it cannot be written."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist, so {path.name} cannot be written to it")
    return path


def write_whole(path: Path | str, content: bytes | memoryview) -> None:
    """Write `content` to a file that appears whole or not at all."""
    with written_whole(path) as file:
        file.write(content)


@contextmanager
def written_whole(path: Path | str) -> Iterator[BinaryIO]:
    """A file to write under a temporary name in the same folder; it gets its name `path` when the block ends.

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
        temporary.unlink(missing_ok=True)
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
