"""OneCycleLR: the learning rate rises once and falls once, counted in batches rather than epochs."""

from __future__ import annotations

import math

from minidl.optim.lr_scheduler.base import of_group, one_for_each
from minidl.optim.lr_scheduler.momentum import MomentumCycle
from minidl.optim.optimizer import Optimizer


class OneCycleLR(MomentumCycle):
    """lr rises from max_lr / div_factor to max_lr, then falls to max_lr / div_factor / final_div_factor.

    From a to b over n steps, lr = b + (a - b) * (1 + cos(pi * t / n)) / 2, or with ``anneal_strategy="linear"``
    a + (b - a) * t / n. Meanwhile the momentum (of SGD and RMSprop; of Adam the first of its betas) falls from
    max_momentum to base_momentum and rises again. Call ``step()`` after every batch: `total_steps` - 1 calls reach the
    final values, and one more, after the last batch, keeps them.

    Source: Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates, 2018.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float or list of float
        The peak, for all groups or for each; the learning rates of the optimizer are not used.
    total_steps : int, optional
        The number of batches in the whole training; or give both of the next two.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        The fraction of the steps in which lr rises, from 0 to 1.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
        Whether the momentum changes too.
    base_momentum, max_momentum : float
    div_factor, final_div_factor : float
    last_epoch : int

    Raises
    ------
    ValueError
        Arguments out of range, an optimizer without momentum to cycle, a step after the last.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0, momentum=0.9)
    >>> schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6)
    >>> lrs = schedule.get_last_lr() + [schedule.step() or schedule.get_last_lr()[0] for batch in range(4)]
    >>> [round(lr, 3) for lr in lrs]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        last_epoch: int = -1,
    ):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR needs total_steps, or both epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if total_steps < 1:
            raise ValueError(f"total_steps must be at least 1, got {total_steps}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start must be from 0 to 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.max_lrs = one_for_each(max_lr, optimizer, "max_lr")
        self.total_steps, self.pct_start, self.anneal_strategy = total_steps, pct_start, anneal_strategy
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        super().__init__(optimizer, last_epoch, cycle_momentum)

    def value(self, base_lr: float, t: int, i: int) -> float:
        max_lr = of_group(self.max_lrs, i, "max_lr")
        start = max_lr / self.div_factor
        return self._cycle(t, start, max_lr, start / self.final_div_factor)

    def momentum(self, t: int) -> float:
        return self._cycle(t, self.max_momentum, self.base_momentum, self.max_momentum)

    def step(self) -> None:
        """Go on to the next batch."""
        if self.last_epoch >= self.total_steps:
            raise ValueError(f"OneCycleLR has no step after total_steps, {self.total_steps}")
        super().step()

    def _cycle(self, t: int, start: float, middle: float, end: float) -> float:
        """The value at step t, on the way from start to middle to end."""
        turn, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        t = min(t, last)
        if t <= turn:
            return self._anneal(t / turn if turn else 1.0, start, middle)
        return self._anneal((t - turn) / (last - turn), middle, end)

    def _anneal(self, progress: float, a: float, b: float) -> float:
        if self.anneal_strategy == "linear":
            return a + (b - a) * progress
        return b + (a - b) * (1 + math.cos(math.pi * progress)) / 2
