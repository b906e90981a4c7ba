"""Pooling with one window, the whole image: by NumPy or by rows, with the values and gradients of the kernel."""

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import kernels
from minidl.kernels import channels_last

SHAPES = [(2, 3, 4, 5), (2, 3, 20, 17), (3, 40, 24, 24), (1, 40, 1, 900), (2, 1, 200, 120)]


def image(shape, dtype, order):
    """Numbers of which many are equal, with NaN and infinity; its channels last, first, or in reversed rows."""
    random = np.random.default_rng(0)
    x = random.integers(-3, 4, shape).astype(dtype)
    if x.dtype.kind == "f":
        x[random.random(shape) < 0.5 / np.prod(shape[2:])] = np.nan
        x[0, 0] = -np.inf
    return {"first": x, "last": channels_last(x), "reversed": x[:, :, ::-1]}[order]


@pytest.mark.parametrize("return_indices", [False, True])
@pytest.mark.parametrize("order", ["first", "last", "reversed"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_maximum(shape, dtype, order, return_indices):
    x = image(shape, dtype, order)
    expected, taps = kernels.pool2d.max_forward(x, shape[2:])
    tensor = minidl.tensor(x) if dtype == "int32" else minidl.Tensor(x, requires_grad=True)
    y = F.max_pool2d(tensor, shape[2:], stride=3, ceil_mode=True, return_indices=return_indices)
    if return_indices:
        y, indices = y
        assert indices.dtype == np.int64
        np.testing.assert_array_equal(indices.numpy(), taps)
    assert y.shape == expected.shape and y.dtype == dtype
    np.testing.assert_array_equal(y.numpy(), expected)
    if dtype != "int32":
        dy = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
        y.backward(minidl.tensor(dy))
        dx = kernels.pool2d.max_scatter(dy, taps, shape[2:], shape[2:])
        np.testing.assert_array_equal(tensor.grad.numpy(), dx)


@pytest.mark.parametrize("order", ["first", "last", "reversed"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_mean(shape, dtype, order):
    x = minidl.Tensor(np.nan_to_num(image(shape, dtype, order), nan=0.5, neginf=0.25), requires_grad=True)
    y = F.avg_pool2d(x, shape[2:], stride=3, ceil_mode=True, count_include_pad=False)
    expected = x.numpy().astype(np.float64).mean((2, 3), keepdims=True)
    np.testing.assert_allclose(y.numpy(), expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
    assert y.shape == expected.shape and y.dtype == dtype
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    y.backward(minidl.tensor(dy))
    np.testing.assert_array_equal(x.grad.numpy(), np.broadcast_to(dy / np.prod(shape[2:]).astype(dtype), shape))


def test_a_mean_of_integers_stays_an_error():
    with pytest.raises(TypeError, match="must be floating point to be averaged, got int32"):
        F.avg_pool2d(minidl.tensor(np.ones((1, 1, 4, 4), np.int32)), 4)


@pytest.mark.parametrize("shape", [(0, 3, 200, 200), (2, 0, 200, 200)])
@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
def test_no_images(pool, shape):
    assert pool(minidl.zeros(shape), 200).shape == (*shape[:2], 1, 1)


@pytest.mark.parametrize("order", ["first", "last"])
def test_second_derivatives(order):
    x = np.random.default_rng(0).permutation(np.arange(2.0 * 18 * 18)).reshape(1, 2, 18, 18)
    x = minidl.Tensor(x if order == "first" else channels_last(x), requires_grad=True)
    (dx,) = minidl.grad((F.max_pool2d(x, 18) ** 3).sum(), [x], create_graph=True)
    (ddx,) = minidl.grad((dx**2).sum(), [x])
    # at the maximum y = x^3, dx = 3 * x^2, d(dx^2)/dx = d(9 * x^4)/dx = 36 * x^3
    expected = np.where(x.numpy() == x.numpy().max((2, 3), keepdims=True), 36 * x.numpy() ** 3, 0)
    np.testing.assert_allclose(ddx.numpy(), expected, rtol=1e-12)
