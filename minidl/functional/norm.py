"""Normalization: numbers brought to mean 0 and variance 1, over a batch, a layer or a group of channels.

    y = (x - mean) / sqrt(var + eps) * w + b

They differ only in which numbers share a mean: :class:`Normalize` is the formula and the gradient for any such set.
ChannelNorm (batch norm) and RowNorm (layer and group norm) compute the same by kernels.

Sources: Ioffe and Szegedy, Batch normalization, 2015; Ba et al., Layer normalization, 2016; Wu and He, Group
normalization, 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, Tensor
from minidl.functional.channels import channel_sum, per_channel
from minidl.functional.elementwise import rsqrt, square
from minidl.functional.operands import WEIGHT_AND_BIAS, ErrorsNaming, check_float, data_of
from minidl.functional.reduce import mean
from minidl.functional.shape import reshape

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]

EVALUATED = ErrorsNaming(m="running_mean", s="running_var or weight", b="bias")


class Normalize(Function):
    """y = (x - m) * r with m = mean(x), r = 1 / sqrt(mean((x - m)^2) + eps), both over the given axes."""

    def __init__(self, axes, eps):
        self.axes, self.eps = axes, eps

    def forward(self, x):
        m, r = self.saved = self.statistics(x)
        return (x - m) * r

    def statistics(self, x: Any) -> tuple[Any, Any]:
        """m and r, of an array or (recorded) of a Tensor."""
        m = axes_mean(x, self.axes)
        return m, rsqrt(axes_mean(square(x - m), self.axes) + self.eps)

    def backward(self, dy, inputs, output):
        (x,) = inputs
        m, r = self.statistics(x) if isinstance(x, Tensor) else self.saved
        y = (x - m) * r
        # x changes its own y directly, and all y of the set through m and r:
        # dx = r * (dy - mean(dy) - y * mean(dy * y))
        return r * (dy - axes_mean(dy, self.axes) - y * axes_mean(dy * y, self.axes))


class RootMeanSquareNorm(Function):
    """y = x * r with r = 1 / sqrt(mean(x^2) + eps), over the given axes."""

    def __init__(self, axes, eps):
        self.axes, self.eps = axes, eps

    def forward(self, x):
        self.saved = self.scale(x)
        return x * self.saved

    def scale(self, x: Any) -> Any:
        """r, of an array or (recorded) of a Tensor."""
        return rsqrt(mean(square(x), self.axes, keepdim=True) + self.eps)

    def backward(self, dy, inputs, output):
        (x,) = inputs
        r = self.scale(x) if isinstance(x, Tensor) else self.saved
        y = x * r
        # x changes its own y directly, and all y of the set through r: dx = r * (dy - y * mean(dy * y))
        return r * (dy - y * mean(dy * y, self.axes, keepdim=True))


class ChannelNorm(Function):
    """y = (x - m) * r * w + b, with m, r, w and b of each channel: batch norm."""

    def __init__(self, eps):
        self.eps = eps

    def forward(self, x, w, b):
        y, *self.saved = kernels.normalization.channel_forward(x, w, b, self.eps)  # m, v: (C,)
        return y

    def backward(self, dy, inputs, output):
        x, w, b = inputs
        if not isinstance(dy, Tensor):
            return kernels.normalization.channel_backward(dy, x, *self.saved, w, self.eps)
        # recorded, for second derivatives: by operations that have rules themselves
        normalize = Normalize((0, *range(2, x.ndim)), self.eps)
        dz = dy if w is None else dy * per_channel(w, x.ndim)
        dw = channel_sum(dy * normalize(x)) if w is not None else None
        dx = normalize.backward(dz, (x,), None) if self.needs(0) else None
        return dx, dw, channel_sum(dy) if b is not None else None


class GroupNorm(Function):
    """y = (x - m) * r * w + b, with m and r of each image and group of channels, w and b of each channel."""

    def __init__(self, groups, eps):
        self.groups, self.eps = groups, eps

    def forward(self, x, w, b):
        y, *self.saved = kernels.normalization.group_forward(x, self.groups, w, b, self.eps)  # m, v: (N, groups)
        return y

    def backward(self, dy, inputs, output):
        x, w, b = inputs
        if not isinstance(dy, Tensor):
            return kernels.normalization.group_backward(dy, x, *self.saved, w, self.eps)
        # recorded, for second derivatives: by operations that have rules themselves
        normalize, dx = Normalize((2,), self.eps), None
        rows = (x.shape[0], self.groups, x.shape[1] // self.groups * math.prod(x.shape[2:]))
        if self.needs(0):
            dz = dy if w is None else dy * per_channel(w, x.ndim)
            dx = reshape(normalize.backward(reshape(dz, rows), (reshape(x, rows),), None), x.shape)
        dw = channel_sum(dy * reshape(normalize(reshape(x, rows)), x.shape)) if w is not None else None
        return dx, dw, channel_sum(dy) if b is not None else None


class ChannelScale(Function):
    """y = (x - m) * s + b, with m, s and b of each channel, or without them."""

    def forward(self, x, m, s, b):
        return kernels.normalization.channel_scale(x, m, s, b)

    def backward(self, dy, inputs, output):
        x, m, s, b = inputs
        dm = ds = None
        # dx = dy * s, dm = -s * sum(dy), ds = sum(dy * (x - m)), db = sum(dy)
        dx = (dy if s is None else ChannelScale()(dy, None, s, None)) if self.needs(0) else None
        db = channel_sum(dy) if self.needs(1) or self.needs(3) else None
        if self.needs(1):
            dm = -db if s is None else -db * s
        if self.needs(2):
            d = x if m is None else ChannelScale()(x, m, None, None)
            ds = channel_sum(dy * d) if isinstance(dy, Tensor) else kernels.channel_sums.forward(dy, d)
        return dx, dm, ds, db


class RowNorm(Function):
    """y = (x - m) * r * w + b, with m and r over the last axes of x, w and b of their shape: layer norm in one."""

    def __init__(self, shape, eps):
        self.normalized_shape, self.eps = shape, eps

    def forward(self, x, w, b):
        w, b = (None if values is None else values.reshape(-1) for values in (w, b))
        y, *self.saved = kernels.normalization.row_forward(self.rows(x), w, b, self.eps)  # m, v: (M,)
        return y.reshape(x.shape)

    def rows(self, x: Any) -> Any:
        """x as (M, K), where K numbers share a mean."""
        columns = self.normalized_shape
        return reshape(x, (math.prod(x.shape[: x.ndim - len(columns)]), math.prod(columns)))

    def backward(self, dy, inputs, output):
        x, w, b = inputs
        if not isinstance(dy, Tensor):
            flat = None if w is None else w.reshape(-1)
            dx, dw, db = kernels.normalization.row_backward(self.rows(dy), self.rows(x), *self.saved, flat, self.eps)
            return dx.reshape(x.shape), dw.reshape(self.normalized_shape), db.reshape(self.normalized_shape)
        # recorded, for second derivatives: by operations that have rules themselves
        normalize = Normalize(tuple(range(-len(self.normalized_shape), 0)), self.eps)
        dx = normalize.backward(dy if w is None else dy * w, (x,), None) if self.needs(0) else None
        # of dw and db the engine takes the sum over the rows
        return dx, dy * normalize(x) if w is not None else None, dy if b is not None else None


def axes_mean(x: Any, axes: tuple[int, ...]) -> Any:
    """The mean over `axes`, kept with size 1; over all axes but the channels by a kernel, which rounds less."""
    if isinstance(x, Tensor) or x.ndim < 2 or axes != (0, *range(2, x.ndim)):
        return mean(x, axes, keepdim=True)
    channels = (1, -1) + (1,) * (x.ndim - 2)
    return kernels.channel_sums.forward(x).reshape(channels) / (x.size // max(1, x.shape[1]))


def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Normalize each channel: in training by the batch's mean and variance, in evaluation by the running ones.

    y[n,c,...] = (x[n,c,...] - m[c]) / sqrt(v[c] + eps) * weight[c] + bias[c]

    In training the running statistics are updated in place:
    running_mean = (1 - momentum) * running_mean + momentum * m, and running_var likewise by the unbiased variance
    v * n / (n - 1), where n counts the numbers of a channel.

    Parameters
    ----------
    x : (N, C) or (N, C, ...)
    running_mean, running_var : (C,), optional
        Without them the batch's statistics are used in evaluation too.
    weight, bias : (C,), optional

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> mean, var = minidl.zeros(1), minidl.ones(1)
    >>> F.batch_norm(minidl.tensor([[1.0], [3.0]]), mean, var, training=True)
    tensor([[-1.],
            [ 1.]])
    >>> mean, var
    (tensor([0.2]), tensor([1.1]))
    """
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x must be (N, C) or (N, C, ...), got shape {tuple(x.shape)}")
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, values in given.items():
        if values is not None and tuple(values.shape) != (x.shape[1],):
            raise ValueError(
                f"batch_norm: {name} must be ({x.shape[1]},) for x {tuple(x.shape)}, got {tuple(values.shape)}"
            )
    if not training and running_mean is not None and running_var is not None:
        r = rsqrt(running_var + eps)
        with EVALUATED:
            return ChannelScale()(x, running_mean, r if weight is None else r * weight, bias)
    count = x.shape[0] * math.prod(x.shape[2:])
    if training and count == 1:
        raise ValueError(f"batch_norm: training needs more than one number a channel, got x {tuple(x.shape)}")
    if count == 0:
        return x if weight is None and bias is None else ChannelScale()(x, None, weight, bias)
    norm = ChannelNorm(eps)
    with WEIGHT_AND_BIAS:
        y = norm(x, weight, bias)
    if training:
        m, v = norm.saved
        for running, batch in ((running_mean, m), (running_var, v * (count / (count - 1)))):
            if running is not None:
                _move_towards(running, batch, momentum)
    return y


