"""Losses of classifiers: how surprised a prediction is by the true class of each sample.

`reduction` is that of :mod:`minidl.functional.loss`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, is_grad_enabled
from minidl.functional.along_axis import ScatterAdd
from minidl.functional.broadcast import broadcast_to
from minidl.functional.choice import where
from minidl.functional.loss import check_arrays, check_reduction, check_same_shape, reduce_losses
from minidl.functional.operands import as_array, check_float, data_of, namespace
from minidl.functional.reduce import mean, sum
from minidl.functional.shape import reshape, unsqueeze
from minidl.functional.softmax import SoftmaxGrad, log_softmax, softmax

__all__ = ["cross_entropy", "nll_loss"]


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
        Of each class. With class numbers, ``"mean"`` then divides by the sum of the weights of the targets, and the
        weights must not require grad.
    ignore_index : int
        Samples with this class number are left out.
    reduction : {"mean", "sum", "none"}
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
    check_arrays("cross_entropy", input, target)
    check_float("cross_entropy", input, "input")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, got {label_smoothing}")
    axis = _class_axis("cross_entropy", input)
    if target.dtype.kind == "f":
        return _cross_entropy_of_probabilities(input, target, axis, weight, ignore_index, reduction, label_smoothing)
    if label_smoothing:
        return _cross_entropy_of_smoothed_classes(input, target, axis, weight, ignore_index, reduction, label_smoothing)
    return _cross_entropy_of_classes(input, target, axis, weight, ignore_index, reduction)


def _cross_entropy_of_probabilities(
    input: Any, target: Any, axis: int, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    if target.ndim < input.ndim:
        raise TypeError(
            f"cross_entropy: target must hold class numbers (integers), or probabilities of the shape of input "
            f"{tuple(input.shape)}, got {target.dtype} of shape {tuple(target.shape)}"
        )
    check_same_shape("cross_entropy with probabilities", input, target)
    if ignore_index >= 0:
        raise ValueError(f"ignore_index belongs to class numbers, target holds probabilities; got {ignore_index}")
    classes = input.shape[axis]
    _check_class_weights(weight, classes)
    q = target * (1 - label_smoothing) + label_smoothing / classes
    # losses = -sum_c weight[c] * q[c] * log(softmax(input)[c])
    terms = log_softmax(input, axis) * q
    return reduce_losses(-sum(terms if weight is None else terms * _along(weight, axis, input.ndim), axis), reduction)


def _cross_entropy_of_smoothed_classes(
    input: Any, target: Any, axis: int, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    classes = input.shape[axis]
    log_p = log_softmax(input, axis)
    plain = nll_loss(log_p, target, weight, ignore_index, reduction)  # checks the arguments
    # the loss is linear in q: (1 - e) * (loss of the class) + e/C * (sum of the losses of all classes)
    labels = data_of(target)
    if reduction == "mean" and weight is None and type(labels) is np.ndarray and not (labels == ignore_index).any():
        return plain * (1 - label_smoothing) - mean(log_p) * label_smoothing
    spread = -sum(log_p if weight is None else log_p * _along(weight, axis, input.ndim), axis)
    kept = _kept(target, ignore_index, input.dtype)
    spread = where(kept == 0, 0, spread)
    if reduction == "mean":
        total = sum(kept) if weight is None else sum(_class_weights(weight, target, ignore_index) * kept)
        spread = sum(spread) / total
    else:
        spread = reduce_losses(spread, reduction)
    return plain * (1 - label_smoothing) + spread * (label_smoothing / classes)


def _cross_entropy_of_classes(
    input: Any, target: Any, axis: int, weight: Any, ignore_index: int, reduction: str
) -> Any:
    _check_class_numbers(input, target, axis)
    check_reduction(reduction)
    _check_not_recorded(weight)
    weight = None if weight is None else data_of(weight).copy()  # so that it may be changed before backward comes
    if axis == 0:  # a sample by itself
        loss = CrossEntropy(weight, ignore_index, reduction)(unsqueeze(input, 0), reshape(target, (1,)))
        return reshape(loss, ())
    return CrossEntropy(weight, ignore_index, reduction)(input, target)


class CrossEntropy(Function):
    """losses[n] = -weight[t] * log(softmax(x[n])[t]) with t = target[n], or their sum or weighted mean.

    x is (N, C) or (N, C, ...): what is said of row n holds of each pixel as well.
    """

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
        return kernels.cross_entropy.backward(as_array(dlosses), x, target, self.weight, self.ignore_index)

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
    check_arrays("nll_loss", input, target)
    check_float("nll_loss", input, "input")
    axis = _class_axis("nll_loss", input)
    _check_class_numbers(input, target, axis)
    _check_class_weights(weight, input.shape[axis])
    _check_not_recorded(weight)
    check_reduction(reduction)
    kernels.cross_entropy.check_target(data_of(target), input.shape[axis], ignore_index)
    labels = data_of(target)[(slice(None),) * axis + (None,)]  # an axis of size 1 in place of the classes
    ignored, factor = labels == ignore_index, None
    if weight is not None or not isinstance(labels, np.ndarray) or ignored.any():
        factor = _kept(labels, ignore_index, input.dtype)
        if weight is not None:
            factor = factor * _class_weights(weight, labels, ignore_index)
    # a copy also where nothing is ignored, so that the target may be changed before backward comes
    return NLL(axis, namespace(labels).where(ignored, 0, labels), ignored, factor, reduction)(input)


class NLL(Function):
    """losses[n] = -factor[n] * x[n, t] with t = labels[n], 0 where that is ignored; or their sum or weighted mean.

    x is (C,), (N, C) or (N, C, ...), and `labels`, `ignored` and `factor` have one number in place of C. Without
    `factor` it is 1, and nothing is ignored.
    """

    saves_inputs = False

    def __init__(self, axis, labels, ignored, factor, reduction):
        self.axis, self.labels, self.ignored, self.factor, self.reduction = axis, labels, ignored, factor, reduction
        total = labels.size if factor is None else factor.sum()
        self.divisor = total if reduction == "mean" else 1

    def forward(self, x):
        self.saved = x.shape[self.axis]
        losses = self.weighted(-kernels.along_axis.gather(x, self.labels, self.axis))
        return losses.squeeze(self.axis) if self.reduction == "none" else losses.sum() / self.divisor

    def weighted(self, losses: Any) -> Any:
        """losses * factor, 0 where ignored, whatever the loss is there."""
        return losses if self.factor is None else where(self.ignored, 0, losses * self.factor)

    def backward(self, dy, inputs, output):
        none = self.reduction == "none"
        dlosses = unsqueeze(dy, self.axis) if none else broadcast_to(dy / self.divisor, self.labels.shape)
        # dx[n, t] = -factor[n] * dlosses[n]
        return ScatterAdd(self.axis, self.labels, self.saved)(-self.weighted(dlosses))


def _class_axis(name: str, input: Any) -> int:
    axis = 0 if input.ndim == 1 else 1
    if not input.ndim or not input.shape[axis]:
        raise ValueError(
            f"{name}: input must be (C,), (N, C) or (N, C, d1, ...) with scores of at least one class, "
            f"got shape {tuple(input.shape)}"
        )
    return axis


def _check_class_numbers(input: Any, target: Any, axis: int) -> None:
    shape = tuple(input.shape)
    expected = shape[:axis] + shape[axis + 1 :]
    if target.dtype.kind not in "iu":
        raise TypeError(f"target must hold class numbers (integers), got {target.dtype}")
    if tuple(target.shape) != expected:
        raise ValueError(f"target must have shape {expected} for an input of shape {shape}, got {tuple(target.shape)}")


def _check_class_weights(weight: Any, classes: int) -> None:
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ValueError(f"weight must have one number for each of {classes} classes, got shape {tuple(weight.shape)}")


def _check_not_recorded(weight: Any) -> None:
    if getattr(weight, "requires_grad", False) and is_grad_enabled():
        raise ValueError(
            "weight must not require grad, for a loss of class numbers gives it none; pass weight.detach()"
        )


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
