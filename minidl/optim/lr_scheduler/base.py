"""LRScheduler, the base class of the schedules that are a formula of the epoch.

The formula gives lr from the epoch t, counted from 0, and base_lr, the initial learning rate of a parameter group. Call
``step()`` after every epoch: it advances t and sets ``group["lr"]``.
"""

from __future__ import annotations

import math
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


def functions_for_each(lr_lambda: Any, optimizer: Optimizer) -> list[Callable[[int], float]]:
    """`lr_lambda`, one function for all groups or a list of one for each, as a list."""
    functions = one_for_each(lr_lambda, optimizer, "lr_lambda")
    for function in functions:
        if not callable(function):
            raise TypeError(f"lr_lambda must be a function of the epoch, or a list of them, got {function!r}")
    return functions


def epochs_of(milestones: Iterable[int]) -> list[int]:
    """The milestones as a list."""
    if not isinstance(milestones, Iterable):
        raise TypeError(f"milestones must be a list of epochs, got {milestones!r}; write [{milestones!r}] for one")
    return list(milestones)


def of_group(values: list[Any], i: int, name: str) -> Any:
    """The value of group i; for a group that was added later, the one that all have."""
    if i < len(values):
        return values[i]
    if any(value != values[0] for value in values):
        raise ValueError(f"group {i} was added to the optimizer, but {name} was given for {len(values)} groups")
    return values[0]


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
