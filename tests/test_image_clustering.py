"""Deep embedded clustering: its formulas, that it finds digits, and that a stopped run goes on to the same bits."""

import dataclasses

import numpy as np
import pytest

import minidl
from minidl import data, metrics, models, optim, recipes, training
from minidl.recipes import deep_clustering
from minidl.recipes.mnist_autoencoder import pca_loss
from tests.no_pictures import no_pictures

OPTIONS = {"image_shape": [1, 8, 8], "hidden_sizes": [32], "code_size": 4}
SMALL = dataclasses.replace(recipes.find("digits-clustering"), network_options=OPTIONS, epochs=4, autoencoder_epochs=2)


def test_the_soft_assignment_is_students_t():
    model = models.build("deep_clustering", **OPTIONS)
    random = np.random.default_rng(0)
    with minidl.no_grad():
        model.centers.copy_(random.standard_normal((10, 4), dtype=np.float32))
    x = minidl.Tensor(random.random((5, 1, 8, 8), dtype=np.float32))
    z = model.encoder(x).numpy()
    q = np.empty((5, 10))
    for n in range(5):
        t = [1 / (1 + ((z[n] - c) ** 2).sum()) for c in model.centers.numpy()]
        q[n] = np.array(t) / sum(t)
    np.testing.assert_allclose(model(x).numpy(), q, rtol=1e-5)
    assert model.decoder(model.encoder(x)).shape == x.shape


def test_the_target_is_surer_and_favours_no_large_cluster():
    q = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5]])
    p = deep_clustering.target_distribution(q)
    f = q.sum(0)
    for n in range(3):
        expected = q[n] ** 2 / f / (q[n] ** 2 / f).sum()
        np.testing.assert_allclose(p[n], expected)
    assert p[0, 0] > q[0, 0] and p[2, 1] > 0.5  # undecided: to the smaller cluster


def test_codes_are_scaled_and_drawn_as_before():
    train, _ = data.digits()
    model = models.build("deep_clustering", **OPTIONS)
    x = minidl.Tensor(train.get_batch(np.arange(5))[0])
    code, drawn = model.encoder(x).numpy(), model.decoder(model.encoder(x)).numpy()
    deep_clustering.scale_codes(model, train)
    codes = training.predict(model.encoder, train).numpy()
    assert codes.std() == pytest.approx(deep_clustering.CODE_SCALE, rel=1e-4)
    ratio = model.encoder(x).numpy() / code
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)
    np.testing.assert_allclose(model.decoder(model.encoder(x)).numpy(), drawn, atol=1e-5)


def test_a_target_is_of_the_model_of_at_most_thirty_batches_ago():
    """What a batch is trained towards, beside what the model as it was at the last renewal gives."""
    train, _ = data.digits()
    model = models.build("deep_clustering", **OPTIONS)
    seen = []

    class Watched(deep_clustering.Phases):
        def __call__(self, model, optimizer, inputs, numbers):
            q = training.predict(model, train).numpy()
            seen.append(np.array_equal(self.target.numpy(), deep_clustering.target_distribution(q)))
            return super().__call__(model, optimizer, inputs, numbers)

    deep_clustering.set_centers(model, train, 1)
    training.fit(
        model,
        deep_clustering.DistortedImages(train, lambda x: x),
        optimizer=optim.Adam(model.parameters(), lr=0.001),
        step=Watched(train, autoencoder_epochs=0),
        batch_size=20,
        drop_last=True,
    )
    assert [n for n, fresh in enumerate(seen) if fresh] == [0, 30, 60]


def test_curves_keep_the_losses_of_the_phases_apart():
    history = {"epoch": [1, 2, 3]} | {f"train_{name}": [3, 2, 1] for name in ("loss", "accuracy", "nmi")}
    both = deep_clustering._phases(history, 2)
    assert both["autoencoder"]["train_reconstruction_loss"] == [3, 2] and both["clustering"]["train_KL_loss"] == [1]
    assert [both[phase]["epoch"] for phase in ("autoencoder", "clustering")] == [[1, 2], [3]]
    assert list(deep_clustering._phases(history, 3)) == ["autoencoder"]


def test_samples_are_a_distorted_image_the_image_and_its_number():
    train, _ = data.digits()
    dataset = deep_clustering.DistortedImages(train, lambda x: x * 0)
    x, clean, numbers = dataset.get_batch(np.array([3, 5]))
    assert (x == 0).all() and numbers.tolist() == [3, 5]
    np.testing.assert_array_equal(clean, train.images[[3, 5]])
    np.testing.assert_array_equal(dataset[5][1], train.images[5])


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clustering")
    return folder, recipes.train(SMALL, output=folder)


