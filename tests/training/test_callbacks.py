import csv
import io
import json
import math
import sys

import numpy as np
import pytest

import minidl
from minidl import nn, optim, training
from minidl.training.callbacks import best_epoch

X = np.linspace(-1, 1, 48, dtype=np.float32)[:, None]
Y = (X[:, 0] > 0).astype(np.int64)


def fit(*callbacks, epochs=3, lr=0.1, history=None):
    minidl.manual_seed(0)
    model = nn.Linear(1, 2)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    found = training.fit(
        model,
        (X, Y),
        optimizer=optimizer,
        epochs=epochs,
        batch_size=16,
        callbacks=callbacks,
        metrics=["accuracy"],
        history=history,
    )
    return found, optimizer


def test_events_come_in_order_and_the_last_also_after_an_error():
    events = []

    class Recorder(training.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                return lambda run: events.append((name, run.epoch))
            return object.__getattribute__(self, name)

    fit(Recorder(), epochs=2)
    epoch = lambda n: [  # noqa: E731
        ("on_epoch_start", n), *[("on_batch_end", n)] * 3, ("on_validation_end", n), ("on_epoch_end", n)
    ]  # fmt: skip
    assert events == [("on_fit_start", 0), *epoch(1), *epoch(2), ("on_fit_end", 2)]

    class Breaks(training.Callback):
        def on_batch_end(self, run):
            raise KeyboardInterrupt

    events.clear()
    with pytest.raises(KeyboardInterrupt):
        fit(Breaks(), Recorder())
    assert events[-1] == ("on_fit_end", 1)

    class Refuses(training.Callback):
        def on_fit_start(self, run):
            raise ValueError("not this run")

        def on_fit_end(self, run):
            raise AssertionError("it had not begun")

    events.clear()
    with pytest.raises(ValueError, match="not this run"):
        fit(Recorder(), Refuses())
    assert events == [("on_fit_start", 0), ("on_fit_end", 0)]


def test_early_stopping_waits_for_patience_epochs_and_resumes_alike():
    class Scripted(training.Callback):
        losses = [5.0, 3.0, 4.0, 3.5, 2.0]

        def on_validation_end(self, run):
            run.values["validation_loss"] = self.losses[run.epoch - 1]

    stopping = lambda: training.EarlyStopping("validation_loss", patience=2)  # noqa: E731
    history, _ = fit(Scripted(), stopping(), epochs=5)
    assert history["epoch"] == [1, 2, 3, 4]
    again, _ = fit(Scripted(), stopping(), epochs=5, history=history)
    assert again["epoch"] == [1, 2, 3, 4]
    soonest, _ = fit(Scripted(), training.EarlyStopping(patience=1), epochs=5)
    assert soonest["epoch"] == [1, 2, 3]
    with pytest.raises(ValueError, match="patience must be at least 1, got 0"):
        training.EarlyStopping(patience=0)
    with pytest.raises(ValueError, match="no 'validation_los' to monitor"):
        fit(training.EarlyStopping("validation_los"), epochs=2)


def test_schedule_multiplies_the_initial_rate():
    seen = []

    class Rates(training.Callback):
        def on_batch_end(self, run):
            seen.append(run.optimizer.param_groups[0]["lr"])

    fit(training.LearningRateSchedule(lambda epoch: 0.5 ** (epoch - 1)), Rates(), epochs=3, lr=0.4)
    np.testing.assert_allclose(seen, [0.4] * 3 + [0.2] * 3 + [0.1] * 3)


def test_logs_hold_the_history(tmp_path):
    history, _ = fit(training.CSVLogger(tmp_path / "log.csv"), training.JSONLogger(tmp_path / "log.json"))
    assert json.loads((tmp_path / "log.json").read_text()) == history
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [float(row["train_loss"]) for row in rows] == history["train_loss"]


def test_what_was_not_measured_is_null_in_json(tmp_path):
    class Late(training.Callback):
        def on_validation_end(self, run):
            if run.epoch == 2:
                run.values["extra"] = math.inf

    fit(Late(), training.JSONLogger(tmp_path / "log.json"), epochs=2)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads((tmp_path / "log.json").read_text(), parse_constant=refuse)["extra"] == [None, None]


def test_best_checkpoint_is_that_of_the_best_epoch(tmp_path):
    class Scripted(training.Callback):
        def on_validation_end(self, run):
            run.values["validation_accuracy"] = [0.5, 0.9, 0.7][run.epoch - 1]

    fit(Scripted(), training.Checkpoint(tmp_path / "best.safetensors", best="validation_accuracy"))
    assert training.load_checkpoint(tmp_path / "best.safetensors").epochs == 2


def test_the_best_of_an_error_is_the_smallest(tmp_path):
    class Scripted(training.Callback):
        def on_validation_end(self, run):
            run.values["validation_error"] = [0.5, 0.3, 0.4, 0.6, 0.1][run.epoch - 1]

    kept = training.Checkpoint(tmp_path / "best.safetensors", best="validation_error", mode="min")
    history, _ = fit(Scripted(), kept, training.EarlyStopping("validation_error", patience=2, mode="min"), epochs=5)
    assert history["epoch"] == [1, 2, 3, 4]
    assert training.load_checkpoint(tmp_path / "best.safetensors").epochs == 2
    assert best_epoch({"validation_loss": [1.0, 3.0, 2.0]}, "validation_loss", "max") == 2
    for make in (training.EarlyStopping, lambda mode: training.Checkpoint(tmp_path / "a.safetensors", mode=mode)):
        with pytest.raises(ValueError, match="mode must be 'min', 'max' or None, got 'least'"):
            make(mode="least")


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("validation_loss", [np.nan, 3.0, 2.0, np.nan, 2.0], 3),
        ("validation_accuracy", [np.nan, 0.5, 0.9, np.nan, 0.7], 3),
        ("validation_loss", [np.nan, np.nan], 1),
        ("train_generator_loss", [3.0, 1.0, 2.0], 2),
    ],
)
def test_nan_is_never_best(monitor, values, best):
    assert best_epoch({monitor: values}, monitor) == best


