import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("channel_sums")]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=st.lists(st.integers(0, 12), min_size=2, max_size=5).map(tuple) | st.just((3, 100, 30, 40)),
    orders=st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    product=st.booleans(),
    seed=seeds,
)
def test_sums(backend, dtype, shape, orders, product, seed):
    x, y = laid_out(arrays_of(shape, dtype, seed), orders[0]), laid_out(arrays_of(shape, dtype, seed + 1), orders[1])
    with kernels.use_backend(backend, strict=True):
        s = kernels.channel_sums.forward(x, y if product else None)
    terms = x.astype(np.float64) * (y if product else 1)
    axes = (0, *range(2, x.ndim))
    expected, magnitude = terms.sum(axes), np.abs(terms).sum(axes)
    assert s.dtype == dtype and s.shape == (shape[1],)
    # Rounded once to float32: the sums themselves are exact to 1e-13.
    assert np.all(np.abs(s - expected) <= np.finfo(dtype).eps * np.abs(expected) + 1e-13 * magnitude)


@pytest.mark.parametrize("order", ["C", "channels_last"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_as_accurate_as_exact_summation(backend, order):
    """A running float32 sum of these is wrong in its last two digits."""
    x = laid_out((arrays_of((64, 3, 50, 50), "float32", 1) + 100).astype(np.float32), order)
    with kernels.use_backend(backend, strict=True):
        s = kernels.channel_sums.forward(x)
    exact = [math.fsum(x[:, c].ravel().tolist()) for c in range(3)]
    np.testing.assert_array_equal(s, np.array(exact, np.float32))
    running = np.add.accumulate(x[:, 0].ravel(), dtype=np.float32)[-1]
    assert abs(running - exact[0]) > 50 * np.spacing(np.float32(exact[0]))


def test_bad_arguments():
    x = np.ones((2, 3, 4))
    for arguments, error, words in (
        ((np.ones(3),), ValueError, "at least 2 dimensions"),
        ((x, x[:1]), ValueError, "y must have the shape of x"),
        ((x, x.astype("f4")), TypeError, "x float64 and y float32"),
        ((x.tolist(),), TypeError, "got list"),
    ):
        with pytest.raises(error, match=words):
            kernels.channel_sums.forward(*arguments)
