"""Running totals along each axis, against sums and products in more digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, assert_threads_change_no_bit, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("scan")]
SHAPES = st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple) | st.sampled_from([(3, 40, 150), (2, 20000)])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(shape=SHAPES, axis=st.integers(0, 3), order=st.sampled_from(ORDERS), seed=seeds)
def test_against_more_digits(backend, dtype, shape, axis, order, seed):
    axis %= len(shape)
    x = laid_out(arrays_of(shape, dtype, seed), order)
    factors = laid_out(np.exp(arrays_of(shape, dtype, seed) / 50).astype(dtype), order)
    with kernels.use_backend(backend, strict=True):
        sums, products = kernels.scan.cumsum(x, axis), kernels.scan.cumprod(factors, axis)
        from_end = kernels.scan.cumsum(x, axis, from_end=True)
    assert sums.dtype == products.dtype == from_end.dtype == dtype
    assert sums.shape == products.shape == from_end.shape == shape
    wide, size, n = x.astype(np.longdouble), np.abs(x).cumsum(axis), shape[axis]
    # rounded once to float32; in double with each addition
    tolerance = np.finfo("float32").eps if dtype == "float32" else n * np.finfo("float64").eps
    assert (np.abs(sums - wide.cumsum(axis)) <= tolerance * size + 1e-12 * size).all()
    expected = np.flip(np.flip(wide, axis).cumsum(axis), axis)
    assert (np.abs(from_end - expected) <= tolerance * np.abs(x).sum(axis, keepdims=True)).all()
    np.testing.assert_allclose(products, factors.astype(np.longdouble).cumprod(axis), rtol=tolerance + 1e-11)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_and_infinity_stay_from_where_they_are(backend):
    x = np.array([[1, np.inf, 2, -np.inf, 3], [1, 2, np.nan, 4, 5]], "float32")
    with kernels.use_backend(backend, strict=True):
        for y in (kernels.scan.cumsum(x, 1), kernels.scan.cumsum(x.T, 0).T):
            np.testing.assert_array_equal(y, [[1, np.inf, np.inf, np.nan, np.nan], [1, 3, np.nan, np.nan, np.nan]])
        y = kernels.scan.cumprod(x, 1)
        np.testing.assert_array_equal(y, [[1, np.inf, np.inf, -np.inf, -np.inf], [1, 2, np.nan, np.nan, np.nan]])
        y = kernels.scan.cumsum(x, 1, from_end=True)
        np.testing.assert_array_equal(y, [[np.nan, np.nan, -np.inf, -np.inf, 3], [np.nan, np.nan, np.nan, 9, 5]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_long_sums_keep_their_digits(backend):
    x = np.full(1_000_000, 0.1, "float32")
    with kernels.use_backend(backend, strict=True):
        np.testing.assert_allclose(kernels.scan.cumsum(x, 0)[-1], 100000, rtol=1e-7)


def test_integers_stay_integers():
    x = np.array([[2**60, 1, -7], [3, 4, 5]])
    np.testing.assert_array_equal(kernels.scan.cumsum(x, 1), x.cumsum(1))
    np.testing.assert_array_equal(kernels.scan.cumsum(x, 0, from_end=True), [[2**60 + 3, 5, -2], [3, 4, 5]])
    np.testing.assert_array_equal(kernels.scan.cumprod(x, 0), x.cumprod(0))


def test_threads_change_no_bit():
    x = arrays_of((30, 50, 70), "float32", 0)
    assert_threads_change_no_bit(
        lambda: [y for a in range(3) for y in (kernels.scan.cumsum(x, a, True), kernels.scan.cumprod(x, a))]
    )


def test_bad_arguments():
    for function in (kernels.scan.cumsum, kernels.scan.cumprod):
        with pytest.raises(ValueError, match="axis must be from 0 to 1, got 2"):
            function(np.ones((2, 3)), 2)
        with pytest.raises(TypeError, match="x must be a NumPy or CuPy array, got list"):
            function([1.0], 0)
