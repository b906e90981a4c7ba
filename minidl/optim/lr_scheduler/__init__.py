"""Learning rate schedules: formulas of the epoch or the batch, and one that follows a metric."""

from minidl.optim.lr_scheduler.base import LRScheduler
from minidl.optim.lr_scheduler.chained import ChainedScheduler
from minidl.optim.lr_scheduler.cyclic import CyclicLR
from minidl.optim.lr_scheduler.decays import ConstantLR, MultiplicativeLR, PolynomialLR
from minidl.optim.lr_scheduler.one_cycle import OneCycleLR
from minidl.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minidl.optim.lr_scheduler.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from minidl.optim.lr_scheduler.sequential import SequentialLR
from minidl.optim.lr_scheduler.warm_restarts import CosineAnnealingWarmRestarts

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
