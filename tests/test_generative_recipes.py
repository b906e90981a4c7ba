"""Networks at play: that each learns by its own loss alone, that what they make is judged, and that a run resumes."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import minidl
from minidl import data, models, nn, optim, random, recipes, training, visualize
from minidl import functional as F
from minidl.recipes import adversarial, fashion_inpaint, mnist_gan
from minidl.recipes.epoch_picture import EpochPicture
from tests.no_pictures import no_pictures
from tests.test_recipe_systems import assert_resumes


def two_patterns(root):
    """Images of a bright square, above on the left or below on the right."""
    labels = np.arange(512) % 2
    images = np.random.default_rng(0).uniform(0, 0.1, (512, 1, 8, 8)).astype(np.float32)
    images[labels == 0, :, :4, :4] += 0.9
    images[labels == 1, :, 4:, 4:] += 0.9
    dataset = data.ImageDataset(images, labels, ("above", "below"))
    return dataset, dataset


GAN = dataclasses.replace(
    recipes.find("mnist-gan"), load=two_patterns, lr=0.001, judge="digits_cnn", judge_epochs=3,
    network_options={"latent": 8, "discriminator": "dense"},
)  # fmt: skip
INPAINT = dataclasses.replace(
    recipes.find("fashion-inpaint"), load=lambda root: data.digits(), hole=4, lr=0.003, batch_size=32
)


@pytest.mark.parametrize("discriminator", models.generative.DISCRIMINATORS)
@pytest.mark.parametrize("image_size", [8, 28])
def test_a_gan_makes_images_and_tells_them_apart(discriminator, image_size):
    model = models.GAN(latent=5, discriminator=discriminator, image_size=image_size)
    images = model(minidl.randn(3, 5))
    assert images.shape == (3, 1, image_size, image_size) and np.abs(images.data).max() <= 1
    assert model.discriminator(images).shape == (3, 1)


def test_the_dense_gan_has_the_layers_of_its_paper():
    model = models.GAN(discriminator="dense")
    shapes = [p.shape for p in model.parameters() if p.ndim > 1]
    assert shapes == [
        (7 * 7 * 256, 100), (128, 256, 3, 3), (64, 128, 3, 3), (1, 64, 3, 3), (512, 784), (256, 512), (1, 256),
    ]  # fmt: skip


def test_options_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="discriminator must be one of convolutional, dense, got 'deep'"):
        models.GAN(discriminator="deep")
    for network in (models.GAN, models.Inpainter):
        with pytest.raises(ValueError, match="image_size must be a multiple of 4, got 30"):
            network(image_size=30)


def weights(module):
    return {name: parameter.data.copy() for name, parameter in module.named_parameters()}


def changed(module, before):
    return {not np.array_equal(parameter.data, before[name]) for name, parameter in module.named_parameters()}


def test_each_network_learns_alone():
    minidl.manual_seed(0)
    model = models.GAN(latent=8, image_size=8)
    optimizer = adversarial.make_optimizer(model, 0.001)
    real, fake = minidl.rand(4, 1, 8, 8), model(minidl.randn(4, 8))
    generator, discriminator = weights(model.generator), weights(model.discriminator)
    adversarial.discriminator_step(model, optimizer, real, fake)
    assert changed(model.generator, generator) == {False} and changed(model.discriminator, discriminator) == {True}
    discriminator = weights(model.discriminator)
    adversarial.generator_step(model, optimizer, fake)
    assert changed(model.discriminator, discriminator) == {False}
    assert True in changed(model.generator, generator)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_step_that_is_interrupted_leaves_a_discriminator_that_learns():
    model = models.GAN(latent=8, image_size=8)
    optimizer = adversarial.make_optimizer(model, 0.001)
    with pytest.raises(ValueError, match="channels"):
        adversarial.generator_step(model, optimizer, minidl.rand(4, 3, 8, 8))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_step_is_that_of_two_optimizers():
    """Goodfellow's algorithm, written out: log D(x) + log(1 - D(G(z))) for the one, log D(G(z)) for the other."""
    real = minidl.tensor(np.random.default_rng(0).uniform(-1, 1, (6, 1, 8, 8)).astype(np.float32))
    minidl.manual_seed(3)
    model = models.GAN(latent=8, image_size=8)
    optimizer = adversarial.make_optimizer(model, 0.001)
    for _ in range(3):
        found = mnist_gan.gan_step(model, optimizer, [real], None)
    minidl.manual_seed(3)
    other = models.GAN(latent=8, image_size=8)
    of_g, of_d = (optim.Adam(part.parameters(), 0.001, betas=(0.5, 0.999)) for part in other.children())
    for _ in range(3):
        fake = other.generator(minidl.randn(6, 8))
        of_d.zero_grad()
        p_real, p_fake = other.discriminator(real).sigmoid(), other.discriminator(fake.detach()).sigmoid()
        loss_d = -(0.9 * p_real.log() + 0.1 * (1 - p_real).log() + (1 - p_fake).log()).mean() / 2
        loss_d.backward()
        of_d.step()
        of_g.zero_grad()
        loss_g = -other.discriminator(fake).sigmoid().log().mean()
        loss_g.backward()
        of_g.step()
    assert found["discriminator_loss"].item() == pytest.approx(loss_d.item(), rel=1e-3)
    assert found["generator_loss"].item() == pytest.approx(loss_g.item(), rel=1e-3)


