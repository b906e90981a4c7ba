"""Downloading the files of a data set: checked by sha256, and under their final names only when complete."""

import hashlib
import http.client
import shutil
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from minidl.data.files import CHUNK
from minidl.serialization import PARTIAL, atomic_file

TIMEOUT = 30  # seconds without a byte
ABANDONED = 3600  # seconds


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name under a mirror's address, its size in bytes and its sha256."""

    name: str
    size: int
    sha256: str


def download(file: RemoteFile, folder: Path, mirrors: Sequence[str]) -> Path:
    """Download a file into a folder from the first mirror that serves it with the right checksum.

    Parameters
    ----------
    file : RemoteFile
    folder : Path
        Made if it is not there.
    mirrors : sequence of str
        Addresses of folders, tried in turn: the file is at `mirror + "/" + file.name`. At least one.

    Returns
    -------
    Path
        folder / file.name. It exists only if size and sha256 are right.

    Raises
    ------
    OSError
        When no mirror did (the message says for each what went wrong), or the file cannot be written.
    TypeError, ValueError
        For a single address instead of a sequence, and for an empty sequence.
    """
    if isinstance(mirrors, str):
        raise TypeError(f"mirrors must be a sequence of addresses, got the text {mirrors!r}: put it into a list")
    if not mirrors:
        raise ValueError("mirrors must hold at least one address, got none")
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder, f".{file.name}.*{PARTIAL}")
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file.name}"
        try:
            with atomic_file(folder / file.name) as stream:
                _fetch(url, file, stream)
            return folder / file.name
        except _Failed as error:
            failures.append(f"  {url}: {error}")
    raise OSError(f"{file.name} could not be downloaded to {folder}:\n" + "\n".join(failures))


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove the files and folders that downloads left when they were killed.

    Those that were written to in the last hour stay: another process may be downloading now.
    """
    for path in folder.glob(pattern):
        with suppress(OSError):  # the other process has just removed or renamed it
            if time.time() - max(part.stat().st_mtime for part in (path, *path.glob("*"))) > ABANDONED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


class _Failed(Exception):
    """The mirror did not send the file, or sent another."""


def _fetch(url: str, file: RemoteFile, stream: BinaryIO) -> None:
    from tqdm import tqdm

    digest = hashlib.sha256()
    received = 0
    with tqdm(total=file.size, unit="B", unit_scale=True, desc=file.name, disable=None) as progress:
        for chunk in _chunks(url):
            received += len(chunk)
            if received > file.size:
                raise _Failed(f"sent more than the {file.size} bytes of the file")
            stream.write(chunk)
            digest.update(chunk)
            progress.update(len(chunk))
    if received < file.size:
        raise _Failed(f"sent {received} of {file.size} bytes")
    if digest.hexdigest() != file.sha256:
        raise _Failed(f"sent another file: its sha256 is {digest.hexdigest()}, expected {file.sha256}")


def _chunks(url: str) -> Iterator[bytes]:
    """What a server sends. An error of the network becomes `_Failed`, to tell it from one of the disk."""
    request = urllib.request.Request(url, headers={"User-Agent": "minidl"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            while chunk := response.read(CHUNK):
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(str(error)) from error
