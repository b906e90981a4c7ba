"""Activations, softmax among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.operations.common import SPECIAL, at_special_values, of_one
from minidl.checks.recipes import away_from_zero, distinct, integers, normal, values

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # of SELU


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.where(np.isnan(x), np.nan, 0))


def gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))


def in_another_dtype(name: str, expected: Callable) -> Operation:
    """Of integers, in the dtype of another input."""

    def call(operation: Callable, x: Any, y: Any) -> Any:
        return operation(x, 1, dtype=y.dtype)

    return Operation(name, [integers(3, 2, 4), normal(1)], lambda x, _: expected(x), call=call, gradient=False)


def slopes(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, x * (w.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else w[0]))


OPERATIONS = [
    *of_one("relu", away_from_zero, relu),
    *at_special_values("relu", relu),
    *of_one("leaky_relu", away_from_zero, lambda x: np.where(x > 0, x, 0.2 * x), negative_slope=0.2),
    *[
        Operation("prelu", [away_from_zero(*x), normal(*w)], slopes)
        for x, w in (((2, 3, 2, 2), (3,)), ((2, 3), (3,)), ((2, 3, 2), (1,)), ((4,), (1,)), ((), (1,)), ((0, 3), (3,)))
    ],
    Operation("prelu", [SPECIAL, values(0.5)], slopes, gradient=False),
    *of_one("elu", away_from_zero, lambda x: np.where(x > 0, x, 1.3 * np.expm1(x)), alpha=1.3),
    *of_one("sigmoid", normal, naive.sigmoid),
    *of_one("silu", normal, lambda x: x * naive.sigmoid(x)),
    *of_one("softplus", normal, lambda x: np.log1p(np.exp(2 * x)) / 2, beta=2.0),
    *of_one("log_sigmoid", normal, lambda x: -np.log1p(np.exp(-x)), torch="logsigmoid"),
    Operation("logsigmoid", [normal(2, 3)], lambda x: -np.log1p(np.exp(-x))),
    *of_one("gelu", normal, lambda x: x * (1 + naive.erf(x / 2**0.5)) / 2),
    *of_one("gelu", normal, gelu_by_tanh, approximate="tanh"),
    *of_one("hardtanh", normal, lambda x: np.clip(x, -0.5, 0.7), min_val=-0.5, max_val=0.7),
    *at_special_values("hardtanh", lambda x: np.clip(x, -1, 1)),
    *of_one("relu6", away_from_zero, lambda x: np.clip(x, 0, 6)),
    *at_special_values("relu6", lambda x: np.clip(x, 0, 6)),
    # PyTorch's own has a gradient of float32(1 / 6), in float64 too
    *of_one("hardsigmoid", normal, lambda x: np.clip(x + 3, 0, 6) / 6, torch=lambda x: (x + 3).clamp(0, 6) / 6),
    *of_one("hardswish", normal, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    *of_one("selu", away_from_zero, lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x))),
    *of_one("mish", normal, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    *of_one(
        "celu", away_from_zero, lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2)), alpha=2.0
    ),  # PyTorch divides in float32
    *of_one("celu", away_from_zero, lambda x: np.where(x > 0, x, np.expm1(x))),
    *at_special_values("celu", lambda x: np.where(x > 0, x, np.expm1(x))),
    *of_one("tanhshrink", normal, lambda x: x - np.tanh(x)),
    *at_special_values("tanhshrink", lambda x: x - np.tanh(x)),
    *of_one("hardshrink", distinct, lambda x: np.where(np.abs(x) > 0.31, x, 0), lambd=0.31),
    *at_special_values("hardshrink", lambda x: np.where(np.abs(x) <= 1, 0, x), lambd=1.0),
    *of_one("softshrink", distinct, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.31, 0), lambd=0.31),
    *at_special_values("softshrink", lambda x: x - np.clip(x, -1, 1), lambd=1.0),
    *[
        Operation("threshold", [recipe, 0.11, -0.7], lambda x, low, v: np.where(x <= low, v, x), gradient=gradient)
        for recipe, gradient in ((distinct(2, 3), True), (distinct(), True), (distinct(0, 3), True), (SPECIAL, False))
    ],
    Operation("softmin", [normal(2, 4, 3), 1], lambda x, dim: naive.softmax(-x, dim)),
    Operation("glu", [normal(2, 3, 4)], lambda x: x[..., :2] * naive.sigmoid(x[..., 2:])),
    Operation("glu", [normal(2, 6, 3), 1], lambda x, dim: x[:, :3] * naive.sigmoid(x[:, 3:])),
    Operation("glu", [normal(0, 4)], lambda x: x[:, :2]),
    *at_special_values("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    *at_special_values("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
    *at_special_values("sigmoid", naive.sigmoid),
    *at_special_values("softplus", lambda x: np.logaddexp(x, 0)),
    *at_special_values("log_sigmoid", lambda x: -np.logaddexp(-x, 0), torch="logsigmoid"),
    Operation("softmax", [normal(2, 4), -1], naive.softmax),
    Operation("softmax", [normal(2, 4, 3, 2), 1], naive.softmax),
    Operation("softmax", [normal(0, 4)], lambda x: x, {"dim": 1}),
    Operation("softmax", [normal(2, 0)], lambda x: x, {"dim": 1}),
    Operation("softmax", [normal()], np.ones_like, {"dim": 0}),
    Operation("softmax", [normal(2, 1)], np.ones_like, {"dim": 1}),
    Operation("softmax", [values([1e4, -1e4, 0.0], [-np.inf, 0.0, 0.0]), 1], naive.softmax),
    in_another_dtype("softmax", naive.softmax),
    in_another_dtype("log_softmax", lambda x: np.log(naive.softmax(x))),
    Operation("log_softmax", [normal(2, 4)], lambda x: np.log(naive.softmax(x)), {"dim": -1}),
    Operation("log_softmax", [normal(2, 4, 3, 2)], lambda x: np.log(naive.softmax(x, 1)), {"dim": 1}),
    Operation("log_softmax", [normal(0, 4)], lambda x: x, {"dim": 1}),
    Operation("log_softmax", [values([1e4, -1e4, 0.0]), 1], lambda x, dim: x - 1e4, gradient=False),
]
