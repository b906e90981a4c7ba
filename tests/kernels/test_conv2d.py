import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, assert_close, cpu_backends, fast, laid_out, seeds

BACKENDS = cpu_backends("conv2d")
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def problems(draw):
    """Shapes and geometry of a convolution whose kernel fits into the padded input."""
    groups = draw(st.sampled_from((1, 1, 1, 2, 3, 17)))
    depthwise = draw(st.booleans())
    group_in = 1 if depthwise else draw(st.sampled_from((1, 2, 3, 5, 20)))
    group_out = 1 if depthwise else draw(st.sampled_from((1, 2, 7, 16, 33, 70)))
    kernel_size, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    size = tuple(
        max(1, dilation[a] * (kernel_size[a] - 1) + 1 - 2 * padding[a]) + draw(st.integers(0, 9)) for a in (0, 1)
    )
    x = (draw(st.integers(0, 4)), group_in * groups, *size)
    return {
        "x": x,
        "w": (group_out * groups, group_in, *kernel_size),
        "geometry": {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        "order": draw(st.sampled_from(ORDERS)),
        "dy_order": draw(st.sampled_from(ORDERS)),
        "seed": draw(seeds),
    }


def reference(function, *arrays, **geometry):
    with kernels.use_backend("reference", strict=True):
        exact = [None if a is None else a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arrays]
        absolute = [np.abs(a) if isinstance(a, np.ndarray) else a for a in exact]
        return function(*exact, **geometry), function(*absolute, **geometry)


def check(backend, dtype, problem, bias):
    (n, _, h, w), (k, group_in, *kernel_size), geometry = problem["x"], problem["w"], problem["geometry"]
    x, weights = arrays_of(problem["x"], dtype, problem["seed"]), arrays_of(problem["w"], dtype, problem["seed"] + 1)
    b = arrays_of((k,), dtype, problem["seed"] + 2) if bias else None
    x, weights = laid_out(x, problem["order"]), laid_out(weights, problem["dy_order"])
    conv2d = kernels.conv2d
    y0, magnitude = reference(conv2d.forward, x, weights, b, **geometry)
    dy = laid_out(arrays_of(y0.shape, dtype, problem["seed"] + 3), problem["dy_order"])
    taps = kernel_size[0] * kernel_size[1]
    with kernels.use_backend(backend, strict=True):
        y = conv2d.forward(x, weights, b, **geometry)
        dx = conv2d.input_grad(dy, weights, (h, w), **geometry)
        dw = conv2d.weight_grad(x, dy, tuple(kernel_size), **geometry)
    assert_close(y, y0, magnitude, group_in * taps + 1, dtype, "y")
    assert_close(dx, *reference(conv2d.input_grad, dy, weights, (h, w), **geometry), k * taps, dtype, "dx")
    pixels = n * y0.shape[2] * y0.shape[3]
    assert_close(dw, *reference(conv2d.weight_grad, x, dy, tuple(kernel_size), **geometry), pixels, dtype, "dw")
    assert dw.flags.c_contiguous
    for image in (y, dx):
        assert image.transpose(0, 2, 3, 1).flags.c_contiguous, "channels last in memory"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(problem=problems(), bias=st.booleans())
def test_all_three_against_the_reference(backend, dtype, problem, bias):
    check(backend, dtype, problem, bias)


NETWORK_SHAPES = {
    "mnist 1": ((3, 1, 28, 28), (32, 1, 3, 3), {}),
    "mnist 2": ((3, 32, 13, 13), (64, 32, 3, 3), {}),
    "lenet 1": ((5, 3, 32, 32), (6, 3, 5, 5), {}),
    "lenet 2": ((5, 6, 14, 14), (16, 6, 5, 5), {}),
    "one image, many rows": ((1, 1, 224, 64), (32, 1, 3, 3), {}),
    "resnet stem": ((2, 3, 40, 40), (64, 3, 7, 7), {"stride": (2, 2), "padding": (3, 3)}),
    "1x1": ((2, 70, 9, 9), (90, 70, 1, 1), {}),
    "1x1, stride 2": ((2, 64, 9, 9), (128, 64, 1, 1), {"stride": (2, 2)}),
    "same padding": ((2, 64, 12, 12), (64, 64, 3, 3), {"padding": (1, 1)}),
    "depthwise": ((2, 40, 12, 12), (40, 1, 3, 3), {"padding": (1, 1), "groups": 40}),
    "one output channel": ((2, 64, 12, 12), (1, 64, 3, 3), {"padding": (1, 1)}),
    "no spatial extent": ((70, 33, 1, 1), (65, 33, 1, 1), {}),
    "stride above kernel": ((2, 3, 11, 11), (4, 3, 2, 2), {"stride": (4, 5)}),
    "padding above kernel": ((2, 3, 4, 4), (4, 3, 2, 2), {"padding": (5, 6)}),
    "kernel as large as image": ((3, 8, 6, 7), (9, 8, 6, 7), {}),
    "more weights than pixels": ((3, 150, 12, 11), (140, 150, 3, 3), {"padding": (1, 1)}),
    "more weights than pixels, rows of an image": ((1, 70, 30, 31), (150, 70, 5, 5), {"stride": (1, 2)}),
    "more weights than pixels, 1x1": ((2, 600, 13, 14), (330, 600, 1, 1), {}),
    "more weights than pixels, groups": ((5, 160, 9, 9), (200, 80, 3, 3), {"padding": (2, 1), "groups": 2}),
    "more weights than pixels, dilated": ((40, 40, 6, 6), (70, 40, 3, 3), {"dilation": (2, 1), "stride": (2, 3)}),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETWORK_SHAPES)
def test_shapes_of_networks(backend, name):
    x, w, geometry = NETWORK_SHAPES[name]
    if "naive" in backend and np.prod(x) * np.prod(w[::2]) > 1e8:
        pytest.skip("takes a second for each pass")
    check(
        backend,
        "float32",
        {"x": x, "w": w, "geometry": geometry, "order": "channels_last", "dy_order": "C", "seed": 7},
        True,
    )


@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_batch_does_not_change_an_image(backend):
    x, w = arrays_of((7, 5, 12, 11), "float32", 1), arrays_of((40, 5, 3, 3), "float32", 2)
    if backend == "reference":
        pytest.skip("OpenBLAS may sum a matrix in another order when it has more rows")
    with kernels.use_backend(backend, strict=True):
        y = kernels.conv2d.forward(x, w, padding=1)
        dx = kernels.conv2d.input_grad(y, w, (12, 11), padding=1)
        for n in range(7):
            np.testing.assert_array_equal(kernels.conv2d.forward(x[n : n + 1], w, padding=1), y[n : n + 1])
            np.testing.assert_array_equal(
                kernels.conv2d.input_grad(y[n : n + 1], w, (12, 11), padding=1), dx[n : n + 1]
            )


def test_reference_is_the_formula():
    x, w, b = (
        arrays_of((2, 4, 6, 5), "float64", 1),
        arrays_of((6, 2, 3, 2), "float64", 2),
        arrays_of((6,), "float64", 3),
    )
    stride, padding, dilation, groups = (2, 1), (1, 2), (1, 2), 2
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    with kernels.use_backend("reference"):
        y = kernels.conv2d.forward(x, w, b, **geometry)
        dy = arrays_of(y.shape, "float64", 4)
        dx = kernels.conv2d.input_grad(dy, w, (6, 5), **geometry)
        dw = kernels.conv2d.weight_grad(x, dy, (3, 2), **geometry)
    y0 = np.zeros_like(y) + b[:, None, None]
    dx0, dw0 = np.zeros_like(x), np.zeros_like(w)
    for n, k, i, j in np.ndindex(*y.shape):
        for c, r, s in np.ndindex(*w.shape[1:]):
            p, q = i * stride[0] + r * dilation[0] - padding[0], j * stride[1] + s * dilation[1] - padding[1]
            channel = k // 3 * 2 + c
            if 0 <= p < 6 and 0 <= q < 5:
                y0[n, k, i, j] += x[n, channel, p, q] * w[k, c, r, s]
                dx0[n, channel, p, q] += dy[n, k, i, j] * w[k, c, r, s]
                dw0[k, c, r, s] += dy[n, k, i, j] * x[n, channel, p, q]
    for actual, expected in ((y, y0), (dx, dx0), (dw, dw0)):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)


