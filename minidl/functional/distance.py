"""Distances and their losses: how far apart vectors are, and what draws them together and apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function
from minidl.functional.arithmetic import maximum, minimum
from minidl.functional.axes import Axes
from minidl.functional.broadcast import broadcast_to, common_shape
from minidl.functional.choice import clamp_min, where
from minidl.functional.conversion import astype
from minidl.functional.elementwise import sqrt
from minidl.functional.linear import matmul
from minidl.functional.loss import reduce_losses
from minidl.functional.operands import data_of, namespace
from minidl.functional.reduce import norm, sum
from minidl.functional.shape import swapaxes, unsqueeze

__all__ = [
    "cdist", "cosine_embedding_loss", "cosine_similarity", "margin_ranking_loss", "normalize", "pairwise_distance",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


def normalize(x: Any, p: float = 2.0, dim: Axes = 1, eps: float = 1e-12) -> Any:
    """x / max(|x|, eps) along `dim`: vectors of length 1, the length being the p-norm, see :func:`norm`.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.normalize(minidl.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6, 0.8],
            [0. , 0. ]])
    """
    return x / maximum(norm(x, p, dim, keepdim=True), eps)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """|x1 - x2 + eps|, the p-norm along the last axis; `eps` keeps it from 0, where it has no slope.

    Parameters
    ----------
    x1, x2 : (..., D)
        Broadcast.

    Returns
    -------
    (...), or (..., 1) with `keepdim`

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.pairwise_distance(minidl.tensor([[3.0, 0.0]]), minidl.tensor([[0.0, 4.0]]))
    tensor([5.])
    """
    return norm(x1 - x2 + eps, p, -1, keepdim)


def cdist(x1: Any, x2: Any, p: float = 2.0) -> Any:
    """y[i, j] = |x1[i] - x2[j]|, the p-norm of all differences; where it is 0 its gradient is 0.

    All N * M * D differences are computed. For p = 2, float32 and more than 25 rows, a matrix product in float64 gives
    the squared distances instead; for rows close to each other these are then replaced by those from the differences,
    so that small distances, and 0, are as exact as the others.

    Parameters
    ----------
    x1 : (..., N, D)
    x2 : (..., M, D)
        Axes in front broadcast.

    Returns
    -------
    (..., N, M)

    Examples
    --------
    >>> import minidl
    >>> minidl.cdist(minidl.tensor([[0.0, 0.0]]), minidl.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"cdist: x1 must be (..., N, D), x2 (..., M, D), got {tuple(x1.shape)} and {tuple(x2.shape)}")
    many = max(x1.shape[-2], x2.shape[-2]) > 25
    if many and p == 2 and x1.dtype == x2.dtype == np.float32:
        return Cdist()(x1, x2)
    p = p if x1.shape[-1] else 1  # without features all distances are 0, but there is no largest of no values
    return norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


