"""Layers and optimizers on an array type that is not NumPy's: what works here is ready for a GPU's arrays."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from tests.strict_array import StrictArray

MASK = np.triu(np.ones((5, 5), bool), 1)
LAYERS = [
    (nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.5), (5, 2, 3), {}),
    (nn.GRU(3, 4, batch_first=True), (5, 2, 3), {}),
    (nn.RNN(3, 4), (5, 3), {}),
    (nn.LSTMCell(3, 4), (2, 3), {}),
    (nn.GRUCell(3, 4), (2, 3), {}),
    (nn.RNNCell(3, 4), (2, 3), {}),
    (nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2), (5, 2, 4), {"is_causal": True}),
    (nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), (2, 3, 4, 5), {}),
    (nn.TransformerEncoderLayer(4, 2, 8), (5, 2, 4), {"src_mask": MASK, "src_key_padding_mask": MASK[:2] * 1.0}),
    (nn.TransformerEncoderLayer(4, 2, 8), (5, 2, 4), {"src_mask": MASK * 0.5, "src_key_padding_mask": MASK[:2]}),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()), (2, 3, 6, 6), {}),
    (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Dropout(0.5)), (2, 4), {}),
    (nn.Sequential(nn.ConvTranspose2d(2, 4, 3), nn.GroupNorm(2, 4), nn.AvgPool2d(2)), (1, 2, 4, 4), {}),
]
OPTIMIZERS = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.2}),
    (optim.Adam, {}),
    (optim.AdamW, {}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (optim.Adagrad, {}),
]


def strict(array):
    return minidl.Tensor(StrictArray(array))


@pytest.mark.parametrize(("layer", "shape", "options"), LAYERS, ids=lambda value: type(value).__name__)
def test_a_layer_trains(layer, shape, options):
    for tensor in (*layer.parameters(), *layer.buffers()):
        if not isinstance(tensor.data, StrictArray):
            tensor.data = StrictArray(tensor.data)
    options = {name: strict(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    x = strict(np.random.default_rng(0).normal(size=shape).astype("f4")).requires_grad_()
    y = layer(x, **options)
    y = y[0] if isinstance(y, tuple) else y
    (y * y).sum().backward()
    assert isinstance(x.grad.data, StrictArray)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    nn.utils.clip_grad_value_(layer.parameters(), 0.1)
    optimizer.step()
    layer.zero_grad(set_to_none=False)
    assert all(isinstance(p.data, StrictArray) and isinstance(p.grad.data, StrictArray) for p in layer.parameters())


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=str)
def test_an_optimizer_takes_the_same_steps(kind, options):
    values, gradients = np.random.default_rng(0).normal(size=(2, 3, 4))
    w, plain = strict(values.copy()).requires_grad_(), minidl.Tensor(values.copy(), requires_grad=True)
    for tensor, gradient in ((w, strict(gradients)), (plain, minidl.Tensor(gradients))):
        tensor.grad = gradient
        optimizer = kind([tensor], **options)
        for _ in range(3):
            optimizer.step()
        optimizer.zero_grad(set_to_none=False)
    assert isinstance(w.data, StrictArray)
    np.testing.assert_allclose(w.data._array, plain.numpy(), rtol=1e-12)
