"""Checks of the arguments of metrics."""

from typing import Any

import numpy as np

from minidl.autograd import to_numpy


def as_numbers(values: Any, name: str) -> np.ndarray:
    """A float64 array; ValueError for infinities and NaN."""
    numbers = to_numpy(values).astype(np.float64)
    finite = np.isfinite(numbers)
    if not finite.all():
        raise ValueError(f"{name} holds values that are not finite, such as {numbers[~finite][0]}")
    return numbers


def as_labels(values: Any, name: str) -> np.ndarray:
    """The labels as an array (N,), N >= 1; ValueError for scores instead of labels."""
    labels = to_numpy(values)
    if labels.ndim != 1:
        hint = "; for the class of the largest score pass scores.argmax(1)" if labels.ndim == 2 else ""
        raise ValueError(f"{name} must hold one label for each sample, shape (N,), got shape {labels.shape}{hint}")
    if labels.size == 0:
        raise ValueError(f"{name} is empty: a measure needs at least one sample")
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (labels == np.floor(labels))
        if not whole.all():
            raise ValueError(f"{name} must hold labels, got continuous values such as {labels[~whole][0]}")
    return labels


def label_pair(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of labels of one length, one kind."""
    a, b = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    check_lengths(a, b, "y_true", "y_pred")
    if (a.dtype.kind in "OSU") != (b.dtype.kind in "OSU"):
        raise ValueError(f"y_true and y_pred must hold labels of one kind, got {a.dtype} and {b.dtype}")
    return a, b


def check_lengths(a: np.ndarray, b: np.ndarray, first_name: str, second_name: str) -> None:
    if len(a) != len(b):
        raise ValueError(f"{first_name} and {second_name} must have the same length, got {len(a)} and {len(b)}")


def as_weights(sample_weight: Any, count: int) -> np.ndarray:
    """The weights, float64 (N,); ones where there are none."""
    if sample_weight is None:
        return np.ones(count)
    weights = as_numbers(sample_weight, "sample_weight")
    if weights.shape != (count,):
        raise ValueError(f"sample_weight must have the shape ({count},), got {weights.shape}")
    if not weights.any():
        raise ValueError("sample_weight must hold at least one number that is not 0")
    return weights


def positions(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The place of each value in `labels`, -1 for one that is not among them."""
    if not len(labels):
        return np.full(len(values), -1)
    order = np.argsort(labels, kind="stable")
    places = np.minimum(np.searchsorted(labels, values, sorter=order), len(labels) - 1)
    found = order[places]
    return np.where(labels[found] == values, found, -1)
