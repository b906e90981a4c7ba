"""Channels that meet; the formulas are in :mod:`minidl.functional.neighbouring_channels`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.module import Module


class ChannelShuffle(Module):
    """The channels of all groups mixed; see :func:`minidl.functional.channel_shuffle`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> x = minidl.tensor([1, 2, 3, 4]).reshape(1, 4, 1, 1)  # groups 1 2, and 3 4
    >>> nn.ChannelShuffle(2)(x).flatten()
    tensor([1, 3, 2, 4])
    """

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, x: Any) -> Any:
        return F.channel_shuffle(x, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class LocalResponseNorm(Module):
    """Each channel divided by a power of the squares around it; see :func:`minidl.functional.local_response_norm`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.LocalResponseNorm(2)(minidl.ones(1, 4, 3, 3)).shape
    (1, 4, 3, 3)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Any) -> Any:
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
