"""The recorded graph: what a gradient can belong to, and which operations lie below it."""

from __future__ import annotations

from typing import Any

from minidl.autograd.function import Function
from minidl.autograd.tensor import Tensor

# What a gradient belongs to: a leaf, the output of an operation, or one of its outputs, (operation, number).
Target = Any


def target_of(tensor: Tensor) -> Target:
    """What the gradient of a tensor belongs to."""
    return tensor if tensor.origin is None else tensor.origin


def function_of(target: Target) -> Function | None:
    """The operation that computed it; None for a leaf."""
    if type(target) is tuple:
        return target[0]
    return target if isinstance(target, Function) else None


def recorded_below(targets: list[Target]) -> list[Function]:
    """All operations in the graph below `targets`, theirs included, oldest first."""
    functions = {function_of(target) for target in targets} - {None}
    pending = list(functions)
    while pending:
        for target in pending.pop().edges:
            function = function_of(target)
            if function is not None and function not in functions:
                functions.add(function)
                pending.append(function)
    return sorted(functions, key=lambda function: function.number)


def leading_to(wanted: set[Target], functions: list[Function]) -> set[Function]:
    """Those of `functions` (oldest first) that pass a gradient on to one of `wanted`."""
    useful: set[Function] = set()
    for function in functions:
        if any(target in wanted or function_of(target) in useful for target in function.edges):
            useful.add(function)
    return useful
