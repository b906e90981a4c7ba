import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, arrays_of, assert_close, cpu_backends, fast, laid_out, seeds

BACKENDS = cpu_backends("matmul")
orders = st.sampled_from(("C", "channels_last", "reversed", "sliced", "unaligned"))


def check(backend, a, b):
    with kernels.use_backend(backend, strict=True):
        y = kernels.matmul.forward(a, b)
    exact_a, exact_b = a.astype(np.float64), b.astype(np.float64)
    magnitude = np.abs(exact_a) @ np.abs(exact_b)
    assert_close(y, exact_a @ exact_b, magnitude, a.shape[-1], a.dtype, f"{a.shape} @ {b.shape}")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(m=st.integers(0, 80), k=st.integers(0, 300), n=st.integers(0, 150), orders=st.tuples(orders, orders), seed=seeds)
def test_matrices(backend, dtype, m, k, n, orders, seed):
    a, b = arrays_of((m, k), dtype, seed), arrays_of((k, n), dtype, seed + 1)
    check(backend, laid_out(a, orders[0]), laid_out(b, orders[1]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("transposed", ["", "a", "b", "ab"])
@pytest.mark.parametrize(
    "shape",
    [(300, 700, 520), (1, 600, 200), (200, 600, 1), (65, 64, 4096), (7, 1000, 65), (33, 17001, 70), (70, 1100, 300)],
)
def test_larger_than_one_block(backend, dtype, transposed, shape):
    if "naive" in backend and np.prod(shape) > 1e8:
        pytest.skip("takes a second for each")
    m, k, n = shape
    a, b = arrays_of((m, k), dtype, 1), arrays_of((k, n), dtype, 2)
    check(backend, np.asfortranarray(a) if "a" in transposed else a, np.asfortranarray(b) if "b" in transposed else b)


def at_address(x, remainder):
    """A copy of x, the address of which leaves this remainder when divided by a cache line."""
    memory = np.empty(x.nbytes + 128, np.uint8)
    first = (remainder - memory.ctypes.data) % 64
    y = memory[first : first + x.nbytes].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


@pytest.mark.skipif("cython" not in BACKENDS, reason="the Cython kernels are not built")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(20, 640, 90), (64, 515, 33), (100, 512, 96), (200, 48, 128), (400, 300, 80)])
def test_where_arrays_begin_changes_no_bit(dtype, shape):
    """It decides what is copied first: NumPy's arrays begin elsewhere in every run."""
    m, k, n = shape
    a, b, w = arrays_of((m, k), dtype, 1), arrays_of((k, n), dtype, 2), arrays_of((n, k), dtype, 3)
    expected = [kernels.matmul.forward(at_address(a, 0), right) for right in (at_address(b, 0), at_address(w, 0).T)]
    for first in (8, 16, 40):
        for left in (at_address(a, 0), at_address(a, first)):
            np.testing.assert_array_equal(kernels.matmul.forward(left, at_address(b, first)), expected[0])
            np.testing.assert_array_equal(kernels.matmul.forward(left, at_address(w, first).T), expected[1])
    check("cython", at_address(a, 16), at_address(w, 16).T)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("m", [3, 100])
def test_a_sum_of_nothing_in_a_new_thread(backend, m):
    """Its scratch memory has never been used: it must not count as missing where none is needed."""
    results = []

    def multiply():
        with kernels.use_backend(backend, strict=True):
            for b in (np.ones((0, 50)), np.ones((50, 0)).T):
                results.append(kernels.matmul.forward(np.ones((m, 0)), b))

    thread = threading.Thread(target=multiply)
    thread.start()
    thread.join()
    assert len(results) == 2 and all(y.shape == (m, 50) and not y.any() for y in results)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 4, 5), (5, 6)),
        ((4, 5), (7, 5, 6)),
        ((2, 3, 4, 5), (3, 5, 6)),
        ((2, 1, 4, 5), (1, 3, 5, 6)),
        ((0, 4, 5), (5, 6)),
        ((2, 0, 5), (2, 5, 3)),
        ((2, 4, 0), (2, 0, 3)),
        ((2, 2, 40, 70), (2, 70, 90)),
    ],
)
def test_batches_broadcast(backend, shapes):
    a, b = arrays_of(shapes[0], "float32", 3), arrays_of(shapes[1], "float32", 4)
    check(backend, a, b)
    check(backend, laid_out(a, "sliced"), np.swapaxes(np.ascontiguousarray(np.swapaxes(b, -1, -2)), -1, -2))


