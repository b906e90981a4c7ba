"""Fashion-MNIST: 70,000 pictures of clothes of 28x28 pixels, in the files and shapes of MNIST."""

from collections.abc import Sequence
from pathlib import Path

from minidl.data.images import ImageDataset
from minidl.data.sources.idx_images import IdxSet, load_idx_set, remote_files

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
)

FASHION_MNIST = IdxSet(
    title="Fashion-MNIST",
    function="fashion_mnist",
    folders=("fashion-mnist", "FashionMNIST/raw"),
    classes=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    files=remote_files(
        (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
)


def fashion_mnist(
    root: Path | str | None = None, *, download: bool = False, mirrors: Sequence[str] = MIRRORS
) -> tuple[ImageDataset, ImageDataset]:
    """The training and the test set of Fashion-MNIST, 60,000 and 10,000 images of ten kinds of clothes.

    Parameters
    ----------
    root : path, optional
        A folder that holds `fashion-mnist/` (or is that folder), with the four IDX files, plain or gzipped. Unless
        given, MINIDL_DATA and then the user's cache folder are searched.
    download : bool
        Fetch what is not found, into `root` or else the cache folder.
    mirrors : sequence of str
        Addresses to download from, tried in turn.

    Returns
    -------
    train, test : ImageDataset
        Images (N, 1, 28, 28), bytes 0..255 in memory, handed out as float32 in 0..1: mean 0.2860, standard deviation
        0.3530.

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        When it is nowhere; when a file is damaged or is not what its name says; when the download failed.

    Notes
    -----
    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", 2017.
    """
    return load_idx_set(FASHION_MNIST, root, download, mirrors)
