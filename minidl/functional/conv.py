"""Convolution: a small window of weights slides over an image and takes a weighted sum at every place.

    y[n,k,i,j] = b[k] + sum_c,r,s x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding] * w[k,c,r,s]

The sum is linear in x and in w, which makes three operations, each of which has the other two as gradients:

    y  = conv2d(x, w)                dx = conv2d_input_grad(dy, w)       dw = conv2d_weight_grad(x, dy)

The loops are in ``kernels/conv2d``. Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning,
2016 (arXiv 1603.07285).
"""

from __future__ import annotations

from typing import Any

from minidl import kernels
from minidl.autograd import Function
from minidl.functional.arithmetic import add
from minidl.functional.channels import channel_sum
from minidl.functional.operands import WEIGHT_AND_BIAS, ErrorsNaming
from minidl.functional.padding import pad
from minidl.functional.shape import reshape, squeeze, unsqueeze
from minidl.kernels import pair, plus

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad", "conv_transpose2d"]

Size = int | tuple[int, int]

TRANSPOSED = ErrorsNaming(dy="x", w="weight")  # its x is the dy of conv2d


class Conv2d(Function):
    """y = conv2d(x, w) + b."""

    def __init__(self, **geometry):
        self.geometry = geometry  # stride, padding, dilation, groups

    def forward(self, x, w, b):
        return kernels.conv2d.forward(x, w, b, **self.geometry)  # (N, K, OH, OW)

    def backward(self, dy, inputs, output):
        x, w, _ = inputs
        # dx[n,c,p,q] = sum over all (k,i,j,r,s) that read x[n,c,p,q]: dy[n,k,i,j] * w[k,c,r,s]
        dx = conv2d_input_grad(dy, w, x.shape[2:], **self.geometry) if self.needs(0) else None  # (N, C, H, W)
        # dw[k,c,r,s] = sum_n,i,j dy[n,k,i,j] * x[n,c,i*stride+r*dilation-padding,...]
        dw = conv2d_weight_grad(x, dy, w.shape[2:], **self.geometry) if self.needs(1) else None  # (K, C/groups, R, S)
        # db[k] = sum_n,i,j dy[n,k,i,j]
        return dx, dw, channel_sum(dy) if self.needs(2) else None


class Conv2dInputGrad(Function):
    """dx of conv2d, linear in dy and in w; conv_transpose2d computes it forward, with a bias b for each channel."""

    def __init__(self, input_size, **geometry):
        self.input_size, self.geometry = input_size, geometry

    def forward(self, dy, w, b):
        dx = kernels.conv2d.input_grad(dy, w, self.input_size, **self.geometry)
        if b is not None:
            dx = plus(dx.transpose(0, 2, 3, 1), b, in_place=True).transpose(0, 3, 1, 2)
        return dx

    def backward(self, ddx, inputs, output):
        dy, w, _ = inputs
        # dx meets dy and w in the sum exactly as x meets y and w in conv2d, so ddx takes the place of x there
        ddy = conv2d(ddx, w, **self.geometry) if self.needs(0) else None
        dw = conv2d_weight_grad(ddx, dy, w.shape[2:], **self.geometry) if self.needs(1) else None
        return ddy, dw, channel_sum(ddx) if self.needs(2) else None


class Conv2dWeightGrad(Function):
    """dw of conv2d: linear in x and in dy."""

    def __init__(self, kernel_size, **geometry):
        self.kernel_size, self.geometry = kernel_size, geometry

    def forward(self, x, dy):
        return kernels.conv2d.weight_grad(x, dy, self.kernel_size, **self.geometry)

    def backward(self, ddw, inputs, output):
        x, dy = inputs
        # ddw takes the place of w
        dx = conv2d_input_grad(dy, ddw, x.shape[2:], **self.geometry) if self.needs(0) else None
        ddy = conv2d(x, ddw, **self.geometry) if self.needs(1) else None
        return dx, ddy


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Any:
    """Slide windows of weights over images.

    y[n,k,i,j] = b[k] + sum_c,r,s x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding] * w[k,c,r,s]

    Parameters
    ----------
    x : (N, C, H, W)
        Images; (C, H, W) for a single one.
    weight : (K, C/groups, R, S)
        w, a window of R x S weights for each output channel k and input channel c.
    bias : (K,), optional
        b, added to each output channel.
    stride : int or (int, int)
        Pixels from one place of the window to the next, vertical first.
    padding : int, (int, int), "valid" or "same"
        Rows and columns of zeros put around x; "valid" is none, "same" is as many as keep H and W (stride 1).
    dilation : int or (int, int)
        Pixels from one tap of the window to the next.
    groups : int
        Output group g sees input group g only; C groups are a depthwise convolution.

    Returns
    -------
    (N, K, OH, OW) or (K, OH, OW)
        OH = (H + 2*padding - dilation*(R-1) - 1) // stride + 1, and OW likewise.

    Raises
    ------
    ValueError, TypeError
        Sizes that do not fit, a stride below 1, mixed dtypes: the message names the argument and the sizes.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([[[[1.0, 2.0, 4.0]]]])
    >>> F.conv2d(x, minidl.tensor([[[[-1.0, 1.0]]]]))
    tensor([[[[1., 2.]]]])
    """
    if x.ndim == 3:
        return squeeze(conv2d(unsqueeze(x, 0), weight, bias, stride, padding, dilation, groups), 0)
    if isinstance(padding, str):
        x, padding = _pad_by_name(x, weight, padding, stride, dilation)
    operation = Conv2d(stride=stride, padding=padding, dilation=dilation, groups=groups)
    with WEIGHT_AND_BIAS:
        return operation(x, weight, bias)