@pytest.fixture(scope="module")
def gan_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gan")
    return folder, recipes.train(GAN, epochs=6, output=folder)


def test_a_gan_learns_both_patterns(gan_run):
    folder, result = gan_run
    assert result["judge_accuracy"] == 1 and result["relative_confidence"] > 0.9
    assert result["smallest_class_share"] > 0.2 and sum(result["class_shares"].values()) == pytest.approx(1)
    model, _ = recipes.load_trained(folder / recipes.CHECKPOINT)
    made = training.predict(model, mnist_gan.noise(200, 8, seed=5)).data / 2 + 0.5
    real = two_patterns(None)[0].images
    assert np.abs(made.mean(0) - real.mean(0)).mean() < 0.15  # 0.34 for black images
    assert made[:, 0, 0, 0].std() > 0.2  # and they are not all alike
    assert GAN.evaluate(model, None)["class_shares"] == result["class_shares"]


def test_a_gan_leaves_pictures_of_every_epoch_and_its_history(gan_run):
    folder, _ = gan_run
    history = json.loads((folder / "result.json").read_text())["history"]
    assert len(history["train_generator_loss"]) == len(history["train_discriminator_loss"]) == 6
    # lr = 0.001 * (1 + cos(pi * epoch / 6)) / 2 at the end of an epoch
    halves = [1 + np.cos(np.pi * epoch / 6) for epoch in range(1, 7)]
    assert history["learning_rate"] == pytest.approx([0.0005 * half for half in halves], abs=1e-9)
    assert {path.name for path in folder.iterdir()} == {
        "checkpoint.safetensors", "result.json", "curves.png", "samples.png", "samples",
    }  # fmt: skip
    pictures = sorted((folder / "samples").iterdir())
    assert [path.name for path in pictures] == [f"epoch-0{epoch}.png" for epoch in range(1, 7)]
    first, last = (np.asarray(Image.open(pictures[place])) for place in (0, -1))
    assert first.std() > 0 and not np.array_equal(first, last)


def test_an_untrained_generator_is_judged_badly():
    minidl.manual_seed(0)
    model = models.GAN(latent=8, discriminator="dense", image_size=8)
    judged = GAN.evaluate(model, None)
    assert judged["smallest_class_share"] < 0.2 or judged["relative_confidence"] < 0.9


def test_the_judge_draws_from_streams_of_its_own():
    minidl.manual_seed(7)
    before = random.get_state()
    judges = [GAN.train_judge(two_patterns(None)[0], "cpu") for _ in range(2)]
    assert random.get_state() == before
    assert changed(judges[0], weights(judges[1])) == {False}


@no_pictures()
@pytest.mark.parametrize("recipe", [GAN, INPAINT], ids=["gan", "inpaint"])
def test_a_resumed_run_is_the_run(recipe, tmp_path):
    assert_resumes(recipe, tmp_path, epochs=2, batch_size=128)


def damaged_digits(seed=None):
    train, _ = data.digits()
    return fashion_inpaint.DamagedImages(train, 3, train.images.mean(0), seed)


