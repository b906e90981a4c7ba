"""What sorting picks."""

from __future__ import annotations

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import distinct, values


def median(x: np.ndarray, dim: int, keepdim: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Of 2k - 1 or 2k values, the one that k - 1 are smaller than."""
    place = np.argsort(x, dim).take([(x.shape[dim] - 1) // 2], dim)
    found = np.take_along_axis(x, place, dim), place
    return found if keepdim else tuple(part.squeeze(dim) for part in found)


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
