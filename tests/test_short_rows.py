"""Reductions of many short rows, read column by column and rounded as NumPy rounds them; and of many short runs."""

import numpy as np
import pytest

import minidl.functional as F


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9])
@pytest.mark.parametrize("name, numpys", [("sum", "sum"), ("prod", "prod"), ("amax", "max"), ("amin", "min")])
def test_as_numpy(name, numpys, n, dtype, keepdim):
    random = np.random.default_rng(0)
    x = (random.standard_normal((4, 50, n)) * 3).astype(dtype)
    if x.dtype.kind == "f":
        x[random.random(x.shape) < 0.02] = np.nan
        x[random.random(x.shape) < 0.02] = -np.inf
    for given in (x, np.asfortranarray(x), x[:, ::-2]):
        y, expected = getattr(F, name)(given, -1, keepdim), getattr(given, numpys)(-1, keepdims=keepdim)
        assert y.shape == expected.shape
        np.testing.assert_array_equal(y, expected)
        if dtype in ("float32", "float64"):
            assert y.dtype == expected.dtype


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 50, 129])
@pytest.mark.parametrize("run", [(1,), (3,), (2, 5), (31,), (32,)])
@pytest.mark.parametrize("name, numpys", [("sum", "sum"), ("prod", "prod"), ("amax", "max"), ("amin", "min")])
def test_along_an_axis_of_short_runs(name, numpys, run, n, dtype, keepdim):
    random = np.random.default_rng(0)
    x = (random.uniform(0.5, 1.5, (3, 8, n, *run)) * random.choice([-1, 1], (3, 8, n, *run))).astype(dtype)
    x[0, random.random(x.shape[1:]) < 0.02] = np.nan
    x[1, random.random(x.shape[1:]) < 0.02] = -np.inf
    for given in (x, x[::-1], x.swapaxes(0, 1)):
        y, expected = getattr(F, name)(given, 2, keepdim), getattr(given.astype(float), numpys)(2, keepdims=keepdim)
        assert y.shape == expected.shape and y.dtype == dtype and not np.shares_memory(y, x)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(y, expected, rtol=n * eps, atol=n * eps * (name == "sum"))


def test_a_sum_over_short_runs_keeps_its_digits():
    x = np.random.default_rng(0).random((100_000, 3), np.float32)
    exact = x.sum(0, dtype=np.float64)
    assert abs(F.sum(x, 0) / exact - 1).max() < 2e-7 < abs(x.sum(0) / exact - 1).max()  # of NumPy's too few are right
