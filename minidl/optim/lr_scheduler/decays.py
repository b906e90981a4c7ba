"""Schedules that fall once: by a constant factor for a while, by a power, by factors of your own."""

from __future__ import annotations

from collections.abc import Callable

from minidl.optim.lr_scheduler.base import LRScheduler, functions_for_each, of_group
from minidl.optim.optimizer import Optimizer


class ConstantLR(LRScheduler):
    """lr = base_lr * factor for t < total_iters, then base_lr.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float
        From 0 to 1.
    total_iters : int
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.ConstantLR(optimizer, factor=0.1, total_iters=2)
    >>> [schedule.get_last_lr()[0]] + [schedule.step() or schedule.get_last_lr()[0] for epoch in range(2)]
    [0.1, 0.1, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ValueError(f"factor must be from 0 to 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * factor for t < total_iters, then base_lr
        return base_lr * self.factor if t < self.total_iters else base_lr


class PolynomialLR(LRScheduler):
    """lr = base_lr * (1 - min(t / total_iters, 1))^power.

    Parameters
    ----------
    optimizer : Optimizer
    total_iters : int
        The number of epochs from base_lr to 0.
    power : float
        1 for a straight line.
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2)
    >>> [schedule.step() or schedule.get_last_lr()[0] for epoch in range(5)]
    [0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        if total_iters < 1:
            raise ValueError(f"total_iters must be at least 1, got {total_iters}")
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * (1 - min(t / total_iters, 1))^power
        return base_lr * (1 - min(t / self.total_iters, 1)) ** self.power


class MultiplicativeLR(LRScheduler):
    """lr = base_lr * lr_lambda(1) * lr_lambda(2) * ... * lr_lambda(t).

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of int, or a list of them, one for each group
        The factor from one epoch to the next.
    last_epoch : int

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.MultiplicativeLR(optimizer, lambda t: 0.5 if t < 3 else 1.0)
    >>> [schedule.step() or schedule.get_last_lr()[0] for epoch in range(3)]
    [0.5, 0.25, 0.25]
    """

    not_saved = (*LRScheduler.not_saved, "_products")

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable | list[Callable], last_epoch: int = -1):
        self.lr_lambdas = functions_for_each(lr_lambda, optimizer)
        self._products: dict[int, list[float]] = {}  # of group i: the product of the factors up to each epoch
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        factor, products = of_group(self.lr_lambdas, i, "lr_lambda"), self._products.setdefault(i, [1.0])
        while len(products) <= t:
            products.append(products[-1] * factor(len(products)))
        # lr = base_lr * lr_lambda(1) * ... * lr_lambda(t)
        return base_lr * products[t]
