"""A watch over what the engine cannot see: arrays written to through ``.data`` between forward and backward."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

import numpy as np


class debug(ContextDecorator):
    """Inside this ``with``, ``backward`` is an error where an array that it saved has changed since, by whatever means.

    Changes by Tensor methods, optimizers and ``load_state_dict`` are always noticed; writing through ``x.data`` is not,
    for nothing tells the engine. This compares a checksum of all bytes: slow, for finding an error. Every operation
    also keeps its result, for :func:`trace` to show.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([1.0, 2.0], requires_grad=True)
    >>> with minidl.debug():
    ...     y = (x * x).sum()
    ...     x.data[0] = 5.0
    ...     y.backward()
    Traceback (most recent call last):
        ...
    RuntimeError: backward of Mul: an array that it saved was written to since, past the engine (through .data?)
    """

    active = False  # for all threads: a step recorded in one may be differentiated in another

    def _recreate_cm(self) -> debug:
        return debug()  # for each call of a decorated function its own

    def __enter__(self) -> None:
        self.outer, debug.active = debug.active, True

    def __exit__(self, *_: Any) -> None:
        debug.active = self.outer


def checksums(*groups: Any) -> list[int]:
    """One number for each array in the groups: of all its bytes."""
    arrays = [
        x for group in groups if group is not None for x in (group if isinstance(group, (list, tuple)) else [group])
    ]
    return [hash(np.asarray(x.get() if hasattr(x, "get") else x).tobytes()) for x in arrays if hasattr(x, "tobytes")]
