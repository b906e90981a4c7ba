"""Measures of a clustering: compared with known classes, whatever clusters are called; or alone (silhouette)."""

from typing import Any

import numpy as np

from minidl.autograd import to_numpy
from minidl.metrics.arguments import as_labels, as_numbers, check_lengths

BLOCK = 1024  # rows of the distance matrix that are in memory at once


def contingency_matrix(labels_true: Any, labels_pred: Any) -> np.ndarray:
    """n[i, j], the number of samples of class i in cluster j, int64."""
    a, b = as_labels(labels_true, "labels_true"), as_labels(labels_pred, "labels_pred")
    check_lengths(a, b, "labels_true", "labels_pred")
    classes, rows = np.unique(a, return_inverse=True)
    clusters, columns = np.unique(b, return_inverse=True)
    cells = rows * len(clusters) + columns
    return np.bincount(cells, minlength=len(classes) * len(clusters)).reshape(len(classes), len(clusters))


def clustering_accuracy(labels_true: Any, labels_pred: Any) -> float:
    """The share of samples that are right under the best one-to-one matching of clusters to classes.

    accuracy = max over matchings m of sum_j n[m(j), j] / N, found by the Hungarian method.

    Parameters
    ----------
    labels_true, labels_pred : array (N,)
        Classes and clusters, with any names and any number of each.

    Notes
    -----
    Sources: H. Kuhn, "The Hungarian method for the assignment problem", 1955; J. Xie, R. Girshick, A. Farhadi,
    "Unsupervised deep embedding for clustering analysis", 2016, equation 10.

    Examples
    --------
    >>> from minidl.metrics import clustering_accuracy
    >>> clustering_accuracy([0, 0, 1, 1], [5, 5, 3, 5])
    0.75
    """
    n = contingency_matrix(labels_true, labels_pred)
    rows, columns = _best_matching(n)
    return float(n[rows, columns].sum() / n.sum())


def match_clusters(labels_true: Any, labels_pred: Any) -> dict[Any, Any]:
    """The class that each cluster is matched to in `clustering_accuracy`: {cluster: class}.

    Where there are more clusters than classes, those that are matched to none are left out.

    Examples
    --------
    >>> from minidl.metrics import match_clusters
    >>> match_clusters(["cat", "cat", "dog", "dog"], [5, 5, 3, 5])
    {5: 'cat', 3: 'dog'}
    """
    rows, columns = _best_matching(contingency_matrix(labels_true, labels_pred))
    classes, clusters = np.unique(to_numpy(labels_true)), np.unique(to_numpy(labels_pred))
    return dict(zip(clusters[columns].tolist(), classes[rows].tolist()))


