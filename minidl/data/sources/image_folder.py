"""A user's own pictures: a folder with one subfolder for each class."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from minidl.data.dataset import Dataset, Subset
from minidl.data.lookup import user_path

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")

ORIENTATION = 0x0112  # the tag of EXIF data that says how the camera was held
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageFolder(Dataset):
    """Pictures in folders that are named like their classes: root/cat/1.jpg, root/dog/2.png.

    Sample i is (transform(picture), label), the picture an RGB Pillow image, as `read_picture` gives it.

    Parameters
    ----------
    root : path
    transform : callable, optional
        Called with the Pillow image; one that ends in ToTensor() makes what a DataLoader can batch.
    on_error : {"raise", "skip"}
        What to do with a file that cannot be read. "raise": a ValueError that names it; at the start only the headers
        are read. "skip": all pictures are read at the start, and those that cannot be read are left out, with a warning
        that names them.

    Attributes
    ----------
    classes : tuple of str
        The names of the folders, sorted; label k is classes[k]. Bytes that are no UTF-8 are escaped, as in "caf\\xe9".
    samples : list of (Path, int)
        The files and their labels, sorted by class and name.

    Raises
    ------
    FileNotFoundError
        For a folder that is not there, without class folders, or with a class folder without pictures.
    ValueError
        For a file that cannot be read.
    """

    def __init__(
        self, root: Path | str, transform: Callable[[Image.Image], Any] | None = None, *, on_error: str = "raise"
    ):
        if on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        self.root = user_path(root)
        self.transform = transform
        if not self.root.is_dir():
            raise FileNotFoundError(
                f"the picture folder {self.root} is no folder; expected one with a subfolder of pictures for each class"
            )
        folders = sorted(path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))
        if not folders:
            raise FileNotFoundError(
                f"{self.root} has no subfolders; expected one of pictures for each class, such as {self.root / 'cat'}"
            )
        self.classes = tuple(_printable(folder.name) for folder in folders)
        self.samples = [(path, label) for label, folder in enumerate(folders) for path in _pictures(folder)]
        if on_error == "skip":
            self._leave_out_unreadable()
        else:
            for path, _ in self.samples:
                _open(path).close()
        counts = np.bincount(self.targets, minlength=len(self.classes))
        if not counts.all():
            empty = folders[int(np.flatnonzero(counts == 0)[0])]
            raise FileNotFoundError(
                f"{empty} holds no picture that can be read; expected files that end in {', '.join(EXTENSIONS)}"
            )

    @property
    def targets(self) -> np.ndarray:
        """The labels, int64 (N,)."""
        return np.array([label for _, label in self.samples], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        picture = read_picture(path)
        return (picture if self.transform is None else self.transform(picture)), label

    def with_transform(self, transform: Callable[[Image.Image], Any] | None) -> "ImageFolder":
        """The same pictures under another transform."""
        other = copy.copy(self)
        other.transform = transform
        return other

    def _leave_out_unreadable(self) -> None:
        readable, reasons = [], []
        for path, label in self.samples:
            try:
                read_picture(path)
                readable.append((path, label))
            except ValueError as error:
                reasons.append(str(error))
        if reasons:
            warnings.warn(
                f"{len(reasons)} of {len(self.samples)} pictures left out:\n  " + "\n  ".join(reasons), stacklevel=3
            )
        self.samples = readable

    def __repr__(self) -> str:
        return (
            f"ImageFolder({len(self)} pictures in {self.root}, {len(self.classes)} classes, transform={self.transform})"
        )


def image_folder(
    root: Path | str,
    transform: Callable[[Image.Image], Any] | None = None,
    test_transform: Callable[[Image.Image], Any] | None = None,
    *,
    on_error: str = "raise",
) -> tuple[Dataset, Dataset]:
    """The training and the test set of a folder of pictures.

    With the subfolders `train` and `test` (or `val`) in `root`, those; else every fifth picture of each class, in the
    order of their names, is for the test.

    Parameters
    ----------
    root : path
    transform, test_transform : callable, optional
        For the training and for the test pictures; without the second the first serves both.
    on_error : {"raise", "skip"}
        See ImageFolder.

    Returns
    -------
    train, test : Dataset
        Both with `classes`.

    Raises
    ------
    FileNotFoundError, ValueError
        As ImageFolder; and when train and test have different classes.
    """
    root = user_path(root)
    test_transform = transform if test_transform is None else test_transform
    for name in ("test", "val"):
        if (root / "train").is_dir() and (root / name).is_dir():
            train, test = (
                ImageFolder(root / "train", transform, on_error=on_error),
                ImageFolder(root / name, test_transform, on_error=on_error),
            )
            if train.classes != test.classes:
                raise ValueError(f"{root / 'train'} has the classes {train.classes}, {root / name} has {test.classes}")
            return train, test
    pictures = ImageFolder(root, transform, on_error=on_error)
    is_test = np.zeros(len(pictures), dtype=bool)
    for label in range(len(pictures.classes)):
        is_test[np.flatnonzero(pictures.targets == label)[4::5]] = True
    if not is_test.any():
        raise ValueError(f"{root} has fewer than five pictures of every class, too few to set some aside for a test")
    return Subset(pictures, np.flatnonzero(~is_test)), Subset(
        pictures.with_transform(test_transform), np.flatnonzero(is_test)
    )


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _pictures(folder: Path) -> list[Path]:
    """The files below a folder that are named like pictures; not those that are hidden, such as macOS' "._1.jpg"."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_picture(path: Path | str) -> Image.Image:
    """The picture in a file as viewers show it: rotated as its EXIF data say, transparent parts white.

    Returns
    -------
    PIL.Image.Image
        RGB, in memory; grey of 16 bits is reduced to 8.

    Raises
    ------
    ValueError
        For a file that cannot be read, or holds values of other than 8 or 16 bits; the message names it.
    """
    with _open(Path(path)) as picture:
        try:
            picture = _upright(picture)
            if picture.mode[0] not in "IF":
                return _on_white(picture)
            grey = np.asarray(picture)  # of more than 8 bits
        except Exception as error:  # for damaged files Pillow raises anything, such as TypeError
            raise ValueError(f"{path}: this picture is damaged ({str(error) or type(error).__name__})") from error
    if grey.dtype.kind == "f" or grey.min() < 0 or grey.max() > 65535:
        values = f"{grey.dtype} from {grey.min()} to {grey.max()}"
        raise ValueError(f"{path}: a picture of {values}, expected 8 or 16 bits")
    if grey.itemsize > 2 and 0 < grey.max() <= 255:
        raise ValueError(
            f"{path}: a picture of {grey.dtype} up to {grey.max()}, which may stand for white or for black; "
            "expected 8 or 16 bits"
        )
    return Image.fromarray(np.uint8(grey // 257)).convert("RGB")  # 65535 = 257 * 255


def _upright(picture: Image.Image) -> Image.Image:
    """A copy, rotated as the EXIF data say; without those that cannot be read.

    ImageOps.exif_transpose would write all tags anew, and fail for any that is malformed.
    """
    picture.load()
    try:
        turn = TURNS.get(picture.getexif().get(ORIENTATION))
    except Exception:
        turn = None
    return picture.copy() if turn is None else picture.transpose(turn)


def _on_white(picture: Image.Image) -> Image.Image:
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: not a picture in a format that Pillow knows") from error
    except FileNotFoundError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ValueError(f"{path}: this picture cannot be read ({reason})") from error
