"""Distances of vectors, and the losses made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.operations.loss import loss
from minidl.checks.recipes import normal, values


def cosine(x: np.ndarray, y: np.ndarray, axis: int = 1) -> np.ndarray:
    return (x * y).sum(axis) / np.sqrt((x * x).sum(axis) * (y * y).sum(axis))


def length(x: np.ndarray, p: float = 2, axis: int = 1, keepdims: bool = True) -> np.ndarray:
    return (np.abs(x) ** p).sum(axis, keepdims=keepdims) ** (1 / p)


def distance(x: np.ndarray, y: np.ndarray, p: float = 2) -> np.ndarray:
    return length(x - y + 1e-6, p, -1, False)


def triplet(a: np.ndarray, p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.maximum(distance(a, p) - distance(a, n) + 0.7, 0)


def triplet_with_swap(a: np.ndarray, p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.maximum(distance(a, p, 3) - np.minimum(distance(a, n, 3), distance(p, n, 3)) + 0.7, 0)


def ranking_loss(x1: np.ndarray, x2: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.maximum(0.1 - target * (x1 - x2), 0)


def cosine_loss(x: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    c = cosine(x, y, -1)
    return np.where(t == 1, 1 - c, np.maximum(c - 0.1, 0))


TRIPLETS: list[Any] = [normal(4, 3), normal(4, 3), normal(4, 3)]
SIGNS = values(1, -1, -1, 1, dtype=int)

OPERATIONS = [
    Operation("normalize", [normal(2, 3)], lambda x: x / length(x)),
    Operation("normalize", [normal(2, 3, 2)], lambda x: x / length(x, 3, 2), {"p": 3.0, "dim": -1}),
    Operation("normalize", [values([0.0, 0.0], [3.0, 4.0])], lambda x: x / 5, gradient=False),
    *[
        Operation("cdist", [normal(4, 3), normal(2, 3), p], lambda x, y, p: length(x[:, None] - y, p, -1, False))
        for p in (1.0, 2.0, 3.0)
    ],
    Operation(
        "cdist", [normal(1, 2, 3), normal(2, 26, 3)], lambda x, y: length(x[:, :, None] - y[:, None], 2, -1, False)
    ),
    Operation("cdist", [normal(2, 4, 3), normal(5, 3)], lambda x, y: length(x[:, :, None] - y, 2, -1, False)),
    Operation("cosine_similarity", [normal(2, 3), normal(2, 3)], cosine),
    Operation("cosine_similarity", [normal(2, 1, 3), normal(4, 3), -1], cosine),
    Operation("pairwise_distance", [normal(2, 3), normal(2, 3)], distance),
    Operation("pairwise_distance", [normal(2, 1, 3), normal(4, 3), 3.0], distance),
    Operation("pairwise_distance", [normal(3), normal(3)], distance),
    Operation("pairwise_distance", [normal(2, 3), normal(3)], lambda x, y: distance(x, y)[:, None], {"keepdim": True}),
    *loss("triplet_margin_loss", TRIPLETS, triplet, margin=0.7),
    *loss("triplet_margin_loss", TRIPLETS, triplet_with_swap, margin=0.7, p=3.0, swap=True),
    *loss("margin_ranking_loss", [normal(4), normal(4), SIGNS], ranking_loss, margin=0.1),
    *loss("cosine_embedding_loss", [normal(4, 3), normal(4, 3), SIGNS], cosine_loss, margin=0.1),
]
