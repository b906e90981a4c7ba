"""Measures of scores rather than labels: top-k accuracy and the area under the ROC curve."""

from itertools import combinations
from typing import Any

import numpy as np

from minidl.autograd import to_numpy
from minidl.metrics.arguments import as_labels, as_numbers, as_weights, check_lengths, positions


def top_k_accuracy_score(
    y_true: Any, y_score: Any, *, k: int = 2, normalize: bool = True, sample_weight: Any = None, labels: Any = None
) -> float:
    """The share of samples whose true class is among the k with the highest scores.

    Parameters
    ----------
    y_true : array (N,)
        Labels.
    y_score : array (N, K), or (N,) for two classes
        The score of each class, columns in the order of `labels`; for two classes that of the second.
    k : int
        At least 1.
    normalize : bool
        False gives the (weighted) number of samples.
    sample_weight : array (N,), optional
    labels : array (K,), optional
        The classes, sorted. Default: those that occur in y_true, which must be all K.

    Notes
    -----
    Of equal scores, the class that comes later in `labels` counts as higher, as in scikit-learn.

    Examples
    --------
    >>> from minidl.metrics import top_k_accuracy_score
    >>> top_k_accuracy_score([0, 1, 2], [[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], k=2)
    0.6666666666666666
    """
    y_true, scores = as_labels(y_true, "y_true"), as_numbers(y_score, "y_score")
    check_lengths(y_true, scores, "y_true", "y_score")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"k must be an int of at least 1, got {k!r}")
    classes = _classes(y_true, labels)
    columns = 2 if scores.ndim == 1 else scores.shape[-1]
    if scores.ndim > 2 or len(classes) != columns:
        raise ValueError(
            f"y_score has the shape {scores.shape}, expected (N, {len(classes)}) for the {len(classes)} classes "
            f"{'in y_true; give all classes with labels=' if labels is None else 'of labels'}"
        )
    places = positions(y_true, classes)  # (N,)
    if scores.ndim == 1:
        threshold = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0  # probabilities, or scores about 0
        hits = (scores > threshold) == places if k == 1 else np.ones(len(scores), dtype=bool)
    else:
        best = np.argsort(scores, axis=1, kind="stable")[:, ::-1][:, :k]  # (N, k)
        hits = (best == places[:, None]).any(axis=1)
    weights = as_weights(sample_weight, len(y_true))
    total = weights @ hits
    return float(total / weights.sum() if normalize else total)


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    average: str | None = "macro",
    sample_weight: Any = None,
    multi_class: str = "raise",
    labels: Any = None,
) -> float | np.ndarray:
    """The area under the ROC curve: the probability that a positive sample scores higher than a negative one.

        AUC = P(s+ > s-) + 1/2 P(s+ = s-)

    Parameters
    ----------
    y_true : array (N,)
        Labels; of two classes the larger one is positive.
    y_score : array (N,), or (N, K) for K > 2 classes
        Scores of the positive class, or the probability of each class: rows that add up to 1.
    average : {"macro", "weighted", None}
        For more than two classes: the mean of the classes (or pairs), weighted by their samples, or an array (K,)
        ("ovr").
    sample_weight : array (N,), optional
        Not with "ovo".
    multi_class : {"raise", "ovr", "ovo"}
        "ovr": each class against the rest. "ovo": each pair of classes by itself, both ways.
    labels : array (K,), optional
        The classes, sorted. Default: those in y_true.

    Raises
    ------
    ValueError
        When only one class occurs, for which no curve is defined, and when scores and classes do not fit.

    Notes
    -----
    Sources: J. Hanley, B. McNeil, "The meaning and use of the area under a ROC curve", 1982; D. Hand, R. Till, "A
    simple generalisation of the area under the ROC curve for multiple class classification problems", 2001 ("ovo").

    Examples
    --------
    >>> from minidl.metrics import roc_auc_score
    >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    y_true, scores = as_labels(y_true, "y_true"), as_numbers(y_score, "y_score")
    check_lengths(y_true, scores, "y_true", "y_score")
    if average not in ("macro", "weighted", None):
        raise ValueError(f"average must be 'macro', 'weighted' or None, got {average!r}")
    classes = _classes(y_true, labels)
    weights = as_weights(sample_weight, len(y_true))
    if scores.ndim == 1:
        if len(classes) != 2:
            raise ValueError(
                f"the ROC curve of scores (N,) needs two classes in y_true, got {len(classes)}: {classes[:5].tolist()}"
            )
        return _binary_auc(y_true == classes[1], scores, weights)
    if multi_class not in ("ovr", "ovo"):
        raise ValueError(
            f"y_score has one column for each class: multi_class must be 'ovr' or 'ovo', got {multi_class!r}"
        )
    _check_probabilities(scores, classes)
    places = positions(y_true, classes)
    shares = np.bincount(places, weights, minlength=len(classes)) / weights.sum()
    if multi_class == "ovr":
        areas = np.array([_binary_auc(places == label, scores[:, label], weights) for label in range(len(classes))])
        return areas if average is None else float(np.average(areas, weights=shares if average == "weighted" else None))
    if average is None or sample_weight is not None:
        raise ValueError("multi_class='ovo' is defined for average='macro' or 'weighted' and without sample_weight")
    pairs = list(combinations(range(len(classes)), 2))
    areas = [_pair_auc(places, scores, first, second) for first, second in pairs]
    pair_shares = [shares[first] + shares[second] for first, second in pairs]
    return float(np.average(areas, weights=pair_shares if average == "weighted" else None))


def _classes(y_true: np.ndarray, labels: Any) -> np.ndarray:
    """The sorted classes; ValueError where y_true holds others than `labels`."""
    if labels is None:
        return np.unique(y_true)
    labels = to_numpy(labels)
    if len(np.unique(labels)) != len(labels) or not np.array_equal(labels, np.sort(labels)):
        raise ValueError(f"labels must be sorted and each be there once, got {labels.tolist()}")
    unknown = positions(y_true, labels) < 0
    if unknown.any():
        raise ValueError(f"y_true holds the label {y_true[unknown][0]!r}, which is not in labels {labels.tolist()}")
    return labels


def _check_probabilities(scores: np.ndarray, classes: np.ndarray) -> None:
    """ValueError unless each row of the scores has a probability of each class, of two or more."""
    if scores.ndim != 2 or scores.shape[1] != len(classes):
        raise ValueError(
            f"y_score must have the shape (N, {len(classes)}) for the classes {classes[:5].tolist()}..., got "
            f"{scores.shape}"
        )
    sums = scores.sum(axis=1)
    if not np.allclose(sums, 1):
        raise ValueError(
            f"the rows of y_score add up to {sums.min()} to {sums.max()}, expected probabilities that add up to 1: "
            "pass softmax(logits)"
        )
    if len(classes) < 2:
        raise ValueError(f"the ROC curve needs at least two classes, got only one class: {classes.tolist()}")


def _pair_auc(places: np.ndarray, scores: np.ndarray, first: int, second: int) -> float:
    """The area of two classes without the samples of others: the mean of the first against the second and back."""
    pair = (places == first) | (places == second)
    ones = np.ones(pair.sum())
    both = [_binary_auc(places[pair] == label, scores[pair, label], ones) for label in (first, second)]
    return sum(both) / 2


def _binary_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """sum over positive i, negative j of w[i] w[j] ((s[i] > s[j]) + (s[i] == s[j]) / 2), divided by W+ W-."""
    levels, level = np.unique(scores, return_inverse=True)
    # weights of the positive and of the negative samples at each score
    w_pos, w_neg = (np.bincount(level, weights * chosen, minlength=len(levels)) for chosen in (positive, ~positive))
    if w_pos.sum() == 0 or w_neg.sum() == 0:
        raise ValueError("the ROC curve needs both positive and negative samples, y_true lacks one of them")
    below = np.cumsum(w_neg) - w_neg  # weight of the negative samples with a lower score
    return float(w_pos @ (below + w_neg / 2) / (w_pos.sum() * w_neg.sum()))
