"""KMeans, DBSCAN and AgglomerativeClustering beside scikit-learn's: what each finds, and how long it takes.

``python -m benchmarks.clustering [--json FILE] [--data DIR]``: on the 1,797 digits that scikit-learn carries; with the
folder of MNIST also k-means on its 60,000 training images.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from minidl import cluster, data, kernels, metrics

THREADS = 2


def compare(name: str, X: np.ndarray, ours: Any, theirs: Any, rounds: int) -> dict[str, Any]:
    """One row: the smaller of `rounds` times of each in turn, and how the labels agree."""
    times: dict[str, list[float]] = {"ours": [], "sklearn": []}
    for _ in range(rounds):
        times["ours"].append(_seconds(lambda: ours.fit(X)))
        times["sklearn"].append(_seconds(lambda: theirs.fit(X)))
    row = {
        "name": name,
        "samples": list(X.shape),
        "dtype": str(X.dtype),
        "adjusted_rand": metrics.adjusted_rand_score(theirs.labels_, ours.labels_),
    }
    if hasattr(ours, "inertia_"):
        row |= {"inertia": ours.inertia_, "sklearn_inertia": float(theirs.inertia_)}
        row |= {"steps": ours.n_iter_, "sklearn_steps": theirs.n_iter_}
    seconds, peer = min(times["ours"]), min(times["sklearn"])
    return row | {"seconds": seconds, "sklearn_seconds": peer, "ratio": seconds / peer}


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def rows(root: Path | None, rounds: int) -> list[dict[str, Any]]:
    from sklearn import cluster as peer
    from sklearn.datasets import load_digits

    X, _ = load_digits(return_X_y=True)
    found = [
        compare(
            "KMeans, one start for both", X, cluster.KMeans(10, init=X[:10]),
            peer.KMeans(10, init=X[:10], n_init=1), rounds,
        ),
        compare(
            "KMeans, best of 10 starts", X, cluster.KMeans(10, n_init=10, random_state=0),
            peer.KMeans(10, n_init=10, random_state=0), rounds,
        ),
        compare(
            "DBSCAN, eps=22", X, cluster.DBSCAN(22, min_samples=5), peer.DBSCAN(eps=22, min_samples=5), rounds
        ),
    ]  # fmt: skip
    for linkage in ("ward", "complete", "average", "single"):
        ours = cluster.AgglomerativeClustering(10, linkage=linkage)
        theirs = peer.AgglomerativeClustering(10, linkage=linkage, compute_distances=True)
        found.append(compare(f"AgglomerativeClustering, {linkage}", X, ours, theirs, rounds))
    if root is not None:
        train, _ = data.mnist(root)
        x = (train.images / np.float32(255)).reshape(len(train), -1)
        ours = cluster.KMeans(10, init=x[:10], max_iter=20)
        theirs = peer.KMeans(10, init=x[:10], n_init=1, max_iter=20)
        found.append(compare("KMeans, 20 steps on MNIST", x, ours, theirs, 1))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustering")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the machine and all rows")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with MNIST")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run; the smallest time counts")
    options = parser.parse_args()
    from threadpoolctl import threadpool_limits

    with threadpool_limits(THREADS):
        kernels.set_num_threads(THREADS)
        report = {
            "suite": "clustering",
            "machine": machine.describe(THREADS),
            "rows": rows(options.data, options.rounds),
        }
    for row in report["rows"]:
        inertia = f"inertia {row['inertia']:.1f} / {row['sklearn_inertia']:.1f}" if "inertia" in row else ""
        print(
            f"{row['name']:<32} ARI {row['adjusted_rand']:.4f}  {row['seconds'] * 1e3:8.1f} ms  scikit-learn "
            f"{row['sklearn_seconds'] * 1e3:8.1f} ms  {inertia}"
        )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
