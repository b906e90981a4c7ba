"""Single layers, where a comparison with PyTorch's does not reach."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import nn


def test_sizes_may_be_numbers_of_numpy():
    one, two, four = np.int64(1), np.int32(2), np.int64(4)
    images = minidl.ones(2, 4, 6, 6)
    blocks = nn.Sequential(nn.Conv2d(four, four, two, two, one, one, groups=two), nn.ReLU(), nn.MaxPool2d(two))
    assert blocks(images).shape == (2, 4, 2, 2)
    assert nn.ConvTranspose2d(four, four, two, groups=two)(images).shape == (2, 4, 7, 7)
    assert nn.Conv1d(four, two, two, one)(images[..., 0]).shape == (2, 2, 5)
    assert nn.LayerNorm(np.int64(6))(images).shape == F.layer_norm(images, np.int64(6)).shape == images.shape
    assert nn.LSTM(four, two, num_layers=two)(minidl.ones(3, 1, 4))[0].shape == (3, 1, 2)
    assert nn.TransformerEncoderLayer(four, two, two)(minidl.ones(3, 1, 4)).shape == (3, 1, 4)
    assert images.sum(one).shape == (2, 6, 6) and images.var(one).shape == (2, 6, 6)
    assert images.norm(np.float32(3)) == images.norm(3)


def test_a_row_of_padding_starts_as_zeros_and_learns_nothing():
    for padding_idx in (1, -4):
        layer = nn.Embedding(5, 3, padding_idx=padding_idx)
        layer(minidl.tensor([[0, 1], [1, 4]])).sum().backward()
        assert layer.padding_idx == 1
        assert layer.weight.data.any(axis=1).tolist() == [True, False, True, True, True]
        assert layer.weight.grad.data.any(axis=1).tolist() == [True, False, False, False, True]


def test_a_norm_that_tracks_nothing_takes_the_statistics_of_its_batch_always():
    layer = nn.BatchNorm1d(2, affine=False, track_running_stats=False)
    x = minidl.tensor(np.random.default_rng(0).normal(3, 2, (6, 2, 4)))
    trained = layer(x)
    np.testing.assert_allclose(trained.data.mean((0, 2)), 0, atol=1e-12)
    np.testing.assert_array_equal(layer.eval()(x).data, trained.data)
    assert layer.state_dict() == {}
    with pytest.raises(ValueError, match="more than one number a channel"):
        layer(x[:1, :, 0])


def test_a_group_norm_without_weights_has_second_derivatives():
    x = minidl.Tensor(np.random.default_rng(0).normal(size=(2, 4, 3)), requires_grad=True)
    assert minidl.gradgradcheck(nn.GroupNorm(2, 4, affine=False), [x])


def test_the_loss_of_a_probability_of_nothing_or_all_is_bounded():
    with np.errstate(all="raise"):
        losses = nn.BCELoss(reduction="none")(minidl.tensor([0.0, 1.0, 0.0, 1.0]), minidl.tensor([1.0, 0.0, 0.0, 1.0]))
    assert losses.tolist() == [100, 100, 0, 0]


def test_the_divergence_of_a_probability_of_nothing_has_a_gradient():
    x, t = (minidl.tensor([[-1.0, -2.0]]).requires_grad_(), minidl.tensor([[0.0, 1.0]]).requires_grad_())
    nn.KLDivLoss(reduction="sum")(x, t).backward()
    # losses = t * (log(t) - x), of which t * log(t) counts as 0 near t = 0
    assert x.grad.tolist() == [[0, -1]] and t.grad.tolist() == [[1, 1 + 2]]


def test_a_norm_without_momentum_keeps_the_mean_of_its_batches():
    layer = nn.BatchNorm1d(1, momentum=None)
    for value in (1.0, 4.0, 7.0):
        layer(minidl.tensor([[value - 1], [value + 1]]))
    assert {name: tensor.tolist() for name, tensor in layer.state_dict().items()} == {
        "weight": [1], "bias": [0], "running_mean": [4], "running_var": [2], "num_batches_tracked": 3,
    }  # fmt: skip


def test_vectors_that_are_given_have_their_own_row_of_padding():
    vectors = minidl.ones(4, 2)
    layer = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=-1)
    layer(minidl.tensor([0, 3])).sum().backward()
    assert (layer.num_embeddings, layer.embedding_dim, layer.padding_idx) == (4, 2, 3)
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]] and layer.weight[3].tolist() == [1, 1]
    assert not nn.Embedding.from_pretrained(vectors).weight.requires_grad


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(2, 2), nn.Conv1d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(1, 1, 1), nn.BatchNorm2d(2),
        nn.LayerNorm(2), nn.GroupNorm(1, 2), nn.ReLU(), nn.GELU(), nn.Dropout(), nn.MaxPool1d(2), nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Upsample(2), nn.Embedding(3, 2), nn.LSTM(2, 2), nn.GRUCell(2, 2),
        nn.TransformerEncoderLayer(2, 1), nn.ZeroPad2d(1), nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
@pytest.mark.parametrize("x", [[[1.0, 2.0]], None, "text"], ids=["list", "None", "str"])
def test_what_is_no_array_is_refused_by_its_type(layer, x):
    text = f"must be a .*array, got {type(x).__name__}"
    with pytest.raises(TypeError, match=text):
        layer(x)
    handle = layer.register_forward_hook(lambda *_: None)
    with pytest.raises(TypeError, match=text):
        layer(x)
    handle.remove()


def test_other_missing_attributes_are_reported_as_they_are():
    class Wrong(nn.Module):
        def forward(self, x, mask=None):
            return x.lenght if mask is None else mask.ndim

    for inputs in (("text",), (minidl.ones(2),), ("text", 2)):
        with pytest.raises(AttributeError, match="lenght|ndim"):
            Wrong()(*inputs)
