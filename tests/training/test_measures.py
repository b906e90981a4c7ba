"""The accuracy that evaluate and fit give: of what it is a share, and where there is none."""

import numpy as np
import pytest

from minidl import nn, training


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        (np.eye(3), [0, 1, 0], 2 / 3),
        (np.eye(3), [0, -100, 0], 1 / 2),  # as cross_entropy, it ignores -100
        (np.eye(3)[[1, 2, 0]], np.array([[0.2, 0.5, 0.3], [0.0, 0.4, 0.6], [0.1, 0.2, 0.7]]), 2 / 3),
        (np.array([[[0.0, 1.0], [2.0, 0.0], [1.0, 3.0]]]), [[1, 1]], 1 / 2),  # (N, C, T): class 1, then 2
        (np.arange(16.0).reshape(2, 2, 2, 2), np.arange(8).reshape(2, 2, 2).clip(max=1), 7 / 8),  # pixels
    ],
)
def test_accuracy_is_a_share_of_the_targets(output, target, expected):
    target = np.asarray(target)
    measured = training.evaluate(nn.Identity(), (output, target), loss=None, metrics=["accuracy"])
    assert measured["accuracy"] == pytest.approx(expected)
    if target.dtype.kind == "i":
        assert training.evaluate(nn.Identity(), (output, target), loss=None) == measured


@pytest.mark.parametrize(
    ("output", "target"),
    [
        ((4, 1), np.ones((4, 1))),
        ((4, 1), np.ones(4, int)),
        ((4, 3), np.ones((4, 1), int)),
        ((4, 3), np.ones(4)),
        ((4, 3), np.ones((4, 3), int)),
        ((4,), np.ones(4, int)),
    ],
)
def test_accuracy_is_refused_where_there_is_none(output, target):
    data = (np.zeros(output), target)
    with pytest.raises(ValueError, match=r"\(N, C, \.\.\.\).* C >= 2 .*got float64 \(4.* metrics takes a function"):
        training.evaluate(nn.Identity(), data, loss=None, metrics=["accuracy"])
    assert training.evaluate(nn.Identity(), data, loss=lambda *_: 0.5) == {"loss": 0.5}  # as of a regression