def test_reference_is_the_formula():
    a, b = arrays_of((3, 4), "float64", 5), arrays_of((4, 2), "float64", 6)
    with kernels.use_backend("reference"):
        y = kernels.matmul.forward(a, b)
    for i in range(3):
        for j in range(2):
            assert y[i, j] == pytest.approx(sum(a[i, index] * b[index, j] for index in range(4)), rel=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_and_infinity_travel(backend):
    a, b = np.ones((3, 40), np.float32), np.ones((40, 20), np.float32)
    a[1, 39], b[0, 19] = np.nan, np.inf
    with kernels.use_backend(backend, strict=True):
        y = kernels.matmul.forward(a, b)
    assert np.isnan(y[1]).all() and np.isinf(y[[0, 2], 19]).all() and (y[[0, 2], :19] == 40).all()


def test_integers_are_served_by_the_next_in_order():
    a = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(kernels.matmul.forward(a, a.T), a @ a.T)


@pytest.mark.parametrize(
    "a, b, error, words",
    [
        (np.ones(3), np.ones((3, 2)), ValueError, "a must have at least 2 dimensions, got shape (3,)"),
        (np.ones((2, 3)), np.ones(3), ValueError, "b must have at least 2 dimensions, got shape (3,)"),
        (np.ones((2, 3)), np.ones((2, 3)), ValueError, "(2, 3)"),
        (np.ones((2, 2, 3)), np.ones((3, 3, 4)), ValueError, "broadcast"),
        (np.ones((2, 3), "f4"), np.ones((3, 2)), TypeError, "float32 and b float64"),
        (np.ones((2, 3)), np.ones((3, 2), int), TypeError, "int64"),
        ([[1.0]], np.ones((1, 1)), TypeError, "got list"),
    ],
)
def test_bad_arguments(a, b, error, words):
    with pytest.raises(error) as caught:
        kernels.matmul.forward(a, b)
    assert words in str(caught.value)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", [name for name in ("reference", "cython") if name in ("reference", *BACKENDS)])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "shape", [(3, 4, 5), (32, 1600, 64), (1, 0, 7), (0, 3, 2), (70, 1100, 300), (33, 17001, 70), (200, 5, 19)]
)
def test_linear(backend, dtype, relu, bias, shape):
    n, c, k = shape
    x, w = arrays_of((n, c), dtype, 7), arrays_of((k, c), dtype, 8)
    b = arrays_of((k,), dtype, 9) if bias else None
    with kernels.use_backend(backend, strict=True):
        y = kernels.matmul.linear(x, w, b, relu)
        np.testing.assert_array_equal(kernels.matmul.linear(x, w, b, relu), y)
    exact_x, exact_w, exact_b = x.astype("f8"), w.astype("f8"), b.astype("f8") if bias else np.zeros(k)
    z = exact_x @ exact_w.T + exact_b
    magnitude = np.abs(exact_x) @ np.abs(exact_w).T + np.abs(exact_b)
    assert_close(y, np.maximum(z, 0) if relu else z, magnitude, c + 1, x.dtype, f"{shape}")


def test_bad_arguments_of_linear():
    x, w, b = np.ones((2, 3)), np.ones((4, 3)), np.ones(4)
    for arguments, error, words in (
        ((x[0], w), ValueError, "x must have 2 dimensions"),
        ((x, w[0]), ValueError, "w must have 2 dimensions"),
        ((x, w.astype("f4")), TypeError, "x float64 and w float32"),
        ((x, w[:, :2]), ValueError, r"x must have as many columns as w, got shapes \(2, 3\) and \(4, 2\)"),
        ((x, w, b[:, None]), ValueError, "b must have 1 dimensions"),
        ((x, w, b.astype("f4")), TypeError, "x float64 and b float32"),
        ((x, w, b[:3]), ValueError, r"one number for each of the 4 rows of w, got shape \(3,\)"),
    ):
        with pytest.raises(error, match=words):
            kernels.matmul.linear(*arguments)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", [name for name in ("reference", "cython") if name in ("reference", *BACKENDS)])
def test_linear_of_few_rows(backend, dtype):
    short = itertools.product(range(1, 10), (0, 1, 7, 16, 33, 250), (1, 3, 8, 17, 300))
    long = itertools.product((9, 30, 64, 65), (511, 512, 4099), (1, 17, 150))
    for rows, depth, columns in itertools.chain(short, long):
        x, w, b = (arrays_of(shape, dtype, 5) for shape in ((rows, depth), (columns, depth), (columns,)))
        relu = columns > 8  # of so many some are above 0
        with kernels.use_backend(backend, strict=True):
            y = kernels.matmul.linear(x, w, b, relu)
        exact = x.astype("f8") @ w.T.astype("f8") + b
        exact = np.maximum(exact, 0) if relu else exact
        magnitude = np.abs(x).astype("f8") @ np.abs(w).T.astype("f8") + np.abs(b)
        assert_close(y, exact, magnitude, depth + 1, x.dtype, f"{rows, depth, columns}")


@pytest.mark.parametrize("shape", [(3, 40, 20), (3, 17000, 20)])
def test_linear_does_not_hide_nan(shape):
    n, c, k = shape
    x, w = np.ones((n, c), np.float32), -np.ones((k, c), np.float32)
    x[1, c - 1] = np.nan
    y = kernels.matmul.linear(x, w, None, relu=True)
    assert np.isnan(y[1]).all() and (y[[0, 2]] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones((2, 3)), np.ones((4, 2))), ValueError, "as many columns"),
        ((np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), ValueError, "4 rows"),
        ((np.ones((2, 3)), np.ones((4, 3), "f4")), TypeError, "dtype"),
        ((np.ones(3), np.ones((4, 3))), ValueError, "dimension"),
    ],
)
def test_linear_says_what_is_wrong(arguments, error, words):
    with pytest.raises(error, match=words):
        kernels.matmul.linear(*arguments)