@no_pictures()
def test_the_second_phase_ends_where_the_run_was_planned_to(tmp_path):
    """From lr towards 0 along half a cosine, over as many epochs as --epochs leaves for it."""
    recipes.train(SMALL, epochs=SMALL.autoencoder_epochs + 3, output=tmp_path)
    rates = training.load_checkpoint(tmp_path / recipes.CHECKPOINT).history["learning_rate"]
    np.testing.assert_allclose(rates[-3:], SMALL.lr * np.array([1, 0.75, 0.25]))


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
@no_pictures()
def test_a_run_stopped_in_either_phase_goes_on_to_the_same_bits(whole_run, tmp_path, stopped_after):
    recipes.train(SMALL, epochs=stopped_after, output=tmp_path)
    minidl.manual_seed(99)
    result = recipes.train(SMALL, epochs=4, output=tmp_path, resume=True)
    expected = training.load_checkpoint(whole_run[0] / recipes.CHECKPOINT)
    found = training.load_checkpoint(tmp_path / recipes.CHECKPOINT)
    for name, tensor in expected.model.items():
        assert tensor.data.tobytes() == found.model[name].data.tobytes()
    timing = ("seconds", "samples_per_second")
    assert {k: v for k, v in found.history.items() if k not in timing} == {
        k: v for k, v in expected.history.items() if k not in timing
    }
    assert result["clustering_accuracy"] == whole_run[1]["clustering_accuracy"]


@no_pictures()
def test_the_phases_change_what_they_should(whole_run, tmp_path):
    """The decoder rests in the second phase; encoder and centres move."""
    recipes.train(SMALL, epochs=2, output=tmp_path)
    before = training.load_checkpoint(tmp_path / recipes.CHECKPOINT).model
    after = training.load_checkpoint(whole_run[0] / recipes.CHECKPOINT).model
    for name, tensor in before.items():
        same = np.array_equal(tensor.data, after[name].data)
        assert same == name.startswith("decoder"), name


def test_the_optimizer_starts_anew_with_the_second_phase(whole_run):
    """The network has made the steps of two epochs since, not of four."""
    saved = training.load_checkpoint(whole_run[0] / recipes.CHECKPOINT)
    steps = {state["step"] for state in saved.optimizer["state"].values()}
    assert steps == {2 * (1437 // SMALL.batch_size)}


def test_the_result_holds_all_three_clusterings(whole_run):
    folder, result = whole_run
    saved = training.load_checkpoint(folder / recipes.CHECKPOINT)
    assert result["measures"][0] == "clustering_accuracy"
    assert result["clustering_accuracy"] == saved.history["train_accuracy"][3]
    assert result["autoencoder_accuracy"] == saved.history["train_accuracy"][1]
    assert 0.6 < result["pixels_accuracy"] < 0.9 and 0 < result["clustering_nmi"] < 1
    train, test = data.digits()
    model, _ = recipes.load_trained(folder / recipes.CHECKPOINT)
    clusters = deep_clustering.assign(model, train)
    assert metrics.clustering_accuracy(train.labels, clusters) == result["clustering_accuracy"]
    assert SMALL.evaluate(model, None)["test_images"] == len(test)
    names = {path.name for path in folder.iterdir()}
    assert {"curves.png", "clusters.png", "confusion_matrix.png", "codes.png"} <= names


@pytest.mark.slow
@no_pictures()
def test_clustering_makes_the_codes_clearer(tmp_path):
    half = dataclasses.replace(recipes.find("digits-clustering"), epochs=20, autoencoder_epochs=12)
    result = recipes.train(half, output=tmp_path)
    assert result["clustering_nmi"] > result["autoencoder_nmi"] + 0.02
    assert result["clustering_accuracy"] > 0.72


def test_no_linear_code_is_better_than_pca():
    random = np.random.default_rng(0)
    x = random.standard_normal((50, 6)) * [5, 3, 2, 1, 0.5, 0.1]
    centred = x - x.mean(0)
    _, _, v = np.linalg.svd(centred, full_matrices=False)
    back = centred @ v[:2].T @ v[:2]
    assert pca_loss(x, 2) == pytest.approx(((centred - back) ** 2).mean())


@pytest.mark.data
@pytest.mark.slow
def test_the_autoencoder_of_mnist_beats_pca(tmp_path, data_folder, monkeypatch):
    train, test = data.mnist(data_folder)
    half = data.ImageDataset(train.images[:30_000], train.labels[:30_000], train.classes)
    monkeypatch.setattr(data, "mnist", lambda root: (half, test))
    result = recipes.train(recipes.find("mnist-autoencoder"), epochs=2, output=tmp_path)
    assert result["test_loss"] < 0.9 * result["pca_test_loss"]
