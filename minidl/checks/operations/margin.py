"""Losses with a margin and likelihoods, with each reduction."""

from __future__ import annotations

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.operations.loss import REDUCTIONS, loss
from minidl.checks.recipes import distinct, integers, normal, positive, signs, values


def gaussian(x, target, var):
    return (np.log(var) + (x - target) ** 2 / var) / 2


def poisson(x, target):
    return np.exp(x) - target * x


def poisson_in_full(x, target):
    stirling = target * np.log(target) - target + np.log(2 * np.pi * target) / 2
    return x - target * np.log(x + 0.1) + np.where(target > 1, stirling, 0)


def multilabel(x, target, w=1.0):
    return (w * (target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x))).mean(-1)


def multi_margin(x, target, p=1, margin=1.0, w=None):
    n, c = x.shape
    losses = np.zeros(n)
    for i, t in enumerate(target):
        losses[i] = sum(max(margin - x[i, t] + x[i, j], 0) ** p for j in range(c) if j != t) / c
    return losses if w is None else losses * w[target]


def triplet(anchor, positive, negative, swap=False, margin=1.0):
    distance = lambda x1, x2: np.abs(x1 - x2).sum(-1)  # noqa: E731
    far = distance(anchor, negative)
    far = np.minimum(far, distance(positive, negative)) if swap else far
    return np.maximum(distance(anchor, positive) - far + margin, 0)


def of_distance(swap: bool, margin: float) -> list[Operation]:
    """triplet_margin_with_distance_loss of the sum of differences."""

    def line(reduction: str) -> Operation:
        def call(operation, *inputs):
            return operation(
                *inputs,
                distance_function=lambda x1, x2: abs(x1 - x2).sum(-1),
                swap=swap,
                margin=margin,
                reduction=reduction,
            )

        value = lambda *arrays: REDUCTIONS[reduction](triplet(*arrays, swap, margin))  # noqa: E731
        return Operation("triplet_margin_with_distance_loss", [normal(4, 3)] * 3, value, call=call)

    return [line(reduction) for reduction in REDUCTIONS]


def weighted(name: str, inputs: list, expected, **options) -> Operation:
    """With a factor for each class, the last input, and without a reduction."""
    return Operation(
        name,
        inputs,
        lambda *arrays: expected(*arrays[:2], **options, w=arrays[2]),
        call=lambda f, x, target, w: f(x, target, weight=w, reduction="none", **options),
        constants=2,
    )


SCORES = [distinct(4, 5), integers(5, 4)]

OPERATIONS = [
    *loss("gaussian_nll_loss", [normal(2, 3), normal(2, 3), positive(2, 3)], gaussian),
    *loss("gaussian_nll_loss", [normal(2, 3), normal(2, 3), positive(2, 1)], gaussian),
    *loss("gaussian_nll_loss", [normal(2, 3), normal(2, 3), positive(2)], lambda x, t, v: gaussian(x, t, v[:, None])),
    *loss(
        "gaussian_nll_loss",
        [normal(3), normal(3), positive(3)],
        lambda *arrays: gaussian(*arrays) + np.log(2 * np.pi) / 2,
        full=True,
    ),
    Operation("gaussian_nll_loss", [normal(3), normal(3), 0.7], lambda x, t, v: gaussian(x, t, v).mean()),
    Operation(
        "gaussian_nll_loss",
        [values(0.0, 1.0), values(0.0, 3.0), values(0.0, 0.1)],
        lambda x, t, v: gaussian(x, t, np.maximum(v, 0.5)),
        {"eps": 0.5, "reduction": "none"},
        gradient=False,
    ),
    *loss("poisson_nll_loss", [normal(2, 3), positive(2, 3)], poisson),
    *loss("poisson_nll_loss", [positive(2, 3), positive(2, 3)], poisson_in_full, log_input=False, full=True, eps=0.1),
    *loss(
        "hinge_embedding_loss",
        [distinct(2, 3), signs(2, 3)],
        lambda x, t: np.where(t == 1, x, np.maximum(0.13 - x, 0)),
        margin=0.13,
    ),
    *[
        Operation(
            "soft_margin_loss",
            [normal(2, 3), signs(2, 3)],
            lambda x, t, reduce=reduce: reduce(np.logaddexp(0, -t * x)),
            {"reduction": reduction},
            constants=1,
        )
        for reduction, reduce in REDUCTIONS.items()
    ],
    *loss("multilabel_soft_margin_loss", [normal(2, 3), positive(2, 3)], multilabel),
    weighted("multilabel_soft_margin_loss", [normal(2, 3), positive(2, 3), positive(3)], multilabel),
    *loss("multi_margin_loss", SCORES, lambda x, t: multi_margin(x, t, 1, 0.23), margin=0.23),
    *loss("multi_margin_loss", SCORES, lambda x, t: multi_margin(x, t, 2, 0.23), p=2, margin=0.23),
    weighted("multi_margin_loss", [*SCORES, positive(5)], multi_margin, margin=0.23),
    Operation(
        "multi_margin_loss",
        [normal(3), values(1, dtype=np.int64)],
        lambda x, t: multi_margin(x[None], t)[0],
        call=lambda f, x, t: f(x, t.reshape(())),
    ),
    *of_distance(False, 1.0),
    *of_distance(True, 0.3),
]
