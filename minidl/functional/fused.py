"""Fused operations: several layers at once; ``nn.Sequential`` uses them where such layers follow each other.

Convolution, ReLU and max pooling:

    z = conv2d(x, w, b),    y = max_pool2d(relu(z), pool_size)

One after the other, these three write z, the largest array of a network, to memory and read it back, both forward and
backward. The kernel pools each part of z while it is in the cache and keeps only one byte for each y: see
``kernels/conv2d_relu_pool``.

A dense layer and ReLU:

    y = relu(x @ w.T + b)

The sums of the product start from the bias, and ReLU is applied before they are stored.

Nearest upsampling by 2 and a 3 x 3 convolution:

    y = conv2d(interpolate(x, scale_factor=2), w, b, padding=1)

Of the 9 pixels that a window sees, only 4 are different, so the weights that meet the same pixel of x are added up
first, once for all images. Row 2p of y sees the rows p-1, p, p of x, row 2p+1 the rows p, p, p+1:

    y[2p]   = w[0] x[p-1] + (w[1] + w[2]) x[p]        y[2p+1] = (w[0] + w[1]) x[p] + w[2] x[p+1]

and columns likewise. That is a transposed convolution of stride 2 with windows of 4 x 4 weights (`FOLD_ROWS` below) and
4/9 of the work. Source: Shi, Caballero, Theis et al., Is the deconvolution layer the same as a convolutional layer?,
2016 (arXiv 1609.07009).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.activation import ReluGrad
from minidl.functional.channels import channel_sum
from minidl.functional.conv import conv2d, conv2d_input_grad, conv2d_weight_grad, conv_transpose2d
from minidl.functional.linear import Linear, check_linear
from minidl.functional.operands import WEIGHT_AND_BIAS, namespace
from minidl.functional.pool import MaxScatter
from minidl.functional.resize import interpolate
from minidl.functional.shape import permute, squeeze, unsqueeze
from minidl.kernels import pair

__all__ = ["conv2d_relu_pool", "linear_relu", "upsample_conv2d"]

Size = int | tuple[int, int]


class Conv2dReluPool(Function):
    """y = max(0, the largest number of each window of conv2d(x, w) + b)."""

    def __init__(self, pool_size, **geometry):
        self.pool_size, self.geometry = pool_size, geometry  # stride, padding, dilation, groups

    def forward(self, x, w, b):
        y, self.saved = kernels.conv2d_relu_pool.forward(x, w, b, self.pool_size, **self.geometry)
        return y  # (N, K, OH // ph, OW // pw)

    def backward(self, dy, inputs, output):
        x, w, _ = inputs
        if isinstance(dy, Tensor) or not self.needs(1):
            return self._gradients_one_by_one(dy, x, w)
        return kernels.conv2d_relu_pool.backward(dy, self.saved, x, w, self.pool_size, self.needs(0), **self.geometry)

    def _gradients_one_by_one(self, dy, x, w):
        """The same gradients by operations that have derivatives themselves."""
        taps, none = self.saved, self.pool_size[0] * self.pool_size[1]
        positive = taps != none
        stride, padding, dilation, _ = self.geometry.values()
        conv_size = kernels.conv2d.output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
        # dz = dy at the tap of the maximum, where that was above 0; windows lie side by side
        window = (self.pool_size, self.pool_size, (0, 0), (1, 1))
        dz = MaxScatter(conv_size, taps * positive, window)(dy * positive.astype(dy.dtype))  # (N, K, OH, OW)
        dx = conv2d_input_grad(dz, w, x.shape[2:], **self.geometry) if self.needs(0) else None
        dw = conv2d_weight_grad(x, dz, w.shape[2:], **self.geometry) if self.needs(1) else None
        return dx, dw, channel_sum(dz) if self.needs(2) else None


def conv2d_relu_pool(
    x: Any,
    weight: Any,
    bias: Any = None,
    pool_size: Size = 1,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Any:
    """max_pool2d(relu(conv2d(x, w, b)), pool_size), without the memory that the convolution's output takes.

    y[n,k,i,j] = max(0, max over the taps (u, v) of the window of z[n, k, i*ph + u, j*pw + v]),  z = conv2d(x, w, b)

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    weight : (K, C/groups, R, S)
        w.
    bias : (K,), optional
        b.
    pool_size : int or (int, int)
        (ph, pw), at most 255 numbers. Windows do not overlap; 1 is no pooling.
    stride, padding, dilation, groups
        Of the convolution, as in :func:`conv2d`; the padding in numbers.

    Returns
    -------
    (N, K, OH // ph, OW // pw) or (K, OH // ph, OW // pw)
        With the output size (OH, OW) of :func:`conv2d`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([[[[1.0, 3.0, -2.0, -4.0]]]])
    >>> F.conv2d_relu_pool(x, minidl.tensor([[[[1.0]]]]), pool_size=(1, 2))
    tensor([[[[3., 0.]]]])
    """
    if x.ndim == 3:
        return squeeze(conv2d_relu_pool(unsqueeze(x, 0), weight, bias, pool_size, stride, padding, dilation, groups), 0)
    operation = Conv2dReluPool(
        pair(pool_size, "pool_size", 1),
        stride=pair(stride, "stride", 1),
        padding=pair(padding, "padding"),
        dilation=pair(dilation, "dilation", 1),
        groups=groups,
    )
    with WEIGHT_AND_BIAS:
        return operation(x, weight, bias)


class LinearRelu(Linear):
    """y[..., k] = max(0, sum_c x[..., c] * w[k, c] + b[k])."""

    relu = saves_output = True

    def backward(self, dy, inputs, output):
        # dz = dy where y > 0, of which dx, dw and db follow as without ReLU
        return super().backward(ReluGrad()(dy, output), inputs, None)


def linear_relu(x: Any, weight: Any, bias: Any = None) -> Any:
    """relu(linear(x, w, b)) in one pass.

    y[..., k] = max(0, sum_c x[..., c] * w[k, c] + b[k])

    Parameters
    ----------
    x : (..., C)
    weight : (K, C)
        w.
    bias : (K,), optional
        b.

    Returns
    -------
    (..., K)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.linear_relu(minidl.tensor([1.0, 2.0]), minidl.tensor([[3.0, 4.0], [-1.0, 0.0]]))
    tensor([11.,  0.])
    """
    check_linear(x, weight, bias, "linear_relu")
    return LinearRelu()(x, weight, bias)


# Along one axis, tap r of the transposed convolution is the sum of the taps t of w with FOLD_ROWS[r, t] = 1; along two,
# FOLD[(r, s), (t, u)] = FOLD_ROWS[r, t] * FOLD_ROWS[s, u].
FOLD_ROWS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
FOLD = np.kron(FOLD_ROWS, FOLD_ROWS)


class FoldTaps(Function):
    """v[k,c,(r,s)] = sum_(t,u) fold[(r,s),(t,u)] * w[k,c,(t,u)]; its adjoint is the same with the transposed matrix."""

    saves_inputs = False

    def __init__(self, fold):
        self.fold = fold

    def forward(self, w):
        fold = namespace(w).asarray(self.fold, dtype=w.dtype)
        size = math.isqrt(len(fold))
        v = kernels.matmul.forward(w.reshape(*w.shape[:2], len(fold.T)), fold.T)  # (K, C, (t, u)) -> (K, C, (r, s))
        return v.reshape(*w.shape[:2], size, size)

    def backward(self, dv, inputs, output):
        return FoldTaps(self.fold.T)(dv)


def upsample_conv2d(x: Any, weight: Any, bias: Any = None) -> Any:
    """conv2d(interpolate(x, scale_factor=2), weight, bias, padding=1) of 3 x 3 windows, for 4/9 of the multiplications.

    Of the 9 pixels of the larger image that a window sees, only 4 are different pixels of x. The weights that meet the
    same pixel are added up first. So the result is the same up to rounding, and for an infinite x it may be inf where
    the separate products give NaN (inf - inf, 0 * inf).

    Parameters
    ----------
    x : (N, C, H, W)
    weight : (K, C, 3, 3)
    bias : (K,), optional

    Returns
    -------
    (N, K, 2*H, 2*W)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.upsample_conv2d(minidl.tensor([[[[2.0]]]]), minidl.ones(1, 1, 3, 3))
    tensor([[[[8., 8.],
              [8., 8.]]]])
    """
    if weight.ndim != 4 or weight.shape[2:] != (3, 3):
        raise ValueError(f"upsample_conv2d: weight must be (K, C, 3, 3), got {tuple(weight.shape)}")
    if x.ndim != 4 or x.shape[1] != weight.shape[1] or x.dtype != weight.dtype:
        return conv2d(interpolate(x, scale_factor=2), weight, bias, padding=1)  # raises what is wrong
    return conv_transpose2d(x, permute(FoldTaps(FOLD)(weight), (1, 0, 2, 3)), bias, stride=2, padding=1)
