"""Arithmetic number by number, as the array library's operators do it."""


def add(x1, x2):
    return x1 + x2


def subtract(x1, x2):
    return x1 - x2


def multiply(x1, x2):
    return x1 * x2


def divide(x1, x2):
    return x1 / x2


def add_to(x1, x2):
    x1 += x2
