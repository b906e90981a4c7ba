"""A border around a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl.autograd import Function
from minidl.functional.indexing import Index
from minidl.functional.joining import Cat
from minidl.functional.operands import apart, integers, namespace

__all__ = ["pad"]


class Pad(Function):
    """y = x with a border of a constant."""

    saves_inputs = False

    def __init__(self, widths, value):
        self.widths, self.value = widths, value

    def forward(self, x):
        self.saved = tuple([slice(low, low + n) for (low, _), n in zip(self.widths, x.shape)])
        shape = tuple([low + n + high for (low, high), n in zip(self.widths, x.shape)])
        y = namespace(x).empty(shape, x.dtype)
        y[...] = self.value
        y[self.saved] = x
        return y

    def backward(self, dy, inputs, output):
        # dx = dy without the border
        return dy[self.saved]


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Any:
    """x with a border. `pad` is (before, after) of the last axis, then of the one before it, and so on, as in PyTorch.

    Parameters
    ----------
    mode : {"constant", "reflect", "replicate", "circular"}
        What the border holds: `value`; x mirrored at its edge; the numbers at its edge repeated; x from its other end.

    Examples
    --------
    >>> import minidl.functional as F, minidl
    >>> F.pad(minidl.tensor([[1.0, 2.0]]), (1, 0))
    tensor([[0., 1., 2.]])
    """
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ValueError(f"mode must be 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    pad = integers("pad", pad)
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad needs two numbers for each of at most {x.ndim} axes, got {pad}")
    widths = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        widths[-1 - i] = pad[2 * i], pad[2 * i + 1]
    for axis, ((low, high), n) in enumerate(zip(widths, x.shape)):
        if n + min(low, 0) + min(high, 0) < 0 or (mode != "constant" and (low or high) and min(n, n + low + high) < 1):
            raise ValueError(f"padding {(low, high)} leaves nothing of axis {axis}, whose size is {n}")
        if mode == "reflect" and (low or high) and max(low, high) >= n:
            raise ValueError(f"reflect can pad axis {axis} of size {n} by less than its size, got {(low, high)}")
        if mode == "circular" and not 0 <= min(low, high) <= max(low, high) <= n:
            raise ValueError(f"circular can pad axis {axis} of size {n} by 0 up to its size, got {(low, high)}")
    border = [(max(low, 0), max(high, 0)) for low, high in widths]
    if mode == "constant":
        y = Pad(border, value)(x)
    else:
        y = x
        for axis, (low, high) in enumerate(border):
            y = _continued(y, axis, low, high, mode) if low or high else y
    if border != widths:  # a negative width cuts
        y = y[tuple(slice(max(0, -low), n - max(0, -high)) for (low, high), n in zip(widths, y.shape))]
    return apart(y, x)


def _continued(x: Any, axis: int, low: int, high: int, mode: str) -> Any:
    """x with `low` numbers before it and `high` behind it along an axis, where it goes on as the mode says."""
    n = x.shape[axis]

    def part(start: int, stop: int, step: int = 1) -> Any:
        return Index((slice(None),) * axis + (slice(start, stop, step),))(x)

    if mode == "replicate":
        return Cat(axis)(*[part(0, 1)] * low, x, *[part(n - 1, n)] * high)
    if mode == "circular":
        return Cat(axis)(part(n - low, n), x, part(0, high))
    # ... 2 1 | 0 1 ... n-1 | n-2 n-3 ...
    return Cat(axis)(part(low, 0, -1), x, part(-2, -2 - high, -1))
