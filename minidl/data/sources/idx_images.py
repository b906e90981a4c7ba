"""What MNIST and Fashion-MNIST share: four IDX files of 28x28 images and their labels in ten classes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.data.download import RemoteFile, download
from minidl.data.idx import read_idx
from minidl.data.images import ImageDataset, check_labels
from minidl.data.lookup import find_file, find_or_download, missing_files

SIDE = 28  # pixels

# The sets have the same file names. These are the sha256 of their unpacked test labels, which tell them apart.
TEST_LABELS = {
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2": "MNIST",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34": "Fashion-MNIST",
}


# Of the training images and labels, and of the test images and labels.
FILES = (
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
)  # fmt: skip


@dataclass(frozen=True)
class IdxSet:
    """A data set in MNIST's files: its name, who reads it, the names its folder may have, its classes, its files."""

    title: str
    function: str  # of minidl.data
    folders: tuple[str, ...]
    classes: tuple[str, ...]
    files: tuple[RemoteFile, ...]


def remote_files(*facts: tuple[int, str]) -> tuple[RemoteFile, ...]:
    """The four files, from the bytes and sha256 of each."""
    return tuple(RemoteFile(name, size, sha256) for name, (size, sha256) in zip(FILES, facts, strict=True))


def load_idx_set(
    idx_set: IdxSet, root: Path | str | None, fetch: bool, mirrors: Sequence[str]
) -> tuple[ImageDataset, ImageDataset]:
    """Finds the set, downloading it if `fetch` is true and it is nowhere, and reads its training and test images."""

    def fetch_missing(folder: Path) -> None:
        for file in idx_set.files:
            if missing_files(folder, [file.name.removesuffix(".gz")]):
                download(file, folder, mirrors)

    names = [file.name.removesuffix(".gz") for file in idx_set.files]
    fetch_all = fetch_missing if fetch else None
    folder = find_or_download(idx_set.title, idx_set.folders, names, root, fetch_all, idx_set.function)
    return _read_part(idx_set, folder, "train"), _read_part(idx_set, folder, "t10k")


def _read_part(idx_set: IdxSet, folder: Path, part: str) -> ImageDataset:
    images_path = find_file(folder, f"{part}-images-idx3-ubyte")
    labels_path = find_file(folder, f"{part}-labels-idx1-ubyte")
    labels = read_idx(labels_path, ndim=1)  # (N,)
    title = TEST_LABELS.get(
        hashlib.sha256(b"\0\0\x08\x01" + len(labels).to_bytes(4, "big") + labels.tobytes()).hexdigest(), idx_set.title
    )
    if title != idx_set.title:
        raise ValueError(f"{labels_path}: these are the labels of {title}, expected {idx_set.title}")
    check_labels(labels, len(idx_set.classes), str(labels_path))
    images = read_idx(images_path, ndim=3)  # (N, 28, 28)
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"{images_path}: images of {images.shape[1]}x{images.shape[2]}, expected {SIDE}x{SIDE}")
    if len(images) != len(labels):
        raise ValueError(f"{images_path} holds {len(images)} images but {labels_path} holds {len(labels)} labels")
    return ImageDataset(images[:, None], labels, idx_set.classes)
