"""Whether operations are recorded: a switch of each thread, on unless turned off."""

from __future__ import annotations

import threading
from contextlib import ContextDecorator


class _GradMode(threading.local):
    enabled = True


grad_mode = _GradMode()


class set_grad_enabled(ContextDecorator):
    """Record operations (``True``) or not (``False``) inside a ``with`` block or a decorated function."""

    def __init__(self, enabled: bool):
        self.enabled = bool(enabled)
        self._outer: list[bool] = []

    def __enter__(self):
        self._outer.append(grad_mode.enabled)
        grad_mode.enabled = self.enabled

    def __exit__(self, *_):
        grad_mode.enabled = self._outer.pop()


def no_grad() -> set_grad_enabled:
    """Compute without recording: for evaluation, and for changing parameters by hand.

    Examples
    --------
    >>> import minidl
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> with minidl.no_grad():
    ...     (w * 2).requires_grad
    False
    """
    return set_grad_enabled(False)


def enable_grad() -> set_grad_enabled:
    """Record again inside a ``no_grad`` block."""
    return set_grad_enabled(True)


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread now."""
    return grad_mode.enabled
