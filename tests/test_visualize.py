"""Pictures: that each is drawn, says what it should, and needs no window."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image  # noqa: E402

from minidl import cluster, metrics, nn, visualize  # noqa: E402

HISTORY = {
    "epoch": [1, 2, 3], "train_loss": [2.0, 1.0, 0.5], "train_accuracy": [0.3, 0.6, 0.8],
    "test_loss": [1.8, 1.1, 0.9], "test_accuracy": [0.4, 0.5, 0.7], "seconds": [1, 1, 1],
}  # fmt: skip
PICTURES = np.random.default_rng(0).random((5, 1, 6, 6))


def texts(figure):
    return [
        text.get_text()
        for axes in figure.axes
        for text in [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    ]


def test_learning_curves_draw_every_measure_of_every_run():
    figure = visualize.learning_curves(HISTORY, title="digits")
    loss, accuracy = figure.axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), HISTORY["train_loss"])
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), HISTORY["test_accuracy"])
    assert (loss.get_xlabel(), loss.get_ylabel(), accuracy.get_ylabel()) == ("epoch", "loss", "accuracy")
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train", "test"]
    several = visualize.learning_curves({"seed 0": HISTORY, "seed 1": HISTORY})
    assert [text.get_text() for text in several.axes[0].get_legend().get_texts()] == [
        "seed 0, train",
        "seed 0, test",
        "seed 1, train",
        "seed 1, test",
    ]


def test_learning_curves_draw_histories_without_a_common_loss():
    history = {
        "epoch": [1, 2], "train_generator_loss": [0.7, 0.9], "train_discriminator_loss": [0.6, 0.5],
        "test_error": [0.4, 0.3], "seconds": [1, 1],
    }  # fmt: skip
    figure = visualize.learning_curves(history)
    assert [axes.get_ylabel() for axes in figure.axes] == ["generator loss", "discriminator loss", "error"]
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [0.6, 0.5])
    assert [text.get_text() for text in figure.axes[2].get_legend().get_texts()] == ["test"]
    with pytest.raises(ValueError, match="no measure of training, validation or test; it has epoch, seconds"):
        visualize.learning_curves({"epoch": [1], "seconds": [1.0]})


def test_a_sample_grid_has_every_image_in_its_place():
    figure = visualize.sample_grid(PICTURES, columns=2, title="epoch 3")
    drawn = figure.axes[0].images[0].get_array()  # 3 rows of 6 pixels with 2 between
    assert drawn.shape == (22, 14) and figure.get_suptitle() == "epoch 3"
    np.testing.assert_allclose(drawn[8:14, 8:], PICTURES[3, 0])
    assert (drawn[6:8] == 1).all() and (drawn[16:, 8:] == 1).all()
    colours = visualize.sample_grid(np.full((1, 3, 2, 2), 255, np.uint8)).axes[0].images[0].get_array()
    assert colours.max() == 1 and colours.shape[2] == 3
    with pytest.raises(ValueError, match=r"shape \(N, 1 or 3, H, W\), N at least 1, got \(0, 1, 6, 6\)"):
        visualize.sample_grid(PICTURES[:0])


def test_image_rows_stand_one_under_the_other_by_name():
    figure = visualize.image_rows({"damaged": PICTURES, "repaired": 1 - PICTURES})
    axes = figure.axes[0]
    drawn = axes.images[0].get_array()
    np.testing.assert_allclose(drawn[:6, 8:14], PICTURES[1, 0])
    np.testing.assert_allclose(drawn[8:, 8:14], 1 - PICTURES[1, 0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["damaged", "repaired"]
    with pytest.raises(ValueError, match="rows must be images of one shape"):
        visualize.image_rows({"a": PICTURES, "b": PICTURES[:2]})


def test_confusion_matrix_counts_by_true_row_and_predicted_column():
    figure = visualize.confusion_matrix(np.array([[5, 2], [0, 3]]), ["cat", "dog"])
    axes = figure.axes[0]
    assert {(text.get_text(), *text.get_position()) for text in axes.texts} == {("5", 0, 0), ("2", 1, 0), ("3", 1, 1)}
    assert axes.get_xlabel() == "predicted class" and axes.get_ylabel() == "true class"
    np.testing.assert_allclose(axes.images[0].get_array(), [[5 / 7, 2 / 7], [0, 1]])
    with pytest.raises(ValueError, match=r"shape \(3, 3\) of 3 classes, got \(2, 2\)"):
        visualize.confusion_matrix(np.eye(2), ["a", "b", "c"])


def test_misclassified_shows_the_surest_errors_first():
    labels = np.array([0, 1, 0, 1, 0])
    logits = np.array([[0.0, 5.0], [0.0, 1.0], [0.0, 1.0], [3.0, 0.0], [2.0, 0.0]])  # wrong: 0, 2, 3
    figure = visualize.misclassified(PICTURES, labels, logits, ["cat", "dog"], limit=2)
    shown = [text for text in texts(figure) if text]
    assert shown == ["cat\n→ dog, 99%", "dog\n→ cat, 95%"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array().squeeze(), PICTURES[0, 0])
    assert figure.get_suptitle().startswith("3 of 5 images misclassified, the 2 surest")
    visualize.misclassified(PICTURES, labels, np.eye(2)[labels] * 9, ["cat", "dog"])  # none at all


class OnGpu:
    """What these functions see of CuPy's arrays."""

    __cuda_array_interface__ = {}

    def __init__(self, values):
        self.values = values

    def get(self):
        return self.values


