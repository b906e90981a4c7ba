"""Neighbours in a Sequential computed together: the same numbers, and nothing hidden from who looks in between."""

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.functional import fused
from minidl.nn import neighbours

CONV_RELU_POOL = {
    "valid": lambda: [nn.Conv2d(3, 20, 3), nn.ReLU(), nn.MaxPool2d(2)],
    "padded, strided, grouped": lambda: [
        nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), groups=2),
        nn.ReLU(),
        nn.MaxPool2d((3, 2)),
    ],  # fmt: skip
    "no bias": lambda: [nn.Conv2d(3, 5, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2, 2)],
    "no pooling": lambda: [nn.Conv2d(3, 5, 3, dilation=2), nn.ReLU()],
    "two groups": lambda: [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 9, 3), nn.ReLU(), nn.Flatten()],
}
APART = {
    "overlapping windows": lambda: [nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(3, 2)],
    "ceil_mode": lambda: [nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)],
    "padded pooling": lambda: [nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2, padding=1)],
    "windows of 256": lambda: [nn.Conv2d(3, 5, 3, padding=5), nn.ReLU(), nn.MaxPool2d(16)],
}


def images(layers):
    return np.random.default_rng(3).standard_normal((4, layers[0].in_channels, 12, 13)).astype(np.float32)


def run(model, x, enabled):
    """y and all gradients."""
    model.zero_grad()
    x = minidl.Tensor(x, requires_grad=True)
    with minidl.fusion(enabled):
        y = model(x)
    (y * minidl.Tensor(np.cos(np.arange(y.data.size)).astype(y.dtype).reshape(y.shape))).sum().backward()
    return [y.numpy(), x.grad.numpy(), *(p.grad.numpy() for p in model.parameters())]


def calls(monkeypatch):
    """The modules of every group that is computed together from now on."""
    seen = []

    def watched(row):
        def call(*arguments):
            seen.append([type(module).__name__ for module in arguments[:-1]])
            return row.call(*arguments)

        return row._replace(call=call)

    rows = {first: [watched(row) for row in rows] for first, rows in neighbours._ROWS.items()}
    monkeypatch.setattr(neighbours, "_ROWS", rows)
    return seen


@pytest.mark.parametrize("name", [*CONV_RELU_POOL, *APART])
def test_same_results_with_and_without(name, monkeypatch):
    layers = {**CONV_RELU_POOL, **APART}[name]()
    model, x, seen = nn.Sequential(*layers), images(layers), calls(monkeypatch)
    apart = run(model, x, False)
    assert not seen
    together = run(model, x, True)
    assert bool(seen) and (["Conv2d", "ReLU", "MaxPool2d"] not in seen or name in CONV_RELU_POOL)
    np.testing.assert_array_equal(together[0], apart[0])  # the very numbers
    for actual, expected in zip(together[1:], apart[1:], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_pooling_that_gives_indices_too_is_computed_apart():
    layers = [nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2, return_indices=True)]
    model, x = nn.Sequential(*layers), images(layers)
    y, indices = model(minidl.Tensor(x))
    with minidl.fusion(False):
        expected = model(minidl.Tensor(x))
    np.testing.assert_array_equal(y.numpy(), expected[0].numpy())
    np.testing.assert_array_equal(indices.numpy(), expected[1].numpy())


def test_a_size_beside_a_scale_is_refused_in_front_of_a_convolution_too():
    model = nn.Sequential(nn.Upsample((4, 4), 2), nn.Conv2d(3, 4, 3, padding=1))
    with pytest.raises(ValueError, match="needs size or scale_factor, one of them"):
        model(minidl.ones(1, 3, 4, 4))


