"""Accuracy, precision, recall, F1, and the confusion matrix."""

import warnings
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from minidl.autograd import to_numpy
from minidl.metrics.arguments import as_weights, label_pair, positions


def accuracy_score(y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None) -> float:
    """The share of samples whose label is right: sum_i w[i] * (y_pred[i] == y_true[i]) / sum_i w[i].

    Parameters
    ----------
    y_true, y_pred : array (N,)
        Labels.
    normalize : bool
        False gives the sum, without dividing by the sum of the weights.
    sample_weight : array (N,), optional
        w; default 1.

    Examples
    --------
    >>> from minidl.metrics import accuracy_score
    >>> accuracy_score([0, 1, 2, 3], [0, 2, 2, 3])
    0.75
    """
    y_true, y_pred = label_pair(y_true, y_pred)
    weights = as_weights(sample_weight, len(y_true))
    right = weights @ (y_true == y_pred)
    return float(right / weights.sum() if normalize else right)


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None, normalize: str | None = None
) -> np.ndarray:
    """How many samples of each true class (row) were predicted as each class (column).

    c[i, j] = sum_n w[n] * (y_true[n] == labels[i]) * (y_pred[n] == labels[j])

    Parameters
    ----------
    y_true, y_pred : array (N,)
        Labels.
    labels : array (K,), optional
        The classes, in the order of rows and columns; samples with other labels are left out. Default: all that occur,
        sorted.
    sample_weight : array (N,), optional
        w; default 1.
    normalize : {"true", "pred", "all"}, optional
        Divide by the sum of each row, of each column, or of all.

    Returns
    -------
    array (K, K)
        int64, or float64 with weights or `normalize`.

    Examples
    --------
    >>> from minidl.metrics import confusion_matrix
    >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1]).tolist()
    [[1, 1], [0, 2]]
    """
    y_true, y_pred = label_pair(y_true, y_pred)
    if normalize not in (None, "true", "pred", "all"):
        raise ValueError(f"normalize must be 'true', 'pred', 'all' or None, got {normalize!r}")
    labels = np.union1d(y_true, y_pred) if labels is None else to_numpy(labels)
    rows = positions(y_true, labels)  # (N,)
    if (rows < 0).all():
        raise ValueError(f"labels must hold at least one label of y_true, got {labels.tolist()}")
    columns = positions(y_pred, labels)
    counted = (rows >= 0) & (columns >= 0)
    cells = rows[counted] * len(labels) + columns[counted]
    weights = None if sample_weight is None else as_weights(sample_weight, len(y_true))[counted]
    counts = np.bincount(cells, weights, minlength=len(labels) ** 2).reshape(len(labels), len(labels))  # (K, K)
    if normalize is None:
        return counts
    totals = counts.sum({"true": 1, "pred": 0, "all": None}[normalize], keepdims=True)
    return np.divide(counts, totals, out=np.zeros(counts.shape), where=totals != 0)


class Options(TypedDict, total=False):
    """The options that all measures below take; their defaults are those of `_measures`."""

    labels: Any
    pos_label: Any
    sample_weight: Any
    zero_division: str | float


def precision_recall_fscore_support(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float = 1.0,
    average: str | None = None,
    warn_for: Sequence[str] = ("precision", "recall", "f-score"),
    **options: Unpack[Options],
) -> tuple[Any, Any, Any, Any]:
    """Precision, recall, F-score and the number of samples, of each class or averaged.

    With the true positives TP, false positives FP and false negatives FN of a class:

        precision = TP / (TP + FP)        recall = TP / (TP + FN)
        F = (1 + beta^2) TP / ((1 + beta^2) TP + FP + beta^2 FN),  their weighted harmonic mean

    Parameters
    ----------
    y_true, y_pred : array (N,)
        Labels.
    beta : float
        The weight of recall against precision.
    labels : array (K,), optional
        The classes to report, or to average over. Default: all that occur, sorted.
    pos_label : label
        The class that average="binary" reports.
    average : {None, "binary", "micro", "macro", "weighted"}
        None: an array with one value for each class. "micro": from TP, FP and FN summed over the classes. "macro": the
        mean over the classes. "weighted": that mean weighted by TP + FN, the samples of the class.
    warn_for : sequence of {"precision", "recall", "f-score"}
        The measures that warn with zero_division="warn".
    sample_weight : array (N,), optional
    zero_division : {"warn", 0, 1, nan}
        The value of 0 / 0. "warn": 0 and a warning. nan is left out of averages.

    Returns
    -------
    precision, recall, fscore, support
        Arrays (K,) with average=None, else floats, and None for support = TP + FN.

    Notes
    -----
    Source: C. J. van Rijsbergen, "Information retrieval", 1979, chapter 7.

    Examples
    --------
    >>> from minidl import metrics
    >>> precision, recall, f, support = metrics.precision_recall_fscore_support([0, 0, 1, 1], [0, 1, 1, 1])
    >>> precision, recall, f, support
    (array([1.        , 0.66666667]), array([0.5, 1. ]), array([0.66666667, 0.8       ]), array([2, 2]))
    """
    return _measures(y_true, y_pred, beta, average, warn_for, **options)


