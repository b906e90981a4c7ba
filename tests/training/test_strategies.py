"""Schedules, clipping, class weights, TensorBoard, and weights to start from."""

import sys
import types

import numpy as np
import pytest

import minidl
from minidl import functional as F
from minidl import nn, optim, training
from minidl.optim import lr_scheduler

X = np.linspace(-1, 1, 48, dtype=np.float32)[:, None]
Y = (X[:, 0] > 0).astype(np.int64)
SCHEDULES = {
    "step": lambda optimizer: lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=6),
    "linear": lambda optimizer: lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=4),
    "plateau": lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
    "chained": lambda optimizer: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(optimizer, 0.5, 3), lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)]
    ),
}


def fit(schedule, epochs, *, every="epoch", saved=None, path=None, losses=(3.0, 2.0, 2.5, 1.0, 1.5, 1.6)):
    """Train a small model; its validation loss is scripted, for the schedule that watches it."""

    class Scripted(training.Callback):
        def on_validation_end(self, run):
            run.values["validation_loss"] = losses[run.epoch - 1]

    minidl.manual_seed(0)
    model = nn.Linear(1, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.4, momentum=0.9)
    if saved is not None:
        saved.restore(model, optimizer)
    callbacks = [Scripted(), training.LearningRateSchedule(SCHEDULES[schedule](optimizer), every=every)]
    if path is not None:
        callbacks.append(training.Checkpoint(path))
    history = training.fit(
        model, (X, Y), optimizer=optimizer, epochs=epochs, batch_size=16, callbacks=callbacks,
        history=None if saved is None else saved.history,
    )  # fmt: skip
    return model, history


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("step", [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]),
        ("linear", [0.1, 0.175, 0.25, 0.325, 0.4, 0.4]),
        ("chained", [0.2, 0.2, 0.1, 0.2, 0.1, 0.1]),
        ("plateau", [0.4, 0.4, 0.4, 0.2, 0.2, 0.1]),  # worse in epochs 3, 5 and 6: lower after each
    ],
)
def test_schedules_of_optim_step_after_every_epoch(schedule, rates):
    np.testing.assert_allclose(fit(schedule, 6)[1]["learning_rate"], rates)


def test_a_schedule_steps_after_every_batch():
    _, history = fit("step", 3, every="batch")  # three batches an epoch; halved after 2, 4, 6 and 8
    np.testing.assert_allclose(history["learning_rate"], [0.2, 0.05, 0.025])


@pytest.mark.parametrize(
    ("schedule", "every"), [*((name, "epoch") for name in SCHEDULES), ("step", "batch"), ("cosine", "batch")]
)
def test_a_resumed_schedule_goes_on_as_if_never_stopped(tmp_path, schedule, every):
    whole, expected = fit(schedule, 6, every=every)
    fit(schedule, 4, every=every, path=tmp_path / "c.safetensors")
    resumed, found = fit(schedule, 6, every=every, saved=training.load_checkpoint(tmp_path / "c.safetensors"))
    assert found["learning_rate"] == expected["learning_rate"] and found["train_loss"] == expected["train_loss"]
    assert resumed.weight.data.tobytes() == whole.weight.data.tobytes()