def test_arrays_of_a_gpu_are_fetched():
    for draw, values in ((visualize.images, PICTURES), (lambda x: visualize.confusion_matrix(x, "ab"), np.eye(2))):
        drawn, expected = (
            [image.get_array() for axes in draw(x).axes for image in axes.images] for x in (OnGpu(values), values)
        )
        np.testing.assert_array_equal(drawn, expected)
    points, labels = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    assert visualize.embedding(OnGpu(points), OnGpu(labels), ["a", "b"]).axes


def test_filters_share_one_scale_around_zero():
    layer = nn.Conv2d(2, 10, 3)
    figure = visualize.filters(layer)
    drawn = [axes.images[0] for axes in figure.axes[:10]]
    limit = np.abs(layer.weight.data).max()
    assert all(image.get_clim() == (-limit, limit) for image in drawn)
    np.testing.assert_array_equal(drawn[3].get_array(), layer.weight.data[3, 0])
    assert len(visualize.filters(nn.Conv2d(3, 4, 3)).axes[0].images) == 4
    for other, said in (
        (nn.Linear(2, 2), r"Linear with weights of shape \(2, 2\)"),
        (nn.Sequential(layer), "Sequential"),
    ):
        with pytest.raises(ValueError, match=rf"\(K, C, R, S\), got {said}$"):
            visualize.filters(other)


def test_feature_maps_are_those_of_the_layer():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Dropout(0.9), nn.Flatten())
    figure = visualize.feature_maps(model, "1", PICTURES[0].astype(np.float32))
    expected = model[1](model[0](nn.Parameter(PICTURES[:1].astype(np.float32)))).data[0]
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), expected[2])
    assert model.training and model[2].training
    with pytest.raises(ValueError, match="gives no images"):
        visualize.feature_maps(model, "3", PICTURES[0].astype(np.float32))


def test_images_of_bytes_and_colour(tmp_path):
    colour = np.zeros((3, 3, 4, 4), np.uint8)
    colour[:, 0] = 255
    figure = visualize.images(colour, ["a", "b", "c"], columns=2)
    assert figure.axes[0].images[0].get_array()[0, 0].tolist() == [1, 0, 0]
    visualize.save(figure, tmp_path / "grid.png", dpi=50)
    with Image.open(tmp_path / "grid.png") as picture:
        assert (255, 0, 0) in {color for _, color in picture.convert("RGB").getcolors(10**6)}
    assert [file.name for file in tmp_path.iterdir()] == ["grid.png"]
    with pytest.raises(ValueError, match=r"\(N, 1 or 3, H, W\), got \(5, 6, 6\)"):
        visualize.images(PICTURES[:, 0])
    with pytest.raises(ValueError, match="labels must be one for each of the 3 pictures, got 2"):
        visualize.images(colour, ["a", "b"])


