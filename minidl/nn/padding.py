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
    """Zeros before and after sequences; `padding` is one width, or (left, right).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ZeroPad1d((1, 2))(minidl.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 1., 2., 3., 0., 0.]])
    """

    axes = 1


class ZeroPad2d(_Pad):
    """Zeros around images; `padding` is one width, or (left, right, top, bottom).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ZeroPad2d((1, 0, 0, 1))(minidl.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[0., 1., 2.],
             [0., 3., 4.],
             [0., 0., 0.]]])
    """


class ConstantPad1d(_Pad):
    """One `value` before and after sequences; `padding` is one width, or (left, right).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ConstantPad1d(1, value=9.0)(minidl.tensor([[1.0, 2.0, 3.0]]))
    tensor([[9., 1., 2., 3., 9.]])
    """

    axes = 1

    def __init__(self, padding: int | tuple[int, ...], value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """One `value` around images; `padding` is one width, or (left, right, top, bottom).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ConstantPad2d((1, 0, 1, 0), value=9.0)(minidl.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[9., 9., 9.],
             [9., 1., 2.],
             [9., 3., 4.]]])
    """

    axes = 2


class ReflectionPad1d(_Pad):
    """Sequences mirrored at their ends; `padding` is one width, or (left, right).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ReflectionPad1d(2)(minidl.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    mode, axes = "reflect", 1


class ReflectionPad2d(_Pad):
    """Images mirrored at their edges; `padding` is one width, or (left, right, top, bottom).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ReflectionPad2d((1, 0, 0, 1))(minidl.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2., 1., 2.],
             [4., 3., 4.],
             [2., 1., 2.]]])
    """

    mode = "reflect"


class ReplicationPad1d(_Pad):
    """The first and the last number of sequences repeated; `padding` is one width, or (left, right).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ReplicationPad1d(2)(minidl.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 1., 2., 3., 3., 3.]])
    """

    mode, axes = "replicate", 1


class ReplicationPad2d(_Pad):
    """The pixels at the edges of images repeated; `padding` is one width, or (left, right, top, bottom).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ReplicationPad2d((1, 0, 0, 1))(minidl.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[1., 1., 2.],
             [3., 3., 4.],
             [3., 3., 4.]]])
    """

    mode = "replicate"


class CircularPad1d(_Pad):
    """Sequences continued from their other end; `padding` is one width, or (left, right).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.CircularPad1d(1)(minidl.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    mode, axes = "circular", 1


class CircularPad2d(_Pad):
    """Images continued from their other side; `padding` is one width, or (left, right, top, bottom).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.CircularPad2d((1, 0, 0, 1))(minidl.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2., 1., 2.],
             [4., 3., 4.],
             [2., 1., 2.]]])
    """

    mode = "circular"