def _measures(
    y_true: Any,
    y_pred: Any,
    beta: float,
    average: str | None,
    warn_for: Sequence[str],
    labels: Any = None,
    pos_label: Any = 1,
    sample_weight: Any = None,
    zero_division: str | float = "warn",
) -> tuple[Any, Any, Any, Any]:
    y_true, y_pred = label_pair(y_true, y_pred)
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be a number >= 0, got {beta}")
    if zero_division not in ("warn", 0, 1) and not (isinstance(zero_division, float) and np.isnan(zero_division)):
        raise ValueError(f"zero_division must be 'warn', 0, 1 or nan, got {zero_division!r}")
    present = np.union1d(y_true, y_pred)
    if average == "binary":
        labels = [_check_binary(present, pos_label)]
    elif average not in (None, "micro", "macro", "weighted"):
        raise ValueError(f"average must be None, 'binary', 'micro', 'macro' or 'weighted', got {average!r}")
    labels = present if labels is None else to_numpy(labels)

    # those asked for, then the others that occur
    every = np.concatenate([labels, present[positions(present, labels) < 0]])
    matrix = confusion_matrix(y_true, y_pred, labels=every, sample_weight=sample_weight)
    asked = slice(len(labels))
    tp = matrix.diagonal()[asked]  # (K,)
    predicted = matrix.sum(axis=0)[asked]  # TP + FP
    support = matrix.sum(axis=1)[asked]  # TP + FN
    weights = support
    if average == "micro":
        tp, predicted, support = (counts.sum(keepdims=True) for counts in (tp, predicted, support))

    if zero_division == "warn":
        _warn_where_undefined(warn_for, predicted, support)
        zero_division = 0.0
    precision = _divide(tp, predicted, zero_division)
    recall = _divide(tp, support, zero_division)
    # (1 + beta^2) TP + FP + beta^2 FN = (TP + FP) + beta^2 (TP + FN)
    fscore = _divide((1 + beta**2) * tp, predicted + beta**2 * support, zero_division)
    if average is None:
        return precision, recall, fscore, support
    weights = weights if average == "weighted" else None
    return *(_mean(values, weights) for values in (precision, recall, fscore)), None


def precision_score(
    y_true: Any, y_pred: Any, *, average: str | None = "binary", **options: Unpack[Options]
) -> float | np.ndarray:
    """The share of the samples predicted as a class that belong to it: TP / (TP + FP).

    Parameters are those of `precision_recall_fscore_support`: labels, pos_label, average, sample_weight, zero_division.

    Examples
    --------
    >>> from minidl.metrics import precision_score
    >>> precision_score([0, 1, 1, 0], [1, 1, 1, 0])
    0.6666666666666666
    """
    return _measures(y_true, y_pred, 1.0, average, ("precision",), **options)[0]


def recall_score(
    y_true: Any, y_pred: Any, *, average: str | None = "binary", **options: Unpack[Options]
) -> float | np.ndarray:
    """The share of the samples of a class that were predicted as it: TP / (TP + FN).

    Parameters are those of `precision_recall_fscore_support`: labels, pos_label, average, sample_weight, zero_division.

    Examples
    --------
    >>> from minidl.metrics import recall_score
    >>> recall_score([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    """
    return _measures(y_true, y_pred, 1.0, average, ("recall",), **options)[1]


def f1_score(
    y_true: Any, y_pred: Any, *, average: str | None = "binary", **options: Unpack[Options]
) -> float | np.ndarray:
    """The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    Parameters are those of `precision_recall_fscore_support`: labels, pos_label, average, sample_weight, zero_division.

    Examples
    --------
    >>> from minidl.metrics import f1_score
    >>> f1_score([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], average="macro")
    0.26666666666666666
    """
    return _measures(y_true, y_pred, 1.0, average, ("f-score",), **options)[2]


def _warn_where_undefined(warn_for: Sequence[str], predicted: np.ndarray, support: np.ndarray) -> None:
    """Warn of the measures that are 0 / 0 for a class, at the line that asked for them."""
    lacking = {
        "precision": ("predicted", predicted == 0),
        "recall": ("true", support == 0),
        "f-score": ("true or predicted", predicted + support == 0),
    }
    for measure in warn_for:
        samples, missing = lacking[measure]
        if missing.any():
            warnings.warn(
                f"{measure} is undefined for a class without {samples} samples and is set to 0; choose with "
                "zero_division=",
                stacklevel=4,  # this function, _measures and the public one are left out
            )


def _check_binary(present: np.ndarray, pos_label: Any) -> Any:
    if len(present) > 2:
        raise ValueError(
            f"average='binary' is for two classes, got {len(present)}: choose average=None, 'micro', 'macro' or "
            "'weighted'"
        )
    if pos_label not in present.tolist() and (len(present) == 2 or present.dtype.kind in "OSU"):
        raise ValueError(f"pos_label must be one of the labels {present.tolist()}, got {pos_label!r}")
    return pos_label


def _divide(numerator: np.ndarray, denominator: np.ndarray, zero_division: float) -> np.ndarray:
    """numerator / denominator, and zero_division where that is 0 / 0."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), float(zero_division)), where=denominator != 0)


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    """The weighted mean over what is not nan; nan if nothing is left."""
    known = ~np.isnan(values)
    weights = np.ones(len(values)) if weights is None else weights
    total = weights[known].sum()
    if total == 0:
        return float(np.mean(values[known])) if known.any() else float("nan")
    return float(weights[known] @ values[known] / total)
