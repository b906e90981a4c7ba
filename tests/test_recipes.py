"""Recipes: what each is, that the default one learns, and what pictures become before a network sees them."""

import dataclasses
import inspect
import json
import os
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image

import minidl
from minidl import data, models, nn, optim, recipes, training
from minidl.recipes import trained
from minidl.serialization import read_safetensors, write_safetensors
from tests.no_pictures import no_pictures

INPUTS = {  # of classifiers of images
    "digits_cnn": (1, 8, 8),
    "mnist_cnn": (1, 28, 28),
    "cifar_cnn": (3, 32, 32),
    "lenet": (3, 32, 32),
    "cifar_resnet": (3, 32, 32),
    "photo_cnn": (3, 64, 64),
    "row_rnn": (1, 28, 28),
}
# of Keras' guide (34,826 there with no hidden layer), PyTorch's tutorial, and 128*(28 + 128 + 2) + 10*129
PARAMETERS = {"mnist_cnn": 121930, "cifar_cnn": 122570, "lenet": 62006, "row_rnn": 21514}


@pytest.mark.parametrize("name", INPUTS)
def test_classifiers_take_their_images_and_learn(name):
    minidl.manual_seed(0)
    model = models.build(name, classes=10)
    x = np.random.default_rng(0).standard_normal((8, *INPUTS[name]), dtype=np.float32)
    y = np.arange(8)
    assert training.predict(model, x).shape == (8, 10)
    if name in PARAMETERS:
        assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    history = training.fit(
        model.eval(), (x, y), optimizer=optim.Adam(model.parameters(), lr=0.003), epochs=40, batch_size=8
    )
    assert history["train_loss"][-1] < history["train_loss"][0] / 2


def test_an_unknown_network_or_option_is_named():
    with pytest.raises(ValueError, match="unknown network 'resnet'.*lenet"):
        models.build("resnet")
    with pytest.raises(ValueError, match="row_rnn has no option 'hidden'; it has hidden_size"):
        models.build("row_rnn", hidden=3)
    with pytest.raises(ValueError, match="width of the network cifar_resnet must be of type int, got 'wide'"):
        models.build("cifar_resnet", width="wide")
    with pytest.raises(ValueError, match="blocks of the network cifar_resnet must be at least 1, got 0"):
        models.build("cifar_resnet", blocks=0)
    with pytest.raises(ValueError, match="hidden_sizes .* must be of type Sequence.int., got 5"):
        models.build("autoencoder", hidden_sizes=5)
    assert models.build("row_rnn", hidden_size=32).rnn.hidden_size == 32


def test_every_recipe_is_found_and_whole():
    found = recipes.recipes()
    assert {"digits-cnn", "mnist-cnn", "fashion-cnn", "cifar-cnn", "cifar-lenet", "mnist-rnn"} <= set(found)
    assert {"mnist-gan", "fashion-inpaint", "moving-digits"} <= set(found)
    for name, recipe in found.items():
        assert recipe.name == name and recipe.network in models.NETWORKS
        parameters = inspect.signature(models.NETWORKS[recipe.network]).parameters.values()
        of_data = {parameter.name: 10 for parameter in parameters if parameter.default is parameter.empty}
        model = models.build(recipe.network, **of_data | recipe.network_options)
        optimizer = recipe.make_optimizer(model, recipe.lr)
        assert optimizer.param_groups[0]["lr"] == recipe.lr
    with pytest.raises(ValueError, match="unknown recipe 'mnist'; expected one of digits-cnn"):
        recipes.find("mnist")


@pytest.mark.slow
def test_the_default_recipe_reads_digits_mostly_of_other_writers(tmp_path):
    result = recipes.train(recipes.find("digits-cnn"), output=tmp_path)
    assert result["test_images"] == 360 and result["test_accuracy"] >= 0.92
    assert result["train_loss"] < 0.15
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint.safetensors", "result.json", "curves.png", "confusion_matrix.png", "misclassified.png"}


@pytest.fixture(scope="module")
@no_pictures()
def short_run(tmp_path_factory):
    """Six epochs of the default recipe: the folder and its result."""
    folder = tmp_path_factory.mktemp("run")
    return folder, recipes.train(recipes.find("digits-cnn"), epochs=6, output=folder)


