"""Losses: one number that says how wrong a prediction is, small when it is right.

Every loss gives one value for each sample (or number); `reduction` is ``"mean"`` of them, ``"sum"``, or ``"none"``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.autograd import Tensor
from minidl.functional.activation import log_sigmoid, log_softmax
from minidl.functional.elementwise import abs, exp, log, maximum, namespace, sqrt, square, where
from minidl.functional.indexing import take_along_dim
from minidl.functional.reduce import mean, sum
from minidl.functional.shape import reshape, squeeze

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_similarity", "cross_entropy", "huber_loss",
    "kl_div", "l1_loss", "mse_loss", "nll_loss", "smooth_l1_loss",
]  # fmt: skip


def _reduce(losses: Any, reduction: str) -> Any:
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def _check_same_shape(name: str, x: Any, target: Any) -> None:
    if tuple(x.shape) != tuple(target.shape):
        raise ValueError(
            f"{name}: input and target must have the same shape, got {tuple(x.shape)} and {tuple(target.shape)}; "
            "a target of shape (N,) for an input (N, 1) would be broadcast to (N, N)"
        )


def _check_float(name: str, x: Any) -> None:
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: input must be floating point, got {x.dtype}; convert with x.float()")


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """The squared error, (input - target)^2.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.mse_loss(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 4.0]))
    tensor(2.)
    """
    _check_same_shape("mse_loss", input, target)
    return _reduce(square(input - target), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """The absolute error, |input - target|."""
    _check_same_shape("l1_loss", input, target)
    return _reduce(abs(input - target), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """d^2 / (2 * beta) where d = |input - target| < beta, d - beta/2 elsewhere (Girshick, Fast R-CNN, 2015)."""
    _check_same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    d = abs(input - target)
    return _reduce(where(d < beta, square(d) / (2 * beta), d - beta / 2), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """d^2 / 2 where d = |input - target| < delta, delta * (d - delta/2) elsewhere (Huber, 1964)."""
    _check_same_shape("huber_loss", input, target)
    if delta <= 0:
        raise ValueError(f"delta must be positive, got {delta}")
    d = abs(input - target)
    return _reduce(where(d < delta, square(d) / 2, delta * (d - delta / 2)), reduction)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """How surprised the prediction softmax(input) is by the true class: -log(softmax(input)[target]).

    For a target of probabilities q the loss is -sum_c q[c] * log(softmax(input)[c]). With label smoothing e, q is
    (1 - e) * q + e / C.

    Parameters
    ----------
    input : (C,), (N, C) or (N, C, d1, ...)
        Logits, any numbers; C classes.
    target : integers (), (N,) or (N, d1, ...); or probabilities of the shape of `input`
        Class numbers from 0 to C - 1.
    weight : (C,), optional
        Of each class; ``"mean"`` then divides by the sum of the weights of the targets.
    ignore_index : int
        Samples with this class number count for nothing.
    label_smoothing : float
        From 0 to 1.

    Returns
    -------
    A number, or with ``reduction="none"`` an array of the shape of class-number targets.

    Raises
    ------
    ValueError, TypeError, IndexError
        Shapes that do not fit, an input that is not floating point, a class number out of range.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.cross_entropy(minidl.tensor([[0.0, 0.0]]), minidl.tensor([1]))
    tensor(0.6931)
    """
    _check_float("cross_entropy", input)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, got {label_smoothing}")
    axis = 0 if input.ndim == 1 else 1
    if input.ndim == 0:
        raise ValueError("cross_entropy: input must be (C,), (N, C) or (N, C, d1, ...), got a number")
    log_p = log_softmax(input, axis)
    classes = input.shape[axis]
    if target.dtype.kind == "f":
        _check_same_shape("cross_entropy with probabilities", input, target)
        q = target * (1 - label_smoothing) + label_smoothing / classes
        terms = log_p * q if weight is None else log_p * q * _along(weight, axis, input.ndim)
        losses = -sum(terms, axis)
        samples = 1
        for n in losses.shape:
            samples *= n
        return sum(losses) / samples if reduction == "mean" else _reduce(losses, reduction)
    plain = nll_loss(log_p, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return plain
    # the loss is linear in q: (1 - e) * (loss of the class) + e/C * (sum of the losses of all classes)
    spread = -sum(log_p if weight is None else log_p * _along(weight, axis, input.ndim), axis)
    kept = _kept(target, ignore_index, input.dtype)
    spread = spread * kept
    if reduction == "mean":
        total = sum(kept) if weight is None else sum(_class_weights(weight, target, ignore_index) * kept)
        spread = sum(spread) / total
    else:
        spread = _reduce(spread, reduction)
    return plain * (1 - label_smoothing) + spread * (label_smoothing / classes)


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """-input[target]: the negative log-likelihood of the true class, for `input` = log of probabilities.

    Parameters
    ----------
    input : (C,), (N, C) or (N, C, d1, ...)
        Log-probabilities.
    target : integers (), (N,) or (N, d1, ...)
        Class numbers from 0 to C - 1.
    weight, ignore_index, reduction
        As in :func:`cross_entropy`.
    """
    _check_float("nll_loss", input)
    axis = 0 if input.ndim == 1 else 1
    expected = tuple(n for i, n in enumerate(input.shape) if i != axis)
    if target.dtype.kind not in "iu":
        raise TypeError(f"target must hold class numbers (integers), got {target.dtype}")
    if tuple(target.shape) != expected:
        raise ValueError(
            f"target must have shape {expected} for an input of shape {tuple(input.shape)}, got {tuple(target.shape)}"
        )
    labels = target.data if isinstance(target, Tensor) else target
    _check_labels(labels, input.shape[axis], ignore_index)
    kept = _kept(target, ignore_index, input.dtype)
    safe = namespace(labels).where(labels == ignore_index, 0, labels)
    losses = -squeeze(take_along_dim(input, safe[..., None] if axis == 0 else safe[:, None], axis, distinct=True), axis)
    if weight is not None:
        kept = kept * _class_weights(weight, target, ignore_index)
    if weight is None and isinstance(labels, np.ndarray) and not (labels == ignore_index).any():
        return _reduce(losses, reduction)
    losses = where(kept == 0, 0, losses) * kept
    return sum(losses) / sum(kept) if reduction == "mean" else _reduce(losses, reduction)


def _check_labels(labels: Any, classes: int, ignore_index: int) -> None:
    if not isinstance(labels, np.ndarray):
        return  # on a GPU the look would wait for everything before it
    wrong = ((labels < 0) | (labels >= classes)) & (labels != ignore_index)
    if wrong.any():
        raise IndexError(f"target must hold class numbers from 0 to {classes - 1}, got {labels[wrong].flat[0]}")


def _kept(target: Any, ignore_index: int, dtype: Any) -> Any:
    """1 for the samples that count, 0 for those to ignore."""
    labels = target.data if isinstance(target, Tensor) else target
    return (labels != ignore_index).astype(dtype)


def _class_weights(weight: Any, target: Any, ignore_index: int) -> Any:
    """The weight of each sample's class."""
    labels = target.data if isinstance(target, Tensor) else target
    weight = weight.data if isinstance(weight, Tensor) else weight
    return weight[namespace(labels).where(labels == ignore_index, 0, labels)]


