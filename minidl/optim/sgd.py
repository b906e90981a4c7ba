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

    Textbooks write the momentum as an average from v = 0, v = beta * v + (1 - beta) * dw: with lr / (1 - beta) for
    their lr, ``dampening=0`` here takes the same steps. ``dampening=momentum`` differs from theirs only in the first
    step, where v = dw.

    Sources: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Sutskever et al., On the
    importance of initialization and momentum in deep learning, 2013.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr : float
        The length of a step, in units of the gradient.
    momentum : float
        How much of the last step's velocity is kept; 0 for none.
    dampening : float
        By how much the new gradient is reduced before it is added to the velocity.
    weight_decay : float
        The strength of the pull towards 0; for plain SGD the same as `optim.L2(weight_decay)` on the same parameters.
    nesterov : bool
        Look ahead: step by the gradient and the new velocity together.

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
        # v = dw at a parameter's first step: the formula from v = 0 without dampening
        first = [parameter for parameter in parameters if self.state.get(parameter, {}).get("momentum_buffer") is None]
        if first and group["dampening"]:
            self._step(first, 0.0, options)
            parameters = [parameter for parameter in parameters if parameter not in set(first)]
        if parameters:
            self._step(parameters, group["dampening"], options)

    def _step(self, parameters: list[Tensor], dampening: float, options: dict[str, Any]) -> None:
        (vs,) = self.states_of(parameters, "momentum_buffer")
        kernels.optimizers.sgd_step(*arrays_of(parameters), vs, dampening=dampening, **options)