def test_wrong_schedules_are_refused():
    optimizer, other = (optim.SGD([minidl.tensor([1.0])], lr=1.0) for _ in range(2))
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(TypeError, match="schedule must be a function of the epoch or one of optim.lr_scheduler"):
        training.LearningRateSchedule(lr_scheduler.StepLR)
    with pytest.raises(ValueError, match="every must be 'epoch' or 'batch', got 'step'"):
        training.LearningRateSchedule(plateau, every="step")
    for schedule in (plateau, lambda epoch: 1 / epoch):
        with pytest.raises(ValueError, match="every='batch' is for"):
            training.LearningRateSchedule(schedule, every="batch")
    model = nn.Linear(1, 2)
    with pytest.raises(ValueError, match="made with another optimizer"):
        schedule = training.LearningRateSchedule(lr_scheduler.StepLR(other, 1))
        training.fit(model, (X, Y), optimizer=optim.SGD(model.parameters(), lr=0.1), callbacks=[schedule])
    with pytest.raises(ValueError, match="callbacks must hold one LearningRateSchedule at most"):
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        two = [training.LearningRateSchedule(lr_scheduler.StepLR(optimizer, n)) for n in (1, 2)]
        training.fit(model, (X, Y), optimizer=optimizer, callbacks=two)
    with pytest.raises(ValueError, match="the history has no 'validation_loss' to monitor"):
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        schedule = training.LearningRateSchedule(lr_scheduler.ReduceLROnPlateau(optimizer))
        training.fit(model, (X, Y), optimizer=optimizer, callbacks=[schedule])


def test_the_gradient_is_shortened_to_the_norm():
    steps = {}
    for limit in (None, 0.01):
        model = nn.Linear(1, 2)
        before = np.concatenate([p.data.ravel() for p in model.parameters()])
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        training.fit(model, (100 * X, Y), optimizer=optimizer, batch_size=48, clip_grad_norm=limit)
        steps[limit] = np.linalg.norm(np.concatenate([p.data.ravel() for p in model.parameters()]) - before)
    assert steps[None] > 0.1 and steps[0.01] == pytest.approx(0.01, rel=1e-2)
    with pytest.raises(ValueError, match="clip_grad_norm must be above 0, got 0"):
        training.fit(model, (X, Y), optimizer=optimizer, clip_grad_norm=0)


def test_balanced_class_weights_are_those_of_scikit_learn():
    class_weight = pytest.importorskip("sklearn.utils.class_weight")
    labels = np.random.default_rng(0).choice(4, size=100, p=[0.5, 0.3, 0.15, 0.05])
    expected = class_weight.compute_class_weight("balanced", classes=np.arange(4), y=labels)
    np.testing.assert_allclose(training.balanced_class_weights(labels).data, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="class 4 has no sample"):
        training.balanced_class_weights(labels, 5)
    with pytest.raises(ValueError, match="labels must be below classes=2, got 3"):
        training.balanced_class_weights(labels, 2)
    for other in ([0.5], np.zeros((2, 2), int), np.zeros(0, int)):
        with pytest.raises(ValueError, match="labels must be integers of shape"):
            training.balanced_class_weights(other)
    with pytest.raises(ValueError, match="labels must be at least 0, got -1"):
        training.balanced_class_weights([0, -1])


def test_with_balanced_weights_a_rare_class_counts():
    """95 samples of one class and 5 of the other at the same place: even odds need weights."""
    x, labels = np.ones((100, 1), np.float32), np.arange(100) // 95
    for weight, expected in ((None, 0.05), (training.balanced_class_weights(labels), 0.5)):
        model = nn.Linear(1, 2)
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        loss = nn.CrossEntropyLoss(weight=weight)
        training.fit(model, (x, labels), optimizer=optimizer, loss=loss, epochs=100, batch_size=100)
        assert F.softmax(model(x[:1]), 1).data[0, 1] == pytest.approx(expected, abs=0.01)


def test_a_step_that_is_a_callback_hears_the_events():
    class Step(training.Callback):
        events = []

        def on_epoch_start(self, run):
            self.events.append("epoch")

        def __call__(self, model, optimizer, inputs, target):
            self.events.append("step")
            return {"loss": 0.5}

    model = nn.Linear(1, 2)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    training.fit(model, (X, Y), optimizer=optimizer, step=Step(), epochs=2, batch_size=24)
    assert Step.events == ["epoch", "step", "step"] * 2