class Cdist(Function):
    """y[i, j] = |x1[i] - x2[j]|, with y^2 = |x1[i]|^2 + |x2[j]|^2 - 2 * sum_d x1[i, d] * x2[j, d]."""

    saves_output = True

    def forward(self, x1, x2):
        xp = namespace(x1)
        wide1, wide2 = x1.astype(np.float64), x2.astype(np.float64)
        sizes = (wide1 * wide1).sum(-1)[..., :, None] + (wide2 * wide2).sum(-1)[..., None, :]
        squares = kernels.matmul.forward(-2 * wide1, wide2.swapaxes(-1, -2)) + sizes
        # where y^2 is small beside |x1|^2 + |x2|^2, cancellation leaves few right digits (of infinities NaN): once more
        close = xp.nonzero(~(squares > 1e-7 * sizes))
        wide1, wide2 = (xp.broadcast_to(wide, (*squares.shape[:-2], *wide.shape[-2:])) for wide in (wide1, wide2))
        difference = wide1[close[:-1]] - wide2[(*close[:-2], close[-1])]
        squares[close] = (difference * difference).sum(-1)
        return xp.sqrt(squares.astype(x1.dtype))

    def backward(self, dy, inputs, output):
        x1, x2 = (astype(x, np.float64) for x in inputs)
        # dy/dx1[i] = (x1[i] - x2[j]) / y = -dy/dx2[j], and 0 where y = 0; with g[i, j] = dy[i, j] / y[i, j]
        # dx1[i] = x1[i] * sum_j g[i, j] - sum_j g[i, j] * x2[j], and dx2 likewise
        zero = data_of(output) == 0
        g = where(zero, 0, astype(dy, np.float64) / where(zero, 1, astype(output, np.float64)))
        gradients = (
            x * unsqueeze(sum(part, -1), -1) - matmul(part, other) if self.needs(i) else None
            for i, (x, other, part) in enumerate(((x1, x2, g), (x2, x1, swapaxes(g, -1, -2))))
        )
        return tuple(None if dx is None else astype(dx, dy.dtype) for dx in gradients)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """sum(x1 * x2) / (|x1| * |x2|) along `dim`: 1 for the same direction, -1 for opposite ones; lengths at least eps.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.cosine_similarity(minidl.tensor([[1.0, 0.0]]), minidl.tensor([[3.0, 4.0]]))
    tensor([0.6])
    """
    shape = common_shape("cosine_similarity", x1=x1, x2=x2)
    x1, x2 = broadcast_to(x1, shape), broadcast_to(x2, shape)
    length1 = sqrt(maximum(sum(x1 * x1, dim), eps * eps))
    length2 = sqrt(maximum(sum(x2 * x2, dim), eps * eps))
    return sum(x1 * x2, dim) / (length1 * length2)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0), with d the :func:`pairwise_distance`.

    0 where the negative is farther from the anchor than the positive is, by at least the margin. With `swap` the
    distance of the negative is the smaller of those from the anchor and from the positive.

    Sources: Schroff et al., FaceNet, 2015, equation 3 (there of squared distances); for `swap` Balntas et al., Learning
    local feature descriptors with triplets and shallow convolutional neural networks, 2016.

    Parameters
    ----------
    anchor, positive, negative : (N, D) or (D,)

    Returns
    -------
    A number; with ``reduction="none"`` (N,)

    Raises
    ------
    ValueError
        Different numbers of axes; a margin that is not above 0.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> anchor, positive, negative = minidl.tensor([[0.0]]), minidl.tensor([[1.0]]), minidl.tensor([[1.5]])
    >>> F.triplet_margin_loss(anchor, positive, negative)
    tensor(0.5)
    """
    common_shape("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)
    options = {"margin": margin, "swap": swap, "reduction": reduction}
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda x1, x2: pairwise_distance(x1, x2, p, eps), **options
    )


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0) for any distance d of your own.

    Without one, d is the :func:`pairwise_distance`, as in :func:`triplet_margin_loss`, where `swap` is explained.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> anchor, positive, negative = minidl.tensor([[0.0]]), minidl.tensor([[1.0]]), minidl.tensor([[1.5]])
    >>> F.triplet_margin_with_distance_loss(
    ...     anchor, positive, negative, distance_function=lambda x1, x2: (x1 - x2).abs().sum(-1)
    ... )
    tensor(0.5)
    """
    ranks = anchor.ndim, positive.ndim, negative.ndim
    if len(set(ranks)) != 1:
        raise ValueError(f"anchor, positive and negative must have as many dimensions as each other, got {ranks}")
    if margin <= 0:
        raise ValueError(f"margin must be above 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduce_losses(clamp_min(near - far + margin, 0), reduction)


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """max(-target * (input1 - input2) + margin, 0): 1 as target asks for input1 > input2, -1 for input2 > input1.

    A pair that lies on its margin is drawn apart too: with a margin of 0, two equal numbers.

    Parameters
    ----------
    input1, input2, target : of as many axes, which broadcast

    Returns
    -------
    A number; with ``reduction="none"`` one for each pair

    Raises
    ------
    ValueError
        Different numbers of axes, or sizes that do not broadcast.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> input1, input2 = minidl.tensor([3.0, 1.0]), minidl.tensor([1.0, 3.0])
    >>> F.margin_ranking_loss(input1, input2, minidl.tensor([1, 1]), reduction="none")
    tensor([0., 2.])
    """
    shapes = [tuple(x.shape) for x in (input1, input2, target)]
    if not input1.ndim == input2.ndim == target.ndim or any(len({*sizes} - {1}) > 1 for sizes in zip(*shapes)):
        raise ValueError(
            "margin_ranking_loss: input1, input2 and target must have as many axes, which broadcast, got "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    return reduce_losses(clamp_min(margin - target * (input1 - input2), 0), reduction)


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """1 - c where the target is 1, max(c - margin, 0) where it is -1, with c the :func:`cosine_similarity`.

    Parameters
    ----------
    input1, input2 : (N, D) or (D,)
    target : (N,) or ()
        1 for vectors that belong together, -1 for others.

    Returns
    -------
    A number; with ``reduction="none"`` (N,)

    Raises
    ------
    ValueError
        Shapes that do not fit.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> input1, input2 = minidl.tensor([[1.0, 0.0], [1.0, 0.0]]), minidl.tensor([[3.0, 4.0], [3.0, 4.0]])
    >>> F.cosine_embedding_loss(input1, input2, minidl.tensor([1, -1]), reduction="none")
    tensor([0.4, 0.6])
    """
    shape1, shape2, of_target = (tuple(x.shape) for x in (input1, input2, target))
    if len(shape1) not in (1, 2) or shape1 != shape2 or of_target != shape1[:-1]:
        raise ValueError(
            "cosine_embedding_loss: input1 and input2 must be (N, D) and target (N,), or (D,) and (), "
            f"got {shape1}, {shape2} and {of_target}"
        )
    c = cosine_similarity(input1, input2, -1)
    losses = where(target == 1, 1 - c, where(target == -1, clamp_min(c - margin, 0), 0))
    return reduce_losses(losses, reduction)
