"""Distances, and losses of distances and of margins, as modules; for the formulas see `minidl.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidl import functional as F
from minidl.nn.loss import _Loss
from minidl.nn.module import Module


class CosineSimilarity(Module):
    """x1 . x2 / (|x1| * |x2|) along `dim`; see :func:`minidl.functional.cosine_similarity`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.CosineSimilarity()(minidl.tensor([[3.0, 4.0]]), minidl.tensor([[0.0, 4.0]]))
    tensor([0.8])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last axis; see :func:`minidl.functional.pairwise_distance`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.PairwiseDistance()(minidl.tensor([[3.0, 4.0]]), minidl.tensor([[0.0, 4.0]]))
    tensor([3.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        super().__init__()
        self.p, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)


class TripletMarginLoss(_Loss):
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0); see :func:`minidl.functional.triplet_margin_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> anchor, near, far = minidl.tensor([[0.0]]), minidl.tensor([[1.0]]), minidl.tensor([[1.5]])
    >>> nn.TripletMarginLoss()(anchor, near, far)
    tensor(0.5)
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ):
        super().__init__(reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction
        )


class MarginRankingLoss(_Loss):
    """max(-target * (input1 - input2) + margin, 0); see :func:`minidl.functional.margin_ranking_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> input1, input2, first = minidl.tensor([2.0, 2.0]), minidl.tensor([1.0, 3.0]), minidl.tensor([1, 1])
    >>> nn.MarginRankingLoss()(input1, input2, first)
    tensor(0.5)
    """

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return F.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class CosineEmbeddingLoss(_Loss):
    """1 - c or max(c - margin, 0), c the cosine of both; see :func:`minidl.functional.cosine_embedding_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.CosineEmbeddingLoss()(minidl.tensor([[3.0, 4.0]]), minidl.tensor([[0.0, 4.0]]), minidl.tensor([1]))
    tensor(0.2)
    """

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class HingeEmbeddingLoss(_Loss):
    """input, or max(margin - input, 0); see :func:`minidl.functional.hinge_embedding_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.HingeEmbeddingLoss()(minidl.tensor([0.3, 0.4]), minidl.tensor([1, -1]))
    tensor(0.45)
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        return F.hinge_embedding_loss(input, target, self.margin, self.reduction)


class SoftMarginLoss(_Loss):
    """log(1 + e^(-target * input)); see :func:`minidl.functional.soft_margin_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.SoftMarginLoss()(minidl.tensor([2.0, 2.0]), minidl.tensor([1, -1]))
    tensor(1.1269)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.soft_margin_loss(input, target, self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """Several classes at once; see :func:`minidl.functional.multilabel_soft_margin_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.MultiLabelSoftMarginLoss()(minidl.tensor([[2.0, -2.0]]), minidl.tensor([[1, 0]]))
    tensor(0.1269)
    """

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction)
        self._keep("weight", weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


class MultiMarginLoss(_Loss):
    """The hinge loss of several classes; see :func:`minidl.functional.multi_margin_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.MultiMarginLoss()(minidl.tensor([[0.5, 1.0, 0.1]]), minidl.tensor([1]))
    tensor(0.2)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction)
        self.p, self.margin = p, margin
        self._keep("weight", weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)


class TripletMarginWithDistanceLoss(_Loss):
    """:class:`TripletMarginLoss` for a distance of your own, a function of two arrays (N, D) that gives (N,).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda x1, x2: (x1 - x2).abs().sum(1))
    >>> loss(minidl.zeros(1, 2), minidl.ones(1, 2), 2 * minidl.ones(1, 2))
    tensor(0.)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        super().__init__(reduction)
        self.distance_function, self.margin, self.swap = distance_function, margin, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
