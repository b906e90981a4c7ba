"""The two steps of a GAN: the discriminator learns to tell real images from fake ones, the generator to fool it."""

from __future__ import annotations

from typing import Any

import minidl
from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor
from minidl.optim import Adam, Optimizer

REAL = 0.9  # the discriminator's target for real images, below 1 so that it never gets too sure (Salimans et al., 2016)


def make_optimizer(model: nn.Module, lr: float) -> Optimizer:
    """Adam for both networks, one group each, with the betas of Radford et al., 2015."""
    groups = [{"params": model.generator.parameters()}, {"params": model.discriminator.parameters()}]
    return Adam(groups, lr, betas=(0.5, 0.999))


def discriminator_step(model: nn.Module, optimizer: Optimizer, real: Tensor, fake: Tensor) -> Tensor:
    """A step of the discriminator; returns its loss, the mean of those on real and on fake images."""
    optimizer.zero_grad()
    loss = (adversarial_loss(model, real, REAL) + adversarial_loss(model, fake.detach(), 0.0)) / 2
    loss.backward()
    optimizer.step()  # the generator has no gradients, so it stays as it is
    return loss.detach()


def generator_step(
    model: nn.Module, optimizer: Optimizer, fake: Tensor, weight: float = 1.0, other_loss: Any = 0.0
) -> Tensor:
    """A step of the generator on weight * adversarial loss + other_loss; returns the adversarial loss."""
    optimizer.zero_grad()
    model.discriminator.requires_grad_(False)  # the gradient flows through it, but it does not learn here
    try:
        loss = adversarial_loss(model, fake, 1.0)
        (weight * loss + other_loss).backward()
    finally:  # so that Ctrl-C in a notebook leaves no discriminator that cannot learn
        model.discriminator.requires_grad_(True)
    optimizer.step()
    return loss.detach()


def adversarial_loss(model: nn.Module, images: Tensor, target: float) -> Tensor:
    """-(target * log(p) + (1 - target) * log(1 - p)), the mean over the images, with p = sigmoid(discriminator(image)).

    p is the probability that the discriminator gives an image to be real.
    """
    logits = model.discriminator(images)  # (N, 1)
    return F.binary_cross_entropy_with_logits(logits, minidl.full_like(logits, target))
