"""A product by OpenBLAS, in a process where OPENBLAS_CORETYPE has named the kernels that it shall use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def operands(kind: str, batch: int, m: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """a (m, k) and b (k, n), or `batch` of each; where `kind` (NN, NT, TN) says T, the transposed view of an array."""
    random = np.random.default_rng(m)
    shapes = [shape[::-1] if letter == "T" else shape for letter, shape in zip(kind, ((m, k), (k, n)))]
    leading = (batch,) if batch > 1 else ()
    arrays = [random.standard_normal((*leading, *shape), dtype=np.float32) for shape in shapes]
    a, b = (array.swapaxes(-1, -2) if letter == "T" else array for letter, array in zip(kind, arrays))
    return a, b


def build(case: dict[str, Any]) -> Callable[[], float]:
    a, b = operands(**case)
    y = np.matmul(a, b)

    def product() -> float:
        np.matmul(a, b, out=y)
        return float(y.flat[-1])

    return product


def version() -> str:
    """The library and the kernels that it has chosen."""
    from threadpoolctl import threadpool_info

    blas = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return "; ".join(f"{info['internal_api']} {info['version']} {info['architecture']}" for info in blas)


if __name__ == "__main__":
    import worker
    from threadpoolctl import threadpool_limits

    threadpool_limits(int(sys.argv[1]), "blas")
    worker.serve(build, version())