@no_pictures()
def test_a_resumed_run_is_the_run(short_run, tmp_path):
    recipe = recipes.find("digits-cnn")
    recipes.train(recipe, epochs=3, output=tmp_path)
    minidl.manual_seed(99)
    resumed = recipes.train(recipe, epochs=6, output=tmp_path, resume=True)
    expected = training.load_checkpoint(short_run[0] / recipes.CHECKPOINT)
    found = training.load_checkpoint(tmp_path / recipes.CHECKPOINT)
    for name, tensor in expected.model.items():
        assert tensor.data.tobytes() == found.model[name].data.tobytes()
    assert found.random == expected.random and resumed["test_accuracy"] == short_run[1]["test_accuracy"]
    again = recipes.train(recipe, output=tmp_path, resume=True)  # nothing left to do
    assert again["epochs"] == 6 and again["train_loss"] == resumed["train_loss"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": 0.1}, "lr is 0.001 in .*got 0.1"), ({"seed": 5}, "seed is 0"), ({"epochs": 2}, "at least the 6 .* got 2")],
)
def test_a_resumed_run_keeps_its_options(short_run, options, message):
    with pytest.raises(ValueError, match=message):
        recipes.train(recipes.find("digits-cnn"), output=short_run[0], resume=True, **options)


@no_pictures()
def test_a_resumed_run_may_be_given_its_network_options_again(tmp_path):
    train, test = data.digits()
    recipe = dataclasses.replace(recipes.find("mnist-gru"), load=lambda root: (train, test))
    options = {"hidden_size": 8, "row_size": 8}
    recipes.train(recipe, epochs=1, network_options=options, output=tmp_path)
    resumed = recipes.train(recipe, epochs=2, network_options=options, output=tmp_path, resume=True)
    assert resumed["epochs"] == 2
    with pytest.raises(ValueError, match="network_options is .*'hidden_size': 8.*got .*'hidden_size': 9"):
        recipes.train(recipe, network_options={"hidden_size": 9}, output=tmp_path, resume=True)