@fast
@given(problem=problems())
def test_reference_against_pytorch(problem):
    torch = pytest.importorskip("torch")
    if problem["x"][0] == 0:
        return
    x = torch.tensor(arrays_of(problem["x"], "float64", problem["seed"]), requires_grad=True)
    w = torch.tensor(arrays_of(problem["w"], "float64", problem["seed"] + 1), requires_grad=True)
    y = torch.nn.functional.conv2d(x, w, **problem["geometry"])
    dy = arrays_of(tuple(y.shape), "float64", problem["seed"] + 2)
    y.backward(torch.tensor(dy))
    with kernels.use_backend("reference"):
        ours = (
            kernels.conv2d.forward(x.detach().numpy(), w.detach().numpy(), **problem["geometry"]),
            kernels.conv2d.input_grad(dy, w.detach().numpy(), problem["x"][2:], **problem["geometry"]),
            kernels.conv2d.weight_grad(x.detach().numpy(), dy, problem["w"][2:], **problem["geometry"]),
        )
    for actual, expected in zip(ours, (y.detach(), x.grad, w.grad), strict=True):
        np.testing.assert_allclose(actual, expected.numpy(), rtol=1e-10, atol=1e-10)


X, W, DY = np.ones((2, 4, 5, 5)), np.ones((6, 4, 3, 3)), np.ones((2, 6, 3, 3))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda c: c.forward(X[0], W), ValueError, "x must have 4 dimensions, got shape (4, 5, 5)"),
        (lambda c: c.forward(X, W, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda c: c.forward(X, W, stride=(1, 2, 3)), TypeError, "stride must be an integer or a pair"),
        (lambda c: c.forward(X, W, stride=1.5), TypeError, "stride"),
        (lambda c: c.forward(X, W, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda c: c.forward(X, W, padding="same"), TypeError, "'same'"),
        (lambda c: c.forward(X, W, dilation=0), ValueError, "dilation must be at least 1"),
        (lambda c: c.forward(X, W, groups=3), ValueError, "groups must divide both channel counts, got groups=3"),
        (lambda c: c.forward(X, W, groups=0), ValueError, "groups must be a positive integer, got 0"),
        (lambda c: c.forward(X, W[:, :3]), ValueError, "x (N, C, H, W) must have the 3 channels that w"),
        (lambda c: c.forward(X.transpose(0, 2, 3, 1), W), ValueError, "by x.permute(0, 3, 1, 2)"),
        (lambda c: c.forward(X, np.ones((6, 4, 6, 3))), ValueError, "more than the padded input has"),
        (lambda c: c.forward(X, W, dilation=3), ValueError, "more than the padded input has"),
        (lambda c: c.forward(X, W, np.ones(5)), ValueError, "6 output channels"),
        (lambda c: c.forward(X, W.astype("f4")), TypeError, "x float64 and w float32"),
        (lambda c: c.forward(X, W, np.ones(6, "f4")), TypeError, "b float32"),
        (lambda c: c.forward(X.tolist(), W), TypeError, "got list"),
        (lambda c: c.input_grad(DY, W, (9, 9)), ValueError, "dy must have shape (2, 6, 7, 7)"),
        (lambda c: c.weight_grad(X, DY, (2, 2)), ValueError, "dy must have shape (2, 6, 4, 4)"),
        (lambda c: c.weight_grad(X, DY, (0, 3)), ValueError, "kernel_size must be at least 1"),
        (lambda c: c.weight_grad(X, DY[:1], (3, 3)), ValueError, "dy must have shape (2, 6, 3, 3)"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error) as caught:
        call(kernels.conv2d)
    assert words in str(caught.value)
