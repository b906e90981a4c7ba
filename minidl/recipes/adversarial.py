"""One step of a GAN: a discriminator learns to tell real images from made ones, a generator to be taken for real."""

from __future__ import annotations

from typing import Any

import minidl
from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor
from minidl.optim import Adam, Optimizer

REAL = 0.9  # the target for real images: 1, smoothed, so that the discriminator is never too sure (Salimans 2016)


def make_optimizer(model: nn.Module, lr: float) -> Optimizer:
    """Adam for both networks, one group each, with the betas of Radford et al., 2015."""
    groups = [{"params": model.generator.parameters()}, {"params": model.discriminator.parameters()}]
    return Adam(groups, lr, betas=(0.5, 0.999))


def discriminator_step(model: nn.Module, optimizer: Optimizer, real: Tensor, made: Tensor) -> Tensor:
    """A step of the discriminator; returns its loss, the mean of those on real and on made images."""
    optimizer.zero_grad()
    loss = (verdict(model, real, REAL) + verdict(model, made.detach(), 0.0)) / 2
    loss.backward()
    optimizer.step()  # the generator has no gradients, so it stays as it is
    return loss.detach()


def generator_step(
    model: nn.Module, optimizer: Optimizer, made: Tensor, weight: float = 1.0, other: Any = 0.0
) -> Tensor:
    """A step of the generator on  weight * (loss of being found out) + other;  returns the loss of being found out."""
    optimizer.zero_grad()
    model.discriminator.requires_grad_(False)  # it only passes the slope on
    try:
        loss = verdict(model, made, 1.0)
        (weight * loss + other).backward()
    finally:  # so that Ctrl-C in a notebook leaves no discriminator that cannot learn
        model.discriminator.requires_grad_(True)
    optimizer.step()
    return loss.detach()


def verdict(model: nn.Module, images: Tensor, target: float) -> Tensor:
    """The mean cross-entropy of the discriminator's probability p of being real with the target."""
    logits = model.discriminator(images)  # (N, 1)
    # loss = - target * log(p) - (1 - target) * log(1 - p), p = sigmoid(logits)
    return F.binary_cross_entropy_with_logits(logits, minidl.full_like(logits, target))
