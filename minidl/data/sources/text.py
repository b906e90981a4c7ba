"""Text, read character by character: each is a class, and the network predicts the next one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minidl.data.dataset import Dataset
from minidl.data.download import RemoteFile
from minidl.data.download import download as download_file
from minidl.data.files import open_data
from minidl.data.lookup import find_file, find_or_download
from minidl.kernels import extent
from minidl.serialization import existing_file

MIRRORS = ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare",)
SHAKESPEARE = RemoteFile("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")


class TextDataset(Dataset):
    """Pieces of a text: sample i is (x, y), a piece and the piece shifted by one character, which is the target.

    x = ids[start : start + sequence_length],  y = ids[start + 1 : start + 1 + sequence_length],  start = i * stride

    Parameters
    ----------
    ids : array (T,) of int
        The text, each character as its index in `classes`.
    classes : sequence of str
        The characters of the vocabulary.
    sequence_length : int
    stride : int, optional
        From one piece's start to the next one's; default sequence_length, so that each character is predicted once.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import TextDataset
    >>> dataset = TextDataset(np.array([0, 1, 2, 1, 0]), "abc", sequence_length=2)
    >>> x, y = dataset[1]
    >>> dataset.decode(x), dataset.decode(y)
    ('cb', 'ba')
    """

    batched = True

    def __init__(self, ids: np.ndarray, classes: Sequence[str], sequence_length: int, stride: int | None = None):
        self.ids = np.asarray(ids)
        self.classes = tuple(classes)
        self.sequence_length = sequence_length
        self.stride = sequence_length if stride is None else stride
        if self.ids.ndim != 1 or self.ids.dtype.kind not in "iu":
            raise ValueError(f"ids must be integers of shape (T,), got {self.ids.dtype} of shape {self.ids.shape}")
        if sequence_length < 1 or self.stride < 1:
            raise ValueError(f"sequence_length and stride must be at least 1, got {sequence_length} and {self.stride}")
        if len(self.ids) < sequence_length + 1:
            raise ValueError(
                f"the text has {len(self.ids)} characters, too few for sequence_length={sequence_length} and the one "
                "to predict after it"
            )
        if self.ids.min() < 0 or self.ids.max() >= len(self.classes):
            raise ValueError(f"ids must be from 0 to {len(self.classes) - 1}, got {extent(self.ids)}")

    def __len__(self) -> int:
        return (len(self.ids) - 1 - self.sequence_length) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} pieces of text")
        x, y = self.get_batch(np.array([index % len(self)]))
        return x[0], y[0]

    def get_batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        positions = indices[:, None] * self.stride + np.arange(self.sequence_length + 1)
        pieces = self.ids[positions].astype(np.int64)  # (n, sequence_length + 1)
        return pieces[:, :-1], pieces[:, 1:]

    def encode(self, characters: str) -> np.ndarray:
        """The indices of characters in the vocabulary, int64 (T,). A ValueError names one that is not in it."""
        places = {character: place for place, character in enumerate(self.classes)}
        try:
            return np.array([places[character] for character in characters], dtype=np.int64)
        except KeyError as error:
            raise ValueError(
                f"the character {error.args[0]!r} is not in the vocabulary of {len(self.classes)} characters"
            ) from None

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of an array (T,) of indices in the vocabulary."""
        ids = np.asarray(ids)
        whole = ids.dtype.kind in "iu" and ids.ndim == 1
        if ids.size and not (whole and 0 <= ids.min() <= ids.max() < len(self.classes)):
            raise ValueError(f"ids must be integers (T,) from 0 to {len(self.classes) - 1}, got {ids}")
        return "".join(self.classes[place] for place in ids.tolist())

    def with_length(self, sequence_length: int, stride: int | None = None) -> "TextDataset":
        """The same text in pieces of another length."""
        return TextDataset(self.ids, self.classes, sequence_length, stride)

    def __repr__(self) -> str:
        pieces = f"{len(self)} pieces of {self.sequence_length}"
        return f"TextDataset({len(self.ids):,} characters in {pieces}, vocabulary of {len(self.classes)})"


def text(path: Path | str, sequence_length: int = 100, test_fraction: float = 0.1) -> tuple[TextDataset, TextDataset]:
    """The training and the test part of a text file in UTF-8, plain or gzipped.

    The last `test_fraction` of the characters is the test. The vocabulary, sorted, is that of the whole file.

    Parameters
    ----------
    path : path
    sequence_length : int
        Characters in a sample.
    test_fraction : float
        In 0..1, both ends excluded.

    Returns
    -------
    train, test : TextDataset

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that is not there, is no UTF-8, or is too short.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie between 0 and 1, got {test_fraction}")
    path = existing_file(path, "text file", ".txt")
    with open_data(path) as stream:
        content = stream.read()
    try:
        characters = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: not a text in UTF-8, byte {error.object[error.start]:#04x} at position {error.start}"
        ) from error
    codes = np.frombuffer(characters.encode("utf-32-le"), dtype="<u4")  # one number for each character
    vocabulary, ids = np.unique(codes, return_inverse=True)
    ids = ids.astype(np.min_scalar_type(max(len(vocabulary) - 1, 0)))
    split = len(ids) - round(len(ids) * test_fraction)
    shorter = min(split, len(ids) - split)
    if shorter < sequence_length + 1:
        raise ValueError(
            f"{path}: {len(ids)} characters, too few: training and test part each need {sequence_length + 1} "
            "(sequence_length + 1)"
        )
    classes = [chr(code) for code in vocabulary]
    return TextDataset(ids[:split], classes, sequence_length), TextDataset(ids[split:], classes, sequence_length)


def shakespeare(
    root: Path | str | None = None,
    *,
    sequence_length: int = 100,
    test_fraction: float = 0.1,
    download: bool = False,
    mirrors: Sequence[str] = MIRRORS,
) -> tuple[TextDataset, TextDataset]:
    """The training and the test part of "tiny Shakespeare": 1,115,394 characters of his plays, 65 different ones.

    Parameters
    ----------
    root : path, optional
        A folder that holds `tinyshakespeare/input.txt` (or is that folder). Unless given, MINIDL_DATA and then the
        user's cache folder are searched.
    sequence_length, test_fraction
        See `text`.
    download : bool
        Fetch what is not found, into `root` or else the cache folder.
    mirrors : sequence of str
        Addresses to download from, tried in turn.

    Returns
    -------
    train, test : TextDataset

    Notes
    -----
    Source: A. Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015.
    """
    fetch = (lambda folder: download_file(SHAKESPEARE, folder, mirrors)) if download else None
    folder = find_or_download("tiny Shakespeare", ("tinyshakespeare",), (SHAKESPEARE.name,), root, fetch, "shakespeare")
    return text(find_file(folder, SHAKESPEARE.name), sequence_length, test_fraction)
