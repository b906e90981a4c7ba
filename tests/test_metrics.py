"""Measures: scikit-learn's values, their edge cases, and clear errors."""

import itertools
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import metrics

sk = pytest.importorskip("sklearn.metrics")

SETTINGS = settings(deadline=None, max_examples=60)


@st.composite
def label_pairs(draw, classes=5, longest=40):
    n = draw(st.integers(1, longest))
    k = draw(st.integers(1, classes))
    labels = st.lists(st.integers(-1, k), min_size=n, max_size=n)
    return np.array(draw(labels)), np.array(draw(labels))


def quiet(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def weights_for(y, weighted):
    return np.random.default_rng(len(y)).random(len(y)) + 0.1 if weighted else None


# --- labels ---


@given(label_pairs(), st.booleans(), st.booleans())
@SETTINGS
def test_accuracy(pair, normalize, weighted):
    options = dict(normalize=normalize, sample_weight=weights_for(pair[0], weighted))
    assert metrics.accuracy_score(*pair, **options) == pytest.approx(sk.accuracy_score(*pair, **options))


@given(label_pairs(), st.sampled_from([None, "true", "pred", "all"]), st.booleans())
@SETTINGS
def test_confusion_matrix(pair, normalize, weighted):
    options = dict(normalize=normalize, sample_weight=weights_for(pair[0], weighted))
    np.testing.assert_allclose(metrics.confusion_matrix(*pair, **options), quiet(sk.confusion_matrix, *pair, **options))


def test_some_samples_may_have_no_weight():
    assert metrics.accuracy_score([0, 1, 1], [1, 0, 1], sample_weight=[0, 1, 3]) == 0.75


def test_confusion_matrix_with_labels():
    pair = ["cat", "dog", "owl", "cat"], ["dog", "dog", "cat", "owl"]
    for labels in (["dog", "cat"], ["owl", "cat", "dog", "unicorn"]):
        ours = metrics.confusion_matrix(*pair, labels=labels)
        assert ours.tolist() == sk.confusion_matrix(*pair, labels=labels).tolist() and ours.dtype == np.int64
    with pytest.raises(ValueError, match="labels must hold at least one label of y_true, got \\['fox'\\]"):
        metrics.confusion_matrix(*pair, labels=["fox"])
    with pytest.raises(ValueError, match="normalize must be"):
        metrics.confusion_matrix(*pair, normalize="rows")


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@given(
    label_pairs(),
    st.sampled_from([0, 1, np.nan]),
    st.booleans(),
    st.sampled_from([None, [0, 1], [2, 0, 7]]),
    st.sampled_from([0.5, 2]),
)
@SETTINGS
def test_precision_recall_f1(average, pair, zero_division, weighted, labels, beta):
    options = dict(
        average=average, zero_division=zero_division, sample_weight=weights_for(pair[0], weighted), labels=labels
    )
    expected = quiet(sk.precision_recall_fscore_support, *pair, **options)
    for name, value in zip(("precision_score", "recall_score", "f1_score"), expected):
        np.testing.assert_allclose(getattr(metrics, name)(*pair, **options), value, err_msg=name)
    ours = metrics.precision_recall_fscore_support(*pair, beta=beta, **options)
    theirs = quiet(sk.precision_recall_fscore_support, *pair, beta=beta, **options)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(*(np.asarray(x, dtype=float) for x in (a, b)))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
@SETTINGS
def test_binary_average(pairs):
    y_true, y_pred = (np.array(column).astype(int) for column in zip(*pairs, strict=True))
    expected = sk.precision_recall_fscore_support(y_true, y_pred, average="binary", zero_division=0)
    for name, value in zip(("precision_score", "recall_score", "f1_score"), expected):
        assert getattr(metrics, name)(y_true, y_pred, zero_division=0) == pytest.approx(value), name
    if len(np.unique(y_true)) == 2:
        assert metrics.recall_score(y_true, y_pred, pos_label=0) == pytest.approx(
            sk.recall_score(y_true, y_pred, pos_label=0)
        )


def test_undefined_precision_warns():
    with pytest.warns(UserWarning, match="precision is undefined for a class without predicted samples") as caught:
        assert metrics.precision_score([0, 1], [0, 0]) == 0
    assert caught[0].filename == __file__  # of the line to change
    with pytest.warns(UserWarning, match="recall is undefined for a class without true samples"):
        assert metrics.recall_score([0, 0], [0, 1]) == 0
    with pytest.warns(UserWarning, match="f-score is undefined for a class without true or predicted samples"):
        assert metrics.f1_score([0, 0], [0, 0]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.recall_score([0, 1], [0, 0]) == 0  # defined, though the precision is not
        assert metrics.f1_score([0, 1], [0, 0]) == 0


def test_beta_is_1_unless_given():
    pair = [0, 1, 1, 1, 0], [0, 1, 0, 0, 1]
    fscore = metrics.precision_recall_fscore_support(*pair)[2]
    np.testing.assert_allclose(fscore, metrics.f1_score(*pair, average=None))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: metrics.f1_score([0, 1, 2], [0, 1, 2]),
            "average='binary' is for two classes, got 3: choose average=None, 'micro'",
        ),
        (lambda: metrics.f1_score(["a", "b"], ["a", "b"]), r"pos_label must be one of the labels \['a', 'b'\], got 1"),
        (lambda: metrics.f1_score([0, 1], [0, 1], average="mean"), "average must be None"),
        (lambda: metrics.f1_score([0, 1], [0, 1], zero_division=2), "zero_division must be"),
        (lambda: metrics.f1_score([0, 1], [0, 1], zero_division=0.5), "zero_division must be .* got 0.5"),
        (lambda: metrics.f1_score([0, 1], [0, 1], pos_label=2), r"pos_label must be one of the labels \[0, 1\], got 2"),
        (lambda: metrics.f1_score(["a"], ["a"]), r"pos_label must be one of the labels \['a'\], got 1"),
        (lambda: metrics.accuracy_score([0, 1], [0, 1, 1]), "y_true and y_pred must have the same length, got 2 and 3"),
        (lambda: metrics.accuracy_score([], []), "y_true is empty"),
        (lambda: metrics.accuracy_score(1, 1), r"y_true must hold one label for each sample, .* got shape \(\)$"),
        (
            lambda: metrics.accuracy_score([0, 1], [[0.1, 0.9], [0.8, 0.2]]),
            r"y_pred must hold one label .* got shape \(2, 2\); .* scores.argmax\(1\)",
        ),
        (
            lambda: metrics.accuracy_score([0, 1], [0.2, 0.9]),
            "y_pred must hold labels, got continuous values such as 0.2",
        ),
        (lambda: metrics.accuracy_score([0, 1], [0.0, np.inf]), "y_pred must hold labels, .* such as inf"),
        (lambda: metrics.accuracy_score([0, 1], ["0", "1"]), "labels of one kind"),
        *(
            (partial(metrics.roc_auc_score, [0], [[1.0]], multi_class=multi_class, average=average), "only one class")
            for multi_class in ("ovo", "ovr")
            for average in ("macro", "weighted")
        ),
        (
            lambda: metrics.accuracy_score([0, 1], [0, 1], sample_weight=[0, 0]),
            "sample_weight must hold at least one number that is not 0",
        ),
        (
            lambda: metrics.accuracy_score([0, 1], [0, 1], sample_weight=[1]),
            r"sample_weight must have the shape \(2,\), got \(1,\)",
        ),
        (
            lambda: metrics.accuracy_score([0, 1], [0, 1], sample_weight=[1, np.nan]),
            "sample_weight holds values that are not finite, such as nan",
        ),
        (lambda: metrics.confusion_matrix([0, 1], [0, 1], labels=[]), r"labels must hold at least one label.*got \[\]"),
        (
            lambda: metrics.precision_recall_fscore_support([0, 1], [0, 1], beta=np.inf),
            "beta must be a number >= 0, got inf",
        ),
        (
            lambda: metrics.precision_recall_fscore_support([0, 1], [0, 1], beta=np.nan),
            "beta must be a number >= 0, got nan",
        ),
        (lambda: metrics.adjusted_rand_score([0, 1], [0]), "labels_true and labels_pred must have the same length"),
    ],
)
def test_labels_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tensors_and_lists():
    y_true, y_pred = minidl.Tensor(np.array([0, 1, 2, 2])), minidl.Tensor(np.array([0, 2, 2, 2]))
    assert metrics.accuracy_score(y_true, y_pred) == 0.75
    assert metrics.accuracy_score([0.0, 1.0, 2.0, 2.0], y_pred) == 0.75  # whole numbers are labels
    assert metrics.confusion_matrix(y_true, [0, 2, 2, 2]).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 2]]
    scores = minidl.Tensor(np.eye(3, dtype=np.float32)[[0, 1, 2, 1]])
    assert metrics.top_k_accuracy_score(y_true, scores, k=1) == 0.75


