"""Dropout layers; the formula is in :mod:`minidl.functional.dropout`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.module import Module


class Dropout(Module):
    """In training, each number set to 0 with probability `p`, the others divided by 1 - p.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> minidl.manual_seed(1)
    >>> dropout = nn.Dropout(0.5)
    >>> dropout(minidl.ones(6))
    tensor([0., 2., 0., 2., 2., 0.])
    >>> dropout.eval()(minidl.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p must be a probability from 0 to 1, got {p}")
        self.p = p
        self.inplace = inplace  # accepted for PyTorch's sake; nothing is overwritten

    def forward(self, x: Any) -> Any:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(Dropout):
    """In training, each channel of each sequence set to 0 with probability `p`, the others divided by 1 - p.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> minidl.manual_seed(2)
    >>> nn.Dropout1d(0.5)(minidl.ones(1, 4, 2))
    tensor([[[0., 0.],
             [0., 0.],
             [2., 2.],
             [0., 0.]]])
    """

    def forward(self, x: Any) -> Any:
        return F.dropout1d(x, self.p, self.training)


class Dropout2d(Dropout):
    """In training, each channel of each image set to 0 with probability `p`, the others divided by 1 - p.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> y = nn.Dropout2d(0.5)(minidl.ones(1, 100, 3, 3))
    >>> y.amax((2, 3)).equal(y.amin((2, 3)))  # a channel is kept or lost as a whole
    True
    """

    def forward(self, x: Any) -> Any:
        return F.dropout2d(x, self.p, self.training)
