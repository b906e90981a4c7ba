"""Softmax and cross-entropy fused, for targets that are class numbers.

    loss[n]     = -weight[t] * log(p[n, t])                                 p = softmax(x[n]),  t = target[n]
    dx[n, c]    = dloss[n] * weight[t] * (p[n, c] - (1 where c = t, else 0))

and 0 where t is `ignore_index`. The mean of the losses is their sum divided by the sum of the weight[t] that count.
Neither p nor log(p) is kept: backward computes p again from x, which costs less than to write it and to read it.

Source: Goodfellow, Bengio and Courville, Deep Learning, 2016, sections 6.2.2 and 4.1.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_same_kind, device_of
from ..registry import kernel


@kernel
def forward(x: Any, target: Any, weight: Any = None, ignore_index: int = -100) -> Any:
    """Return the loss of each row of `x`, and the sum of the weights of the rows that count.

    Parameters
    ----------
    x : array (N, C) or (N, C, ...), floating point
        Scores (logits), any numbers; of a pixel as of a row.
    target : array (N,) or (N, ...), integers
        Class numbers from 0 to C - 1, or `ignore_index`.
    weight : array (C,), optional
        Of each class, in the dtype of `x`.
    ignore_index : int
        The loss of rows with this label is 0.

    Returns
    -------
    losses : array of the shape of `target`, in the dtype of `x`
    total : a number (on a GPU, an array ())
        The sum of weight[t] over the rows that are not ignored; without weights, their number.

    Raises
    ------
    IndexError
        A label out of range (on the CPU; on a GPU the look would wait for all that was started before it).
    ValueError, TypeError
        Shapes that do not fit, no classes, target that are no integers, mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> losses, total = kernels.cross_entropy.forward(np.array([[0.0, 0.0], [0.0, -np.inf]]), np.array([1, 0]))
    >>> losses.round(4), total
    (array([0.6931, 0.    ]), 2.0)
    """
    _check(x, target, weight)
    return x, target, weight, int(ignore_index)


@kernel
def backward(dlosses: Any, x: Any, target: Any, weight: Any = None, ignore_index: int = -100) -> Any:
    """Return the gradient with respect to x, from that with respect to the losses.

    Parameters
    ----------
    dlosses : array of the shape of `target`, or of no dimension: one number for all losses
    x, target, weight, ignore_index
        As given to `forward`.

    Returns
    -------
    array of the shape of `x`

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.cross_entropy.backward(np.array([1.0]), np.array([[0.0, 0.0]]), np.array([1]))
    array([[ 0.5, -0.5]])
    """
    _check(x, target, weight)
    check_array(dlosses, "dlosses", 0, at_least=True)
    check_same_kind(x, "x", dlosses, "dlosses")
    if dlosses.shape not in ((), target.shape):
        raise ValueError(
            f"dlosses must have one number for each label, {target.shape}, or for all, got {dlosses.shape}"
        )
    return dlosses, x, target, weight, int(ignore_index)


def _check(x: Any, target: Any, weight: Any) -> None:
    check_array(x, "x", 2, at_least=True)
    check_array(target, "target", x.ndim - 1)
    if x.shape[1] == 0:
        raise ValueError(f"x must have scores of at least one class, got shape {x.shape}")
    if x.dtype.kind != "f":
        raise TypeError(f"x must be floating point, got {x.dtype.name}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"target must be integers, got {target.dtype.name}")
    if target.shape != (*x.shape[:1], *x.shape[2:]):
        raise ValueError(f"target must have one number for each row or pixel of x {x.shape}, got shape {target.shape}")
    if weight is not None:
        check_array(weight, "weight", 1)
        check_same_kind(x, "x", weight, "weight")
        if weight.shape != x.shape[1:2]:
            raise ValueError(f"weight must have one number for each of {x.shape[1]} classes, got {weight.shape}")


def check_target(target: Any, classes: int, ignore_index: int) -> None:
    """Raise unless every label is the number of a class or `ignore_index`."""
    if device_of(target) == "cuda":
        return  # looking would wait for all the work before it
    if target.size == 0 or 0 <= target.min() and target.max() < classes:
        return  # nearly always
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if wrong.any():
        raise IndexError(f"target must be class numbers from 0 to {classes - 1}, got {int(target[wrong][0])}")
