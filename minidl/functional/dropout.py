"""Dropout: in training, numbers are set to 0 at random, so that no unit relies on another (Srivastava et al., 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import kernels, random
from minidl.autograd import Function
from minidl.functional.arithmetic import mul
from minidl.functional.operands import as_array, data_of, namespace

__all__ = ["dropout", "dropout1d", "dropout2d"]


def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """y = x * mask / (1 - p), where each number of the mask is 0 with probability p, else 1; x itself in evaluation.

    Dividing by 1 - p keeps the expected value, so that evaluation needs no change. The mask comes from the stream
    ``"dropout"`` of :mod:`minidl.random` and is the same for every memory order and device. Nothing is overwritten,
    even with `inplace`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.dropout(minidl.tensor([1.0, 2.0]), training=False)
    tensor([1., 2.])
    """
    return _drop(x, p, training)


def dropout1d(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Dropout of whole channels of sequences (N, C, L) or (C, L): what is near is alike, so it is dropped together."""
    if x.ndim not in (2, 3):
        raise ValueError(f"dropout1d: x must be (N, C, L) or (C, L), got shape {tuple(x.shape)}")
    return _drop_channels(x, 1, p, training)


def dropout2d(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Dropout of whole channels of images (N, C, H, W): neighbouring pixels are alike, so they are dropped together.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> y = F.dropout2d(minidl.ones(1, 100, 3, 3))
    >>> y.amax((2, 3)).equal(y.amin((2, 3)))  # a channel is kept or lost as a whole
    True
    """
    if x.ndim not in (3, 4):
        raise ValueError(f"dropout2d: x must be (N, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
    return _drop_channels(x, 2, p, training)


def _drop_channels(x: Any, axes: int, p: float, training: bool) -> Any:
    """Dropout with one number of the mask for all entries along the last `axes` axes."""
    if not training:
        return _drop(x, p, training)
    data = data_of(x)
    factors = _drop(namespace(data).ones((*x.shape[:-axes], *(1,) * axes), data.dtype), p, training)
    return mul(x, factors)


def _drop(x: Any, p: float, training: bool) -> Any:
    check_probability(p, "p")
    if not training or p == 0:
        return x
    if p == 1:
        return mul(x, 0)
    return Dropout(p, new_key())(x)


def check_probability(p: float, name: str) -> None:
    if not hasattr(p, "__float__") or not 0 <= p <= 1:
        raise ValueError(f"{name} must be a probability from 0 to 1, got {p!r}")


def new_key() -> int:
    """A key for random numbers that nothing else has, from the stream ``"dropout"``."""
    return int(random.generator("dropout").integers(0, 2**64, dtype=np.uint64))


class Dropout(Function):
    """y[i] = x[i] / (1 - p) where random number i of the key is at least p, else 0."""

    saves_inputs = False

    def __init__(self, p, key):
        self.p, self.key = p, key

    def forward(self, x):
        return kernels.dropout.forward(as_array(x), self.p, self.key)

    def backward(self, dy, inputs, output):
        # dy/dx is what x was multiplied by: the same mask again
        return Dropout(self.p, self.key)(dy)
