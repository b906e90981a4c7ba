"""Learning rates of the recipes, over all steps of a run."""

from __future__ import annotations

import math

from minidl.optim import Optimizer
from minidl.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler


def cosine(optimizer: Optimizer, steps: int) -> LRScheduler:
    """From lr down to 0 along half a cosine."""
    return CosineAnnealingLR(optimizer, T_max=steps)


def warm_up_and_cosine(optimizer: Optimizer, steps: int, warm_up: float = 0.2) -> LRScheduler:
    """Linearly up to lr during the first `warm_up` (a fraction) of the steps, then down to 0 along half a cosine.

    Source: Goyal et al., Accurate, large minibatch SGD, 2017, section 2.2; Loshchilov and Hutter, SGDR, 2017.
    """
    rising = max(1, round(warm_up * steps))

    def factor(t: int) -> float:
        if t < rising:
            return (t + 1) / rising
        return (1 + math.cos(math.pi * (t - rising) / max(1, steps - rising))) / 2

    return LambdaLR(optimizer, factor)
