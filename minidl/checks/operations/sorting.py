"""What sorting picks."""

from __future__ import annotations

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import distinct, normal, values


def median(x: np.ndarray, dim: int, keepdim: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Of 2k - 1 or 2k values, the one that k - 1 are smaller than."""
    place = np.argsort(x, dim).take([(x.shape[dim] - 1) // 2], dim)
    found = np.take_along_axis(x, place, dim), place
    return found if keepdim else tuple(part.squeeze(dim) for part in found)


COUNTED = {"gradient": False, "same_dtype": False}

OPERATIONS = [
    Operation("sort", [distinct(2, 4)], lambda x: (np.sort(x), np.argsort(x)), {"dim": -1}),
    Operation("sort", [distinct(3, 2)], lambda x: (-np.sort(-x, 0), np.argsort(-x, 0)), {"dim": 0, "descending": True}),
    Operation("argsort", [distinct(2, 3, 4)], lambda x: np.argsort(x, 1), {"dim": 1}, gradient=False),
    Operation("argsort", [distinct(3, 4)], lambda x: np.argsort(-x), {"descending": True}, gradient=False),
    Operation("argsort", [distinct()], lambda x: np.int64(0), gradient=False),
    Operation("topk", [distinct(2, 5), 3], lambda x, k: (-np.sort(-x)[:, :k], np.argsort(-x)[:, :k])),
    Operation(
        "topk",
        [distinct(4, 2), 2, 0],
        lambda x, k, dim: (np.sort(x, 0)[:k], np.argsort(x, 0)[:k]),
        {"largest": False},
    ),
    Operation("topk", [distinct(2, 30), 3], lambda x, k: (-np.sort(-x)[:, :k], np.argsort(-x)[:, :k])),
    Operation(
        "topk",
        [distinct(40, 2), 4, 0],
        lambda x, k, dim: (np.sort(x, 0)[:k], np.argsort(x, 0)[:k]),
        {"largest": False},
    ),
    *[  # so many that what was not asked for stays unsorted
        Operation(
            "topk",
            [distinct(2, 5000), 600],
            lambda x, k, sign=sign: (sign * np.sort(sign * x)[:, :k], np.argsort(sign * x)[:, :k]),
            {"largest": sign < 0},
            gradient=False,
        )
        for sign in (1, -1)
    ],
    Operation("topk", [distinct(2, 3), 0], lambda x, k: (x[:, :0], np.zeros((2, 0), int))),
    Operation(
        "topk",
        [values(*[1.0] * 9, np.nan, 2.0, *[0.0] * 9), 2],
        lambda x, k: (x[9:11], np.array([9, 10])),
        gradient=False,
    ),
    *[
        Operation(
            "quantile",
            [distinct(2, 5, 3), q],
            lambda x, q, dim=dim, kept=kept, how=how: np.quantile(x, q, axis=dim, keepdims=kept, method=how),
            {"dim": dim, "keepdim": kept, "interpolation": how},
        )
        for how, q, dim, kept in (
            ("linear", 0.3, 1, False),
            ("linear", 0.7, None, False),
            ("linear", 0.7, None, True),
            ("lower", 0.3, -1, True),
            ("higher", 0.6, 1, False),
            ("midpoint", 0.3, 0, False),
            ("nearest", 0.4, 1, False),
        )
    ],
    Operation("quantile", [distinct(4, 3), values(0.1, 0.25, 0.9), 0], np.quantile),
    Operation("quantile", [distinct(4, 3), values(0.0, 1.0)], np.quantile, gradient=False),
    Operation("quantile", [values([1.0, np.nan, 2.0], [3.0, 1.0, 2.0]), 0.5, 1], np.quantile, gradient=False),
    Operation("quantile", [distinct(), 0.5], np.quantile),
    Operation("kthvalue", [distinct(3, 5), 2], lambda x, k: (np.sort(x)[:, 1], np.argsort(x)[:, 1])),
    Operation("kthvalue", [distinct(4, 2), 4, 0, True], lambda x, k, *_: (x.max(0)[None], x.argmax(0)[None])),
    Operation("searchsorted", [values(1.0, 2.0, 2.0, 5.0), values([2.0, 0.0], [5.0, 6.0])], np.searchsorted, **COUNTED),
    Operation(
        "searchsorted",
        [values([1.0, 2.0, 3.0], [0.0, 1.5, 1.5]), values([2.0, 9.0], [1.5, -1.0])],
        lambda rows, x: np.array([[2, 3], [3, 0]]),
        {"right": True},
        **COUNTED,
    ),
    Operation("bucketize", [normal(3, 4), values(-1.0, 0.0, 0.5)], lambda x, b: np.searchsorted(b, x), **COUNTED),
    Operation("median", [distinct(3, 4)], lambda x: median(x.reshape(-1), 0)[0]),
    Operation("median", [distinct(1)], lambda x: x[0]),
    Operation("median", [distinct(3, 3)], lambda x: np.median(x, keepdims=True), {"keepdims": True}, torch=None),
    Operation("median", [distinct(3, 5), 1], median),
    Operation("median", [distinct(4, 2), 0, True], median),
    Operation("median", [distinct(2, 3, 4), -1], median),
    Operation("median", [distinct()], lambda x: (x, np.int64(0)), {"dim": 0}),
    Operation("median", [values(2.0, 2.0, 1.0, 3.0)], lambda x: np.float64(2.0), gradient=False),
    Operation(
        "median",
        [values([2.0, np.nan, 1.0, np.nan], [np.inf, 1.0, -np.inf, 0.0]), 1],
        lambda x, dim: (np.array([np.nan, 0.0]), np.array([1, 3])),
        gradient=False,
    ),
]
