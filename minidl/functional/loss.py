"""Losses: one number that says how wrong a prediction is, small when it is right.

Every loss gives one value for each sample (or number); `reduction` is ``"mean"`` of them, ``"sum"``, or ``"none"``.
Where `input` and `target` are numbers of one kind, shapes that differ are a ValueError and float types that differ a
TypeError: nothing is broadcast or converted.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.activation import SoftmaxGrad, log_sigmoid, log_softmax, softmax
from minidl.functional.arithmetic import maximum
from minidl.functional.choice import where
from minidl.functional.elementwise import abs, exp, log, log1p, square
from minidl.functional.indexing import Index
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import mean, sum
from minidl.functional.shape import movedim, reshape, unsqueeze

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss",
    "mse_loss", "nll_loss", "smooth_l1_loss",
]  # fmt: skip


def reduce_losses(losses: Any, reduction: str) -> Any:
    """Their mean, their sum, or (``"none"``) the losses as they are."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def _check_arrays(name: str, x: Any, target: Any) -> None:
    for argument, value in (("input", x), ("target", target)):
        if not isinstance(value, Tensor) and not hasattr(value, "dtype"):
            raise TypeError(f"{name}: {argument} must be a Tensor or an array, got {type(value).__name__}")


def _check_same_shape(name: str, x: Any, target: Any) -> None:
    _check_arrays(name, x, target)
    if tuple(x.shape) != tuple(target.shape):
        raise ValueError(
            f"{name}: input and target must have the same shape, got {tuple(x.shape)} and {tuple(target.shape)}; "
            "a target of shape (N,) for an input (N, 1) would be broadcast to (N, N)"
        )
    _check_same_float(name, x, target)


