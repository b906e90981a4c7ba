"""Rows added up by number, against a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import (
    FLOATS,
    ORDERS,
    arrays_of,
    assert_close,
    assert_threads_change_no_bit,
    cpu_backends,
    fast,
    laid_out,
    seeds,
)

BACKENDS = ["reference", *cpu_backends("index_add")]


@pytest.mark.parametrize("integer", ["int64", "uint8"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple) | st.just((50, 130)),
    count=st.integers(1, 12),
    order=st.sampled_from(ORDERS),
    seed=seeds,
)
def test_against_a_loop(backend, dtype, integer, shape, count, order, seed):
    x = laid_out(arrays_of(shape, dtype, seed), order)
    rows = np.random.default_rng(seed).integers(0, count, shape[0]).astype(integer)
    expected, magnitude = np.zeros((2, count, *shape[1:]))
    for i, row in enumerate(rows):
        expected[row] += x[i]
        magnitude[row] += np.abs(x[i])
    with kernels.use_backend(backend, strict=True):
        y = kernels.index_add.forward(x, laid_out(rows, "sliced"), count)
    assert_close(y, expected, magnitude, max(1, shape[0]), dtype)


def test_the_number_of_threads_changes_no_bit():
    x, rows = arrays_of((3000, 300), "float32", 0), np.random.default_rng(0).integers(0, 7, 3000)
    with kernels.use_backend("cython", strict=True):
        assert_threads_change_no_bit(lambda: [kernels.index_add.forward(x, rows, 7)], (1, 2, 5))


def test_a_number_that_is_not_finite_stays_in_its_row():
    with kernels.use_backend("cython", strict=True):
        y = kernels.index_add.forward(np.array([np.nan, np.inf, 1.0]), np.array([0, 1, 2]), 4)
    np.testing.assert_array_equal(y, [np.nan, np.inf, 1, 0])


def test_bad_arguments():
    x = np.ones((3, 2))
    for rows, error, words in (
        (np.array([0, 1, 3]), IndexError, "rows must be from 0 to 2, got 0 to 3"),
        (np.array([0, -1, 1]), IndexError, "rows must be from 0 to 2, got -1 to 1"),
        (np.array([0, 1]), ValueError, "one number for each of the 3 rows of x, got 2"),
        (np.array([0.0, 1, 2]), TypeError, "rows must hold integers, got float64"),
        ([0, 1, 2], TypeError, "rows must be a NumPy or CuPy array, got list"),
    ):
        with pytest.raises(error, match=words):
            kernels.index_add.forward(x, rows, 3)
    for count in (-1, 2.7):
        with pytest.raises(ValueError, match=f"count must be an integer from 0 on, got {count}"):
            kernels.index_add.forward(np.ones((0, 2)), np.zeros(0, int), count)
