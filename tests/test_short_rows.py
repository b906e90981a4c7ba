"""Reductions of many short rows, which are read column by column: rounded as NumPy rounds them."""

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
