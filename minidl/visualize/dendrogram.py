"""The tree of agglomerative clustering: which clusters were merged, and at what distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.visualize.figure import COLORS, Figure, make_panels


def dendrogram(
    clustering: Any, names: Sequence[str] | None = None, *, limit: int = 30, title: str = "", ylabel: str = "distance"
) -> Figure:
    """A tree with a bracket for each merger, as high as the distance of the two clusters.

    Parameters
    ----------
    clustering : AgglomerativeClustering
        After `fit`; its `children_` (N-1, 2) and `distances_` (N-1,) are drawn, and a dashed line where the tree was
        cut, if that made more than one cluster.
    names : sequence of str, optional
        Of the N samples; their numbers unless given.
    limit : int
        The most leaves to draw; with more samples, those merged first are drawn as one leaf, labelled by its size.

    Examples
    --------
    >>> from minidl import cluster, visualize
    >>> found = cluster.AgglomerativeClustering(2, linkage="single").fit([[0.0], [1.0], [5.0], [7.0]])
    >>> figure = visualize.dendrogram(found, ["a", "b", "c", "d"])
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['a', 'b', 'c', 'd']
    """
    if not hasattr(clustering, "children_"):
        raise ValueError("clustering must be fitted: call fit first")
    if limit < 2:
        raise ValueError(f"limit must be at least 2, got {limit}")
    children, distances = clustering.children_, clustering.distances_
    N = len(children) + 1
    if names is not None and len(names) != N:
        raise ValueError(f"names must be the names of the {N} samples, got {len(names)}")
    if N == 1:
        raise ValueError("a tree needs at least two samples, got 1")
    lowest = N + max(0, N - limit)  # clusters below this number are leaves
    leaves = _leaves_in_order(children, lowest)
    x = {leaf: place for place, leaf in enumerate(leaves)}
    y = dict.fromkeys(leaves, 0.0)

    figure, [axes] = make_panels(1, 1, (max(5.0, 0.3 * len(leaves)), 3.8), title)
    for merger in range(lowest - N, N - 1):
        a, b = children[merger].tolist()
        x[N + merger], y[N + merger] = (x[a] + x[b]) / 2, float(distances[merger])
        axes.plot([x[a], x[a], x[b], x[b]], [y[a], y[N + merger], y[N + merger], y[b]], color=COLORS[0], linewidth=1.2)
    K = clustering.n_clusters_
    if 1 < K <= len(leaves):
        below = distances[N - 1 - K] if K < N else 0.0
        axes.axhline(
            (below + distances[N - K]) / 2, color=COLORS[1], linestyle="--", linewidth=1, label=f"{K} clusters"
        )
        axes.legend(frameon=False, fontsize=8)
    sizes = _sizes(children)
    texts = [(names[leaf] if names is not None else str(leaf)) if leaf < N else f"({sizes[leaf]})" for leaf in leaves]
    axes.set_xticks(range(len(leaves)), texts, rotation=90 if max(map(len, texts)) > 2 else 0, fontsize=7)
    if lowest > N:
        axes.set_xlabel("samples by their number, clusters by their size in brackets")
    axes.set_ylabel(ylabel)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _leaves_in_order(children: np.ndarray, lowest: int) -> list[int]:
    """The leaves from left to right, so that no two brackets cross."""
    N = len(children) + 1
    leaves, waiting = [], [2 * N - 2]
    while waiting:
        cluster = waiting.pop()
        if cluster < lowest:
            leaves.append(cluster)
        else:
            waiting += children[cluster - N][::-1].tolist()
    return leaves


def _sizes(children: np.ndarray) -> list[int]:
    """The number of samples in every cluster."""
    sizes = [1] * (len(children) + 1)
    for a, b in children.tolist():
        sizes.append(sizes[a] + sizes[b])
    return sizes
