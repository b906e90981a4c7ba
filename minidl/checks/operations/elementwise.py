"""Arithmetic, comparisons and functions of single numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.operations.common import SPECIAL, at_special_values, of_one
from minidl.checks.recipes import (
    Recipe,
    away_from_zero,
    booleans,
    distinct,
    fraction,
    integers,
    normal,
    off_grid,
    positive,
    values,
)


def of_two(
    name: str, recipe1: Callable[..., Recipe], recipe2: Callable[..., Recipe], expected: Callable, **rest: Any
) -> list[Operation]:
    """Two arguments: of one shape, broadcast either way, 0-d, empty, with a number."""
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3, 1), (2, 1, 2)), ((), (2,)), ((), ()), ((0, 3), (1, 3))]
    arrays = [Operation(name, [recipe1(*a), recipe2(*b)], expected, **rest) for a, b in shapes]
    return [*arrays, Operation(name, [recipe1(2, 3), 1.7], expected, **rest)]


def truth(name: str, expected: Callable, *inputs: Recipe) -> Operation:
    return Operation(name, list(inputs), expected, gradient=False, same_dtype=False)


def answer(name: str, x: Recipe, other: Recipe, expected: bool, **options: Any) -> Operation:
    """allclose and equal: the answer, which is no array, as 1 or 0 for each x."""

    def call(operation: Callable, x: Any, other: Any) -> Any:
        return (x != x) * 0 + int(operation(x, other, **options))

    return Operation(
        name,
        [x, other],
        lambda x, _: np.full(x.shape, int(expected)),
        call=call,
        gradient=False,
        same_dtype=False,
    )


NEAR_SPECIAL = values(0.0, 1e-9, 1.05, -1.2, np.inf, np.inf, np.nan, np.inf, np.nan)

OPERATIONS = [
    *of_two("add", normal, normal, np.add),
    Operation("add", [normal(2, 3), normal(3)], lambda x, y: x - 0.3 * y, {"alpha": -0.3}),
    Operation("add", [normal(2, 3), integers(9, 3)], lambda x, y: x + 0.3 * y, {"alpha": 0.3}),
    Operation("add", [integers(9, 3), integers(9, 3)], lambda x, y: x + 2 * y, {"alpha": 2}, gradient=False),
    Operation("sub", [normal(2, 3), normal(3)], lambda x, y: x - 0.3 * y, {"alpha": 0.3}),
    *of_two("sub", normal, normal, np.subtract),
    *of_two("mul", normal, normal, np.multiply),
    *of_two("div", normal, away_from_zero, np.divide),
    *[
        operation
        for mode, expected in (("floor", np.floor_divide), ("trunc", lambda x, y: np.trunc(x / y)))
        for operation in (
            *(
                Operation("div", [distinct(*a), positive(*b)], expected, {"rounding_mode": mode})
                for a, b in (((2, 3), (3,)), ((), (2,)), ((0, 3), (1, 3)))
            ),
            Operation("div", [distinct(2, 3), 0.7], expected, {"rounding_mode": mode}),
        )
    ],
    *[
        Operation(
            "div",
            [values(7, -7, 2**53 + 1, -(2**53) - 1, dtype=np.int64), values(2, 2, 1, 1, dtype=np.int64)],
            lambda x, y, result=result: np.array(result),
            {"rounding_mode": mode},
            gradient=False,
        )
        for mode, result in (
            ("floor", [3, -4, 2**53 + 1, -(2**53) - 1]),
            ("trunc", [3, -3, 2**53 + 1, -(2**53) - 1]),
        )
    ],
    Operation("addcmul", [normal(2, 3), normal(3), normal(2, 1)], lambda x, a, b: x + a * b),
    Operation("addcmul", [normal(3), normal(2, 3), normal(3)], lambda x, a, b: x - 0.3 * a * b, {"value": -0.3}),
    Operation("addcdiv", [normal(2, 3), normal(3), away_from_zero(2, 1)], lambda x, a, b: x + a / b),
    Operation("addcdiv", [normal(3), normal(2, 3), positive(3)], lambda x, a, b: x - 0.3 * a / b, {"value": -0.3}),
    Operation("lerp", [normal(2, 3), normal(3), 0.3], lambda x, y, w: (1 - w) * x + w * y),
    Operation("lerp", [normal(3), normal(2, 1), fraction(2, 3)], lambda x, y, w: (1 - w) * x + w * y),
    *of_two("pow", positive, normal, np.power),
    Operation("pow", [normal(2, 3), 2], np.power),
    Operation("pow", [normal(2, 3), 3], np.power),
    Operation("pow", [normal(2, 3), 0], np.power),
    Operation("pow", [2.0, normal(2, 3)], np.power),
    Operation("pow", [values(0.0, 2.0, 0.0), 2], np.power),
    Operation("pow", [normal(3), values(0.0, 1.0, 2.0)], np.power, gradient=False),
    Operation("pow", [positive(3), values(0.0, 1.0, 2.0)], np.power),
    *of_two("maximum", distinct, off_grid, np.maximum)[:-1],
    *of_two("minimum", distinct, off_grid, np.minimum)[:-1],
    Operation("maximum", [distinct(2, 3), 0.07], np.maximum, torch=None),
    Operation("minimum", [0.07, distinct(2, 3)], np.minimum, torch=None),
    Operation("maximum", [values(1.0, np.nan, 2.0), values(np.nan, 1.0, 2.0)], np.maximum, gradient=False),
    Operation("minimum", [values(1.0, np.nan, 2.0), values(np.nan, 1.0, 2.0)], np.minimum, gradient=False),
    *of_two("remainder", distinct, positive, np.remainder),
    Operation("remainder", [values(5.0, -5.0), values(3.0, 3.0)], np.remainder),
    *of_two("floor_divide", distinct, positive, np.floor_divide, gradient=False),
    *of_one("neg", normal, np.negative),
    *of_one("abs", away_from_zero, np.abs),
    *of_one("exp", normal, np.exp),
    *of_one("expm1", normal, np.expm1),
    *of_one("log", positive, np.log),
    *of_one("log2", positive, np.log2),
    *of_one("log10", positive, np.log10),
    *of_one("log1p", positive, np.log1p),
    *of_one("sqrt", positive, np.sqrt),
    *of_one("rsqrt", positive, lambda x: 1 / np.sqrt(x)),
    *of_one("reciprocal", away_from_zero, lambda x: 1 / x),
    *of_one("square", normal, np.square),
    *of_one("sin", normal, np.sin),
    *of_one("cos", normal, np.cos),
    *of_one("tan", fraction, np.tan),
    *of_one("asin", fraction, np.arcsin),
    *of_one("acos", fraction, np.arccos),
    *of_one("atan", normal, np.arctan),
    *of_two("atan2", normal, away_from_zero, np.arctan2)[:-1],
    Operation(
        "atan2", [values(0.0, -0.0, 1.0, -2.0, 0.0), values(-1.0, -1.0, 0.0, 0.0, 0.0)], np.arctan2, gradient=False
    ),
    *of_one("sinh", normal, np.sinh),
    *of_one("cosh", normal, np.cosh),
    *of_one("asinh", normal, np.arcsinh),
    *of_one("acosh", lambda *shape: lambda random: random.uniform(1.2, 3, shape), np.arccosh),
    *of_one("atanh", fraction, np.arctanh),
    *of_one("deg2rad", normal, np.deg2rad),
    *of_one("rad2deg", normal, np.rad2deg),
    *of_one("exp2", normal, np.exp2),
    *of_one("trunc", away_from_zero, np.trunc),
    *of_one("frac", away_from_zero, lambda x: x - np.trunc(x)),
    *of_one("logit", fraction, lambda x: np.log(x / (1 - x))),
    *of_one("logit", fraction, lambda x: np.log((z := np.clip(x, 0.3, 0.7)) / (1 - z)), eps=0.3),
    *of_one("sinc", normal, np.sinc),
    Operation("sinc", [values(0.0, 1e-20, 1e-4, 0.02, 0.5, 1.0)], np.sinc),
    *of_two("hypot", away_from_zero, normal, np.hypot)[:-1],
    Operation("hypot", [values(0.0, np.inf, np.nan, 1e30), values(0.0, 1.0, 1.0, 1e30)], np.hypot, gradient=False),
    *of_two("logaddexp", normal, normal, np.logaddexp)[:-1],
    Operation("logaddexp", [values(1.0, 2.0), values(1.0, 2.0)], np.logaddexp),
    Operation(
        "logaddexp",
        [values(-np.inf, np.inf, 1e4, -np.inf, np.nan), values(-np.inf, 0.0, 1e4, 1.0, 0.0)],
        np.logaddexp,
        gradient=False,
    ),
    *of_two("xlogy", normal, positive, lambda x1, x2: x1 * np.log(x2)),
    Operation(
        "xlogy",
        [values(0.0, 0.0, 0.0, 1.0, -1.0, 0.0), values(0.0, -1.0, np.nan, 0.0, -1.0, np.inf)],
        lambda x1, x2: np.array([0.0, 0.0, np.nan, -np.inf, np.nan, 0.0]),
        gradient=False,
    ),
    Operation("xlogy", [values(0.0, 0.0, 2.0), values(0.5, 2.0, 2.0)], lambda x1, x2: x1 * np.log(x2)),
    *of_two("fmod", distinct, positive, np.fmod),
    Operation("fmod", [values(5.0, -5.0), values(3.0, 3.0)], np.fmod),
    *of_one("tanh", normal, np.tanh),
    *of_one("erf", normal, naive.erf),
    *at_special_values("exp", np.exp),
    *at_special_values("log", np.log),
    *at_special_values("log2", np.log2),
    *at_special_values("log10", np.log10),
    *at_special_values("log1p", np.log1p),
    *at_special_values("asin", np.arcsin),
    *at_special_values("acos", np.arccos),
    *at_special_values("atan", np.arctan),
    *at_special_values("sqrt", np.sqrt),
    *at_special_values("tanh", np.tanh),
    *at_special_values("erf", naive.erf),
    *at_special_values("sign", lambda x: np.nan_to_num(np.sign(x))),
    *at_special_values("reciprocal", lambda x: 1 / x),
    *of_one("nan_to_num", normal, np.nan_to_num),
    *at_special_values("nan_to_num", np.nan_to_num, special=values(np.nan, 0.0, -0.0, 2.0)),
    *at_special_values(
        "nan_to_num", lambda x: np.nan_to_num(x, nan=3, posinf=1, neginf=-1), nan=3, posinf=1, neginf=-1
    ),
    Operation("where", [booleans(2, 3), normal(2, 3), normal(3)], np.where),
    Operation("where", [booleans(2, 3), normal(2, 3), 0.0], np.where),
    Operation("where", [booleans(3), 1.0, normal(2, 1)], np.where),
    Operation("where", [booleans(3, 4)], np.where, gradient=False),
    *of_one("clip", distinct, lambda x: np.clip(x, -0.11, 0.31), min=-0.11, max=0.31),
    *of_one("clamp", distinct, lambda x: np.maximum(x, 0.11), min=0.11),
    Operation("clip", [distinct(2, 3)], lambda x: np.minimum(x, 0.11), {"max": 0.11}),
    Operation("clamp_min", [distinct(2, 3), 0.11], np.maximum),
    Operation("clamp_max", [distinct(2, 3), off_grid(3)], np.minimum),
    *at_special_values("clip", lambda x: np.clip(x, -2, 2), min=-2, max=2),
    *of_one("sign", away_from_zero, np.sign),
    *of_one("floor", away_from_zero, np.floor),
    *of_one("ceil", away_from_zero, np.ceil),
    *of_one("round", away_from_zero, np.round),
    *of_one("round", away_from_zero, lambda x: np.round(x, 1), decimals=1),
    *at_special_values("round", np.round, special=values(0.5, 1.5, 2.5, -0.5, np.inf, np.nan)),
    truth("eq", np.equal, integers(2, 2, 3), integers(2, 3)),
    truth("ne", np.not_equal, integers(2, 2, 3), integers(2, 3)),
    truth("lt", np.less, normal(2, 3), normal(3)),
    truth("le", np.less_equal, normal(2, 3), normal(3)),
    truth("gt", np.greater, normal(2, 3), normal(3)),
    truth("ge", np.greater_equal, normal(2, 3), normal(3)),
    truth("logical_and", np.logical_and, booleans(2, 3), booleans(3)),
    truth("logical_or", np.logical_or, booleans(2, 3), booleans(3)),
    truth("logical_xor", np.logical_xor, booleans(2, 3), booleans(3)),
    truth("logical_xor", np.logical_xor, integers(3, 2, 3), values(0.0, 1.0, np.nan)),
    truth("logical_not", np.logical_not, booleans(2, 3)),
    truth("logical_and", np.logical_and, integers(3, 2, 3), normal(3)),
    truth("logical_or", np.logical_or, integers(3, 2, 3), values(0.0, 1.0, np.nan)),
    truth("logical_not", np.logical_not, integers(3, 2, 3)),
    truth("isnan", np.isnan, SPECIAL),
    truth("isinf", np.isinf, SPECIAL),
    truth("isfinite", np.isfinite, SPECIAL),
    *[
        Operation(
            "isclose",
            [SPECIAL, NEAR_SPECIAL],
            lambda x, y, nan=nan: np.isclose(x, y, 0.1, equal_nan=nan),
            {"rtol": 0.1, "equal_nan": nan},
            gradient=False,
            same_dtype=False,
        )
        for nan in (False, True)
    ],
    *[
        Operation(
            name,
            [normal(2, 3)],
            lambda x, n=n: np.full(x.shape, n),
            call=lambda f, x: (x != x) * 0 + int(f(x)),
            gradient=False,
            same_dtype=False,
        )
        for name, n in (("numel", 6), ("is_floating_point", 1))
    ],
    answer("equal", SPECIAL, SPECIAL, False),
    answer("equal", values(1.0, np.inf), values(1.0, np.inf), True),
    answer("equal", values(1.0, 2.0), values(1.0, 2.0 + 1e-6), False),
    answer("equal", normal(0, 3), normal(0, 3), True),
    answer("allclose", SPECIAL, SPECIAL, False),
    answer("allclose", SPECIAL, SPECIAL, True, equal_nan=True),
    answer("allclose", values(1.0, 2.0), values(1.000009, 2.0), True),
    answer("allclose", values(1.0, 2.0), values(1.000011, 2.0), False),
    Operation("astype", [normal(2, 3), np.float64], lambda x, dtype: x, torch=None, same_dtype=False),
    Operation("move", [normal(2, 3), "cpu"], lambda x, device: x, torch=None),
]
