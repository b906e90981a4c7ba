"""Dropout: the numbers that the generator's authors give; the same numbers in every order; the right share of zeros."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels
from minidl.kernels.dropout.reference import philox

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("dropout")]


def test_philox_as_published():
    """The first of the known answers of the Random123 library: counter 0, key 0."""
    words = philox(np, np.zeros(1, np.uint64), 0)
    assert [f"{int(word[0]):08x}" for word in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple) | st.just((3, 5, 60, 70)),
    order=st.sampled_from(ORDERS),
    p=st.floats(0, 0.99),
    key=st.integers(0, 2**64 - 1),
    seed=seeds,
)
def test_the_same_numbers_everywhere(backend, dtype, shape, order, p, key, seed):
    x = arrays_of(shape, dtype, seed)
    with kernels.use_backend(backend, strict=True):
        y = kernels.dropout.forward(laid_out(x, order), p, key)
    # number by number, in plain Python integers
    words = np.stack(philox(np, np.arange(x.size // 4 + 1, dtype=np.uint64), key), 1).ravel()[: x.size].reshape(shape)
    dropped = words.astype(np.float64) / 2**32 < int(p * 2**32) / 2**32
    assert y.dtype == dtype and y.shape == shape
    assert np.all(y[dropped] == 0)
    np.testing.assert_allclose(y[~dropped], x[~dropped] / (1 - p), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("backend", BACKENDS)
def test_share_and_independence(backend):
    """The share of zeros is p within five standard deviations, also of neighbours, of rows and of two keys together."""
    x = np.ones((512, 600), np.float32)
    with kernels.use_backend(backend, strict=True):
        zero = kernels.dropout.forward(x, 0.3, 12345) == 0
        other = kernels.dropout.forward(x, 0.3, 12346) == 0
    for share, expected in (
        (zero, 0.3),
        (zero[:, 1:] & zero[:, :-1], 0.09),
        (zero[1:] & zero[:-1], 0.09),
        (zero & other, 0.09),
    ):
        assert abs(share.mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / share.size) * 1.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_dropped_is_zero(backend):
    with kernels.use_backend(backend, strict=True):
        y = kernels.dropout.forward(np.full(1000, np.inf), 0.5, 7)
    assert np.all((y == 0) | (y == np.inf)) and 400 < np.count_nonzero(y) < 600


@pytest.mark.parametrize("backend", cpu_backends("dropout"))
def test_memory_order_stays(backend):
    x = laid_out(arrays_of((2, 3, 4, 5), "float32", 0), "channels_last")
    with kernels.use_backend(backend, strict=True):
        assert kernels.dropout.forward(x, 0.5, 1).strides == x.strides


def test_bad_arguments():
    x = np.ones(3)
    for arguments, error, words in (
        ((x, 1, 0), ValueError, "p must be from 0 up to 1, got 1"),
        ((x, -0.1, 0), ValueError, "p must be from 0 up to 1, got -0.1"),
        ((x, 0.5, -1), ValueError, "key must be from 0"),
        ((x, 0.5, 2**64), ValueError, "key must be from 0"),
        (([1.0], 0.5, 0), TypeError, "x must be a NumPy or CuPy array, got list"),
        ((x.astype(int), 0.5, 0), TypeError, "x must be floating point"),
    ):
        with pytest.raises(error, match=words):
            kernels.dropout.forward(*arguments)
