"""One step of two networks at play: a discriminator learns to tell real from made, a generator to be taken for real."""

from __future__ import annotations

from typing import Any

import minidl
from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor
from minidl.optim import Adam, Optimizer

REAL = 0.9  # what the discriminator shall say of real images: 1, smoothed, so that it is never too sure (Salimans 2016)


def make_optimizer(model: nn.Module, lr: float) -> Optimizer:
    """Adam for both networks, one group each, with the betas of Radford et al., 2015."""
    groups = [{"params": model.generator.parameters()}, {"params": model.discriminator.parameters()}]
    return Adam(groups, lr, betas=(0.5, 0.999))


def discriminator_step(model: nn.Module, optimizer: Optimizer, real: Tensor, made: Tensor) -> Tensor:
    """The discriminator learns; returns its loss, the mean of that on real and that on made images."""
    optimizer.zero_grad()
    loss = (verdict(model, real, REAL) + verdict(model, made.detach(), 0.0)) / 2
    loss.backward()
    optimizer.step()  # the generator has no gradients, so it stays as it is
    return loss.detach()


def generator_step(
    model: nn.Module, optimizer: Optimizer, made: Tensor, weight: float = 1.0, other: Any = 0.0
) -> Tensor:
    """The generator learns by  weight * (loss of being found out) + other;  returns the loss of being found out."""
    optimizer.zero_grad()
    model.discriminator.requires_grad_(False)  # it only passes the slope on
    try:
        loss = verdict(model, made, 1.0)
        (weight * loss + other).backward()
    finally:  # Ctrl-C in a notebook shall not leave a discriminator that cannot learn
        model.discriminator.requires_grad_(True)
    optimizer.step()
    return loss.detach()


def verdict(model: nn.Module, images: Tensor, target: float) -> Tensor:
    """How far the discriminator's probability p of being real is from the target, as the mean cross-entropy."""
    logits = model.discriminator(images)  # (N, 1)
    # loss = - target * log(p) - (1 - target) * log(1 - p), p = sigmoid(logits)
    return F.binary_cross_entropy_with_logits(logits, minidl.full_like(logits, target))
