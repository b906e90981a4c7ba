"""Convolution, ReLU and pooling in one kernel, against the three one after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels
from minidl.kernels import conv2d_relu_pool
from minidl.kernels.isa import cpu_info

from .common import FLOATS, arrays_of, assert_close, assert_threads_change_no_bit, cpu_backends, fast, laid_out
from .test_conv2d import problems

BACKENDS = cpu_backends("conv2d_relu_pool")
pool_sizes = st.sampled_from(((1, 1), (2, 2), (3, 2), (1, 4)))


def exact(function, *arrays, **options):
    with kernels.use_backend("reference", strict=True):
        return function(*(a.astype(np.float64) if getattr(a, "dtype", None) is not None and a.dtype.kind == "f" else a
                          for a in arrays), **options)  # fmt: skip


def fits(problem, pool_size):
    geometry = problem["geometry"]
    size = kernels.conv2d.output_size(
        problem["x"][2:], problem["w"][2:], geometry["stride"], geometry["padding"], geometry["dilation"]
    )
    return size[0] >= pool_size[0] and size[1] >= pool_size[1]


def gradients(dy, taps, x, w, pool_size, geometry):
    """dx, dw, db in float64, and the sums of the absolute values of their terms."""
    call = conv2d_relu_pool.backward
    values = exact(call, dy, taps, x, w, pool_size, **geometry)
    return values, exact(call, np.abs(dy), taps, np.abs(x), np.abs(w), pool_size, **geometry)


def check(backend, dtype, problem, pool_size, bias):
    geometry, w_shape = problem["geometry"], problem["w"]
    x = laid_out(arrays_of(problem["x"], dtype, problem["seed"]), problem["order"])
    w = laid_out(arrays_of(w_shape, dtype, problem["seed"] + 1), problem["dy_order"])
    b = arrays_of(w_shape[:1], dtype, problem["seed"] + 2) if bias else None
    terms = w_shape[1] * w_shape[2] * w_shape[3] + 1
    with kernels.use_backend(backend, strict=True):
        y, taps = conv2d_relu_pool.forward(x, w, b, pool_size, **geometry)
        # the very numbers of the unfused kernels of the same backend
        z = kernels.conv2d.forward(x, w, b, **geometry)
        largest, where = kernels.pool2d.max_forward(z, pool_size)
    np.testing.assert_array_equal(y, np.maximum(largest, 0))
    np.testing.assert_array_equal(taps, np.where(largest > 0, where, pool_size[0] * pool_size[1]))
    absolute = [None if a is None else np.abs(a) for a in (x, w, b)]
    expected = exact(conv2d_relu_pool.forward, x, w, b, pool_size, **geometry)[0]
    magnitude = exact(conv2d_relu_pool.forward, *absolute, pool_size, **geometry)[0]
    if expected.any():
        assert_close(y, expected, magnitude, terms, dtype, "y")
    else:  # ReLU lets nothing through: zeros are right
        assert y.dtype == dtype and np.all(y <= 8 * np.finfo(dtype).eps * terms * magnitude)

    dy = laid_out(arrays_of(y.shape, dtype, problem["seed"] + 3), problem["dy_order"])
    with kernels.use_backend(backend, strict=True):
        dx, dw, db = conv2d_relu_pool.backward(dy, taps, x, w, pool_size, **geometry)
        nothing, dw_alone, db_alone = conv2d_relu_pool.backward(dy, taps, x, w, pool_size, False, **geometry)
    values, magnitudes = gradients(dy, taps, x, w, pool_size, geometry)
    pixels = z.size // max(1, z.shape[1])
    for name, actual, expected, magnitude, count in zip(
        ("dx", "dw", "db"), (dx, dw, db), values, magnitudes, (w.size, pixels, pixels), strict=True
    ):
        assert_close(actual, expected, magnitude, count, dtype, name)
    assert nothing is None and dw.flags.c_contiguous
    for alone, together in ((dw_alone, dw), (db_alone, db)):
        assert_close(alone, together, np.abs(magnitudes[1 if alone.ndim == 4 else 2]), pixels, dtype)
    for image in (y, taps, dx):
        assert image.transpose(0, 2, 3, 1).flags.c_contiguous, "channels last in memory"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(problem=problems(), pool_size=pool_sizes, bias=st.booleans())
def test_against_the_composition(backend, dtype, problem, pool_size, bias):
    if fits(problem, pool_size):
        check(backend, dtype, problem, pool_size, bias)


NETWORK_SHAPES = {
    "mnist 1": ((3, 1, 28, 28), (32, 1, 3, 3), {}, 2),
    "mnist 2, without dz": ((3, 32, 13, 13), (64, 32, 3, 3), {}, 2),
    "cifar 3, no pooling": ((3, 64, 6, 6), (64, 64, 3, 3), {}, 1),
    "lenet 1": ((5, 3, 32, 32), (6, 3, 5, 5), {}, 2),
    "lenet 2, without dz": ((5, 6, 14, 14), (16, 6, 5, 5), {}, 2),
    "several bands, without dz": ((2, 32, 60, 61), (64, 32, 3, 3), {}, 2),
    "several bands, one output channel": ((2, 16, 90, 120), (3, 16, 3, 3), {"padding": 1}, 1),
    "strided": ((2, 3, 90, 80), (64, 3, 7, 7), {"stride": 2, "padding": 3}, 1),
    "strided phases": ((2, 40, 50, 60), (40, 40, 3, 3), {"stride": (2, 3), "padding": 1}, 1),
    "stride above kernel, without dz": ((2, 40, 50, 60), (8, 40, 2, 2), {"stride": 5}, 2),
    "depthwise": ((2, 40, 40, 60), (40, 1, 3, 3), {"padding": 1, "groups": 40}, 2),
    "groups": ((2, 40, 40, 60), (80, 20, 3, 3), {"padding": 1, "groups": 2}, 2),
    "strided and padded, without dz": ((2, 24, 51, 40), (40, 24, 3, 3), {"stride": (2, 3), "padding": (1, 2)}, 2),
    "rows dilated, without dz": ((1, 24, 70, 61), (40, 24, 5, 3), {"padding": (2, 1), "dilation": (2, 1)}, 3),
    "dilated columns": ((2, 24, 20, 21), (40, 24, 3, 3), {"dilation": 2}, 2),
    "windows of 2 x 3, without dz": ((2, 24, 20, 32), (40, 24, 3, 3), {}, (2, 3)),
    "three blocks of a kernel row, without dz": ((2, 72, 12, 11), (24, 72, 3, 3), {"padding": 1}, 2),
    "several images a unit": ((43, 24, 6, 6), (40, 24, 3, 3), {}, 1),
    "several images a unit, swept": ((21, 40, 7, 7), (24, 40, 3, 3), {"padding": 1}, 1),
    "several images a unit, phases": ((30, 40, 9, 8), (40, 40, 3, 3), {"stride": (2, 1), "padding": 1}, 1),
    "several images a unit, one input channel": ((26, 1, 12, 12), (32, 1, 3, 3), {}, 2),
    "more weights than pixels": ((2, 130, 6, 7), (130, 130, 3, 3), {"padding": 1}, 2),
    "many more weights than pixels": ((1, 340, 4, 4), (350, 340, 3, 3), {"padding": 1}, 1),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", ["C", "channels_last"])
@pytest.mark.parametrize("name", NETWORK_SHAPES)
def test_shapes_of_networks(backend, name, order):
    x, w, geometry, pool_size = NETWORK_SHAPES[name]
    full = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    full |= {key: value if key == "groups" else kernels.pair(value, key) for key, value in geometry.items()}
    problem = {"x": x, "w": w, "geometry": full, "order": order, "dy_order": order, "seed": 5}
    check(backend, "float32", problem, kernels.pair(pool_size, "pool_size"), True)


@pytest.mark.skipif("cython" not in BACKENDS, reason="the Cython kernels are not built")
@pytest.mark.skipif(cpu_info() is not None and cpu_info().chosen == "portable", reason="there more shapes do")
@pytest.mark.parametrize("name", [name for name in NETWORK_SHAPES if name != "lenet 1"])  # that depends on the vectors
def test_which_shapes_go_without_dz(name):
    """An infinite weight of a channel that is 0 in all of dz shows whether it was multiplied by that 0."""
    x, w, geometry, pool_size = NETWORK_SHAPES[name]
    x, w = arrays_of(x, "float32", 1), arrays_of(w, "float32", 2)
    with kernels.use_backend("cython", strict=True):
        y, taps = conv2d_relu_pool.forward(x, w, pool_size=pool_size, **geometry)
        taps[:, 0], w[0] = np.prod(kernels.pair(pool_size, "pool_size")), np.inf
        dx, _, _ = conv2d_relu_pool.backward(y, taps, x, w, pool_size, **geometry)
    assert np.isfinite(dx).all() == name.endswith("without dz")


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_change_no_bit(backend):
    x, w = arrays_of((5, 16, 40, 41), "float32", 1), arrays_of((40, 16, 3, 3), "float32", 2)

    def both_ways():
        with kernels.use_backend(backend, strict=True):
            y, taps = conv2d_relu_pool.forward(x, w, pool_size=2, padding=1)
            return y, taps, *conv2d_relu_pool.backward(y, taps, x, w, 2, padding=1)

    assert_threads_change_no_bit(both_ways, (1, 2, 5))


@pytest.mark.parametrize("backend", BACKENDS)
def test_some_channels_of_a_wider_image(backend):
    """Channels last, but the runs of a pixel's channels do not touch."""
    wide, w = kernels.channels_last(arrays_of((2, 30, 14, 15), "float32", 1)), arrays_of((40, 24, 3, 3), "float32", 2)
    with kernels.use_backend(backend, strict=True):
        y, taps = conv2d_relu_pool.forward(wide[:, 3:27], w, pool_size=2)
        results = conv2d_relu_pool.backward(y, taps, wide[:, 3:27], w, 2)
    values, magnitudes = gradients(y, taps, wide[:, 3:27], w, (2, 2), {})
    for name, actual, expected, magnitude in zip(("dx", "dw", "db"), results, values, magnitudes, strict=True):
        assert_close(actual, expected, magnitude, 1000, "float32", name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_batch_changes_no_bit_of_an_image(backend):
    x, w = kernels.channels_last(arrays_of((7, 16, 60, 41), "float32", 1)), arrays_of((40, 16, 3, 3), "float32", 2)
    with kernels.use_backend(backend, strict=True):
        y, taps = conv2d_relu_pool.forward(x, w, pool_size=2, padding=1)
        dx = conv2d_relu_pool.backward(y, taps, x, w, 2, padding=1)[0]
        for n in (0, 4):
            image = slice(n, n + 1)
            y_alone, taps_alone = conv2d_relu_pool.forward(x[image], w, pool_size=2, padding=1)
            dx_alone = conv2d_relu_pool.backward(y_alone, taps_alone, x[image], w, 2, padding=1)[0]
            np.testing.assert_array_equal(y_alone, y[image])
            np.testing.assert_array_equal(taps_alone, taps[image])
            np.testing.assert_array_equal(dx_alone, dx[image])


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_relu_lets_little_through(backend):
    """Windows without a maximum contribute nothing, whatever their dy is: to dx, dw or db."""
    x, w = arrays_of((3, 16, 22, 21), "float32", 1), arrays_of((32, 16, 3, 3), "float32", 2)
    b = np.linspace(-200, 0, 32, dtype="float32")
    with kernels.use_backend(backend, strict=True):
        y, taps = conv2d_relu_pool.forward(x, w, b, pool_size=2)
        assert (taps[:, 0] == 4).all() and (taps[:, -1] < 4).any()
        dy = arrays_of(y.shape, "float32", 3)
        results = conv2d_relu_pool.backward(np.where(taps < 4, dy, np.float32("nan")), taps, x, w, 2)
    values, magnitudes = gradients(dy, taps, x, w, (2, 2), {})
    for name, actual, expected, magnitude in zip(("dx", "dw", "db"), results, values, magnitudes, strict=True):
        assert_close(actual, expected, magnitude, 1000, "float32", name)


@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_nan_is_not_hidden_and_ties_take_the_first(backend):
    x = np.zeros((1, 1, 2, 6))
    x[0, 0, :, :2], x[0, 0, 1, 2], x[0, 0, 0, 4:] = 3, np.nan, -1
    with kernels.use_backend(backend, strict=True):
        y, taps = conv2d_relu_pool.forward(x, np.ones((1, 1, 1, 1)), pool_size=2)
    np.testing.assert_array_equal(y, [[[[3, np.nan, 0]]]])
    np.testing.assert_array_equal(taps, [[[[0, 2, 4]]]])


X, W = np.ones((2, 4, 5, 5)), np.ones((6, 4, 3, 3))
DY, TAPS = np.ones((2, 6, 1, 1)), np.zeros((2, 6, 1, 1), np.uint8)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda k: k.forward(X[0], W), ValueError, "x must have 4 dimensions, got shape (4, 5, 5)"),
        (lambda k: k.forward(X, W, pool_size=0), ValueError, "pool_size must be at least 1, got 0"),
        (lambda k: k.forward(X, W, pool_size=16), ValueError, "at most 255 taps, got (16, 16)"),
        (lambda k: k.forward(X, W, pool_size=(4, 1)), ValueError, "(4, 1) is larger than the convolution's output"),
        (lambda k: k.forward(X, W.astype("f4")), TypeError, "x float64 and w float32"),
        (lambda k: k.backward(DY, TAPS, X, W, 2, groups=2), ValueError, "must have the 8 channels that w"),
        (lambda k: k.backward(DY[:1], TAPS, X, W, 2), ValueError, "must have shape (2, 6, 1, 1), got (1, 6, 1, 1)"),
        (lambda k: k.backward(DY, DY, X, W, 2), TypeError, "taps must be uint8, as forward returns them, got float64"),
        (lambda k: k.backward(DY.astype("f4"), TAPS, X, W, 2), TypeError, "x float64 and dy float32"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error) as caught:
        call(conv2d_relu_pool)
    assert words in str(caught.value)
