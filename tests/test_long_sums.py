"""Products and norms of many numbers: added up in double, the same bits for any number of threads; and their edges."""

import numpy as np
import pytest

import minidl
import minidl.functional as F

A, B = np.random.default_rng(0).standard_normal((2, 300_001)).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_right_to_the_last_digit(threads):
    before = minidl.get_num_threads()
    minidl.set_num_threads(threads)
    try:
        dot, norm = F.dot(A, B), F.norm(A)
    finally:
        minidl.set_num_threads(before)
    wide = A.astype(np.float64)
    assert dot == np.float32(wide @ B.astype(np.float64))
    assert norm == np.sqrt(np.float32(wide @ wide))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_dot_of_few_numbers_and_of_every_other(n, dtype):
    a, b = (np.arange(-4, 2 * n - 4, dtype=dtype)[::2] * k for k in (2, 3))
    for y in (F.dot(a, b), F.dot(minidl.tensor(a), minidl.tensor(b)).data, minidl.tensor(a) @ minidl.tensor(b)):
        assert y.shape == () and y.dtype == dtype and y == np.dot(a, b)


def test_dot_of_two_types_is_refused_by_name():
    with pytest.raises(TypeError, match="b must have the dtype of a: got a float32 and b float64"):
        F.dot(A[:3], B[:3].astype(np.float64))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (4,), (2, 3, 4)])
def test_norm_of_all_numbers(shape, keepdim):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for given in (x, x.T):
        y = F.norm(minidl.tensor(given), keepdim=keepdim).data
        assert y.shape == ((1,) * len(shape) if keepdim else ()) and y.dtype == np.float32
        np.testing.assert_allclose(y.item(), np.linalg.norm(x.ravel()), rtol=1e-6)


@pytest.mark.parametrize("p", [0, 1, 2, 3, -1, np.inf, -np.inf])
def test_norm_of_integers_does_not_overflow_their_type(p):
    numbers = np.array([100, -128], np.int8)
    expected = np.linalg.norm(numbers.astype(float), p)
    assert F.norm(minidl.tensor(numbers), p).item() == pytest.approx(expected, rel=1e-6)
    assert F.norm(numbers, p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_matrix_times_a_vector_in_either_memory_order(dtype):
    matrix, vector = A[:21_000].reshape(300, 70).astype(dtype), B[:70].astype(dtype)
    expected = matrix.astype(np.float64) @ vector
    for given in (matrix, np.asfortranarray(matrix)):
        y = F.mv(given, vector)
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-5 if dtype == "float32" else 1e-13)
        np.testing.assert_array_equal(y[:, None], F.matmul(given[None], vector[:, None])[0])
