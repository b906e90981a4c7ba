"""Resized images keep the memory order of their channels, and have the same values and gradients in either."""

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl.kernels import channels_last


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"scale_factor": 2},
        {"size": (7, 3)},
        {"scale_factor": 2, "mode": "bilinear"},
        {"size": (7, 3), "mode": "bilinear", "align_corners": True},
    ],
)
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 1, 5, 4), (0, 3, 5, 4)])
def test_channels_last(shape, options, dtype):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(dtype)
    results = []
    for given in (x, channels_last(x)):
        given = minidl.Tensor(given, requires_grad=True)
        y = F.interpolate(given * 1, **options)
        assert y.data.transpose(0, 2, 3, 1).flags.c_contiguous == given.data.transpose(0, 2, 3, 1).flags.c_contiguous
        dy = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
        (dx,) = minidl.grad((y * minidl.tensor(dy)).sum(), [given])
        results.append((y.numpy(), dx.numpy()))
    (y, dx), (y_last, dx_last) = results
    np.testing.assert_array_equal(y, y_last)
    np.testing.assert_allclose(dx, dx_last, rtol=0, atol=20 * np.finfo(dtype).eps)
