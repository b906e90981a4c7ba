"""Sums, means, extremes and their like: along one axis, several and all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import (
    Recipe,
    away_from_zero,
    booleans,
    distinct,
    integers,
    normal,
    off_grid,
    positive,
    values,
)

# (shape, dim)
ALONG_AXES = [((2, 3, 4, 2), 1), ((2, 3), 0), ((2, 3), -1)]
ALONG_SEVERAL = [((2, 3, 4), (0, -1))]
ALONG_ALL = [((2, 3), None), ((), None)]
EDGES = [((3, 1), 1), ((0, 3), 1)]
GAPS = values([1.0, np.nan, 3.0], [np.nan] * 3, [np.inf, 1.0, np.nan])
SPREAD = ALONG_AXES + ALONG_SEVERAL + ALONG_ALL[:1]


def reduction(
    name: str,
    recipe: Callable[..., Recipe],
    expected: Callable,
    cases: list = ALONG_AXES + ALONG_SEVERAL + ALONG_ALL + EDGES,
    **rest: Any,
) -> list[Operation]:
    """Kept dimensions and not; `expected` takes NumPy's arguments."""
    lines = []
    for shape, dim in cases:
        for kept in (False, True) if dim is not None else (False,):
            options = {} if dim is None else {"dim": dim, "keepdim": kept}
            value = lambda x, dim=dim, kept=kept: expected(x, axis=dim, keepdims=kept)  # noqa: E731
            lines.append(Operation(name, [recipe(*shape)], value, options, **rest))
    return lines


def unbiased_var(x: np.ndarray, **options: Any) -> np.ndarray:
    return x.var(ddof=1, **options)


def unbiased_std(x: np.ndarray, **options: Any) -> np.ndarray:
    return x.std(ddof=1, **options)


def euclidean_norm(x: np.ndarray, **options: Any) -> np.ndarray:
    return np.sqrt((x * x).sum(**options))


def taken(find: Callable, keepdims: bool = False) -> Callable:
    """Values and indices, as `max(dim)` gives them, where `find` is argmax or argmin."""

    def extreme(x: np.ndarray, dim: int, *_: Any) -> tuple[np.ndarray, np.ndarray]:
        indices = find(x, dim, keepdims=True)
        both = np.take_along_axis(x, indices, dim), indices
        return both if keepdims else tuple(a.squeeze(dim) for a in both)

    return extreme


