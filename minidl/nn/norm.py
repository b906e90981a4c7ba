"""Normalization layers; the formula is in :mod:`minidl.functional.norm`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.autograd import Tensor, no_grad
from minidl.nn import init
from minidl.nn.linear import new_parameter
from minidl.nn.module import Module


def _register_affine(module: Module, shape: tuple[int, ...], weight: bool, bias: bool) -> None:
    """The parameters of y = x * weight + bias, which start as 1 and 0; None for one that there is not."""
    module.register_parameter("weight", init.ones_(new_parameter(*shape)) if weight else None)
    module.register_parameter("bias", new_parameter(*shape) if bias else None)


def _as_tuple(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    one = isinstance(normalized_shape, (int, np.integer))
    return (int(normalized_shape),) if one else tuple(normalized_shape)


class _Affine(Module):
    """A layer whose weight starts as 1 and whose bias starts as 0, where it has them."""

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0 again."""
        for name, value in (("weight", 1), ("bias", 0)):
            if getattr(self, name, None) is not None:
                init.constant_(getattr(self, name), value)


class _BatchNorm(_Affine):
    """What BatchNorm1d and BatchNorm2d share: all but the dimensions of x."""

    dimensions: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        _register_affine(self, (num_features,), weight=affine, bias=affine)
        tracked = track_running_stats
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, np.float32)) if tracked else None)
        self.register_buffer("running_var", Tensor(np.ones(num_features, np.float32)) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.zeros((), np.int64)) if tracked else None)

    def reset_running_stats(self) -> None:
        """Start the running statistics anew: mean 0, variance 1, no batches."""
        if self.track_running_stats and self.running_mean is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0 again, and start the running statistics anew."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, x: Any) -> Any:
        if x.ndim not in self.dimensions:
            wanted = " or ".join(map(str, self.dimensions))
            raise ValueError(f"{type(self).__name__} needs x of {wanted} dimensions, got shape {tuple(x.shape)}")
        momentum = self.momentum
        # As PyTorch: track_running_stats = False, set later on, keeps the running statistics as they are.
        counts = self.training and self.track_running_stats and self.num_batches_tracked is not None
        if momentum is None:
            momentum = 1 / (self.num_batches_tracked.item() + 1) if counts else 0.0
        uses_batch = self.training or (self.running_mean is None and self.running_var is None)
        running = self.running_mean, self.running_var
        if self.training and not self.track_running_stats:
            running = None, None
        y = F.batch_norm(x, *running, self.weight, self.bias, uses_batch, momentum, self.eps)
        if counts:  # only now, because the batch may have been refused
            with no_grad():
                self.num_batches_tracked.assign_(self.num_batches_tracked.data + 1)
        return y

    def extra_repr(self) -> str:
        text = f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"
        return f"{text}, track_running_stats={self.track_running_stats}"


class BatchNorm1d(_BatchNorm):
    """As :class:`BatchNorm2d`, for x (N, C) or (N, C, L).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.BatchNorm1d(1)(minidl.tensor([[1.0], [3.0]]))
    tensor([[-1.],
            [ 1.]], origin=ChannelNorm)
    """

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each channel of images (N, C, H, W) brought to mean 0 and variance 1, then scaled and shifted.

    y = (x - mean) / sqrt(var + eps) * weight + bias; see :func:`minidl.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        Of the running statistics: (1 - momentum) * running + momentum * batch. None: the mean over all batches so far.
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        Keep running statistics for evaluation, which otherwise uses those of its batch. Set to False later on, they
        are still used for evaluation, but do not change any more.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.BatchNorm2d(3)(minidl.zeros(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    dimensions = (4,)


class LayerNorm(_Affine):
    """The numbers of the last axes, of sizes `normalized_shape`, brought to mean 0 and variance 1.

    Parameters
    ----------
    normalized_shape : int or sequence of int
    eps : float
    elementwise_affine : bool
        Whether there are a weight and a bias.
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.LayerNorm(2, elementwise_affine=False)(minidl.tensor([[1.0, 3.0]]))
    tensor([[-1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ):
        super().__init__()
        self.normalized_shape = _as_tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        _register_affine(self, self.normalized_shape, weight=elementwise_affine, bias=elementwise_affine and bias)

    def forward(self, x: Any) -> Any:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        return f"{text}, bias={self.bias is not None}"


class RMSNorm(_Affine):
    """The last axes divided by the root of their mean square; see :func:`minidl.functional.rms_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
    eps : float, optional
        Default: the spacing of the numbers at 1 in the dtype of x.
    elementwise_affine : bool
        Whether there is a weight.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.RMSNorm(2)(minidl.tensor([[3.0, 4.0]]))
    tensor([[0.8485, 1.1314]], origin=Mul)
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True
    ):
        super().__init__()
        self.normalized_shape = _as_tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = init.ones_(new_parameter(*self.normalized_shape)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def forward(self, x: Any) -> Any:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Affine):
    """Each of `num_groups` groups of channels of each image brought to mean 0 and variance 1.

    Parameters
    ----------
    num_groups, num_channels : int
        The first divides the second.
    eps : float
    affine : bool
        Whether there are a weight and a bias.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.GroupNorm(2, 4)(minidl.zeros(1, 4, 5, 5)).shape
    (1, 4, 5, 5)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"num_groups must divide num_channels, got {num_groups} and {num_channels}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        _register_affine(self, (num_channels,), weight=affine, bias=affine)

    def forward(self, x: Any) -> Any:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class _InstanceNorm(_Affine):
    """What InstanceNorm1d and InstanceNorm2d share: all but the dimensions of x."""

    dimensions = 0

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ):
        super().__init__()
        if track_running_stats:
            raise ValueError(f"{type(self).__name__} has no running statistics: track_running_stats must be False")
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        _register_affine(self, (num_features,), weight=affine, bias=affine)

    def forward(self, x: Any) -> Any:
        if x.ndim == self.dimensions - 1:  # one image, without a batch
            return self.forward(x[None])[0]
        if x.ndim != self.dimensions or x.shape[1] != self.num_features or math.prod(x.shape[2:]) == 1:
            raise ValueError(
                f"{type(self).__name__} needs x (N, {self.num_features}, ...) of {self.dimensions} dimensions, or one "
                f"image of it, and more than one number a channel, got shape {tuple(x.shape)}"
            )
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)

    extra_repr = _BatchNorm.extra_repr


class InstanceNorm1d(_InstanceNorm):
    """As :class:`InstanceNorm2d`, for x (N, C, L) or (C, L).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.InstanceNorm1d(2)(minidl.tensor([[[1.0, 3.0], [0.0, 20.0]]]))
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """

    dimensions = 3


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image brought to mean 0 and variance 1, in training and in evaluation.

    x has the shape (N, C, H, W), or (C, H, W) for one image.

    It is the :class:`GroupNorm` of as many groups as channels, and keeps no running statistics.

    Source: Ulyanov et al., Instance normalization: the missing ingredient for fast stylization, 2016.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
    momentum : float
        Has no effect: in PyTorch it is that of the running statistics.
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        False.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.InstanceNorm2d(2)(minidl.tensor([[[[1.0, 3.0]], [[10.0, 30.0]]]])).flatten()
    tensor([-1.,  1., -1.,  1.])
    """

    dimensions = 4
