"""Normalization, dropout and embedding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minidl.functional as F
from minidl import random
from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import Recipe, integers, normal, positive, values


def per_channel(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def batch_normed(x, w=None, b=None):
    y = naive.normalize(x, (0, *range(2, x.ndim)))
    return y if w is None else y * per_channel(w, x) + per_channel(b, x)


def in_training(f: Callable, x: Any, *parameters: Any) -> Any:
    return f(x, None, None, *parameters, training=True)


def evaluated(*shape: int, variables: bool = False) -> Operation:
    """batch_norm by running statistics m and v, which are variables too if asked for, though none of PyTorch's."""

    def expected(x, w, b, m, v):
        w, b, m, v = (per_channel(part, x) for part in (w, b, m, v))
        return (x - m) / np.sqrt(v + 1e-5) * w + b

    c = shape[1]
    inputs = [normal(*shape), normal(c), normal(c), normal(c), positive(c)]
    only_here = {"torch": None} if variables else {"constants": 2}
    return Operation("batch_norm", inputs, expected, call=lambda f, x, w, b, m, v: f(x, m, v, w, b), **only_here)


def by_root_mean_square(x, axes, eps=2.0**-52):
    return x / np.sqrt((x * x).mean(axes, keepdims=True) + eps)


def group_normed(x, groups, w, b):
    y = naive.normalize(x.reshape(x.shape[0], groups, -1), 2).reshape(x.shape)
    return y * per_channel(w, x) + per_channel(b, x)


def same_mask(function: Callable) -> Callable:
    """A function that draws from the random streams, made to draw the same numbers at every call."""

    def call(*arguments: Any) -> Any:
        state = random.get_state()
        try:
            return function(*arguments)
        finally:
            random.set_state(state)

    return call


def dropped(name: str, *shape: int) -> list[Operation]:
    """In evaluation, in training (with the mask that ones get), and with nothing kept."""
    function = getattr(F, name)
    in_training = Operation(
        name,
        [normal(*shape)],
        same_mask(lambda x: x * function(np.ones_like(x))),
        call=same_mask(lambda f, x: f(x)),
        torch=None,
    )
    return [
        Operation(name, [normal(*shape)], lambda x: x, {"training": False}),
        in_training,
        Operation(name, [normal(*shape)], np.zeros_like, {"p": 1.0}),
    ]


def bags(indices: Recipe, sums: Callable, means: Callable, *offsets: Recipe) -> list[Operation]:
    inputs = [indices, normal(4, 3), *offsets]
    return [
        Operation("embedding_bag", inputs, expected, {"mode": mode})
        for mode, expected in (("sum", sums), ("mean", means))
    ]


def bag_sums(indices: np.ndarray, w: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(w[indices], starts)


OPERATIONS = [
    Operation("batch_norm", [normal(3, 2, 2, 2), normal(2), normal(2)], batch_normed, call=in_training),
    Operation("batch_norm", [normal(4, 3), normal(3), normal(3)], batch_normed, call=in_training),
    Operation("batch_norm", [normal(2, 3, 4)], batch_normed, call=in_training),
    evaluated(2, 2, 2, 2),
    evaluated(2, 2, 3, variables=True),
    evaluated(0, 2, 2),
    Operation("layer_norm", [normal(2, 3, 4), (3, 4)], lambda x, shape: naive.normalize(x, (1, 2))),
    Operation(
        "layer_norm",
        [normal(2, 3, 4), (4,), normal(4), normal(4)],
        lambda x, shape, w, b: naive.normalize(x, 2) * w + b,
    ),
    Operation("layer_norm", [normal(0, 4), (4,)], lambda x, shape: x),
    Operation("rms_norm", [normal(2, 3, 4), (3, 4)], lambda x, shape: by_root_mean_square(x, (1, 2))),
    Operation(
        "rms_norm",
        [normal(2, 3, 4), (4,), normal(4)],
        lambda x, shape, w: by_root_mean_square(x, 2, 0.1) * w,
        {"eps": 0.1},
    ),
    Operation("rms_norm", [normal(0, 4), (4,)], lambda x, shape: x),
    Operation("group_norm", [normal(2, 4, 2, 2), 2, normal(4), normal(4)], group_normed),
    Operation("group_norm", [normal(2, 4, 3), 1, normal(4), normal(4)], group_normed),
    Operation(
        "instance_norm",
        [normal(2, 3, 2, 2), normal(3), normal(3)],
        lambda x, w, b: group_normed(x, 3, w, b),
        call=lambda f, x, w, b: f(x, weight=w, bias=b),
    ),
    Operation("instance_norm", [normal(2, 3, 4)], lambda x: group_normed(x, 3, np.ones(3), np.zeros(3))),
    *dropped("dropout", 2, 3),
    *dropped("dropout1d", 2, 3, 4),
    *dropped("dropout2d", 2, 3, 2, 2),
    *[
        Operation(
            "local_response_norm",
            [normal(*shape), size],
            lambda x, size: naive.local_response_norm(x, size, 0.7, 0.75, 1.3),
            {"alpha": 0.7, "k": 1.3},
        )
        for shape, size in (((2, 5, 3), 3), ((2, 5, 2, 2), 4), ((1, 2, 3), 7), ((0, 3, 2), 2))
    ],
    Operation("embedding", [integers(4, 2, 5), normal(4, 3)], lambda i, w: w[i]),
    Operation("embedding", [integers(4, 0), normal(4, 3)], lambda i, w: w[i]),
    *bags(integers(4, 3, 2), lambda i, w: w[i].sum(1), lambda i, w: w[i].mean(1)),
    *bags(integers(4, 6), bag_sums, lambda i, w, b: bag_sums(i, w, b) / [[2], [1], [3]], values(0, 2, 3, dtype=int)),
    Operation(  # bags without an index, the last one among them
        "embedding_bag",
        [integers(4, 2), normal(4, 3), values(0, 0, 2, dtype=int)],
        lambda i, w, b: np.stack([0 * w[0], w[i].mean(0), 0 * w[0]]),
    ),
]