OPERATIONS = [
    Operation("diff", [normal(2, 5)], np.diff),
    Operation("diff", [normal(4, 3), 2, 0], lambda x, n, dim: np.diff(x, n, dim)),
    Operation("diff", [normal(2, 1)], lambda x: x[:, :0]),
    Operation(
        "diff",
        [normal(2, 3), normal(2, 1), normal(2, 2)],
        lambda x, before, after: np.diff(np.concatenate([before, x, after], 1)),
        call=lambda f, x, before, after: f(x, prepend=before, append=after),
    ),
    *reduction("sum", normal, np.sum),
    *reduction("mean", normal, np.mean),
    *reduction("prod", away_from_zero, np.prod, ALONG_AXES + ALONG_ALL + EDGES),
    Operation("prod", [away_from_zero(3, 5), 1], np.prod),
    Operation("prod", [away_from_zero(2, 3, 2), (0, 2)], np.prod, torch=None),
    Operation("prod", [values([1.0, 0.0, 2.0], [0.0, 3.0, 0.0]), 1], np.prod),
    *reduction("amax", distinct, np.max, ALONG_AXES + ALONG_SEVERAL + EDGES),
    *reduction("amin", distinct, np.min, ALONG_AXES + ALONG_SEVERAL + EDGES),
    Operation("amax", [distinct(2, 3)], np.max, torch="max"),
    Operation("amin", [distinct(2, 3)], np.min, torch="min"),
    Operation("max", [distinct(2, 3)], np.max),
    Operation("max", [distinct(2, 3)], lambda x: x.max(keepdims=True), {"keepdims": True}, torch=None),
    Operation("min", [distinct(2, 3)], lambda x: x.min(keepdims=True), {"keepdim": True}, torch=None),
    Operation("max", [distinct(2, 3), off_grid(3)], np.maximum),
    Operation("min", [distinct(2, 3), off_grid(3)], np.minimum),
    Operation("min", [distinct(2, 3)], np.min),
    Operation("max", [distinct(2, 3, 4), 1], taken(np.argmax)),
    Operation("max", [distinct(2, 3, 4), -1, True], taken(np.argmax, keepdims=True)),
    Operation("min", [distinct(2, 3, 4), 1], taken(np.argmin)),
    Operation("min", [distinct(2, 3, 4), -1, True], taken(np.argmin, keepdims=True)),
    Operation("max", [values([1.0, np.nan, 3.0]), 1], taken(np.argmax), gradient=False),
    *[Operation(name, [distinct(22, 3), -1], f) for name, f in (("sum", np.sum), ("prod", np.prod), ("amin", np.min))],
    Operation("amax", [values([1.0, np.nan, 3.0]), 1], np.max, gradient=False),
    Operation("aminmax", [distinct(2, 3)], lambda x: (x.min(), x.max())),
    Operation("aminmax", [distinct()], lambda x: (x, x)),
    *[
        Operation(
            "aminmax",
            [distinct(2, 3)],
            lambda x, kept=kept: (x.min(1, keepdims=kept), x.max(1, keepdims=kept)),
            {"dim": 1, "keepdim": kept},
        )
        for kept in (False, True)
    ],
    *reduction("nansum", normal, np.nansum),
    *reduction("nanmean", normal, np.nanmean),
    Operation("nansum", [GAPS, 1], lambda x, dim: np.array([4.0, 0.0, np.inf]), gradient=False),
    Operation("nanmean", [GAPS, 1], lambda x, dim: np.array([2.0, np.nan, np.inf]), gradient=False),
    Operation("nansum", [integers(9, 2, 3), 1], np.sum, gradient=False),
    *[Operation("cov", [normal(3, 5)], lambda x, c=c: np.cov(x, ddof=c), {"correction": c}) for c in (0, 1, 2)],
    Operation("cov", [normal(5)], np.cov),
    Operation("cov", [normal(0, 5)], lambda x: np.zeros((0, 0))),
    Operation("cov", [normal(1, 5)], np.cov),
    *[
        Operation(
            "cov",
            [normal(3, 5), *weights.values()],
            lambda x, *w, names=tuple(weights): np.cov(x, **dict(zip(names, w))),
            call=lambda cov, x, *w, names=tuple(weights): cov(x, **dict(zip(names, w))),
        )
        for weights in (
            {"fweights": values(1, 2, 0, 3, 1, dtype=np.int64)},
            {"aweights": positive(5)},
            {"fweights": values(1, 2, 0, 3, 1, dtype=np.int64), "aweights": positive(5)},
        )
    ],
    Operation("corrcoef", [normal(3, 5)], np.corrcoef),
    Operation("corrcoef", [normal(5)], np.corrcoef, gradient=False),
    Operation(
        "corrcoef", [values([1.0, 2.0], [3.0, 3.0])], lambda x: np.array([[1, np.nan]] + [[np.nan] * 2]), gradient=False
    ),
    *[Operation(name, [normal(3, 5)], np.trapezoid) for name in ("trapezoid", "trapz")],
    Operation("trapezoid", [normal(3, 5)], lambda y: np.trapezoid(y, dx=0.3, axis=0), {"dx": 0.3, "dim": 0}),
    Operation("trapezoid", [normal(3, 5), distinct(5)], np.trapezoid),
    Operation("trapezoid", [normal(3, 5, 2), distinct(5)], lambda y, x: np.trapezoid(y, x, axis=1), {"dim": 1}),
    Operation("trapezoid", [normal(3, 5), distinct(3, 5)], lambda y, x: np.trapezoid(y, x, axis=0), {"dim": 0}),
    Operation("trapezoid", [normal(3, 1)], lambda y: np.zeros(3)),
    *reduction("argmax", distinct, np.argmax, ALONG_AXES + EDGES, gradient=False, same_dtype=False),
    *reduction("argmin", distinct, np.argmin, ALONG_AXES + EDGES, gradient=False, same_dtype=False),
    Operation("argmax", [distinct(2, 3)], np.argmax, gradient=False, same_dtype=False),
    Operation("argmin", [distinct(2, 3)], np.argmin, gradient=False, same_dtype=False),
    *reduction("var", normal, unbiased_var, SPREAD),
    *reduction("std", normal, unbiased_std, SPREAD),
    *reduction("var", normal, unbiased_var, EDGES, gradient=False),
    Operation("var_mean", [normal(2, 5), 1], lambda x, dim: (x.var(1, ddof=1), x.mean(1))),
    Operation("std_mean", [normal(2, 5)], lambda x: (x.std(0), x.mean(0)), {"dim": 0, "correction": 0}),
    Operation("var", [normal(2, 5)], lambda x: x.var(1), {"dim": 1, "correction": 0}),
    Operation("std", [normal(2, 5)], lambda x: x.std(1, ddof=2), {"dim": 1, "correction": 2}),
    *reduction("logsumexp", normal, np.logaddexp.reduce, ALONG_AXES + ALONG_SEVERAL + EDGES[:1]),
    Operation("logsumexp", [normal(2, 3)], lambda x: np.logaddexp.reduce(x, None), torch=None),
    Operation(
        "logsumexp",
        [values([1e4, 1e4], [-np.inf, -np.inf], [np.inf, 0.0]), 1],
        lambda x, dim: np.array([1e4 + np.log(2), -np.inf, np.inf]),
        gradient=False,
    ),
    Operation("cumsum", [normal(2, 3, 2), 1], np.cumsum),
    Operation("cumsum", [normal(2, 3), -1], np.cumsum),
    Operation("cumsum", [normal(0, 3), 0], np.cumsum),
    Operation("cumprod", [normal(2, 3, 2), 1], np.cumprod),
    Operation("cumprod", [normal(2, 3), -1], np.cumprod),
    Operation("cumprod", [values(0.5, 0.0, 2.0, 0.0, 3.0), 0], np.cumprod),
    Operation("cumprod", [normal(0, 3), 0], np.cumprod),
    *reduction("norm", normal, euclidean_norm),
    Operation("norm", [away_from_zero(2, 3)], lambda x: np.abs(x).sum(1), {"p": 1, "dim": 1}),
    Operation("norm", [away_from_zero(2, 3)], lambda x: (np.abs(x) ** 3).sum(1) ** (1 / 3), {"p": 3, "dim": 1}),
    Operation("norm", [distinct(2, 3)], lambda x: np.abs(x).max(1), {"p": np.inf, "dim": 1}, gradient=False),
    Operation("norm", [distinct(2, 3)], lambda x: np.abs(x).min(1), {"p": -np.inf, "dim": 1}, gradient=False),
    Operation("norm", [values([0.0, 2.0, 3.0])], lambda x: (x != 0.0).sum(1) * 1.0, {"p": 0, "dim": 1}, gradient=False),
    *reduction("all", booleans, np.all, gradient=False, same_dtype=False),
    *reduction("any", booleans, np.any, gradient=False, same_dtype=False),
    Operation("count_nonzero", [integers(2, 2, 3), 1], np.count_nonzero, gradient=False),
]
