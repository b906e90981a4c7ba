"""The operators + - * /: the multi-threaded kernel where the arrays are large, Python's operator for anything else.

So large arrays use all threads, and small ones cost no more than before. With `in_place`, x1 is changed, as by +=, and
returned.
"""

from __future__ import annotations

import operator
from typing import Any

from .arithmetic import add, divide, multiply, pays, subtract


def plus(x1: Any, x2: Any, in_place: bool = False) -> Any:
    if pays(x1, x2):
        return add(x1, x2, in_place)
    return operator.iadd(x1, x2) if in_place else x1 + x2


def minus(x1: Any, x2: Any, in_place: bool = False) -> Any:
    if pays(x1, x2):
        return subtract(x1, x2, in_place)
    return operator.isub(x1, x2) if in_place else x1 - x2


def times(x1: Any, x2: Any, in_place: bool = False) -> Any:
    if pays(x1, x2):
        return multiply(x1, x2, in_place)
    return operator.imul(x1, x2) if in_place else x1 * x2


def over(x1: Any, x2: Any, in_place: bool = False) -> Any:
    if pays(x1, x2):
        return divide(x1, x2, in_place)
    return operator.itruediv(x1, x2) if in_place else x1 / x2
