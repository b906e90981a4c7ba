"""Schedules by steps, along an exponential, a cosine or a straight line, and by a function of your own."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable

from minidl.optim.lr_scheduler.base import LRScheduler, epochs_of, functions_for_each, of_group
from minidl.optim.optimizer import Optimizer


class StepLR(LRScheduler):
    """lr = base_lr * gamma^(t // step_size).

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Epochs between two changes.
    gamma : float
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=8.0)
    >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> lrs = []
    >>> for epoch in range(5):
    ...     lrs += schedule.get_last_lr()
    ...     optimizer.step()
    ...     schedule.step()
    >>> lrs
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        if step_size < 1:
            raise ValueError(f"step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * gamma^(t // step_size)
        return base_lr * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """lr = base_lr * gamma^(the number of milestones up to t).

    Parameters
    ----------
    optimizer : Optimizer
    milestones : iterable of int
        The epochs at which lr changes.
    gamma : float
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=8.0)
    >>> schedule = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> [schedule.step() or schedule.get_last_lr()[0] for epoch in range(3)]
    [4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = sorted(epochs_of(milestones)), gamma
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * gamma^(the number of milestones <= t)
        return base_lr * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """lr = base_lr * gamma^t.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
    last_epoch : int

    Examples
    --------
    >>> from minidl import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     schedule.step()
    >>> optimizer.param_groups[0]["lr"]  # 0.5^3
    0.125
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * gamma^t
        return base_lr * self.gamma**t


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * t / T_max)) / 2.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017, equation 5 (without the
    restarts).

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        The number of epochs from base_lr down to eta_min; after that, lr rises again.
    eta_min : float
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> [schedule.step() or round(schedule.get_last_lr()[0], 3) for epoch in range(4)]
    [0.854, 0.5, 0.146, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        if T_max < 1:
            raise ValueError(f"T_max must be at least 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * t / T_max)) / 2
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearLR(LRScheduler):
    """lr = base_lr * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1)): a warm-up, for example.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
        From 0 (excluded for the first) to 1.
    total_iters : int
        The number of epochs from one to the other.
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> [schedule.get_last_lr()[0]] + [schedule.step() or schedule.get_last_lr()[0] for epoch in range(3)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(
                f"start_factor must be above 0 and up to 1, end_factor from 0 to 1, got {start_factor} and {end_factor}"
            )
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1))
        progress = min(t / self.total_iters, 1) if self.total_iters else 1
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * progress)


class LambdaLR(LRScheduler):
    """lr = base_lr * lr_lambda(t).

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of int, or a list of them, one for each group
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable | list[Callable], last_epoch: int = -1):
        self.lr_lambdas = functions_for_each(lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * lr_lambda(t)
        return base_lr * of_group(self.lr_lambdas, i, "lr_lambda")(t)
