"""Modules as functions of their parameters, as in torch.func."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from minidl.autograd import Tensor
from minidl.nn import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """``module(*args, **kwargs)``, computed with the given tensors in place of its parameters and buffers.

    Gradients flow to the given tensors, which may be results of recorded operations: a step of gradient descent that is
    differentiated itself (MAML, learning rates that are learned), weights that another network computes. The module has
    its own parameters again after the call. What is not given is the module's own.

    Parameters
    ----------
    module : Module
    parameter_and_buffer_dicts : dict of Tensor, or sequence of such
        By the names of ``named_parameters`` and ``named_buffers``. A tensor that the module has under several names is
        replaced under all of them.
    args : tuple, or one argument
    kwargs : dict, optional

    Raises
    ------
    KeyError
        A name that the module does not have.
    TypeError
        A value that is no Tensor.
    ValueError
        A name that is in two of the dicts.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> from minidl.func import functional_call
    >>> layer, x = nn.Linear(1, 1, bias=False), minidl.tensor([[2.0]])
    >>> w = minidl.tensor([[3.0]], requires_grad=True)
    >>> (dw,) = minidl.grad(functional_call(layer, {"weight": w}, x).square().sum(), w, create_graph=True)
    >>> w_after = w - 0.1 * dw  # w - 0.1 * 2 x^2 w = 0.2 w
    >>> functional_call(layer, {"weight": w_after}, x).backward()
    >>> w.grad
    tensor([[0.4]])
    """
    given = _joined(parameter_and_buffer_dicts)
    args = args if isinstance(args, tuple) else (args,)
    with _replaced(module, given):
        return module(*args, **(kwargs or {}))


def _joined(dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    given: dict[str, Tensor] = {}
    for each in [dicts] if isinstance(dicts, Mapping) else dicts:
        for name, value in each.items():
            if name in given:
                raise ValueError(f"parameter_and_buffer_dicts must name each tensor once, got {name!r} in two dicts")
            if not isinstance(value, Tensor):
                raise TypeError(f"parameter_and_buffer_dicts[{name!r}] must be a Tensor, got {type(value).__name__}")
            given[name] = value
    return given


@contextmanager
def _replaced(module: Module, given: dict[str, Tensor]) -> Iterator[None]:
    """A block in which the module has the given tensors."""
    places = {}  # by name: the table of a part of the module, and the name there
    for path, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            places |= {f"{path}.{name}" if path else name: (table, name) for name in table}
    for name in given:
        if name not in places:
            raise KeyError(f"{type(module).__name__} has no parameter and no buffer {name!r}, but {', '.join(places)}")
    own = {full_name: table[name] for full_name, (table, name) in places.items()}
    shared = {id(own[name]): value for name, value in given.items() if own[name] is not None}
    changed = [name for name, tensor in own.items() if name in given or id(tensor) in shared]
    try:
        for full_name in changed:
            table, name = places[full_name]
            table[name] = given.get(full_name, shared.get(id(own[full_name])))
        yield
    finally:
        for full_name in changed:
            table, name = places[full_name]
            table[name] = own[full_name]
