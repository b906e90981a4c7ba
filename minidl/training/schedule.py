"""Learning rate schedules for `fit`: a function of the epoch, or one of `optim.lr_scheduler`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from minidl.optim.lr_scheduler import ChainedScheduler, LRScheduler, ReduceLROnPlateau
from minidl.training.callbacks import Callback

if TYPE_CHECKING:
    from minidl.training.loop import Run


class LearningRateSchedule(Callback):
    """Changes the learning rate during training; the history's ``learning_rate`` is that at the end of each epoch.

    A run that is resumed has the learning rates of one that was never stopped: before it begins, the schedule takes the
    steps of the epochs in the history.

    Parameters
    ----------
    schedule : function, or a schedule of `optim.lr_scheduler`
        A function: lr = initial lr * schedule(epoch), with epochs counted from 1. Or a schedule made with the optimizer
        that `fit` is given, which then takes a step after every epoch or batch.
    every : {"epoch", "batch"}
        When a schedule takes its steps.
    monitor : str
        The measure of the history that `ReduceLROnPlateau` watches.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import functional as F, nn, optim, training
    >>> model = nn.Linear(1, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.4)
    >>> halve = training.LearningRateSchedule(optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5))
    >>> data = np.ones((8, 1), "float32"), np.ones((8, 1), "float32")
    >>> history = training.fit(model, data, optimizer=optimizer, loss=F.mse_loss, epochs=3, callbacks=[halve])
    >>> history["learning_rate"]
    [0.4, 0.2, 0.1]
    """

    def __init__(
        self,
        schedule: Callable[[int], float] | LRScheduler | ChainedScheduler | ReduceLROnPlateau,
        *,
        every: str = "epoch",
        monitor: str = "validation_loss",
    ):
        if every not in ("epoch", "batch"):
            raise ValueError(f"every must be 'epoch' or 'batch', got {every!r}")
        self.plateau = isinstance(schedule, ReduceLROnPlateau)
        self.stepped = self.plateau or isinstance(schedule, (LRScheduler, ChainedScheduler))
        if not self.stepped and (isinstance(schedule, type) or not callable(schedule)):
            raise TypeError(
                "schedule must be a function of the epoch or one of optim.lr_scheduler, made with the optimizer, got "
                f"{schedule!r}"
            )
        if every == "batch" and (self.plateau or not self.stepped):
            raise ValueError(f"every='batch' is for the schedules that are a formula of the step, got {schedule!r}")
        self.schedule, self.every, self.monitor = schedule, every, monitor

    def on_fit_start(self, run: Run) -> None:
        if not self.stepped:
            return
        if self.schedule.optimizer is not run.optimizer:
            raise ValueError("the schedule was made with another optimizer than the one that fit is given")
        self.schedule.restart()
        for epoch in range(run.epoch):
            self._step(run, epoch, 1 if self.every == "epoch" else run.batches)

    def on_epoch_start(self, run: Run) -> None:
        if not self.stepped:
            for group in run.optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * self.schedule(run.epoch)

    def on_batch_end(self, run: Run) -> None:
        if self.every == "batch":
            self.schedule.step()

    def on_validation_end(self, run: Run) -> None:
        run.values["learning_rate"] = run.optimizer.param_groups[0]["lr"]

    def on_epoch_end(self, run: Run) -> None:
        if self.stepped and self.every == "epoch":
            self._step(run, run.epoch - 1)

    def _step(self, run: Run, epoch: int, steps: int = 1) -> None:
        """The steps after `epoch`, counted from 0."""
        if not self.plateau:
            for _ in range(steps):
                self.schedule.step()
        elif self.monitor in run.history:
            self.schedule.step(run.history[self.monitor][epoch])
        else:
            raise ValueError(f"the history has no {self.monitor!r} to monitor; it has {', '.join(run.history)}")
