"""Activation layers; the formulas are in :mod:`minidl.functional.activation`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import functional as F
from minidl.autograd import no_grad
from minidl.nn.module import Module, Parameter


class _Activation(Module):
    """The argument `inplace`, accepted for PyTorch's sake; nothing is overwritten."""

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace


class _AlongDim(Module):
    """The argument `dim`, of activations that combine the values along a dimension."""

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class ReLU(_Activation):
    """max(x, 0)."""

    def forward(self, x: Any) -> Any:
        return F.relu(x)


class LeakyReLU(_Activation):
    """x where x > 0, ``negative_slope * x`` elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x where x > 0, ``weight * x`` elsewhere, with a slope that is learned; see :func:`minidl.functional.prelu`.

    Parameters
    ----------
    num_parameters : int
        1 slope for all channels, or C of them.
    init : float
        What each slope starts with.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def reset_parameters(self) -> None:
        """Set each slope to its initial value again."""
        with no_grad():
            self.weight.fill_(self.init)

    def forward(self, x: Any) -> Any:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(_Activation):
    """x where x > 0, ``alpha * (e^x - 1)`` elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x * P(a standard normal number is below x), or its approximation by tanh; see :func:`minidl.functional.gelu`."""

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Hardtanh(_Activation):
    """x between `min_val` and `max_val`, these two beyond them."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__(inplace)
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """min(max(x, 0), 6)."""

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return ""


class Hardsigmoid(_Activation):
    """min(max(x + 3, 0), 6) / 6."""

    def forward(self, x: Any) -> Any:
        return F.hardsigmoid(x)


class Hardswish(_Activation):
    """x * hardsigmoid(x)."""

    def forward(self, x: Any) -> Any:
        return F.hardswish(x)


class SELU(_Activation):
    """scale * elu(x, alpha), which keeps mean 0 and variance 1; see :func:`minidl.functional.selu`."""

    def forward(self, x: Any) -> Any:
        return F.selu(x)


class Mish(_Activation):
    """x * tanh(softplus(x))."""

    def forward(self, x: Any) -> Any:
        return F.mish(x)


class GLU(_AlongDim):
    """a * sigmoid(b) of the two halves of x along `dim`; see :func:`minidl.functional.glu`."""

    def forward(self, x: Any) -> Any:
        return F.glu(x, self.dim)


class Sigmoid(Module):
    """1 / (1 + e^-x)."""

    def forward(self, x: Any) -> Any:
        return F.sigmoid(x)


class Tanh(Module):
    """(e^x - e^-x) / (e^x + e^-x)."""

    def forward(self, x: Any) -> Any:
        return F.tanh(x)


class SiLU(_Activation):
    """x * sigmoid(x)."""

    def forward(self, x: Any) -> Any:
        return F.silu(x)


class Softplus(Module):
    """log(1 + e^(beta * x)) / beta, and x where beta * x > `threshold`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module):
    """log(1 / (1 + e^-x))."""

    def forward(self, x: Any) -> Any:
        return F.log_sigmoid(x)


class Softmax(_AlongDim):
    """e^x[i] / sum_j e^x[j] along `dim`."""

    def forward(self, x: Any) -> Any:
        return F.softmax(x, self.dim)


class Softmin(Softmax):
    """e^-x[i] / sum_j e^-x[j] along `dim`."""

    def forward(self, x: Any) -> Any:
        return F.softmin(x, self.dim)


class Softmax2d(Module):
    """Softmax over the channels: of (N, C, H, W) or (C, H, W), for each pixel."""

    def forward(self, x: Any) -> Any:
        if x.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: x must be (N, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
        return F.softmax(x, -3)


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`."""

    def forward(self, x: Any) -> Any:
        return F.log_softmax(x, self.dim)
