"""The library with ``model.to("cuda")`` on a GPU, and on the emulated one, whose arrays refuse what CuPy's refuse.

Training, checkpoint and resumption go the way they go on a GPU, and the times when the host waits for it are counted.
"""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import nn, optim
from minidl.data import DataLoader, TensorDataset
from minidl.kernels import cuda
from minidl.training import evaluate, fit, load_checkpoint, predict, save_checkpoint
from minidl.training.loop import train_step
from tests.cuda_emulator import EmulatedRuntime, emulated_gpu, library_calls, synchronizations

pytestmark = pytest.mark.cuda


@pytest.fixture
def emulated():
    with emulated_gpu(device_arrays=True, check=False) as runtime:
        yield runtime


@pytest.fixture(params=["emulated", pytest.param("gpu", marks=pytest.mark.gpu)])
def gpu(request):
    return request.getfixturevalue("emulated") if request.param == "emulated" else cuda.current_runtime()


SPIN = """
extern "C" __global__ void spin(long long cycles) {
  for (const long long start = clock64(); clock64() - start < cycles;) {}
}"""


def is_on_gpu(array):
    return hasattr(array, "__cuda_array_interface__")


def network():
    """No bias before batch normalization: its gradient is 0 but for rounding, which Adam makes whole steps of."""
    minidl.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(24, 5), nn.Tanh(), nn.Linear(5, 3),
    )  # fmt: skip


class ReadsRows(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self):
        super().__init__()
        self.lstm, self.output = nn.LSTM(10, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x):
        return self.output(self.lstm(x.reshape(len(x), -1, x.shape[-1]))[0][:, -1])


def images(n=6):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 1, 10, 10)).astype("float32"), rng.integers(0, 3, n)


OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.01),
    "adamw": lambda parameters: optim.AdamW(parameters, lr=0.01),
    "rmsprop": lambda parameters: optim.RMSprop(parameters, lr=0.01),
    "adagrad": lambda parameters: optim.Adagrad(parameters, lr=0.01),
}


def test_cuda_is_the_current_gpu(emulated, monkeypatch):
    """In `with cupy.cuda.Device(1):` too: kernels refuse arrays of another GPU than that."""
    entered = []
    device = lambda *number: (entered.append(number), contextlib.nullcontext())[1]  # noqa: E731
    monkeypatch.setattr(emulated.xp.cuda, "Device", device)
    for name, expected in (("cuda", []), ("cuda:0", [(0,)]), ("cuda:1", [(0,), (1,)])):
        assert is_on_gpu(minidl.ones(2).to(name).data)
        assert entered == expected


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_evaluate_and_predict(gpu, optimizer):
    x, t = images()
    losses = []
    for device in ("cpu", "cuda"):
        model = network().to(device)
        history = fit(model, (x, t), optimizer=OPTIMIZERS[optimizer](model.parameters()), epochs=2, batch_size=3)
        losses.append([*history["train_loss"], evaluate(model, (x, t))["loss"]])
        assert all(is_on_gpu(p.data) == (device == "cuda") for p in model.parameters())
        assert np.asarray(predict(model, x).cpu().numpy()).shape == (6, 3)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    if isinstance(gpu, EmulatedRuntime):
        assert gpu.launches[f"{optimizer.replace('adamw', 'adam')}_step"]


