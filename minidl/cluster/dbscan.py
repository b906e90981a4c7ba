"""DBSCAN: clusters are regions where samples lie close together; samples that lie apart are noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.cluster.samples import Clustering, as_samples, by_first_sample, check_count, check_number


class DBSCAN(Clustering):
    """Clusters of any shape and in any number: samples that are joined by dense neighbourhoods.

        neighbours(n) = samples m with |x[n] - x[m]| <= eps, n itself among them
        n is a core sample  <=>  it has at least min_samples neighbours

    Core samples that are neighbours are in one cluster, and so are those joined by a chain of such neighbours. A sample
    that is no core sample joins the cluster of a neighbour that is one; without such a neighbour it is noise.

    Parameters
    ----------
    eps : float
        The radius of a neighbourhood.
    min_samples : int
        Samples in the neighbourhood of a core sample, itself included.

    Attributes
    ----------
    labels_ : array (N,) of int64
        Clusters are numbered in the order of their first core samples; noise is -1.
    core_sample_indices_ : array (cores,)
    components_ : array (cores, D)
        The core samples.

    Notes
    -----
    A sample between two clusters belongs to the one with the smaller number, as in scikit-learn. Neighbours are found
    with SciPy's k-d tree; memory grows with the number of pairs within `eps`.

    Source: M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering clusters in large
    spatial databases with noise", 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.cluster import DBSCAN
    >>> X = np.array([[0.0], [1.0], [2.0], [10.0], [20.0], [21.0], [22.0]])
    >>> DBSCAN(eps=1.5, min_samples=2).fit_predict(X)
    array([ 0,  0,  0, -1,  1,  1,  1])
    """

    def __init__(self, eps: float = 0.5, *, min_samples: int = 5):
        self.eps = eps
        self.min_samples = min_samples

    def fit(self, X: Any, y: Any = None) -> DBSCAN:
        """Find the clusters of X (N, D); `y` is not used."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import KDTree

        X = as_samples(X)
        check_number(self.eps, "eps", above_zero=True)
        check_count(self.min_samples, "min_samples")
        N = len(X)
        a, b = KDTree(X).query_pairs(self.eps, output_type="ndarray").T  # every pair within eps once
        core = 1 + np.bincount(a, minlength=N) + np.bincount(b, minlength=N) >= self.min_samples  # (N,)

        joined = core[a] & core[b]
        graph = coo_array((np.ones(joined.sum(), bool), (a[joined], b[joined])), (N, N))
        _, component = connected_components(graph, directed=False)
        self.labels_ = np.full(N, -1)
        self.labels_[core] = by_first_sample(component[core])

        # each pair of a core sample and another one; where there are several, the smallest label stays
        from_core = np.concatenate([a[core[a] & ~core[b]], b[core[b] & ~core[a]]])
        to_border = np.concatenate([b[core[a] & ~core[b]], a[core[b] & ~core[a]]])
        smallest = np.full(N, N)  # N: no core sample is near
        np.minimum.at(smallest, to_border, self.labels_[from_core])
        self.labels_[smallest < N] = smallest[smallest < N]

        self.core_sample_indices_ = np.flatnonzero(core)
        self.components_ = X[core]
        return self
