"""AgglomerativeClustering: scikit-learn's tree and cuts, SciPy's distances, and the formulas from their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.cluster import AgglomerativeClustering
from minidl.cluster.agglomerative import LINKAGES
from minidl.metrics import adjusted_rand_score

sklearn_cluster = pytest.importorskip("sklearn.cluster")


@pytest.mark.parametrize("linkage", LINKAGES)
def test_digits_are_clustered_as_by_scikit_learn(digits, linkage):
    for n_clusters in (2, 10, 40):
        found = AgglomerativeClustering(n_clusters, linkage=linkage).fit(digits)
        expected = sklearn_cluster.AgglomerativeClustering(n_clusters, linkage=linkage, compute_distances=True)
        expected.fit(digits)
        assert adjusted_rand_score(expected.labels_, found.labels_) == 1
        np.testing.assert_allclose(found.distances_, expected.distances_)
    assert found.children_.shape == (1796, 2) and (np.diff(found.distances_) >= 0).all()
    assert sorted(found.children_.ravel()) == list(range(2 * 1797 - 2))  # each cluster but the last is merged once
    threshold = float(found.distances_[-30])
    cut = AgglomerativeClustering(None, linkage=linkage, distance_threshold=threshold).fit(digits)
    other = sklearn_cluster.AgglomerativeClustering(None, linkage=linkage, distance_threshold=threshold).fit(digits)
    assert cut.n_clusters_ == other.n_clusters_ and adjusted_rand_score(cut.labels_, other.labels_) == 1


def members(children, N):
    """The samples of every cluster."""
    found = [[n] for n in range(N)]
    for first, second in children.tolist():
        found.append(found[first] + found[second])
    return found


def distance(X, a, b, linkage):
    """The distance of two clusters of samples, from its definition."""
    pairs = np.sqrt(((X[a][:, None] - X[b]) ** 2).sum(2))
    if linkage == "ward":
        return np.sqrt(2 * len(a) * len(b) / (len(a) + len(b))) * np.linalg.norm(X[a].mean(0) - X[b].mean(0))
    return {"single": np.min, "complete": np.max, "average": np.mean}[linkage](pairs)


@pytest.mark.parametrize("linkage", LINKAGES)
@settings(max_examples=25, deadline=None)
@given(N=st.integers(2, 25), D=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_every_merger_is_of_the_two_nearest(linkage, N, D, seed):
    X = np.random.default_rng(seed).standard_normal((N, D))
    found = AgglomerativeClustering(1, linkage=linkage).fit(X)
    clusters = members(found.children_, N)
    alive = set(range(N))
    for number, (i, j) in enumerate(found.children_.tolist()):
        best = min(distance(X, clusters[a], clusters[b], linkage) for a in alive for b in alive if a < b)
        assert found.distances_[number] == pytest.approx(distance(X, clusters[i], clusters[j], linkage))
        assert found.distances_[number] == pytest.approx(best)
        alive = alive - {i, j} | {N + number}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(LINKAGES)), st.integers(1, 30), st.integers(1, 3), st.data())
def test_a_cut_has_its_number_of_clusters(linkage, N, D, draw):
    X = np.random.default_rng(N).integers(0, 4, (N, D)) + 0.0  # equal distances and duplicates
    n_clusters = draw.draw(st.integers(1, N))
    labels = AgglomerativeClustering(n_clusters, linkage=linkage).fit_predict(X)
    assert labels.shape == (N,) and list(dict.fromkeys(labels.tolist())) == list(range(n_clusters))


@pytest.mark.parametrize("linkage", LINKAGES)
def test_duplicates_are_merged_first_and_at_no_distance(linkage):
    X = np.array([[5.0, 1.0], [0.1, 0.2], [5.0, 1.0], [0.1, 0.2], [0.1, 0.2]])
    found = AgglomerativeClustering(2, linkage=linkage).fit(X)
    assert found.labels_.tolist() == [0, 1, 0, 1, 1]
    assert (found.distances_[:3] == 0).all() and found.distances_[3] > 1


def test_a_threshold_keeps_apart_what_is_at_it_or_above():
    X = np.array([[0.0], [1.0], [3.0]])
    for threshold, n_clusters in [(0, 3), (1, 3), (1.5, 2), (2, 2), (2.5, 1)]:
        found = AgglomerativeClustering(None, linkage="single", distance_threshold=threshold).fit(X)
        assert found.n_clusters_ == n_clusters == len(set(found.labels_))


def test_one_sample_is_a_cluster():
    found = AgglomerativeClustering(1).fit([[1.0, 2.0]])
    assert found.labels_.tolist() == [0] and found.children_.shape == (0, 2) and found.distances_.shape == (0,)
    assert AgglomerativeClustering(None, distance_threshold=1).fit([[1.0]]).n_clusters_ == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_clusters": 4}, ValueError, "n_clusters must be in 1..3, the number of samples, got 4"),
        ({"linkage": "centroid"}, ValueError, "linkage must be one of single, complete, average, ward, got 'centroid'"),
        ({"distance_threshold": 1.0}, ValueError, "give n_clusters or distance_threshold.*got 2 and 1.0"),
        ({"n_clusters": None}, ValueError, "give n_clusters or distance_threshold"),
        ({"n_clusters": None, "distance_threshold": -1}, ValueError, "distance_threshold must be a number of"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(options, error, message):
    with pytest.raises(error, match=message):
        AgglomerativeClustering(**options).fit(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"X holds nan at \[0, 0\]"):
        AgglomerativeClustering().fit([[np.nan], [1.0]])


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_whose_distances_overflow_are_refused_and_no_others(linkage, dtype):
    """With infinite distances, the chain of nearest neighbours never ended."""
    X = np.array([[0.0], [1.0], [5.0], [7.0]], dtype)
    largest = float(np.sqrt(np.finfo(dtype).max / 4) / 2)
    model = AgglomerativeClustering(2, linkage=linkage)
    assert (
        model.fit_predict(X * dtype(largest / 7.001)).tolist() == [0, 0, 1, 1] and np.isfinite(model.distances_).all()
    )
    for unusable in (X * dtype(largest / 6.9), X * dtype(-largest / 6.9)):
        with pytest.raises(ValueError, match=r"X holds numbers up to .* overflow float\d\d; scale it to"):
            model.fit(unusable)