def test_arrays_of_a_gpu_are_fetched():
    class OnGpu:
        __cuda_array_interface__ = {}

        def get(self):
            return np.array([0, 1])

    assert metrics.accuracy_score(OnGpu(), [0, 1]) == 1 and metrics.roc_auc_score([0, 1], OnGpu()) == 1


# --- scores ---


@given(st.integers(2, 6), st.integers(1, 30), st.integers(1, 7), st.booleans(), st.booleans(), st.integers(0, 9999))
@SETTINGS
def test_top_k_accuracy(classes, n, k, weighted, ties, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    scores = rng.integers(0, 3, (n, classes)).astype(float) if ties else rng.random((n, classes))
    if classes == 2:
        scores = scores[:, 0] - 1.5 * (seed % 2)
    options = dict(k=k, labels=list(range(classes)), sample_weight=weights_for(y, weighted), normalize=bool(seed % 3))
    assert metrics.top_k_accuracy_score(y, scores, **options) == pytest.approx(
        quiet(sk.top_k_accuracy_score, y, scores, **options)
    )


def test_scores_of_two_classes_are_probabilities_from_0_to_1_or_logits():
    assert metrics.top_k_accuracy_score([0, 0, 1], [0.0, 0.5, 1.0], k=1) == 1  # above 0.5: the second class
    assert metrics.top_k_accuracy_score([0, 1, 1], [-0.1, 0.5, 1.0], k=1) == 1  # above 0
    assert metrics.top_k_accuracy_score([0, 1, 1], [0.0, 0.5, 1.1], k=1) == 1


@given(st.integers(2, 40), st.integers(0, 9999), st.booleans(), st.booleans())
@SETTINGS
def test_roc_auc_binary(n, seed, ties, weighted):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    scores = rng.integers(0, 4, n) if ties else rng.standard_normal(n)
    w = weights_for(y, weighted)
    ours = metrics.roc_auc_score(y, scores, sample_weight=w)
    assert ours == pytest.approx(sk.roc_auc_score(y, scores, sample_weight=w))
    weights = np.ones(n) if w is None else w
    pairs = [
        (weights[i] * weights[j], (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
        for i, j in itertools.product(np.flatnonzero(y), np.flatnonzero(1 - y))
    ]
    assert ours == pytest.approx(sum(a * b for a, b in pairs) / sum(a for a, _ in pairs))  # the definition


@pytest.mark.parametrize(
    "multi_class, average",
    [("ovr", "macro"), ("ovr", "weighted"), ("ovr", None), ("ovo", "macro"), ("ovo", "weighted")],
)
@given(st.integers(3, 5), st.integers(1, 8), st.integers(0, 9999), st.booleans())
@SETTINGS
def test_roc_auc_multi_class(multi_class, average, classes, repeats, seed, weighted):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.concatenate([np.arange(classes), rng.integers(0, classes, repeats * 3)]))
    scores = rng.integers(1, 5, (len(y), classes)).astype(float)
    scores /= scores.sum(axis=1, keepdims=True)
    weights = weights_for(y, weighted and multi_class == "ovr")
    options = dict(multi_class=multi_class, average=average, sample_weight=weights)
    np.testing.assert_allclose(metrics.roc_auc_score(y, scores, **options), sk.roc_auc_score(y, scores, **options))


PROBABILITIES = np.full((3, 3), 1 / 3)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: metrics.top_k_accuracy_score([0, 1, 5], PROBABILITIES, labels=[0, 1, 2]),
            r"y_true holds the label .*5.* not in labels \[0, 1, 2\]",
        ),
        (
            lambda: metrics.top_k_accuracy_score([0, 1, 1], PROBABILITIES),
            r"expected \(N, 2\) .* give all classes with labels=",
        ),
        (lambda: metrics.top_k_accuracy_score([0, 1, 2], PROBABILITIES, k=0), "k must be an int of at least 1, got 0"),
        (lambda: metrics.top_k_accuracy_score([0, 1], PROBABILITIES), "same length, got 2 and 3"),
        (lambda: metrics.top_k_accuracy_score([0, 1, 2], PROBABILITIES, labels=[2, 1, 0]), "labels must be sorted"),
        (lambda: metrics.roc_auc_score([0, 0], [0.1, 0.2]), "needs two classes in y_true, got 1"),
        (lambda: metrics.roc_auc_score([0, 1, 2], PROBABILITIES), "multi_class must be 'ovr' or 'ovo', got 'raise'"),
        (
            lambda: metrics.roc_auc_score([0, 1, 2], 2 * PROBABILITIES, multi_class="ovr"),
            r"add up to 1: pass softmax\(logits\)",
        ),
        (lambda: metrics.roc_auc_score([0, 1, 1], PROBABILITIES, multi_class="ovr"), r"shape \(N, 2\)"),
        (
            lambda: metrics.roc_auc_score([0, 1, 1], PROBABILITIES, multi_class="ovr", labels=[0, 1, 2]),
            "lacks one of them",
        ),
        (lambda: metrics.roc_auc_score([0, 1], [0.1, np.nan]), "y_score holds values that are not finite, such as nan"),
        (
            lambda: metrics.top_k_accuracy_score([0, 1, 2], PROBABILITIES * np.nan, k=1),  # would be right by chance
            "y_score holds values that are not finite, such as nan",
        ),
        (
            lambda: metrics.roc_auc_score([0, 1, 2], PROBABILITIES, multi_class="ovo", average=None),
            "multi_class='ovo' is defined for",
        ),
        (
            lambda: metrics.roc_auc_score([0, 1, 2], PROBABILITIES, multi_class="ovo", sample_weight=[1, 2, 3]),
            "multi_class='ovo' is defined for .* without sample_weight",
        ),
        (lambda: metrics.roc_auc_score([0, 1, 2], PROBABILITIES, average="micro"), "average must be .* got 'micro'"),
        (lambda: metrics.roc_auc_score([0, 1], [0.1, 0.2, 0.3]), "same length, got 2 and 3"),
        (lambda: metrics.top_k_accuracy_score([0, 1, 2], PROBABILITIES, k=True), "k must be an int .* got True"),
        (lambda: metrics.top_k_accuracy_score([0, 1, 2], PROBABILITIES, k=1.5), "k must be an int .* got 1.5"),
    ],
)
def test_scores_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- clusters ---


