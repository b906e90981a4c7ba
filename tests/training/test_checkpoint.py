"""Checkpoints: a run that was killed at any time goes on as if it had never stopped."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import minidl
from minidl import nn, optim, training
from minidl.serialization import read_safetensors, write_safetensors

# A run with all kinds of state: dropout, shuffling, batch norm and Adam.
PROGRAM = """
import sys, time
import numpy as np
import minidl
from minidl import nn, optim, training
from pathlib import Path

path, epochs, resume = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "resume"
minidl.manual_seed(3)
x = np.random.default_rng(0).standard_normal((256, 1, 6, 6)).astype(np.float32)
y = (x.sum((1, 2, 3)) > 0).astype(np.int64)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 2)
)
optimizer = optim.Adam(model.parameters(), lr=0.01)
history = None
if resume and path.exists():
    saved = training.load_checkpoint(path)
    saved.restore(model, optimizer)
    history = saved.history
training.fit(
    model, (x, y), optimizer=optimizer, epochs=epochs, batch_size=16, callbacks=[training.Checkpoint(path)],
    history=history,
)
print("done")
"""


def start(path, epochs, resume=False):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(epochs), "resume" if resume else "new"], stdout=subprocess.PIPE
    )


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_runs_end_with_the_weights_of_one_that_was_not(tmp_path):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    reference = start(whole, 40)
    stops = 0
    for _ in range(3):  # killed at times that have nothing to do with its epochs, once before it has written anything
        run = start(killed, 40, resume=True)
        wanted = training.load_checkpoint(killed).epochs + 3 if killed.exists() else 2
        while run.poll() is None:
            if killed.exists() and training.load_checkpoint(killed).epochs >= wanted:
                break
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            stops += 1
        run.wait()
        assert killed.exists()
    last = start(killed, 40, resume=True)
    assert last.communicate()[0] == b"done\n" and reference.communicate()[0] == b"done\n"
    assert stops >= 2, "the run ended before it could be killed"
    expected, found = training.load_checkpoint(whole), training.load_checkpoint(killed)
    assert found.epochs == 40 and found.history["train_loss"] == expected.history["train_loss"]
    assert found.random == expected.random
    arrays = read_safetensors(whole)[0]
    assert len(arrays) > 20  # 9 of the model, 2 for each of 6 parameters of the optimizer
    for name, array in read_safetensors(killed)[0].items():
        assert array.tobytes() == arrays[name].tobytes(), name


@pytest.fixture
def trained(tmp_path):
    """A model, its optimizer and their checkpoint."""
    minidl.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    history = training.fit(model, (x, np.arange(8) % 2), optimizer=optimizer, epochs=2)
    path = tmp_path / "run.safetensors"
    training.save_checkpoint(path, model, optimizer, history, {"classes": ["cat", "hund é"]})
    return model, optimizer, path


def test_what_went_in_comes_out(trained):
    model, optimizer, path = trained
    saved = training.load_checkpoint(path)
    assert saved.epochs == 2 and saved.info == {"classes": ["cat", "hund é"]}
    assert saved.versions["minidl"] == minidl.__version__
    other = nn.Linear(3, 2)
    other_optimizer = optim.SGD(other.parameters(), lr=0.5, momentum=0.9)
    saved.restore(other, other_optimizer)
    np.testing.assert_array_equal(other.weight.data, model.weight.data)
    assert other_optimizer.param_groups[0]["lr"] == 0.1
    np.testing.assert_array_equal(
        other_optimizer.state[other.weight]["momentum_buffer"], optimizer.state[model.weight]["momentum_buffer"]
    )
    names = set(safetensors.numpy.load_file(path))
    assert names == {"model.weight", "model.bias", "optimizer.0.momentum_buffer", "optimizer.1.momentum_buffer"}


@pytest.mark.parametrize("number", [np.float32, minidl.tensor])
def test_numbers_of_numpy_are_kept_as_numbers(tmp_path, number):
    model = nn.Linear(2, 2)
    optimizer = optim.SGD(model.parameters(), lr=number(0.5))
    callbacks = [training.Checkpoint(tmp_path / "run.safetensors", {"scale": number(0.25)})]
    callbacks.append(training.JSONLogger(tmp_path / "log.json"))
    history = {"epoch": [1], "train_loss": [number(2.0)]}
    data = np.ones((4, 2), np.float32), np.zeros(4, np.int64)
    training.fit(model, data, optimizer=optimizer, epochs=2, callbacks=callbacks, history=history)
    saved = training.load_checkpoint(tmp_path / "run.safetensors")
    assert saved.optimizer["param_groups"][0]["lr"] == 0.5 and saved.info == {"scale": 0.25}
    assert saved.history["train_loss"][0] == json.loads((tmp_path / "log.json").read_text())["train_loss"][0] == 2


def test_a_checkpoint_of_another_model_names_the_keys(trained):
    saved = training.load_checkpoint(str(trained[2]))
    with pytest.raises(ValueError, match="another model.*weight has shape"):
        saved.restore_model(nn.Linear(4, 2))
    with pytest.raises(ValueError, match="missing keys: 0.weight.*unexpected keys: bias, weight"):
        saved.restore_model(nn.Sequential(nn.Linear(3, 2)))
    model = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="trained with SGD, the optimizer is Adam"):
        saved.restore(model, optim.Adam(model.parameters()))


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_named(trained, kept):
    path = trained[2]
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=f"{path.name}: truncated"):
        training.load_checkpoint(path)


def test_damaged_contents_are_told_with_the_name_of_the_file(trained):
    model, optimizer, path = trained
    saved = training.load_checkpoint(path)
    del saved.random["dropout"]
    with pytest.raises(ValueError, match=f"{path.name}: damaged checkpoint .*state must hold the streams"):
        saved.restore(model, optimizer)
    for name, value in (("uinteger", -1), ("buffer", [1])):  # an OverflowError and an IndexError of NumPy
        saved = training.load_checkpoint(path)
        saved.random["dropout"][name] = value
        with pytest.raises(ValueError, match=f"{path.name}: damaged checkpoint"):
            saved.restore(model, optimizer)
    training.save_checkpoint(path, model, optimizer, {"epoch": 3})
    with pytest.raises(ValueError, match=f"{path.name}: damaged checkpoint .*epoch must be a list, got 3"):
        training.load_checkpoint(path)


def test_other_files_are_refused(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="no.safetensors does not exist"):
        training.load_checkpoint(tmp_path / "no.safetensors")
    minidl.save(tmp_path / "weights.safetensors", nn.Linear(1, 1).state_dict())
    with pytest.raises(ValueError, match="no checkpoint of minidl; read them with minidl.load"):
        training.load_checkpoint(tmp_path / "weights.safetensors")
    for entry in (
        "not JSON", "[]", '{"format": 1}', '{"format": 99}', '{"format": 1, "optimizer": {"state": []}}', "[" * 100_000,
        '{"format": 1' + "0" * 5000 + "}",
    ):  # fmt: skip
        write_safetensors(tmp_path / "odd.safetensors", {"optimizer.0.m": np.zeros(1)}, {"minidl": entry})
        with pytest.raises(ValueError, match="odd.safetensors"):
            training.load_checkpoint(tmp_path / "odd.safetensors")


def test_weights_with_a_header_that_has_null_for_its_texts(tmp_path):
    header = b'{"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    path = tmp_path / "null.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert read_safetensors(path)[1] == {} and minidl.load(path)["a"].tolist() == [0]
    with pytest.raises(ValueError, match="null.safetensors holds weights but is no checkpoint"):
        training.load_checkpoint(path)


@pytest.mark.parametrize("name", ["optimizer", "random", "history", "info", "versions"])
@pytest.mark.parametrize("value", [None, [1], 3])
def test_parts_of_another_kind_are_told(trained, name, value):
    path = trained[2]
    arrays, metadata = read_safetensors(path)
    entry = json.loads(metadata["minidl"]) | {name: value}
    write_safetensors(path, arrays, {"minidl": json.dumps(entry)})
    with pytest.raises(ValueError, match=f"{path.name}: damaged checkpoint"):
        training.load_checkpoint(path)


def test_info_that_is_no_dict_is_not_saved(trained):
    with pytest.raises(TypeError, match="info must be a dict, got list"):
        training.save_checkpoint(trained[2], *trained[:2], {}, ["cat"])


def test_a_checkpoint_of_a_later_format_is_refused_by_its_number(trained, monkeypatch):
    model, optimizer, path = trained
    with monkeypatch.context() as later:
        later.setattr("minidl.training.checkpoint.FORMAT", 2)
        training.save_checkpoint(path, model, optimizer, {})
    with pytest.raises(ValueError, match="a checkpoint of format 2, this minidl reads format 1$"):
        training.load_checkpoint(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(trained, monkeypatch):
    model, optimizer, path = trained
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        training.save_checkpoint(path, model, optimizer, {})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_changed_byte_is_noticed_wherever_it_is(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    model.register_buffer("half", minidl.tensor(np.arange(3, dtype=np.float16)))  # will be read as float32
    model.register_buffer("turned", minidl.Tensor(np.arange(6.0).reshape(2, 3).T))
    optimizer = optim.Adam(model.parameters())
    model(minidl.randn(5, 4)).sum().backward()
    optimizer.step()
    path = tmp_path / "run.safetensors"
    training.save_checkpoint(path, model, optimizer, {"epoch": [1]})
    training.load_checkpoint(path).restore(model, optimizer)
    content = path.read_bytes()
    numbers_start = 8 + int.from_bytes(content[:8], "little")
    for place in (content.index(b'"history') + 1, numbers_start, (numbers_start + len(content)) // 2, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match="run.safetensors: damaged checkpoint"):
            training.load_checkpoint(path)
