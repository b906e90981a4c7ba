"""ChainedScheduler: several schedules at once, whose factors multiply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl.optim.lr_scheduler.base import LRScheduler
from minidl.optim.optimizer import Optimizer


class ChainedScheduler:
    """lr = base_lr times the factors of all schedules: each step is one of every schedule, in their order.

    Parameters
    ----------
    schedulers : list of LRScheduler
        Schedules of one optimizer.
    optimizer : Optimizer, optional
        That of the schedules, which it must be if given.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0)
    >>> warm_up = optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> fall = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule = optim.lr_scheduler.ChainedScheduler([warm_up, fall])
    >>> schedule.get_last_lr() + [schedule.step() or schedule.get_last_lr()[0] for epoch in range(3)]
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers: Iterable[LRScheduler], optimizer: Optimizer | None = None):
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise ValueError("ChainedScheduler needs at least one scheduler")
        for schedule in self.schedulers:
            if not isinstance(schedule, LRScheduler):
                raise TypeError(f"schedulers must hold schedules without a metric, got {type(schedule).__name__}")
        self.optimizer = self.schedulers[0].optimizer if optimizer is None else optimizer
        for schedule in self.schedulers:
            if schedule.optimizer is not self.optimizer:
                raise ValueError(f"schedulers must be of one optimizer, {type(schedule).__name__} has another")

    @property
    def last_epoch(self) -> int:
        """The current epoch."""
        return self.schedulers[-1].last_epoch

    def step(self) -> None:
        """Advance every schedule."""
        for schedule in self.schedulers:
            schedule.step()

    def restart(self) -> None:
        """Go back to epoch 0 and the initial learning rates."""
        first, *others = self.schedulers
        first.restart()
        for schedule in others:
            schedule.start()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The states of the schedules."""
        return {"schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, here or in PyTorch."""
        states = state_dict["schedulers" if "schedulers" in state_dict else "_schedulers"]
        if len(states) != len(self.schedulers):
            raise ValueError(f"state_dict must hold {len(self.schedulers)} schedules, got {len(states)}")
        for schedule, state in zip(self.schedulers, states):
            schedule.load_state_dict(state)
