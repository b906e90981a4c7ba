"""Sums of channels: over everything but the channel axis, accurate for any memory order."""

from __future__ import annotations

from typing import Any

from minidl import kernels
from minidl.autograd import Function
from minidl.functional.broadcast import broadcast_to
from minidl.functional.shape import reshape

__all__ = ["channel_sum"]


class ChannelSum(Function):
    """y[c] = sum of x[n, c, ...] over all axes but c."""

    saves_inputs = False

    def forward(self, x):
        self.saved = x.shape
        return kernels.channel_sums.forward(x)

    def backward(self, dy, inputs, output):
        # dy/dx = 1 for every x of the channel
        return broadcast_to(per_channel(dy, len(self.saved)), self.saved)


def channel_sum(x: Any) -> Any:
    """y[c] = sum of x[n, c, ...] over all axes but c.

    Parameters
    ----------
    x : (N, C, ...)

    Returns
    -------
    (C,)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.channel_sum(minidl.ones(2, 3, 4, 4))
    tensor([32., 32., 32.])
    """
    return ChannelSum()(x)


def per_channel(values: Any, ndim: int) -> Any:
    """`values` (C,) as (1, C, 1, ...), so that they meet the channels of a tensor of `ndim` axes."""
    return reshape(values, (1, -1) + (1,) * (ndim - 2))
