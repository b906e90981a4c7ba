"""x[key], gather and scatter, and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.operations.common import SPECIAL
from minidl.checks.recipes import Recipe, booleans, different, integers, normal, values

ALL = slice(None)


def pick(x: Any, key: Any) -> Any:
    return x[key]


def indexed(inputs: list[Recipe], key: Callable) -> Operation:
    """x[key(...)], the key made of the inputs after x."""
    return Operation("index", inputs, lambda x, *i: x[key(*i)], call=lambda f, x, *i: f(x, key(*i)), torch=pick)


OPERATIONS = [
    indexed([normal(3, 4)], lambda: 1),
    indexed([normal(3, 4)], lambda: (ALL, -1)),
    indexed([normal(3, 4)], lambda: (slice(1, None), slice(None, None, 2))),
    indexed([normal(3, 4)], lambda: (..., None, 2)),
    indexed([normal(2, 3, 4)], lambda: (0, ..., slice(0, 0))),
    indexed([normal(3, 4), integers(3, 5)], lambda i: i),  # five of three rows: some are picked twice
    indexed([normal(3, 4), integers(3, 2, 2)], lambda i: i),
    indexed([normal(3, 4), integers(4, 5)], lambda i: (ALL, i)),
    indexed([normal(3, 4), integers(3, 5), integers(4, 5)], lambda i, j: (i, j)),
    indexed([normal(3, 4), integers(3, 2, 1), integers(4, 3)], lambda i, j: (i, j)),
    indexed([normal(3, 4), integers(3, 5), integers(4, 5)], lambda i, j: (i - 3, j)),
    indexed([normal(20, 30, 2), integers(20, 5), integers(30, 5)], lambda i, j: (i, j - 30, i * 0)),
    indexed([normal(2, 3, 4), integers(2, 3), integers(4, 3)], lambda i, j: (i, ALL, j)),
    Operation(
        "index",
        [normal(2, 3, 4), integers(4, 5)],
        lambda x, i: x[0][:, i],
        call=lambda f, x, i: f(x, (0, ALL, i)),
        torch=pick,
    ),  # NumPy's x[0, :, i] has its axes exchanged
    indexed([normal(3, 4), booleans(3, 4)], lambda mask: mask),
    indexed([normal(3, 4), booleans(3)], lambda mask: mask),
    indexed([normal(3, 4), booleans(4)], lambda mask: (ALL, mask)),
    indexed([normal(3, 4)], lambda: [2, 0, 2]),
    indexed([normal(3, 4), integers(1, 0)], lambda i: i),
    indexed([normal(3, 0), integers(3, 5)], lambda i: i),
    indexed([normal(4)], lambda: None),
    Operation(
        "add_at",
        [normal(4, 2), integers(3, 4), (3, 2)],
        lambda x, i, shape: np.stack([x[i == row].sum(0) for row in range(3)]),
        torch=None,
    ),
    Operation("index_add", [normal(3, 2), 0, integers(3, 5), normal(5, 2)], naive.index_add),
    Operation("index_add", [normal(2, 3, 2), -2, integers(3, 4), normal(2, 4, 2)], naive.index_add),
    Operation(
        "index_add",
        [normal(3), 0, integers(3, 4), normal(4)],
        lambda x, dim, i, source: naive.index_add(x, dim, i, -0.3 * source),
        {"alpha": -0.3},
    ),
    Operation("index_select", [normal(3, 4), 1, integers(4, 5)], lambda x, dim, i: x[:, i]),
    Operation("take_along_dim", [normal(3, 4), integers(4, 3, 2), 1], np.take_along_axis),
    Operation("gather", [normal(3, 4), 1, integers(4, 3, 2)], naive.gather),
    Operation("gather", [normal(3, 4), 0, integers(3, 5, 2)], naive.gather),
    Operation("gather", [normal(3, 4, 2), 1, integers(4, 2, 5, 1)], naive.gather),
    Operation("repeat_interleave", [normal(2, 3), 2], np.repeat),
    Operation("repeat_interleave", [normal(2, 3), 3, 1], np.repeat),
    Operation("repeat_interleave", [normal(2, 3), 0, 0], np.repeat),
    Operation("repeat_interleave", [normal(2, 3), values(2, 0, 1, dtype=int), 1], np.repeat),
    *[Operation("diagonal", [normal(3, 5), offset], lambda x, i: np.diagonal(x, i)) for offset in (0, 3, -2, 6)],
    Operation("diagonal", [normal(2, 3, 4, 2), 1, -1, 1], np.diagonal),
    *[Operation("diag", [normal(3), offset], np.diag) for offset in (0, 2, -1)],
    Operation("diag", [normal(3, 4), 1], np.diag),
    *[
        Operation("diag_embed", [normal(2, 3), offset], lambda x, i: np.stack([np.diag(row, i) for row in x]))
        for offset in (0, 2, -1)
    ],
    Operation("diag_embed", [normal(3)], np.diag),
    Operation("diag_embed", [normal(0, 2)], lambda x: np.zeros((0, 2, 2))),
    Operation(
        "diag_embed",
        [normal(2, 3), 0, 0, 2],
        lambda x, *_: np.moveaxis(np.stack([np.diag(row) for row in x]), (1, 2), (0, 2)),
    ),
    Operation("trace", [normal(3, 4)], np.trace),
    Operation("bincount", [integers(5, 9)], np.bincount, gradient=False),
    Operation("bincount", [integers(3, 9), normal(9), 6], np.bincount, gradient=False),
    Operation("histc", [normal(2, 9)], lambda x: np.histogram(x, 100)[0] * 1.0, gradient=False),
    Operation(
        "histc",
        [values(0.0, 0.5, 3.0, 1.0, np.nan, -1.0, np.inf, 2.999)],
        lambda x: np.array([2.0, 1.0, 2.0]),
        {"bins": 3, "min": 0, "max": 3},
        gradient=False,
    ),
    Operation("isin", [integers(9, 2, 4), integers(9, 3)], np.isin, gradient=False),
    Operation(
        "isin",
        [normal(4), normal(3)],
        lambda x, of: ~np.isin(x, of),
        {"invert": True},
        gradient=False,
        same_dtype=False,
        torch=None,
    ),
    Operation("unique", [integers(3, 2, 9)], np.unique, gradient=False),
    Operation(
        "unique",
        [integers(3, 2, 9)],
        lambda x: np.unique(x, return_inverse=True, return_counts=True),
        {"return_inverse": True, "return_counts": True},
        gradient=False,
    ),
    Operation("unique", [integers(2, 9, 2)], lambda x: np.unique(x, axis=0), {"dim": 0}, gradient=False),
    Operation("masked_fill", [normal(2, 3), booleans(3), 0.7], lambda x, mask, v: np.where(mask, v, x)),
    Operation("masked_select", [normal(2, 3), booleans(2, 3)], pick),
    Operation("one_hot", [integers(3, 2, 4), 5], lambda i, n: np.eye(n, dtype=np.int64)[i], gradient=False),
    Operation("one_hot", [integers(4, 6)], lambda i: np.eye(i.max() + 1, dtype=np.int64)[i], gradient=False),
    Operation("scatter", [normal(3, 5), 1, different(5, 3, 4), normal(3, 4)], naive.scatter),
    Operation("scatter", [normal(3, 5), 1, different(5, 2, 4), 0.7], naive.scatter),
    Operation("scatter", [normal(2, 3, 4), 0, integers(2, 1, 2, 3), normal(2, 3, 4)], naive.scatter, torch=None),
    Operation("scatter", [normal(3), 0, integers(3, 5), normal(6)], naive.scatter, torch=None),  # several for one place
    Operation("scatter", [normal(4, 2), 0, integers(4, 6, 2), normal(6, 2)], naive.scatter, torch=None),
    Operation("scatter_add", [normal(3, 5), 1, integers(5, 3, 7), normal(3, 7)], naive.scatter_add),
    Operation("scatter_add", [normal(3, 5), 0, integers(3, 4, 2), normal(4, 2)], naive.scatter_add),
    Operation("scatter_add", [normal(2, 3, 4), 1, integers(3, 2, 0, 4), normal(2, 0, 4)], naive.scatter_add),
    Operation("scatter_add", [normal(), 0, integers(1, 3), normal(3)], lambda x, dim, i, src: x + src.sum()),
    Operation("nonzero", [integers(2, 3, 4)], np.argwhere, gradient=False),
    Operation("nonzero", [integers(2, 3, 4)], np.nonzero, {"as_tuple": True}, gradient=False),
    Operation("argwhere", [integers(2, 3, 4)], np.argwhere, gradient=False),
    Operation("nonzero", [SPECIAL], np.argwhere, gradient=False, same_dtype=False),
]
