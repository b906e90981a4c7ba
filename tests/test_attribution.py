"""Saliency, Grad-CAM and occlusion: their formulas on networks small enough to know the answer, and clear errors."""

import numpy as np
import pytest

import minidl
from minidl import functional as F
from minidl import nn, visualize

RANDOM = np.random.default_rng(0)


def linear_model(classes=3, channels=2, side=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, classes))


def test_saliency_of_a_linear_model_is_its_largest_weight():
    model = linear_model()
    w = model[1].weight.numpy().reshape(3, 2, 4, 4)
    picture = RANDOM.standard_normal((2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(visualize.saliency_map(model, picture, 1), np.abs(w[1]).max(0), rtol=1e-6)
    said = int(model(minidl.Tensor(picture[None])).numpy().argmax())
    np.testing.assert_array_equal(visualize.saliency_map(model, picture), visualize.saliency_map(model, picture, said))


def test_saliency_agrees_with_finite_differences_and_leaves_the_model_alone():
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 2)).double()
    picture = RANDOM.standard_normal((1, 4, 4))
    found = visualize.saliency_map(model, picture, 0)
    model.eval()
    for i, j in np.ndindex(4, 4):
        nudge = np.zeros_like(picture)
        nudge[0, i, j] = 1e-5
        up, down = (model(minidl.Tensor((picture + sign * nudge)[None])).numpy()[0, 0] for sign in (1, -1))
        assert found[i, j] == pytest.approx(abs(up - down) / 2e-5, rel=1e-5)
    model.train()
    visualize.saliency_map(model, picture, 0)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_grad_cam_is_the_formula():
    minidl.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).double()
    model.requires_grad_(False)  # a frozen network can be explained too
    picture = RANDOM.standard_normal((1, 8, 8))
    maps = model[1](model[0](minidl.Tensor(picture[None]))).numpy()[0]  # (4, 6, 6)
    alpha = model[3].weight.numpy()[1].reshape(4, 6, 6).mean((1, 2))  # the score is linear in the maps
    expected = np.maximum((alpha[:, None, None] * maps).sum(0), 0)
    expected = F.interpolate(expected[None, None], size=(8, 8), mode="bilinear")[0, 0]
    np.testing.assert_allclose(visualize.grad_cam_map(model, "1", picture, 1), expected, rtol=1e-9, atol=1e-12)
    assert expected.max() > 0


def test_occlusion_finds_the_only_pixel_that_counts():
    model = linear_model(2, 1, 6)
    with minidl.no_grad():
        model[1].weight.fill_(0)
        model[1].bias.fill_(0)
        model[1].weight[0, 2 * 6 + 3] = 4.0  # class 0 is for ink at row 2, column 3
    picture = np.zeros((1, 6, 6), np.float32)
    picture[0, 2, 3] = 1
    found = visualize.occlusion_map(model, picture, 0, size=1, stride=1)
    expected = np.zeros((6, 6))
    expected[2, 3] = 1 / (1 + np.exp(-4.0)) - 0.5
    np.testing.assert_allclose(found, expected, atol=1e-6)
    wide = visualize.occlusion_map(model, picture, 0, size=3, stride=2)
    assert wide[2, 3] == wide.max() == pytest.approx(expected.max()) and wide[5, 0] == 0


@pytest.mark.parametrize("draw", ["saliency", "grad_cam", "occlusion"])
def test_each_is_drawn_beside_the_picture(draw):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    picture = RANDOM.standard_normal((3, 8, 8)).astype(np.float32)
    layer = ("0",) if draw == "grad_cam" else ()
    figure = getattr(visualize, draw)(model, *layer, picture, title="which?")
    assert figure.get_suptitle() == "which?" and len(figure.axes) == 3
    values = figure.axes[1].images[1].get_array()
    assert values.shape == (8, 8) and np.abs(values).max() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: visualize.saliency_map(m, x[0]), r"shape \(C, H, W\), got float32 of shape \(4, 4\)"),
        (lambda m, x: visualize.saliency_map(m, np.uint8(x)), "picture must be floating"),
        (lambda m, x: visualize.saliency_map(m, x, 3), "label must be from 0 to 2, got 3"),
        (lambda m, x: visualize.saliency_map(nn.Identity(), x), r"logits of shape \(1, K\)"),
        (lambda m, x: visualize.grad_cam_map(m, "1", x), "the layer 1 gives no images"),
        (lambda m, x: visualize.occlusion_map(m, x, 3), "label must be from 0 to 2, got 3"),
        (lambda m, x: visualize.occlusion_map(m, x, -1), "label must be from 0 to 2, got -1"),
        (lambda m, x: visualize.occlusion_map(m, x, size=9), "size must be from 1 to 4"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(linear_model(), RANDOM.standard_normal((2, 4, 4)).astype(np.float32))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_any_number_of_channels_are_drawn(channels):
    """Of two or four channels their mean: two are no picture to matplotlib, and four one with transparency."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * 16, 3))
    picture = np.random.default_rng(0).random((channels, 4, 4), dtype=np.float32)
    left = visualize.saliency(model, picture).axes[0].images[0].get_array()
    expected = picture.transpose(1, 2, 0) if channels == 3 else picture.mean(0)
    np.testing.assert_allclose(left.reshape(expected.shape), expected, rtol=1e-6)
