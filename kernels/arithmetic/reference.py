"""Elementwise arithmetic by the array library's operators."""

import operator


def add(x1, x2, in_place):
    return operator.iadd(x1, x2) if in_place else x1 + x2


def subtract(x1, x2, in_place):
    return operator.isub(x1, x2) if in_place else x1 - x2


def multiply(x1, x2, in_place):
    return operator.imul(x1, x2) if in_place else x1 * x2


def divide(x1, x2, in_place):
    return operator.itruediv(x1, x2) if in_place else x1 / x2