UPSAMPLE_CONV = {
    "by 2": lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(3, 20, 3, padding=1)],
    "same padding, no bias": lambda: [nn.Upsample(scale_factor=(2, 2)), nn.Conv2d(3, 1, 3, padding="same", bias=False)],
    "among others": lambda: [
        nn.Conv2d(3, 5, 3),
        nn.ReLU(),
        nn.Upsample(None, 2),
        nn.Conv2d(5, 4, 3, padding=1),
        nn.Tanh(),
    ],  # fmt: skip
}
UPSAMPLE_APART = {
    "by 3": lambda: [nn.Upsample(scale_factor=3), nn.Conv2d(3, 4, 3, padding=1)],
    "bilinear": lambda: [nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(3, 4, 3, padding=1)],
    "5 x 5": lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 5, padding=1)],
    "no padding": lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3)],
    "strided": lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, 2, 1)],
    "groups": lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 3, padding=1, groups=3)],
    "circular": lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")],
}


@pytest.mark.parametrize("name", [*UPSAMPLE_CONV, *UPSAMPLE_APART])
def test_upsampling_before_a_convolution(name, monkeypatch):
    model = nn.Sequential(*{**UPSAMPLE_CONV, **UPSAMPLE_APART}[name]()).double()
    x, seen = np.random.default_rng(3).standard_normal((2, 3, 5, 6)), calls(monkeypatch)
    together, apart = run(model, x, True), run(model, x, False)
    assert (["Upsample", "Conv2d"] in seen) == (name in UPSAMPLE_CONV)
    for actual, expected in zip(together, apart, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(40,), (7, 40), (3, 5, 40)])
def test_dense_layer_and_relu(bias, shape, monkeypatch):
    model, seen = nn.Sequential(nn.Linear(40, 33, bias=bias), nn.ReLU(), nn.Linear(33, 3)).double(), calls(monkeypatch)
    x = np.random.default_rng(3).standard_normal(shape)
    together, apart = run(model, x, True), run(model, x, False)
    assert seen == [["Linear", "ReLU"]]
    for actual, expected in zip(together, apart, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_second_derivatives_of_a_dense_layer_and_relu():
    random = np.random.default_rng(0)
    x, w, b = (minidl.Tensor(random.standard_normal(shape), requires_grad=True) for shape in ((4, 3), (5, 3), 5))

    def smooth(x, w, b):
        return fused.linear_relu(x * x, w, b)

    assert minidl.gradcheck(smooth, [x, w, b])
    assert minidl.gradgradcheck(smooth, [x, w, b])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_hooks_see_every_module(place, monkeypatch):
    layers, seen, shapes = CONV_RELU_POOL["valid"](), calls(monkeypatch), []
    model, x = nn.Sequential(*layers), minidl.Tensor(images(layers))
    with layers[place].register_forward_hook(lambda module, inputs, output: shapes.append(output.shape)):
        model(x)
    assert shapes == [[(4, 20, 10, 11), (4, 20, 10, 11), (4, 20, 5, 5)][place]]
    assert seen == ([["Conv2d", "ReLU"]] if place == 2 else [])
    seen.clear()
    with layers[place].register_forward_pre_hook(lambda module, inputs: shapes.append(inputs[0].shape)):
        model(x)
    assert len(shapes) == 2
    seen.clear()
    model(x)
    assert seen == [["Conv2d", "ReLU", "MaxPool2d"]]


def test_a_border_of_other_than_zeros_is_left_alone(monkeypatch):
    layers = [nn.Conv2d(3, 5, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.MaxPool2d(2)]
    model, x, seen = nn.Sequential(*layers), images(layers), calls(monkeypatch)
    together = run(model, x, True)
    assert not seen
    for y, expected in zip(together, run(model, x, False)):
        np.testing.assert_array_equal(y, expected)


def test_a_subclass_is_left_alone(monkeypatch):
    class Doubled(nn.ReLU):
        def forward(self, x):
            return super().forward(x) * 2

    seen, conv = calls(monkeypatch), nn.Conv2d(3, 5, 3)
    x = minidl.Tensor(images([conv]))
    np.testing.assert_array_equal(
        nn.Sequential(conv, Doubled(), nn.MaxPool2d(2))(x).numpy(),
        2 * nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2))(x).numpy(),
    )
    assert seen == [["Conv2d", "ReLU", "MaxPool2d"]]  # the second model's


