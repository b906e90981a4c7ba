"""Convolution, ReLU and max pooling as one operation.

    z = conv2d(x, w, b),    y = max_pool2d(relu(z), pool_size)

The three one after the other write z, the largest array of a network, to memory and read it back, forward and backward.
The kernel pools each part of z while it is in the cache and keeps one byte for each y instead: see
``kernels/conv2d_relu_pool``. ``nn.Sequential`` takes this operation for such neighbours by itself.
"""

from __future__ import annotations

from typing import Any

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.channels import channel_sum
from minidl.functional.conv import conv2d_input_grad, conv2d_weight_grad
from minidl.functional.pool import MaxScatter
from minidl.functional.shape import squeeze, unsqueeze
from minidl.kernels import pair

__all__ = ["conv2d_relu_pool"]

Size = int | tuple[int, int]


class Conv2dReluPool(Function):
    """y = max(0, the largest number of each window of conv2d(x, w) + b)."""

    def __init__(self, pool_size, **geometry):
        self.pool_size, self.geometry = pool_size, geometry  # stride, padding, dilation, groups

    def forward(self, x, w, b=None):
        y, self.saved = kernels.conv2d_relu_pool.forward(x, w, b, self.pool_size, **self.geometry)
        return y  # (N, K, OH // ph, OW // pw)

    def backward(self, dy, inputs, output):
        x, w = inputs[:2]
        if isinstance(dy, Tensor) or not self.needs(1):
            gradients = self._gradients_one_by_one(dy, x, w)
        else:
            gradients = kernels.conv2d_relu_pool.backward(
                dy, self.saved, x, w, self.pool_size, self.needs(0), **self.geometry
            )
        return gradients[: len(inputs)]

    def _gradients_one_by_one(self, dy, x, w):
        """The same by operations that have derivatives themselves."""
        taps, none = self.saved, self.pool_size[0] * self.pool_size[1]
        positive = taps != none
        conv_size = kernels.conv2d.output_size(x.shape[2:], w.shape[2:], *_sizes(self.geometry))
        # dz = dy at the tap of the maximum, where that was above 0; windows lie side by side
        window = (self.pool_size, self.pool_size, (0, 0), (1, 1))
        dz = MaxScatter(conv_size, taps * positive, window)(dy * positive.astype(dy.dtype))  # (N, K, OH, OW)
        dx = conv2d_input_grad(dz, w, x.shape[2:], **self.geometry) if self.needs(0) else None
        dw = conv2d_weight_grad(x, dz, w.shape[2:], **self.geometry) if self.needs(1) else None
        return dx, dw, channel_sum(dz)


def _sizes(geometry):
    return geometry["stride"], geometry["padding"], geometry["dilation"]


def conv2d_relu_pool(
    x: Any,
    w: Any,
    b: Any = None,
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
    w : (K, C/groups, R, S)
    b : (K,), optional
    pool_size : int or (int, int)
        (ph, pw), at most 255 numbers. Windows do not overlap; 1 is no pooling.
    stride, padding, dilation, groups
        Of the convolution, as in :func:`conv2d`; the padding in numbers.

    Returns
    -------
    (N, K, OH // ph, OW // pw)
        With the output size (OH, OW) of :func:`conv2d`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([[[[1.0, 3.0, -2.0, -4.0]]]])
    >>> F.conv2d_relu_pool(x, minidl.tensor([[[[1.0]]]]), pool_size=(1, 2))
    tensor([[[[3., 0.]]]])
    """
    if x.ndim == 3:
        return squeeze(conv2d_relu_pool(unsqueeze(x, 0), w, b, pool_size, stride, padding, dilation, groups), 0)
    operation = Conv2dReluPool(
        pair(pool_size, "pool_size", 1),
        stride=pair(stride, "stride", 1),
        padding=pair(padding, "padding"),
        dilation=pair(dilation, "dilation", 1),
        groups=groups,
    )
    return operation(x, w) if b is None else operation(x, w, b)
