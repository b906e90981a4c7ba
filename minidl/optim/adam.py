"""Adam: adaptive moment estimation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl import kernels
from minidl.autograd import Tensor
from minidl.optim.optimizer import Optimizer, arrays_of


class Adam(Optimizer):
    """Adam: momentum, with a step size for each number from the mean of its squared gradients.

        dw = dw + weight_decay * w
        m  = beta1 * m + (1 - beta1) * dw                 the mean of the gradients
        v  = beta2 * v + (1 - beta2) * dw^2               the mean of their squares
        h  = max(h, v)                                    with amsgrad; h replaces v below
        w  = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    The divisions by 1 - beta^t correct the bias of m and v, which start at 0. The weight decay is part of dw, so it is
    divided by sqrt(v) too; AdamW decays w itself instead.

    Sources: Kingma and Ba, Adam: a method for stochastic optimization, 2015, algorithm 1; for amsgrad Reddi, Kale and
    Kumar, On the convergence of Adam and beyond, 2018, algorithm 2.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr : float
        About the size of a step of each number.
    betas : (float, float)
        beta1 and beta2, the decay rates of the means m and v.
    eps : float
        Avoids a division by 0 where gradients are 0.
    weight_decay : float
        Added to the gradient as weight_decay * w.
    amsgrad : bool
        Divide by the root of the largest v so far, so that rare large gradients are not forgotten.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.9
    """

    not_negative = ("lr", "eps", "weight_decay")
    flags = ("amsgrad",)
    decoupled = False  # True: weight decay changes w, not dw (AdamW)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad))

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        betas = group["betas"]
        if not (isinstance(betas, (tuple, list)) and len(betas) == 2 and all(0 <= beta < 1 for beta in betas)):
            raise ValueError(f"betas must be two numbers from 0 up to 1, got {betas}")

    def update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        steps = self.next_steps(parameters)
        ms, vs = self.states_of(parameters, "exp_avg", "exp_avg_sq")
        hs = self.states_of(parameters, "max_exp_avg_sq")[0] if group["amsgrad"] else None
        beta1, beta2 = group["betas"]
        options = dict(lr=group["lr"], beta1=beta1, beta2=beta2, eps=group["eps"], weight_decay=group["weight_decay"])
        kernels.optimizers.adam_step(*arrays_of(parameters), ms, vs, steps, hs, decoupled=self.decoupled, **options)
        self.count_steps(parameters, steps)
