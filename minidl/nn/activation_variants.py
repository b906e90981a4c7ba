"""More activation layers; the formulas are in :mod:`minidl.functional.activation_variants`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.activation import ELU
from minidl.nn.module import Module


class CELU(ELU):
    """x where x > 0, ``alpha * (e^(x / alpha) - 1)`` elsewhere."""

    def forward(self, x: Any) -> Any:
        return F.celu(x, self.alpha)


class Hardshrink(Module):
    """x where |x| > `lambd`, 0 elsewhere."""

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        return F.hardshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x moved towards 0 by `lambd`, and 0 where |x| is smaller."""

    def forward(self, x: Any) -> Any:
        return F.softshrink(x, self.lambd)


class Threshold(Module):
    """x where x > `threshold`, `value` elsewhere."""

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace  # inplace: as in ReLU

    def forward(self, x: Any) -> Any:
        return F.threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, x: Any) -> Any:
        return F.tanhshrink(x)
