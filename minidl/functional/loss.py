"""Losses: one number that says how wrong a prediction is, small when it is right.

Here are those that compare numbers or probabilities; those of classifiers are in
:mod:`minidl.functional.classification`, those of distances in :mod:`minidl.functional.distance`. Each computes a loss
for every sample (or number); `reduction` gives their ``"mean"`` or ``"sum"``, or with ``"none"`` all of them. `input`
and `target` must have one shape (else a ValueError): nothing is broadcast. Floats of two types are a TypeError;
integers and booleans become floats.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.activation import log_sigmoid, sigmoid
from minidl.functional.broadcast import common_shape
from minidl.functional.choice import ClipGrad, clip, where
from minidl.functional.elementwise import abs, exp, log, log1p, square
from minidl.functional.operands import as_array, data_of, namespace
from minidl.functional.reduce import mean, sum, sum_of_squares
from minidl.kernels import extent, times

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "huber_loss", "kl_div", "l1_loss", "mse_loss",
    "smooth_l1_loss",
]  # fmt: skip


def reduce_losses(losses: Any, reduction: str) -> Any:
    """The mean of the losses, their sum, or (``"none"``) the losses as they are."""
    check_reduction(reduction)
    if reduction == "none":
        return losses
    return mean(losses) if reduction == "mean" else sum(losses)


def check_reduction(reduction: str, *more: str) -> None:
    """Raise unless `reduction` is ``"mean"``, ``"sum"``, ``"none"`` or one of `more`."""
    *known, last = "mean", "sum", *more, "none"
    if reduction not in (*known, last):
        raise ValueError(f"reduction must be {', '.join(map(repr, known))} or {last!r}, got {reduction!r}")


def check_arrays(name: str, x: Any, target: Any) -> None:
    for argument, value in (("input", x), ("target", target)):
        if not isinstance(value, Tensor) and not hasattr(value, "dtype"):
            raise TypeError(f"{name}: {argument} must be a Tensor or an array, got {type(value).__name__}")


def check_same_shape(name: str, x: Any, target: Any) -> None:
    check_arrays(name, x, target)
    if tuple(x.shape) != tuple(target.shape):
        raise ValueError(
            f"{name}: input and target must have the same shape, got {tuple(x.shape)} and {tuple(target.shape)}; "
            "a target of shape (N,) for an input (N, 1) would be broadcast to (N, N)"
        )
    check_same_float(name, x, target)


def check_same_float(name: str, x: Any, target: Any) -> None:
    if x.dtype.kind == target.dtype.kind == "f" and x.dtype != target.dtype:
        raise TypeError(
            f"{name}: input and target must have the same floating-point type, got {x.dtype} and {target.dtype}; "
            f"convert with target.astype({str(x.dtype)!r})"
        )


def check_broadcast(name: str, x: Any, target: Any) -> None:
    """Raise unless the two are arrays of one float type that broadcast."""
    check_arrays(name, x, target)
    check_same_float(name, x, target)
    common_shape(name, input=x, target=target)


def weighted(name: str, losses: Any, weight: Any, argument: str = "weight") -> Any:
    """losses * weight, which broadcast; the losses for None."""
    if weight is None:
        return losses
    if hasattr(weight, "shape"):
        common_shape(name, **{"input": losses, argument: weight})
    return losses * weight


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """The squared error, (input - target)^2.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.mse_loss(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 4.0]))
    tensor(2.)
    """
    check_same_shape("mse_loss", input, target)
    d = input - target
    if reduction in ("mean", "sum") and d.dtype.kind == "f":
        return MeanSquare(math.prod(d.shape) if reduction == "mean" else 1)(d)
    return reduce_losses(square(d), reduction)


class MeanSquare(Function):
    """y = sum x^2 over all axes / n."""

    def __init__(self, n):
        self.n = n

    def forward(self, x):
        return sum_of_squares(x).reshape(()) / self.n

    def backward(self, dy, inputs, output):
        # dy/dx = 2 * x / n
        return times(inputs[0], 2 * dy / self.n)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """The absolute error, |input - target|.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.l1_loss(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 5.0]))
    tensor(1.5)
    """
    check_same_shape("l1_loss", input, target)
    return reduce_losses(abs(input - target), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """d^2 / (2 * beta) where d = |input - target| < beta, d - beta/2 elsewhere (Girshick, Fast R-CNN, 2015).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.smooth_l1_loss(minidl.tensor([1.0, 2.0]), minidl.tensor([1.5, 5.0]), "none")
    tensor([0.125, 2.5  ])
    """
    check_same_shape("smooth_l1_loss", input, target)
    if not beta >= 0:  # written so that NaN fails
        raise ValueError(f"beta must not be negative, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    losses = reduce_losses(Huber(beta)(input - target), reduction)
    return losses if beta == 1 else losses / beta


class Huber(Function):
    """losses = c * (d - c/2) with c = min(max(d, -delta), delta)."""

    def __init__(self, delta):
        self.delta = delta

    def forward(self, d):
        return kernels.activations.huber_forward(as_array(d), self.delta)

    def backward(self, dy, inputs, output):
        return HuberGrad(self.delta)(dy, inputs[0])


class HuberGrad(Function):
    """dd = dy * c with c = min(max(d, -delta), delta)."""

    def __init__(self, delta):
        self.delta = delta

    def forward(self, dy, d):
        return kernels.activations.huber_backward(as_array(dy), as_array(d), self.delta)

    def backward(self, ddd, inputs, output):
        dy, d = inputs
        # dc/dd = 1 where -delta <= d <= delta, else 0
        clip_grad = ClipGrad(-self.delta, self.delta)
        return HuberGrad(self.delta)(ddd, d), clip_grad(ddd * dy, d) if self.needs(1) else None


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """d^2 / 2 where d = |input - target| < delta, delta * (d - delta/2) elsewhere (Huber, 1964).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.huber_loss(minidl.tensor([0.5, 3.0]), minidl.tensor([0.0, 0.0]), reduction="none")
    tensor([0.125, 2.5  ])
    """
    check_same_shape("huber_loss", input, target)
    return reduce_losses(Huber(delta)(input - target), reduction)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(target * log(input) + (1 - target) * log(1 - input)), for probabilities; a log is at least -100.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.binary_cross_entropy(minidl.tensor([0.5, 0.9]), minidl.tensor([0.0, 1.0]))
    tensor(0.3993)
    """
    check_same_shape("binary_cross_entropy", input, target)
    hints = {"input": "for logits use binary_cross_entropy_with_logits", "target": "divide pixels by 255"}
    for (name, hint), x in zip(hints.items(), (data_of(input), data_of(target))):
        if not isinstance(x, np.ndarray) or not x.size:
            continue
        if np.fmin.reduce(x, None) < 0 or np.fmax.reduce(x, None) > 1:  # of the numbers that are not NaN
            raise ValueError(
                f"binary_cross_entropy: {name} must hold probabilities from 0 to 1, got {extent(x[x == x])}; {hint}"
            )
    return reduce_losses(weighted("binary_cross_entropy", BinaryCrossEntropy()(input, target), weight), reduction)


