"""Whole training steps through the CUDA kernels, on the emulator: losses and weights as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import kernels, nn, optim
from tests.cuda_emulator import emulated_gpu

pytestmark = pytest.mark.cuda

CONVOLUTION = {"conv2d_forward", "conv2d_input_grad", "conv2d_weight_grad", "add_weight_parts"}
MAX_POOLING = {"max_forward", "max_scatter"}


def mnist_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def with_batch_norm():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * 11 * 11, 10),
    )  # fmt: skip


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def train(build, steps):
    """Losses of a few steps of Adam, and the weights after them."""
    minidl.manual_seed(0)
    rng = np.random.default_rng(0)
    model = build()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    x = minidl.tensor(rng.standard_normal((2, 1, 28, 28)).astype("float32"))
    target = minidl.tensor(rng.integers(0, 10, 2))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [parameter.numpy().copy() for parameter in model.parameters()]


@pytest.mark.parametrize(
    "build, expected_kernels",
    [
        (mnist_cnn, {*CONVOLUTION, *MAX_POOLING, "matmul_async"}),
        (lenet, {*CONVOLUTION, "avg_forward", "avg_input_grad", "matmul_async"}),
        (with_batch_norm, {*CONVOLUTION, "matmul_async"}),
        (perceptron, {"matmul_async"}),
    ],
)
def test_training_steps(build, expected_kernels):
    losses, weights = train(build, steps=3)
    with emulated_gpu(check=False) as gpu:
        gpu_losses, gpu_weights = train(build, steps=3)
    assert expected_kernels <= set(gpu.launches), f"launched: {dict(gpu.launches)}"
    assert losses[2] < losses[0]
    np.testing.assert_allclose(gpu_losses, losses, rtol=1e-4)
    for ours, cpu in zip(gpu_weights, weights, strict=True):
        assert np.abs(ours - cpu).max() < 1e-3 * 3 * 0.1, "a tenth of what Adam can have changed"


def test_a_checked_training_step():
    with emulated_gpu(check=True) as gpu:
        losses, _ = train(lenet, steps=1)
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
