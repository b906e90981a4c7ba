"""The momentum, which falls while the learning rate rises: what OneCycleLR and CyclicLR share."""

from __future__ import annotations

from typing import Any

from minidl.optim.lr_scheduler.base import LRScheduler
from minidl.optim.optimizer import Optimizer


class MomentumCycle(LRScheduler):
    """A schedule of batches that may set the momentum too. A subclass also defines ``momentum(t)``."""

    def __init__(self, optimizer: Optimizer, last_epoch: int, cycle_momentum: bool):
        self.cycle_momentum = cycle_momentum
        if cycle_momentum and not all("momentum" in group or "betas" in group for group in optimizer.param_groups):
            raise ValueError(f"{type(optimizer).__name__} has no momentum: cycle_momentum must be False")
        super().__init__(optimizer, last_epoch)

    def momentum(self, t: int) -> float:
        """The momentum of all groups at batch t."""
        raise NotImplementedError(f"{type(self).__name__} must define momentum(self, t)")

    def step(self) -> None:
        """Go on to the next batch."""
        super().step()
        self._set_momentum()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._set_momentum()

    def _set_momentum(self) -> None:
        if not self.cycle_momentum:
            return
        momentum = self.momentum(self.last_epoch)
        for group in self.optimizer.param_groups:
            if "betas" in group:  # Adam's momentum is the first of them
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
