"""Pooling of sequences: they are images of height 1."""

from __future__ import annotations

from typing import Any

from minidl.functional.adaptive_pool import adaptive_avg_pool2d, adaptive_max_pool2d
from minidl.functional.pool import avg_pool2d, max_pool2d
from minidl.functional.shape import squeeze, unsqueeze
from minidl.kernels import single

__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d"]


def max_pool1d(
    x: Any,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[n,c,j] = max over s of x[n, c, j*stride + s*dilation - padding].

    Parameters
    ----------
    x : (N, C, W) or (C, W)
    kernel_size, stride, padding, dilation, ceil_mode
        As in :func:`max_pool2d`, along the one axis.
    return_indices : bool
        Also return the position of each maximum.

    Returns
    -------
    (N, C, OW) or (C, OW), and with `return_indices` integers of the same shape

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.max_pool1d(minidl.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    image = _as_image("max_pool1d", x)
    window = (1, single(kernel_size, "kernel_size", 1))
    steps = window if stride is None else (1, single(stride, "stride", 1))
    paddings, dilations = (0, single(padding, "padding")), (1, single(dilation, "dilation", 1))
    y = max_pool2d(image, window, steps, paddings, dilations, ceil_mode, return_indices)
    return tuple(squeeze(part, -2) for part in y) if return_indices else squeeze(y, -2)


def avg_pool1d(
    x: Any,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """y[n,c,j] = mean over s of x[n, c, j*stride + s - padding].

    Parameters
    ----------
    x : (N, C, W) or (C, W)
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As in :func:`avg_pool2d`, along the one axis.

    Returns
    -------
    (N, C, OW) or (C, OW)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.avg_pool1d(minidl.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    image = _as_image("avg_pool1d", x)
    window = (1, single(kernel_size, "kernel_size", 1))
    steps = window if stride is None else (1, single(stride, "stride", 1))
    y = avg_pool2d(image, window, steps, (0, single(padding, "padding")), ceil_mode, count_include_pad)
    return squeeze(y, -2)


def adaptive_avg_pool1d(x: Any, output_size: int) -> Any:
    """The mean of each of `output_size` windows that cover the sequence evenly, see :func:`adaptive_avg_pool2d`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.adaptive_avg_pool1d(minidl.tensor([[1.0, 2.0, 3.0, 6.0]]), 2)
    tensor([[1.5, 4.5]])
    """
    image = _as_image("adaptive_avg_pool1d", x)
    return squeeze(adaptive_avg_pool2d(image, (1, single(output_size, "output_size", 1))), -2)


def adaptive_max_pool1d(x: Any, output_size: int) -> Any:
    """The maximum of each of `output_size` windows that cover the sequence evenly, see :func:`adaptive_max_pool2d`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.adaptive_max_pool1d(minidl.tensor([[1.0, 2.0, 3.0, 6.0]]), 2)
    tensor([[2., 6.]])
    """
    image = _as_image("adaptive_max_pool1d", x)
    return squeeze(adaptive_max_pool2d(image, (1, single(output_size, "output_size", 1))), -2)


def _as_image(name: str, x: Any) -> Any:
    """x (N, C, W) or (C, W) with a height of 1."""
    if x.ndim not in (2, 3):
        raise ValueError(f"{name}: x must be (N, C, W) or (C, W), got shape {tuple(x.shape)}")
    return unsqueeze(x, -2)