@given(label_pairs(classes=4))
@SETTINGS
def test_adjusted_rand_and_mutual_information(pair):
    assert metrics.adjusted_rand_score(*pair) == pytest.approx(sk.adjusted_rand_score(*pair), abs=1e-12)
    for method in ("arithmetic", "min", "geometric", "max"):
        theirs = sk.normalized_mutual_info_score(*pair, average_method=method)
        assert metrics.normalized_mutual_info_score(*pair, average_method=method) == pytest.approx(theirs, abs=1e-10)


@given(label_pairs(classes=3, longest=20))
@SETTINGS
def test_clustering_accuracy_is_the_best_matching(pair):
    y, clusters = pair
    classes, names = np.unique(y), np.unique(clusters)
    size = max(len(classes), len(names))
    padded = [*classes, *([None] * (size - len(classes)))]
    best = 0
    for matching in itertools.permutations(padded, len(names)):
        best = max(
            best,
            sum(
                int(np.sum((clusters == name) & (y == label)))
                for name, label in zip(names, matching, strict=True)
                if label is not None
            ),
        )
    assert metrics.clustering_accuracy(y, clusters) == pytest.approx(best / len(y))
    matched = metrics.match_clusters(y, clusters)
    assert len(set(matched.values())) == len(matched) == min(len(classes), len(names))
    right = sum(matched.get(name, None) == label for name, label in zip(clusters.tolist(), y.tolist()))
    assert right == best


