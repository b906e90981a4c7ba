"""Numbers written to places, taken from them, and reduced at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import Recipe, booleans, different, distinct, integers, normal, off_grid, values


def entries_copied(x, dim, index, source):
    y = np.moveaxis(x.copy(), dim, 0)
    y[index] = np.moveaxis(source, dim, 0)
    return np.moveaxis(y, 0, dim)


def entries_filled(x, dim, index, value):
    y = np.moveaxis(x.copy(), dim, 0)
    y[index] = value
    return np.moveaxis(y, 0, dim)


def put(accumulate: bool) -> Callable:
    def written(x, i, j, v):
        y = x.copy()
        np.add.at(y, (i, j), v) if accumulate else y.__setitem__((i, j), v)
        return y

    return written


def masked(x, mask, source):
    y = np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)).copy()
    places = np.broadcast_to(mask, y.shape)
    y[places] = source.reshape(-1)[: places.sum()]
    return y


REDUCE = {"sum": np.sum, "mean": np.mean, "amax": np.max, "amin": np.min}


def scattered(x, dim, index, src, reduce, include_self=True):
    """Place by place: what is there, and all that goes there."""
    if not x.ndim:
        return scattered(x.reshape(1), dim, index, src, reduce, include_self).reshape(())
    y, there = x.copy(), {}
    for place in np.ndindex(index.shape):
        there.setdefault((*place[:dim], index[place], *place[dim + 1 :]), []).append(src[place])
    for place, numbers in there.items():
        y[place] = REDUCE[reduce]([x[place]] * include_self + numbers)
    return y


def of_every_kind(x: Recipe, dim: int, index: Recipe, src: Recipe, **rest: Any) -> list[Operation]:
    return [
        Operation(
            "scatter_reduce",
            [x, dim, index, src, reduce],
            lambda *inputs, own=own: scattered(*inputs, include_self=own),
            {"include_self": own},
            **rest,
        )
        for reduce in REDUCE
        for own in (True, False)
    ]


OPERATIONS = [
    Operation("select", [normal(2, 3, 4), 1, -1], lambda x, dim, i: x[:, -1]),
    Operation("select", [normal(3), 0, 1], lambda x, dim, i: x[1]),
    Operation("take", [normal(2, 3), values([0, -1], [3, 3], dtype=np.int64)], np.take),
    Operation("take", [normal(), values(0, -1, dtype=np.int64)], np.take),
    Operation("take", [normal(2, 3), integers(6, 0)], np.take),
    Operation("index_fill", [normal(3, 4), 1, integers(4, 3), 0.7], entries_filled),
    Operation("index_fill", [normal(3, 4), -2, integers(3, 2), normal()], entries_filled),
    Operation("index_fill", [normal(3, 4), 1, values(0, -1, -4, dtype=np.int64), 0.7], entries_filled),
    Operation("index_fill", [normal(), 0, integers(1, 2), 0.7], lambda x, dim, i, v: np.array(v)),
    Operation("index_copy", [normal(3, 2), 0, different(3, 2), normal(2, 2)], entries_copied),
    Operation("index_copy", [normal(2, 3, 2), -2, different(3, 3), normal(2, 3, 2)], entries_copied),
    Operation("index_copy", [normal(3), 0, integers(3, 5), normal(5)], entries_copied, torch=None),  # one place twice
    Operation("index_copy", [normal(), 0, integers(1, 1), normal()], lambda x, dim, i, source: source),
    Operation(
        "index_put",
        [normal(3, 4), different(3, 2), integers(4, 2), normal(2)],
        put(False),
        call=lambda f, x, i, j, v: f(x, (i, j), v),
    ),
    Operation(
        "index_put",
        [normal(3, 4), integers(3, 2, 1), integers(4, 3), normal(3)],
        put(True),
        call=lambda f, x, i, j, v: f(x, (i, j), v, accumulate=True),
    ),
    Operation(
        "index_put",
        [normal(3, 4), booleans(3, 4), normal()],
        lambda x, mask, v: np.where(mask, x + v, x),
        call=lambda f, x, mask, v: f(x, (mask,), v, True),
    ),
    Operation("masked_scatter", [normal(2, 3), booleans(2, 3), normal(7)], masked),
    Operation("masked_scatter", [normal(3), booleans(2, 3), normal(2, 3)], masked),
    Operation("masked_scatter", [normal(2, 3), booleans(3), normal(2, 3)], masked),
    *of_every_kind(distinct(3, 5), 1, integers(5, 3, 7), off_grid(3, 7)),
    # a src longer than the index, for which PyTorch has no gradient
    *of_every_kind(distinct(3, 5), 0, integers(3, 4, 2), off_grid(5, 3), torch=None),
    *of_every_kind(distinct(2, 3, 2), 1, integers(3, 2, 0, 2), off_grid(2, 0, 2)),
    *of_every_kind(distinct(), 0, integers(1, 3), off_grid(3)),
    *of_every_kind(
        values(1.0, np.nan, 3.0), 0, values(0, 0, 2, dtype=np.int64), values(np.nan, 0.0, np.inf), gradient=False
    ),
]
