"""Parameter, a tensor of a module that is to be trained."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Tensor


class Parameter(Tensor):
    """A Tensor to be trained: assigned to an attribute of a Module, it is one of its ``parameters()``.

    As in PyTorch, ``copy.deepcopy`` of a Parameter, and so of a model, leaves the gradient out; that of other leaves
    copies it.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> layer = nn.Module()
    >>> layer.scale = nn.Parameter(minidl.ones(2))
    >>> [name for name, _ in layer.named_parameters()]
    ['scale']
    """

    def __init__(self, data: Any, requires_grad: bool = True):
        super().__init__(data, requires_grad)

    def __deepcopy__(self, memo: dict) -> Parameter:
        memo[id(self)] = copy = type(self)(self.data.copy(), self.requires_grad)
        return copy

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
