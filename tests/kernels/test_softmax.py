"""The reference of softmax: against SciPy, its gradients against differences, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from minidl import kernels

rng = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1,), (5,), (3, 4), (2, 3, 7)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_scipy(shape, dtype):
    x = (50 * rng.standard_normal(shape)).astype(dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    y, log_y = kernels.softmax.forward(x), kernels.softmax.log_forward(x)
    assert y.dtype == log_y.dtype == dtype
    np.testing.assert_allclose(y, special.softmax(x.astype("float64"), -1), rtol=10 * tolerance, atol=1e-30)
    np.testing.assert_allclose(log_y, special.log_softmax(x.astype("float64"), -1), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("forward, input_grad", [("forward", "input_grad"), ("log_forward", "log_input_grad")])
def test_gradients(forward, input_grad):
    forward, input_grad = getattr(kernels.softmax, forward), getattr(kernels.softmax, input_grad)
    x, dy, direction = rng.standard_normal((3, 4, 6))
    dx = input_grad(dy, forward(x))
    # sum(dy * y(x + h v)) grows by h * sum(dx * v)
    h = 1e-6
    difference = (dy * (forward(x + h * direction) - forward(x - h * direction))).sum() / (2 * h)
    np.testing.assert_allclose((dx * direction).sum(), difference, rtol=1e-7)


def test_large_scores_do_not_overflow():
    np.testing.assert_array_equal(kernels.softmax.forward(np.array([1e4, 0.0, -np.inf])), [1, 0, 0])
    np.testing.assert_array_equal(kernels.softmax.log_forward(np.array([1e4, 0.0])), [0, -1e4])


def test_refuses():
    with pytest.raises(TypeError, match="x must be floating point, got int64"):
        kernels.softmax.forward(np.arange(3))
    with pytest.raises(ValueError, match="the last axis of x must not be empty"):
        kernels.softmax.log_forward(np.zeros((2, 0)))
    with pytest.raises(ValueError, match=r"dy must have the shape of y, \(3,\), got \(4,\)"):
        kernels.softmax.input_grad(np.zeros(4), np.zeros(3))
    with pytest.raises(TypeError, match="dy must be floating point, got int64"):
        kernels.softmax.input_grad(np.arange(3), np.zeros(3))
    with pytest.raises(TypeError, match="y must be a NumPy or CuPy array, got list"):
        kernels.softmax.input_grad(np.zeros(3), [1.0, 0.0, 0.0])
    with pytest.raises(TypeError, match="dtype"):
        kernels.softmax.log_input_grad(np.zeros(3, "float32"), np.zeros(3))
