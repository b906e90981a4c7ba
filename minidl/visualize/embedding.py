"""Many dimensions on a page: samples by their two principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.autograd import to_numpy
from minidl.visualize.figure import COLORS, Figure, make_panels

MORE_COLORS = ("#999999", "#882255", "#661100")  # after the seven of COLORS, which serve up to ten groups


def principal_components(x: Any, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates of samples along the directions in which they differ most (PCA).

        x - mean = u diag(s) v^T        coordinates = (x - mean) v[:, :count] = u[:, :count] * s[:count]

    Parameters
    ----------
    x : array or Tensor (N, D)
    count : int
        At most min(N, D).

    Returns
    -------
    coordinates : array (N, count)
        The largest entry of each direction v is positive, so that they are determined.
    shares : array (count,)
        Of the whole variance: s^2 / sum s^2.

    Notes
    -----
    Source: K. Pearson, "On lines and planes of closest fit to systems of points in space", 1901.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.visualize import principal_components
    >>> coordinates, shares = principal_components(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
    >>> np.round(coordinates[:, 0], 4), np.round(shares, 4)
    (array([-1.4142,  0.    ,  1.4142]), array([1., 0.]))
    """
    x = to_numpy(x).astype(np.float64)
    if x.ndim != 2 or not 1 <= count <= min(x.shape):
        raise ValueError(f"x must have the shape (N, D) with N and D of at least {count}, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"x must be finite, got {x[~np.isfinite(x)][0]}")
    u, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)  # (N, r), (r,), (r, D)
    largest = np.abs(v[:count]).argmax(axis=1)
    signs = np.where(v[np.arange(count), largest] < 0, -1, 1)
    return u[:, :count] * s[:count] * signs, s[:count] ** 2 / max((s**2).sum(), np.finfo(float).tiny)


def embedding(x: Any, labels: Any, classes: Sequence[str] | None = None, *, title: str = "") -> Figure:
    """Samples as points on the plane of their first two principal components, coloured by label.

    Parameters
    ----------
    x : array or Tensor (N, D)
        Codes or features, D >= 2.
    labels : array (N,) of int
        Classes or clusters; -1, DBSCAN's noise, is drawn in light grey.
    classes : sequence of str, optional
        The name of label 0, 1, ...; the numbers unless given.

    Raises
    ------
    ValueError
        For labels of another shape or type, or without a name.
    """
    coordinates, shares = principal_components(x)
    labels = to_numpy(labels)
    if labels.shape != (len(coordinates),):
        raise ValueError(f"labels must have the shape ({len(coordinates)},), one for each sample, got {labels.shape}")
    if labels.dtype.kind not in "iu" or labels.min() < -1:
        raise ValueError(f"labels must be integers of at least -1, got {labels.dtype} such as {labels.min()}")
    if classes is not None and labels.max() >= len(classes):
        raise ValueError(f"labels must be below the {len(classes)} classes, got {labels.max()}")
    figure, [axes] = make_panels(1, 1, (6.4, 5.2), title)
    colors = COLORS + MORE_COLORS
    size = float(np.clip(4000 / len(labels), 2, 20))
    for label in np.unique(labels).tolist():
        points = coordinates[labels == label]
        color = "#dddddd" if label == -1 else colors[label % len(colors)]
        name = "noise" if label == -1 else str(label) if classes is None else classes[label]
        axes.scatter(points[:, 0], points[:, 1], s=size, color=color, label=name, linewidths=0)
    axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second component, {shares[1]:.0%} of the variance")
    if len(np.unique(labels)) <= 20:
        legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        for handle in legend.legend_handles:
            handle.set_sizes([24])
    return figure
