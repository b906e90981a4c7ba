"""Schedules that are a formula of the epoch.

The formula gives lr from the epoch t, counted from 0, and base_lr, the initial learning rate of a parameter group. Call
``step()`` after every epoch: it advances t and sets ``group["lr"]``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from minidl.optim.optimizer import Optimizer

PROGRESS_IN_PYTORCH = {"last_epoch", "base_lrs", "_last_lr", "best", "num_bad_epochs", "cooldown_counter"}


class LRScheduler:
    """Base class of the schedules that are a formula of the epoch. A subclass defines ``value(base_lr, t, i)``.

    Or, as in PyTorch, ``get_lr()``: a list with the learning rate of each group at ``self.last_epoch``.

    Parameters
    ----------
    optimizer : Optimizer
        ``lr`` of its groups is set at once (for epoch 0) and at each :meth:`step`. A group that is added later joins at
        the next step, from the lr that it has.
    last_epoch : int
        The last epoch done, to resume with an optimizer that has its old state; -1 to start.

    Attributes
    ----------
    base_lrs : list of float
        The initial learning rate of each group.
    last_epoch : int
        t, the current epoch.

    Notes
    -----
    If something else has changed ``group["lr"]`` since the last step, such as a second schedule, it is multiplied by
    the ratio of this schedule's new value to its old one: the factors of both schedules multiply. (In PyTorch, LambdaLR
    overwrites the other schedule's value, and CosineAnnealingLR does not scale its `eta_min`.)

    Examples
    --------
    >>> from minidl import nn, optim
    >>> class Halving(optim.lr_scheduler.LRScheduler):
    ...     def value(self, base_lr, t, i):
    ...         return base_lr / 2**t
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    not_saved: tuple[str, ...] = ("optimizer", "lr_lambdas")  # a resumed program makes them anew

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"to go on after epoch {last_epoch}, param_groups[{i}] needs its 'initial_lr'")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr = [group["lr"] for group in optimizer.param_groups]
        self._values = list(self.base_lrs)  # the formula's value at last_epoch
        if last_epoch >= 0:
            self._values = [self._value_found(i, base_lr) for i, base_lr in enumerate(self.base_lrs)]
        self.step()

    def _value_found(self, i: int, base_lr: float) -> float:
        """The formula's value for the lr that group i has: the next epoch's, if saved after the epoch's ``step()``."""
        lr, following = self.optimizer.param_groups[i]["lr"], self.value(base_lr, self.last_epoch + 1, i)
        return lr if math.isclose(lr, following) else self.value(base_lr, self.last_epoch, i)

    def value(self, base_lr: float, t: int, i: int) -> float:
        """The learning rate of group i at epoch t."""
        if not hasattr(self, "get_lr"):
            raise NotImplementedError(f"{type(self).__name__} must define value(self, base_lr, t, i)")
        return self.get_lr()[i]

    def step(self) -> None:
        """Advance to the next epoch."""
        self._include_added_groups()
        self.last_epoch += 1
        self.set_lrs(self.last_epoch)

    def set_lrs(self, t: float) -> None:
        """Give every group its learning rate of epoch t."""
        for i, group in enumerate(self.optimizer.param_groups):
            before, value = self._values[i], self.value(self.base_lrs[i], t, i)
            untouched = group["lr"] == before or before == 0
            group["lr"] = value if untouched else group["lr"] * (value / before)
            self._values[i], self._last_lr[i] = value, group["lr"]

    def _include_added_groups(self) -> None:
        for i in range(len(self._values), len(self.optimizer.param_groups)):
            group = self.optimizer.param_groups[i]
            self.base_lrs.append(group.setdefault("initial_lr", group["lr"]))
            self._values.append(self.value(self.base_lrs[i], self.last_epoch, i))
            self._last_lr.append(group["lr"])

    def restart(self) -> None:
        """Go back to epoch 0 and the initial learning rates."""
        self._include_added_groups()
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = base_lr
        self.start()

    def start(self) -> None:
        """Go to epoch 0 from the learning rates that the groups have now, as the constructor does."""
        self._include_added_groups()
        self.last_epoch, self._values = -1, list(self.base_lrs)
        self.step()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group after the last step."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """The learning rates, and all attributes except the optimizer, functions and other schedules."""
        attributes = {key: _copied(value) for key, value in vars(self).items() if key not in self.not_saved}
        return {**attributes, "lrs": [group["lr"] for group in self.optimizer.param_groups]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, before or after the optimizer's own state is restored.

        Of PyTorch's schedule of this name it takes how far that is; the options are those given here.
        """
        attributes = {key: _copied(value) for key, value in state_dict.items() if key != "lrs"}
        of_pytorch = "lrs" not in state_dict and "_last_lr" in state_dict
        if of_pytorch:
            attributes = {key: value for key, value in attributes.items() if key in PROGRESS_IN_PYTORCH}
        unknown = set(attributes) - set(vars(self))
        if unknown:
            raise ValueError(f"state_dict of {type(self).__name__} must not hold {', '.join(sorted(unknown))}")
        vars(self).update(attributes)
        # If the optimizer's state was restored first, the constructor of this schedule has overwritten its lr.
        for group, lr in zip(self.optimizer.param_groups, state_dict.get("_last_lr" if of_pytorch else "lrs", ())):
            group["lr"] = lr
        if of_pytorch and hasattr(self, "_values"):
            self._values = [self.value(base_lr, self.last_epoch, i) for i, base_lr in enumerate(self.base_lrs)]


def one_for_each(value: Any, optimizer: Optimizer, name: str) -> list[Any]:
    """`value`, one for all groups or a list of one for each, as a list."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{name} must have one value for each of {groups} groups, got {len(values)}")
    return values


def of_group(values: list[Any], i: int, name: str) -> Any:
    """The value of group i; for a group that was added later, the one that all have."""
    if i < len(values):
        return values[i]
    if any(value != values[0] for value in values):
        raise ValueError(f"group {i} was added to the optimizer, but {name} was given for {len(values)} groups")
    return values[0]


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


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
        self.milestones, self.gamma = sorted(milestones), gamma
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
        self.lr_lambdas = one_for_each(lr_lambda, optimizer, "lr_lambda")
        super().__init__(optimizer, last_epoch)

    def value(self, base_lr: float, t: int, i: int) -> float:
        # lr = base_lr * lr_lambda(t)
        return base_lr * of_group(self.lr_lambdas, i, "lr_lambda")(t)
