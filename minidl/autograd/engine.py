"""The engine: goes through the recorded operations in reverse order and accumulates gradients.

For y = f(x) and a scalar L, each operation turns dy = dL/dy into dx = dL/dx (the chain rule). Operations are numbered
as they are recorded, so in descending order an operation comes after all that used its result: its dy is complete.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from minidl.autograd import hooks
from minidl.autograd.arrays import is_array
from minidl.autograd.function import Function
from minidl.autograd.grad_mode import enable_grad, grad_mode
from minidl.autograd.graph import Target, leading_to, recorded_below, target_of
from minidl.autograd.recorded_rule import recorded_rule
from minidl.autograd.tensor import Tensor, _wrap, tensor_method
from minidl.kernels import array_module, plus, reduced

_accumulating = threading.Lock()  # two threads may reach the same leaf


def _renew_lock() -> None:
    """In a forked child, where the thread that held the lock does not exist."""
    global _accumulating
    _accumulating = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@tensor_method()
def backward(
    output: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False
) -> None:
    """Add d(output)/d(leaf) to the ``grad`` of every leaf that `output` was computed from.

    Parameters
    ----------
    output : Tensor
    gradient : Tensor or array of this shape, optional
        dy in sum(dy * d(output)/d(leaf)): by default 1 for a tensor of one element; needed for others.
    retain_graph : bool, optional
        Keep the saved arrays, so that ``backward`` can be called again. Default: the value of `create_graph`.
    create_graph : bool
        Record the computation of the gradients, so that they can be differentiated again.

    Raises
    ------
    RuntimeError
        Nothing was recorded; a tensor of several elements without `gradient`; what the rules read was freed by a
        ``backward`` before, or changed in place since.
    ValueError
        `gradient` has another shape.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    dy = _starting_gradient(output, gradient, create_graph, "the tensor", "gradient")
    _accumulate([(target_of(output), dy)], retain_graph, create_graph)


