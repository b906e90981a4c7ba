"""Borders around images and sequences; see :func:`minidl.functional.pad`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import functional as F
from minidl.nn.module import Module


class _Pad(Module):
    """A border around x; `padding` is one width for all sides, or one for each."""

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


class ZeroPad1d(_Pad):
    """Zeros before and after sequences; `padding` is one width, or (left, right)."""

    axes = 1


class ZeroPad2d(_Pad):
    """Zeros around images; `padding` is one width, or (left, right, top, bottom)."""


class ConstantPad1d(_Pad):
    """One `value` before and after sequences; `padding` is one width, or (left, right)."""

    axes = 1

    def __init__(self, padding: int | tuple[int, ...], value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """One `value` around images; `padding` is one width, or (left, right, top, bottom)."""

    axes = 2


class ReflectionPad1d(_Pad):
    """Sequences mirrored at their ends; `padding` is one width, or (left, right)."""

    mode, axes = "reflect", 1


class ReflectionPad2d(_Pad):
    """Images mirrored at their edges; `padding` is one width, or (left, right, top, bottom)."""

    mode = "reflect"


class ReplicationPad1d(_Pad):
    """The first and the last number of sequences repeated; `padding` is one width, or (left, right)."""

    mode, axes = "replicate", 1


class ReplicationPad2d(_Pad):
    """The pixels at the edges of images repeated; `padding` is one width, or (left, right, top, bottom)."""

    mode = "replicate"


class CircularPad1d(_Pad):
    """Sequences continued from their other end; `padding` is one width, or (left, right)."""

    mode, axes = "circular", 1


class CircularPad2d(_Pad):
    """Images continued from their other side; `padding` is one width, or (left, right, top, bottom)."""

    mode = "circular"