def test_a_module_with_a_forward_of_its_own_is_left_alone(monkeypatch):
    seen, layers = calls(monkeypatch), CONV_RELU_POOL["valid"]()
    layers[1].forward = lambda x: x * 0
    assert not nn.Sequential(*layers)(minidl.Tensor(images(layers))).numpy().any() and seen == []


def test_frozen_weights_and_inputs():
    layers = CONV_RELU_POOL["two groups"]()
    layers[0].requires_grad_(False)
    layers[3].weight.requires_grad_(False)
    model, x = nn.Sequential(*layers), minidl.Tensor(images(layers))
    gradients = []
    for enabled in (True, False):
        model.zero_grad()
        with minidl.fusion(enabled):
            model(x).sum().backward()
        gradients.append([p.grad for p in model.parameters()])
        assert [g is None for g in gradients[-1]] == [True, True, True, False]
    np.testing.assert_allclose(gradients[0][3].numpy(), gradients[1][3].numpy(), rtol=1e-5)


def test_nothing_is_pooled_unless_asked_for():
    conv = nn.Conv2d(3, 5, 3)
    x = minidl.Tensor(images([conv]))
    fast = fused.conv2d_relu_pool(x, conv.weight, conv.bias)
    np.testing.assert_array_equal(fast.numpy(), minidl.functional.relu(conv(x)).numpy())


@pytest.mark.parametrize("pool_size", [1, 2, (1, 2)])
def test_second_derivatives(pool_size):
    random = np.random.default_rng(0)
    x, w, b = (
        minidl.Tensor(random.standard_normal(shape), requires_grad=True) for shape in ((2, 3, 6, 5), (4, 3, 3, 2), 4)
    )

    def smooth(x, w, b):  # the square: piecewise linear functions have no second derivative to be wrong about
        return fused.conv2d_relu_pool(x * x, w, b, pool_size, padding=1)

    plain, recorded = (minidl.grad(smooth(x, w, b).sum(), [x, w, b], create_graph=c) for c in (False, True))
    for got, expected in zip(recorded, plain, strict=True):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)
    assert minidl.gradcheck(smooth, [x, w, b])
    assert minidl.gradgradcheck(smooth, [x, w, b])


def test_second_derivatives_of_upsampling():
    random = np.random.default_rng(0)
    x, w, b = (
        minidl.Tensor(random.standard_normal(shape), requires_grad=True) for shape in ((2, 3, 2, 3), (2, 3, 3, 3), 2)
    )
    assert minidl.gradcheck(fused.upsample_conv2d, [x, w, b])
    assert minidl.gradgradcheck(fused.upsample_conv2d, [x, w, b])


def test_upsampling_hides_nothing_that_is_not_finite():
    """inf and NaN may differ, for the taps are added up first; a finite number never stands where one of them was."""
    x = minidl.Tensor(np.array([[[[1.0, np.inf, -np.inf], [np.nan, 2.0, 1.0]]]]))
    for taps in ([1.0, 1.0, 1.0], [0.0, 1.0, -0.5], [0.5, 1.0, -1.0], [0.0, 0.0, 1.0]):
        w = minidl.Tensor(np.outer([1.0, 0.5, -2.0], taps)[None, None])
        fast = fused.upsample_conv2d(x, w).numpy()
        slow = minidl.functional.conv2d(minidl.functional.interpolate(x, scale_factor=2), w, padding=1).numpy()
        np.testing.assert_array_equal(np.isfinite(fast), np.isfinite(slow))


def test_one_image_without_a_batch():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2))
    x = minidl.Tensor(images(list(model)))
    np.testing.assert_array_equal(model(x[1]).numpy(), model(x).numpy()[1])


def test_errors_are_those_of_the_modules():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2))
    for x, words in ((np.ones((2, 4, 8, 8), "f4"), "3 channels"), (np.ones((2, 3, 3, 3), "f4"), "larger than")):
        with pytest.raises(ValueError, match=words):
            model(minidl.Tensor(x))
    with pytest.raises(TypeError, match="float64"):
        model(minidl.Tensor(np.ones((2, 3, 8, 8))))
