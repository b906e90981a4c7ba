"""Losses of likelihood: how unlikely the target is, as a logarithm, under a distribution whose parameters are given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.functional.choice import where
from minidl.functional.elementwise import exp, log, square
from minidl.functional.loss import check_broadcast, check_same_float, check_same_shape, reduce_losses
from minidl.functional.operands import data_of, namespace
from minidl.functional.shape import unsqueeze

__all__ = ["gaussian_nll_loss", "poisson_nll_loss"]


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """(log(var) + (input - target)^2 / var) / 2: -log of a normal density of mean `input` and variance `var`.

    Source: Nix and Weigend, Estimating the mean and variance of the target probability distribution, 1994, equation 5.

    Parameters
    ----------
    input : (..., D)
        The mean.
    target : as input
    var : as input, (..., 1), (...) without the last axis, or a number
        The variance, from 0 up. Below `eps` it counts as eps, and its gradient is the one there.
    full : bool
        Add log(2 * pi) / 2, which changes no gradient.

    Returns
    -------
    A number; with ``reduction="none"`` the shape of input

    Raises
    ------
    ValueError, TypeError
        Other shapes or float types; a negative variance (on a GPU, where looking would wait, it counts as eps).

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.gaussian_nll_loss(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 4.0]), minidl.tensor([1.0, 1.0]))
    tensor(1.)
    """
    check_same_shape("gaussian_nll_loss", input, target)
    if isinstance(var, (int, float)):
        var = namespace(input).full(input.shape, var, input.dtype)
    check_same_float("gaussian_nll_loss", input, var)
    shape = tuple(input.shape)
    if tuple(var.shape) != shape and tuple(var.shape) == shape[:-1]:
        var = unsqueeze(var, -1)
    if tuple(var.shape) not in (shape, (*shape[:-1], 1)):
        raise ValueError(
            f"gaussian_nll_loss: var must be {shape} like input, {(*shape[:-1], 1)} or {shape[:-1]}, "
            f"got {tuple(var.shape)}"
        )
    variances = data_of(var)
    if isinstance(variances, np.ndarray) and (variances < 0).any():
        raise ValueError(f"gaussian_nll_loss: var must not be negative, got {variances.min()}; give exp(x) for any x")
    # what is added where var < eps has no gradient, so that of var passes
    var = var + namespace(var).maximum(eps - variances, 0)
    losses = (log(var) + square(input - target) / var) / 2
    return reduce_losses(losses + math.log(2 * math.pi) / 2 if full else losses, reduction)


def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Any:
    """e^x - target * x for x = `input`: -log of the probability of `target` events where e^x are expected.

    Without `log_input`, input is the expected number itself: input - target * log(input + eps). `full` adds
    Stirling's approximation of log(target!), target * log(target) - target + log(2 * pi * target) / 2, for targets
    above 1.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.poisson_nll_loss(minidl.tensor([0.0, 1.0]), minidl.tensor([1.0, 2.0]), reduction="none")
    tensor([1.    , 0.7183])
    """
    check_broadcast("poisson_nll_loss", input, target)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        above = where(target > 1, target, 1)
        stirling = above * log(above) - above + log(2 * math.pi * above) / 2
        losses = losses + where(target > 1, stirling, 0)
    return reduce_losses(losses, reduction)