def conv2d_input_grad(
    dy: Any,
    w: Any,
    input_size: tuple[int, int],
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Any:
    """dx[n,c,p,q] = sum over all (k,i,j,r,s) that read x[n,c,p,q] of dy[n,k,i,j] * w[k,c,r,s].

    Parameters
    ----------
    dy : (N, K, OH, OW)
    w : (K, C/groups, R, S)
    input_size : (H, W)
        Of the x that gave y.
    stride, padding, dilation, groups
        As in :func:`conv2d`; the padding in numbers.

    Returns
    -------
    (N, C, H, W)
    """
    operation = Conv2dInputGrad(tuple(input_size), stride=stride, padding=padding, dilation=dilation, groups=groups)
    return operation(dy, w, None)


def conv2d_weight_grad(
    x: Any,
    dy: Any,
    kernel_size: tuple[int, int],
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Any:
    """dw[k,c,r,s] = sum_n,i,j dy[n,k,i,j] * x[n, c, i*stride + r*dilation - padding, j*stride + s*dilation - padding].

    Parameters
    ----------
    x : (N, C, H, W)
    dy : (N, K, OH, OW)
    kernel_size : (R, S)
    stride, padding, dilation, groups
        As in :func:`conv2d`; the padding in numbers.

    Returns
    -------
    (K, C/groups, R, S)
    """
    return Conv2dWeightGrad(tuple(kernel_size), stride=stride, padding=padding, dilation=dilation, groups=groups)(x, dy)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Any:
    """The input gradient of conv2d as an operation: each pixel of x adds a window of weights, so images grow.

    y[n,k,p,q] = b[k] + sum of x[n,c,i,j] * w[c,k,r,s] over all (c,i,j,r,s)
                 with p = i*stride + r*dilation - padding, and q likewise

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    weight : (C, K/groups, R, S)
        w.
    bias : (K,), optional
        b.
    stride, padding, dilation, groups
        Those of the conv2d whose input gradient this is; the padding in numbers.
    output_padding : int or (int, int)
        More rows and columns at the end, fewer than stride or dilation: with a stride above 1, several input sizes of
        conv2d lead to the same output size, and this chooses one.

    Returns
    -------
    (N, K, OH, OW) or (K, OH, OW)
        OH = (H - 1)*stride - 2*padding + dilation*(R-1) + output_padding + 1, and OW likewise.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.conv_transpose2d(minidl.tensor([[[[1.0, 2.0]]]]), minidl.tensor([[[[1.0, 10.0]]]]), stride=2)
    tensor([[[[ 1., 10.,  2., 20.]]]])
    """
    w, b = weight, bias
    if x.ndim == 3:
        return squeeze(conv_transpose2d(unsqueeze(x, 0), w, b, stride, padding, output_padding, groups, dilation), 0)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[0]:
        raise ValueError(
            "conv_transpose2d: x must be (N, C, H, W) and weight (C, K/groups, R, S) with one C, "
            f"got {tuple(x.shape)} and {tuple(w.shape)}"
        )
    channels = w.shape[1] * groups
    if b is not None and (b.shape != (channels,) or b.dtype != x.dtype):
        raise ValueError(
            f"conv_transpose2d: bias must be ({channels},) of dtype {x.dtype}, got {tuple(b.shape)} of {b.dtype}"
        )
    strides, paddings = pair(stride, "stride", 1), pair(padding, "padding")
    dilations, extras = pair(dilation, "dilation", 1), pair(output_padding, "output_padding")
    size = []
    for n, r, step, border, d, extra in zip(x.shape[2:], w.shape[2:], strides, paddings, dilations, extras):
        if extra >= max(step, d):
            raise ValueError(
                f"output_padding must be below stride or dilation, got {output_padding} for {stride} and {dilation}"
            )
        # OH = (H - 1)*stride - 2*padding + dilation*(R-1) + output_padding + 1
        size.append((n - 1) * step - 2 * border + d * (r - 1) + extra + 1)
    if min(size) < 1:
        raise ValueError(f"conv_transpose2d: the output would have size {tuple(size)}; padding {padding} is too large")
    if extras[0] < strides[0] and extras[1] < strides[1]:
        operation = Conv2dInputGrad(tuple(size), stride=stride, padding=padding, dilation=dilation, groups=groups)
        with TRANSPOSED:
            return operation(x, w, b)
    # no conv2d has an input of this size: compute y without padding, then cut the padding off and append zeros
    whole = [n - extra + 2 * border for n, extra, border in zip(size, extras, paddings)]
    with TRANSPOSED:
        y = conv2d_input_grad(x, w, tuple(whole), stride, 0, dilation, groups)
    (top, left), (below, right) = paddings, (extra - border for extra, border in zip(extras, paddings))
    y = pad(y, (-left, right, -top, below))
    return y if b is None else add(y, reshape(b, (1, -1, 1, 1)))


def _pad_by_name(x: Any, w: Any, padding: str, stride: Size, dilation: Size) -> tuple[Any, Size]:
    """(x, padding) for the kernel; where "same" needs one row or column more at the end, x is padded here instead."""
    if padding == "valid":
        return x, 0
    if padding != "same":
        raise ValueError(f"padding must be integers, 'same' or 'valid', got {padding!r}")
    if pair(stride, "stride", 1) != (1, 1):
        raise ValueError(f"padding='same' needs stride 1, got {stride}; give the padding as numbers")
    # OH = H where the zeros before and after are dilation*(R-1) together
    total = [d * (r - 1) for d, r in zip(pair(dilation, "dilation", 1), w.shape[2:])]
    if total[0] % 2 == 0 and total[1] % 2 == 0:
        return x, (total[0] // 2, total[1] // 2)
    top, left = total[0] // 2, total[1] // 2
    return pad(x, (left, total[1] - left, top, total[0] - top)), 0
