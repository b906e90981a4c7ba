"""Reductions of many short rows, read column by column and rounded as NumPy rounds them; of short runs; large sums."""

import itertools

import numpy as np
import pytest

import minidl.functional as F
from tests.kernels.common import assert_threads_change_no_bit


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [8, 9, 50, 511, 512, 513, 769, 1000, 4096])
def test_sums_of_rows(n, dtype, keepdim):
    x = (np.random.default_rng(0).standard_normal((30, 8, n)) + 1).astype(dtype)
    x[0, 3, 2], x[1, 2, 3], x[2, 1, 5] = np.nan, np.inf, -np.inf
    for given in (x, x[:2, :1], np.asfortranarray(x), x[:, ::-2], x[..., 1:]):
        wide = given.astype(np.longdouble)
        y, expected = F.sum(given, -1, keepdim), wide.sum(-1, keepdims=keepdim)
        assert y.shape == expected.shape and y.dtype == dtype
        steps = 4 if given.flags.c_contiguous else n  # along a strided axis NumPy adds number by number
        tolerance = steps * np.finfo(dtype).eps * np.abs(wide).sum(-1, keepdims=keepdim)
        assert np.array_equal(np.isfinite(y), np.isfinite(expected)) and np.array_equal(np.isnan(y), np.isnan(expected))
        finite = np.isfinite(expected)
        assert (np.abs(y - expected)[finite] <= tolerance[finite]).all()


def test_a_sum_over_short_runs_keeps_its_digits():
    x = np.random.default_rng(0).random((100_000, 3), np.float32)
    exact = x.sum(0, dtype=np.float64)
    assert abs(F.sum(x, 0) / exact - 1).max() < 2e-7 < abs(x.sum(0) / exact - 1).max()  # of NumPy's too few are right


LARGE = {
    "C": lambda x: x,
    "channels last": lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "with gaps": lambda x: np.repeat(x, 2, -1)[..., ::2],
}


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", LARGE)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (2, 3), (3, 2), (0, 2), (0, 2, 3), (1, 2, 3)])
def test_large_sums(axes, order, dtype, keepdim):
    x = (np.random.default_rng(0).standard_normal((5, 40, 6, 48)) + 1).astype(dtype)
    x[0, 3, 2, 4], x[1, 2, 3, 5] = np.nan, np.inf
    given, expected = LARGE[order](x), x.astype(np.longdouble).sum(axes, keepdims=keepdim)
    y, size = F.sum(given, axes, keepdim), np.abs(x.astype(np.longdouble)).sum(axes, keepdims=keepdim)
    assert y.shape == expected.shape and y.dtype == dtype and not np.shares_memory(y, given)
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(expected))
    finite = np.isfinite(expected)
    assert np.all(np.abs(y[finite] - expected[finite]) <= 20 * np.finfo(dtype).eps * size[finite])


@pytest.mark.parametrize("shape, axes", [((2, 20_000, 64), 1), ((50_000, 40), 0), ((8, 40, 90, 80), (0, 2, 3))])
def test_large_sums_down_the_rows_keep_their_digits(shape, axes):
    x = np.random.default_rng(0).random(shape, np.float32)
    exact = x.sum(axes, dtype=np.float64)
    assert abs(F.sum(x, axes) / exact - 1).max() < 1e-6
    assert_threads_change_no_bit(lambda: [F.sum(x, axes)])


SHAPES = [
    (40_000,),
    (40_007,),
    (7, 5_003),
    (1, 40_000),
    (40_000, 1),
    (200, 300),
    (3, 80, 200),
    (1, 500, 100),
    (2, 3, 80, 90),
    (2, 2, 2, 90, 90),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_large_sums_of_any_rank_over_any_axes(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    layouts = x, x.T, x[..., ::-1], x[..., ::2], np.broadcast_to(x[..., :1], shape), np.moveaxis(x, -1, 0).copy()
    for given, n in itertools.product(layouts, range(1, len(shape) + 1)):
        for axes in itertools.permutations(range(given.ndim), n):
            for keepdim in (False, True):
                expected = given.sum(axes, dtype="float64", keepdims=keepdim)
                y = F.sum(given, axes, keepdim)
                assert y.shape == expected.shape and y.dtype == dtype
                count = given.size / max(1, expected.size)
                np.testing.assert_allclose(y, expected, rtol=1e-6, atol=np.finfo(dtype).eps * 30 * count**0.5)
