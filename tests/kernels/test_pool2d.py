import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minidl import kernels
from minidl.kernels.pool2d import output_size

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = cpu_backends("pool2d")


@st.composite
def problems(draw, dilated=True):
    kernel_size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)) | st.just((17, 16)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, (dilation[a] * (kernel_size[a] - 1) + 1) // 2)) for a in (0, 1))
    problem = {
        "shape": (
            draw(st.integers(0, 3)),
            draw(st.sampled_from((1, 3, 16, 35))),
            draw(st.integers(1, 20)),
            draw(st.integers(1, 20)),
        ),
        "window": (kernel_size, draw(st.tuples(st.integers(1, 4), st.integers(1, 4))), padding, dilation),
        "ceil_mode": draw(st.booleans()),
        "order": draw(st.sampled_from(ORDERS)),
        "seed": draw(seeds),
    }
    try:
        output_size(problem["shape"][2:], *problem["window"], problem["ceil_mode"])
    except ValueError:
        assume(False)
    return problem


def image_with_traps(problem, dtype):
    """Many equal values, and the values that comparisons get wrong."""
    x = arrays_of(problem["shape"], dtype, problem["seed"]).round(1)
    generator = np.random.default_rng(problem["seed"])
    x[generator.random(x.shape) < 0.03] = np.nan
    x[generator.random(x.shape) < 0.1] = -np.inf
    return laid_out(x, problem["order"])


def same(actual, expected):
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(problem=problems())
def test_max_against_the_reference(backend, dtype, problem):
    x, window, size = image_with_traps(problem, dtype), problem["window"], problem["shape"][2:]
    pool2d = kernels.pool2d
    with kernels.use_backend("reference"):
        y0, taps0 = pool2d.max_forward(x, *window, problem["ceil_mode"])
        dy = laid_out(arrays_of(y0.shape, dtype, problem["seed"] + 1), problem["order"])
        dx0 = pool2d.max_scatter(dy, taps0, size, *window)
        gathered0 = pool2d.max_gather(dx0, taps0, *window)
    with kernels.use_backend(backend, strict=True):
        y, taps = pool2d.max_forward(x, *window, problem["ceil_mode"])
        dx = pool2d.max_scatter(dy, laid_out(taps0, problem["order"]), size, *window)
        gathered = pool2d.max_gather(laid_out(dx0, problem["order"]), taps0, *window)
    same(y, y0)
    same(taps, taps0)
    same(gathered, gathered0)
    np.testing.assert_allclose(dx, dx0, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)
    for image in (y, taps, dx, gathered):
        assert image.transpose(0, 2, 3, 1).flags.c_contiguous, "channels last in memory"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(problem=problems(dilated=False), count_include_pad=st.booleans())
def test_avg_against_the_reference(backend, dtype, problem, count_include_pad):
    kernel_size, stride, padding, _ = problem["window"]
    x = laid_out(arrays_of(problem["shape"], dtype, problem["seed"]), problem["order"])
    how = (problem["ceil_mode"], count_include_pad)
    pool2d, size = kernels.pool2d, problem["shape"][2:]
    exact = x.astype(np.float64)
    with kernels.use_backend("reference"):
        y0 = pool2d.avg_forward(exact, kernel_size, stride, padding, *how)
        dy = laid_out(arrays_of(y0.shape, dtype, problem["seed"] + 1), problem["order"])
        dx0 = pool2d.avg_input_grad(dy.astype(np.float64), size, kernel_size, stride, padding, *how)
    with kernels.use_backend(backend, strict=True):
        y = pool2d.avg_forward(x, kernel_size, stride, padding, *how)
        dx = pool2d.avg_input_grad(dy, size, kernel_size, stride, padding, *how)
    tolerance = 20 * np.finfo(dtype).eps
    for actual, expected in ((y, y0), (dx, dx0)):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@fast
@given(problem=problems(), count_include_pad=st.booleans())
def test_reference_against_pytorch(problem, count_include_pad):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    kernel_size, stride, padding, dilation = problem["window"]
    assume(all(2 * padding[a] <= kernel_size[a] for a in (0, 1)) and problem["shape"][0] > 0)
    x = arrays_of(problem["shape"], "float64", problem["seed"])
    size = problem["shape"][2:]
    ceil_mode = problem["ceil_mode"]

    def gradients(forward):
        leaf = torch.tensor(x, requires_grad=True)
        y = forward(leaf)
        dy = arrays_of(tuple(y.shape), "float64", problem["seed"] + 1)
        y.backward(torch.tensor(dy))
        return y.detach().numpy(), dy, leaf.grad.numpy()

    with kernels.use_backend("reference"):
        y0, dy, dx0 = gradients(lambda t: functional.max_pool2d(t, kernel_size, stride, padding, dilation, ceil_mode))
        y, taps = kernels.pool2d.max_forward(x, *problem["window"], ceil_mode)
        same(y, y0)
        np.testing.assert_allclose(kernels.pool2d.max_scatter(dy, taps, size, *problem["window"]), dx0, atol=1e-12)
        if dilation == (1, 1):
            how = (ceil_mode, count_include_pad)
            y0, dy, dx0 = gradients(lambda t: functional.avg_pool2d(t, kernel_size, stride, padding, *how))
            np.testing.assert_allclose(
                kernels.pool2d.avg_forward(x, kernel_size, stride, padding, *how), y0, atol=1e-12
            )
            dx = kernels.pool2d.avg_input_grad(dy, size, kernel_size, stride, padding, *how)
            np.testing.assert_allclose(dx, dx0, atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_the_first_maximum_counts_and_nan_is_largest(backend):
    x = np.array([[[[2.0, 2.0, 1.0, np.nan], [0.0, 2.0, 9.0, np.nan]]]])
    with kernels.use_backend(backend, strict=True):
        y, taps = kernels.pool2d.max_forward(x, 2)
    assert y[0, 0, 0, 0] == 2 and np.isnan(y[0, 0, 0, 1])
    assert taps.tolist() == [[[[0, 1]]]] and taps.dtype == np.uint8


@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_padding_never_is_the_maximum(backend):
    x = np.full((1, 1, 2, 2), -np.inf, np.float32)
    with kernels.use_backend(backend, strict=True):
        _, taps = kernels.pool2d.max_forward(x, 3, 1, 1)
        dx = kernels.pool2d.max_scatter(np.ones((1, 1, 2, 2), np.float32), taps, (2, 2), 3, 1, 1)
    assert taps.tolist() == [[[[4, 3], [1, 0]]]]
    assert dx.tolist() == [[[[4, 0], [0, 0]]]]


@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_wide_windows_have_int32_taps(backend):
    x = arrays_of((2, 3, 20, 20), "float32", 1)
    with kernels.use_backend(backend, strict=True):
        y, taps = kernels.pool2d.max_forward(x, 20)
        assert kernels.pool2d.max_forward(x, 16)[1].dtype == np.uint8
    assert taps.dtype == np.int32
    np.testing.assert_array_equal(taps.ravel(), x.reshape(6, 400).argmax(1))
    np.testing.assert_array_equal(y.ravel(), x.reshape(6, 400).max(1))


def test_integers_have_maxima_but_no_mean():
    y, _ = kernels.pool2d.max_forward(np.arange(16).reshape(1, 1, 4, 4), 2)
    assert y.tolist() == [[[[5, 7], [13, 15]]]]
    with pytest.raises(TypeError, match="x must be floating point to be averaged, got int64"):
        kernels.pool2d.avg_forward(np.arange(16).reshape(1, 1, 4, 4), 2)


X, Y, TAPS = np.ones((1, 2, 6, 6)), np.ones((1, 2, 3, 3)), np.zeros((1, 2, 3, 3), np.uint8)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda p: p.max_forward(X[0], 2), ValueError, "x must have 4 dimensions"),
        (lambda p: p.max_forward(X, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (lambda p: p.max_forward(X, 2, 0), ValueError, "stride must be at least 1, got 0"),
        (lambda p: p.max_forward(X, 2, 2, -1), ValueError, "padding must be at least 0"),
        (lambda p: p.max_forward(X, 2, 2, 2), ValueError, "padding must be at most half of the window"),
        (lambda p: p.max_forward(X, 7), ValueError, "more than the padded input has"),
        (lambda p: p.avg_forward(X, 7), ValueError, "more than the padded input has"),
        (lambda p: p.max_scatter(Y, TAPS, (9, 9), 2), ValueError, "dy must have output size"),
        (lambda p: p.max_scatter(Y[:, :, :2], TAPS, (6, 6), 2), ValueError, "dy must have the shape of taps"),
        (lambda p: p.max_scatter(Y, TAPS.astype(int), (6, 6), 2), TypeError, "taps must be uint8"),
        (lambda p: p.max_gather(X[:, :1], TAPS, 2), ValueError, "images and channels of x"),
        (lambda p: p.max_scatter(Y[0], TAPS, (6, 6), 2), ValueError, "dy must have 4 dimensions"),
        (lambda p: p.max_gather(X[0], TAPS, 2), ValueError, "x must have 4 dimensions"),
        (lambda p: p.max_gather(X, TAPS.astype(int), 2), TypeError, "taps must be uint8"),
        (lambda p: p.max_gather(X, TAPS[0], 2), ValueError, "taps must have 4 dimensions"),
        (lambda p: p.max_gather(X, TAPS[:, :, :2], 2), ValueError, "taps must have output size (3, 3)"),
        (lambda p: p.avg_forward(X[0], 2), ValueError, "x must have 4 dimensions"),
        (lambda p: p.avg_input_grad(Y[0], (6, 6), 2), ValueError, "dy must have 4 dimensions"),
        (lambda p: p.avg_input_grad(Y.astype(int), (6, 6), 2), TypeError, "dy must be floating point"),
        (lambda p: p.avg_input_grad(Y, (9, 9), 2), ValueError, "dy must have output size (4, 4)"),
        (lambda p: p.max_forward("x", 2), TypeError, "got str"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error) as caught:
        call(kernels.pool2d)
    assert words in str(caught.value)
