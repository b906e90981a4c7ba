"""The gradients of every operation in the table against finite differences: ``minidl gradcheck``."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidl import autograd
from minidl import functional as F
from minidl.autograd import GradientCheckError
from minidl.checks.operation import Operation
from minidl.checks.operations import TABLE

MEASURES = {
    "first_order": autograd.gradient_check.worst_gradient_error,
    "second_order": functools.partial(autograd.gradient_check.worst_second_order_error, atol=1e-6),
}


class Check(NamedTuple):
    """The worst errors |gradient - difference| / max(1, |difference|) of an operation, against finite differences.

    None stands for a wrong gradient, which `failures` describes.
    """

    name: str
    first_order: float | None
    second_order: float | None
    failures: dict[str, str]  # of "first_order" and "second_order", where wrong: which input, which index, both values


def differentiable() -> list[str]:
    """The names of the operations whose gradients are checked."""
    return sorted({operation.name for operation in TABLE if operation.gradient})


def check_gradients(name: str) -> Check:
    """Measure the gradients of an operation and the gradients of those, in float64, for every entry of the table."""
    entries = [operation for operation in TABLE if operation.name == name and operation.gradient]
    if not entries and callable(getattr(F, name, None)):
        raise ValueError(f"{name} has no gradient to check: its output does not change smoothly with an input")
    if not entries:
        close = " or ".join(difflib.get_close_matches(name, differentiable(), 3))
        raise ValueError(f"unknown operation {name!r}" + (f"; did you mean {close}?" if close else ""))
    failures: dict[str, str] = {}
    errors: dict[str, list[float]] = {order: [] for order in MEASURES}
    for operation in entries:
        for order, measure in MEASURES.items():
            try:
                with np.errstate(all="ignore"):  # log(0) in a formula that does not use it
                    errors[order].append(measure(_function(operation), operation.variables(operation.arrays())))
            except GradientCheckError as error:
                failures.setdefault(order, f"{error}, called with {_described(operation)}")
    worst = {order: max(e) if e and order not in failures else None for order, e in errors.items()}
    return Check(name, **worst, failures=failures)


def _function(operation: Operation) -> Callable[..., Any]:
    return lambda *inputs: operation.run(operation.function, list(inputs))


def _described(operation: Operation) -> str:
    """ "(2, 3), 1.7, dim=1": the shapes of the arrays and the rest of the arguments."""
    inputs = [str(x.shape if isinstance(x, np.ndarray) else x) for x in operation.arrays()]
    return ", ".join(inputs + [f"{name}={value}" for name, value in operation.options.items()])
