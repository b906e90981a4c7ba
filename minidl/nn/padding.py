"""Borders around images and sequences; see :func:`minidl.functional.pad`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import functional as F
from minidl.nn.module import Module


class _Pad(Module):
    """A border of `padding` numbers around WHAT.

    Parameters
    ----------
    padding : int, or PAIRS
        One width for all sides, or one for each.
    """

    mode, axes = "constant", 2
    value = 0.0

    def __init__(self, padding: int | tuple[int, ...]):
        super().__init__()
        widths = (padding,) if isinstance(padding, (int, np.integer)) else tuple(padding)
        if len(widths) not in (1, 2 * self.axes) or not all(isinstance(n, (int, np.integer)) for n in widths):
            raise ValueError(f"padding of {type(self).__name__} must be 1 or {2 * self.axes} integers, got {padding!r}")
        self.padding = widths * (2 * self.axes // len(widths))

    def forward(self, x: Any) -> Any:
        return F.pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return str(self.padding)


def _described(what: str, pairs: str) -> str:
    return _Pad.__doc__.replace("WHAT", what).replace("PAIRS", pairs)


_IMAGES = "(left, right, top, bottom)"
_SEQUENCES = "(left, right)"


class ZeroPad1d(_Pad):
    __doc__ = _described("sequences: zeros", _SEQUENCES)
    axes = 1


class ZeroPad2d(_Pad):
    __doc__ = _described("images: zeros", _IMAGES)


class ConstantPad1d(_Pad):
    __doc__ = _described("sequences: one `value`", _SEQUENCES)
    axes = 1

    def __init__(self, padding: int | tuple[int, ...], value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    __doc__ = _described("images: one `value`", _IMAGES)
    axes = 2


class ReflectionPad1d(_Pad):
    __doc__ = _described("sequences, mirrored at their ends", _SEQUENCES)
    mode, axes = "reflect", 1


class ReflectionPad2d(_Pad):
    __doc__ = _described("images, mirrored at their edges", _IMAGES)
    mode = "reflect"


class ReplicationPad1d(_Pad):
    __doc__ = _described("sequences: their first and last numbers, repeated", _SEQUENCES)
    mode, axes = "replicate", 1


class ReplicationPad2d(_Pad):
    __doc__ = _described("images: the pixels at their edges, repeated", _IMAGES)
    mode = "replicate"
