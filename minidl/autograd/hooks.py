"""Hooks: functions that ``backward`` calls with a tensor's complete gradient; and ``retain_grad``.

They are stored in the attribute `hooks` of a leaf, or of the operation that computed the tensor: a dict
{(0, number of registration): (number of the output or None, hook)}, called in the order of its keys. ``retain_grad``
uses the key (1, number of the output), so that it keeps the gradient as all hooks have left it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from minidl.autograd.tensor import Tensor, _wrap, tensor_method

_numbers = count()


class HookHandle:
    """Removes a hook, by ``handle.remove()`` or at the end of a ``with`` block."""

    def __init__(self, hooks: dict, hook: Any, key: Any = None):
        self._hooks, self._key = hooks, next(_numbers) if key is None else key
        hooks[self._key] = hook

    def remove(self) -> None:
        """Call the hook no more."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


@tensor_method()
def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
    """Call ``hook(grad)`` in every ``backward`` through this tensor; its result, unless None, replaces the gradient.

    The hook must not change `grad` in place: others may use the same array.

    Returns
    -------
    HookHandle
        Its ``remove()`` removes the hook.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda grad: grad.clip(-3.0, 3.0))
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 3.])
    """
    if not callable(hook):
        raise TypeError(f"register_hook: hook must be a function of the gradient, got {type(hook).__name__}")
    holder, output = _place("register_hook", tensor)
    return HookHandle(_hooks_of(holder), (output, hook), (0, next(_numbers)))


@tensor_method()
def retain_grad(tensor: Tensor) -> None:
    """Let ``backward`` add the gradient of this tensor to its ``grad`` even though it is not a leaf."""
    holder, output = _place("retain_grad", tensor)
    if holder is tensor:
        return  # a leaf keeps its gradient
    reference = weakref.ref(tensor)  # weak: the operation holds the hook, and must not keep its own output alive

    def keep(dy: Tensor) -> None:
        tensor = reference()
        if tensor is not None:
            tensor.grad = dy.clone() if tensor.grad is None else tensor.grad + dy

    _hooks_of(holder)[1, output or 0] = output, keep


def retains_grad(tensor: Tensor) -> bool:
    """Whether ``retain_grad`` was called on a tensor that is not a leaf."""
    if tensor.origin is None:
        return False
    holder, output = _place("retains_grad", tensor)
    return (1, output or 0) in (holder.hooks or {})


Tensor.retains_grad = property(retains_grad)


def stop_retaining(tensor: Tensor) -> None:
    """Undo ``retain_grad``."""
    holder, output = _place("stop_retaining", tensor)
    del holder.hooks[1, output or 0]


def call(holder: Any, dy: Any) -> Any:
    """Apply the hooks of `holder` to dy: an array, a recorded Tensor, or a tuple of either."""
    for _, (output, hook) in sorted(holder.hooks.items(), key=lambda item: item[0]):
        if output is None:
            dy = _changed(hook, dy)
        elif dy[output] is not None:
            dy = (*dy[:output], _changed(hook, dy[output]), *dy[output + 1 :])
    return dy


def _changed(hook: Callable[[Tensor], Tensor | None], dy: Any) -> Any:
    recorded = isinstance(dy, Tensor)
    if isinstance(dy, np.generic):  # what NumPy makes of 0-d arrays
        dy = np.asarray(dy)
    changed = hook(dy if recorded else _wrap(dy))
    if changed is None:
        return dy
    if not isinstance(changed, Tensor) or changed.shape != dy.shape or changed.dtype != dy.dtype:
        raise TypeError(
            f"a hook must return None or a Tensor like the gradient, {dy.dtype} of shape {dy.shape}, got {changed!r}"
        )
    return changed if recorded else changed.data


def _place(name: str, tensor: Tensor) -> tuple[Any, int | None]:
    """The leaf or operation that holds a tensor's hooks, and the number of the output (None if it is the only one)."""
    if not tensor.requires_grad:
        raise RuntimeError(f"{name} needs a tensor that requires grad: this one never gets a gradient")
    if tensor.origin is None:
        return tensor, None
    return tensor.origin if type(tensor.origin) is tuple else (tensor.origin, None)


def _hooks_of(holder: Any) -> dict:
    if holder.hooks is None:
        holder.hooks = {}
    return holder.hooks