class BinaryCrossEntropy(Function):
    """losses = -(t * log(x) + (1 - t) * log(1 - x)), a log being at least -100."""

    def forward(self, x, t):
        xp = namespace(x)
        with np.errstate(divide="ignore"):  # log(0) = -inf
            return -(t * xp.maximum(xp.log(x), -100) + (1 - t) * xp.maximum(xp.log1p(-x), -100))

    def backward(self, dy, inputs, output):
        x, t = inputs
        # dlosses/dx = (x - t) / (x * (1 - x)); a divisor of at least 1e-12 keeps dx finite where a log is bounded
        dx = dy * ((x - t) / clip(x * (1 - x), min=1e-12)) if self.needs(0) else None
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
    name = "binary_cross_entropy_with_logits"
    check_same_shape(name, input, target)
    losses = LogisticLoss()(input, weighted(name, target, pos_weight, "pos_weight"), 1 - target)
    return reduce_losses(weighted(name, losses, weight), reduction)


class LogisticLoss(Function):
    """losses = -(positive * log(sigmoid(x)) + negative * log(sigmoid(-x)))."""

    def forward(self, x, positive, negative):
        softplus = kernels.activations.softplus_forward
        # -log(sigmoid(-x)) = log(1 + e^x) = softplus(x)
        return positive * softplus(as_array(-x)) + negative * softplus(as_array(x))

    def backward(self, dy, inputs, output):
        x, positive, negative = inputs
        # dlosses/dx = negative * sigmoid(x) - positive * sigmoid(-x)
        dx = dy * (negative * sigmoid(x) - positive * sigmoid(-x)) if self.needs(0) else None
        return dx, *(-dy * log_sigmoid(z) if self.needs(i) else None for i, z in ((1, x), (2, -x)))


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """target * (log(target) - input), with log-probabilities as `input`: the Kullback-Leibler divergence.

    With `log_target`, `target` holds log-probabilities too, and the losses are e^target * (target - input).

    ``reduction="batchmean"``, the sum divided by the size of the first axis, is the divergence as it is defined.

    0 * log(0) is 0, and so is its derivative by the target (in PyTorch -inf); a negative target gives NaN.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.kl_div(minidl.tensor([0.5, 0.5]).log(), minidl.tensor([0.25, 0.75]), reduction="sum")
    tensor(0.1308)
    """
    check_reduction(reduction, "batchmean")
    check_broadcast("kl_div", input, target)
    losses = exp(target) * (target - input) if log_target else Divergence()(input, target)
    if reduction == "batchmean":
        if not input.ndim:
            raise ValueError("kl_div: reduction 'batchmean' needs an input with an axis of samples, got a number")
        return sum(losses) / input.shape[0]
    return reduce_losses(losses, reduction)


class Divergence(Function):
    """losses = t * (log(t) - x), with 0 * log(0) = 0."""

    def forward(self, x, t):
        return t * (_log_unless_zero(t) - x)

    def backward(self, dy, inputs, output):
        x, t = inputs
        # dlosses/dx = -t, dlosses/dt = log(t) + 1 - x, without the first two where t is 0
        dt = dy * (_log_unless_zero(t) + data_of(t != 0) - x) if self.needs(1) else None
        return -dy * t if self.needs(0) else None, dt


def _log_unless_zero(t: Any) -> Any:
    """log(t), and 0 for 0, whose logarithm none of the products needs."""
    return log(where(t == 0, 1, t))