def _check_same_float(name: str, x: Any, target: Any) -> None:
    if x.dtype.kind == target.dtype.kind == "f" and x.dtype != target.dtype:
        raise TypeError(
            f"{name}: input and target must have the same floating-point type, got {x.dtype} and {target.dtype}; "
            f"convert with target.astype({str(x.dtype)!r})"
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
    return reduce_losses(square(input - target), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """The absolute error, |input - target|."""
    _check_same_shape("l1_loss", input, target)
    return reduce_losses(abs(input - target), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """d^2 / (2 * beta) where d = |input - target| < beta, d - beta/2 elsewhere (Girshick, Fast R-CNN, 2015)."""
    _check_same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    d = abs(input - target)
    small = where(d >= beta, 0, d)  # a square of inf, though not chosen, would make the gradient 0 * inf
    return reduce_losses(where(d >= beta, d - beta / 2, square(small) / (2 * beta)), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """d^2 / 2 where d = |input - target| < delta, delta * (d - delta/2) elsewhere (Huber, 1964).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.huber_loss(minidl.tensor([0.5, 3.0]), minidl.tensor([0.0, 0.0]), reduction="none")
    tensor([0.125, 2.5  ])
    """
    _check_same_shape("huber_loss", input, target)
    if delta <= 0:
        raise ValueError(f"delta must be positive, got {delta}")
    return smooth_l1_loss(input, target, reduction, beta=delta) * delta


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
    A number; with ``reduction="none"`` an array of the shape of class numbers: that of `input` without C.

    Raises
    ------
    ValueError, TypeError, IndexError
        Shapes that do not fit, also that of `weight`; an input that is not floating point; a class number out of range.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.cross_entropy(minidl.tensor([[0.0, 0.0]]), minidl.tensor([1]))
    tensor(0.6931)
    """
    _check_arrays("cross_entropy", input, target)
    _check_float("cross_entropy", input)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, got {label_smoothing}")
    axis = 0 if input.ndim == 1 else 1
    if input.ndim == 0:
        raise ValueError("cross_entropy: input must be (C,), (N, C) or (N, C, d1, ...), got a number")
    if target.dtype.kind != "f" and label_smoothing == 0:
        return _cross_entropy_of_classes(input, target, weight, ignore_index, reduction)
    classes = input.shape[axis]
    _check_class_weights(weight, classes)
    log_p = log_softmax(input, axis)
    if target.dtype.kind == "f":
        if target.ndim < input.ndim:
            raise TypeError(
                f"cross_entropy: target must hold class numbers (integers), or probabilities of the shape of input "
                f"{tuple(input.shape)}, got {target.dtype} of shape {tuple(target.shape)}"
            )
        _check_same_shape("cross_entropy with probabilities", input, target)
        if ignore_index >= 0:
            raise ValueError(f"ignore_index belongs to class numbers, target holds probabilities; got {ignore_index}")
        q = target * (1 - label_smoothing) + label_smoothing / classes
        terms = log_p * q if weight is None else log_p * q * _along(weight, axis, input.ndim)
        losses = -sum(terms, axis)
        samples = 1
        for n in losses.shape:
            samples *= n
        return sum(losses) / samples if reduction == "mean" else reduce_losses(losses, reduction)
    plain = nll_loss(log_p, target, weight, ignore_index, reduction)
    # the loss is linear in q: (1 - e) * (loss of the class) + e/C * (sum of the losses of all classes)
    spread = -sum(log_p if weight is None else log_p * _along(weight, axis, input.ndim), axis)
    kept = _kept(target, ignore_index, input.dtype)
    spread = where(kept == 0, 0, spread)
    if reduction == "mean":
        total = sum(kept) if weight is None else sum(_class_weights(weight, target, ignore_index) * kept)
        spread = sum(spread) / total
    else:
        spread = reduce_losses(spread, reduction)
    return plain * (1 - label_smoothing) + spread * (label_smoothing / classes)


def _cross_entropy_of_classes(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    axis = 0 if input.ndim == 1 else 1
    _check_class_numbers(input, target, axis)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    weight = None if weight is None else data_of(weight).copy()  # so that it may be changed before backward comes
    rows, row_target = input, target  # (N, C), (N,)
    if input.ndim != 2:
        last = input if axis == 0 else movedim(input, 1, -1)
        samples = math.prod(target.shape)
        rows, row_target = reshape(last, (samples, input.shape[axis])), reshape(target, (samples,))
    loss = CrossEntropy(weight, ignore_index, reduction)(rows, row_target)
    return reshape(loss, target.shape) if reduction == "none" and input.ndim != 2 else loss


class CrossEntropy(Function):
    """losses[n] = -weight[t] * log(softmax(x[n])[t]) with t = target[n], or their sum or weighted mean."""

    def __init__(self, weight, ignore_index, reduction):
        self.weight, self.ignore_index, self.reduction = weight, ignore_index, reduction

    def forward(self, x, target):
        losses, total = kernels.cross_entropy.forward(x, target, self.weight, self.ignore_index)
        self.divisor = total if self.reduction == "mean" else 1
        return losses if self.reduction == "none" else losses.sum() / self.divisor

    def backward(self, dy, inputs, output):
        x, target = inputs
        dlosses = dy if self.reduction == "none" else dy / self.divisor
        return CrossEntropyGrad(self.weight, self.ignore_index)(dlosses, x, target), None


class CrossEntropyGrad(Function):
    """dx[n,c] = dlosses[n] * weight[t] * (p[n,c] - (1 where c = t, else 0)) with p = softmax(x), t = target[n].

    `dlosses` may be one number for all n.
    """

    def __init__(self, weight, ignore_index):
        self.weight, self.ignore_index = weight, ignore_index

    def forward(self, dlosses, x, target):
        if dlosses.ndim == 0:
            dlosses = namespace(x).full(target.shape, dlosses, x.dtype)
        return kernels.cross_entropy.backward(dlosses, x, target, self.weight, self.ignore_index)

    def backward(self, ddx, inputs, output):
        dlosses, x, target = inputs
        ddlosses = dx = None
        if self.needs(0):
            # ddlosses[n] = sum_c ddx[n,c] * (dx[n,c] for dlosses[n] = 1); of one number, the engine takes the sum
            ddlosses = sum(ddx * CrossEntropyGrad(self.weight, self.ignore_index)(dlosses * 0 + 1, x, target), 1)
        if self.needs(1):
            # dp[n,c] = ddx[n,c] * dlosses[n] * weight[t]
            scale = _kept(target, self.ignore_index, x.dtype)
            if self.weight is not None:
                scale = scale * _class_weights(self.weight, target, self.ignore_index)
            dx = SoftmaxGrad((1,))(ddx * unsqueeze(dlosses * scale, 1), softmax(x, 1))
        return ddlosses, dx, None


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """-input[target]: the negative log-likelihood of the true class, for `input` = log of probabilities.

    Parameters
    ----------
    input : (C,), (N, C) or (N, C, d1, ...)
        Log-probabilities.
    target : integers (), (N,) or (N, d1, ...)
        Class numbers from 0 to C - 1.
    weight, ignore_index, reduction
        As in :func:`cross_entropy`, errors likewise.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.nll_loss(minidl.tensor([[0.25, 0.75]]).log(), minidl.tensor([1]))
    tensor(0.2877)
    """
    _check_arrays("nll_loss", input, target)
    _check_float("nll_loss", input)
    if not input.ndim:
        raise ValueError("nll_loss: input must be (C,), (N, C) or (N, C, d1, ...), got a number")
    axis = 0 if input.ndim == 1 else 1
    _check_class_numbers(input, target, axis)
    _check_class_weights(weight, input.shape[axis])
    labels = data_of(target)
    ignored = labels == ignore_index
    _check_labels(labels, input.shape[axis], ignored)
    # losses[n, ...] = -input[n, label[n, ...], ...]
    safe = namespace(labels).where(ignored, 0, labels)
    places = [
        namespace(labels).arange(n).reshape((n,) + (1,) * (labels.ndim - 1 - i)) for i, n in enumerate(labels.shape)
    ]
    losses = -Index((*places[:axis], safe, *places[axis:]), distinct=True)(input)
    if weight is None and isinstance(labels, np.ndarray) and not ignored.any():
        return reduce_losses(losses, reduction)
    kept = _kept(target, ignore_index, input.dtype)
    if weight is not None:
        kept = kept * _class_weights(weight, target, ignore_index)
    losses = where(ignored, 0, losses * kept)
    return sum(losses) / sum(kept) if reduction == "mean" else reduce_losses(losses, reduction)


def _check_class_numbers(input: Any, target: Any, axis: int) -> None:
    shape = tuple(input.shape)
    expected = shape[:axis] + shape[axis + 1 :]
    if target.dtype.kind not in "iu":
        raise TypeError(f"target must hold class numbers (integers), got {target.dtype}")
    if tuple(target.shape) != expected:
        raise ValueError(
            f"target must have shape {expected} for an input of shape {tuple(input.shape)}, got {tuple(target.shape)}"
        )


def _check_class_weights(weight: Any, classes: int) -> None:
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ValueError(f"weight must have one number for each of {classes} classes, got shape {tuple(weight.shape)}")


def _check_labels(labels: Any, classes: int, ignored: Any) -> None:
    if not isinstance(labels, np.ndarray):
        return  # on a GPU the look would wait for everything before it
    wrong = ((labels < 0) | (labels >= classes)) & ~ignored
    if wrong.any():
        raise IndexError(f"target must hold class numbers from 0 to {classes - 1}, got {labels[wrong].flat[0]}")


def _kept(target: Any, ignore_index: int, dtype: Any) -> Any:
    """1 for the samples that count, 0 for those to ignore."""
    return (data_of(target) != ignore_index).astype(dtype)


def _class_weights(weight: Any, target: Any, ignore_index: int) -> Any:
    """The weight of each sample's class."""
    labels = data_of(target)
    return data_of(weight)[namespace(labels).where(labels == ignore_index, 0, labels)]


def _along(weight: Any, axis: int, ndim: int) -> Any:
    """Class weights as an array that broadcasts along the class axis."""
    return reshape(weight, tuple(-1 if i == axis else 1 for i in range(ndim)))


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(target * log(input) + (1 - target) * log(1 - input)), for probabilities; a log is at least -100."""
    _check_same_shape("binary_cross_entropy", input, target)
    data = data_of(input)
    if isinstance(data, np.ndarray) and ((data < 0) | (data > 1)).any():
        raise ValueError(
            "binary_cross_entropy: input must hold probabilities from 0 to 1; "
            "for logits use binary_cross_entropy_with_logits"
        )
    losses = BinaryCrossEntropy()(input, target)
    return reduce_losses(losses if weight is None else losses * weight, reduction)


class BinaryCrossEntropy(Function):
    """losses = -(t * log(x) + (1 - t) * log(1 - x)), a log being at least -100."""

    def forward(self, x, t):
        return -(t * _bounded_log(x) + (1 - t) * _bounded_log_of_rest(x))

    def backward(self, dy, inputs, output):
        x, t = inputs
        # dlosses/dx = (x - t) / (x * (1 - x)), the divisor at least 1e-12: large, not endless, where a log was bounded
        dx = dy * ((x - t) / maximum(x * (1 - x), 1e-12)) if self.needs(0) else None
        # dlosses/dt = log(1 - x) - log(x)
        return dx, dy * (_bounded_log_of_rest(x) - _bounded_log(x)) if self.needs(1) else None


def _bounded_log(x: Any) -> Any:
    """max(log(x), -100)."""
    tiny = 3.8e-44  # log(tiny) = -100
    return where(x <= tiny, -100.0, log(where(x <= tiny, 1, x)))


def _bounded_log_of_rest(x: Any) -> Any:
    """max(log(1 - x), -100)."""
    return where(x >= 1, -100.0, log1p(-where(x >= 1, 0, x)))


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """binary_cross_entropy(sigmoid(input), target), exact for large logits; `pos_weight` multiplies the first term.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.binary_cross_entropy_with_logits(minidl.tensor([0.0, 100.0]), minidl.tensor([1.0, 0.0]), reduction="none")
    tensor([  0.6931, 100.    ])
    """
    _check_same_shape("binary_cross_entropy_with_logits", input, target)
    positive = target if pos_weight is None else target * pos_weight
    losses = -(positive * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    return reduce_losses(losses if weight is None else losses * weight, reduction)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """target * (log(target) - input), for `input` = log-probabilities: how far it is from the target.

    0 * log(0) is 0, and so is its derivative by the target (in PyTorch -inf); a negative target gives NaN.

    ``reduction="batchmean"`` divides the sum by the size of the first axis, which is the divergence of its definition.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.kl_div(minidl.tensor([0.5, 0.5]).log(), minidl.tensor([0.25, 0.75]), reduction="sum")
    tensor(0.1308)
    """
    _check_arrays("kl_div", input, target)
    _check_same_float("kl_div", input, target)
    if log_target:
        losses = exp(target) * (target - input)
    else:
        zero = target == 0  # 0 * log(0) is 0 here
        losses = where(zero, 0, target * log(where(zero, 1, target))) - target * input
    if reduction == "batchmean":
        if not input.ndim:
            raise ValueError("kl_div: reduction 'batchmean' needs an input with an axis of samples, got a number")
        return sum(losses) / input.shape[0]
    return reduce_losses(losses, reduction)
