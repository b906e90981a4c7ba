"""Losses, with each reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import (
    Recipe,
    distinct,
    fraction,
    integers,
    normal,
    off_grid,
    positive,
    probabilities,
    values,
)

REDUCTIONS: dict[str, Callable] = {"mean": np.mean, "sum": np.sum, "none": lambda losses: losses}


def loss(name: str, inputs: list[Recipe], expected: Callable, **options: Any) -> list[Operation]:
    """`expected` gives a value for each number."""

    def line(reduction: str) -> Operation:
        value = lambda *arrays: REDUCTIONS[reduction](expected(*arrays))  # noqa: E731
        return Operation(name, inputs, value, {"reduction": reduction, **options})

    return [line(reduction) for reduction in REDUCTIONS]


def class_loss(*inputs: Recipe, **options: Any) -> list[Operation]:
    """cross_entropy with every reduction; class weights, constants of the loss, as a third input."""

    def line(reduction: str) -> Operation:
        return Operation(
            "cross_entropy",
            list(inputs),
            lambda *arrays: naive.cross_entropy(*arrays, reduction=reduction, **options),
            {"reduction": reduction, **options},
            constants=len(inputs) - 2,
        )

    return [line(reduction) for reduction in REDUCTIONS]


LOGITS = [normal(3, 4), integers(4, 3)]
IMAGE_LOGITS = [normal(2, 3, 2, 2), integers(3, 2, 2, 2)]


def log_likelihood(x, target):
    return -np.take_along_axis(x, target[:, None], 1)[:, 0]


def kl(x, target):
    return target * (np.log(target) - x)


def bce(p, target):
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def bce_logits(x, target):
    return np.logaddexp(0, x) - target * x


def smooth(d, beta):
    return np.where(np.abs(d) < beta, d * d / (2 * beta), np.abs(d) - beta / 2)


OPERATIONS = [
    *class_loss(*LOGITS),
    *class_loss(*IMAGE_LOGITS),
    *class_loss(*LOGITS, positive(4)),
    *class_loss(*LOGITS, label_smoothing=0.3),
    *class_loss(*LOGITS, positive(4), label_smoothing=0.3),
    *class_loss(*LOGITS, ignore_index=1),
    *class_loss(*LOGITS, positive(4), ignore_index=1, label_smoothing=0.3),
    *class_loss(*IMAGE_LOGITS, positive(3), ignore_index=2),
    *class_loss(normal(3, 4), probabilities(3, 4)),
    *class_loss(normal(3, 4), probabilities(3, 4), label_smoothing=0.3),
    *class_loss(normal(3, 4), probabilities(3, 4), positive(4), label_smoothing=0.3),
    *class_loss(normal(2, 3, 2, 2), probabilities(2, 3, 2, 2)),
    Operation("cross_entropy", [normal(4), integers(4)], lambda x, i: -np.log(naive.softmax(x))[i]),
    Operation(
        "cross_entropy",
        [values([1e4, -1e4, 0.0], [1e4, 0.0, 0.0]), integers(1, 2)],
        lambda x, i: np.array([0.0, 0.0]),
        {"reduction": "none"},
    ),
    *loss("mse_loss", [normal(2, 3), normal(2, 3)], lambda x, y: (x - y) ** 2),
    *loss("l1_loss", [distinct(2, 3), off_grid(2, 3)], lambda x, y: np.abs(x - y)),
    *loss("smooth_l1_loss", [normal(2, 3), normal(2, 3)], lambda x, y: smooth(x - y, 0.7), beta=0.7),
    *loss("huber_loss", [normal(2, 3), normal(2, 3)], lambda x, y: smooth(x - y, 0.7) * 0.7, delta=0.7),
    *loss("nll_loss", LOGITS, log_likelihood),
    *loss("nll_loss", IMAGE_LOGITS, log_likelihood),
    *loss("kl_div", [normal(2, 3), probabilities(2, 3)], kl),
    *loss("kl_div", [normal(2, 3), normal(2, 3)], lambda x, y: np.exp(y) * (y - x), log_target=True),
    Operation(
        "kl_div", [normal(2, 3), probabilities(2, 3)], lambda x, y: kl(x, y).sum() / 2, {"reduction": "batchmean"}
    ),
    *loss("binary_cross_entropy", [fraction(2, 3), fraction(2, 3)], bce),
    *loss("binary_cross_entropy_with_logits", [normal(2, 3), fraction(2, 3)], bce_logits),
    Operation(
        "binary_cross_entropy",
        [values(0.0, 1.0, 0.0, 1.0), values(0.0, 0.0, 1.0, 1.0)],
        lambda p, y: np.array([0.0, 100.0, 100.0, 0.0]),
        {"reduction": "none"},
        gradient=False,
    ),
    Operation(
        "binary_cross_entropy_with_logits",
        [values(1e4, -1e4, 1e4, -1e4), values(0.0, 0.0, 1.0, 1.0)],
        lambda x, y: np.array([1e4, 0.0, 0.0, 1e4]),
        {"reduction": "none"},
    ),
    Operation(
        "binary_cross_entropy_with_logits",
        [normal(2, 3), fraction(2, 3), positive(2, 3), positive(3)],
        lambda x, y, w, p: (w * (p * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x))).mean(),
        call=lambda f, x, y, w, p: f(x, y, weight=w, pos_weight=p),
        constants=3,
    ),
]
