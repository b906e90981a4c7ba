"""Second derivatives: the rule of an operation called with Tensors, so that the gradients are recorded as well."""

from __future__ import annotations

from typing import Any

from minidl.autograd.function import Function
from minidl.autograd.tensor import Tensor, _wrap


def recorded_rule(function: Function, dy: Any) -> Any:
    """dx of each input, by the rule called with Tensors, so that the rule itself is recorded."""
    inputs, output = function.inputs, function.output
    if inputs is not None:
        inputs = [x if target is None else _join(x, target) for x, target in zip(inputs, function.edges)]
    if type(output) is tuple:
        output = tuple(_join(y, (function, i)) for i, y in enumerate(output))
    elif output is not None:
        output = _join(output, function)
    return function.backward(dy, inputs, output)


def _join(array: Any, target: Tensor | Function | tuple[Function, int]) -> Tensor:
    """A saved array as the Tensor at its place in the graph."""
    return target if isinstance(target, Tensor) else _wrap(array, target)
