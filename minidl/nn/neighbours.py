"""Fusion: neighbouring modules of a Sequential that one operation computes, by a table, and the switch to turn it off.

The result is that of the modules one after the other, up to rounding. They are called one by one wherever a program
could see what passes between them, or has changed it: with a hook on any of them, with a subclass, which may have
its own forward, and inside ``minidl.fusion(False)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from minidl import functional as F
from minidl.kernels import conv2d_relu_pool
from minidl.nn.activation import ReLU
from minidl.nn.conv import Conv2d
from minidl.nn.linear import Linear
from minidl.nn.module import Module
from minidl.nn.pool import MaxPool2d
from minidl.nn.resize import Upsample

_fusion: ContextVar[bool] = ContextVar("minidl_fusion", default=True)


@contextmanager
def fusion(enabled: bool) -> Iterator[None]:
    """Let ``nn.Sequential`` compute neighbours together (the default) or not, inside this ``with``.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> with minidl.fusion(False):
    ...     model(minidl.zeros(2, 1, 6, 6)).shape
    (2, 4, 2, 2)
    """
    token = _fusion.set(bool(enabled))
    try:
        yield
    finally:
        _fusion.reset(token)


class Neighbours(NamedTuple):
    """Modules of these types, in this order, are computed by `call(*modules, x)` if `fits(*modules)`."""

    types: tuple[type[Module], ...]
    fits: Callable[..., bool]
    call: Callable[..., Any]


def _fits_conv_relu(conv: Conv2d, relu: ReLU) -> bool:
    return not isinstance(conv.padding, str) and conv.padding_mode == "zeros"


def _fits_conv_relu_pool(conv: Conv2d, relu: ReLU, pool: MaxPool2d) -> bool:
    """Windows side by side, without padding, and small enough for the place of the maximum to fit a byte."""
    size, stride = _two(pool.kernel_size), _two(pool.stride)
    return (
        _fits_conv_relu(conv, relu)
        and stride == size
        and size[0] * size[1] <= conv2d_relu_pool.MAX_POOL_SIZE
        and pool.padding in (0, (0, 0))
        and pool.dilation in (1, (1, 1))
        and not pool.ceil_mode
        and not pool.return_indices
    )


def _two(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, (int, np.integer)) else tuple(size)


def _conv_relu(conv: Conv2d, relu: ReLU, x: Any) -> Any:
    geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
    return F.conv2d_relu_pool(x, conv.weight, conv.bias, 1, *geometry)


def _conv_relu_pool(conv: Conv2d, relu: ReLU, pool: MaxPool2d, x: Any) -> Any:
    geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
    return F.conv2d_relu_pool(x, conv.weight, conv.bias, pool.kernel_size, *geometry)


def _linear_relu(linear: Linear, relu: ReLU, x: Any) -> Any:
    return F.linear_relu(x, linear.weight, linear.bias)


def _fits_upsample_conv(upsample: Upsample, conv: Conv2d) -> bool:
    """Nearest upsampling by 2, and windows of 3 x 3 that keep the size."""
    return (
        upsample.mode == "nearest"
        and upsample.size is None
        and upsample.scale_factor in (2, (2, 2))
        and conv.kernel_size == (3, 3)
        and conv.padding in ((1, 1), "same")
        and (conv.stride, conv.dilation, conv.groups, conv.padding_mode) == ((1, 1), (1, 1), 1, "zeros")
    )


def _upsample_conv(upsample: Upsample, conv: Conv2d, x: Any) -> Any:
    return F.upsample_conv2d(x, conv.weight, conv.bias)


# The first row that matches is taken, so a longer group stands before one that it begins with.
NEIGHBOURS = (
    Neighbours((Conv2d, ReLU, MaxPool2d), _fits_conv_relu_pool, _conv_relu_pool),
    Neighbours((Conv2d, ReLU), _fits_conv_relu, _conv_relu),
    Neighbours((Linear, ReLU), lambda linear, relu: True, _linear_relu),
    Neighbours((Upsample, Conv2d), _fits_upsample_conv, _upsample_conv),
)
_ROWS = {first: [row for row in NEIGHBOURS if row.types[0] is first] for first in {row.types[0] for row in NEIGHBOURS}}


def call_in_order(modules: list[Module], x: Any) -> Any:
    """modules[-1](... modules[1](modules[0](x))), with the neighbours of the table computed together."""
    if not _fusion.get():
        for module in modules:
            x = module(x)
        return x
    types = tuple([type(module) for module in modules])
    i = 0
    while i < len(modules):
        row = _row_at(modules, types, i)
        if row is None:
            x = modules[i](x)
            i += 1
        else:
            x = row.call(*modules[i : i + len(row.types)], x)
            i += len(row.types)
    return x


def _row_at(modules: list[Module], types: tuple[type[Module], ...], i: int) -> Neighbours | None:
    """The row of the table that describes the modules from number `i` on, if they may be computed together."""
    for row in _ROWS.get(types[i], ()):
        end = i + len(row.types)
        if types[i:end] == row.types:  # not subclasses, which may compute something else
            group = modules[i:end]
            if row.fits(*group) and not _watched(group):
                return row
    return None


def _watched(group: list[Module]) -> bool:
    for module in group:
        hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
        if hooks or "forward" in module.__dict__:
            return True
    return False
