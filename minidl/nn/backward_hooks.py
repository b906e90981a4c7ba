"""Hooks of a module's backward pass: functions that see the gradients of its inputs and outputs.

All inputs of a call go through one gate, and all its outputs through another. A gate changes no value. It is a single
operation, so in the backward pass it has the gradients of all that went through it at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidl.autograd import Function, Tensor

Gradients = tuple[Tensor | None, ...]


class Gate(Function):
    """y = x for each of several x; dx = change(dy), of all of them together."""

    saves_inputs = False

    def __init__(self, change: Callable[[list], list]):
        self.change = change

    def forward(self, *xs: Any) -> tuple:
        return tuple([x.copy(order="K") for x in xs])

    def backward(self, dys: tuple, inputs: Any, output: Any) -> tuple:
        dxs = self.change([dy if dy is None or isinstance(dy, Tensor) else Tensor(dy) for dy in dys])
        recorded = any(isinstance(dy, Tensor) for dy in dys)
        return tuple([dx if dx is None or recorded else dx.data for dx in dxs])


def through_gate(values: tuple, change: Callable[[Gradients], Gradients]) -> tuple:
    """The values, those that require grad sent through a gate; `change` maps the gradients of all values (or None)."""
    places = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        return values

    def change_some(dys: list) -> list:
        of_place = dict(zip(places, dys))
        changed = change(tuple([of_place.get(i) for i in range(len(values))]))
        return [changed[i] for i in places]

    passed = dict(zip(places, Gate(change_some)(*[values[i] for i in places])))
    return tuple([passed.get(i, x) for i, x in enumerate(values)])


def call_with_hooks(module: Any, hooks: tuple[Callable, ...], forward: Callable[[tuple], Any], inputs: tuple) -> Any:
    """forward(inputs); in the backward pass, ``hook(module, grad_input, grad_output)`` of each hook."""
    grad_output: Gradients | None = None

    def call_hooks(grad_input: Gradients) -> Gradients:
        nonlocal grad_output
        if grad_output is None:  # the inputs got a gradient, but not through the output
            return grad_input
        for hook in hooks:
            changed = hook(module, grad_input, grad_output)
            if changed is not None:
                grad_input = _checked(changed, grad_input)
        grad_output = None
        return grad_input

    def keep(gradients: Gradients) -> Gradients:
        nonlocal grad_output
        grad_output = gradients
        if not waiting:
            call_hooks((None,) * len(inputs))
        return gradients

    passed = through_gate(inputs, call_hooks)
    waiting = passed is not inputs  # for the gradients of the inputs; else there are none
    output = forward(passed)
    if isinstance(output, Tensor):
        return through_gate((output,), keep)[0]
    if isinstance(output, tuple):
        return through_gate(output, keep)
    raise TypeError(f"a module with backward hooks must return a Tensor or a tuple, got {type(output).__name__}")


def _checked(changed: Any, grad_input: Gradients) -> Gradients:
    """What a hook gave in place of `grad_input`."""
    changed = (changed,) if isinstance(changed, Tensor) else changed
    shapes = [getattr(dx, "shape", None) for dx in grad_input]
    tensors = isinstance(changed, tuple) and all(dx is None or isinstance(dx, Tensor) for dx in changed)
    if not tensors or [getattr(dx, "shape", None) for dx in changed] != shapes:
        got = [getattr(dx, "shape", dx) for dx in changed] if isinstance(changed, tuple) else repr(changed)
        raise TypeError(f"a backward hook must return None or gradients of the shapes {shapes}, got {got}")
    return changed
