"""Whole training steps through the CUDA kernels, on the emulator: losses and weights as on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import kernels, nn, optim
from tests.cuda_emulator import emulated_gpu

pytestmark = pytest.mark.cuda

CONVOLUTION = {"conv2d_forward", "conv2d_input_grad_stride_1", "conv2d_weight_grad", "add_weight_parts"}
MAX_POOLING = {"max_forward", "max_scatter"}
BATCH_NORM = {"moments_of_columns", "normalize", "gradients_of_columns", "normalize_gradient"}
RELU = {"relu_forward", "relu_backward"}
TANH = {"tanh_forward", "tanh_backward"}
LOSS = {"cross_entropy_forward", "cross_entropy_backward"}


class Step(NamedTuple):
    """A network, a batch for it, the loss, the optimizer, and the kernels that its training must launch."""

    build: Callable[[], nn.Module]
    inputs: tuple[int, ...]
    loss: Callable
    optimizer: Callable
    kernels: set[str]


def mnist_cnn():
    """M1."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def lenet():
    """LeNet-5 as LeCun wrote it: tanh and averages."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


class ReadsRows(nn.Module):
    """A recurrent layer that reads an image row by row, and a classifier on its last state."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.output = layer(28, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x):
        return self.output(self.layer(x.reshape(len(x), -1, x.shape[-1]))[0][:, -1])


def generator():
    """The GAN's generator, at full width. No bias before batch normalization: its gradient is only rounding."""
    return nn.Sequential(
        nn.Linear(100, 7 * 7 * 256), nn.Unflatten(1, (256, 7, 7)),
        nn.Upsample(scale_factor=2), nn.Conv2d(256, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


def with_groups_and_dropout():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4), nn.SiLU(),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(8 * 11 * 11, 10),
    )  # fmt: skip


class LooksAtRows(nn.Module):
    """A transformer on the rows of an image, each seeing those above it."""

    def __init__(self):
        super().__init__()
        self.input, self.output = nn.Linear(28, 16), nn.Linear(16, 10)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, activation="gelu", batch_first=True)

    def forward(self, x):
        rows = self.input(x.reshape(len(x), -1, x.shape[-1]))
        return self.output(self.layer(rows, is_causal=True)[:, -1])


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def adam(parameters):
    return optim.Adam(parameters, lr=1e-3)


def sgd(parameters):
    return optim.SGD(parameters, lr=0.05, momentum=0.9)


def brightness(images, _):
    """Mean of (1 - image)^2: what a discriminator that likes bright images tells the generator."""
    return ((1 - images) ** 2).mean()


CLASSES = F.cross_entropy
STEPS = {
    "M1": Step(
        mnist_cnn, (2, 1, 28, 28), CLASSES, adam,
        {*CONVOLUTION, *MAX_POOLING, *LOSS, *RELU, "matmul_async", "adam_step"},
    ),
    "LeNet": Step(
        lenet, (2, 1, 28, 28), CLASSES, sgd,
        {*CONVOLUTION, *LOSS, *TANH, "avg_forward", "avg_input_grad", "matmul_async", "sgd_step"},
    ),
    "RNN": Step(
        partial(ReadsRows, nn.RNN), (2, 1, 28, 28), CLASSES, adam,
        {*LOSS, "rnn_forward_step", "rnn_backward_step", "matmul_async", "adam_step"},
    ),
    "LSTM": Step(
        partial(ReadsRows, nn.LSTM), (4, 1, 28, 28), CLASSES, adam,
        {*LOSS, "lstm_forward_step", "lstm_backward_step", "matmul_async", "adam_step"},
    ),
    "GRU": Step(
        partial(ReadsRows, nn.GRU), (2, 1, 28, 28), CLASSES, adam,
        {*LOSS, "gru_forward_step", "gru_backward_step", "matmul_async", "adam_step"},
    ),
    "GAN generator": Step(
        generator, (2, 100), brightness, adam,
        {*CONVOLUTION, *BATCH_NORM, *RELU, *TANH, "matmul_async", "adam_step"},
    ),
    "groups and dropout": Step(
        with_groups_and_dropout, (2, 1, 28, 28), CLASSES, sgd,
        {*CONVOLUTION, *BATCH_NORM, *LOSS, "dropout_channels_last", "silu_forward", "sgd_step"},
    ),
    "transformer": Step(
        LooksAtRows, (2, 1, 28, 28), CLASSES, adam,
        {*LOSS, "gelu_forward", "gelu_backward", "softmax_forward", "softmax_input_grad", "dropout_in_order",
         "matmul_async", "adam_step"},
    ),
    "perceptron": Step(perceptron, (2, 784), CLASSES, sgd, {*LOSS, *RELU, "matmul_async", "sgd_step"}),
}  # fmt: skip


def train(step, steps):
    """Losses of a few steps, and the weights after them."""
    minidl.manual_seed(0)
    rng = np.random.default_rng(0)
    model = step.build()
    optimizer = step.optimizer(model.parameters())
    x = minidl.tensor(rng.standard_normal(step.inputs).astype("float32"))
    target = minidl.tensor(rng.integers(0, 10, step.inputs[0]))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step.loss(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [parameter.numpy().copy() for parameter in model.parameters()]


@pytest.mark.parametrize("name", STEPS)
def test_training_steps(name):
    """Losses equal to the CPU's within 1e-4 of them, and the weights too, with CUDA kernels for every kernel called.

    Where a gradient is almost 0, Adam makes a whole step of its rounding: of a thousand weights one may differ.
    """
    step = STEPS[name]
    losses, weights = train(step, steps=3)
    with emulated_gpu(check=False) as gpu, kernels.use_backend("cuda", strict=True), minidl.fusion(False):
        gpu_losses, gpu_weights = train(step, steps=3)
    assert step.kernels <= set(gpu.launches), f"not launched: {step.kernels - set(gpu.launches)}"
    compare(losses, weights, gpu_losses, gpu_weights)


def test_training_steps_with_fused_neighbours():
    """ReLU and pooling in one launch, and few launches in all: for a small network they are what a step costs."""
    step = STEPS["M1"]
    with emulated_gpu(check=False) as gpu:
        result = train(step, steps=3)
    expected = step.kernels - RELU - MAX_POOLING | {"relu_pool_forward", "relu_pool_backward"}
    assert expected <= set(gpu.launches) and not MAX_POOLING & set(gpu.launches)
    assert sum(gpu.launches.values()) <= 3 * 34
    compare(*train(step, steps=3), *result)


def compare(losses, weights, gpu_losses, gpu_weights):
    assert losses[2] < losses[0]
    np.testing.assert_allclose(gpu_losses, losses, rtol=1e-4)
    for ours, cpu in zip(gpu_weights, weights, strict=True):
        difference = np.abs(ours - cpu)
        assert np.mean(difference > 3e-4) <= 1e-3 and difference.max() <= 2 * 3 * 1e-3


def test_a_checked_training_step():
    with emulated_gpu(check=True) as gpu:
        losses, _ = train(STEPS["LeNet"], steps=1)
    assert sum(gpu.launches.values()) > 15 and np.isfinite(losses).all()


def test_the_emulated_gpu_ends_with_its_block():
    a = np.ones((2, 2), "float32")
    with emulated_gpu() as gpu:
        np.testing.assert_array_equal(kernels.matmul.forward(a, a), a @ a)
        assert gpu.launches == {"matmul_async": 1}
        assert all(row.available for row in kernels.table() if row.backend == "cuda")
    kernels.matmul.forward(a, a)
    with kernels.use_backend("cuda"):
        kernels.matmul.forward(a, a)
    assert gpu.launches == {"matmul_async": 1}
