"""Pooling layers; the formulas are in :mod:`minidl.functional.pool` and :mod:`minidl.functional.adaptive_pool`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.module import Module

Size = int | tuple[int, int]


class MaxPool2d(Module):
    """The maximum of each window; see :func:`minidl.functional.max_pool2d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.MaxPool2d(2)(minidl.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]))
    tensor([[[[3.]]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        text = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        return f"{text}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class AvgPool2d(Module):
    """The mean of each window; see :func:`minidl.functional.avg_pool2d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.AvgPool2d(2)(minidl.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]))
    tensor([[[[1.5]]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad

    def forward(self, x: Any) -> Any:
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean of each of `output_size` windows; see :func:`minidl.functional.adaptive_avg_pool2d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.AdaptiveAvgPool2d((2, 1))(minidl.zeros(1, 3, 7, 5)).shape
    (1, 3, 2, 1)
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]):
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return F.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """The maximum of each of `output_size` windows; see :func:`minidl.functional.adaptive_max_pool2d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.AdaptiveMaxPool2d(1)(minidl.zeros(1, 3, 7, 5)).shape
    (1, 3, 1, 1)
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]):
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return F.adaptive_max_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class MaxPool1d(MaxPool2d):
    """The maximum of each window of a sequence; see :func:`minidl.functional.max_pool1d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.MaxPool1d(2)(minidl.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    def forward(self, x: Any) -> Any:
        return F.max_pool1d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class AvgPool1d(AvgPool2d):
    """The mean of each window of a sequence; see :func:`minidl.functional.avg_pool1d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.AvgPool1d(2)(minidl.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def forward(self, x: Any) -> Any:
        return F.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AdaptiveAvgPool1d(AdaptiveAvgPool2d):
    """The mean of each of `output_size` windows; see :func:`minidl.functional.adaptive_avg_pool1d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.AdaptiveAvgPool1d(2)(minidl.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def forward(self, x: Any) -> Any:
        return F.adaptive_avg_pool1d(x, self.output_size)


class AdaptiveMaxPool1d(AdaptiveMaxPool2d):
    """The maximum of each of `output_size` windows; see :func:`minidl.functional.adaptive_max_pool1d`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.AdaptiveMaxPool1d(2)(minidl.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    def forward(self, x: Any) -> Any:
        return F.adaptive_max_pool1d(x, self.output_size)
