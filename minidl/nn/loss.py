"""Losses as modules; for the formulas see `minidl.functional`: loss, classification, likelihood. More: distance.py."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.autograd import Tensor
from minidl.nn.module import Module


class _Loss(Module):
    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        if reduction not in self.reductions:
            raise ValueError(f"reduction must be one of {', '.join(self.reductions)}, got {reduction!r}")
        self.reduction = reduction

    def _keep(self, name: str, tensor: Any) -> None:
        """Register a buffer: a tensor that moves with the module and is saved, but not trained."""
        self.register_buffer(name, None if tensor is None else Tensor(tensor))


class MSELoss(_Loss):
    """(input - target)^2; see :func:`minidl.functional.mse_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.MSELoss()(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 5.0]))
    tensor(4.5)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """|input - target|; see :func:`minidl.functional.l1_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.L1Loss()(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 5.0]))
    tensor(1.5)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """d^2 / (2 * beta) for d = |input - target| < beta, else d - beta/2: :func:`minidl.functional.smooth_l1_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.SmoothL1Loss()(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 5.0]))
    tensor(1.25)
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """d^2 / 2 for d = |input - target| < delta, else delta * (d - delta/2): :func:`minidl.functional.huber_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.HuberLoss(delta=2.0)(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 5.0]))
    tensor(2.)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        return F.huber_loss(input, target, self.reduction, self.delta)


class CrossEntropyLoss(_Loss):
    """-log(softmax(input)[target]); see :func:`minidl.functional.cross_entropy`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.CrossEntropyLoss()(minidl.tensor([[0.0, 0.0]]), minidl.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ):
        super().__init__(reduction)
        self._keep("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class NLLLoss(_Loss):
    """-input[target], for log-probabilities; see :func:`minidl.functional.nll_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.NLLLoss()(minidl.tensor([[0.5, 0.5]]).log(), minidl.tensor([1]))
    tensor(0.6931)
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction)
        self._keep("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(_Loss):
    """Binary cross-entropy, for probabilities; see :func:`minidl.functional.binary_cross_entropy`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.BCELoss()(minidl.tensor([0.5, 0.9]), minidl.tensor([0.0, 1.0]))
    tensor(0.3993)
    """

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction)
        self._keep("weight", weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy, for logits; see :func:`minidl.functional.binary_cross_entropy_with_logits`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.BCEWithLogitsLoss()(minidl.tensor([0.0, 9.0]), minidl.tensor([0.0, 1.0]))
    tensor(0.3466)
    """

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None):
        super().__init__(reduction)
        self._keep("weight", weight)
        self._keep("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class KLDivLoss(_Loss):
    """target * (log(target) - input), for log-probabilities; see :func:`minidl.functional.kl_div`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> p, q = minidl.tensor([[0.25, 0.75]]), minidl.tensor([[0.5, 0.5]])
    >>> nn.KLDivLoss(reduction="batchmean")(q.log(), p)
    tensor(0.1308)
    """

    reductions = (*_Loss.reductions, "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        return F.kl_div(input, target, self.reduction, self.log_target)


class GaussianNLLLoss(_Loss):
    """(log(var) + (input - target)^2 / var) / 2; see :func:`minidl.functional.gaussian_nll_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.GaussianNLLLoss()(minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 4.0]), minidl.ones(2))
    tensor(1.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        super().__init__(reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(_Loss):
    """e^input - target * input; see :func:`minidl.functional.poisson_nll_loss`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.PoissonNLLLoss()(minidl.tensor([0.0, 1.0]), minidl.tensor([1.0, 2.0]))
    tensor(0.8591)
    """

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"):
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Any, target: Any) -> Any:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, self.eps, self.reduction)
