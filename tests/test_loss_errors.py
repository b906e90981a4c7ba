"""Wrong calls of losses: a ValueError, TypeError or IndexError whose text names the argument and the sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minidl.functional as F
from minidl import Tensor
from tests.test_operation_errors import LABELS, x

CALLS = [
    (lambda: F.triplet_margin_loss(x(2, 3), x(2, 3), x(3)), ValueError, r"dimensions.*\(2, 2, 1\)"),
    (lambda: F.gaussian_nll_loss(x(2, 3), x(2, 3), x(3)), ValueError, r"var must be \(2, 3\) like .* got \(3,\)"),
    (lambda: F.gaussian_nll_loss(x(2), x(2), -x(2)), ValueError, r"var must not be negative, got -1\.0"),
    (lambda: F.gaussian_nll_loss(x(2), x(2), x(2, dtype=np.float64)), TypeError, "float32 and float64"),
    (lambda: F.poisson_nll_loss(x(2), 1.0), TypeError, "poisson_nll_loss: target must be a Tensor .* got float"),
    (lambda: F.soft_margin_loss(x(2, 1), x(2)), ValueError, r"\(2, 1\) and \(2,\)"),
    (lambda: F.multi_margin_loss(x(2, 3), LABELS, p=3), ValueError, "p must be 1 or 2, got 3"),
    (lambda: F.multi_margin_loss(x(3, 3), LABELS), ValueError, r"target \(N,\).*got \(3, 3\) and \(2,\)"),
    (lambda: F.multi_margin_loss(x(2, 3), LABELS * 3), IndexError, "target must be from 0 to 2 for the classes"),
    (lambda: F.multi_margin_loss(x(2, 3), LABELS, weight=x(2)), ValueError, r"weight must be \(3,\), got \(2,\)"),
    (lambda: F.triplet_margin_with_distance_loss(x(2), x(2), x(2), margin=0), ValueError, "margin must be above 0"),
    (lambda: F.triplet_margin_loss(x(2), x(2), x(2), margin=0), ValueError, "margin must be above 0, got 0"),
    (lambda: F.cosine_embedding_loss(x(2, 3), x(2, 3), x(3)), ValueError, r"\(N,\).*got \(2, 3\), \(2, 3\) and \(3,\)"),
    *(
        (lambda shapes=shapes: F.margin_ranking_loss(*[x(*shape) for shape in shapes]), ValueError, rf".* got {got}")
        for shapes, got in (
            (((2, 3), (2, 4), (2, 3)), r"\(2, 3\), \(2, 4\) and \(2, 3\)"),
            (((2, 3), (2, 1), (4, 3)), r"\(2, 3\), \(2, 1\) and \(4, 3\)"),
            (((3,), (3,), ()), r"\(3,\), \(3,\) and \(\)"),
        )
    ),
    *(
        (call, ValueError, "weight must not require grad.*detach")
        for call in (
            lambda: F.cross_entropy(x(2, 3), LABELS, x(3).requires_grad_()),
            lambda: F.cross_entropy(x(2, 3), LABELS, x(3).requires_grad_(), label_smoothing=0.1),
            lambda: F.nll_loss(x(2, 3), LABELS, x(3).requires_grad_()),
        )
    ),
    (lambda: F.cross_entropy(x(2, 3), Tensor(np.array([0, 3]))), IndexError, "from 0 to 2, got 3"),
    (lambda: F.cross_entropy(x(2, 3), Tensor(np.array([0, 1, 2]))), ValueError, r"\(2,\).*\(2, 3\).*\(3,\)"),
    (lambda: F.cross_entropy(x(2, 3, dtype=np.int64), LABELS), TypeError, "floating point, got int64"),
    (lambda: F.cross_entropy(x(2, 3), LABELS, reduction="average"), ValueError, "reduction.*'average'"),
    (lambda: F.mse_loss(x(2, 1), x(2)), ValueError, r"\(2, 1\) and \(2,\)"),
    *(
        (lambda loss=loss: loss(x(2, 3), x(4)), ValueError, rf"{loss.__name__}: .*input \(2, 3\) and target \(4,\)")
        for loss in (F.hinge_embedding_loss, F.kl_div, F.poisson_nll_loss)
    ),
    *(
        (lambda loss=loss: loss(x(2, 3), x(2, 3), weight=x(4)), ValueError, rf"{loss.__name__}: .*weight \(4,\)")
        for loss in (
            F.binary_cross_entropy,
            F.binary_cross_entropy_with_logits,
            F.multilabel_soft_margin_loss,
        )
    ),
    (
        lambda: F.triplet_margin_loss(x(2, 3), x(2, 4), x(2, 3)),
        ValueError,
        r"triplet_margin_loss: .*anchor \(2, 3\) and positive \(2, 4\) and negative \(2, 3\)",
    ),
    (lambda: F.binary_cross_entropy(x(2) * 2, x(2)), ValueError, "input must .* 0 to 1, got 2.0; for logits"),
    (lambda: F.binary_cross_entropy(x(2), x(2) * 255), ValueError, "target must .* got 255.0; divide pixels"),
    (
        lambda: F.binary_cross_entropy(Tensor([np.nan, -1.0, 0.5]), x(3)),
        ValueError,
        "input must .* got -1.0 to 0.5;",
    ),
    (lambda: F.mse_loss(x(2), x(2, dtype=np.float64)), TypeError, "mse_loss.*float32 and float64.*astype"),
    (lambda: F.kl_div(x(2), x(2, dtype=np.float64)), TypeError, "kl_div.*float32 and float64"),
    (lambda: F.cross_entropy(x(2, 3), x(2, 3, dtype=np.float64)), TypeError, "float32 and float64"),
    (lambda: F.cross_entropy(x(2, 3), x(2)), TypeError, r"class numbers \(integers\).*float32 of shape \(2,\)"),
    (lambda: F.nll_loss(x(2, 3), LABELS, weight=x(4)), ValueError, r"each of 3 classes.*\(4,\)"),
    (lambda: F.cross_entropy(x(2, 3), x(2, 3), weight=x(1, 3)), ValueError, r"each of 3 classes.*\(1, 3\)"),
    (lambda: F.cross_entropy(x(2, 3), LABELS, x(2), label_smoothing=0.1), ValueError, r"each of 3 classes.*\(2,\)"),
    (lambda: F.cross_entropy(x(2, 3), [0, 1]), TypeError, "target must be a Tensor or an array, got list"),
    (lambda: F.mse_loss([1.0], x(1)), TypeError, "mse_loss: input must be a Tensor or an array, got list"),
    (lambda: F.kl_div(x(2), 1.0), TypeError, "kl_div: target must be a Tensor or an array, got float"),
    (lambda: F.kl_div(x(2), x(2), "batch"), ValueError, "must be 'mean', 'sum', 'batchmean' or 'none', got 'batch'"),
    (lambda: F.mse_loss(x(2), x(2), "batchmean"), ValueError, "must be 'mean', 'sum' or 'none', got 'batchmean'"),
    (lambda: F.cross_entropy(x(2, 3), LABELS, reduction=None), ValueError, "'mean', 'sum' or 'none', got None"),
    (lambda: F.kl_div(x(), x(), reduction="batchmean"), ValueError, "kl_div: .*axis of samples"),
    (lambda: F.nll_loss(x(), Tensor(1)), ValueError, r"nll_loss: input must be \(C,\).*got shape \(\)"),
    (lambda: F.cross_entropy(x(2, 3), LABELS, label_smoothing=1.5), ValueError, "from 0 to 1, got 1.5"),
    (lambda: F.cross_entropy(x(), Tensor(0)), ValueError, r"cross_entropy: input must be .* got shape \(\)"),
    (lambda: F.nll_loss(x(3, 0), Tensor([-100] * 3)), ValueError, r"nll_loss: .* at least one class, got .*\(3, 0\)"),
    (lambda: F.cross_entropy(x(3, 0), x(3, 0)), ValueError, r"cross_entropy: .* at least one class, got .*\(3, 0\)"),
    (lambda: F.nll_loss(x(2, 3), Tensor([0, 3])), IndexError, "target must be class numbers from 0 to 2, got 3"),
    (lambda: F.nll_loss(x(2, 3), Tensor([0, 1, 2])), ValueError, r"target must have shape \(2,\) .* got \(3,\)"),
    (lambda: F.nll_loss(x(2, 3), x(2)), TypeError, r"class numbers \(integers\), got float32"),
    (lambda: F.nll_loss(x(2, 3, dtype=np.int64), LABELS), TypeError, "nll_loss.*floating point, got int64"),
    (lambda: F.nll_loss(x(2, 3), [0, 1]), TypeError, "nll_loss: target must be a Tensor or an array, got list"),
    (lambda: F.cosine_embedding_loss(x(2, 3), x(2, 1), LABELS), ValueError, r"got \(2, 3\), \(2, 1\) and \(2,\)"),
    (lambda: F.cosine_embedding_loss(x(1, 2, 3), x(1, 2, 3), x(1, 2)), ValueError, r"\(N, D\) .* got \(1, 2, 3\)"),
    *(
        (lambda name=name: getattr(F, name)(x(2, 1), x(2)), ValueError, rf"{name}: .*\(2, 1\) and \(2,\)")
        for name in "l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits".split()
    ),
    (lambda: F.smooth_l1_loss(x(2), x(2), beta=-1), ValueError, "beta must not be negative, got -1"),
    (lambda: F.smooth_l1_loss(x(2), x(2), beta=math.nan), ValueError, "beta must not be negative, got nan"),
    (lambda: F.huber_loss(x(2), x(2), delta=0), ValueError, "delta must be positive, got 0"),
    (lambda: F.huber_loss(x(2), x(2), delta=math.nan), ValueError, "delta must be positive, got nan"),
]


@pytest.mark.parametrize(("call", "kind", "text"), CALLS, ids=[str(i) for i in range(len(CALLS))])
def test_a_wrong_call_of_a_loss_is_refused_by_name_and_size(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_the_pairs_of_a_ranking_loss_broadcast():
    loss = F.margin_ranking_loss(x(3, 1), x(1, 4), x(1, 1), margin=0.5, reduction="none")
    np.testing.assert_array_equal(loss.data, np.full((3, 4), 0.5))