def _move_towards(running: Any, batch: Any, momentum: float) -> None:
    """running = (1 - momentum) * running + momentum * batch, in place."""
    array = data_of(running)
    array *= 1 - momentum
    array += momentum * batch
    if isinstance(running, Tensor):
        running.changed()


def layer_norm(
    x: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Normalize the last axes of x together: y = (x - mean) / sqrt(var + eps) * weight + bias.

    Parameters
    ----------
    x : (..., *normalized_shape)
    normalized_shape : int or sequence of int
        Sizes of the axes that share a mean.
    weight, bias : normalized_shape, optional

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.layer_norm(minidl.tensor([[1.0, 3.0], [10.0, 30.0]]), 2)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    shape = _normalized_shape("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    with WEIGHT_AND_BIAS:
        return RowNorm(shape, eps)(x, weight, bias)


def rms_norm(x: Any, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """Divide the last axes of x by the root of their mean square: y = x / sqrt(mean(x^2) + eps) * weight.

    Parameters
    ----------
    x : (..., *normalized_shape)
    normalized_shape : int or sequence of int
        Sizes of the axes that are normalized together.
    weight : normalized_shape, optional
    eps : float, optional
        Default: the spacing of the numbers at 1 in the dtype of x.

    Notes
    -----
    Source: Zhang and Sennrich, Root mean square layer normalization, 2019.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.rms_norm(minidl.tensor([[3.0, 4.0], [30.0, 40.0]]), 2)
    tensor([[0.8485, 1.1314],
            [0.8485, 1.1314]])
    """
    shape = _normalized_shape("rms_norm", x, normalized_shape, weight=weight)
    check_float("rms_norm", x)
    eps = np.finfo(x.dtype).eps if eps is None else eps
    y = RootMeanSquareNorm(tuple(range(-len(shape), 0)), float(eps))(x)
    return y if weight is None else y * weight


def _normalized_shape(name: str, x: Any, normalized_shape: int | Sequence[int], **parameters: Any) -> tuple[int, ...]:
    """The sizes as a tuple, checked against x and the parameters."""
    shape = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else tuple(normalized_shape)
    if not shape or tuple(x.shape[x.ndim - len(shape) :]) != shape:
        raise ValueError(f"{name}: the last sizes of x {tuple(x.shape)} must be normalized_shape {shape}")
    for parameter, values in parameters.items():
        if values is not None and tuple(values.shape) != shape:
            raise ValueError(f"{name}: {parameter} must be normalized_shape {shape}, got {tuple(values.shape)}")
    return shape


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Normalize each of `num_groups` groups of channels of each image together.

    Parameters
    ----------
    x : (N, C, ...)
    num_groups : int
        Divides C; 1 is a layer norm over C and all pixels, C an instance norm.
    weight, bias : (C,), optional

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.group_norm(minidl.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.,  1., -1.,  1.]])
    """
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(f"group_norm: num_groups must divide the channels of x {tuple(x.shape)}, got {num_groups}")
    with WEIGHT_AND_BIAS:
        return GroupNorm(num_groups, eps)(x, weight, bias)


def instance_norm(
    x: Any,
    running_mean: None = None,
    running_var: None = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Bring each channel of each image to mean 0 and variance 1: the :func:`group_norm` of C groups.

    There are no running statistics: `running_mean`, `running_var`, `use_input_stats` and `momentum` stand here so that
    the arguments have PyTorch's order.

    Parameters
    ----------
    x : (N, C, ...)
    weight, bias : (C,), optional

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.instance_norm(minidl.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    if running_mean is not None or running_var is not None or not use_input_stats:
        raise ValueError("instance_norm has no running statistics: running_mean and running_var must be None")
    if x.ndim < 3 or math.prod(x.shape[2:]) == 1:
        raise ValueError(f"instance_norm: x must be (N, C, ...) with several numbers a channel, got {tuple(x.shape)}")
    return group_norm(x, x.shape[1], weight, bias, eps)
