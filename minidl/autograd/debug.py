"""Debug mode: find arrays that were written to through ``.data`` between forward and backward."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

from minidl.autograd.arrays import is_array, to_device


class debug(ContextDecorator):
    """Inside this ``with``, ``backward`` raises if an array that it reads was changed since forward, by any means.

    Changes by Tensor methods, optimizers and ``load_state_dict`` are always noticed; writing through ``x.data`` is not,
    as the engine is not told. Here checksums of all bytes are compared, which is slow: use it to find a mistake. Every
    operation also keeps its result, for :func:`trace`.

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

    active = 0  # blocks that are open, in all threads: what one records another may differentiate

    def __enter__(self) -> None:
        debug.active += 1

    def __exit__(self, *_: Any) -> None:
        debug.active -= 1


def checksums(*groups: Any) -> list[int]:
    """A hash of the bytes of each array in the groups; a group is an array, a list or tuple of arrays, or None."""
    values = [x for group in groups for x in (group if isinstance(group, (list, tuple)) else [group])]
    return [hash(to_device(x, "cpu").tobytes()) for x in values if is_array(x)]
