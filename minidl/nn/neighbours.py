"""Neighbours in a Sequential that are computed together: one table, and the switch that turns it off.

The result is that of the modules one after the other. A group is taken apart wherever someone could see what passes
between its modules: under a forward hook on any of them, where a subclass has a forward of its own, and inside
``minidl.fusion(False)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from minidl import functional as F
from minidl.kernels import conv2d_relu_pool, pair
from minidl.nn.activation import ReLU
from minidl.nn.conv import Conv2d
from minidl.nn.module import Module
from minidl.nn.pool import MaxPool2d

_fusion: ContextVar[bool] = ContextVar("minidl_fusion", default=True)


@contextmanager
def fusion(enabled: bool) -> Iterator[None]:
    """Let ``nn.Sequential`` compute neighbours together (it does, unless told not to), inside this ``with``.

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
    return not isinstance(conv.padding, str)


def _fits_conv_relu_pool(conv: Conv2d, relu: ReLU, pool: MaxPool2d) -> bool:
    """Windows side by side, without a border, and few enough numbers in each for a byte to say which."""
    window, stride = pair(pool.kernel_size, "kernel_size", 1), pair(pool.stride, "stride", 1)
    return (
        _fits_conv_relu(conv, relu)
        and stride == window
        and window[0] * window[1] <= conv2d_relu_pool.MAX_POOL_SIZE
        and pair(pool.padding, "padding") == (0, 0)
        and pair(pool.dilation, "dilation", 1) == (1, 1)
        and not pool.ceil_mode
        and not pool.return_indices
    )


def _conv_relu(conv: Conv2d, relu: ReLU, x: Any) -> Any:
    geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
    return F.conv2d_relu_pool(x, conv.weight, conv.bias, 1, *geometry)


def _conv_relu_pool(conv: Conv2d, relu: ReLU, pool: MaxPool2d, x: Any) -> Any:
    geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
    return F.conv2d_relu_pool(x, conv.weight, conv.bias, pool.kernel_size, *geometry)


# The first row that matches is taken: longer ones stand before their beginnings.
NEIGHBOURS = (
    Neighbours((Conv2d, ReLU, MaxPool2d), _fits_conv_relu_pool, _conv_relu_pool),
    Neighbours((Conv2d, ReLU), _fits_conv_relu, _conv_relu),
)
_FIRST_TYPES = {row.types[0] for row in NEIGHBOURS}


def call_in_order(modules: list[Module], x: Any) -> Any:
    """modules[-1](... modules[1](modules[0](x))), with the neighbours of the table computed together."""
    if not _fusion.get():
        for module in modules:
            x = module(x)
        return x
    i = 0
    while i < len(modules):
        row = _row_at(modules, i) if type(modules[i]) in _FIRST_TYPES else None
        if row is None:
            x = modules[i](x)
            i += 1
        else:
            x = row.call(*modules[i : i + len(row.types)], x)
            i += len(row.types)
    return x


def _row_at(modules: list[Module], i: int) -> Neighbours | None:
    """The row of the table that describes the modules from number `i` on, if they may be computed together."""
    for row in NEIGHBOURS:
        group = modules[i : i + len(row.types)]
        # the very types: a subclass may compute something else
        if tuple(map(type, group)) == row.types and not any(map(_is_watched, group)) and row.fits(*group):
            return row
    return None


def _is_watched(module: Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__)
