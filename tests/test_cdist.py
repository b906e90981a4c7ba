"""cdist of many rows, by a matrix product: as exact as differences, near 0 too, and so are its derivatives."""

import numpy as np
import pytest

import minidl
import minidl.functional as F


def rows(far: float) -> tuple[np.ndarray, np.ndarray]:
    """Of which some are equal, some a rounding error apart, some close."""
    random = np.random.default_rng(0)
    x1, x2 = ((random.standard_normal((2, n, 5)) + far).astype(np.float32) for n in (40, 30))
    x2[:, :5] = x1[:, :5]
    x2[:, 5:10] = np.nextafter(x1[:, 5:10], np.float32(np.inf))
    x2[:, 10:15] = x1[:, 10:15] + 1e-3 * x2[:, 10:15]
    return x1, x2


def derivatives(x1: np.ndarray, x2: np.ndarray) -> list[np.ndarray]:
    """The distances and, where rows are not equal, their gradients of first and second order."""
    random = np.random.default_rng(1)
    x = [minidl.tensor(x1).requires_grad_(), minidl.tensor(x2[:1]).requires_grad_()]  # broadcast over the batch
    y = F.cdist(*x)
    dy, *v = (random.standard_normal(shape).astype(x1.dtype) for shape in (y.shape, x1.shape, x2[:1].shape))
    dx = minidl.grad(y, x, minidl.tensor(dy), create_graph=True)
    ddx = minidl.grad(dx, x, [minidl.tensor(part) for part in v])
    return [part.numpy() for part in (y, *dx, *ddx)]


@pytest.mark.parametrize("far", [0, 100])
def test_values_and_gradients_as_exact_as_differences(far):
    x1, x2 = rows(far)
    wide = [x.astype(np.float64) for x in (x1, x2)]
    y, expected = F.cdist(x1, x2), F.cdist(*wide)
    assert y.dtype == np.float32 and np.all(y[expected == 0] == 0) and (expected == 0).sum() == 10
    np.testing.assert_allclose(y, expected, rtol=1.5e-7)
    single, double = derivatives(x1, x2)[:3], derivatives(*wide)[:3]
    for got, expected in zip(single, double, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_second_derivative():
    x1, x2 = (x[:, 15:] for x in rows(0))
    x1 = np.concatenate([x1, x1 + 1], 1)
    single, double = derivatives(x1, x2), derivatives(*(x.astype(np.float64) for x in (x1, x2)))
    for got, expected in zip(single, double, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_finite():
    x = np.zeros((30, 2), np.float32)
    x[0], x[1, 0] = np.inf, np.nan
    y = F.cdist(x, x)
    assert np.isnan(y[0, 0]) and np.isnan(y[1]).all() and np.isnan(y[:, 1]).all()
    assert np.all(y[0, 2:] == np.inf) and np.all(y[2:, 2:] == 0)
