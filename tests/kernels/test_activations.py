"""Activations against NumPy in more digits, over all numbers that there are; gradients against finite differences."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("activations")]
WIDER = {"float32": np.float64, "float64": np.longdouble}

# name: (the parameter, or none; whether the gradient is a formula of y)
ACTIVATIONS = {
    "relu": ((), True),
    "leaky_relu": ((0.2,), False),
    "elu": ((1.5,), False),
    "tanh": ((), True),
    "sigmoid": ((), True),
    "silu": ((), False),
    "gelu": ((), False),
    "gelu_tanh": ((), False),
    "hardsigmoid": ((), False),
    "hardswish": ((), False),
    "clip": ((-0.75, 1.25), False),
    "huber": ((0.75,), False),
}
NAMES = list(ACTIVATIONS)
KINKS = np.array([0, 0.75, 1.25, 3])  # sizes of x where a slope jumps
LARGE = (2, 5, 70, 30)  # several chunks


def forward_of(name):
    return getattr(kernels.activations, f"{name}_forward")


def backward_of(name):
    return getattr(kernels.activations, f"{name}_backward")


def value(name, x):
    """y in plain words."""
    e = np.exp(-np.abs(x))
    s = np.where(x >= 0, 1, e) / (1 + e)
    if name == "relu":
        return np.where(x < 0, 0, x)
    if name == "leaky_relu":
        return np.where(x > 0, x, x * x.dtype.type(0.2))
    if name == "elu":
        return np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0)))
    if name == "tanh":
        return np.tanh(x)
    if name == "sigmoid":
        return s
    if name in ("exp", "expm1"):
        with np.errstate(over="ignore", under="ignore"):
            return getattr(np, name)(x)
    if name == "softplus":
        return np.maximum(x, 0) + np.log1p(e)
    if name == "silu":
        return x * s
    if name == "gelu":
        return x * normal_below(x)
    if name == "clip":
        return np.clip(x, -0.75, 1.25)
    if name == "huber":
        return np.where(np.abs(x) <= 0.75, x * x / 2, 0.75 * (np.abs(x) - 0.375))
    if name.startswith("hard"):
        return np.clip(x + 3, 0, 6) / 6 * (x if name == "hardswish" else 1)
    return x / 2 * (1 + np.tanh(np.sqrt(2 / x.dtype.type(np.pi)) * (x + x.dtype.type(0.044715) * x**3)))


def normal_below(x):
    """1/2 + e^(-x^2/2) / sqrt(2 * pi) * (x + x^3/3 + x^5/(3 * 5) + x^7/(3 * 5 * 7) + ...)."""
    term = total = x
    for n in range(3, 200, 2):
        term = term * x * x / n
        if (total + term == total).all():
            break
        total = total + term
    return 0.5 + np.exp(-x * x / 2) / np.sqrt(2 * x.dtype.type(np.pi)) * total


def every_kind_of_number(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    sizes = np.geomspace(np.float64(tiny), 1e3, 20000)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).max, np.finfo(dtype).tiny, -750, 750, -104.5, 104.5]
    return np.concatenate([np.linspace(-120, 120, 24001), sizes, -sizes, special]).astype(dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["relu", "elu", "tanh", "sigmoid", "softplus", "clip", "huber", "exp", "expm1"])
def test_exact_to_the_last_digits(name, dtype):
    """Within 3 units in the last place, from the smallest numbers to infinity, and NaN for NaN."""
    x = every_kind_of_number(dtype)
    for backend in BACKENDS:
        with kernels.use_backend(backend, strict=True):
            y = forward_of(name)(x, *ACTIVATIONS[name][0]) if name in ACTIVATIONS else forward_of(name)(x)
        expected = value(name, x.astype(WIDER[dtype]))
        np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
        with np.errstate(over="ignore"):
            known = np.isfinite(expected.astype(dtype))
            np.testing.assert_array_equal(y[~known], expected[~known].astype(dtype))
            unit = np.spacing(np.abs(expected[known].astype(dtype))).astype(WIDER[dtype])
        units = 4 if backend == "reference" else 3  # NumPy's own exp and tanh, put together
        assert np.max(np.abs(y[known] - expected[known]) / unit) <= units, f"{name} by {backend}"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_error_function(backend, dtype):
    """Within 3 units in the last place of the one of C, which Python has, number by number."""
    x = every_kind_of_number(dtype)
    with kernels.use_backend(backend, strict=True):
        y = kernels.activations.erf_forward(x)
    expected = np.vectorize(math.erf, otypes=[np.float64])(x)
    assert np.nanmax(np.abs(y - expected) / np.spacing(np.abs(expected.astype(dtype)))) <= 3
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    np.testing.assert_array_equal(np.signbit(y)[y == 0], np.signbit(x)[y == 0])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_sign_of_zero(backend, dtype):
    """-0 stays -0 where y has the sign of x, as in C and PyTorch, at every place of a vector register."""
    x = np.tile(np.array([0.0, -0.0, -0.0], dtype), 30)
    with kernels.use_backend(backend, strict=True):
        for name in ("leaky_relu", "elu", "tanh", "silu", "gelu", "gelu_tanh", "hardswish"):
            y = forward_of(name)(x, *ACTIVATIONS[name][0])
            np.testing.assert_array_equal(y, 0)
            np.testing.assert_array_equal(np.signbit(y), np.signbit(x), name)


@pytest.mark.parametrize("dtype", FLOATS)
def test_gelu_far_below_zero(dtype):
    """Where 1 + erf(x / sqrt(2)) would round to 0, GELU keeps its digits, but for the rounding of x^2."""
    x = np.linspace(-12, -5, 1001).astype(dtype)
    with kernels.use_backend("cython", strict=True):
        y = kernels.activations.gelu_forward(x)
    beyond = np.vectorize(math.erfc, otypes=[np.float64])(-x.astype(np.float64) / math.sqrt(2)) / 2
    np.testing.assert_allclose(y, x * beyond, rtol=150 * np.finfo(dtype).eps)
    ends = kernels.activations.gelu_forward(np.array([np.inf, -40, np.nan], dtype))
    np.testing.assert_array_equal(ends, np.array([np.inf, 0, np.nan], dtype))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@example(shape=LARGE, orders=("C", "channels_last"), seed=0)
@example(shape=LARGE, orders=("unaligned_channels_last", "channels_last"), seed=1)
@example(shape=LARGE, orders=("sliced", "reversed"), seed=2)
@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple),
    orders=st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    seed=seeds,
)
def test_forward_and_backward(backend, dtype, name, shape, orders, seed):
    parameter, of_y = ACTIVATIONS[name]
    x, dy = (laid_out(arrays_of(shape, dtype, s), order) for s, order in zip((seed, seed + 1), orders))
    saved = laid_out(value(name, x).astype(dtype), orders[0]) if of_y else x
    with kernels.use_backend(backend, strict=True):
        y = forward_of(name)(x, *parameter)
        dx = backward_of(name)(dy, saved, *parameter)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y, value(name, x.astype(WIDER[dtype])), rtol=20 * eps, atol=8 * eps)
    assert y.dtype == dx.dtype == dtype and y.shape == dx.shape == shape
    # the slope of the formula itself, measured in more digits, but where the step may cross a kink
    wide, step = x.astype(np.longdouble), np.longdouble(1e-6)
    smooth = (np.abs(np.abs(wide)[..., None] - KINKS) > 2e-6).all(-1)
    slope = (value(name, wide + step) - value(name, wide - step)) / (2 * step)
    expected = slope * dy
    tolerance = 3e-5 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(dx[smooth], expected[smooth], rtol=tolerance, atol=tolerance / 20)


@pytest.mark.parametrize("backend", BACKENDS)
def test_relu_as_pytorch_has_it(backend):
    """NaN goes through both ways; what does not pass is 0, also where dy is infinite."""
    x = np.array([np.nan, -1.0, -0.0, 0.0, 3.0, -np.inf, np.inf])
    with kernels.use_backend(backend, strict=True):
        y = kernels.activations.relu_forward(x)
        dx = kernels.activations.relu_backward(np.array([1.0, np.inf, np.nan, 2.0, 3.0, 4.0, 5.0]), y)
    np.testing.assert_array_equal(y, [np.nan, 0, 0, 0, 3, 0, np.inf])
    np.testing.assert_array_equal(dx, [1, 0, 0, 0, 3, 0, 5])


@pytest.mark.parametrize("backend", BACKENDS)
def test_hardsigmoid_has_no_slope_at_its_bounds_and_at_nan(backend):
    x = np.array([-3.0, 0.0, 3.0, np.nan] * 8)  # whole vectors
    with kernels.use_backend(backend, strict=True):
        dx = kernels.activations.hardsigmoid_backward(np.full(32, 6.0), x)
    np.testing.assert_array_equal(dx, [0, 1, 0, 0] * 8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_clip_at_its_bounds_and_at_nan(backend):
    """The slope on a bound is 1, of hardtanh 0. NaN stays, as x and as a bound; of crossed bounds the upper wins."""
    x = np.array([-2.0, -1.0, 0.5, 2.0, 3.0, np.nan, np.inf, -np.inf] * 8)  # whole vectors
    with kernels.use_backend(backend, strict=True):
        y = kernels.activations.clip_forward(x, -1, 2)
        dx = kernels.activations.clip_backward(np.full(64, 6.0), x, -1, 2)
        inside = kernels.activations.hardtanh_backward(np.full(64, 6.0), x, -1, 2)
        tiny = np.array([0.0, -0.0, 5e-324])
        np.testing.assert_array_equal(kernels.activations.hardtanh_backward(tiny + 3, tiny, 0, 6), [0, 0, 3])
        np.testing.assert_array_equal(kernels.activations.clip_forward(x[:5], 2, -1), [-1] * 5)
        np.testing.assert_array_equal(kernels.activations.clip_forward(x[:5], np.nan, 2), [np.nan] * 5)
        np.testing.assert_array_equal(kernels.activations.clip_forward(x[:5], -1, np.nan), [np.nan] * 5)
    np.testing.assert_array_equal(y, [-1, -1, 0.5, 2, 2, np.nan, 2, -1] * 8)
    np.testing.assert_array_equal(dx, [0, 6, 6, 6, 0, 0, 0, 0] * 8)
    np.testing.assert_array_equal(inside, [0, 0, 6, 0, 0, 0, 0, 0] * 8)


@pytest.mark.parametrize("backend", cpu_backends("activations"))
def test_memory_order_stays(backend):
    """Channels-last memory comes out as channels-last memory, and dy follows what the formula is of."""
    x = laid_out(arrays_of((2, 3, 4, 5), "float32", 0), "channels_last")
    with kernels.use_backend(backend, strict=True):
        y = kernels.activations.relu_forward(x)
        dx = kernels.activations.relu_backward(np.ones(x.shape, "float32"), y)
    assert y.strides == x.strides and dx.strides == x.strides


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_one_gradient_for_all(name, dtype):
    """dy as the mean and the sum give it, one number in the memory of one, changes no bit."""
    x, dy = arrays_of((3, 40001), dtype, 0), np.broadcast_to(np.array(0.3, dtype), (3, 40001))
    for saved in (x, x[:, ::2], x.T):
        dys = dy[: saved.shape[0], : saved.shape[1]] if saved.shape[0] == 3 else dy.T
        dx, expected = (backward_of(name)(d, saved, *ACTIVATIONS[name][0]) for d in (dys, dys.copy()))
        np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize("name", ["tanh", "relu", "exp", "expm1"])
def test_where_a_number_lies_changes_nothing(name):
    """A vector and the rest behind the last vector are computed alike, and so is each thread's part."""
    x = arrays_of((40000,), "float32", 3)
    whole = forward_of(name)(x)
    for first in (1, 5, 17, 16384):
        np.testing.assert_array_equal(forward_of(name)(x[first : first + 16390]), whole[first : first + 16390])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_single_number(backend):
    with kernels.use_backend(backend, strict=True):
        y = kernels.activations.tanh_forward(np.array(0.5))
        dx = kernels.activations.tanh_backward(np.array(2.0), np.array(0.5))
    assert y.shape == dx.shape == () and abs(y - np.tanh(0.5)) < 1e-15 and dx == 1.5


