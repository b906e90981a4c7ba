"""Products of square matrices as they lie in memory (NN), with one of them transposed (NT, TN), and of many at once.

Whoever can write into an array that exists is given one: else large products would measure the system's fresh pages.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.steps.openblas_matmul import operands
from minidl import kernels

from .case import Case, backends, in_torch

SIZES = (128, 256, 512, 1024, 2048)
BATCHED = {"64 x 128": (64, 128, 128, 128), "256 x 32x64x32": (256, 32, 64, 32)}

# name: arguments of `operands`
PRODUCTS: dict[str, dict[str, Any]] = {
    f"matmul {kind} {size}": {"kind": kind, "batch": 1, "m": size, "k": size, "n": size}
    for size in SIZES
    for kind in ("NN", "NT", "TN")
} | {
    f"matmul batched {name}": dict(zip(("kind", "batch", "m", "k", "n"), ("NN", *shape)))
    for name, shape in BATCHED.items()
}


def case(name: str) -> Case:
    sizes = PRODUCTS[name]
    a, b = operands(**sizes)
    y = np.empty((*a.shape[:-1], b.shape[-1]), np.float32)

    def in_pytorch(torch: Any, last: bool) -> Any:
        ta, tb, ty = torch.from_numpy(a), torch.from_numpy(b), torch.empty(y.shape)
        return lambda: torch.matmul(ta, tb, out=ty)

    def ours() -> Any:
        return lambda: kernels.matmul.forward(a, b)

    return Case(
        operations=2.0 * sizes["batch"] * sizes["m"] * sizes["k"] * sizes["n"],
        bytes=float(a.nbytes + b.nbytes + y.nbytes),
        expected=lambda: np.matmul(a.astype(np.float64), b.astype(np.float64)),
        ours=ours,
        peers={
            "openblas": lambda: lambda: np.matmul(a, b, out=y),
            **in_torch(in_pytorch),
            **backends("matmul", ours),
        },
    )


CASES = {name: partial(case, name) for name in PRODUCTS}
