"""Channels and their neighbours: each divided by those around it, or shuffled so that groups learn of each other."""

from __future__ import annotations

from typing import Any

from minidl.functional.elementwise import square
from minidl.functional.operands import integers
from minidl.functional.padding import pad
from minidl.functional.shape import reshape, swapaxes

__all__ = ["channel_shuffle", "local_response_norm"]


def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """y[c] = x[c] / (k + alpha / size * sum_j x[j]^2)^beta, with j the `size` channels around c.

    Source: Krizhevsky et al., ImageNet classification with deep convolutional neural networks, 2012, section 3.3 (where
    alpha is not divided by size).

    Parameters
    ----------
    x : (N, C, ...)
    size : int
        From c - size // 2 on; channels that are not there count as 0.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.local_response_norm(minidl.ones(1, 3, 1), size=3, alpha=3.0).flatten()
    tensor([0.4387, 0.3536, 0.4387])
    """
    (size,) = integers("size", size)
    if x.ndim < 3:
        raise ValueError(f"local_response_norm: x must be (N, C, ...) of 3 or more axes, got shape {tuple(x.shape)}")
    if size < 1:
        raise ValueError(f"local_response_norm: size must be at least 1, got {size}")
    squares = pad(square(x), (0, 0) * (x.ndim - 2) + (size // 2, (size - 1) // 2))
    total = squares[:, : x.shape[1]]
    for j in range(1, size):
        total = total + squares[:, j : j + x.shape[1]]
    return x / (k + total * (alpha / size)) ** beta


def channel_shuffle(x: Any, groups: int) -> Any:
    """Channel j of group i becomes channel i of group j: y[:, j * groups + i] = x[:, i * (C / groups) + j].

    After it, each group of a grouped convolution sees channels of all groups before.

    Source: Zhang et al., ShuffleNet, 2018, section 3.1.

    Parameters
    ----------
    x : (N, C, ...)
    groups : int
        Divides C.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.channel_shuffle(minidl.arange(6).reshape(1, 6, 1, 1), 2).flatten()
    tensor([0, 3, 1, 4, 2, 5])
    """
    (groups,) = integers("groups", groups)
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ValueError(
            f"channel_shuffle: x must be (N, C, ...) of 3 or more axes, with C a multiple of groups, got shape "
            f"{tuple(x.shape)} and {groups}"
        )
    n, c, *rest = x.shape
    return reshape(swapaxes(reshape(x, (n, groups, c // groups, *rest)), 1, 2), (n, c, *rest))