def test_other_dtypes_go_to_the_reference():
    np.testing.assert_array_equal(kernels.activations.relu_forward(np.array([-1, 2])), [0, 2])
    assert kernels.activations.tanh_forward(np.array([0.5], "float16")).dtype == np.float16


@pytest.mark.parametrize("name", NAMES)
def test_bad_arguments(name):
    x = np.ones((2, 3))
    for dy, error, words in (
        (x[:1], ValueError, "dy must have the shape of"),
        (x.astype("f4"), TypeError, "dy must have the dtype of"),
        (x.tolist(), TypeError, "dy must be a NumPy or CuPy array, got list"),
    ):
        with pytest.raises(error, match=words):
            backward_of(name)(dy, x, *ACTIVATIONS[name][0])
    with pytest.raises(TypeError, match="[xy] must be a NumPy or CuPy array, got list"):
        backward_of(name)(x, x.tolist(), *ACTIVATIONS[name][0])
    for forward in (name, "erf", "softplus", "exp", "expm1"):
        with pytest.raises(TypeError, match="x must be a NumPy or CuPy array, got list"):
            forward_of(forward)([1.0], *ACTIVATIONS.get(forward, ((),))[0])


@pytest.mark.parametrize("name, parameter", [("leaky_relu", 0.01), ("elu", 1.0), ("huber", 1.0)])
def test_parameters_left_out(name, parameter):
    x, dy = np.array([-2.0, 3.0]), np.array([0.5, 7.0])
    np.testing.assert_array_equal(forward_of(name)(x), forward_of(name)(x, parameter))
    np.testing.assert_array_equal(backward_of(name)(dy, x), backward_of(name)(dy, x, parameter))


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_a_delta_that_is_not_positive(delta):
    x = np.array([-2.0, 3.0])
    with pytest.raises(ValueError, match=f"delta must be positive, got {delta}"):
        kernels.activations.huber_forward(x, delta)
    with pytest.raises(ValueError, match=f"delta must be positive, got {delta}"):
        kernels.activations.huber_backward(x, x, delta)
