"""Adagrad: adaptive gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl import kernels
from minidl.autograd import Tensor
from minidl.optim.optimizer import Optimizer, arrays_of


class Adagrad(Optimizer):
    """Adagrad: the gradient, divided by the root of the sum of its squares so far.

        dw = dw + weight_decay * w
        s  = s + dw^2                                  s starts at initial_accumulator_value
        w  = w - lr / (1 + (t - 1) * lr_decay) * dw / (sqrt(s) + eps)

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, 2011.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr : float
        The size of the first step of each number.
    lr_decay : float
        How fast lr decays with the step number t.
    weight_decay : float
        Added to the gradient as weight_decay * w.
    initial_accumulator_value : float
        Initial value of the sums s.
    eps : float
        Avoids a division by 0 where gradients are 0.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.9], dtype=float32)
    """

    not_negative = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ):
        defaults = dict(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        super().__init__(params, defaults)

    def update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        steps = self.next_steps(parameters)
        (ss,) = self.states_of(parameters, "sum", initial=group["initial_accumulator_value"])
        options = {name: group[name] for name in ("lr", "lr_decay", "eps", "weight_decay")}
        kernels.optimizers.adagrad_step(*arrays_of(parameters), ss, steps, **options)
        self.count_steps(parameters, steps)
