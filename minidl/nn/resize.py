"""Images in another size; the formulas are in :mod:`minidl.functional.resize`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.module import Module


class Upsample(Module):
    """Images in another size, larger or smaller; see :func:`minidl.functional.interpolate`.

    Parameters
    ----------
    size : int or (int, int), optional
        Of the output; or instead
    scale_factor : float or (float, float), optional
    mode : {"nearest", "linear", "bilinear"}
    align_corners : bool, optional
    recompute_scale_factor : bool, optional

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Upsample(scale_factor=2)(minidl.tensor([[[1.0, 3.0]]]))
    tensor([[[1., 1., 3., 3.]]])
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        super().__init__()
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, x: Any) -> Any:
        return F.interpolate(
            x, self.size, self.scale_factor, self.mode, bool(self.align_corners), self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """``Upsample(mode="nearest")`` of images.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.UpsamplingNearest2d(scale_factor=2)(minidl.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[1., 1., 3., 3.],
              [1., 1., 3., 3.]]]])
    """

    def __init__(
        self, size: int | tuple[int, int] | None = None, scale_factor: float | tuple[float, float] | None = None
    ):
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """``Upsample(mode="bilinear", align_corners=True)`` of images.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.UpsamplingBilinear2d(size=(1, 3))(minidl.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[1., 2., 3.]]]])
    """

    def __init__(
        self, size: int | tuple[int, int] | None = None, scale_factor: float | tuple[float, float] | None = None
    ):
        super().__init__(size, scale_factor, "bilinear", align_corners=True)