def test_tensorboard_holds_the_history(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto import event_pb2

    model = nn.Linear(1, 2)
    history = training.fit(
        model, (X, Y), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=3, metrics=["accuracy"],
        callbacks=[training.TensorBoard(tmp_path / "run")],
    )  # fmt: skip
    [file] = (tmp_path / "run").iterdir()
    content, found = file.read_bytes(), {}
    while content:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        length = int.from_bytes(content[:8], "little")
        event = event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    assert {"loss/train", "accuracy/train"} <= set(found)
    assert found["loss/train"] == [(n + 1, pytest.approx(loss)) for n, loss in enumerate(history["train_loss"])]


def test_tensorboard_forgets_the_epochs_after_a_checkpoint(monkeypatch, tmp_path):
    class Writer:
        def __init__(self, folder, purge_step):
            told.append((folder, purge_step))

        def add_scalar(self, tag, value, epoch):
            told.append((tag, value, epoch))

        def flush(self):
            told.append("flush")

        def close(self):
            told.append("close")

    told = []
    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    model = nn.Linear(1, 2)
    history = training.fit(
        model, (X, Y), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=4,
        callbacks=[training.TensorBoard(tmp_path), training.Evaluation("test", (X, Y))], validation_data=(X, Y),
        history={"epoch": [1, 2], "train_loss": [0.7, 0.6]},
    )  # fmt: skip
    assert told[0] == (str(tmp_path), 3)
    losses = history["train_loss"][2:]  # those of the epochs that this run did
    assert [step for step in told if step[0] == "loss/train"] == [("loss/train", losses[i], i + 3) for i in range(2)]
    assert {step[0] for step in told} >= {"loss/validation", "loss/test", "seconds"}
    assert [step for step in told if step in ("flush", "close")] == ["flush", "flush", "close"]


def test_tensorboard_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        training.TensorBoard(tmp_path)


def network(classes):
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, classes))


@pytest.mark.parametrize("kind", ["checkpoint", "safetensors", "pth", "nested pth"])
def test_pretrained_weights_come_from_any_file(tmp_path, kind):
    old, new = network(3), network(5)
    old(np.ones((2, 4), np.float32))  # which moves the running statistics
    head = new[3].weight.data.copy()
    path = tmp_path / ("w.pth" if "pth" in kind else "w.safetensors")
    if kind == "checkpoint":
        training.save_checkpoint(path, old, optim.SGD(old.parameters(), lr=0.1), {})
    elif kind == "safetensors":
        minidl.save(path, old.state_dict())
    else:
        torch = pytest.importorskip("torch")
        state = {name: torch.tensor(np.array(tensor.data)) for name, tensor in old.state_dict().items()}
        torch.save({"state_dict": state, "epoch": 3} if kind == "nested pth" else state, path)
    training.load_pretrained(new, path)
    assert (new[0].weight.data == old[0].weight.data).all() and (new[3].weight.data == head).all()
    assert (new[1].running_mean.data == old[1].running_mean.data).all() and new[1].running_mean.data.any()
    again = network(5)
    with pytest.raises(ValueError, match=r"head must name layers of the model, got '9'"):
        training.load_pretrained(again, path, head=["9"])
    with pytest.raises(ValueError, match=r"another network: 3.weight \(5, 8\), in the file \(3, 8\)"):
        training.load_pretrained(again, path, head=["0"])
    with pytest.raises(ValueError, match=r"another network: 0.weight \(6, 4\), in the file \(8, 4\)"):
        training.load_pretrained(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5)), path)


def test_the_head_left_out_is_the_last_layer_alone(tmp_path):
    """However deep it lies, with a bias or without: the layer before it, in the same block, is loaded."""

    class Network(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, classes, bias=False))

    old, new = Network(4), Network(4)
    minidl.save(tmp_path / "w.safetensors", old.state_dict())
    head = new.block[2].weight.data.copy()
    training.load_pretrained(new, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(new.block[2].weight.data, head)
    for name in ("weight", "bias"):
        np.testing.assert_array_equal(getattr(new.block[0], name).data, getattr(old.block[0], name).data)