def _along(weight: Any, axis: int, ndim: int) -> Any:
    """Class weights as an array that broadcasts along the class axis."""
    return reshape(weight, tuple(-1 if i == axis else 1 for i in range(ndim)))


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(target * log(input) + (1 - target) * log(1 - input)), for probabilities; a log is at least -100."""
    _check_same_shape("binary_cross_entropy", input, target)
    data = input.data if isinstance(input, Tensor) else input
    if isinstance(data, np.ndarray) and ((data < 0) | (data > 1)).any():
        raise ValueError(
            "binary_cross_entropy: input must hold probabilities from 0 to 1; "
            "for logits use binary_cross_entropy_with_logits"
        )
    losses = -(target * _bounded_log(input) + (1 - target) * _bounded_log(1 - input))
    return _reduce(losses if weight is None else losses * weight, reduction)


def _bounded_log(x: Any) -> Any:
    """max(log(x), -100), whose gradient at 0 is 0 and not NaN."""
    tiny = 3.8e-44  # log(tiny) = -100
    return where(x <= tiny, -100.0, log(where(x <= tiny, 1, x)))


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """binary_cross_entropy(sigmoid(input), target), exact for large logits; `pos_weight` multiplies the first term."""
    _check_same_shape("binary_cross_entropy_with_logits", input, target)
    positive = target if pos_weight is None else target * pos_weight
    losses = -(positive * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    return _reduce(losses if weight is None else losses * weight, reduction)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """target * (log(target) - input), for `input` = log-probabilities: how far it is from the target.

    ``reduction="batchmean"`` divides the sum by the size of the first axis, which is the divergence of its definition.
    """
    if log_target:
        losses = exp(target) * (target - input)
    else:
        positive = target > 0  # 0 * log(0) is 0 here
        losses = where(positive, target * log(where(positive, target, 1)), 0) - target * input
    if reduction == "batchmean":
        return sum(losses) / input.shape[0]
    return _reduce(losses, reduction)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """sum(x1 * x2) / (|x1| * |x2|) along `dim`: 1 for one direction, -1 for opposite ones; lengths at least eps."""
    length1 = sqrt(maximum(sum(x1 * x1, dim), eps * eps))
    length2 = sqrt(maximum(sum(x2 * x2, dim), eps * eps))
    return sum(x1 * x2, dim) / (length1 * length2)
