"""Whether operations are recorded: a switch that each thread has for itself, on by default."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from typing import Any


class _GradMode(threading.local):
    enabled = True

    def __init__(self):
        self.outer: list[bool] = []  # the modes around the blocks that are open


grad_mode = _GradMode()


class GradModeBlock(ContextDecorator):
    """Record operations (``True``) or not (``False``) inside a ``with`` block or a decorated function."""

    def __init__(self, enabled: bool):
        self.enabled = bool(enabled)

    def _recreate_cm(self) -> GradModeBlock:
        return GradModeBlock(self.enabled)  # one per call: a function may run in two threads at once

    def __call__(self, function: Callable) -> Callable:
        if not inspect.isgeneratorfunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        def generator(*arguments: Any, **options: Any) -> Iterator[Any]:
            values = function(*arguments, **options)
            go_on = functools.partial(next, values)
            while True:  # the mode applies inside the generator, not to the code that iterates over it
                with self._recreate_cm():
                    try:
                        value = go_on()
                    except StopIteration as end:
                        return end.value
                try:
                    go_on = functools.partial(values.send, (yield value))
                except GeneratorExit:
                    with self._recreate_cm():
                        values.close()
                    raise
                except BaseException as error:
                    go_on = functools.partial(values.throw, error)

        return generator

    def __enter__(self):
        grad_mode.outer.append(grad_mode.enabled)
        grad_mode.enabled = self.enabled

    def __exit__(self, *_):
        if grad_mode.outer:  # it is empty where a generator that another thread began is closed
            grad_mode.enabled = grad_mode.outer.pop()


class set_grad_enabled(GradModeBlock):
    """Record operations or not: from here on, or inside a ``with`` block or a decorated function.

    Examples
    --------
    >>> import minidl
    >>> before = minidl.is_grad_enabled()
    >>> _ = minidl.set_grad_enabled(False)  # from here on
    >>> with minidl.set_grad_enabled(True):
    ...     minidl.is_grad_enabled()
    True
    >>> minidl.is_grad_enabled()
    False
    >>> _ = minidl.set_grad_enabled(before)
    """

    def __init__(self, mode: bool):
        super().__init__(mode)
        self._before = grad_mode.enabled
        grad_mode.enabled = self.enabled

    def __enter__(self):
        grad_mode.outer.append(self._before)
        grad_mode.enabled = self.enabled

    def __call__(self, function: Callable) -> Callable:
        grad_mode.enabled = self._before
        return GradModeBlock(self.enabled)(function)


def no_grad(function: Callable | None = None) -> Any:
    """Compute without recording: for evaluation, and for changing parameters by hand.

    ``with no_grad():``, or ``@no_grad()`` or ``@no_grad`` over a function.

    Examples
    --------
    >>> import minidl
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> with minidl.no_grad():
    ...     (w * 2).requires_grad
    False
    """
    return GradModeBlock(False) if function is None else GradModeBlock(False)(function)


def inference_mode(mode: Any = True) -> Any:
    """The same as :func:`no_grad`, under the name that PyTorch programs use; with False, :func:`enable_grad`."""
    return no_grad(mode) if callable(mode) else GradModeBlock(not mode)


def enable_grad() -> GradModeBlock:
    """Record again inside a ``no_grad`` block."""
    return GradModeBlock(True)


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread now."""
    return grad_mode.enabled
