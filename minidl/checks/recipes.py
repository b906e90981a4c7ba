"""Inputs of the operations: each recipe gives a function of a random generator that draws an array in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks import naive

Recipe = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Recipe:
    return lambda random: random.standard_normal(shape)


def positive(*shape: int) -> Recipe:
    return lambda random: random.uniform(0.5, 2, shape)


def fraction(*shape: int) -> Recipe:
    return lambda random: random.uniform(0.1, 0.9, shape)


def away_from_zero(*shape: int) -> Recipe:
    return lambda random: random.uniform(0.3, 2, shape) * random.choice([-1.0, 1.0], shape)


def distinct(*shape: int) -> Recipe:
    """No two numbers closer than 0.1, none closer to 0 than 0.05."""
    size = int(np.prod(shape))
    return lambda random: (random.permutation(size).reshape(shape) - size // 2) * 0.1 + 0.05


def off_grid(*shape: int) -> Recipe:
    """Numbers that `distinct` never gives, nor any near them: for comparisons with it."""
    return lambda random: distinct(*shape)(random) + 0.03


def probabilities(*shape: int) -> Recipe:
    """Adding up to 1 along axis 1."""
    return lambda random: naive.softmax(random.standard_normal(shape), 1)


def integers(high: int, *shape: int) -> Recipe:
    return lambda random: random.integers(0, high, shape)


def different(high: int, *shape: int) -> Recipe:
    """Integers below `high`, none of them twice along the last axis."""
    return lambda random: random.permuted(np.tile(np.arange(high), (*shape[:-1], 1)), axis=-1)[..., : shape[-1]]


def booleans(*shape: int) -> Recipe:
    return lambda random: random.integers(0, 2, shape).astype(bool)


def signs(*shape: int) -> Recipe:
    """-1 or 1."""
    return lambda random: random.choice([-1.0, 1.0], shape)


def values(*numbers: Any, dtype: Any = np.float64) -> Recipe:
    return lambda random: np.array(numbers, dtype)
