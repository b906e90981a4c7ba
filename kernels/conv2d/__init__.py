"""Convolution of images, and its two gradients.

What neural networks call convolution is cross-correlation: the weights are not flipped. With the notation
n image, k output channel, c input channel, i j output pixel, r s tap of the kernel:

    forward      y[n,k,i,j]  = b[k] + sum_c,r,s  x[n, c, i*stride + r*dilation - padding, j*...] * w[k,c,r,s]
    input_grad   dx[n,c,p,q] = sum over all (k, i, j, r, s) that read x[n,c,p,q]  of  dy[n,k,i,j] * w[k,c,r,s]
    weight_grad  dw[k,c,r,s] = sum_n,i,j  dy[n,k,i,j] * x[n, c, i*stride + r*dilation - padding, j*...]

x is 0 outside its borders. With groups, the channels are divided into equal groups, and group g of the output sees only
group g of the input. The three are linear in each argument, and the gradients of each are the other two.

The functions below check their arguments and return them, complete; the decorator `kernel` passes these to an
implementation and returns its result.

Shapes: x (N, C, H, W), w (K, C/groups, R, S), b (K,), y (N, K, OH, OW) with
OH = (H + 2*padding - dilation*(R-1) - 1) // stride + 1, and likewise OW.

Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016 (arXiv 1603.07285).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Pair, check_array, check_same_kind, pair
from ..registry import kernel


def output_size(
    input_size: Pair, kernel_size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1)
) -> Pair:
    """Return (OH, OW); raise ValueError where the kernel is larger than the padded input.

    >>> from minidl.kernels.conv2d import output_size
    >>> output_size((28, 28), (3, 3), padding=(1, 1))
    (28, 28)
    """
    sizes = []
    for n, r, step, pad, d in zip(input_size, kernel_size, stride, padding, dilation, strict=True):
        reach = d * (r - 1) + 1  # pixels from the first tap to the last
        if reach > n + 2 * pad:
            raise ValueError(
                f"kernel_size {kernel_size} with dilation {dilation} reaches over {reach} pixels, more than "
                f"the padded input has: input size {input_size}, padding {padding}"
            )
        # OH = (H + 2*padding - dilation*(R-1) - 1) // stride + 1
        sizes.append((n + 2 * pad - reach) // step + 1)
    return sizes[0], sizes[1]


@lru_cache(maxsize=1024)
def _check_shapes(x_shape, w_shape, stride, padding, dilation, groups) -> tuple[int, int, int, int]:
    """Return the shape of y, or raise if the shapes do not match. Cached, as a network asks the same at every step."""
    channels, (out_channels, group_channels, *kernel_size) = x_shape[1], w_shape
    if out_channels % groups or channels % groups:
        raise ValueError(f"groups must divide both channel counts, got groups={groups}, {channels} -> {out_channels}")
    if group_channels * groups != channels:
        last = x_shape[3] == group_channels * groups
        raise ValueError(
            f"x (N, C, H, W) must have the {group_channels * groups} channels that w (K, C/groups, R, S) is for with "
            f"groups={groups}, got x {x_shape} and w {w_shape}"
            + ("; a Tensor with the channels last is brought to this order by x.permute(0, 3, 1, 2)" if last else "")
        )
    if min(kernel_size) < 1:
        raise ValueError(f"the kernel must have at least one tap, got w {w_shape}")
    return (x_shape[0], out_channels, *output_size(x_shape[2:], tuple(kernel_size), stride, padding, dilation))


def _geometry(stride, padding, dilation, groups) -> tuple[Pair, Pair, Pair, int]:
    if not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ValueError(f"groups must be a positive integer, got {groups!r}")
    return pair(stride, "stride", 1), pair(padding, "padding"), pair(dilation, "dilation", 1), int(groups)


def check_forward(x: Any, w: Any, b: Any, stride, padding, dilation, groups) -> tuple:
    """Check the arguments; return stride, padding, dilation, groups and the shape of y."""
    check_array(x, "x", 4)
    check_array(w, "w", 4)
    check_same_kind(x, "x", w, "w")
    geometry = _geometry(stride, padding, dilation, groups)
    shape = _check_shapes(x.shape, w.shape, *geometry)
    if b is not None:
        check_array(b, "b", 1)
        check_same_kind(x, "x", b, "b")
        if b.shape[0] != w.shape[0]:
            raise ValueError(f"b must have one value for each of the {w.shape[0]} output channels, got shape {b.shape}")
    return *geometry, shape


@kernel
def forward(x: Any, w: Any, b: Any = None, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups: int = 1) -> Any:
    """Return the convolution of images `x` with kernels `w`; the formula stands at the top of this module.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (K, C/groups, R, S)
    b : array (K,), optional
    stride, padding, dilation : int or pair of int
        In pixels, vertical first.
    groups : int

    Returns
    -------
    array (N, K, OH, OW), channels last in memory

    Raises
    ------
    ValueError
        A stride or dilation below 1, a negative padding, groups that do not divide the channels, channel counts that
        disagree, a kernel larger than the padded input.
    TypeError
        Mixed dtypes, or something that is not an array.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> kernels.conv2d.forward(x, np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    *geometry, _ = check_forward(x, w, b, stride, padding, dilation, groups)
    return x, w, b, *geometry


@kernel
def input_grad(
    dy: Any, w: Any, input_size: Pair, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups: int = 1
) -> Any:
    """Return the gradient with respect to x (also known as transposed convolution).

    Parameters
    ----------
    dy : array (N, K, OH, OW)
    w : array (K, C/groups, R, S)
    input_size : pair of int
        (H, W) of x: where stride > 1, several sizes have the same OH and OW.
    stride, padding, dilation, groups
        As in `forward`.

    Returns
    -------
    array (N, C, H, W), channels last in memory

    Raises
    ------
    ValueError, TypeError
        As `forward`; also where `dy` is not of the shape that `forward` gives for `input_size`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.conv2d.input_grad(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), (3, 3))
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    check_array(dy, "dy", 4)
    check_array(w, "w", 4)
    check_same_kind(dy, "dy", w, "w")
    geometry = _geometry(stride, padding, dilation, groups)
    input_size = pair(input_size, "input_size")
    expected = _check_shapes((dy.shape[0], w.shape[1] * groups, *input_size), w.shape, *geometry)
    if dy.shape != expected:
        raise ValueError(f"dy must have shape {expected} for input_size {input_size} and w {w.shape}, got {dy.shape}")
    return dy, w, input_size, *geometry


@kernel
def weight_grad(
    x: Any, dy: Any, kernel_size: Pair, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups: int = 1
) -> Any:
    """Return the gradient with respect to w.

    Parameters
    ----------
    x : array (N, C, H, W)
    dy : array (N, K, OH, OW)
    kernel_size : pair of int
        (R, S).
    stride, padding, dilation, groups
        As in `forward`.

    Returns
    -------
    array (K, C/groups, R, S), C-contiguous

    Raises
    ------
    ValueError, TypeError
        As `forward`; also where `dy` is not of the shape that `forward` gives for `x` and `kernel_size`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> kernels.conv2d.weight_grad(x, np.ones((1, 1, 2, 2)), (2, 2))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    check_array(x, "x", 4)
    check_array(dy, "dy", 4)
    check_same_kind(x, "x", dy, "dy")
    geometry = _geometry(stride, padding, dilation, groups)
    kernel_size = pair(kernel_size, "kernel_size", 1)
    w_shape = (dy.shape[1], x.shape[1] // groups, *kernel_size)
    expected = _check_shapes(x.shape, w_shape, *geometry)
    if dy.shape != expected:
        raise ValueError(f"dy must have shape {expected} for x {x.shape} and kernel_size {kernel_size}, got {dy.shape}")
    return x, dy, kernel_size, *geometry