def test_each_label_is_over_its_image():
    [axes] = visualize.images(np.zeros((3, 1, 4, 8)), ["a", "b", "c"], columns=2).axes
    boxes = [image.get_extent() for image in axes.images]  # left, right, bottom, top; downwards
    for label, (left, right, bottom, top) in zip("abc", boxes):
        [text] = [text for text in axes.texts if text.get_text() == label]
        x, y = text.get_position()
        assert x == (left + right) / 2 and 0 < top - y < 0.1 and right - left == pytest.approx(2 * (bottom - top))
    (_, end, bottom, _), (start, *_), (_, _, _, top) = boxes
    assert start > end and top > bottom and boxes[2][:2] == boxes[0][:2]  # beside it, and below it


def test_no_window_and_no_global_state():
    import matplotlib.pyplot

    visualize.learning_curves(HISTORY)
    assert matplotlib.pyplot.get_fignums() == []


def test_embedding_is_on_the_principal_components():
    random = np.random.default_rng(0)
    x = random.standard_normal((40, 5)) * [1, 9, 4, 0.5, 0.2]
    labels = np.repeat([0, 1, 2, -1], 10)
    figure = visualize.embedding(x, labels, ["a", "b", "c"], title="codes")
    axes = figure.axes[0]
    covariance = np.cov(x, rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    drawn = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])  # -1, 0, 1, 2
    expected = (x - x.mean(0)) @ vectors[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(drawn), np.abs(np.concatenate([expected[30:], expected[:30]])), atol=1e-9)
    assert axes.get_xlabel() == f"first component, {values[-1] / values.sum():.0%} of the variance"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["noise", "a", "b", "c"]
    with pytest.raises(ValueError, match=r"labels must have the shape \(40,\).*got \(3,\)"):
        visualize.embedding(x, [0, 1, 2])
    with pytest.raises(ValueError, match=r"at least 2, got \(40, 1\)"):
        visualize.embedding(x[:, :1], labels)
    with pytest.raises(ValueError, match="x must be finite, got nan"):
        visualize.embedding(np.where(x == x[0, 0], np.nan, x), labels)
    with pytest.raises(ValueError, match="labels must be below the 2 classes, got 2"):
        visualize.embedding(x, labels, ["a", "b"])


def test_dendrogram_draws_every_merger_at_its_distance():
    x = np.random.default_rng(0).standard_normal((12, 3))
    found = cluster.AgglomerativeClustering(4, linkage="average").fit(x)
    names = [f"s{number}" for number in range(12)]
    axes = visualize.dendrogram(found, names).axes[0]
    *brackets, cut = axes.lines
    assert sorted(max(line.get_ydata()) for line in brackets) == pytest.approx(found.distances_.tolist())
    assert found.distances_[7] < cut.get_ydata()[0] < found.distances_[8]
    assert sorted(text.get_text() for text in axes.get_xticklabels()) == sorted(names)
    # every bracket stands on the middles of the two below it, so none crosses another
    tops = {0.0: set(range(12))} | {line.get_ydata()[1]: {np.mean(line.get_xdata())} for line in brackets}
    for line in brackets:
        for side in (0, 3):
            assert line.get_xdata()[side] in tops[line.get_ydata()[side]]


def test_dendrogram_of_many_samples_ends_in_clusters_with_their_size():
    x = np.random.default_rng(0).standard_normal((60, 2))
    found = cluster.AgglomerativeClustering(1).fit(x)
    axes = visualize.dendrogram(found, limit=8).axes[0]
    assert sorted(line.get_ydata()[1] for line in axes.lines) == pytest.approx(found.distances_[-7:].tolist())
    texts = [text.get_text() for text in axes.get_xticklabels()]
    assert len(texts) == 8
    assert sum(int(text.strip("()")) if text.startswith("(") else 1 for text in texts) == 60
    with pytest.raises(ValueError, match="call fit first"):
        visualize.dendrogram(cluster.AgglomerativeClustering(2))
    with pytest.raises(ValueError, match="names of the 60 samples, got 2"):
        visualize.dendrogram(found, ["a", "b"])


