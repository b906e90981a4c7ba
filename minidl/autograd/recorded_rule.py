"""Second derivatives: ``backward`` of an operation is called with Tensors, so that it is recorded itself."""

from __future__ import annotations

from typing import Any

from minidl.autograd.function import Function
from minidl.autograd.tensor import Tensor, _wrap


def recorded_rule(function: Function, dy: Any) -> Any:
    """dx of each input from ``function.backward``, with the saved arrays as the Tensors that they were in the graph."""
    inputs, output = function.inputs, function.output
    if inputs is not None:
        inputs = [x if target is None else _join(x, target) for x, target in zip(inputs, function.edges)]
    if type(output) is tuple:
        output = tuple(_join(y, (function, i)) for i, y in enumerate(output))
    elif output is not None:
        output = _join(output, function)
    return function.backward(dy, inputs, output)


def _join(array: Any, target: Tensor | Function | tuple[Function, int]) -> Tensor:
    """A saved array as a Tensor of the graph: the leaf itself, or a new Tensor with that origin."""
    return target if isinstance(target, Tensor) else _wrap(array, target)
