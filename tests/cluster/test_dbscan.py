"""DBSCAN: the labels of scikit-learn, and its definition checked pair by pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.cluster import DBSCAN
from minidl.metrics import adjusted_rand_score

sklearn_cluster = pytest.importorskip("sklearn.cluster")


@pytest.mark.parametrize(("eps", "min_samples"), [(18, 5), (20, 4), (22, 5), (25, 10), (1, 1), (100, 5)])
def test_digits_are_labelled_as_by_scikit_learn(digits, eps, min_samples):
    expected = sklearn_cluster.DBSCAN(eps=eps, min_samples=min_samples).fit(digits)
    found = DBSCAN(eps, min_samples=min_samples).fit(digits)
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    assert adjusted_rand_score(expected.labels_, found.labels_) == 1
    np.testing.assert_array_equal(found.core_sample_indices_, expected.core_sample_indices_)
    np.testing.assert_array_equal(found.components_, expected.components_)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 50), st.integers(1, 3), st.floats(0.3, 2.5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_labels_are_those_of_scikit_learn_at_all_shapes(N, D, eps, min_samples, seed):
    X = np.random.default_rng(seed).integers(0, 6, (N, D)) + 0.0  # many equal distances and duplicates
    expected = sklearn_cluster.DBSCAN(eps=eps, min_samples=min_samples, algorithm="brute").fit(X)
    found = DBSCAN(eps, min_samples=min_samples).fit(X)
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_array_equal(found.core_sample_indices_, expected.core_sample_indices_)


def test_rings_are_clusters_and_the_point_between_is_noise():
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = DBSCAN(0.35, min_samples=3).fit_predict(np.concatenate([ring, 3 * ring, [[0.0, 2.0]]]))
    np.testing.assert_array_equal(found, np.repeat([0, 1, -1], [60, 60, 1]))


def test_a_sample_between_two_clusters_joins_the_first():
    low, high = np.array([-0.4, -0.3, -0.2, -0.1, 0.0]), np.array([2.0, 2.1, 2.2, 2.3, 2.4])
    for first, second in [(low, high), (high, low)]:
        X = np.concatenate([[1.0], first, second])[:, None]  # 1 has the cores 0 and 2 within 1, too few to be one
        found = DBSCAN(1.0, min_samples=5).fit(X)
        assert found.core_sample_indices_.tolist() == list(range(1, 11))
        np.testing.assert_array_equal(found.labels_, [0] * 6 + [1] * 5)


def test_duplicates_count_and_one_sample_is_noise():
    assert DBSCAN(0.1, min_samples=5).fit_predict(np.zeros((5, 2))).tolist() == [0] * 5
    assert DBSCAN(0.1, min_samples=6).fit_predict(np.zeros((5, 2))).tolist() == [-1] * 5
    one = DBSCAN().fit([[1.0, 2.0]])
    assert one.labels_.tolist() == [-1] and one.core_sample_indices_.shape == (0,) and one.components_.shape == (0, 2)
    assert DBSCAN(min_samples=1).fit_predict([[1.0, 2.0]]).tolist() == [0]


def test_arrays_of_a_gpu_are_fetched():
    class OnGpu:
        __cuda_array_interface__ = {}

        def get(self):
            return np.array([[0.0], [0.1], [9.0]])

    assert DBSCAN(min_samples=2).fit_predict(OnGpu()).tolist() == [0, 0, -1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"eps": 0}, ValueError, "eps must be a number above 0, got 0"),
        ({"eps": np.nan}, ValueError, "eps must be a number above 0, got nan"),
        ({"eps": "1"}, TypeError, "eps must be a number, got '1'"),
        ({"min_samples": 0}, ValueError, "min_samples must be at least 1, got 0"),
        ({"min_samples": 1.5}, TypeError, "min_samples must be an integer, got 1.5"),
        ({"min_samples": True}, TypeError, "min_samples must be an integer, got True"),
        ({"eps": True}, TypeError, "eps must be a number, got True"),
    ],
)
def test_what_is_wrong_is_named(options, error, message):
    with pytest.raises(error, match=message):
        DBSCAN(**options).fit(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"X holds nan at \[0, 0\]"):
        DBSCAN().fit([[np.nan]])


def test_it_shows_its_parameters():
    assert repr(DBSCAN(0.25)) == "DBSCAN(eps=0.25, min_samples=5)"
