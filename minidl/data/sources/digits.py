"""The handwritten digits that come with scikit-learn: 1,797 images of 8x8."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from minidl.data.images import ImageDataset

TEST_IMAGES = 360
CLASSES = tuple("0123456789")


def digits() -> tuple[ImageDataset, ImageDataset]:
    """The training and the test set of scikit-learn's handwritten digits.

    The last 360 images are the test: all but about a hundred are by writers of whom no image stands before them.

    Returns
    -------
    train, test : ImageDataset
        1,437 and 360 images, float32 (N, 1, 8, 8) in 0..1 (the ink in a cell, 0..16 in the original, divided by 16).

    Raises
    ------
    ImportError
        Without scikit-learn.

    Notes
    -----
    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.

    Examples
    --------
    >>> from minidl import data
    >>> train, test = data.digits()
    >>> train.images.shape, len(test), test.classes[test.labels[0]]
    ((1437, 1, 8, 8), 360, '2')
    """
    scikit_learn = find_spec("sklearn")
    if scikit_learn is None:
        raise ImportError("the digits come with scikit-learn, which is not installed: pip install scikit-learn")
    # The file that sklearn.datasets.load_digits reads, whose import takes a second.
    table = np.loadtxt(Path(scikit_learn.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    images = (table[:, :-1].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    labels = table[:, -1].astype(np.int64)
    train = ImageDataset(images[:-TEST_IMAGES], labels[:-TEST_IMAGES], CLASSES)
    test = ImageDataset(images[-TEST_IMAGES:], labels[-TEST_IMAGES:], CLASSES)
    return train, test
