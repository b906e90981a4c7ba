"""KMeans: scikit-learn's values from the same start, as good a minimum from its own, and what it does at the edges."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.cluster import KMeans, k_means
from minidl.metrics import adjusted_rand_score

sklearn_cluster = pytest.importorskip("sklearn.cluster")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"tol": 0}, {"tol": 1e-2}, {"max_iter": 3}])
def test_the_same_start_ends_where_scikit_learn_ends(digits, dtype, options):
    X = digits.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of max_iter
        expected = sklearn_cluster.KMeans(10, init=X[:10], n_init=1, **options).fit(X)
    found = KMeans(10, init=X[:10], **options).fit(X)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-6)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    np.testing.assert_allclose(found.transform(X), expected.transform(X), rtol=1e-3)
    assert found.score(X) == pytest.approx(expected.score(X), rel=1e-6)
    assert found.cluster_centers_.dtype == found.transform(X).dtype == dtype and found.labels_.dtype == np.int32


def test_its_own_starts_find_as_good_a_minimum(digits):
    ours = KMeans(10, n_init=10, random_state=0).fit(digits)
    theirs = sklearn_cluster.KMeans(10, n_init=10, random_state=0).fit(digits)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=2e-3)
    assert adjusted_rand_score(ours.labels_, theirs.labels_) > 0.9


def test_plus_plus_starts_lower_than_any_samples(digits):
    """Over 20 starts: the inertia about the centres before the first step."""
    squares = (digits**2).sum(1)
    random = np.random.default_rng(0)

    def inertia(centers):
        return sum(((digits[:, None] - centers) ** 2).sum(2).min(1))

    chosen = [inertia(k_means._plus_plus(digits, squares, 10, random)) for _ in range(20)]
    anyhow = [inertia(digits[random.choice(len(digits), 10, replace=False)]) for _ in range(20)]
    assert np.mean(chosen) < 0.95 * np.mean(anyhow)


def test_plus_plus_never_draws_a_point_twice_while_there_are_others():
    X = np.repeat(np.eye(6), 50, axis=0) * 3
    for seed in range(20):
        found = KMeans(6, random_state=seed, max_iter=1).fit(X)
        assert found.inertia_ == pytest.approx(0, abs=1e-20)


def test_the_random_state_alone_decides(digits):
    def centers(state):
        return KMeans(5, random_state=state).fit(digits).cluster_centers_

    np.testing.assert_array_equal(centers(3), centers(3))
    np.testing.assert_array_equal(centers(3), centers(np.random.default_rng(3)))
    assert not np.array_equal(centers(3), centers(4))


def test_more_starts_are_never_worse(digits):
    inertias = [KMeans(10, init="random", n_init=n, random_state=1).fit(digits).inertia_ for n in (1, 5, "auto")]
    assert inertias[0] >= inertias[1] >= inertias[2] and inertias[0] > inertias[2]


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        ({}, 1),
        ({"n_init": 3}, 3),
        ({"init": "random"}, 10),
        ({"init": "random", "n_init": 2}, 2),
        ({"init": np.eye(4, 6)}, 1),
        ({"init": np.eye(4, 6), "n_init": 5}, 1),  # all five would be the same
    ],
)
def test_how_many_starts_there_are_and_that_their_centres_differ(monkeypatch, options, starts):
    given = []

    def lloyd(X, squares, centers, *rest, run=k_means._lloyd):
        given.append(centers)
        return run(X, squares, centers, *rest)

    monkeypatch.setattr(k_means, "_lloyd", lloyd)
    KMeans(4, random_state=0, **options).fit(np.eye(6))
    assert len(given) == starts
    assert all(len(np.unique(centers, axis=0)) == 4 for centers in given)


def test_large_coordinates_do_not_blur_the_distances():
    random = np.random.default_rng(0)
    X = (1e4 + np.repeat([0.0, 1.0], 50) + 0.01 * random.standard_normal(100)).astype(np.float32)[:, None]
    found = KMeans(2, random_state=0).fit(X)
    assert adjusted_rand_score(found.labels_, np.repeat([0, 1], 50)) == 1
    np.testing.assert_array_equal(found.predict(X), found.labels_)
    assert found.transform(X).min(1).max() < 0.05


def test_an_empty_cluster_starts_anew_at_the_farthest_sample():
    X = np.array([[0.0], [1.0], [2.0], [50.0]])
    found = KMeans(3, init=[[1.0], [40.0], [1000.0]]).fit(X)
    assert set(found.labels_) == {0, 1, 2}
    expected = sklearn_cluster.KMeans(3, init=np.array([[1.0], [40.0], [1000.0]]), n_init=1).fit(X)
    assert found.inertia_ == pytest.approx(expected.inertia_)


def test_several_empty_clusters_start_anew_at_the_farthest_samples_the_farthest_first():
    X = np.array([80.0, 50.0, *np.tile(np.arange(5.0), 10)])[:, None]
    found = KMeans(3, init=[[1.0], [500.0], [1000.0]], max_iter=1).fit(X)
    np.testing.assert_allclose(found.cluster_centers_, [[2.0], [80.0], [50.0]])


def test_a_cluster_that_stays_empty_keeps_its_centre():
    with pytest.warns(RuntimeWarning, match="only 2 of n_clusters=3"):
        found = KMeans(3, init=[[0.0], [2.0], [9.0]]).fit([[0.0], [2.0], [2.0]])
    np.testing.assert_allclose(found.cluster_centers_, [[0.0], [2.0], [9.0]])


def test_fewer_points_than_clusters_is_said_and_leaves_clusters_empty():
    X = np.repeat([[1.0, 2.0], [3.0, 4.0]], 5, axis=0)
    with pytest.warns(RuntimeWarning, match="only 2 of n_clusters=4 clusters have samples") as caught:
        found = KMeans(4, random_state=0).fit(X)
    assert caught[0].filename == __file__  # of the line to change
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KMeans(2, random_state=0).fit(X)
    assert found.inertia_ == 0 and np.isfinite(found.cluster_centers_).all()
    np.testing.assert_array_equal(found.labels_, np.repeat(found.labels_[[0, 5]], 5))


def test_one_sample_is_its_own_centre():
    found = KMeans(1).fit([[2.0, 3.0]])
    assert found.labels_.tolist() == [0] and found.inertia_ == 0 and found.cluster_centers_.tolist() == [[2, 3]]


def test_tensors_and_lists_are_samples_too(digits):
    expected = KMeans(3, random_state=0).fit_predict(digits)
    np.testing.assert_array_equal(KMeans(3, random_state=0).fit_predict(minidl.Tensor(digits)), expected)
    np.testing.assert_array_equal(KMeans(3, random_state=0).fit_predict(digits.tolist()), expected)
    as_bytes = digits.astype(np.uint8)
    found = KMeans(3, random_state=0).fit(as_bytes)
    np.testing.assert_array_equal(found.labels_, expected)
    np.testing.assert_array_equal(found.transform(as_bytes), found.transform(digits))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 8), st.integers(0, 2**32 - 1), st.booleans())
def test_at_the_end_labels_are_nearest_and_centres_are_means(N, D, K, seed, coarse):
    random = np.random.default_rng(seed)
    X = random.integers(0, 3, (N, D)).astype(float) if coarse else random.standard_normal((N, D))
    K = min(K, N)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = KMeans(K, tol=0, random_state=seed).fit(X)
    distances = ((X[:, None] - found.cluster_centers_) ** 2).sum(2)
    np.testing.assert_allclose(distances[np.arange(N), found.labels_], distances.min(1), atol=1e-9)
    assert found.inertia_ == pytest.approx(distances.min(1).sum(), abs=1e-9)
    for k in set(found.labels_):
        np.testing.assert_allclose(found.cluster_centers_[k], X[found.labels_ == k].mean(0), atol=1e-9)
    np.testing.assert_allclose(found.transform(X) ** 2, distances, atol=1e-9)


@pytest.mark.parametrize("N", [k_means.BLOCK, k_means.BLOCK + 1])
def test_blocks_of_samples_are_the_whole(N):
    X = np.random.default_rng(0).standard_normal((N, 3))
    init = X[:4]
    expected = sklearn_cluster.KMeans(4, init=init, n_init=1, tol=0).fit(X)
    found = KMeans(4, init=init, tol=0).fit(X)
    np.testing.assert_array_equal(found.labels_, expected.labels_)


@pytest.mark.parametrize(
    ("options", "X", "error", "message"),
    [
        ({"n_clusters": 5}, np.zeros((4, 2)), ValueError, "n_clusters must be in 1..4, the number of samples, got 5"),
        ({"n_clusters": 0}, np.zeros((4, 2)), ValueError, "n_clusters must be in 1..4"),
        ({"n_clusters": 2.0}, np.zeros((4, 2)), TypeError, "n_clusters must be an integer, got 2.0"),
        ({"n_clusters": 2, "init": "kmeans"}, np.zeros((4, 2)), ValueError, "init must be 'k-means.*, got 'kmeans'"),
        ({"n_clusters": 2, "init": np.zeros((3, 2))}, np.zeros((4, 2)), ValueError, r"shape \(2, 2\), got \(3, 2\)"),
        ({"n_clusters": 2, "n_init": 0}, np.zeros((4, 2)), ValueError, "n_init must be at least 1, got 0"),
        ({"n_clusters": 2, "tol": -1}, np.zeros((4, 2)), ValueError, "tol must be a number of at least 0"),
        ({"n_clusters": 2, "max_iter": 0}, np.zeros((4, 2)), ValueError, "max_iter must be at least 1"),
        ({"n_clusters": 1}, [[1.0, np.nan]], ValueError, r"X holds nan at \[0, 1\]"),
        ({"n_clusters": 1}, [[1.0], [-np.inf]], ValueError, r"X holds -inf at \[1, 0\]"),
        ({"n_clusters": 1}, np.zeros((2, 1, 3, 3)), ValueError, r"flatten images with X.reshape\(len\(X\), -1\)"),
        ({"n_clusters": 1}, np.zeros(3), ValueError, r"X.reshape\(-1, 1\)"),
        ({"n_clusters": 1}, np.zeros((0, 3)), ValueError, r"at least one sample .* shape \(0, 3\)"),
        ({"n_clusters": 1}, [["a"]], TypeError, "X must hold real numbers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(options, X, error, message):
    with pytest.raises(error, match=message):
        KMeans(**options).fit(X)


def test_prediction_needs_a_fit_and_its_features():
    with pytest.raises(ValueError, match="call fit first"):
        KMeans(2).predict([[1.0]])
    found = KMeans(1).fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match="X must have 2 features as in fit, got 3"):
        found.predict([[1.0, 2.0, 3.0]])
