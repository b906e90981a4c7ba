"""RMSprop: root mean square propagation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl import kernels
from minidl.autograd import Tensor
from minidl.optim.optimizer import Optimizer, arrays_of


class RMSprop(Optimizer):
    """RMSprop: the gradient, divided by the root of the moving mean of its squares.

        dw = dw + weight_decay * w
        v  = alpha * v + (1 - alpha) * dw^2
        g  = alpha * g + (1 - alpha) * dw              if centered; max(v - g^2, 0), the variance, replaces v below
        u  = dw / (sqrt(v) + eps)
        b  = momentum * b + u                          with momentum; b replaces u below
        w  = w - lr * u

    Sources: Tieleman and Hinton, Lecture 6.5 of Neural networks for machine learning, 2012; centered: Graves,
    Generating sequences with recurrent neural networks, 2013, equations 38-41.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr : float
        About the size of a step of each number.
    alpha : float
        The decay rate of the mean v.
    eps : float
        Avoids a division by 0 where gradients are 0.
    weight_decay : float
        Added to the gradient as weight_decay * w.
    momentum : float
        How much of the last step's velocity is kept; 0 for none.
    centered : bool
        Divide by the root of the variance instead of that of the mean square.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> optimizer = optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.8], dtype=float32)
    """

    not_negative = ("lr", "eps", "weight_decay", "momentum", "alpha")
    flags = ("centered",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ):
        defaults = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered)
        super().__init__(params, defaults)

    def update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        (vs,) = self.states_of(parameters, "square_avg")
        gs = self.states_of(parameters, "grad_avg")[0] if group["centered"] else None
        bs = self.states_of(parameters, "momentum_buffer")[0] if group["momentum"] else None
        options = {name: group[name] for name in ("lr", "alpha", "eps", "weight_decay", "momentum")}
        kernels.optimizers.rmsprop_step(*arrays_of(parameters), vs, gs, bs, **options)
        self.count_steps(parameters, self.next_steps(parameters))
