"""Entries that several families make alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import Recipe, values

SPECIAL = values(0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e4, -1e4)


def of_one(
    name: str, recipe: Callable[..., Recipe], expected: Callable, torch: Any = "", **options: Any
) -> list[Operation]:
    """One argument, in several shapes."""
    shapes = [(2, 3, 2, 2), (), (0, 3), (1,)]
    return [Operation(name, [recipe(*shape)], expected, options, torch=torch) for shape in shapes]


def at_special_values(
    name: str, expected: Callable, torch: Any = "", special: Recipe = SPECIAL, **options: Any
) -> list[Operation]:
    return [Operation(name, [special], expected, options, torch=torch, gradient=False)]