def test_a_hole_is_a_square_within_the_image_and_the_rest_is_whole():
    damaged, whole = damaged_digits().get_batch(np.arange(300))
    image, hole = damaged[:, :1], damaged[:, 1:]
    assert damaged.dtype == np.float32 and set(np.unique(hole)) == {0, 1}
    assert (hole.sum((1, 2, 3)) == 9).all() and (image[hole == 1] == 0).all()
    np.testing.assert_array_equal(image[hole == 0], whole[hole == 0])
    rows, columns = hole.max(3).sum(2), hole.max(2).sum(2)  # how many rows and columns it spans
    assert (rows == 3).all() and (columns == 3).all()
    assert (hole.sum(0) > 0).all()  # it is everywhere, the corners included


def test_holes_of_the_test_stay_and_those_of_training_are_new():
    fixed, new = damaged_digits(seed=0), damaged_digits()
    indices = np.array([5, 2])
    np.testing.assert_array_equal(fixed.get_batch(indices)[0], fixed.get_batch(indices)[0])
    np.testing.assert_array_equal(fixed[2][0], fixed.get_batch(indices)[0][1])
    assert not np.array_equal(new.get_batch(np.arange(20))[0], new.get_batch(np.arange(20))[0])


def test_the_inpainter_changes_the_hole_alone():
    minidl.manual_seed(0)
    damaged, whole = damaged_digits().get_batch(np.arange(4))
    repaired = training.predict(models.Inpainter(image_size=8), damaged).data
    hole = damaged[:, 1:]
    np.testing.assert_array_equal(repaired[hole == 0], whole[hole == 0])
    assert (repaired[hole == 1] != 0).all()


def test_the_error_is_that_of_the_hole():
    damaged, whole = damaged_digits().get_batch(np.arange(50))
    filled = np.where(damaged[:, 1:] > 0, np.float32(0.25), damaged[:, :1])
    recipe = dataclasses.replace(INPAINT, hole=3)
    error = recipe.error_in_hole(minidl.tensor(filled), minidl.tensor(whole)).item()
    assert error == pytest.approx(((0.25 - whole[damaged[:, 1:] > 0]) ** 2).mean(), rel=1e-5)


def test_holes_are_repaired_better_than_by_the_mean(tmp_path):
    result = recipes.train(INPAINT, epochs=6, output=tmp_path)
    assert result["error"] < 0.85 * result["error_of_mean_image"] < 0.85 * result["error_of_mean_value"]
    assert result["error_relative_to_mean_image"] == result["error"] / result["error_of_mean_image"]
    history = json.loads((tmp_path / "result.json").read_text())["history"]
    assert history["test_reconstruction_loss"][-1] == pytest.approx(result["error"], rel=1e-4)
    assert {"curves.png", "repaired.png"} <= {path.name for path in tmp_path.iterdir()}
    assert len(list((tmp_path / "repaired").glob("epoch-0[1-6].png"))) == 6
    model, _ = recipes.load_trained(tmp_path / recipes.CHECKPOINT)
    assert INPAINT.evaluate(model, None)["error"] == pytest.approx(result["error"], rel=1e-6)


def test_loss_of_the_discriminator_is_smoothed_cross_entropy():
    model = models.GAN(latent=8, discriminator="dense", image_size=8).eval()
    x = minidl.rand(5, 1, 8, 8)
    p = F.sigmoid(model.discriminator(x)).data.astype(np.float64)
    expected = -(0.9 * np.log(p) + 0.1 * np.log(1 - p)).mean()
    assert adversarial.adversarial_loss(model, x, adversarial.REAL).item() == pytest.approx(expected, rel=1e-5)


def test_a_picture_that_fails_costs_no_training_and_is_said_once(tmp_path):
    def draw(model, title):
        if title != "epoch 3":
            raise OSError(28, "No space left on device")
        return visualize.images(np.zeros((1, 1, 2, 2)))

    pytest.importorskip("matplotlib")
    model, picture = nn.Linear(2, 1), EpochPicture(tmp_path / "pictures", draw)
    train = data.TensorDataset(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32))
    with pytest.warns(UserWarning, match="epoch-01.png could not be drawn .OSError.*No space left") as warned:
        history = training.fit(
            model, train, loss=F.mse_loss, optimizer=optim.SGD(model.parameters(), 0.1), epochs=3, batch_size=2,
            callbacks=[picture],
        )  # fmt: skip
    assert len(warned) == 1 and history["epoch"] == [1, 2, 3]
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["epoch-03.png"]
