"""Convolution layers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.kernels import pair, single
from minidl.nn.linear import init_as_torch, new_parameter
from minidl.nn.module import Module

Size = int | tuple[int, ...]


def _single(value: Size, name: str, minimum: int = 0) -> tuple[int]:
    """An argument of a convolution of sequences, in a tuple."""
    return (single(value, name, minimum),)


class _Conv(Module):
    """What all convolutions share: their sizes, weights and initial values."""

    transposed = False
    _sizes: Callable[..., tuple[int, ...]]  # of an argument such as `stride`: a pair, or for sequences a tuple of one

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ):
        super().__init__()
        kernel_size, stride = self._sizes(kernel_size, "kernel_size", 1), self._sizes(stride, "stride", 1)
        padding = padding if isinstance(padding, str) else self._sizes(padding, "padding")
        dilation = self._sizes(dilation, "dilation", 1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if not isinstance(channels, (int, np.integer)) or channels < 0:
                raise ValueError(f"{name} must be an integer from 0 up, got {channels!r}")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide in_channels and out_channels, got {groups}, {in_channels} and {out_channels}"
            )
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"padding must be an integer, a pair, 'same' or 'valid', got {padding!r}")
            if padding == "same" and any(step != 1 for step in stride):
                raise ValueError(f"padding='same' needs stride 1, got {stride}")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', got {padding_mode!r}"
            )
        self.in_channels, self.out_channels, self.padding_mode = in_channels, out_channels, padding_mode
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.groups = groups
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = new_parameter(first, second // groups, *kernel_size)
        self.register_parameter("bias", new_parameter(out_channels) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init_as_torch(self.weight, self.bias)

    def _padded(self, x: Any) -> tuple[Any, Any]:
        """x, and the zeros that the operation is to put around it; a border of anything else is put here."""
        if self.padding_mode == "zeros":
            return x, self.padding
        border = []  # (before, after) of the last axis first
        for i, size in reversed(list(enumerate(self.kernel_size))):
            if self.padding == "same":
                total = self.dilation[i] * (size - 1)
                border += [total // 2, total - total // 2]
            else:
                border += [0, 0] if self.padding == "valid" else [self.padding[i], self.padding[i]]
        return F.pad(x, border, self.padding_mode), 0

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in {"padding": 0, "dilation": 1, "output_padding": 0, "groups": 1}.items():
            value = getattr(self, name, default)  # only transposed convolutions have output_padding
            if value not in (default, (default,) * len(self.kernel_size)):
                text += f", {name}={value}"
        text += "" if self.bias is not None else ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class Conv2d(_Conv):
    """A window of weights slides over images; see :func:`minidl.functional.conv2d` for the formula.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int or (int, int)
    padding : int, (int, int), "valid" or "same"
    groups : int
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding holds: zeros, or what :func:`minidl.functional.pad` does in that mode.

    Examples
    --------
    >>> import minidl, numpy as np
    >>> from minidl import nn
    >>> nn.Conv2d(1, 8, 3, padding=1)(minidl.Tensor(np.zeros((2, 1, 28, 28), "float32"))).shape
    (2, 8, 28, 28)
    """

    _sizes = staticmethod(pair)

    def forward(self, x: Any) -> Any:
        x, padding = self._padded(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(_Conv):
    """What the transposed convolutions share: a choice among the output sizes that fit one input."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
    ):
        padding = self._sizes(padding, "padding")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.output_padding = self._sizes(output_padding, "output_padding")

    def _padding_for(self, x: Any, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The output_padding that makes y as large as `output_size`."""
        if output_size is None:
            return self.output_padding
        axes = len(self.kernel_size)
        try:
            wanted = tuple(map(operator.index, output_size))[-axes:]
        except TypeError:
            raise TypeError(f"output_size must be a tuple of integers, such as y.shape, got {output_size!r}") from None
        window = zip(self.stride, self.padding, self.dilation, self.kernel_size)
        # OH = (H - 1)*stride - 2*padding + dilation*(R-1) + output_padding + 1
        least = [
            (n - 1) * step - 2 * border + d * (r - 1) + 1 for n, (step, border, d, r) in zip(x.shape[-axes:], window)
        ]
        added = tuple(n - low for n, low in zip(wanted, least))
        if len(added) != axes or not all(0 <= more < step for more, step in zip(added, self.stride)):
            most = tuple(low + step - 1 for low, step in zip(least, self.stride))
            raise ValueError(f"output_size must be from {tuple(least)} to {most} for this x, got {wanted}")
        return added


class ConvTranspose2d(_ConvTranspose):
    """Each pixel adds a window of weights to y, so images grow; see :func:`minidl.functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding, output_padding, dilation : int or (int, int)
    groups : int
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ConvTranspose2d(2, 4, 2, stride=2)(minidl.zeros(1, 2, 5, 5)).shape
    (1, 4, 10, 10)
    """

    _sizes = staticmethod(pair)

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Any:
        """y, of the size that the layer's output_padding leads to, or of `output_size`: its last axes count."""
        extra = self._padding_for(x, output_size)
        return F.conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )


class Conv1d(_Conv):
    """A window of weights slides over sequences (N, C, W); see :func:`minidl.functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels, groups : int
    kernel_size, stride, dilation : int or (int,)
    padding : int, (int,), "valid" or "same"
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        As in :class:`Conv2d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Conv1d(2, 4, 3)(minidl.zeros(1, 2, 10)).shape
    (1, 4, 8)
    """

    _sizes = staticmethod(_single)

    def forward(self, x: Any) -> Any:
        x, padding = self._padded(x)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose1d(_ConvTranspose):
    """Each number adds a window of weights to y, so sequences grow; see :func:`minidl.functional.conv_transpose1d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding, output_padding, dilation : int or (int,)
    groups : int
    bias : bool

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ConvTranspose1d(2, 4, 2, stride=2)(minidl.zeros(1, 2, 5)).shape
    (1, 4, 10)
    """

    _sizes = staticmethod(_single)

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Any:
        """y, of the size that the layer's output_padding leads to, or of `output_size`: its last axes count."""
        extra = self._padding_for(x, output_size)
        return F.conv_transpose1d(
            x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )
