"""The command line as its user has it: what it prints, its exit status, and what it leaves on the disk."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import minidl
from minidl import checks, cli, data, nn, optim, recipes, training


def run(capsys, *arguments):
    """(exit status, standard output, standard error) of a command run in this process."""
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as exit:
        status = exit.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a short training from the command line, and what the command gave."""
    folder = tmp_path_factory.mktemp("trained")
    found = subprocess.run(
        [sys.executable, "-m", "minidl", "train", "digits-cnn", "--epochs", "4", "--seed", "1", "--output", folder,
         "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return folder, found


def test_train_shows_progress_and_ends_with_json(trained):
    folder, found = trained
    result = json.loads(found.stdout.splitlines()[-1])
    assert {
        "recipe", "dataset", "seed", "epochs", "train_loss", "test_accuracy", "seconds", "images_per_second",
        "checkpoint",
    } <= set(result)  # fmt: skip
    assert (result["recipe"], result["dataset"], result["seed"], result["epochs"]) == ("digits-cnn", "digits", 1, 4)
    assert 0.7 < result["test_accuracy"] < 1 and result["seconds"] > 0
    trained_images = 4 * 44 * 32  # the last partial batch of 1437 images is dropped
    assert result["images_per_second"] == pytest.approx(trained_images / result["seconds"])
    epochs = [line for line in found.stderr.splitlines() if line.startswith("epoch")]
    assert len(epochs) == 4 and "train_loss" in epochs[0] and "test_accuracy" in epochs[0] and "samples/s" in epochs[0]
    saved = json.loads((folder / "result.json").read_text())
    assert {name: saved[name] for name in result} == result and len(saved["history"]["train_loss"]) == 4
    for name in ("curves.png", "confusion_matrix.png", "misclassified.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 200
    assert training.load_checkpoint(result["checkpoint"]).epochs == 4


def test_evaluate_gives_what_train_gave(trained, capsys):
    folder, found = trained
    status, out, _ = run(capsys, "evaluate", folder / "checkpoint.safetensors", "--json")
    result = json.loads(out.splitlines()[-1])
    assert status == 0 and result["test_accuracy"] == json.loads(found.stdout.splitlines()[-1])["test_accuracy"]
    assert result["test_images"] == 360


def test_predict_prints_class_and_probabilities(trained, capsys, tmp_path):
    _, test = data.digits()
    for number in range(2):
        Image.fromarray(np.uint8(test.images[number, 0] * 255)).resize((80, 80)).save(tmp_path / f"{number}.png")
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    status, out, _ = run(capsys, "predict", trained[0] / "checkpoint.safetensors", *paths, "--json")
    *lines, last = out.splitlines()
    result = json.loads(last)["predictions"]
    assert status == 0 and len(lines) == 2
    for line, row, path in zip(lines, result, paths):
        best = max(row["probabilities"], key=row["probabilities"].get)
        assert row["class"] == best and row["image"] == str(path)
        assert line.startswith(f"{path}: {best}   {best} {row['probabilities'][best]:.3f}")


def test_predict_answers_for_all_pictures_that_can_be_read(trained, capsys, tmp_path):
    _, test = data.digits()
    whole, cut_off, text, missing, last = (tmp_path / f"{name}.png" for name in ("whole", "cut_off", "text", "no", "é"))
    for path in (whole, last):
        Image.fromarray(np.uint8(test.images[0, 0] * 255)).resize((80, 80)).save(path)
    cut_off.write_bytes(whole.read_bytes()[:200])
    text.write_text("hello")
    status, out, err = run(
        capsys, "predict", trained[0] / "checkpoint.safetensors", cut_off, whole, text, missing, last, "--json"
    )
    *lines, result = out.splitlines()
    assert status == 2 and [line.split(": ")[0] for line in lines] == [str(whole), str(last)]
    assert [row["image"] for row in json.loads(result)["predictions"]] == [str(whole), str(last)]
    errors = err.splitlines()
    expected = f"{cut_off}: this picture is damaged", f"{text}: not a picture", f"{missing}: No such file or directory"
    assert len(errors) == 3 and all(line.startswith(f"minidl: error: {start}") for line, start in zip(errors, expected))
    assert [f"minidl: error: {line}" for line in json.loads(result)["failures"]] == errors


def test_a_name_that_is_no_text_is_shown_all_the_same(trained, capsys, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")  # Latin-1
    Image.new("L", (8, 8)).save(path)
    status, out, err = run(capsys, "predict", trained[0] / "checkpoint.safetensors", path)
    assert (status, err) == (0, "") and "caf\\udce9.png: " in out


def test_list_shows_every_recipe(capsys):
    status, out, _ = run(capsys, "train", "--list")
    header, _, *rows = out.splitlines()
    assert status == 0 and [word in header for word in ("task", "dataset", "network", "accuracy", "minutes")]
    assert {"digits-cnn", "mnist-cnn", "fashion-cnn", "cifar-cnn", "cifar-lenet", "mnist-rnn"} <= {
        row.split()[0] for row in rows
    }
    status, out, _ = run(capsys, "train", "--list", "--json")
    assert json.loads(out.splitlines()[-1])["recipes"][0]["name"] == "digits-cnn"


def test_info_says_what_serves_and_why_not(capsys):
    status, out, _ = run(capsys, "info", "--json")
    found = json.loads(out)
    assert status == 0 and found["minidl"] == minidl.__version__ and found["threads"] >= 1
    assert {"kernel", "backend", "available", "reason"} == set(found["kernels"][0])
    assert found["gpu"] is not None or found["no_gpu_because"]
    status, out, _ = run(capsys, "info")
    for expected in (found["cpu"], found["cython_kernels"], "conv2d", "reference", "MINIDL_DATA"):
        assert expected in out


def test_gradcheck_prints_the_worst_errors(capsys):
    status, out, _ = run(capsys, "gradcheck", "tanh", "linear", "softmax", "--json")
    errors = json.loads(out.splitlines()[-1])["operations"]
    assert status == 0 and set(errors) == {"tanh", "linear", "softmax"}
    values = [errors[name][order] for name in errors for order in ("first_order", "second_order")]
    assert all(0 < value < 1e-6 for value in values)
    assert out.splitlines()[0].split() == ["operation", "first", "order", "second", "order"]


def test_gradcheck_finds_a_wrong_gradient(capsys, monkeypatch):
    rule = type(minidl.functional.tanh(minidl.tensor([1.0], requires_grad=True)).origin).backward
    function = type(minidl.functional.tanh(minidl.tensor([1.0], requires_grad=True)).origin)
    monkeypatch.setattr(function, "backward", lambda self, dy, inputs, output: 1.01 * rule(self, dy, inputs, output))
    status, out, err = run(capsys, "gradcheck", "tanh", "exp")
    assert status == 2 and "WRONG" in out
    assert "tanh, first order: gradient of inputs[0] at index" in err
    assert err.splitlines()[-1] == "minidl: error: 1 of 2 operations have a wrong gradient: tanh"


def test_gradcheck_without_names_is_of_all_operations(capsys, monkeypatch):
    """Which are right: that is what tests/test_operations.py is for."""
    monkeypatch.setattr(checks, "check_gradients", lambda name: checks.Check(name, 0.0, 0.0, {}))
    status, out, _ = run(capsys, "gradcheck", "--json")
    assert status == 0 and list(json.loads(out.splitlines()[-1])["operations"]) == checks.differentiable()


# Bad input


def other_checkpoint(path):
    """A checkpoint whose weights are of another network than it says."""
    model = nn.Linear(1, 1)
    info = {
        "recipe": "digits-cnn",
        "options": {},
        "network": "digits_cnn",
        "network_options": {},
        "classes": [],
        "input": {},
    }
    training.save_checkpoint(path, model, optim.SGD(model.parameters(), lr=0.1), {}, info)
    return path


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """An empty working folder with a file in it, no data anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("not a picture, not a checkpoint")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "arguments are required: COMMAND"),
        ("tran", "invalid choice: 'tran'"),
        ("train mnist", "unknown recipe 'mnist'; expected one of digits-cnn"),
        ("train --epochs many", "--epochs: invalid int value: 'many'"),
        ("train --epochs 0", "epochs must be at least 1, got 0"),
        ("train --batch-size -3", "batch_size must be at least 1, got -3"),
        ("train --batch-size 5000", "batch_size must be at most the 1437 training samples, got 5000"),
        ("train --lr nan", "lr must be a number above 0, got nan"),
        ("train --seed -1", "seed must be an integer from 0"),
        ("train --device tpu", "--device: invalid choice: 'tpu'"),
        ("train --backend fast", "unknown backend 'fast'; expected one of auto, reference"),
        ("train --set hidden_size=3", "digits_cnn has no option 'hidden_size'"),
        ("train --set hidden_size", "NAME=VALUE"),
        ("train --set classes=1000000000000000", "Unable to allocate .* PiB"),
        ("train --set classes=ten", "classes of the network digits_cnn must be of type int, got 'ten'"),
        ("train --output file/run", "output folder file/run cannot be written: Not a directory"),
        ("train --output file", "output folder file cannot be written"),
        ("train --resume", "runs/digits-cnn/checkpoint.safetensors does not exist, .*: start a new one"),
        ("train mnist-cnn", "MNIST was not found. Looked in"),
        ("train mnist-cnn --data nowhere", "the data folder nowhere does not exist"),
        ("train mnist-cnn --data file", "the data folder file is a file, expected a folder"),
        ("evaluate missing", "the checkpoint missing does not exist"),
        ("evaluate file", "file: truncated, damaged or no safetensors file"),
        ("predict file file", "file: truncated"),
        ("predict trained", "arguments are required: IMAGE"),
        ("predict trained missing.png", "missing.png: No such file or directory"),
        ("predict trained file", "file: not a picture"),
        ("predict trained .", r": \.: this picture cannot be read \(Is a directory\)$"),
        ("predict trained file/picture.png", r"file/picture.png: this picture cannot be read \(Not a directory\)$"),
        ("evaluate .", r"the checkpoint \. is a folder, expected a file"),
        ("evaluate /dev/null", "/dev/null: truncated, damaged or no safetensors file"),
        ("evaluate other", "checkpoint of another model: .*missing keys: 0.weight"),
        ("gradcheck tanhh", "unknown operation 'tanhh'; did you mean tanh"),
        ("gradcheck argmax", "argmax has no gradient"),
        ("gradcheck zeros", "zeros has no gradient"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(nothing_here, trained, capsys, command, message):
    words = {"trained": trained[0] / "checkpoint.safetensors", "other": "other.safetensors"}
    if "other" in command:
        other_checkpoint(nothing_here / "other.safetensors")
    before = sorted(nothing_here.rglob("*"))
    status, out, err = run(capsys, *(words.get(word, word) for word in command.split()))
    assert status == 2 and out == ""
    assert len(err.splitlines()) == 1 and err.startswith("minidl: error: ")
    assert re.search(message, err), err
    assert sorted(nothing_here.rglob("*")) == before


def test_a_network_of_too_few_classes_is_refused_in_one_line(nothing_here, capsys):
    status, _, err = run(capsys, "train", "--set", "classes=5", "--output", "run")
    assert status == 2 and err == "minidl: error: target must be class numbers from 0 to 4, got 9\n"


def test_a_truncated_data_file_is_named(nothing_here, capsys):
    folder = nothing_here / "mnist"
    folder.mkdir()
    for part, count in (("train", 6), ("t10k", 4)):
        header = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28])
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + bytes(100))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, count]) + bytes(count))
    status, _, err = run(capsys, "train", "mnist-cnn", "--data", nothing_here, "--output", "run")
    assert status == 2 and "train-images-idx3-ubyte: truncated file" in err and not (nothing_here / "run").exists()


def test_a_diverged_training_is_an_error_and_keeps_the_last_good_checkpoint(nothing_here, trained, capsys):
    shutil.copytree(trained[0], "run")
    checkpoint = nothing_here / "run" / "checkpoint.safetensors"
    before = checkpoint.read_bytes()
    with np.errstate(all="ignore"):
        status, _, err = run(capsys, "train", "--lr", "1e30", "--epochs", "3", "--output", "run")
    assert status == 2 and "smaller learning rate" in err.splitlines()[-1]
    assert checkpoint.read_bytes() == before


def test_an_unbuilt_tree_says_what_to_type(capsys, monkeypatch):
    def unbuilt(*_, **__):
        raise minidl.kernels.build_report.BuildError("minidl.kernels.conv2d.cython_cpu is not built; type `make build`")

    monkeypatch.setattr(recipes, "train", unbuilt)
    status, _, err = run(capsys, "train")
    assert status == 2 and err == "minidl: error: minidl.kernels.conv2d.cython_cpu is not built; type `make build`\n"


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_ends_cleanly_with_the_last_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    process = subprocess.Popen(
        [sys.executable, "-m", "minidl", "train", "--epochs", "500", "--output", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background ignores it
    )
    while not path.exists() and process.poll() is None:  # 500 epochs end by themselves
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    command = f"minidl train --epochs 500 --output {tmp_path} --resume"
    assert "Traceback" not in err
    assert err.splitlines()[-1] == f"minidl: interrupted; to go on from {path}: {command}"
    assert training.load_checkpoint(path).epochs >= 1
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.safetensors"]


@pytest.mark.parametrize("command", ["train --output run", "gradcheck tanh"])
def test_ctrl_c_promises_nothing_that_is_not_there(nothing_here, capsys, monkeypatch, command):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes, "train", interrupted)
    monkeypatch.setattr(checks, "check_gradients", interrupted)
    status, _, err = run(capsys, *command.split())
    assert status == 130 and "--resume" not in err
    assert err.startswith("minidl: interrupted") and len(err.splitlines()) == 1


def test_ctrl_c_before_the_first_epoch_does_not_offer_the_run_before(nothing_here, trained, capsys, monkeypatch):
    shutil.copytree(trained[0], "run")
    long_ago = time.time() - 3600
    os.utime("run/checkpoint.safetensors", (long_ago, long_ago))

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes, "train", interrupted)
    _, _, err = run(capsys, "train", "--seed", "1", "--output", "run")
    assert err == "minidl: interrupted; no epoch was done, so nothing of this run is kept\n"
    _, _, err = run(capsys, "train", "--epochs", "2", "--output", "run", "--resume")
    assert err.endswith("minidl train --epochs 2 --output run --resume\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_who_has_seen_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "minidl", "train", "--list"]
        found = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.skipif(os.name != "posix", reason="file descriptors")
def test_a_closed_standard_output_is_no_error():
    command = [sys.executable, "-m", "minidl", "train", "--list", "--json"]
    found = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_closed_standard_error_is_no_error(nothing_here, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it after `minidl train 2>&-`
    assert cli.main(["train", "--epochs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["epochs"] == 1


def test_help_is_quick_and_needs_no_plots_or_progress_bars():
    program = (
        "import sys, minidl.cli\n"
        "minidl.cli.parser()\n"
        "slow = ('matplotlib', 'sklearn', 'tqdm', 'torch', 'scipy', 'minidl.recipes')\n"
        "print([name for name in slow if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_backend_that_nothing_has_here_is_said_on_stderr(nothing_here, capsys, monkeypatch):
    rows = [minidl.kernels.Implementation("matmul", "cuda", False, "no GPU")]
    monkeypatch.setattr(minidl.kernels, "table", lambda: rows)
    cli.warn_if_missing("cuda")
    assert "no kernel has the backend cuda here (no GPU)" in capsys.readouterr().err
    rows.append(minidl.kernels.Implementation("conv2d", "cuda", True, ""))
    cli.warn_if_missing("cuda")
    cli.warn_if_missing("auto")
    assert capsys.readouterr().err == ""


def test_pictures_that_cannot_be_drawn_are_a_warning_after_a_training(nothing_here, capsys, monkeypatch):
    def broken(*_, **__):
        assert json.loads((nothing_here / "run" / "result.json").read_text())["epochs"] == 1  # already on the disk
        raise TypeError("matplotlib is broken")

    monkeypatch.setattr("minidl.visualize.learning_curves", broken)
    status, out, err = run(capsys, "train", "digits-cnn", "--epochs", "1", "--output", "run")
    assert status == 0 and "test accuracy" in out and re.search(r"^pictures +none$", out, re.MULTILINE)
    assert "minidl: warning: not all pictures could be drawn (TypeError: matplotlib is broken)" in err
