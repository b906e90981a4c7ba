"""The recorded graph as a list of nodes with values and gradients, to print or to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.autograd.engine import _walk
from minidl.autograd.function import Function
from minidl.autograd.graph import Target, function_of, recorded_below, target_of
from minidl.autograd.tensor import Tensor


@dataclass
class Node:
    """A node of the graph: a leaf, or an operation with its output."""

    name: str  # "leaf", or the operation's class
    value: Any  # an array, or a tuple of them for several outputs
    gradient: Any  # d(output) / d(value), likewise; None where no gradient flows
    inputs: list[int] = field(default_factory=list)  # indices of the nodes that it was computed from
    tensor: Tensor | None = None  # the leaf itself


def trace(output: Tensor) -> list[Node]:
    """The graph below `output`: its leaves, then its operations in the order of recording, that of `output` last.

    Parameters
    ----------
    output : Tensor
        One number, computed inside ``with minidl.debug():``, where operations keep their results.

    Raises
    ------
    RuntimeError
        Nothing was recorded, or it was recorded outside ``minidl.debug()``.

    Examples
    --------
    >>> import minidl
    >>> from minidl.autograd import trace
    >>> x = minidl.tensor(3.0, requires_grad=True)
    >>> with minidl.debug():
    ...     y = x * x + x
    >>> [(node.name, float(node.value), float(node.gradient)) for node in trace(y)]
    [('leaf', 3.0, 7.0), ('Mul', 9.0, 1.0), ('Add', 12.0, 1.0)]
    """
    if not output.requires_grad or output.data.size != 1:
        raise RuntimeError(f"trace needs one recorded number, such as a loss, got {output!r}")
    functions = recorded_below([target_of(output)])
    targets = [target_of(output), *(target for function in functions for target in function.edges)]
    leaves = list(dict.fromkeys(target for target in targets if isinstance(target, Tensor)))
    if any(function.computed is None for function in functions):
        raise RuntimeError("trace needs the results of all operations: compute inside `with minidl.debug():`")
    outputs = [target for function in functions for target in _outputs(function)]
    start = [(target_of(output), np.ones_like(output.data))]
    gradients = _walk(start, {*outputs, *leaves}, retain_graph=True, create_graph=False)
    nodes = [Node("leaf", leaf.data, gradients.get(leaf), tensor=leaf) for leaf in leaves]
    place: dict[Any, int] = {leaf: i for i, leaf in enumerate(leaves)}
    for function in functions:
        gradient = tuple(gradients.get(target) for target in _outputs(function))
        gradient = gradient if type(function.computed) is tuple else gradient[0]
        inputs = [place[function_of(target) or target] for target in function.edges if target is not None]
        place[function] = len(nodes)
        nodes.append(Node(type(function).__name__, function.computed, gradient, inputs))
    return nodes


def _outputs(function: Function) -> list[Target]:
    """What the gradients of an operation's outputs belong to."""
    if type(function.computed) is tuple:
        return [(function, i) for i in range(len(function.computed))]
    return [function]
