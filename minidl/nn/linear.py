"""Dense layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.kernels import aligned_empty
from minidl.nn import init
from minidl.nn.module import Module
from minidl.nn.parameter import Parameter


def new_parameter(*shape: int) -> Parameter:
    """A float32 parameter of zeros, for an initializer to fill."""
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in shape):
        raise ValueError(f"the sizes of a layer must be integers from 0 up, got weights of shape {shape}")
    data = aligned_empty(shape, np.float32)
    data.fill(0)
    return Parameter(data)


def init_as_torch(weight: Parameter, bias: Parameter | None) -> None:
    """PyTorch's default: weight and bias uniform in +-1 / sqrt(fan_in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))  # sqrt(2 / (1 + 5)) * sqrt(3 / fan_in) = 1 / sqrt(fan_in)
    if bias is not None:
        bound = 1 / math.sqrt(max(1, init.fan_in_and_out(weight)[0]))
        init.uniform_(bias, -bound, bound)


class Linear(Module):
    """y[..., k] = sum_c x[..., c] * weight[k, c] + bias[k]; see :func:`minidl.functional.linear`.

    Parameters
    ----------
    in_features, out_features : int
        C and K.
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Linear(3, 5)(minidl.tensor([[1.0, 2.0, 3.0]])).shape
    (1, 5)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = new_parameter(out_features, in_features)
        self.register_parameter("bias", new_parameter(out_features) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init_as_torch(self.weight, self.bias)

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """y = x. Takes and ignores any arguments, so that it can replace any layer.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Identity()(minidl.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class Bilinear(Module):
    """y[..., k] = sum_i,j x1[..., i] * weight[k, i, j] * x2[..., j] + bias[k]; see :func:`minidl.functional.bilinear`.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        I, J and K.
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Bilinear(3, 4, 5)(minidl.zeros(2, 3), minidl.zeros(2, 4)).shape
    (2, 5)
    """

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = new_parameter(out_features, in1_features, in2_features)
        self.register_parameter("bias", new_parameter(out_features) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in +-1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(max(1, self.in1_features))
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Flatten(Module):
    """Join the axes `start_dim` to `end_dim` into one: images (N, C, H, W) to rows (N, C*H*W).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Flatten()(minidl.zeros(2, 3, 4, 4)).shape
    (2, 48)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return F.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split axis `dim` into several of the sizes `unflattened_size`: rows (N, C*H*W) to images (N, C, H, W).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Unflatten(1, (3, 4, 4))(minidl.zeros(2, 48)).shape
    (2, 3, 4, 4)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Any:
        return F.unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
