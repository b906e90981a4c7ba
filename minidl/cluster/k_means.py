"""K-means: K centres, each the mean of the samples that are nearer to it than to any other centre."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl import kernels
from minidl.cluster.samples import Clustering, as_samples, check_count, check_number

BLOCK = 4096  # samples at once: their products with the centres are used while still in the cache


class KMeans(Clustering):
    """K clusters with the smallest inertia, the sum of the squared distances of the samples to their centres.

        inertia = sum_n |x[n] - c[label[n]]|^2

    Lloyd's algorithm repeats two steps, neither of which can raise the inertia, until no label changes:

        label[n] = argmin_k |x[n] - c[k]|^2        c[k] = mean of the x[n] with label[n] = k

    It ends in a local minimum that depends on where it starts, so it can be run from several starts; the best is kept.

    Parameters
    ----------
    n_clusters : int
        K.
    init : {"k-means++", "random"} or array (K, D)
        The centres to start from: samples far apart, any samples, or these.
    n_init : "auto" or int
        How many starts; "auto" is 1 with "k-means++" and with an array, 10 with "random".
    max_iter : int
        Steps of one run at most.
    tol : float
        A run also ends when the centres moved by no more than this: sum_k |c'[k] - c[k]|^2 <= tol * the mean variance
        of the features.
    random_state : int or numpy.random.Generator, optional
        Draws the starts; with an int they are the same each time.

    Attributes
    ----------
    cluster_centers_ : array (K, D)
    labels_ : array (N,) of int32
        The nearest centre of each sample.
    inertia_ : float
    n_iter_ : int
        Steps of the run that was kept.

    Warns
    -----
    RuntimeWarning
        If there are fewer distinct samples than clusters; some clusters are empty then.

    Notes
    -----
    A cluster that loses all its samples restarts at the sample that is farthest from its own centre. float32 samples
    are computed with in float32; the sums of 4,096 samples each, and the inertia, are added up in float64.

    Sources: S. Lloyd, "Least squares quantization in PCM", 1982; D. Arthur, S. Vassilvitskii, "k-means++: the
    advantages of careful seeding", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.cluster import KMeans
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]])
    >>> found = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> bool(found.labels_[0] == found.labels_[1] != found.labels_[2]), found.inertia_
    (True, 1.0)
    >>> sorted(found.cluster_centers_.tolist())
    [[0.0, 0.5], [9.0, 0.5]]
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str | Any = "k-means++",
        n_init: str | int = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: int | np.random.Generator | None = None,
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> KMeans:
        """Find the clusters of X (N, D); `y` is not used."""
        X = as_samples(X)
        check_count(self.n_clusters, "n_clusters", 1, len(X), ", the number of samples")
        check_count(self.max_iter, "max_iter")
        check_number(self.tol, "tol", above_zero=False)
        starts = self._number_of_starts()
        random = np.random.default_rng(self.random_state)

        offset = X.mean(axis=0)
        X = X - offset  # the same distances, rounded less
        squares = _squares(X)  # (N,)
        # mean variance of the features = sum_nd x[n,d]^2 / (N D), about the mean
        tolerance = self.tol * float(squares.sum(dtype=np.float64)) / X.size
        best = None
        for _ in range(starts):
            centers = self._initial_centers(X, squares, offset, random)
            found = _lloyd(X, squares, centers, self.max_iter, tolerance)
            if best is None or found[2] < best[2]:
                best = found
        centers, self.labels_, self.inertia_, self.n_iter_ = best
        self.cluster_centers_ = centers + offset
        found = len(np.unique(self.labels_))
        if found < self.n_clusters:
            warnings.warn(
                f"only {found} of n_clusters={self.n_clusters} clusters have samples: X holds too few different points",
                RuntimeWarning,
                stacklevel=2,
            )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The nearest centre of each sample, (N,)."""
        X, centers = self._as_fitted(X)
        return _assign(X, centers)

    def transform(self, X: Any) -> np.ndarray:
        """The distance of each sample to each centre, (N, K): sqrt(|x[n]|^2 - 2 x[n].c[k] + |c[k]|^2)."""
        X, centers = self._as_fitted(X)
        return np.sqrt(np.maximum(_squares(X)[:, None] + _partial_distances(X, centers), 0))

    def score(self, X: Any, y: Any = None) -> float:
        """The negative inertia of X about the centres that were found."""
        X, centers = self._as_fitted(X)
        return -_inertia(X, centers, _assign(X, centers))

    def _as_fitted(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Samples and centres, both shifted by the mean of the centres, in one dtype."""
        if not hasattr(self, "cluster_centers_"):
            raise ValueError("this KMeans has no clusters yet: call fit first")
        X = as_samples(X)
        if X.shape[1] != self.cluster_centers_.shape[1]:
            raise ValueError(f"X must have {self.cluster_centers_.shape[1]} features as in fit, got {X.shape[1]}")
        centers = self.cluster_centers_.astype(X.dtype)
        offset = centers.mean(axis=0)
        return X - offset, centers - offset

    def _number_of_starts(self) -> int:
        given = not isinstance(self.init, str)
        if not given and self.init not in ("k-means++", "random"):
            raise ValueError(f"init must be 'k-means++', 'random' or an array of centres, got {self.init!r}")
        if self.n_init == "auto":
            return 10 if not given and self.init == "random" else 1
        check_count(self.n_init, "n_init")
        return 1 if given else self.n_init

    def _initial_centers(
        self, X: np.ndarray, squares: np.ndarray, offset: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        if not isinstance(self.init, str):
            centers = as_samples(self.init, "init").astype(X.dtype)
            if centers.shape != (self.n_clusters, X.shape[1]):
                raise ValueError(f"init must have the shape {(self.n_clusters, X.shape[1])}, got {centers.shape}")
            return centers - offset
        if self.init == "random":
            return X[random.choice(len(X), self.n_clusters, replace=False)]
        return _plus_plus(X, squares, self.n_clusters, random)


def _plus_plus(X: np.ndarray, squares: np.ndarray, K: int, random: np.random.Generator) -> np.ndarray:
    """K samples to start from, far apart: each is drawn with probability d^2 / sum d^2, the best of 2 + log K draws.

    d is the distance to the nearest centre so far; the best draw is that with the smallest sum of d^2 afterwards.
    """
    trials = 2 + int(np.log(K))
    chosen = [int(random.integers(len(X)))]
    nearest = np.maximum(squares + _partial_distances(X, X[chosen])[:, 0], 0)  # d^2, (N,)
    nearest[chosen] = 0
    while len(chosen) < K:
        # sample n is the part of the line from line[n-1] to line[n], d[n]^2 long; a point on the line chooses a sample
        line = np.cumsum(nearest, dtype=np.float64)
        candidates = np.searchsorted(line, random.random(trials) * line[-1], side="right")
        candidates = np.minimum(candidates, len(X) - 1)
        distances = np.maximum(squares[:, None] + _partial_distances(X, X[candidates]), 0)  # (N, trials)
        distances = np.minimum(distances, nearest[:, None])
        best = int(distances.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(candidates[best]))
        nearest = distances[:, best]
        nearest[chosen] = 0  # exactly, whatever the rounding
    return X[chosen]


def _lloyd(
    X: np.ndarray, squares: np.ndarray, centers: np.ndarray, max_iter: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray, float, int]:
    """(centers, labels, inertia, steps) of Lloyd's algorithm from these centres."""
    labels, steps, moved = np.full(len(X), -1, np.int32), 0, np.inf
    while steps < max_iter and moved > tolerance:
        before = labels
        labels, means = _step(X, squares, centers)
        moved = float(((means - centers).astype(np.float64) ** 2).sum())
        centers = means
        steps += 1
        if np.array_equal(labels, before):
            break
    else:
        labels = _assign(X, centers)  # to the centres of the last step
    return centers, labels, _inertia(X, centers, labels), steps


def _step(X: np.ndarray, squares: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of Lloyd's: the nearest centre of each sample, and the means of the clusters that this makes."""
    K = len(centers)
    labels, distances = np.empty(len(X), np.int32), np.empty(len(X), X.dtype)
    sums, counts = np.zeros(centers.shape), np.zeros(K, np.int64)
    for rows, block in _blocks(X):
        labels[rows], distances[rows] = _nearest(block, centers)
        # sums[k,d] = sum_n member[n,k] * x[n,d], a matrix product
        member = (labels[rows, None] == np.arange(K)).astype(X.dtype)  # (n, K)
        sums += kernels.matmul.forward(member.T, block)
        counts += np.bincount(labels[rows], minlength=K)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        _refill(X, labels, distances + squares, empty, sums, counts)
    # an empty cluster that could not be refilled keeps its centre
    means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centers)
    return labels, means.astype(X.dtype)


def _refill(
    X: np.ndarray, labels: np.ndarray, distances: np.ndarray, empty: np.ndarray, sums: np.ndarray, counts: np.ndarray
) -> None:
    """Move the samples farthest from their centres into the empty clusters, one each; changes sums and counts."""
    farthest = np.argpartition(distances, -len(empty))[-len(empty) :]
    farthest = farthest[np.argsort(-distances[farthest], kind="stable")]
    for cluster, sample in zip(empty, farthest):
        if distances[sample] <= 0:  # every sample is a centre already
            return
        sums[labels[sample]] -= X[sample]
        counts[labels[sample]] -= 1
        sums[cluster], counts[cluster] = X[sample], 1


def _assign(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """The nearest centre of each sample, int32 (N,)."""
    return np.concatenate([_nearest(block, centers)[0] for _, block in _blocks(X)])


def _nearest(X: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each sample, int32 (N,), and |x - c|^2 - |x|^2 of it."""
    distances = _partial_distances(X, centers)
    labels = distances.argmin(axis=1).astype(np.int32)
    return labels, distances[np.arange(len(X)), labels]


def _partial_distances(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """|c[k]|^2 - 2 x[n].c[k], (N, K): the squared distance without |x[n]|^2, which is the same for all k."""
    products = kernels.matmul.forward(X, centers.T)
    products *= -2
    products += _squares(centers)
    return products


def _inertia(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> float:
    """sum_n |x[n] - c[label[n]]|^2, from the differences, added up in float64."""
    return sum(float(_squares(block - centers[labels[rows]]).sum(dtype=np.float64)) for rows, block in _blocks(X))


def _squares(X: np.ndarray) -> np.ndarray:
    """|x[n]|^2, (N,)."""
    return np.einsum("nd,nd->n", X, X)


def _blocks(X: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, X[rows]
