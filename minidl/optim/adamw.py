"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl.optim.adam import Adam


class AdamW(Adam):
    """AdamW: Adam with weight decay apart from the gradient.

        w  = w - lr * weight_decay * w
        m  = beta1 * m + (1 - beta1) * dw
        v  = beta2 * v + (1 - beta2) * dw^2
        h  = max(h, v)                                    with amsgrad, and then h stands for v below
        w  = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    In Adam, a weight's decay is divided by the size of its gradients as the gradient is, so that weights with large
    gradients decay least; here all decay alike. It is not an L2 penalty, which is what Adam's own weight decay is.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019, algorithm 2.

    Parameters
    ----------
    params : iterable of Tensors or of dicts
    lr : float
        About the length of a step of each number.
    betas : (float, float)
        beta1 and beta2: how slowly the means of gradients and of their squares forget.
    eps : float
        Keeps the division from blowing up where gradients are 0.
    weight_decay : float
        The part of a weight, times lr, that goes at each step.
    amsgrad : bool
        As that of :class:`Adam`.

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
