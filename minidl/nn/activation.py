"""Activation layers; the formulas are in :mod:`minidl.functional.activation`."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.autograd import no_grad
from minidl.nn.linear import new_parameter
from minidl.nn.module import Module


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
    """max(x, 0).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ReLU()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0., 0., 1.])
    """

    def forward(self, x: Any) -> Any:
        return F.relu(x)


class LeakyReLU(_Activation):
    """x where x > 0, ``negative_slope * x`` elsewhere.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.LeakyReLU(0.1)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.2,  0. ,  1. ])
    """

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

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.PReLU(init=0.5)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.,  0.,  1.], origin=Prelu)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = new_parameter(num_parameters)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set each slope to its initial value again."""
        with no_grad():
            self.weight.fill_(self.init)

    def forward(self, x: Any) -> Any:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(_Activation):
    """x where x > 0, ``alpha * (e^x - 1)`` elsewhere.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ELU()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.8647,  0.    ,  1.    ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x * P(a standard normal number is below x), or its approximation by tanh; see :func:`minidl.functional.gelu`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.GELU()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.0455,  0.    ,  0.8413])
    """

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Sigmoid(Module):
    """1 / (1 + e^-x).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Sigmoid()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1192, 0.5   , 0.7311])
    """

    def forward(self, x: Any) -> Any:
        return F.sigmoid(x)


class Tanh(Module):
    """(e^x - e^-x) / (e^x + e^-x).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Tanh()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.964 ,  0.    ,  0.7616])
    """

    def forward(self, x: Any) -> Any:
        return F.tanh(x)


class SiLU(_Activation):
    """x * sigmoid(x).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.SiLU()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.2384,  0.    ,  0.7311])
    """

    def forward(self, x: Any) -> Any:
        return F.silu(x)


class Softplus(Module):
    """log(1 + e^(beta * x)) / beta, and x where beta * x > `threshold`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Softplus()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1269, 0.6931, 1.3133])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module):
    """log(1 / (1 + e^-x)).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.LogSigmoid()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-2.1269, -0.6931, -0.3133])
    """

    def forward(self, x: Any) -> Any:
        return F.log_sigmoid(x)


class Softmax(_AlongDim):
    """e^x[i] / sum_j e^x[j] along `dim`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Softmax(dim=0)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0.0351, 0.2595, 0.7054])
    """

    def forward(self, x: Any) -> Any:
        return F.softmax(x, self.dim)


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.LogSoftmax(dim=0)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-3.349, -1.349, -0.349])
    """

    def forward(self, x: Any) -> Any:
        return F.log_softmax(x, self.dim)
