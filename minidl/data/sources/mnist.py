"""MNIST: 70,000 handwritten digits of 28x28 pixels."""

from collections.abc import Sequence
from pathlib import Path

from minidl.data.images import ImageDataset
from minidl.data.sources.idx_images import IdxSet, load_idx_set, remote_files

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")

MNIST = IdxSet(
    title="MNIST",
    function="mnist",
    folders=("mnist", "MNIST/raw"),
    classes=tuple("0123456789"),
    files=remote_files(
        (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
)


def mnist(
    root: Path | str | None = None, *, download: bool = False, mirrors: Sequence[str] = MIRRORS
) -> tuple[ImageDataset, ImageDataset]:
    """The training and the test set of MNIST, 60,000 and 10,000 images.

    Parameters
    ----------
    root : path, optional
        A folder that holds `mnist/` (or is that folder), with the four IDX files, plain or gzipped. Unless given,
        MINIDL_DATA and then the user's cache folder are searched.
    download : bool
        Fetch what is not found, into `root` or else the cache folder.
    mirrors : sequence of str
        Addresses to download from, tried in turn.

    Returns
    -------
    train, test : ImageDataset
        Images (N, 1, 28, 28), bytes 0..255 in memory, handed out as float32 in 0..1: mean 0.1307, standard deviation
        0.3081.

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        When it is nowhere; when a file is damaged or is not what its name says; when the download failed.

    Notes
    -----
    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    return load_idx_set(MNIST, root, download, mirrors)
