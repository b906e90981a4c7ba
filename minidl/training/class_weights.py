"""Weights of classes, for data that has more of some than of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Tensor


def balanced_class_weights(labels: Any, classes: int | None = None) -> Tensor:
    """Weights that give all classes the same influence on a loss: w[c] = N / (C * count[c]).

    Source: King and Zeng, Logistic regression in rare events data, 2001; scikit-learn's ``class_weight="balanced"``.

    Parameters
    ----------
    labels : array (N,) of int
        Of the training data.
    classes : int, optional
        C; default: the largest label + 1.

    Returns
    -------
    Tensor (C,), float32
        For ``nn.CrossEntropyLoss(weight=...)`` or ``F.cross_entropy(..., weight=...)``.

    Raises
    ------
    ValueError
        For a class without samples, which can have no weight.

    Examples
    --------
    >>> from minidl import training
    >>> training.balanced_class_weights([0, 0, 0, 1])
    tensor([0.6667, 2.    ])
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers of shape (N,), got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0:
        raise ValueError(f"labels must be at least 0, got {labels.min()}")
    count = np.bincount(labels, minlength=classes or 0)
    if classes is not None and len(count) > classes:
        raise ValueError(f"labels must be below classes={classes}, got {labels.max()}")
    if not count.all():
        raise ValueError(f"labels must hold every class: class {int(np.argmin(count))} has no sample, and so no weight")
    # w[c] = N / (C * count[c])
    return Tensor((len(labels) / (len(count) * count)).astype(np.float32))
