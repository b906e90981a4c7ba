"""Whole networks trained beside PyTorch's from the same weights on the same batches: the losses of 20 steps agree."""

from __future__ import annotations

import copy
import gc

import numpy as np
import pytest

import minidl
from minidl import functional as F
from minidl import models, nn, optim

from .with_torch import torch

STEPS, BATCH = 20, 32


def images(channels, size, seed=0):
    """Noisy images of ten patterns: something to learn, so that the losses move."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, (STEPS, BATCH))
    patterns = random.normal(size=(10, channels, size, size))
    return (patterns[labels] + random.normal(size=(STEPS, BATCH, channels, size, size))).astype("f4"), labels


def sequences(seed=0):
    """Twenty steps of six numbers; the class is where their sum is largest."""
    x = np.random.default_rng(seed).normal(size=(STEPS, BATCH, 20, 6)).astype("f4")
    return x, x.cumsum(2).max(2).argmax(-1)


def lenet(library):
    relu, pool = library.ReLU, lambda: library.MaxPool2d(2, 2)
    return library.Sequential(
        library.Conv2d(3, 6, 5), relu(), pool(), library.Conv2d(6, 16, 5), relu(), pool(), library.Flatten(),
        library.Linear(400, 120), relu(), library.Linear(120, 84), relu(), library.Linear(84, 10),
    )  # fmt: skip


def mnist_cnn(library):
    relu, pool = library.ReLU, lambda: library.MaxPool2d(2)
    return library.Sequential(
        library.Conv2d(1, 32, 3), relu(), pool(), library.Conv2d(32, 64, 3), relu(), pool(), library.Flatten(),
        library.Linear(1600, 64), relu(), library.Linear(64, 10),
    )  # fmt: skip


def batch_norm_cnn(library):
    relu = library.ReLU
    return library.Sequential(
        library.Conv2d(3, 16, 3, padding=1, bias=False), library.BatchNorm2d(16), relu(),
        library.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), library.BatchNorm2d(32), relu(),
        library.AdaptiveAvgPool2d(2), library.Flatten(), library.Linear(128, 10),
    )  # fmt: skip


def lstm_classifier(library):
    class Classifier(library.Module):
        def __init__(self):
            super().__init__()
            self.lstm = library.LSTM(6, 24, num_layers=2, batch_first=True, bidirectional=True)
            self.output = library.Linear(48, 6)

        def forward(self, x):
            return self.output(self.lstm(x)[0][:, -1])

    return Classifier()


def transformer_classifier(library):
    class Classifier(library.Module):
        def __init__(self):
            super().__init__()
            self.embed = library.Linear(6, 16)
            layer = library.TransformerEncoderLayer(16, 4, 32, dropout=0.0, activation="gelu", batch_first=True)
            self.encoder = library.TransformerEncoder(layer, 2)
            self.output = library.Linear(16, 6)

        def forward(self, x):
            return self.output(self.encoder(self.embed(x)).mean(1))

    return Classifier()


CASES = [
    (lenet, images(3, 32), "Adagrad", {"lr": 0.01}),
    (mnist_cnn, images(1, 28), "Adam", {"lr": 0.001}),
    (batch_norm_cnn, images(3, 16), "SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
    (lstm_classifier, sequences(), "RMSprop", {"lr": 0.005}),
    (transformer_classifier, sequences(), "AdamW", {"lr": 0.003}),
]


def train(library, functional, optimizers, as_tensor, model, batches, kind, options):
    """The losses of training with either library; gradients are clipped, and the rate falls."""
    optimizer = getattr(optimizers, kind)(model.parameters(), **options)
    schedule = optimizers.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    losses = []
    for x, labels in zip(*batches):
        loss = functional.cross_entropy(model(as_tensor(x)), as_tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        library.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return np.array(losses)


def twins(build, dtype):
    """PyTorch's network and ours with its weights."""
    torch.manual_seed(0)
    theirs, ours = build(torch.nn).to(getattr(torch, dtype)), build(nn).to(dtype)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    ours.load_state_dict({name: value.numpy().copy() for name, value in theirs.state_dict().items()})
    return theirs, ours


@pytest.mark.parametrize(("build", "batches", "kind", "options"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_losses_of_twenty_steps(build, batches, kind, options):
    theirs, ours = twins(build, "float32")
    expected = train(torch.nn, torch.nn.functional, torch.optim, torch.from_numpy, theirs, batches, kind, options)
    losses = train(nn, F, optim, minidl.Tensor, ours, batches, kind, options)
    assert expected[-1] < expected[0] - 0.05  # it has learned something, so the later losses say something
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.parametrize(("build", "batches", "kind", "options"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_weights_after_twenty_steps(build, batches, kind, options):
    """In float64: in float32 a gradient that is 0 but for rounding, as a key's bias has, becomes a step of its own."""
    theirs, ours = twins(build, "float64")
    batches = batches[0][:, :8].astype(np.float64), batches[1][:, :8]
    train(torch.nn, torch.nn.functional, torch.optim, torch.from_numpy, theirs, batches, kind, options)
    train(nn, F, optim, minidl.Tensor, ours, batches, kind, options)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy(), rtol=1e-6, atol=1e-7, err_msg=name)
    x = batches[0][0]
    with torch.no_grad(), minidl.no_grad():
        y, our_y = theirs.eval()(torch.from_numpy(x)).numpy(), ours.eval()(minidl.Tensor(x)).numpy()
    np.testing.assert_allclose(our_y, y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("build", "batches", "kind", "options"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_training_leaves_nothing_to_the_cycle_collector(build, batches, kind, options):
    model = build(nn)
    batches = batches[0][:3], batches[1][:3]
    train(nn, F, optim, minidl.Tensor, model, batches, kind, options)
    gc.collect()
    gc.disable()
    try:
        train(nn, F, optim, minidl.Tensor, model, batches, kind, options)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_resuming_is_not_noticed():
    """Ten steps, all states through state_dict into new objects, ten more: the same losses as twenty at once."""
    minidl.manual_seed(0)
    model = models.build("row_rnn", hidden_size=16)
    twin = copy.deepcopy(model)
    x, labels = images(1, 28)
    batches = (x, labels)
    at_once = train(nn, F, optim, minidl.Tensor, twin, batches, "Adam", {"lr": 0.01})
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    losses = []
    for step, (x, labels) in enumerate(zip(*batches)):
        if step == 10:
            states = copy.deepcopy([model.state_dict(), optimizer.state_dict(), schedule.state_dict()])
            model = models.build("row_rnn", hidden_size=16)
            optimizer = optim.Adam(model.parameters(), lr=99.0)
            schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
            for part, state in zip((model, optimizer, schedule), states):
                part.load_state_dict(state)
        loss = F.cross_entropy(model(minidl.Tensor(x)), minidl.Tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    assert losses == list(at_once)