def test_names_of_clusters_do_not_matter():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 5000)
    renamed = rng.permutation(10)[y] + 100
    for measure in (metrics.clustering_accuracy, metrics.adjusted_rand_score, metrics.normalized_mutual_info_score):
        assert measure(y, renamed) == pytest.approx(1)
        assert abs(measure(y, rng.integers(0, 10, 5000))) < 0.2
    with pytest.raises(ValueError, match="average_method must be one of"):
        metrics.normalized_mutual_info_score(y, y, average_method="mean")


@given(st.integers(3, 40), st.integers(1, 5), st.integers(0, 9999), st.sampled_from([np.float32, np.float64]))
@SETTINGS
def test_silhouette(n, features, seed, dtype):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(2, n)
    labels = rng.permutation(np.concatenate([np.arange(clusters), rng.integers(0, clusters, n - clusters)]))
    points = (rng.standard_normal((n, features)) + 3 * labels[:, None]).astype(dtype)
    np.testing.assert_allclose(
        metrics.silhouette_samples(points, labels), sk.silhouette_samples(points.astype(float), labels), atol=1e-7
    )
    assert metrics.silhouette_score(points, labels) == pytest.approx(
        sk.silhouette_score(points.astype(float), labels), abs=1e-7
    )
    distances = np.abs(points[:, None].astype(float) - points[None]).sum(-1)
    theirs = sk.silhouette_samples(distances, labels, metric="precomputed")
    np.testing.assert_allclose(metrics.silhouette_samples(distances, labels, metric="precomputed"), theirs, atol=1e-12)