def test_a_measure_that_begins_or_ends_later_stays_at_its_epochs(tmp_path):
    first, _ = fit(epochs=2)
    second, _ = fit(training.Evaluation("test", (X, Y)), epochs=3, history=first)
    third, _ = fit(training.CSVLogger(tmp_path / "log.csv"), epochs=4, history=second)
    assert np.isnan(third["test_loss"]).tolist() == [True, True, False, True]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 5
    assert best_epoch(third, "test_loss") == 3


def test_evaluation_adds_its_measures():
    history, _ = fit(training.Evaluation("test", (X, Y), metrics=["accuracy"]))
    assert len(history["test_accuracy"]) == len(history["test_loss"]) == 3


def test_evaluation_takes_its_metrics_from_a_generator_once():
    history, _ = fit(training.Evaluation("test", (X, Y), metrics=(name for name in ["accuracy"])))
    assert len(history["test_accuracy"]) == 3


def test_progress_shows_loss_metrics_and_speed(capsys):
    fit(training.ProgressBar(), epochs=2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2  train_loss 0.")
    assert "train_accuracy" in lines[1] and lines[1].endswith("samples/s")


def terminal_for(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "140")
    return sys.stderr


def test_the_bar_of_a_terminal_shows_loss_and_speed(monkeypatch):
    terminal = terminal_for(monkeypatch)
    fit(training.ProgressBar(interval=0), epochs=1)
    shown = terminal.getvalue()
    assert "epoch 1/1: " in shown and "32/48" in shown and "samples/s, loss 0." in shown and "accuracy 0." in shown
    assert "samples/s, loss" not in shown.rpartition("epoch 1/1  ")[2]  # the bar ends before its line


def test_a_bar_between_two_updates_reads_nothing(monkeypatch):
    terminal = terminal_for(monkeypatch)
    fit(training.ProgressBar(interval=1000), epochs=1)
    assert "0/48" in terminal.getvalue() and "16/48" not in terminal.getvalue()


def test_an_error_ends_the_bar_too(monkeypatch):
    terminal = terminal_for(monkeypatch)

    class Fails(training.Callback):
        def on_batch_end(self, run):
            raise RuntimeError("no")

    bar = training.ProgressBar(interval=0)
    with pytest.raises(RuntimeError, match="no"):
        fit(bar, Fails())
    assert "16/48" in terminal.getvalue() and terminal.getvalue().endswith(" \r")  # it was shown, and is cleared


@pytest.mark.parametrize("callback", [training.Checkpoint, training.CSVLogger, training.JSONLogger])
def test_a_folder_that_is_not_there_is_told_before_the_first_epoch(tmp_path, callback):
    with pytest.raises(FileNotFoundError, match=f"the folder {tmp_path / 'no'} does not exist, so run cannot be wri"):
        callback(tmp_path / "no" / "run")


def test_a_checkpoint_that_cannot_be_written_is_told_before_the_first_epoch(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.safetensors, got .*run\.pth"):
        training.Checkpoint(tmp_path / "run.pth")
    with pytest.raises(TypeError, match="info must be what JSON holds: Object of type ndarray"):
        training.Checkpoint(tmp_path / "run.safetensors", {"mean": X})


@pytest.mark.parametrize("logger", [training.CSVLogger, training.JSONLogger])
def test_a_log_that_cannot_be_written_leaves_the_one_before(tmp_path, logger, monkeypatch):
    path = tmp_path / "log"
    fit(logger(path), epochs=2)
    before = path.read_bytes()

    def disk_full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(OSError, match="no space"):
        fit(logger(path), epochs=3)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
