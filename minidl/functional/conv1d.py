"""Convolution of sequences: they are images of height 1."""

from __future__ import annotations

from typing import Any

from minidl.functional.conv import conv2d, conv_transpose2d
from minidl.functional.shape import squeeze, unsqueeze
from minidl.kernels import single

__all__ = ["conv1d", "conv_transpose1d"]


def conv1d(
    x: Any, weight: Any, bias: Any = None, stride: int = 1, padding: int | str = 0, dilation: int = 1, groups: int = 1
) -> Any:
    """conv2d of sequences, which are images of height 1.

    y[n,k,j] = b[k] + sum_c,s x[n, c, j*stride + s*dilation - padding] * w[k,c,s]

    Parameters
    ----------
    x : (N, C, W) or (C, W)
    weight : (K, C/groups, S)
        w.
    bias : (K,), optional
        b.
    stride, padding, dilation, groups
        As in :func:`conv2d`, along the one axis.

    Returns
    -------
    (N, K, OW) or (K, OW)
        OW = (W + 2*padding - dilation*(S-1) - 1) // stride + 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.conv1d(minidl.tensor([[[1.0, 2.0, 4.0]]]), minidl.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2.]]])
    """
    if weight.ndim != 3 or x.ndim not in (2, 3):
        raise ValueError(
            f"conv1d: x must be (N, C, W) or (C, W) and weight (K, C/groups, S), got {tuple(x.shape)} and "
            f"{tuple(weight.shape)}"
        )
    channels = weight.shape[1] * groups
    if x.shape[-2] != channels:
        raise ValueError(
            f"conv1d: x (N, C, W) must have the {channels} channels that weight (K, C/groups, S) is for with "
            f"groups={groups}, got x {tuple(x.shape)} and weight {tuple(weight.shape)}"
            + ("; x.transpose(-2, -1) brings it to this order" if x.shape[-1] == channels else "")
        )
    row = padding if isinstance(padding, str) else (0, single(padding, "padding"))
    y = conv2d(
        unsqueeze(x, -2),
        unsqueeze(weight, -2),
        bias,
        (1, single(stride, "stride", 1)),
        row,
        (1, single(dilation, "dilation", 1)),
        groups,
    )
    return squeeze(y, -2)


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
) -> Any:
    """conv_transpose2d of sequences: each number of x adds a window of weights, so sequences grow.

    y[n,k,q] = b[k] + sum of x[n,c,j] * w[c,k,s] over all (c,j,s) with q = j*stride + s*dilation - padding

    Parameters
    ----------
    x : (N, C, W) or (C, W)
    weight : (C, K/groups, S)
        w.
    bias : (K,), optional
        b.
    stride, padding, output_padding, groups, dilation
        As in :func:`conv_transpose2d`, along the one axis.

    Returns
    -------
    (N, K, OW) or (K, OW)
        OW = (W - 1)*stride - 2*padding + dilation*(S-1) + output_padding + 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.conv_transpose1d(minidl.tensor([[1.0, 2.0]]), minidl.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]])
    """
    if weight.ndim != 3 or x.ndim not in (2, 3) or x.shape[-2] != weight.shape[0]:
        raise ValueError(
            "conv_transpose1d: x must be (N, C, W) or (C, W) and weight (C, K/groups, S) with one C, got "
            f"{tuple(x.shape)} and {tuple(weight.shape)}"
        )
    y = conv_transpose2d(
        unsqueeze(x, -2),
        unsqueeze(weight, -2),
        bias,
        (1, single(stride, "stride", 1)),
        (0, single(padding, "padding")),
        (0, single(output_padding, "output_padding")),
        groups,
        (1, single(dilation, "dilation", 1)),
    )
    return squeeze(y, -2)
