"""Films: that they move as they say, that one frame says nothing of the motion, and that the network reads them."""

import dataclasses

import numpy as np
import pytest

import minidl
from minidl import data, models, recipes, training
from minidl.recipes.moving_digits import one_frame
from tests.no_pictures import no_pictures
from tests.test_recipe_systems import Killed


def digits(root):
    """The digits of scikit-learn, in bytes."""
    return [data.ImageDataset(np.uint8(part.images * 255), part.labels, part.classes) for part in data.digits()]


RECIPE = dataclasses.replace(recipes.find("moving-digits"), load=digits, films=(800, 400), size=16, lr=0.003)


def bars(count, steps=9, seed=0, size=32):
    """Films of a bar, higher than wide, and their centres (count, steps), areas and angles."""
    bar = np.zeros((1, 1, 28, 28), np.uint8)
    bar[:, :, 6:22, 12:16] = 255
    films = data.moving_images(bar, count, steps=steps, size=size, generator=np.random.default_rng(seed))
    x = films.images / 255.0  # (count, steps, size, size)
    mass = x.sum((2, 3))
    i, j = np.mgrid[:size, :size]
    row, column = (x * i).sum((2, 3)) / mass, (x * j).sum((2, 3)) / mass
    di, dj = i - row[..., None, None], j - column[..., None, None]
    # angle of the long axis from the vertical, against the clock: rows count downwards
    angle = 0.5 * np.arctan2(2 * (x * di * dj).sum((2, 3)), (x * (di**2 - dj**2)).sum((2, 3)))
    return films, row, column, mass, np.degrees(angle)


def test_films_move_as_they_say():
    films, row, column, mass, angle = bars(80)
    moves = {"row": row, "column": column, "mass": np.log(mass), "angle": angle}
    # what changes, which way, and by how much at least from the first frame to the last
    expected = {
        "left": ("column", -6), "right": ("column", 6), "up": ("row", -6), "down": ("row", 6),
        "growing": ("mass", 0.8), "shrinking": ("mass", -0.8),
        "turning left": ("angle", 60), "turning right": ("angle", -60),
    }  # fmt: skip
    still = {"row": 0.7, "column": 0.7, "mass": 0.1, "angle": 8}
    assert films.classes == tuple(expected)
    for film, label in enumerate(films.labels):
        name, least = expected[films.classes[label]]
        for move, values in moves.items():
            change = values[film, -1] - values[film, 0]
            if move == name:
                assert np.sign(least) * change > abs(least)
            else:
                assert abs(change) < still[move], (films.classes[label], move)


def test_the_frame_in_the_middle_is_the_same_whatever_the_motion():
    """Drawn with no time to move, the films are the middle frames of the long ones."""
    long, short = bars(24, steps=9)[0], bars(24, steps=1)[0]
    np.testing.assert_array_equal(one_frame(long).images, short.images)
    assert not np.array_equal(long.images[:, :1], short.images)


def test_films_are_reproducible_and_show_the_images_given():
    train, test = digits(None)
    a, b = (data.moving_images(train.images, 16, generator=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(a.images, b.images)
    dark = data.moving_images(np.zeros_like(test.images), 16, generator=np.random.default_rng(3))
    assert dark.images.max() == 0 and a.images[:, 4].max((1, 2)).min() > 100


@pytest.mark.parametrize("size", [64, 96])
def test_the_middle_frame_is_drawn_over_the_whole_range_of_poses(size):
    _, row, column, mass, angle = bars(400, steps=1, size=size)
    unit = size / 32
    for centre in (row, column):  # that of the first pixel lies at 0.5
        place = (centre + 0.5 - size / 2) / unit
        assert -3.1 < place.min() < -2.8 and 2.8 < place.max() < 3.1
    scale = np.sqrt(mass / 64) / unit  # 64 pixels of the image are white
    assert 0.58 < scale.min() < 0.62 and 0.88 < scale.max() < 0.92
    assert np.median(np.log(scale)) == pytest.approx(np.log(0.6 * 0.9) / 2, abs=0.05)
    assert -15.5 < angle.min() < -14 and 14 < angle.max() < 15.5


@pytest.mark.parametrize(
    ("images", "steps", "message"),
    [
        (np.zeros((2, 3, 8, 8), np.uint8), 9, r"\(N, 1, H, W\), got uint8 of shape \(2, 3, 8, 8\)"),
        (np.zeros((0, 1, 8, 8), np.uint8), 9, r"N >= 1 .* got uint8 of shape \(0, 1, 8, 8\)"),
        (np.zeros((2, 1, 8), np.uint8), 9, r"\(N, 1, H, W\), got uint8 of shape \(2, 1, 8\)"),
        (np.zeros((2, 1, 8, 8)), 9, "must be uint8 .* got float64"),
        (np.zeros((2, 1, 8, 8), np.uint8), 8, "steps must be an odd number.*got 8"),
    ],
)
def test_films_that_cannot_be_are_refused(images, steps, message):
    with pytest.raises(ValueError, match=message):
        data.moving_images(images, 8, steps=steps, generator=np.random.default_rng(0))


def test_the_network_reads_frames_in_their_order():
    minidl.manual_seed(0)
    model = models.FrameLSTM(image_size=16)
    films = np.random.default_rng(0).random((3, 5, 16, 16), dtype=np.float32)
    logits = training.predict(model, films).data
    assert logits.shape == (3, 8)
    np.testing.assert_allclose(training.predict(model, films[1:2]).data, logits[1:2], atol=1e-5)
    assert np.abs(training.predict(model, films[:, ::-1].copy()).data - logits).max() > 1e-4
    with pytest.raises(ValueError, match="image_size must be a multiple of 8, got 28"):
        models.FrameLSTM(image_size=28)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return folder, recipes.train(RECIPE, epochs=4, output=folder)


def test_motion_is_read_from_films_and_not_from_one_frame(run):
    folder, result = run
    assert result["test_accuracy"] > 0.8 and result["one_frame_accuracy"] < 0.2
    names = {path.name for path in folder.iterdir()}
    assert names == {"checkpoint.safetensors", "result.json", "curves.png", "confusion_matrix.png", "films.png"}
    model, _ = recipes.load_trained(folder / recipes.CHECKPOINT)
    assert RECIPE.evaluate(model, None)["test_accuracy"] == result["test_accuracy"]
    with pytest.raises(ValueError, match="moving-digits, which classifies no images"):
        recipes.load_classifier(folder / recipes.CHECKPOINT)


@no_pictures()
def test_a_resumed_run_is_the_run(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        recipes.train(RECIPE, epochs=4, output=tmp_path, callbacks=[Killed(2)])
    minidl.manual_seed(99)
    resumed = recipes.train(RECIPE, output=tmp_path, resume=True)
    expected = training.load_checkpoint(run[0] / recipes.CHECKPOINT)
    found = training.load_checkpoint(tmp_path / recipes.CHECKPOINT)
    for name, tensor in expected.model.items():
        assert tensor.data.tobytes() == found.model[name].data.tobytes()
    assert found.random == expected.random
    assert [resumed[name] for name in resumed["measures"]] == [run[1][name] for name in resumed["measures"]]
