"""e^x and e^x - 1 of what is no array of floats, and with slopes at the ends of their range."""

import numpy as np
import pytest

import minidl
import minidl.functional as F


@pytest.mark.parametrize("name", ["exp", "expm1", "tanh"])
@pytest.mark.parametrize("x", [1.5, 2, [0.5, -1.0], (1, 2), np.float32(0.5), np.array([1, 2])])
def test_numbers_and_lists(name, x):
    np.testing.assert_allclose(getattr(F, name)(x), getattr(np, name)(x), rtol=1e-7)


@pytest.mark.parametrize("name, signed_zero", [("exp", 1.0), ("expm1", -0.0)])
def test_at_the_ends(name, signed_zero):
    x = minidl.tensor([-np.inf, -200.0, -0.0, 88.5, 200.0, np.inf, np.nan], requires_grad=True)
    y = getattr(F, name)(x)
    with np.errstate(over="ignore"):
        expected = getattr(np, name)(x.numpy().astype(np.float64)).astype(np.float32)
        slopes = np.exp(x.numpy().astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(y.numpy(), expected, rtol=4e-7)
    assert np.signbit(y.numpy()[2]) == np.signbit(signed_zero)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=4e-7)
