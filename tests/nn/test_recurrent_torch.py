"""RNN, LSTM, GRU and their cells beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import nn

from .with_torch import assert_same_layer, torch

KINDS = ["RNN", "LSTM", "GRU"]
OPTIONS = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 2},
    {"num_layers": 3, "bidirectional": True, "batch_first": True},
]


def states(kind, random, *shape):
    """h0, or (h0, c0) for an LSTM."""
    h0, c0 = random.normal(size=(2, *shape))
    return (h0, c0) if kind.startswith("LSTM") else h0


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given_state", [True, False])
def test_layers(kind, options, given_state):
    random = np.random.default_rng(0)
    x = random.normal(size=(6, 4, 3))
    batch = x.shape[0 if options.get("batch_first") else 1]
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    hx = (states(kind, random, count, batch, 5),) if given_state else ()
    theirs, ours = getattr(torch.nn, kind)(3, 5, **options), getattr(nn, kind)(3, 5, **options)
    assert_same_layer(theirs, ours, x, *hx)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_one_sequence_without_a_batch_axis(kind, batch_first):
    random = np.random.default_rng(1)
    x, hx = random.normal(size=(7, 3)), states(kind, random, 4, 5)
    options = dict(num_layers=2, bidirectional=True, batch_first=batch_first)
    assert_same_layer(getattr(torch.nn, kind)(3, 5, **options), getattr(nn, kind)(3, 5, **options), x, hx)


def test_relu():
    x = np.random.default_rng(2).normal(size=(6, 4, 3))
    options = dict(nonlinearity="relu", num_layers=2, bidirectional=True)
    assert_same_layer(torch.nn.RNN(3, 5, **options), nn.RNN(3, 5, **options), x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(4,), ()])
@pytest.mark.parametrize("options", [{}, {"bias": False}], ids=str)
def test_cells(kind, batch, options):
    random = np.random.default_rng(3)
    x, hx = random.normal(size=(*batch, 3)), states(kind, random, *batch, 5)
    theirs, ours = getattr(torch.nn, kind + "Cell")(3, 5, **options), getattr(nn, kind + "Cell")(3, 5, **options)
    assert_same_layer(theirs, ours, x, hx)
    assert_same_layer(theirs, ours, x)


def test_relu_cell():
    x = np.random.default_rng(3).normal(size=(4, 3))
    assert_same_layer(torch.nn.RNNCell(3, 5, nonlinearity="relu"), nn.RNNCell(3, 5, nonlinearity="relu"), x)


@pytest.mark.parametrize("kind", KINDS)
def test_long_sequences_in_float32(kind):
    x = np.random.default_rng(4).normal(size=(200, 2, 8)).astype(np.float32)
    theirs, ours = getattr(torch.nn, kind)(8, 16), getattr(nn, kind)(8, 16)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    y = ours(minidl.tensor(x))[0]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), theirs(torch.from_numpy(x))[0].detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_saturated_gates_stay_finite(kind):
    x = np.random.default_rng(5).normal(size=(5, 2, 3)) * 1e4
    assert_same_layer(getattr(torch.nn, kind)(3, 4), getattr(nn, kind)(3, 4), x, tolerance=1e-7)
