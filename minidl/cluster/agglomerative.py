"""Agglomerative clustering: at first each sample is a cluster; then the two nearest are merged until one is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.cluster.samples import Clustering, as_samples, by_first_sample, check_count, check_number

# The distance of cluster k to the merged cluster i+j, from those before (G. Lance, W. Williams, "A general theory of
# classificatory sorting strategies", 1967). d_i = d(i,k) and d_j = d(j,k) are arrays over k, d_ij is a number; n_i, n_j
# and n_k are the clusters' sizes. Of "ward" the distances are squared.
Update = Callable[[np.ndarray, np.ndarray, float, int, int, np.ndarray], np.ndarray]
LINKAGES: dict[str, Update] = {
    # d(i+j,k) = min(d_i, d_j), the distance of the nearest two samples
    "single": lambda d_i, d_j, d_ij, n_i, n_j, n_k: np.minimum(d_i, d_j),
    # d(i+j,k) = max(d_i, d_j), the distance of the farthest two samples
    "complete": lambda d_i, d_j, d_ij, n_i, n_j, n_k: np.maximum(d_i, d_j),
    # d(i+j,k) = (n_i d_i + n_j d_j) / (n_i + n_j), the mean over all pairs of samples
    "average": lambda d_i, d_j, d_ij, n_i, n_j, n_k: (n_i * d_i + n_j * d_j) / (n_i + n_j),
    # d(i+j,k) = ((n_i + n_k) d_i + (n_j + n_k) d_j - n_k d_ij) / (n_i + n_j + n_k), twice what a merger adds to the
    # inertia (J. Ward, "Hierarchical grouping to optimize an objective function", 1963)
    "ward": lambda d_i, d_j, d_ij, n_i, n_j, n_k: (
        ((n_i + n_k) * d_i + (n_j + n_k) * d_j - n_k * d_ij) / (n_i + n_j + n_k)
    ),
}


class AgglomerativeClustering(Clustering):
    """Merge the two nearest clusters again and again, which gives a tree, and cut the tree into clusters.

    Parameters
    ----------
    n_clusters : int or None
        Cut the tree where it has this many clusters.
    linkage : {"ward", "complete", "average", "single"}
        The distance of two clusters; the formulas are in `LINKAGES`.
    distance_threshold : float, optional
        Or, with ``n_clusters=None``: do not merge clusters at this distance or above it.

    Attributes
    ----------
    children_ : array (N-1, 2)
        The two clusters of each merger: numbers below N are samples, N+i is the cluster of merger i.
    distances_ : array (N-1,)
        The distance of the two, ascending; with "ward" it is sqrt(2 n_i n_j / (n_i + n_j)) |mean_i - mean_j|.
    labels_ : array (N,) of int64
        The cluster of each sample, numbered in the order of their first samples.
    n_clusters_, n_leaves_ : int
        The number of clusters, and N.

    Notes
    -----
    The mergers are found along chains of nearest neighbours: from any cluster to its nearest, to that one's nearest,
    and so on, until two clusters are each other's nearest. These two can be merged at once, even if other pairs are
    nearer, because no merger brings a cluster nearer to others than its parts were. Time and memory grow with N^2
    (20,000 samples take 3.2 GB).

    Source: D. Müllner, "Modern hierarchical, agglomerative clustering algorithms", 2011, figure 3.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.cluster import AgglomerativeClustering
    >>> X = np.array([[0.0], [1.0], [5.0], [7.0]])
    >>> found = AgglomerativeClustering(n_clusters=2, linkage="single").fit(X)
    >>> found.labels_, found.distances_
    (array([0, 0, 1, 1]), array([1., 2., 4.]))
    >>> found.children_.tolist()
    [[0, 1], [2, 3], [4, 5]]
    """

    def __init__(self, n_clusters: int | None = 2, *, linkage: str = "ward", distance_threshold: float | None = None):
        self.n_clusters = n_clusters
        self.linkage = linkage
        self.distance_threshold = distance_threshold

    def fit(self, X: Any, y: Any = None) -> AgglomerativeClustering:
        """Build the tree of X (N, D) and cut it; `y` is not used."""
        X = as_samples(X)
        self._check(len(X))
        self.children_, self.distances_ = _build_tree(X, self.linkage)
        self.n_leaves_ = len(X)
        if self.n_clusters is not None:
            self.n_clusters_ = int(self.n_clusters)
        else:
            self.n_clusters_ = 1 + int((self.distances_ >= self.distance_threshold).sum())
        self.labels_ = _cut(self.children_, self.n_leaves_ - self.n_clusters_, self.n_leaves_)
        return self

    def _check(self, samples: int) -> None:
        if self.linkage not in LINKAGES:
            raise ValueError(f"linkage must be one of {', '.join(LINKAGES)}, got {self.linkage!r}")
        if (self.n_clusters is None) == (self.distance_threshold is None):
            raise ValueError(
                f"give n_clusters or distance_threshold, and None for the other; got {self.n_clusters} and "
                f"{self.distance_threshold}"
            )
        if self.n_clusters is None:
            check_number(self.distance_threshold, "distance_threshold", above_zero=False)
        else:
            check_count(self.n_clusters, "n_clusters", 1, samples, ", the number of samples")


def _build_tree(X: np.ndarray, linkage: str) -> tuple[np.ndarray, np.ndarray]:
    """(children, distances) of all mergers, the nearest first."""
    from scipy.spatial.distance import cdist

    X = X.astype(np.float64)
    d = cdist(X, X, "sqeuclidean" if linkage == "ward" else "euclidean")  # (N, N)
    np.fill_diagonal(d, np.inf)
    pairs, distances = _merge_along_chains(d, LINKAGES[linkage])
    if linkage == "ward":
        distances = np.sqrt(distances)
    order = np.argsort(distances, kind="stable")
    return _number_clusters(pairs[order]), distances[order]


def _merge_along_chains(d: np.ndarray, update: Update) -> tuple[np.ndarray, np.ndarray]:
    """Merge all clusters: (pairs (N-1, 2), distances (N-1,)) in the order found, each cluster named by one sample.

    `d` is overwritten: row and column i are those of cluster i, infinite on the diagonal and once i was merged into
    another.
    """
    N = len(d)
    size = np.ones(N)
    alive = np.ones(N, bool)
    pairs, distances = np.empty((N - 1, 2), np.int64), np.empty(N - 1)
    chain: list[int] = []
    for merger in range(N - 1):
        if not chain:
            chain.append(int(alive.argmax()))
        while True:
            i = chain[-1]
            j = int(d[i].argmin())
            if len(chain) > 1 and d[i, chain[-2]] <= d[i, j]:  # each other's nearest; of equals the one before
                j = chain[-2]
                break
            chain.append(j)
        del chain[-2:]
        i, j = min(i, j), max(i, j)
        pairs[merger], distances[merger] = (i, j), d[i, j]
        with np.errstate(invalid="ignore"):  # inf - inf, for clusters that were merged into others
            merged = update(d[i], d[j], d[i, j], size[i], size[j], size)
        alive[i] = False  # the merged cluster is j
        merged[~alive] = np.inf
        merged[j] = np.inf
        d[j], d[:, j] = merged, merged
        d[i], d[:, i] = np.inf, np.inf
        size[j] += size[i]
    return pairs, distances


def _number_clusters(pairs: np.ndarray) -> np.ndarray:
    """Pairs of samples, one of each cluster, as pairs of clusters: samples 0..N-1, then N+i for merger i."""
    N = len(pairs) + 1
    above = np.arange(2 * N - 1)  # the cluster that each was merged into, or itself
    children = np.empty_like(pairs)
    for merger, pair in enumerate(pairs.tolist()):
        first, second = sorted(_root(above, cluster) for cluster in pair)
        children[merger] = first, second
        above[first] = above[second] = N + merger
    return children


def _root(above: np.ndarray, cluster: int) -> int:
    """The cluster that holds this one now; shortens the path to it for the next time (union-find)."""
    root = cluster
    while above[root] != root:
        root = int(above[root])
    while above[cluster] != root:
        above[cluster], cluster = root, int(above[cluster])
    return root


def _cut(children: np.ndarray, mergers: int, N: int) -> np.ndarray:
    """The cluster of each sample after the first `mergers`."""
    cluster = np.arange(N + mergers)
    for merger in reversed(range(mergers)):  # from the top of the tree down to the samples
        cluster[children[merger]] = cluster[N + merger]
    return by_first_sample(cluster[:N])
