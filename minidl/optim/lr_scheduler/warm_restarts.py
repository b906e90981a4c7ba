"""CosineAnnealingWarmRestarts: cosines one after the other, each from the initial learning rate down."""

from __future__ import annotations

import math

from minidl.optim.lr_scheduler.base import LRScheduler
from minidl.optim.optimizer import Optimizer


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * s / T)) / 2, s epochs after the last restart.

    The first cosine has T = T_0 epochs; at every restart T is multiplied by T_mult.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017, equation 5.

    Parameters
    ----------
    optimizer : Optimizer
    T_0 : int
        Epochs to the first restart.
    T_mult : int
    eta_min : float
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> [schedule.step() or round(schedule.get_last_lr()[0], 3) for epoch in range(6)]
    [0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        for name, n in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(n, int) or n < 1:
                raise ValueError(f"{name} must be an integer from 1 up, got {n!r}")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self._ahead = 0.0  # how far into the epoch after last_epoch the last step(epoch) was
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: float, i: int) -> float:
        s, T = t % self.T_0 if self.T_mult == 1 else t, self.T_0
        while s >= T:
            s, T = s - T, T * self.T_mult
        # lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * s / T)) / 2
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * s / T)) / 2

    def start(self) -> None:
        self._ahead = 0.0
        super().start()

    def step(self, epoch: float | None = None) -> None:
        """Advance to the next epoch; or to `epoch`, such as ``epoch + batch / batches`` after every batch."""
        t = self.last_epoch + self._ahead + 1 if epoch is None else epoch
        if t < 0:
            raise ValueError(f"epoch must not be negative, got {epoch}")
        self._include_added_groups()
        self.last_epoch = math.floor(t)
        self._ahead = t - self.last_epoch
        self.set_lrs(t)