def test_a_confusion_matrix_of_many_classes_stays_a_picture():
    names = [f"class {number}" for number in range(300)]
    figure = visualize.confusion_matrix(np.eye(300, dtype=int), names)
    assert max(figure.get_size_inches()) < 25
    assert len(figure.axes[0].get_yticklabels()) == 300 and not figure.axes[0].texts


def test_confusion_matrix_of_clusters_names_its_columns():
    figure = visualize.confusion_matrix(
        np.array([[5, 2, 1], [0, 3, 0]]), ["cat", "dog"], ["0", "1", "2"], columns_are="cluster"
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2"] and axes.get_xlabel() == "cluster"
    with pytest.raises(ValueError, match=r"shape \(2, 1\) of 2 classes and 1 columns, got \(2, 2\)"):
        visualize.confusion_matrix(np.eye(2), ["a", "b"], ["0"])


def test_a_confusion_matrix_of_shares_is_shaded_by_row_and_says_them_shortly():
    labels, predicted = [0, 0, 0, 1], [0, 1, 1, 1]
    for normalize in ("true", "all"):
        shares = metrics.confusion_matrix(labels, predicted, normalize=normalize)
        axes = visualize.confusion_matrix(shares, ["a", "b"]).axes[0]
        np.testing.assert_allclose(axes.images[0].get_array(), [[1 / 3, 2 / 3], [0, 1]])
        assert [text.get_text() for text in axes.texts] == [f"{share:.2f}" for share in shares.flat if share]


def test_a_loss_below_zero_is_seen():
    for losses, lowest in (([-1.0, -3.0], -3), ([0.5, -2.0], -2), ([3.0, 1.0], 0)):
        low, high = visualize.learning_curves({"epoch": [1, 2], "train_loss": losses}).axes[0].get_ylim()
        assert low <= lowest and high >= max(losses) and (low == 0) == (lowest == 0)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".jpg", b"\xff\xd8")]
)
def test_the_name_of_a_file_says_its_format(tmp_path, suffix, start):
    visualize.save(visualize.sample_grid(PICTURES), tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: visualize.save(visualize.sample_grid(PICTURES), "no_suffix"), ValueError, "path must end in .*png"),
        (lambda: visualize.images(np.full((2, 1, 4, 4), 255)), TypeError, "pictures must be bytes .*, got int64"),
        (lambda: visualize.images(PICTURES, columns=0), ValueError, "columns must be at least 1, got 0"),
        (lambda: visualize.sample_grid(PICTURES, columns=0), ValueError, "columns must be at least 1, got 0"),
        (lambda: visualize.filters(nn.Conv2d(1, 2, 3), columns=0), ValueError, "columns must be at least 1, got 0"),
        (lambda: visualize.learning_curves({"train_loss": [2.0, 1.0]}), ValueError, "a history with its 'epoch'"),
        (
            lambda: visualize.misclassified(PICTURES, np.zeros((5, 1), int), np.zeros((5, 2)), "ab"),
            ValueError,
            r"got \(5, 1, 6, 6\), \(5, 1\) and \(5, 2\)",
        ),
        (
            lambda: visualize.misclassified(PICTURES, np.full(5, 2), np.zeros((5, 2)), "ab"),
            ValueError,
            "labels must be from 0 to 1, got 2$",
        ),
        (
            lambda: visualize.misclassified(PICTURES, np.zeros(5, int), np.zeros((5, 2)), "abc"),
            ValueError,
            "classes must name the 2 columns of logits, got 3",
        ),
        (
            lambda: visualize.misclassified(PICTURES, np.zeros(5, int), np.zeros((5, 0)), ""),
            ValueError,
            r"K > 0, got .* and \(5, 0\)",
        ),
        (lambda: visualize.confusion_matrix(np.zeros((0, 0)), ""), ValueError, r"at least one class .*\(0, 0\)"),
        (lambda: visualize.confusion_matrix(np.zeros((2, 0)), "ab", ""), ValueError, r"one column, got .*\(2, 0\)"),
        (lambda: visualize.embedding(np.eye(3), np.zeros(3)), ValueError, "integers of at least -1, got float64"),
        (lambda: visualize.embedding(np.eye(3), np.array([0, -2, 1]), "ab"), ValueError, "at least -1, got .* -2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, error, message):
    with pytest.raises(error, match=message):
        draw()
