"""The operators + - * /, by all threads where the arrays are large, and by themselves for anything else.

So a formula costs what it should for a million numbers, and nothing more for ten.
"""

from __future__ import annotations

from typing import Any

from .arithmetic import add, add_to, divide, multiply, pays, subtract


def plus(x1: Any, x2: Any) -> Any:
    return add(x1, x2) if pays(x1, x2) else x1 + x2


def minus(x1: Any, x2: Any) -> Any:
    return subtract(x1, x2) if pays(x1, x2) else x1 - x2


def times(x1: Any, x2: Any) -> Any:
    return multiply(x1, x2) if pays(x1, x2) else x1 * x2


def over(x1: Any, x2: Any) -> Any:
    return divide(x1, x2) if pays(x1, x2) else x1 / x2


def increased(x1: Any, x2: Any) -> Any:
    """x1 += x2, and x1, which is a new number where it is none that can be changed."""
    if pays(x1, x2):
        add_to(x1, x2)
    else:
        x1 += x2
    return x1
