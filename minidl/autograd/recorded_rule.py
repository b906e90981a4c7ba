"""Second derivatives: the rule of an operation called with Tensors, so that the gradients are recorded as well."""

from __future__ import annotations

from typing import Any

from minidl.autograd.function import Function
from minidl.autograd.tensor import Tensor, _wrap


def recorded_rule(function: Function, dy: Any) -> Any:
    """dx of each input, by the rule called with Tensors, so that the rule itself is recorded."""
    if function.once_differentiable:
        return _NoSecondDerivative.apply(function, dy)
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


class _NoSecondDerivative(Function):
    """Passes on the first derivatives of a function that has no second; differentiating them is an error."""

    saves_inputs = False
    is_view = True

    def __init__(self, name: str):
        self.name = name

    @classmethod
    def apply(cls, function: Function, dy: Any) -> tuple:
        several = type(dy) is tuple
        parts = [part for part in (dy if several else (dy,)) if part is not None]
        arrays = tuple(None if part is None else part.data for part in dy) if several else dy.data
        dx = function.backward(arrays, function.inputs, function.output)
        leaves = [_join(x, target) for x, target in zip(function.inputs, function.edges) if target is not None]
        return tuple(
            None if d is None else cls(type(function).__name__)(d, *parts, *leaves)
            for d in (dx if type(dx) is tuple else (dx,))
        )

    def forward(self, dx: Any, *_: Any) -> Any:
        return dx

    def backward(self, dy: Any, inputs: Any, output: Any) -> Any:
        raise RuntimeError(f"{self.name} has no second derivative: its gradient rule can be used once only")
