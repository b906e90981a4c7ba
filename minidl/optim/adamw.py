"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl.optim.adam import Adam


class AdamW(Adam):
    """AdamW: Adam with weight decay applied to the weights, not to the gradient.

        w  = w - lr * weight_decay * w
        m  = beta1 * m + (1 - beta1) * dw
        v  = beta2 * v + (1 - beta2) * dw^2
        h  = max(h, v)                                    with amsgrad; h replaces v below
        w  = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    In Adam, weight decay is divided by sqrt(v) like the gradient, so weights with large gradients decay least; here all
    decay at the same rate. Adam's weight decay is an L2 penalty; this is not.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019, algorithm 2.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr, betas, eps, amsgrad
        As in :class:`Adam`.
    weight_decay : float
        At each step, w is multiplied by 1 - lr * weight_decay.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> w = minidl.tensor([1.0], requires_grad=True)
    >>> optimizer = optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.85
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