def _best_matching(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes and clusters, matched one to one so that sum n[class, cluster] is largest."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(n, maximize=True)


def adjusted_rand_score(labels_true: Any, labels_pred: Any) -> float:
    """The share of pairs on which two clusterings agree, corrected so that chance gives 0; 1 when they are the same.

    With C(n) = n (n-1) / 2, the pairs among n samples, and row sums a and column sums b of n[i, j]:

        index = sum_ij C(n[i, j])
        expected = sum_i C(a[i]) sum_j C(b[j]) / C(N)
        most = (sum_i C(a[i]) + sum_j C(b[j])) / 2
        ARI = (index - expected) / (most - expected)

    Parameters
    ----------
    labels_true, labels_pred : array (N,)

    Notes
    -----
    Source: L. Hubert, P. Arabie, "Comparing partitions", 1985.

    Examples
    --------
    >>> from minidl.metrics import adjusted_rand_score
    >>> adjusted_rand_score([0, 0, 1, 1], [1, 1, 0, 0])
    1.0
    """
    n = contingency_matrix(labels_true, labels_pred)
    index = _pairs(n).sum()
    pairs_true, pairs_pred = _pairs(n.sum(axis=1)).sum(), _pairs(n.sum(axis=0)).sum()
    if index == pairs_true == pairs_pred:  # the same partition; also where the formula is 0 / 0
        return 1.0
    expected = pairs_true * pairs_pred / _pairs(n.sum())
    return float((index - expected) / ((pairs_true + pairs_pred) / 2 - expected))


def _pairs(counts: np.ndarray) -> np.ndarray:
    return counts * (counts - 1) / 2


def normalized_mutual_info_score(labels_true: Any, labels_pred: Any, *, average_method: str = "arithmetic") -> float:
    """The mutual information of classes and clusters over the mean of their entropies: MI / mean(H(true), H(pred)).

        MI = sum_ij p[i, j] log(p[i, j] / (p[i] p[j]))        H = -sum_i p[i] log p[i]        p = n / N

    Parameters
    ----------
    labels_true, labels_pred : array (N,)
    average_method : {"arithmetic", "min", "geometric", "max"}
        The mean of the two entropies.

    Returns
    -------
    float
        0..1; 1 when both are a single group.

    Notes
    -----
    Source: A. Strehl, J. Ghosh, "Cluster ensembles", 2002.

    Examples
    --------
    >>> from minidl.metrics import normalized_mutual_info_score
    >>> normalized_mutual_info_score([0, 0, 1, 1], [0, 1, 0, 1])
    0.0
    """
    means = {"arithmetic": lambda a, b: (a + b) / 2, "min": min, "geometric": lambda a, b: np.sqrt(a * b), "max": max}
    if average_method not in means:
        raise ValueError(f"average_method must be one of {', '.join(means)}, got {average_method!r}")
    n = contingency_matrix(labels_true, labels_pred)
    if n.size == 1:
        return 1.0
    p = n / n.sum()
    p_true, p_pred = p.sum(axis=1), p.sum(axis=0)
    i, j = np.nonzero(p)
    # log(p[i,j] / (p[i] p[j])) = log p[i,j] - log p[i] - log p[j]
    information = float(p[i, j] @ (np.log(p[i, j]) - np.log(p_true[i]) - np.log(p_pred[j])))
    if information <= np.finfo(float).eps:
        return 0.0
    return float(information / means[average_method](_entropy(p_true), _entropy(p_pred)))


def _entropy(p: np.ndarray) -> float:
    return float(-p @ np.log(p))


def silhouette_samples(X: Any, labels: Any, *, metric: str = "euclidean") -> np.ndarray:
    """How much nearer each sample is to its own cluster than to any other: s[i] = (b[i] - a[i]) / max(a[i], b[i]).

    a[i] is the mean distance to the other samples of its cluster, b[i] the smallest mean distance to another cluster's
    samples; s[i] = 0 for a cluster of one.

    Parameters
    ----------
    X : array (N, features), or (N, N) of distances
    labels : array (N,)
        The cluster of each sample: from 2 to N-1 different ones.
    metric : {"euclidean", "precomputed"}

    Returns
    -------
    array (N,)
        -1..1.

    Notes
    -----
    Source: P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import metrics
    >>> x = np.array([[0.0], [1.0], [10.0], [12.0]])
    >>> metrics.silhouette_samples(x, [0, 0, 1, 1]).round(2)
    array([0.91, 0.9 , 0.79, 0.83])
    """
    points, labels = as_numbers(X, "X"), as_labels(labels, "labels")
    if points.ndim != 2:
        raise ValueError(
            f"X must have the shape (N, features), got {points.shape}: flatten images with X.reshape(len(X), -1)"
        )
    check_lengths(points, labels, "X", "labels")
    if metric == "euclidean":
        points = points - points.mean(axis=0)  # the same distances, rounded less
    elif metric == "precomputed":
        _check_distances(points)
    else:
        raise ValueError(f"metric must be 'euclidean' or 'precomputed', got {metric!r}")
    clusters, cluster = np.unique(labels, return_inverse=True)
    if not 2 <= len(clusters) <= len(labels) - 1:
        raise ValueError(f"the silhouette needs 2 to N-1 clusters, got {len(clusters)} for {len(labels)} samples")
    sizes = np.bincount(cluster)  # (K,)
    member = np.eye(len(clusters))[cluster]  # (N, K), 1 where a sample is in a cluster
    s = np.empty(len(labels))
    for start in range(0, len(labels), BLOCK):
        rows = slice(start, min(start + BLOCK, len(labels)))
        distances = points[rows] if metric == "precomputed" else _euclidean(points[rows], points)
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = 0
        sums = distances @ member  # (block, K), summed over each cluster's samples
        own = np.arange(len(sums)), cluster[rows]
        a = sums[own] / np.maximum(sizes[cluster[rows]] - 1, 1)
        means = sums / sizes
        means[own] = np.inf
        b = means.min(axis=1)
        largest = np.maximum(a, b)
        s[rows] = np.where(
            sizes[cluster[rows]] == 1, 0, np.divide(b - a, largest, out=np.zeros_like(a), where=largest != 0)
        )
    return s


def _check_distances(d: np.ndarray) -> None:
    if d.shape[0] != d.shape[1]:
        raise ValueError(
            f"X must hold the distances of all pairs, shape (N, N), with metric='precomputed', got {d.shape}"
        )
    if d.min() < 0:
        raise ValueError(f"X must hold distances of at least 0, got {d.min()}")
    if d.diagonal().max() > 1e-6 * d.max():
        raise ValueError(f"X must hold distances, 0 on its diagonal, got {d.diagonal().max()}")


def silhouette_score(
    X: Any,
    labels: Any,
    *,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: int | np.random.Generator | None = None,
) -> float:
    """The mean of `silhouette_samples`: 1 for tight clusters far apart, near 0 for overlapping ones.

    Parameters
    ----------
    X, labels, metric
        See `silhouette_samples`. Time grows with N^2.
    sample_size : int, optional
        Use a random choice of so many samples.
    random_state : int or numpy.random.Generator, optional
        Makes that choice.

    Examples
    --------
    >>> from minidl.metrics import silhouette_score
    >>> round(silhouette_score([[0.0], [1.0], [10.0], [11.0]], [0, 0, 1, 1]), 4)
    0.8997
    """
    if sample_size is not None:
        points, labels = to_numpy(X), as_labels(labels, "labels")
        check_lengths(points, labels, "X", "labels")
        if not 1 <= sample_size <= len(labels):
            raise ValueError(f"sample_size must lie in 1..{len(labels)}, the number of samples, got {sample_size}")
        chosen = np.random.default_rng(random_state).permutation(len(labels))[:sample_size]
        X = points[np.ix_(chosen, chosen)] if metric == "precomputed" else points[chosen]
        labels = labels[chosen]
    return float(silhouette_samples(X, labels, metric=metric).mean())


def _euclidean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """d[i, j] = sqrt(|a[i]|^2 + |b[j]|^2 - 2 a[i].b[j]), (len(a), len(b))."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.sqrt(np.maximum(squares, 0))
