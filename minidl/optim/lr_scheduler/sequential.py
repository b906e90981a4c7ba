"""SequentialLR: one schedule after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from minidl.optim.lr_scheduler.base import LRScheduler, epochs_of
from minidl.optim.lr_scheduler.warm_restarts import CosineAnnealingWarmRestarts
from minidl.optim.optimizer import Optimizer


class SequentialLR(LRScheduler):
    """lr = that of schedulers[k] at epoch t - milestones[k - 1], where k is the number of milestones <= t.

    Each schedule starts from the initial learning rates, not from where the one before it ended.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of LRScheduler
        Schedules of the same optimizer that are formulas of the epoch: no ReduceLROnPlateau, OneCycleLR or CyclicLR.
    milestones : list of int
        The epochs at which the second, third ... schedule begins: one fewer than there are schedules.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> warm_up = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> fall = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> schedule = optim.lr_scheduler.SequentialLR(optimizer, [warm_up, fall], milestones=[2])
    >>> [schedule.get_last_lr()[0]] + [schedule.step() or schedule.get_last_lr()[0] for epoch in range(4)]
    [0.5, 0.75, 1.0, 0.5, 0.0]
    """

    not_saved = (*LRScheduler.not_saved, "schedulers")

    def __init__(self, optimizer: Optimizer, schedulers: Iterable[LRScheduler], milestones: Iterable[int]):
        self.schedulers, self.milestones = list(schedulers), epochs_of(milestones)
        for schedule in self.schedulers:
            formula = isinstance(schedule, LRScheduler) and not hasattr(schedule, "get_lr")
            if not formula or type(schedule).step not in (LRScheduler.step, CosineAnnealingWarmRestarts.step):
                raise TypeError(f"schedulers must hold formulas of the epoch alone, got {type(schedule).__name__}")
            if schedule.optimizer is not optimizer:
                raise ValueError(f"schedulers must be of the given optimizer, {type(schedule).__name__} has another")
        if len(self.milestones) != len(self.schedulers) - 1 or self.milestones != sorted(self.milestones):
            raise ValueError(
                f"milestones must rise, and be one less than the {len(self.schedulers)} schedulers, got {milestones}"
            )
        for group in optimizer.param_groups:  # each schedule set lr when it was constructed
            group["lr"] = group["initial_lr"]
        super().__init__(optimizer)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = schedulers[k] at t - milestones[k - 1], with k = the number of milestones <= t
        k = bisect_right(self.milestones, t)
        return self.schedulers[k].value(base_lr, t - (self.milestones[k - 1] if k else 0), i)