@no_pictures()
def test_a_new_run_warns_of_the_unfinished_one_that_it_replaces(tmp_path):
    class Killed(training.Callback):
        def on_epoch_start(self, run):
            if run.epoch == 2:
                raise KeyboardInterrupt

    recipe = recipes.find("digits-cnn")
    with pytest.raises(KeyboardInterrupt):
        recipes.train(recipe, epochs=3, output=tmp_path, callbacks=[Killed()])
    with pytest.warns(UserWarning, match="holds 1 of 3 epochs, which the first epoch of this new run replaces"):
        recipes.train(recipe, epochs=1, output=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipes.train(recipe, epochs=1, output=tmp_path)  # over a finished one


@no_pictures()
def test_two_runs_do_not_write_to_one_folder(tmp_path):
    class Other(training.Callback):
        def on_epoch_end(self, run):
            with pytest.raises(ValueError, match=f"another run is writing to the output folder {tmp_path}"):
                recipes.train(recipes.find("digits-cnn"), epochs=2, output=tmp_path)

    result = recipes.train(recipes.find("digits-cnn"), epochs=1, output=tmp_path, callbacks=[Other()])
    assert result["epochs"] == 1
    assert recipes.train(recipes.find("digits-cnn"), epochs=2, output=tmp_path, resume=True)["epochs"] == 2


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@no_pictures()
def test_what_a_run_that_was_killed_left_half_written_is_removed(tmp_path):
    class KilledWriting(training.Callback):
        def on_epoch_end(self, run):
            program = (
                "import os; from minidl.serialization import atomic_file\n"
                f"with atomic_file({str(tmp_path / recipes.CHECKPOINT)!r}) as file: os.kill(os.getpid(), 9)"
            )
            assert subprocess.run([sys.executable, "-c", program]).returncode == -9
            assert len(list(tmp_path.glob(".*.partial"))) == 1

    recipes.train(recipes.find("digits-cnn"), epochs=1, output=tmp_path, callbacks=[KilledWriting()])
    recipes.train(recipes.find("digits-cnn"), epochs=1, output=tmp_path, resume=True)
    assert list(tmp_path.glob(".*")) == []


def test_a_checkpoint_of_another_recipe_is_not_resumed(short_run):
    with pytest.raises(ValueError, match="is a checkpoint of digits-cnn, not of mnist-cnn"):
        recipes.train(recipes.find("mnist-cnn"), output=short_run[0], resume=True)


def test_the_trained_classifier_is_the_one_that_was_tested(short_run):
    folder, result = short_run
    classifier = recipes.load_classifier(folder / recipes.CHECKPOINT)
    assert classifier.recipe == "digits-cnn" and classifier.classes == list("0123456789")
    _, test = data.digits()
    measured = training.evaluate(classifier.model, test)
    assert measured["accuracy"] == result["test_accuracy"] and measured["loss"] == pytest.approx(
        result["test_loss"], rel=1e-6
    )
    prediction = classifier.predict(test.images[0])
    assert prediction.label == str(training.predict(classifier.model, test.images[:1]).numpy().argmax())
    assert sum(prediction.probabilities.values()) == pytest.approx(1) and len(prediction.probabilities) == 10


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("dark_on_bright", [False, True])
def test_pictures_are_classified_like_the_images_they_show(short_run, tmp_path, ending, dark_on_bright):
    classifier = recipes.load_classifier(short_run[0] / recipes.CHECKPOINT)
    _, test = data.digits()
    direct = training.predict(classifier.model, test.images[:20]).data.argmax(1)
    same = 0
    for number in range(20):
        pixels = np.uint8(test.images[number, 0] * 255).repeat(20, 0).repeat(20, 1)  # 160x160
        path = tmp_path / f"{number}.{ending}"
        Image.fromarray(255 - pixels if dark_on_bright else pixels).convert("RGB").save(path)
        same += classifier.predict(path).label == str(direct[number])
    assert same >= 19


@pytest.mark.parametrize("name", ["digits-cnn", "digits-clustering"])
def test_a_folder_that_is_not_used_is_said(name, tmp_path):
    with pytest.warns(UserWarning, match=f"nothing in {tmp_path} is used"):
        recipes.find(name).datasets(tmp_path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TellsItsPlan(recipes.ImageClassifier):
    def results(self, model, test_data, history):
        return {"plan": [self.epochs, self.batch_size, self.lr]}


@no_pictures()
def test_a_recipe_knows_the_plan_of_the_run(tmp_path):
    """What it does by its own numbers, a schedule or a network to compare with, is by those that were asked for."""
    own = {field.name: getattr(recipes.find("digits-cnn"), field.name) for field in dataclasses.fields(TellsItsPlan)}
    recipe = TellsItsPlan(**own)
    assert recipes.train(recipe, epochs=1, batch_size=64, lr=0.01, output=tmp_path)["plan"] == [1, 64, 0.01]
    assert recipes.train(recipe, epochs=2, output=tmp_path, resume=True)["plan"] == [2, 64, 0.01]


def test_a_checkpoint_without_a_recipe_is_refused(tmp_path):
    model = nn.Linear(1, 1)
    path = tmp_path / recipes.CHECKPOINT
    training.save_checkpoint(path, model, optim.SGD(model.parameters(), lr=0.1), {}, {"recipe": "digits-cnn"})
    message = "not written by minidl train: it does not say its network, network_options, options"
    with pytest.raises(ValueError, match=message):
        recipes.load_classifier(path)
    with pytest.raises(ValueError, match=message):
        recipes.train(recipes.find("digits-cnn"), output=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("more", "message"),
    [({}, "it does not say its epochs, seed"), ({"epochs": "3", "seed": 0}, "epochs must be a int, got '3'")],
)
def test_a_checkpoint_without_the_plan_of_its_run_is_not_resumed(tmp_path, more, message):
    model, options = nn.Linear(1, 1), {"lr": 0.1, "batch_size": 8, "network_options": {}} | more
    info = {"recipe": "digits-cnn", "options": options, "network": "digits_cnn", "network_options": {}}
    path = tmp_path / recipes.CHECKPOINT
    training.save_checkpoint(path, model, optim.SGD(model.parameters(), lr=0.1), {}, info)
    with pytest.raises(ValueError, match=message):
        recipes.train(recipes.find("digits-cnn"), output=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": ["digits-cnn"]}, "recipe must be a str"),
        ({"options": None}, "options must be a dict, got None"),
        ({"network": ["digits_cnn"]}, "network must be a str"),
        ({"network_options": ["classes"]}, "network_options must be a dict"),
        ({"network_options": {"name": 3}}, "no option 'name'"),
        ({"classes": 3}, "classes must be a list of names, got 3"),
        ({"classes": [3]}, "classes must be a list of names"),
        ({"input": {}}, "its input"),
        ({"input": None}, "its input"),
        ({"input": {"shape": 3, "mean": None, "std": None, "bright_on_dark": True}}, "its input"),
    ],
)
def test_a_checkpoint_with_entries_of_another_kind_is_refused(short_run, tmp_path, changes, message):
    arrays, metadata = read_safetensors(short_run[0] / recipes.CHECKPOINT)
    entry = json.loads(metadata["minidl"])
    entry["info"] |= changes
    path = tmp_path / recipes.CHECKPOINT
    write_safetensors(path, arrays, {"minidl": json.dumps(entry)})
    with pytest.raises(ValueError, match=message):
        recipes.load_classifier(path)


GREY = {"shape": [1, 4, 4], "mean": None, "std": None, "bright_on_dark": True}


def test_grey_is_inverted_where_its_border_is_bright_and_padded_to_a_square():
    picture = np.ones((3, 8, 4), np.float32)
    picture[:, 2:6, 1:3] = 0  # a dark mark in the middle of a bright page
    x = trained.prepare(picture, **GREY)  # (1, 4, 4)
    assert x.shape == (1, 4, 4) and x.dtype == np.float32
    inverted = trained.prepare(1 - picture, **GREY)
    np.testing.assert_allclose(x, inverted, atol=1e-6)
    assert x[0, :, 0].max() < 0.2 and x[0, 1:3, 1:3].min() > 0.4


def test_a_long_strip_needs_no_more_memory_than_a_photograph(monkeypatch):
    strip = np.zeros((1, 40, 160), np.float32)
    strip[:, 10:30, 80:] = 1
    expected = trained.prepare(strip, **GREY)  # (1, 4, 4)
    monkeypatch.setattr(trained, "LONGEST", 32)
    np.testing.assert_allclose(trained.prepare(strip, **GREY), expected, atol=0.02)
    monkeypatch.undo()
    tracemalloc.start()
    trained.prepare(np.zeros((1, 2, 60_000), np.float32), **GREY)  # as a square: 14 GB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500e6


def test_photographs_are_cut_to_the_middle_and_normalized():
    picture = np.zeros((3, 8, 16), np.float32)
    picture[0, :, 4:12] = 1  # red in the middle
    x = trained.prepare(picture, shape=[3, 4, 4], mean=[0.5] * 3, std=[0.5] * 3, bright_on_dark=False)
    np.testing.assert_allclose(x[0], 1, atol=1e-5)
    np.testing.assert_allclose(x[1:], -1, atol=1e-5)


@pytest.mark.parametrize(
    "picture",
    [np.full((1, 9, 9), 255, np.uint8), np.zeros((9, 9)), np.zeros((4, 9, 9)), np.zeros((3, 0, 9))],
    ids=lambda picture: f"{picture.dtype} {picture.shape}",
)
def test_an_array_that_is_no_picture_is_refused(picture):
    """Bytes most of all: inverted as if they were in 0..1, they wrapped around to another picture."""
    with pytest.raises(ValueError, match=rf"floating.* \(1 or 3, H, W\), got {picture.dtype} of shape"):
        trained.prepare(picture, **GREY)


def test_a_grey_array_for_a_network_of_colours():
    grey = np.random.default_rng(0).random((1, 8, 8))
    options = dict(shape=[3, 4, 4], mean=[0.1, 0.2, 0.3], std=[0.5] * 3, bright_on_dark=False)
    np.testing.assert_array_equal(trained.prepare(grey, **options), trained.prepare(grey.repeat(3, 0), **options))


def test_lenet_is_given_normalized_pixels():
    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1) * np.ones((2, 3, 32, 32), np.uint8)
    dataset = data.ImageDataset(images, np.array([0, 1]), ["black", "white"])
    recipe = dataclasses.replace(recipes.find("cifar-lenet"), load=lambda root: (dataset, dataset))
    for part in recipe.datasets(None):
        x, _ = part.get_batch(np.array([0, 1]))
        assert (x[0] == -1).all() and (x[1] == 1).all()


@pytest.mark.data
@pytest.mark.slow
@no_pictures()
def test_a_quarter_of_mnist_is_enough_to_read_its_digits(tmp_path, data_folder):
    recipe = recipes.find("mnist-cnn")
    train, test = recipe.load(data_folder)
    quarter = data.ImageDataset(train.images[:15_000], train.labels[:15_000], train.classes)
    recipe = dataclasses.replace(recipe, load=lambda root: (quarter, test))
    result = recipes.train(recipe, root=data_folder, epochs=1, batch_size=32, output=tmp_path)
    assert result["test_images"] == 10_000 and result["test_accuracy"] > 0.95
