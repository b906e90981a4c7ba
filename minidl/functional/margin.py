"""Losses with a margin: they are 0, or nearly so, once a score is on the right side (by enough)."""

from __future__ import annotations

from typing import Any

from minidl.functional.activation import log_sigmoid, relu
from minidl.functional.along_axis import Gather, check_positions
from minidl.functional.broadcast import common_shape
from minidl.functional.choice import clamp_min, where
from minidl.functional.entries import index_select
from minidl.functional.keys import plain_index
from minidl.functional.loss import check_arrays, check_same_shape, reduce_losses, weighted
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import mean
from minidl.functional.shape import reshape, unsqueeze

__all__ = ["hinge_embedding_loss", "multi_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss"]


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """x where the target is 1, max(margin - x, 0) where it is -1, with x = `input` a distance; both broadcast.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.hinge_embedding_loss(minidl.tensor([0.2, 0.2]), minidl.tensor([1, -1]), reduction="none")
    tensor([0.2, 0.8])
    """
    check_arrays("hinge_embedding_loss", input, target)
    common_shape("hinge_embedding_loss", input=input, target=target)
    # a target that is neither counts as both, as in PyTorch
    losses = where(target != -1, input, 0) + where(target != 1, clamp_min(margin - input, 0), 0)
    return reduce_losses(losses, reduction)


def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """log(1 + e^(-target * input)), for targets of 1 and -1: a cross-entropy of two classes.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.soft_margin_loss(minidl.tensor([0.0, 100.0]), minidl.tensor([1.0, -1.0]), reduction="none")
    tensor([  0.6931, 100.    ])
    """
    check_same_shape("soft_margin_loss", input, target)
    return reduce_losses(-log_sigmoid(target * input), reduction)


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """The mean over the classes of -(t * log(sigmoid(x)) + (1 - t) * log(sigmoid(-x))): several classes at once.

    Parameters
    ----------
    input, target : (..., C)
        Logits x, and t, which is 1 for each class of the sample and 0 for the others.
    weight : (C,), optional
        A factor for each class.

    Returns
    -------
    A number; with ``reduction="none"`` (...)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.multilabel_soft_margin_loss(minidl.tensor([[0.0, 100.0]]), minidl.tensor([[1.0, 1.0]]))
    tensor(0.3466)
    """
    check_same_shape("multilabel_soft_margin_loss", input, target)
    losses = -(target * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    return reduce_losses(mean(weighted("multilabel_soft_margin_loss", losses, weight), -1), reduction)


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Any:
    """sum over i != t of max(margin - x[t] + x[i], 0)^p, divided by C: the hinge loss of several classes.

    Source: Crammer and Singer, On the algorithmic implementation of multiclass kernel-based vector machines, 2001.

    Parameters
    ----------
    input : (N, C) or (C,)
        A score x for each class.
    target : (N,) or ()
        The right class t.
    p : {1, 2}
    weight : (C,), optional
        A factor for the losses of each right class.

    Returns
    -------
    A number; with ``reduction="none"`` the shape of target

    Raises
    ------
    ValueError, TypeError, IndexError
        Shapes that do not fit, a target that is no class, another `p`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.multi_margin_loss(minidl.tensor([[0.0, 0.5, 2.0]]), minidl.tensor([2]))
    tensor(0.)
    >>> F.multi_margin_loss(minidl.tensor([[0.0, 0.5, 0.8]]), minidl.tensor([2]))
    tensor(0.3)
    """
    check_arrays("multi_margin_loss", input, target)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p!r}")
    shape, classes = tuple(input.shape), input.shape[-1] if input.ndim else 1  # a number is the score of one class
    alike = tuple(target.shape) in (shape[:-1], (1,) * (len(shape) < 2))
    if len(shape) > 2 or not alike or not classes:
        raise ValueError(
            "multi_margin_loss: input must be (N, C) and target (N,), or (C,) and (), got "
            f"{shape} and {tuple(target.shape)}"
        )
    check_positions(data_of(target), "target", classes, " for the classes of input")
    x = input if len(shape) == 2 else reshape(input, (1, classes))
    labels = plain_index(reshape(target, (-1, 1)), x)
    # the margin of the right class to itself, which is left out, is where its position is t
    others = namespace(x).arange(classes) != labels
    losses = where(others, relu(x + (margin - Gather(1, labels)(x))), 0)
    losses = losses if p == 1 else losses * losses
    if weight is not None:
        if tuple(weight.shape) != (classes,):
            raise ValueError(f"multi_margin_loss: weight must be ({classes},), got {tuple(weight.shape)}")
        losses = losses * unsqueeze(index_select(weight, 0, reshape(target, -1)), 1)
    losses = mean(losses, 1)
    return reduce_losses(losses if len(shape) == 2 else reshape(losses, tuple(target.shape)), reduction)
