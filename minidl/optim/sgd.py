"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl import kernels
from minidl.autograd import Tensor
from minidl.optim.optimizer import Optimizer, arrays_of


class SGD(Optimizer):
    """Stochastic gradient descent.

        dw = dw + weight_decay * w
        v  = momentum * v + (1 - dampening) * dw          (v = dw at the first step)
        w  = w - lr * v                                   with Nesterov: w - lr * (dw + momentum * v)

    Textbooks often define momentum as a moving average from v = 0, v = beta * v + (1 - beta) * dw. Their steps with lr
    are those of ``momentum=beta, dampening=0`` with (1 - beta) * lr here. ``dampening=momentum`` is their formula,
    except for the first step, where v = dw.

    Sources: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Sutskever et al., On the
    importance of initialization and momentum in deep learning, 2013.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr : float
        The learning rate: the size of a step in units of the gradient.
    momentum : float
        How much of the last step's velocity is kept; 0 for none.
    dampening : float
        The new gradient is multiplied by 1 - dampening before it is added to the velocity.
    weight_decay : float
        Added to the gradient as weight_decay * w: the gradient of `optim.L2(weight_decay)`, but of biases too.
    nesterov : bool
        Step by dw + momentum * v, the gradient and the new velocity, instead of v.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.8], dtype=float32)
    """

    not_negative = ("lr", "momentum", "weight_decay")
    flags = ("nesterov",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        defaults = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
        super().__init__(params, defaults)

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "nesterov needs a momentum above 0 and no dampening, "
                f"got momentum={group['momentum']} and dampening={group['dampening']}"
            )

    def update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        options = {name: group[name] for name in ("lr", "momentum", "weight_decay", "nesterov")}
        if not group["momentum"]:
            kernels.optimizers.sgd_step(*arrays_of(parameters), **options)
            return
        # v = dw at a parameter's first step: that is the formula with v = 0 and no dampening
        first = [parameter for parameter in parameters if "momentum_buffer" not in self.state[parameter]]
        later = [parameter for parameter in parameters if "momentum_buffer" in self.state[parameter]]
        for part, dampening in ((first, 0.0), (later, group["dampening"])):
            if part:
                (vs,) = self.states_of(part, "momentum_buffer")
                kernels.optimizers.sgd_step(*arrays_of(part), vs, dampening=dampening, **options)