def test_silhouette_of_many_blocks_far_from_the_origin():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 2500)
    points = rng.standard_normal((2500, 4)) + 2 * labels[:, None]
    expected = sk.silhouette_score(points, labels)
    assert metrics.silhouette_score(points, labels) == pytest.approx(expected, abs=1e-9)
    assert metrics.silhouette_score(points + 1e6, labels) == pytest.approx(expected, abs=1e-5)
    sampled = metrics.silhouette_score(points, labels, sample_size=800, random_state=0)
    assert sampled == metrics.silhouette_score(points, labels, sample_size=800, random_state=np.random.default_rng(0))
    assert 0 < abs(sampled - expected) < 0.05


def test_silhouette_of_a_sample_of_the_distances_is_that_of_the_points():
    rng = np.random.default_rng(0)
    labels, points = rng.integers(0, 3, 60), rng.standard_normal((60, 2))
    distances = np.sqrt(((points[:, None] - points) ** 2).sum(-1))
    for size in (30, 60):
        options = dict(sample_size=size, random_state=1)
        expected = metrics.silhouette_score(points, labels, **options)
        assert metrics.silhouette_score(distances, labels, metric="precomputed", **options) == pytest.approx(expected)
    assert expected == pytest.approx(metrics.silhouette_score(points, labels))


def test_silhouette_is_0_where_clusters_lie_on_one_point():
    points, labels = np.array([[1.0], [1.0], [1.0], [1.0], [4.0]]), [0, 0, 1, 1, 2]
    np.testing.assert_array_equal(metrics.silhouette_samples(points, labels), 0)


def test_silhouette_takes_a_diagonal_that_is_0_but_for_rounding():
    points, labels = np.array([[1.0], [2.0], [8.0], [9.0]]), [0, 0, 1, 1]
    distances = np.abs(points - points.T) + 1e-9 * np.eye(4)
    rounded = metrics.silhouette_samples(distances, labels, metric="precomputed")
    np.testing.assert_allclose(rounded, metrics.silhouette_samples(points, labels))


@pytest.mark.parametrize(
    "points, labels, options, message",
    [
        (np.zeros((4, 2)), [0, 0, 0, 0], {}, "needs 2 to N-1 clusters, got 1 for 4 samples"),
        (np.zeros((4, 2)), [0, 1, 2, 3], {}, "got 4 for 4"),
        (np.zeros((4, 2)), [0, 1, 2], {}, "X and labels must have the same length, got 4 and 3"),
        (np.zeros((4, 2, 2)), [0, 1, 1, 0], {}, r"flatten images with X.reshape"),
        (
            np.zeros((4, 2)),
            [0, 1, 1, 0],
            {"metric": "cosine"},
            "metric must be 'euclidean' or 'precomputed', got 'cosine'",
        ),
        (np.zeros((4, 2)), [0, 1, 1, 0], {"metric": "precomputed"}, r"shape \(N, N\)"),
        (np.ones((4, 4)), [0, 1, 1, 0], {"metric": "precomputed"}, "0 on its diagonal, got 1.0"),  # similarities
        (np.eye(4) - 1, [0, 1, 1, 0], {"metric": "precomputed"}, "distances of at least 0, got -1.0"),
        ([[0.0], [np.inf], [1.0]], [0, 0, 1], {}, "X holds values that are not finite, such as inf"),
        (np.zeros((4, 2)), [0, 1, 2], {"sample_size": 2}, "X and labels must have the same length, got 4 and 3"),
        (np.zeros((4, 2)), [0, 1, 1, 0], {"sample_size": 9}, r"sample_size must lie in 1\.\.4"),
    ],
)
def test_silhouette_refuses(points, labels, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.silhouette_score(points, labels, **options)
