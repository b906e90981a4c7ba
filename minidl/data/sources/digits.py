"""The handwritten digits that come with scikit-learn: 1,797 images of 8x8."""

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
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "the digits come with scikit-learn, which is not installed: pip install scikit-learn"
        ) from error
    table = load_digits()
    images = (table.images[:, None] / 16).astype(np.float32)  # (N, 1, 8, 8)
    train = ImageDataset(images[:-TEST_IMAGES], table.target[:-TEST_IMAGES], CLASSES)
    test = ImageDataset(images[-TEST_IMAGES:], table.target[-TEST_IMAGES:], CLASSES)
    return train, test
