"""Softmax and its logarithm against the formula in more digits, and their gradients against finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("softmax")]
SHAPES = st.lists(st.integers(0, 6), max_size=3).map(tuple)
COLUMNS = st.integers(1, 70) | st.sampled_from((512, 513, 1100))
LAYOUTS = (*ORDERS, "across 0", "across 1")


def placed(x, layout):
    """x in a memory order: "across 1" is the C order of an array whose axis 1 was moved to the end to give x."""
    if not layout.startswith("across"):
        return laid_out(x, layout)
    axis = min(int(layout[-1]), x.ndim - 1)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, axis)), axis, -1)


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(rows=SHAPES, columns=COLUMNS, order=st.sampled_from(LAYOUTS), scale=st.sampled_from((1, 30)), seed=seeds)
def test_forward(backend, dtype, rows, columns, order, scale, seed):
    x = placed(scale * arrays_of((*rows, columns), dtype, seed), order)
    with kernels.use_backend(backend, strict=True):
        y, log_y = kernels.softmax.forward(x), kernels.softmax.log_forward(x)
    assert y.shape == log_y.shape == x.shape and y.dtype == log_y.dtype == dtype
    expected = softmax(x.astype(np.longdouble)) if x.size else x
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y, expected, rtol=(20 + scale * 8) * eps, atol=np.finfo(dtype).tiny)
    np.testing.assert_allclose(log_y, np.log(expected), rtol=20 * eps, atol=20 * eps)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    rows=SHAPES,
    columns=st.integers(1, 70),
    orders=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    seed=seeds,
)
def test_gradients(backend, dtype, rows, columns, orders, seed):
    shape = (*rows, columns)
    x, dy = arrays_of(shape, np.longdouble, seed), placed(arrays_of(shape, dtype, seed + 1), orders[0])
    y = softmax(x) if x.size else x
    with kernels.use_backend(backend, strict=True):
        dx = kernels.softmax.input_grad(dy, placed(y.astype(dtype), orders[1]))
        log_dx = kernels.softmax.log_input_grad(dy, placed(np.log(y).astype(dtype), orders[1]))
    # d y[c] / d x[k] = y[c] * ((c = k) - y[k]) and d log y[c] / d x[k] = (c = k) - y[k], as matrices
    unit = np.eye(columns)
    wide = dy.astype(np.longdouble)
    expected = np.einsum("...c,...c,...ck->...k", wide, y, unit - y[..., None, :])
    log_expected = np.einsum("...c,...ck->...k", wide, unit - y[..., None, :])
    tolerance = 20 * np.finfo(dtype).eps * (1 + np.abs(wide).sum(-1, keepdims=True))
    assert np.all(np.abs(dx - expected) <= tolerance * (1e-6 + np.abs(y)))
    assert np.all(np.abs(log_dx - log_expected) <= tolerance)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("columns", [3, 40])
@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_at_the_edge(backend, columns):
    """Nothing overflows; -infinity is probability 0; a row that has no meaning is NaN, and its neighbours are not."""
    x = np.full((5, columns), -np.inf, np.float32)
    x[0, :2] = 3e38, -3e38
    x[1, 1:3] = 7
    x[2, 0] = np.nan
    x[3, 0] = np.inf
    expected = np.zeros((2, columns))
    expected[0, 0], expected[1, 1:3] = 1, 0.5
    for given_x in (x, placed(np.tile(x, (16, 1)), "across 0")):
        with kernels.use_backend(backend, strict=True):
            y, log_y = kernels.softmax.forward(given_x)[-5:], kernels.softmax.log_forward(given_x)[-5:]
        np.testing.assert_array_equal(y[:2], expected)
        np.testing.assert_allclose(np.exp(log_y[:2]), expected)
        assert np.isnan(y[2:]).all() and np.isnan(log_y[2:]).all()


def test_bad_arguments():
    x = np.ones((2, 3))
    for function, arguments, error, words in (
        ("forward", (np.ones((2, 0)),), ValueError, "last axis of x must not be empty"),
        ("log_forward", (np.ones(3, int),), TypeError, "x must be floating point, got int64"),
        ("input_grad", (x[:1], x), ValueError, "dy must have the shape of y"),
        ("log_input_grad", (x, x.astype("f4")), TypeError, "dy float64"),
    ):
        with pytest.raises(error, match=words):
            getattr(kernels.softmax, function)(*arguments)
