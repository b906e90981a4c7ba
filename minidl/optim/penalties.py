"""Penalties on large weights, to be added to the loss.

Over parameters of two or more dimensions (weights, not biases), as in Goodfellow et al., Deep Learning, 2016, 7.1:

    L1(lam):  lam * sum |w|           gradient lam * sign(w): pushes weights to 0 and keeps them near it
    L2(lam):  lam/2 * sum w^2         gradient lam * w: shrinks large weights most
"""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.autograd import Tensor


class _Penalty:
    """A subclass writes ``cost(w)``, what one weight array costs."""

    def __init__(self, lam: float):
        if lam < 0:
            raise ValueError(f"lam must not be negative, got {lam}")
        self.lam = lam

    def __call__(self, parameters: Any) -> Tensor:
        """The penalty of all weights of a model (anything with ``parameters()``), or of the given tensors.

        A ValueError if none of them has two or more dimensions.
        """
        if hasattr(parameters, "parameters"):
            parameters = parameters.parameters()
        weights = [parameter for parameter in parameters if parameter.ndim >= 2]
        if not weights:
            raise ValueError("no parameter has two or more dimensions, so there is nothing to penalize")
        total = self.cost(weights[0])
        for w in weights[1:]:
            total = total + self.cost(w)
        return total

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lam})"


class L1(_Penalty):
    """lam * sum |w| over the parameters of two or more dimensions: biases are left out.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optim.L1(0.5)([minidl.tensor([[1.0, -3.0]])])
    tensor(2.)
    """

    def cost(self, w: Tensor) -> Tensor:
        # lam * sum |w|
        return self.lam * F.abs(w).sum()


class L2(_Penalty):
    """lam/2 * sum w^2 over the parameters of two or more dimensions: biases are left out.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optim.L2(0.5)([minidl.tensor([[1.0, -3.0]])])
    tensor(2.5)
    """

    def cost(self, w: Tensor) -> Tensor:
        # lam/2 * sum w^2
        return self.lam / 2 * F.square(w).sum()
