"""Reading data files, plain or gzipped, without trusting what they say about themselves."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20  # bytes


@contextmanager
def open_data(path: Path) -> Iterator[BinaryIO]:
    """Opens a file, decompressing it if its name ends in .gz. A damaged gzip file is a ValueError that names it."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: truncated or damaged gzip file ({error}); delete it and fetch it again") from error


def read_exactly(stream: BinaryIO, size: int, path: Path, what: str) -> bytearray:
    """The next `size` bytes, which must be the last of the file.

    Memory is taken only for what is really there, so a header that promises gigabytes costs nothing.
    """
    content = read_at_most(stream, size + 1)
    if len(content) < size:
        raise ValueError(f"{path}: truncated file, {what} needs {size} bytes and the file holds {len(content)}")
    if len(content) > size:
        raise ValueError(f"{path}: oversized file, {what} needs {size} bytes and the file holds more")
    return content


def read_at_most(stream: BinaryIO, size: int) -> bytearray:
    """Up to `size` bytes, fewer where the file ends."""
    content = bytearray()
    while len(content) < size:
        chunk = stream.read(min(CHUNK, size - len(content)))
        if not chunk:
            break
        content += chunk
    return content
