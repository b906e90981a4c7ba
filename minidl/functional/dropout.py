"""Dropout: in training, numbers set to 0 at random, so that no unit relies on another (Srivastava et al., 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import random
from minidl.autograd import Tensor
from minidl.functional.elementwise import mul, namespace
from minidl.kernels import channels_last

__all__ = ["dropout", "dropout2d"]


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """y = x * mask / (1 - p), where each number of the mask is 0 with probability p, else 1; x itself in evaluation.

    Dividing by 1 - p keeps the expected value, so that evaluation needs no change. The mask comes from the stream
    ``"dropout"`` of :mod:`minidl.random`, the same for every memory order and device.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.dropout(minidl.tensor([1.0, 2.0]), training=False)
    tensor([1., 2.])
    """
    return _drop(x, p, training, tuple(x.shape))


def dropout2d(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Dropout of whole channels of images (N, C, H, W): neighbouring pixels are alike, so they go together."""
    if x.ndim not in (3, 4):
        raise ValueError(f"dropout2d: x must be (N, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
    return _drop(x, p, training, (*x.shape[:-2], 1, 1))


def _drop(x: Any, p: float, training: bool, mask_shape: tuple[int, ...]) -> Any:
    if not 0 <= p <= 1:
        raise ValueError(f"p must be a probability from 0 to 1, got {p}")
    if not training or p == 0:
        return x
    if p == 1:
        return mul(x, 0)
    data = x.data if isinstance(x, Tensor) else x
    keep = random.generator("dropout").random(mask_shape, dtype=np.float32) >= p
    mask = namespace(data).asarray(keep.astype(data.dtype) / data.dtype.type(1 - p))
    if mask.ndim == 4 and not data.flags.c_contiguous:
        mask = channels_last(mask)  # multiplying arrays of two memory orders is several times slower
    return mul(x, mask)