def test_worker_processes_beside_a_gpu(gpu):
    """They are forked from a process that uses the GPU, and fetch batches on the CPU."""
    losses = []
    for num_workers in (0, 2):
        model = network().to("cuda")
        loader = DataLoader(TensorDataset(*images()), batch_size=3, num_workers=num_workers)
        losses.append(fit(model, loader, optimizer=optim.SGD(model.parameters(), lr=0.05), epochs=2)["train_loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_goes_on_from_its_checkpoint(gpu, optimizer, tmp_path):
    x, t = images()

    def trained(epochs):
        model = network().to("cuda")
        steps = OPTIMIZERS[optimizer](model.parameters())
        history = fit(model, (x, t), optimizer=steps, epochs=epochs, batch_size=3)
        return model, steps, history

    whole, *_ = trained(2)
    model, steps, history = trained(1)
    save_checkpoint(tmp_path / "run.safetensors", model, steps, history)
    saved = load_checkpoint(tmp_path / "run.safetensors")
    model = network().to("cuda")
    steps = OPTIMIZERS[optimizer](model.parameters())
    saved.restore(model, steps)
    for state in steps.state.values():
        assert all(is_on_gpu(value.data) for value in state.values() if hasattr(value, "shape"))
    fit(model, (x, t), optimizer=steps, epochs=2, batch_size=3, history=saved.history)
    for ours, expected in zip(model.parameters(), whole.parameters(), strict=True):
        np.testing.assert_array_equal(ours.cpu().numpy(), expected.cpu().numpy())


@pytest.mark.parametrize("build", [network, ReadsRows])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_wait_hides_in_a_training_step(emulated, build, optimizer):
    x, t = (minidl.tensor(array).to("cuda") for array in images())
    model = build().to("cuda")
    steps = OPTIMIZERS[optimizer](model.parameters())
    with synchronizations() as waits:
        for _ in range(2):
            _, loss = train_step(model, steps, F.cross_entropy, (), [x], t)
        assert waits == []
        assert np.isfinite(loss.item())
        assert len(waits) == 1, "the user's own look at the loss is the only wait"


@pytest.mark.gpu
@pytest.mark.parametrize("build", [network, ReadsRows])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_wait_hides_in_a_training_step_on_a_gpu(build, optimizer):
    """The GPU is busy for a second with something else: a step that waits for it ends after that."""
    import cupy

    spin = cupy.RawKernel(SPIN, "spin")
    x, t = (minidl.tensor(array).to("cuda") for array in images())
    model = build().to("cuda")
    steps = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(2):  # compiles, and fills the pool of memory
        _, loss = train_step(model, steps, F.cross_entropy, (), [x], t)
    for waits in (False, True):
        behind = cupy.cuda.Event()
        spin((1,), (1,), (np.int64(2_000_000_000),))
        behind.record()
        _, loss = train_step(model, steps, F.cross_entropy, (), [x], t)
        if waits:
            assert np.isfinite(loss.item())
        assert behind.done == waits


def test_what_a_training_step_leaves_to_the_array_library(emulated):
    """All that it computes costs the host more than a launch of ours: the loss, and nothing of any layer."""
    x, t = (minidl.tensor(array).to("cuda") for array in images())
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)
    ).to("cuda")  # fmt: skip
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    train_step(model, optimizer, F.cross_entropy, (), [x], t)  # makes the velocities
    with library_calls() as calls:
        train_step(model, optimizer, F.cross_entropy, (), [x], t)
    assert calls == ["sum", "divide", "fill", "divide"]  # the mean of the losses; its gradient, 1; that of each loss


def test_fit_waits_once_an_epoch(emulated):
    model, (x, t) = network().to("cuda"), images()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    counts = []
    for batch_size in (1, 3):
        with synchronizations() as waits:
            fit(model, (x, t), optimizer=optimizer, epochs=1, batch_size=batch_size)
            counts.append(len(waits))
    assert counts[0] == counts[1], "the number of waits must not grow with the number of batches"


@pytest.mark.parametrize(
    "planted",
    [
        lambda x: x.item(), float, bool, lambda x: x.tolist(), lambda x: x.reshape(1)[x.reshape(1) > 0],
        lambda x: x.__array_namespace__().nonzero(x.reshape(1)), lambda x: x.get(),
    ],
)  # fmt: skip
def test_a_planted_wait_is_found(emulated, planted):
    """A loss that looks at its own value, as clipping or a check for NaN easily does."""
    x, t = (minidl.tensor(array).to("cuda") for array in images())
    model = network().to("cuda")

    def loss(output, target):
        value = F.cross_entropy(output, target)
        planted(value.data)
        return value

    with synchronizations() as waits:
        train_step(model, optim.SGD(model.parameters(), lr=0.05), loss, (), [x], t)
    assert len(waits) == 1 and "test_library_on_device_arrays.py" in waits[0]