def backward_from(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """``minidl.autograd.backward``: add sum over tensors of grad_tensor * d(tensor)/d(leaf) to the ``grad`` of leaves.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensors
    grad_tensors : sequence of Tensors, arrays or None, optional
        One for each tensor, of its shape; None stands for 1 where the tensor has one element.
    retain_graph, create_graph : bool
        As in :func:`backward`.

    Raises
    ------
    RuntimeError, ValueError
        As of :func:`backward`; `grad_tensors` of another number.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, 2.0], requires_grad=True)
    >>> minidl.autograd.backward([(x * x).sum(), 3 * x], [None, minidl.ones(2)])
    >>> x.grad
    tensor([5., 7.])
    """
    _accumulate(_start(tensors, grad_tensors, create_graph, "tensors", "grad_tensors"), retain_graph, create_graph)


def _accumulate(start: list[tuple[Target, Any]], retain_graph: bool | None, create_graph: bool) -> None:
    """Propagate the gradients in `start`, and add those that arrive at leaves to their ``grad``."""
    gradients = _walk(start, None, retain_graph, create_graph)
    taken = _arrays_in(start)
    with _accumulating:
        for leaf, dx in gradients.items():  # all before any is changed
            before = leaf._grad
            if before is not None and before._data.shape != dx.shape:  # grad had the tensor's shape when it was set
                raise ValueError(
                    f"a tensor of shape {dx.shape} has a grad of shape {before.shape}, from before its data was "
                    "replaced; set its grad to None first"
                )
        for leaf, dx in gradients.items():
            before = leaf._grad
            if before is None:
                leaf._grad = _own(dx, taken)
            elif create_graph or before.requires_grad:
                leaf._grad = _own((before if create_graph else before.data) + dx, taken)
            else:
                before.add_(dx)  # whoever holds the gradient sees the sum, as in PyTorch


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """sum over outputs of grad_output * d(output)/d(input), for each input; no tensor's ``grad`` is changed.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensors
        Any tensors of the graph; `inputs` may be leaves or intermediate results.
    grad_outputs : sequence of Tensors, arrays or None, optional
        One for each output, of its shape; None stands for 1 where the output has one element.
    retain_graph, create_graph : bool
        As in :func:`backward`.
    only_inputs : bool
        Must be True; accepted because PyTorch programs pass it. The ``grad`` of other leaves is not changed.
    allow_unused : bool
        Give None for an input that the outputs do not depend on, instead of raising.
    materialize_grads : bool
        Give zeros for such an input; with `create_graph` they require grad, so that they can be differentiated too.

    Raises
    ------
    RuntimeError
        As of :func:`backward`; an input that does not require grad, or was not used.
    ValueError
        `grad_outputs` of another number or shape.

    Examples
    --------
    The second derivative of x^3 is 6x:

    >>> import minidl
    >>> x = minidl.tensor(2.0, requires_grad=True)
    >>> (dx,) = minidl.grad(x * x * x, x, create_graph=True)
    >>> minidl.grad(dx, x)
    (tensor(12.),)
    """
    if not only_inputs:
        raise ValueError(
            f"only_inputs must be True, got {only_inputs}; to add up gradients in all leaves call backward()"
        )
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for i, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(
                f"inputs[{i}] does not require grad, so nothing was recorded of it; set x.requires_grad_()"
            )
    start = _start(outputs, grad_outputs, create_graph, "outputs", "grad_outputs")
    gradients = _walk(start, {target_of(x) for x in inputs}, retain_graph, create_graph)
    results, taken = [], _arrays_in(start)
    for i, x in enumerate(inputs):
        dx = gradients.get(target_of(x))
        if dx is None and materialize_grads:
            dx = Tensor(array_module(x.data).zeros_like(x.data), requires_grad=create_graph)
        elif dx is None and not allow_unused:
            raise RuntimeError(
                f"inputs[{i}] was not used to compute the outputs; allow_unused=True gives None for it, "
                "materialize_grads=True zeros"
            )
        results.append(None if dx is None else _own(dx, taken))
    return tuple(results)


def _walk(
    start: list[tuple[Target, Any]], wanted: set[Target] | None, retain_graph: bool | None, create_graph: bool
) -> dict[Target, Any]:
    """Propagate the gradients in `start` back through the graph; return those of all leaves, and of `wanted`.

    With `wanted`, operations that do not lead to it are skipped.
    """
    retain_graph = create_graph if retain_graph is None else retain_graph
    useful = None if wanted is None else leading_to(wanted, recorded_below([target for target, _ in start]))
    gradients: dict[Any, Any] = {}  # of the leaves and operations reached; a list for several outputs
    due: list[tuple[int, Function]] = []  # a heap of the operations reached: the one recorded last comes out first
    sums: set[Target] = set()  # targets whose gradient is a sum made here, which may be added to in place
    for target, dy in start:
        _add(gradients, due, sums, target, dy)
    found: dict[Target, Any] = {}
    before, grad_mode.enabled = grad_mode.enabled, create_graph
    try:
        while due:
            function = heappop(due)[1]
            dy = gradients.pop(function)
            if type(dy) is list:
                dy = tuple(dy)
            if function.hooks is not None:
                dy = hooks.call(function, dy)
            if wanted is not None:
                _keep(found, wanted, function, dy)
                if function not in useful:
                    continue
            function.check_saved()
            if create_graph:
                dxs = recorded_rule(function, dy)
            else:
                dxs = function.backward(dy, function.inputs, function.output)
            dxs = dxs if type(dxs) is tuple else (dxs,)
            if len(dxs) != len(function.edges):
                raise _wrong_number(function, len(dxs))
            for target, dx in zip(function.edges, dxs):
                if target is not None and dx is not None:
                    dx = _fit(dx, target, function)
                    dx = _wrap(dx) if create_graph and not isinstance(dx, Tensor) else dx
                    _add(gradients, due, sums, target, dx)
            if not retain_graph:
                function.free()
        for leaf in gradients:
            if leaf.hooks is not None and (wanted is None or leaf in wanted):
                gradients[leaf] = hooks.call(leaf, gradients[leaf])
    finally:
        grad_mode.enabled = before
    return {**gradients, **found} if found else gradients


def _wrong_number(function: Function, given: int) -> ValueError:
    return ValueError(
        f"backward of {type(function).__name__} gave {given} gradient(s) for {len(function.edges)} inputs; it must "
        "return one for each, None where there is none"
    )


def _add(gradients: dict, due: list, sums: set[Target], target: Target, dx: Any) -> None:
    """Add dx to the gradient of `target`; its first dx also puts its operation into `due`."""
    if type(target) is tuple:
        function, i = target
        if function not in gradients:
            gradients[function] = [None] * len(function.shape)
            heappush(due, (-function.number, function))
        parts = gradients[function]
        parts[i] = dx if parts[i] is None else parts[i] + dx
        return
    before = gradients.get(target)
    if before is not None:
        if target in sums and not isinstance(dx, Tensor):
            gradients[target] = plus(before, dx, in_place=True)
        else:
            gradients[target] = plus(before, dx)
            sums.add(target)
        return
    gradients[target] = dx
    if not isinstance(target, Tensor):
        heappush(due, (-target.number, target))


def _keep(found: dict, wanted: set[Target], function: Function, dy: Any) -> None:
    """Put into `found` the gradients of those outputs of an operation that are wanted."""
    parts = [((function, i), part) for i, part in enumerate(dy)] if type(dy) is tuple else [(function, dy)]
    for target, part in parts:
        if target in wanted and part is not None:
            found[target] = part


def _fit(dx: Any, target: Target, function: Function) -> Any:
    """dx in the shape and dtype of `target`: where the input was broadcast, summed over the broadcast axes."""
    if type(target) is tuple:
        shape, dtype = target[0].shape[target[1]], target[0].dtype[target[1]]
    else:
        y = target.data if isinstance(target, Tensor) else target
        shape, dtype = y.shape, y.dtype
    given = getattr(dx, "shape", None)
    if given != shape:
        added = -1 if given is None else len(given) - len(shape)
        if added < 0 or any(n not in (1, m) for n, m in zip(shape, given[added:])):
            raise ValueError(
                f"backward of {type(function).__name__} must give each input's gradient in its shape, or in one that "
                f"it was broadcast to: got {type(dx).__name__ if given is None else given} "
                f"for an input of shape {shape}"
            )
        dx = sum_to_shape(dx, shape)
    return dx if dx.dtype == dtype else dx.astype(dtype)


def sum_to_shape(dx: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of an array that was broadcast from `shape` to ``dx.shape``: dx summed over the broadcast axes."""
    added = dx.ndim - len(shape)
    stretched = tuple(added + i for i, n in enumerate(shape) if n == 1 and dx.shape[added + i] != 1)
    return reduced("sum", dx, tuple(range(added)) + stretched).reshape(shape)


def _start(
    outputs: Tensor | Sequence[Tensor], gradients: Any, create_graph: bool, name: str, argument: str
) -> list[tuple[Target, Any]]:
    """What `_walk` starts from: each output with its gradient, of those that the caller gave as `argument`."""
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if gradients is None:
        gradients = [None] * len(outputs)
    gradients = list(gradients) if isinstance(gradients, (list, tuple)) else [gradients]
    if len(gradients) != len(outputs):
        raise ValueError(f"{argument} must have one entry for each of the {len(outputs)} {name}, got {len(gradients)}")
    return [
        (target_of(output), _starting_gradient(output, dy, create_graph, f"{name}[{i}]", f"{argument}[{i}]"))
        for i, (output, dy) in enumerate(zip(outputs, gradients))
    ]


def _starting_gradient(output: Tensor, gradient: Any, create_graph: bool, name: str, argument: str) -> Any:
    """The gradient of `output`, called `name`, that the caller gave as `argument`; 1 where that is None."""
    if not output.requires_grad:
        raise RuntimeError(
            f"{name} must be a recorded result, but no tensor that it was computed from requires grad "
            "(or it was computed under no_grad)"
        )
    if gradient is None:
        if output.data.size != 1:
            raise RuntimeError(
                f"{argument} must be given for {name} of shape {output.shape}, in that shape; "
                "a loss is usually one number, for example y.sum() or y.mean()"
            )
        gradient = array_module(output.data).empty(output.shape, output.dtype)
        gradient.fill(1)  # in half the time of np.ones_like
    elif not isinstance(gradient, Tensor) and not is_array(gradient):
        gradient = np.asarray(gradient, output.dtype)
    if gradient.shape != output.shape:
        raise ValueError(f"{argument} must have the shape of {name}, {output.shape}, got {gradient.shape}")
    if gradient.dtype != output.dtype:
        gradient = gradient.astype(output.dtype)
    if create_graph:
        return gradient if isinstance(gradient, Tensor) else _wrap(gradient)
    return gradient.data if isinstance(gradient, Tensor) else gradient


def _own(dx: Any, taken: set[int]) -> Tensor:
    """dx, an array or a recorded Tensor, as a Tensor with memory of its own.

    Copied if it is a view, or if the id of its array is in `taken`; the copy of a recorded one is recorded too.
    """
    if not isinstance(dx, Tensor):
        dx = _wrap(np.asarray(dx) if isinstance(dx, np.generic) else dx)
    array = dx._data
    if id(array) in taken or array.base is not None or not array.flags.forc:
        with enable_grad():
            dx = dx.clone()
    taken.add(id(dx._data))
    return dx


def _arrays_in(start: list[tuple[Target, Any]]) -> set[int]:
    return {id(dy.data if isinstance(dy, Tensor) else dy) for _, dy in start}
