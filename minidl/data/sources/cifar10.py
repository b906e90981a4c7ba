"""CIFAR-10: 60,000 colour photographs of 32x32 pixels in ten classes, in the binary version's files.

A file is a row of records of 3,073 bytes: the label, then 1,024 red, 1,024 green and 1,024 blue values, row by row.
"""

import os
import shutil
import tarfile
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minidl.data.download import RemoteFile, download, remove_abandoned
from minidl.data.files import open_data, read_at_most
from minidl.data.images import ImageDataset, check_labels
from minidl.data.lookup import find_file, find_or_download

MIRRORS = ("https://www.cs.toronto.edu/~kriz", "https://cave.cs.toronto.edu/kriz")
ARCHIVE = RemoteFile(
    "cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDERS = ("cifar-10-batches-bin", "CIFAR10/cifar-10-batches-bin")
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin", "test_batch_first1000.bin")
RECORD = 1 + 3 * 32 * 32  # bytes
RECORDS_IN_A_FILE = 10_000
TEMPORARY = ".download."  # how the name of a folder begins while the set is downloaded to it


def cifar10(
    root: Path | str | None = None, *, download: bool = False, mirrors: Sequence[str] = MIRRORS
) -> tuple[ImageDataset, ImageDataset]:
    """The training and the test set of CIFAR-10, 50,000 and 10,000 images where all files are there.

    With some of the five training files, or with `test_batch_first1000.bin` for the test, what is there is used, and a
    warning says how much that is; with `download` the whole set is looked for.

    Parameters
    ----------
    root : path, optional
        A folder that holds `cifar-10-batches-bin/` (or is that folder), its `.bin` files plain or gzipped. Unless
        given, MINIDL_DATA and then the user's cache folder are searched.
    download : bool
        Fetch the set where it is not found whole (170 MB), into `root` or else the cache folder.
    mirrors : sequence of str
        Addresses to download from, tried in turn.

    Returns
    -------
    train, test : ImageDataset
        Images (N, 3, 32, 32), bytes 0..255 in memory, handed out as float32 in 0..1.

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        When it is nowhere; when a file is damaged or is not what its name says; when the download failed.

    Notes
    -----
    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    fetch = (lambda to: _fetch(to, mirrors)) if download else None
    needed = (*TRAIN_FILES, TEST_FILES[0]) if download else (TRAIN_FILES, TEST_FILES)
    folder = find_or_download("CIFAR-10", FOLDERS, needed, root, fetch, "cifar10")
    train_paths = [path for name in TRAIN_FILES if (path := find_file(folder, name))]
    test_path = next(path for name in TEST_FILES if (path := find_file(folder, name)))
    train, test = _dataset(train_paths), _dataset([test_path])
    if len(train_paths) < len(TRAIN_FILES) or not test_path.name.startswith(TEST_FILES[0]):
        warnings.warn(
            f"CIFAR-10 in {folder} is not complete: training on the {len(train):,} images of {len(train_paths)} of "
            f"{len(TRAIN_FILES)} files, testing on the {len(test):,} images of {test_path.name}",
            stacklevel=2,
        )
    return train, test


def _dataset(paths: Sequence[Path]) -> ImageDataset:
    records = [_read_records(path) for path in paths]
    labels = np.concatenate([part[:, 0] for part in records])
    images = np.concatenate([part[:, 1:].reshape(-1, 3, 32, 32) for part in records])
    return ImageDataset(images, labels, CLASSES)


def _read_records(path: Path) -> np.ndarray:
    """The records of a file, uint8 (N, 3073)."""
    limit = RECORDS_IN_A_FILE * RECORD
    with open_data(path) as stream:
        content = read_at_most(stream, limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path}: oversized file, expected at most {RECORDS_IN_A_FILE} records of {RECORD} bytes")
    if len(content) == 0 or len(content) % RECORD:
        raise ValueError(
            f"{path}: {len(content)} bytes, expected a whole number of records of {RECORD} bytes; truncated, or not "
            "CIFAR-10's binary version"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    check_labels(records[:, 0], len(CLASSES), str(path))
    return records


def _fetch(folder: Path, mirrors: Sequence[str]) -> None:
    """Downloads the archive and takes the data files out of it; they get their names when all are there."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"cifar-10-batches-bin/{name}": name for name in (*TRAIN_FILES, TEST_FILES[0])}
    remove_abandoned(folder, f"{TEMPORARY}*")
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY) as temporary:
        archive = download(ARCHIVE, Path(temporary), mirrors)
        unpacked = []
        with tarfile.open(archive, "r:gz") as contents:
            for member in contents:
                if member.isfile() and member.name in wanted:
                    unpacked.append(Path(temporary, wanted.pop(member.name)))
                    with contents.extractfile(member) as source, open(unpacked[-1], "wb") as target:
                        shutil.copyfileobj(source, target)
        if wanted:
            raise ValueError(f"{archive.name} lacks {', '.join(wanted)}")
        for path in unpacked:
            os.replace(path, folder / path.name)
