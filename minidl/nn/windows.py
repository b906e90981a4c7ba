"""Windows as columns and channels as pixels; the formulas are in :mod:`minidl.functional.windows`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.module import Module

Size = int | tuple[int, int]


class Unfold(Module):
    """The windows of images as columns; see :func:`minidl.functional.unfold`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Unfold(2)(minidl.zeros(1, 3, 5, 5)).shape  # (N, C*R*S, OH*OW)
    (1, 12, 16)
    """

    def __init__(self, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1):
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, x: Any) -> Any:
        return F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        text = f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}"
        return f"{text}, stride={self.stride}"


class Fold(Module):
    """Columns added up at the places of their windows; see :func:`minidl.functional.fold`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Fold(output_size=(3, 3), kernel_size=2)(minidl.ones(1, 4, 4))  # the windows that see each pixel
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """

    def __init__(self, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1):
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, x: Any) -> Any:
        return F.fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        text = f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}"
        return f"{text}, padding={self.padding}, stride={self.stride}"


class PixelShuffle(Module):
    """Each r*r channels as blocks of r x r pixels; see :func:`minidl.functional.pixel_shuffle`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.PixelShuffle(2)(minidl.zeros(1, 12, 5, 5)).shape
    (1, 3, 10, 10)
    """

    def __init__(self, upscale_factor: int):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x: Any) -> Any:
        return F.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Each block of r x r pixels as r*r channels; see :func:`minidl.functional.pixel_unshuffle`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.PixelUnshuffle(2)(minidl.zeros(1, 3, 10, 10)).shape
    (1, 12, 5, 5)
    """

    def __init__(self, downscale_factor: int):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, x: Any) -> Any:
        return F.pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
