"""x += y and its like where nothing is recorded: the numbers of x + y, written into the memory that x has."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import minidl
from minidl import tensor
from minidl.kernels.arithmetic import LARGE
from tests.autograd.leaves import leaf

OPERATORS = [
    (operator.iadd, operator.add),
    (operator.isub, operator.sub),
    (operator.imul, operator.mul),
    (operator.itruediv, operator.truediv),
]
SHAPES = [(3, 4), (LARGE // 64, 64)]  # by NumPy, and by the kernels


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("change, plain", OPERATORS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_written_into_the_same_memory(change, plain, shape, dtype):
    rng = np.random.default_rng(0)
    array = rng.normal(size=shape).astype(dtype)
    others = [array + 1, array[0] + 2, 0.7, 3, np.float64(0.3), array[:, :1].copy(), array.astype("float32")]
    for other in others + [tensor(other) for other in others]:
        x = tensor(array)
        memory, view = x.data, x[0]
        expected = plain(x, other).data.astype(dtype)
        version = x.version[0]
        assert change(x, other) is x and x.data is memory and x.version[0] > version
        np.testing.assert_array_equal(x.data, expected)
        np.testing.assert_array_equal(view.data, expected[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_x_meets_itself(shape):
    x = tensor(np.full(shape, 3.0))
    x += x
    x *= x[0]  # which is overwritten meanwhile
    assert x.unique().tolist() == [36.0]


@pytest.mark.parametrize("change, plain", OPERATORS)
def test_what_is_recorded_keeps_its_history(change, plain):
    w, constant = leaf([3.0, 4.0]), tensor(np.array([6.0, 8.0]))
    for start, other in ((lambda: w * 2, w), (lambda: w * 2, 2.0), (lambda: constant + 0, w)):
        y, expected = change(start(), other), plain(start(), other)
        np.testing.assert_array_equal(y.data, expected.data)
        (dw,), (expected_dw,) = minidl.grad(y.sum(), w), minidl.grad(expected.sum(), w)
        np.testing.assert_array_equal(dw.data, expected_dw.data)


@pytest.mark.parametrize("change, plain", OPERATORS)
def test_a_leaf_only_under_no_grad(change, plain):
    w = leaf([3.0, 4.0])
    with pytest.raises(RuntimeError, match="a leaf that requires grad can't be changed in place"):
        change(w, 2.0)
    with minidl.no_grad():
        assert change(w, 2.0) is w
    np.testing.assert_array_equal(w.data, plain(np.array([3.0, 4.0]), 2.0))
    assert w.requires_grad and w.is_leaf


@pytest.mark.parametrize("change, plain", OPERATORS)
def test_what_does_not_fit_changes_nothing(change, plain):
    x, counts = tensor([1.0, 2.0]), tensor([1, 2])
    with pytest.raises(ValueError, match=r"the result has shape \(3, 2\), which does not fit the tensor's own \(2,\)"):
        change(x, minidl.ones(3, 2))
    with pytest.raises(TypeError, match="a tensor of int64 can't hold"):
        change(counts, 0.5)
    with pytest.raises(RuntimeError, match="read-only memory, as expand gives it"):
        change(x.expand(3, 2), minidl.ones(3, 2))
    assert x.tolist() == [1, 2] and counts.tolist() == [1, 2]


def test_alpha_scales_what_is_added():
    x, y = tensor([1.0, 2.0]), tensor([10.0, 20.0])
    memory = x.data
    assert x.add_(y, alpha=0.5) is x and x.tolist() == [6, 12]
    assert x.sub_(y, alpha=0.1) is x and x.tolist() == [5, 10]
    assert x.add_(tensor([1, 2]), alpha=2).tolist() == [7, 14] and x.data is memory
    with pytest.raises(TypeError, match="alpha"):
        x.mul_(y, alpha=2)
    with pytest.raises(TypeError, match="alpha must be an integer"):
        tensor([1, 2]).add_(1, alpha=0.5)
