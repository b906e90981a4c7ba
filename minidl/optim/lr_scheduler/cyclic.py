"""CyclicLR: the learning rate goes up and down, again and again, counted in batches rather than epochs."""

from __future__ import annotations

import math
from collections.abc import Callable

from minidl.optim.lr_scheduler.base import LRScheduler, of_group, one_for_each
from minidl.optim.lr_scheduler.momentum import MomentumCycle
from minidl.optim.optimizer import Optimizer


class CyclicLR(MomentumCycle):
    """lr = base_lr + (max_lr - base_lr) * s * scale, where s rises from 0 to 1 and falls back in each cycle.

    The scale of cycle k = 1, 2, ... at batch t is 1 ("triangular"), 1 / 2^(k - 1) ("triangular2") or gamma^t
    ("exp_range"). Meanwhile the momentum (of SGD and RMSprop; of Adam the first of its betas) goes from max_momentum
    down to base_momentum and back. Call ``step()`` after every batch.

    Source: Smith, Cyclical learning rates for training neural networks, 2017.

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float or list of float
        For all groups or for each; the learning rates of the optimizer are not used.
    step_size_up : int
        Batches from base_lr to max_lr.
    step_size_down : int, optional
        Batches back; default as many.
    mode : {"triangular", "triangular2", "exp_range"}
    gamma : float
    scale_fn : function, optional
        A scale of your own, in place of that of `mode`.
    scale_mode : {"cycle", "iterations"}
        Whether scale_fn is a function of k or of t.
    cycle_momentum : bool
        Whether the momentum changes too.
    base_momentum, max_momentum : float
    last_epoch : int
        The last batch done.

    Raises
    ------
    ValueError
        Arguments out of range, an optimizer without momentum to cycle.

    Examples
    --------
    >>> import minidl
    >>> from minidl import optim
    >>> optimizer = optim.SGD([minidl.tensor([1.0])], lr=1.0, momentum=0.9)
    >>> schedule = optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2, mode="triangular2")
    >>> [schedule.step() or schedule.get_last_lr()[0] for batch in range(6)]
    [0.5, 1.0, 0.5, 0.0, 0.25, 0.5]
    """

    not_saved = (*LRScheduler.not_saved, "scale_fn")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ):
        if mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(f"mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"scale_mode must be 'cycle' or 'iterations', got {scale_mode!r}")
        down = step_size_up if step_size_down is None else step_size_down
        if step_size_up < 1 or down < 1:
            raise ValueError(f"step_size_up and step_size_down must be at least 1, got {step_size_up} and {down}")
        self.low, self.high = one_for_each(base_lr, optimizer, "base_lr"), one_for_each(max_lr, optimizer, "max_lr")
        self.step_size_up, self.step_size_down = step_size_up, down
        self.mode, self.gamma, self.scale_fn, self.scale_mode = mode, gamma, scale_fn, scale_mode
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        super().__init__(optimizer, last_epoch, cycle_momentum)

    def value(self, base_lr: float, t: int, i: int) -> float:
        low, high = of_group(self.low, i, "base_lr"), of_group(self.high, i, "max_lr")
        # lr = base_lr + (max_lr - base_lr) * s * scale
        return low + (high - low) * self._height(t)

    def momentum(self, t: int) -> float:
        return self.max_momentum - (self.max_momentum - self.base_momentum) * self._height(t)

    def _height(self, t: int) -> float:
        """s * scale at batch t."""
        cycle, past = divmod(t, self.step_size_up + self.step_size_down)
        up = past / self.step_size_up
        s = up if up <= 1 else 1 - (past - self.step_size_up) / self.step_size_down
        return s * self._scale(cycle + 1, t)

    def _scale(self, k: int, t: int) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(k if self.scale_mode == "cycle" else t)
        if self.mode == "triangular":
            return 1.0
        return math.ldexp(1.0, 1 - k) if self.mode == "triangular2" else self.gamma**t
