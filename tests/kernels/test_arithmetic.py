"""Arithmetic of large arrays: the bits of NumPy's operators, whatever the order of memory and the number of threads."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import kernels
from minidl.kernels import operators
from minidl.kernels.arithmetic import LARGE, pays

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("arithmetic")]
OPERATORS = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)
    | st.sampled_from([(3, 5, 40, 41), (40000,), (7, 3000)]),
    axes=st.integers(0, 4),
    orders=st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    seed=seeds,
)
def test_the_numbers_of_numpy(backend, dtype, shape, axes, orders, seed):
    """x2 has the last axes of x1, all of them, or is a number where `axes` says 0."""
    x1 = laid_out(arrays_of(shape, dtype, seed), orders[0])
    x2 = laid_out(arrays_of(shape[max(0, len(shape) - axes) :], dtype, seed + 1), orders[1]) if axes else 0.7
    with kernels.use_backend(backend, strict=True):
        for name, plain in OPERATORS.items():
            y = getattr(kernels.arithmetic, name)(x1, x2)
            assert y.dtype == dtype and y.shape == shape
            np.testing.assert_array_equal(y, plain(x1, x2))
            y = x1.copy("K")
            assert getattr(kernels.arithmetic, name)(y, x2, in_place=True) is y
            np.testing.assert_array_equal(y, plain(x1, x2))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_order_of_x1_stays(backend):
    x1 = laid_out(arrays_of((4, 16, 12, 11), "float32", 0), "channels_last")
    for x2 in (x1, laid_out(x1, "channels_last"), 2):
        with kernels.use_backend(backend, strict=True):
            assert kernels.arithmetic.multiply(x1, x2).strides == x1.strides


@pytest.mark.parametrize("backend", BACKENDS)
def test_in_place_where_the_two_overlap(backend):
    memory = arrays_of((50001,), "float32", 0)
    expected = memory[1:] + memory[:-1]
    with kernels.use_backend(backend, strict=True):
        kernels.arithmetic.add(memory[1:], memory[:-1], in_place=True)
    np.testing.assert_array_equal(memory[1:], expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_read_only_stays(backend):
    x1 = np.ones(5)
    x1.setflags(write=False)
    with kernels.use_backend(backend, strict=True), pytest.raises(ValueError, match="read-only"):
        kernels.arithmetic.add(x1, 1, in_place=True)
    assert x1.sum() == 5


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_the_operators_are_those_of_python_for_anything_else():
    large, row = arrays_of((LARGE // 64, 64), "float32", 0), arrays_of((64,), "float32", 1)
    tensor = minidl.tensor(row, requires_grad=True)
    cases = ((large, large), (large, row), (large, 3), (large, np.float64(3)), (row, large), (2.5, row), (tensor, 2),
             (large, row.astype("f8")), (large, np.arange(64)), (np.arange(LARGE) + 1, 7), (large, True))  # fmt: skip
    assert [pays(*case) for case in cases] == [True, True, True] + [False] * 8 and pays(large, 0.5)
    for x1, x2 in cases:
        for ours, plain in zip((operators.plus, operators.minus, operators.times, operators.over), OPERATORS.values()):
            y, expected = ours(x1, x2), plain(x1, x2)
            assert type(y) is type(expected) and y.dtype == expected.dtype
            np.testing.assert_array_equal(np.asarray(y), np.asarray(expected))
            if type(x1) is np.ndarray and (x1.shape, x1.dtype) == (expected.shape, expected.dtype):
                changed = x1.copy()
                assert ours(changed, x2, in_place=True) is changed
                np.testing.assert_array_equal(changed, expected)
    assert operators.plus(2.0, 1, in_place=True) == 3


def test_bad_arguments():
    x = np.ones((2, 3))
    for x2, error, words in (
        (np.ones(2), ValueError, r"shape of x1, \(2, 3\), or of its last axes, got \(2,\)"),
        (np.ones((1, 2, 3)), ValueError, r"got \(1, 2, 3\)"),
        (x.astype("f4"), TypeError, "x2 must have the dtype of x1, float64, got float32"),
    ):
        for name in OPERATORS:
            with pytest.raises(error, match=words):
                getattr(kernels.arithmetic, name)(x, x2)
    with pytest.raises(TypeError, match="x1 must be a NumPy or CuPy array, got list"):
        kernels.arithmetic.add([1.0], 1)
