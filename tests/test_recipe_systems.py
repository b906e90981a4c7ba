"""Whole systems on tiny data: they learn, a killed run goes on to the same bits, outputs exist."""

import contextlib
import dataclasses
import io
import json
import re
import shutil
import sys
import types
import warnings

import numpy as np
import pytest
from PIL import Image

import minidl
from benchmarks import systems
from benchmarks.__main__ import main
from minidl import cli, data, models, recipes, training
from minidl.recipes import char_lstm, transfer
from tests.no_pictures import no_pictures


class Killed(training.Callback):
    def __init__(self, after):
        self.after = after

    def on_epoch_start(self, run):
        if run.epoch > self.after:
            raise KeyboardInterrupt


def assert_resumes(recipe, folder, **options):
    """A run that is killed after its first epoch and resumed leaves what the whole one leaves."""
    whole = recipes.train(recipe, output=folder / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        recipes.train(recipe, output=folder / "killed", callbacks=[Killed(1)], **options)
    minidl.manual_seed(99)
    with no_pictures():
        resumed = recipes.train(recipe, output=folder / "killed", resume=True, root=options.get("root"))
    expected, found = (training.load_checkpoint(folder / name / recipes.CHECKPOINT) for name in ("whole", "killed"))
    assert expected.epochs > 1 and found.random == expected.random
    for name, tensor in expected.model.items():
        assert tensor.data.tobytes() == found.model[name].data.tobytes(), name
    assert [resumed[name] for name in whole["measures"]] == [whole[name] for name in whole["measures"]]
    return whole


def small_digits(size, channels=1, count=600):
    """The digits of scikit-learn as images of `size`, and how a recipe loads them."""
    train, test = data.digits()

    def grown(part, count):
        images = part.images[:count].repeat(size // 8, 2).repeat(size // 8, 3)
        edge = (size - images.shape[2]) // 2
        images = np.pad(images, ((0, 0), (0, 0), (edge, edge), (edge, edge))).repeat(channels, 1)
        return data.ImageDataset(np.uint8(images * 255), part.labels[:count], part.classes)

    parts = grown(train, count), grown(test, 200)
    return lambda root: parts


@no_pictures()
@pytest.mark.parametrize("name", ["mnist-rnn", "mnist-lstm", "mnist-gru"])
def test_digits_are_read_row_by_row(tmp_path, name):
    recipe = dataclasses.replace(recipes.find(name), load=small_digits(28))
    result = assert_resumes(recipe, tmp_path, epochs=6, batch_size=16, lr=0.01, network_options={"hidden_size": 32})
    assert result["test_accuracy"] > 0.4
    assert result["parameters"] == {"rnn": 1, "lstm": 4, "gru": 3}[name[6:]] * 32 * (28 + 32 + 2) + 330


@no_pictures()
def test_the_residual_network_learns_from_moved_images(tmp_path):
    recipe = dataclasses.replace(recipes.find("cifar-resnet"), load=small_digits(32, channels=3))
    assert recipe.augment and recipe.datasets(None)[0].batched  # whole batches, no image by image
    recipe = dataclasses.replace(recipe, augment=recipe.augment[:1])  # a mirrored digit is another sign
    options = {"epochs": 4, "batch_size": 20, "network_options": {"width": 4}}
    result = assert_resumes(recipe, tmp_path, **options)
    assert result["test_accuracy"] > 0.4
    x, _ = recipe.datasets(None)[0].get_batch(np.arange(8))
    y, _ = recipe.datasets(None)[0].get_batch(np.arange(8))
    assert x.shape == (8, 3, 32, 32) and (x != y).any()
    x, _ = recipe.datasets(None)[1].get_batch(np.arange(8))
    y, _ = recipe.datasets(None)[1].get_batch(np.arange(8))
    assert (x == y).all()


# Photographs


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures of two colours, three times as many of one as of the other, and two corrupt files."""
    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, channel, count in (("green", 1, 10), ("red", 0, 30)):
        (folder / name).mkdir()
        for number in range(count):
            height, width = generator.integers(40, 70, 2)
            pixels = generator.integers(0, 120, (height, width, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{number:02}.{'jpg' if number % 2 else 'png'}")
    whole = (folder / "red" / "07.jpg").read_bytes()
    (folder / "red" / "cut_off.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "green" / "no_picture.png").write_text("hello")
    return folder


def small_photos():
    recipe = recipes.find("photo-cnn")
    return dataclasses.replace(recipe, batch_size=8, epochs=2, network_options={"width": 4})


@pytest.mark.slow
def test_a_folder_of_pictures_is_learned_and_corrupt_files_are_named(pictures, tmp_path):
    with pytest.warns(UserWarning, match=r"2 of 42 pictures left out") as caught:
        result = recipes.train(small_photos(), root=pictures, output=tmp_path, lr=0.01)
    text = "\n".join(str(warning.message) for warning in caught)
    assert "cut_off.jpg" in text and "no_picture.png" in text
    assert (result["train_images"], result["test_images"]) == (32, 8)
    assert result["test_accuracy"] == 1
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint.safetensors", "result.json", "curves.png", "confusion_matrix.png", "misclassified.png"}
    classifier = recipes.load_classifier(tmp_path / recipes.CHECKPOINT)
    assert classifier.classes == ["green", "red"]
    for label in ("green", "red"):
        assert classifier.predict(pictures / label / "04.png").label == label
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert small_photos().evaluate(classifier.model, pictures)["test_accuracy"] == 1


@no_pictures()
@pytest.mark.slow
def test_training_on_pictures_resumes(pictures, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_resumes(small_photos(), tmp_path, root=pictures)


def test_photo_classes_count_alike(pictures):
    with pytest.warns(UserWarning):
        train, _ = small_photos().datasets(pictures)
    loss = small_photos().fit_options(train)["loss"]
    np.testing.assert_allclose(loss.weight.data, [32 / (2 * 8), 32 / (2 * 24)], rtol=1e-6)


def test_other_classes_than_those_of_the_checkpoint_are_refused(pictures, tmp_path):
    recipe = small_photos().trained_with({"classes": ["green", "violet"]})
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="classes green, red; .*trained on green, violet"):
        recipe.evaluate(None, pictures)
    saved = small_photos().trained_with({"classes": ["green", "red"]})
    with pytest.warns(UserWarning):
        assert saved.datasets(pictures)[0].classes == ("green", "red")


def test_one_class_alone_is_refused(pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "all")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="pictures of one class alone, 'all'"):
        small_photos().datasets(tmp_path)


def test_photo_cnn_asks_for_its_folder(tmp_path):
    with pytest.raises(ValueError, match="needs a folder of pictures, with a subfolder for each class: --data FOLDER"):
        recipes.train(small_photos(), output=tmp_path)
    with pytest.raises(FileNotFoundError, match="has no subfolders"):
        recipes.train(small_photos(), root=tmp_path, output=tmp_path / "run")


# Text


@pytest.fixture(scope="module")
def verses(tmp_path_factory):
    """A text that says the same all over, as the folder of tiny Shakespeare."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "tinyshakespeare").mkdir()
    (folder / "tinyshakespeare" / "input.txt").write_text("to be or not to be, that is the question.\n" * 600)
    return folder


def test_rows_are_read_on_from_batch_to_batch(verses):
    text, _ = recipes.find("char-lstm").datasets(verses)
    batches = [x.numpy() for x, _ in data.DataLoader(char_lstm.rows_of(text, 4), 4)]
    rows = np.concatenate(batches, 1)  # (4, characters of a row)
    length = rows.shape[1]
    for number, row in enumerate(rows):
        assert (row == text.ids[number * length : (number + 1) * length]).all()


def test_the_character_model_learns_its_verse_and_writes_it(verses, tmp_path):
    recipe = recipes.find("char-lstm")
    result = assert_resumes(recipe, tmp_path, root=verses, epochs=4, batch_size=4, network_options={"hidden_size": 48})
    assert result["test_loss"] < 0.3
    assert "to be or not to be, that is the question." in result["sample"]
    samples = sorted(path.name for path in (tmp_path / "whole" / "samples").iterdir())
    assert samples == [f"epoch-{n:02}.txt" for n in range(1, 5)]
    model, _ = recipes.load_trained(tmp_path / "whole" / recipes.CHECKPOINT)
    measured = recipe.evaluate(model, verses)
    assert measured["test_loss"] == pytest.approx(result["test_loss"]) and measured["sample"] == result["sample"]
    _, text = recipe.datasets(verses)
    assert "to be or not to be" in char_lstm.write(model, text, "to b", 60, temperature=0.1)
    hot, cold = (char_lstm.write(model, text, "t", 200, temperature) for temperature in (5.0, 0.1))
    assert hot.count("question") < cold.count("question")
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        char_lstm.write(model, text, "t", 3, temperature=0)


def test_the_state_is_carried_but_not_its_gradient(verses):
    """Two batches of one row give the gradient of the second alone, with the state that the first left."""
    minidl.manual_seed(0)
    model = models.CharLSTM(5, 8)
    x, y = np.array([[0, 1, 2]]), np.array([[1, 2, 3]])
    logits, state = model(minidl.Tensor(x))
    minidl.functional.cross_entropy(
        model(minidl.Tensor(y), tuple(part.detach() for part in state))[0].flatten(0, 1), minidl.Tensor(x).flatten()
    ).backward()
    expected = model.lstm.weight_hh_l0.grad.numpy().copy()

    class Keep:  # an optimizer that changes nothing
        def zero_grad(self):
            for parameter in model.parameters():
                parameter.grad = None

        def step(self):
            pass

    step = char_lstm.TruncatedBackpropagation(clip_grad_norm=1e9)
    step(model, Keep(), [minidl.Tensor(x)], minidl.Tensor(y))
    step(model, Keep(), [minidl.Tensor(y)], minidl.Tensor(x))
    np.testing.assert_allclose(model.lstm.weight_hh_l0.grad.numpy(), expected, rtol=1e-5)


# Few labels


def few(epochs=3):
    return dataclasses.replace(recipes.find("transfer"), load=small_digits(28, count=1400), epochs=epochs)


def test_new_classes_are_learned_from_what_old_ones_taught(tmp_path):
    result = assert_resumes(few(6), tmp_path)
    assert result["train_images"] == 50 and set(result["measures"]) >= {"test_accuracy", "scratch_accuracy"}
    assert result["test_accuracy"] > 0.6
    saved = training.load_checkpoint(tmp_path / "whole" / recipes.CHECKPOINT).model
    pretrained = minidl.load(tmp_path / "whole" / transfer.PRETRAINED)
    assert (saved["frozen.3.weight"].data == pretrained["3.weight"].data).all()
    assert (saved["fine_tuned.3.weight"].data != pretrained["3.weight"].data).any()
    distance = {
        way: np.abs(saved[f"{way}.3.weight"].data - pretrained["3.weight"].data).mean()
        for way in ("fine_tuned", "scratch")
    }
    assert distance["fine_tuned"] < distance["scratch"] / 3
    classifier = recipes.load_classifier(tmp_path / "whole" / recipes.CHECKPOINT)
    assert classifier.classes == list("56789")


@no_pictures()
def test_weights_of_a_file_are_those_that_count_whoever_wrote_it(tmp_path):
    torch = pytest.importorskip("torch")
    recipe = few()
    minidl.manual_seed(5)
    state = recipe.pretrained(None).state_dict()
    minidl.save(tmp_path / "ours.safetensors", state)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(32, 64, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(1600, 64), torch.nn.ReLU(), torch.nn.Linear(64, 5),
    )  # fmt: skip
    theirs.load_state_dict({name: torch.tensor(np.array(tensor.data)) for name, tensor in state.items()})
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    results = [
        recipes.train(recipe, weights=tmp_path / name, output=tmp_path / name.partition(".")[0])
        for name in ("ours.safetensors", "theirs.pth")
    ]
    assert results[0]["test_accuracy"] == results[1]["test_accuracy"]
    ours, pth = (training.load_checkpoint(tmp_path / name / recipes.CHECKPOINT).model for name in ("ours", "theirs"))
    assert all(ours[name].data.tobytes() == pth[name].data.tobytes() for name in ours)
    assert not (tmp_path / "ours" / transfer.PRETRAINED).exists()
    with pytest.raises(FileNotFoundError):
        recipes.train(recipe, weights=tmp_path / "nowhere.pth", output=tmp_path / "none")


def test_what_a_recipe_promises_is_what_was_measured():
    for name, runs in systems.kept().items():
        recipe, results = recipes.find(name), [run["result"] for run in runs]
        if name != "transfer":  # whose seconds are those of one part
            assert all(recipe.minutes / 1.7 < result["seconds"] / 60 < recipe.minutes * 1.7 for result in results), name
        promise = re.match(r"accuracy (0\.\d+)(?: to (0\.\d+))?", recipe.expected)
        if promise:
            digits, accuracies = len(promise[1]) - 2, [result["test_accuracy"] for result in results]
            least, largest = float(promise[1]), float(promise[2] or promise[1])
            assert least <= round(min(accuracies), digits) <= round(max(accuracies), digits) <= largest, name


def run_here(command, **_):
    """The command ``minidl`` without a process of its own, which would import all libraries again."""
    assert command[:3] == [sys.executable, "-m", "minidl"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.main(command[3:]) == 0
    return types.SimpleNamespace(stdout=printed.getvalue())


@no_pictures()
def test_systems_keeps_and_tabulates_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(systems, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(systems, "subprocess", types.SimpleNamespace(run=run_here, PIPE=None))
    monkeypatch.chdir(tmp_path)
    assert main(["systems", "digits-cnn", "--seeds", "0", "1", "--epochs", "1"]) == 0
    rows = [json.loads((tmp_path / "results" / f"digits-cnn-seed{n}.json").read_text()) for n in (0, 1)]
    assert [row["result"]["seed"] for row in rows] == [0, 1] and set(rows[0]) == {
        "commit",
        "machine",
        "command",
        "result",
    }
    assert rows[0]["command"].startswith("minidl train digits-cnn --epochs 1 --seed 0")
    values = [row["result"]["test_accuracy"] for row in rows]
    line = systems.table(tmp_path / "results").splitlines()[2]
    assert line.startswith(
        f"| digits-cnn | test accuracy | {np.mean(values):.4f} | {min(values):.4f} to {max(values):.4f}"
    )
