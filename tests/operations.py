"""The table of operations: one line for each way to call one. tests/test_operations.py makes the tests from it.

To add an operation, add a line: its name in `minidl.functional`, what it is called with, and what NumPy says the value
is. Everything else follows: forward, first and second derivatives, PyTorch's opinion, dtypes, memory orders, the strict
array and every kernel backend.

    Operation("leaky_relu", [away_from_zero(2, 3)], lambda x: np.where(x > 0, x, 0.2 * x), {"negative_slope": 0.2})

The inputs are recipes, drawn in float64 from a seed of the operation's own: `normal`, `positive` ..., away from kinks
and ties, where a slope can't be measured. What is no recipe (a number, a tuple) is passed as it is. Say `torch=None`
where PyTorch has no such function, or give the function where its name differs; `call=` where the inputs come in
another form.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np
import scipy.special

from tests import naive

# Recipes: each gives a function of a random generator


def normal(*shape):
    return lambda random: random.standard_normal(shape)


def positive(*shape):
    return lambda random: random.uniform(0.5, 2, shape)


def fraction(*shape):
    return lambda random: random.uniform(0.1, 0.9, shape)


def away_from_zero(*shape):
    return lambda random: random.uniform(0.3, 2, shape) * random.choice([-1.0, 1.0], shape)


def distinct(*shape):
    """No two numbers closer than 0.1, none closer to 0 than 0.05."""
    size = int(np.prod(shape))
    return lambda random: (random.permutation(size).reshape(shape) - size // 2) * 0.1 + 0.05


def off_grid(*shape):
    """Numbers that `distinct` never gives, nor any near them: for comparisons with it."""
    return lambda random: distinct(*shape)(random) + 0.03


def probabilities(*shape):
    """Adding up to 1 along axis 1."""
    return lambda random: naive.softmax(random.standard_normal(shape), 1)


def integers(high, *shape):
    return lambda random: random.integers(0, high, shape)


def booleans(*shape):
    return lambda random: random.integers(0, 2, shape).astype(bool)


def values(*numbers, dtype=np.float64):
    return lambda random: np.array(numbers, dtype)


@dataclass
class Operation:
    """One way to call an operation.

    name       in minidl.functional
    inputs     recipes for arrays, or anything else, passed as it is
    expected   the value by NumPy or SciPy, a function of the arrays
    options    keyword arguments of the call
    call       call(operation, *inputs) where operation(*inputs, **options) does not do
    torch      the same in PyTorch: None, a function, or (default) what has that name in torch.nn.functional or torch
    constants  how many of the last inputs are no variables of the function: class weights
    gradient   whether gradients are checked (no: there are none, or the inputs stand on a kink)
    second     whether it has a second derivative (no: asking for one is an error that names the operation)
    same_dtype whether float32 inputs give a float32 result (no: it has a dtype of its own, such as bool)
    """

    name: str
    inputs: list
    expected: Callable
    options: dict[str, Any] = field(default_factory=dict)
    call: Callable | None = None
    torch: Callable | str | None = ""
    constants: int = 0
    gradient: bool = True
    same_dtype: bool = True
    second: bool = True

    def arrays(self, dtype: Any = np.float64) -> list[Any]:
        """The inputs, floating-point arrays in `dtype`; the same at every call."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        made = [np.asarray(x(random)) if isinstance(x, FunctionType) else x for x in self.inputs]
        return [x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in made]

    def run(self, function: Callable, inputs: list[Any]) -> Any:
        """The result of `function`, which is the operation of minidl or its like in PyTorch."""
        if self.call is not None:
            return self.call(function, *inputs)
        return function(*inputs, **self.options)


# Elementwise: one argument, in several shapes


def of_one(name, recipe, expected, torch="", **options):
    shapes = [(2, 3, 2, 2), (), (0, 3), (1,)]
    return [Operation(name, [recipe(*shape)], expected, options, torch=torch) for shape in shapes]


def of_two(name, recipe1, recipe2, expected, torch="", **rest):
    """Two arguments: of one shape, broadcast either way, with a number on either side, 0-d, empty."""
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3, 1), (2, 1, 2)), ((), (2,)), ((), ()), ((0, 3), (1, 3))]
    arrays = [Operation(name, [recipe1(*a), recipe2(*b)], expected, torch=torch, **rest) for a, b in shapes]
    numbers = [Operation(name, [recipe1(2, 3), 1.7], expected, torch=torch, **rest)]
    return arrays + numbers


def truth(name, expected, inputs=None, torch=""):
    inputs = inputs or [normal(2, 3), normal(3)]
    return [Operation(name, inputs, expected, torch=torch, gradient=False, same_dtype=False)]


SPECIAL = values(0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e4, -1e4)


def at_special_values(name, expected, torch="", special=SPECIAL, **options):
    return [Operation(name, [special], expected, options, torch=torch, gradient=False)]


def sigmoid(x):
    return scipy.special.expit(x)


def relu(x):
    return np.where(x > 0, x, np.where(np.isnan(x), np.nan, 0))


ELEMENTWISE = [
    *of_two("add", normal, normal, np.add),
    *of_two("sub", normal, normal, np.subtract),
    *of_two("mul", normal, normal, np.multiply),
    *of_two("div", normal, away_from_zero, np.divide),
    *of_two("pow", positive, normal, np.power),
    Operation("pow", [normal(2, 3), 2], lambda x, n: x**n),
    Operation("pow", [normal(2, 3), 3], lambda x, n: x**n),
    Operation("pow", [normal(2, 3), 0], lambda x, n: x**n),
    Operation("pow", [2.0, normal(2, 3)], lambda x1, x2: x1**x2),
    Operation("pow", [values(0.0, 2.0, 0.0), 2], lambda x, n: x**n),
    Operation("pow", [normal(3), values(0.0, 1.0, 2.0)], np.power, gradient=False),
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
    *of_one("log1p", positive, np.log1p),
    *of_one("sqrt", positive, np.sqrt),
    *of_one("rsqrt", positive, lambda x: 1 / np.sqrt(x)),
    *of_one("reciprocal", away_from_zero, lambda x: 1 / x),
    *of_one("square", normal, np.square),
    *of_one("sin", normal, np.sin),
    *of_one("cos", normal, np.cos),
    *of_one("tan", fraction, np.tan),
    *of_one("tanh", normal, np.tanh),
    *of_one("erf", normal, scipy.special.erf),
    *at_special_values("exp", np.exp),
    *at_special_values("log", np.log),
    *at_special_values("log1p", np.log1p),
    *at_special_values("sqrt", np.sqrt),
    *at_special_values("tanh", np.tanh),
    *at_special_values("erf", scipy.special.erf),
    *at_special_values("sign", lambda x: np.nan_to_num(np.sign(x))),
    *at_special_values("reciprocal", lambda x: 1 / x),
    Operation("where", [booleans(2, 3), normal(2, 3), normal(3)], np.where),
    Operation("where", [booleans(2, 3), normal(2, 3), 0.0], np.where),
    Operation("where", [booleans(3), 1.0, normal(2, 1)], np.where),
    *of_one("clip", distinct, lambda x: np.clip(x, -0.11, 0.31), min=-0.11, max=0.31),
    *of_one("clamp", distinct, lambda x: np.maximum(x, 0.11), min=0.11),
    Operation("clip", [distinct(2, 3)], lambda x: np.minimum(x, 0.11), {"max": 0.11}),
    *at_special_values("clip", lambda x: np.clip(x, -2, 2), min=-2, max=2),
    *of_one("sign", away_from_zero, np.sign),
    *of_one("floor", away_from_zero, np.floor),
    *of_one("ceil", away_from_zero, np.ceil),
    *of_one("round", away_from_zero, np.round),
    *of_one("round", away_from_zero, lambda x: np.round(x, 1), decimals=1),
    *at_special_values("round", np.round, special=values(0.5, 1.5, 2.5, -0.5, np.inf, np.nan)),
    *truth("eq", np.equal, [integers(2, 2, 3), integers(2, 3)]),
    *truth("ne", np.not_equal, [integers(2, 2, 3), integers(2, 3)]),
    *truth("lt", np.less),
    *truth("le", np.less_equal),
    *truth("gt", np.greater),
    *truth("ge", np.greater_equal),
    *truth("logical_and", np.logical_and, [booleans(2, 3), booleans(3)]),
    *truth("logical_or", np.logical_or, [booleans(2, 3), booleans(3)]),
    *truth("logical_not", np.logical_not, [booleans(2, 3)]),
    *truth("logical_and", np.logical_and, [integers(3, 2, 3), normal(3)]),
    *truth("logical_or", np.logical_or, [integers(3, 2, 3), values(0.0, 1.0, np.nan)]),
    *truth("logical_not", np.logical_not, [integers(3, 2, 3)]),
    *truth("isnan", np.isnan, [SPECIAL]),
    *truth("isinf", np.isinf, [SPECIAL]),
    *truth("isfinite", np.isfinite, [SPECIAL]),
    Operation("astype", [normal(2, 3), np.float64], lambda x, dtype: x, torch=None, same_dtype=False),
    Operation("move", [normal(2, 3), "cpu"], lambda x, device: x, torch=None),
]

ACTIVATIONS = [
    *of_one("relu", away_from_zero, relu),
    *at_special_values("relu", relu),
    *of_one("leaky_relu", away_from_zero, lambda x: np.where(x > 0, x, 0.2 * x), negative_slope=0.2),
    *of_one("elu", away_from_zero, lambda x: np.where(x > 0, x, 1.3 * np.expm1(x)), alpha=1.3),
    *of_one("sigmoid", normal, sigmoid),
    *of_one("silu", normal, lambda x: x * sigmoid(x)),
    *of_one("softplus", normal, lambda x: np.log1p(np.exp(2 * x)) / 2, beta=2.0),
    *of_one("log_sigmoid", normal, lambda x: -np.log1p(np.exp(-x)), torch="logsigmoid"),
    Operation("logsigmoid", [normal(2, 3)], lambda x: -np.log1p(np.exp(-x))),
    *of_one("gelu", normal, lambda x: x * scipy.special.ndtr(x)),
    *of_one(
        "gelu", normal, lambda x: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))), approximate="tanh"
    ),
    *at_special_values("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    *at_special_values("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
    *at_special_values("sigmoid", sigmoid),
    *at_special_values("softplus", lambda x: np.logaddexp(x, 0)),
    *at_special_values("log_sigmoid", lambda x: -np.logaddexp(-x, 0), torch="logsigmoid"),
    Operation("softmax", [normal(2, 4)], lambda x: naive.softmax(x), {"dim": -1}),
    Operation("softmax", [normal(2, 4, 3, 2)], lambda x: naive.softmax(x, 1), {"dim": 1}),
    Operation("softmax", [normal(0, 4)], lambda x: x, {"dim": 1}),
    Operation("softmax", [normal(2, 0)], lambda x: x, {"dim": 1}),
    Operation("softmax", [normal()], np.ones_like, {"dim": 0}),
    Operation("softmax", [normal(2, 1)], np.ones_like, {"dim": 1}),
    Operation("softmax", [values([1e4, -1e4, 0.0], [-np.inf, 0.0, 0.0])], naive.softmax, {"dim": 1}),
    Operation("log_softmax", [normal(2, 4)], lambda x: np.log(naive.softmax(x)), {"dim": -1}),
    Operation("log_softmax", [normal(2, 4, 3, 2)], lambda x: np.log(naive.softmax(x, 1)), {"dim": 1}),
    Operation("log_softmax", [normal(0, 4)], lambda x: x, {"dim": 1}),
    Operation(
        "log_softmax", [values([1e4, -1e4, 0.0])], lambda x: np.array([[0.0, -2e4, -1e4]]), {"dim": 1}, gradient=False
    ),
]

# Reductions


ALONG_AXES = [((2, 3, 4, 2), 1), ((2, 3), 0), ((2, 3), -1)]
ALONG_SEVERAL = [((2, 3, 4), (0, -1))]
ALONG_ALL = [((2, 3), None), ((), None)]
EDGES = [((3, 1), 1), ((0, 3), 1)]


def reduction(name, recipe, expected, cases=ALONG_AXES + ALONG_SEVERAL + ALONG_ALL + EDGES, torch="", **rest):
    """Along one axis, several and all, kept or not; `expected` takes NumPy's arguments."""
    lines = []
    for shape, dim in cases:
        for kept in (False, True) if dim is not None else (False,):
            options = {} if dim is None else {"dim": dim, "keepdim": kept}
            value = lambda x, dim=dim, kept=kept: expected(x, dim, kept)  # noqa: E731
            lines.append(Operation(name, [recipe(*shape)], value, options, torch=torch, **rest))
    return lines


def by(function):
    return lambda x, dim, kept: function(x, axis=dim, keepdims=kept)


def take(find, x, dim, kept):
    """Values and indices, as `max(dim)` gives them."""
    indices = np.expand_dims(find(x, dim), dim)
    values = np.take_along_axis(x, indices, dim)
    return (values, indices) if kept else (values.squeeze(dim), indices.squeeze(dim))


SPREAD = ALONG_AXES + ALONG_SEVERAL + ALONG_ALL[:1]

REDUCTIONS = [
    *reduction("sum", normal, by(np.sum)),
    *reduction("mean", normal, by(np.mean)),
    *reduction("prod", away_from_zero, by(np.prod), ALONG_AXES + ALONG_ALL + EDGES),
    Operation("prod", [away_from_zero(2, 3, 2)], lambda x: x.prod((0, 2)), {"dim": (0, 2)}, torch=None),
    Operation("prod", [values([1.0, 0.0, 2.0], [0.0, 3.0, 0.0])], lambda x: x.prod(1), {"dim": 1}),
    *reduction("amax", distinct, by(np.max), ALONG_AXES + ALONG_SEVERAL + EDGES),
    *reduction("amin", distinct, by(np.min), ALONG_AXES + ALONG_SEVERAL + EDGES),
    Operation("amax", [distinct(2, 3)], np.max, torch="max"),
    Operation("amin", [distinct(2, 3)], np.min, torch="min"),
    Operation("max", [distinct(2, 3)], np.max),
    Operation("max", [distinct(2, 3), off_grid(3)], np.maximum),
    Operation("min", [distinct(2, 3), off_grid(3)], np.minimum),
    Operation("min", [distinct(2, 3)], np.min),
    Operation("max", [distinct(2, 3, 4)], lambda x: take(np.argmax, x, 1, False), {"dim": 1}),
    Operation("max", [distinct(2, 3, 4)], lambda x: take(np.argmax, x, -1, True), {"dim": -1, "keepdim": True}),
    Operation("min", [distinct(2, 3, 4)], lambda x: take(np.argmin, x, 1, False), {"dim": 1}),
    Operation("min", [distinct(2, 3, 4)], lambda x: take(np.argmin, x, -1, True), {"dim": -1, "keepdim": True}),
    Operation("max", [values([1.0, np.nan, 3.0])], lambda x: take(np.argmax, x, 1, False), {"dim": 1}, gradient=False),
    Operation("amax", [values([1.0, np.nan, 3.0])], lambda x: x.max(1), {"dim": 1}, gradient=False),
    *reduction("argmax", distinct, by(np.argmax), ALONG_AXES + EDGES, gradient=False, same_dtype=False),
    *reduction("argmin", distinct, by(np.argmin), ALONG_AXES + EDGES, gradient=False, same_dtype=False),
    Operation("argmax", [distinct(2, 3)], np.argmax, gradient=False, same_dtype=False),
    Operation("argmin", [distinct(2, 3)], np.argmin, gradient=False, same_dtype=False),
    *reduction("var", normal, lambda x, dim, kept: x.var(dim, ddof=1, keepdims=kept), SPREAD),
    *reduction("std", normal, lambda x, dim, kept: x.std(dim, ddof=1, keepdims=kept), SPREAD),
    *reduction("var", normal, lambda x, dim, kept: x.var(dim, ddof=1, keepdims=kept), EDGES, gradient=False),
    Operation("var", [normal(2, 5)], lambda x: x.var(1, ddof=0), {"dim": 1, "correction": 0}),
    Operation("std", [normal(2, 5)], lambda x: x.std(1, ddof=2), {"dim": 1, "correction": 2}),
    *reduction("logsumexp", normal, by(scipy.special.logsumexp), ALONG_AXES + ALONG_SEVERAL + EDGES[:1]),
    Operation("logsumexp", [normal(2, 3)], scipy.special.logsumexp, torch=None),
    Operation(
        "logsumexp",
        [values([1e4, 1e4], [-np.inf, -np.inf], [np.inf, 0.0])],
        lambda x: np.array([1e4 + np.log(2), -np.inf, np.inf]),
        {"dim": 1},
        gradient=False,
    ),
    Operation("cumsum", [normal(2, 3, 2)], lambda x: x.cumsum(1), {"dim": 1}),
    Operation("cumsum", [normal(2, 3)], lambda x: x.cumsum(-1), {"dim": -1}),
    Operation("cumsum", [normal(0, 3)], lambda x: x, {"dim": 0}),
    *reduction("norm", normal, lambda x, dim, kept: np.sqrt((x * x).sum(dim, keepdims=kept))),
    Operation("norm", [away_from_zero(2, 3)], lambda x: np.abs(x).sum(1), {"p": 1, "dim": 1}),
    Operation("norm", [away_from_zero(2, 3)], lambda x: (np.abs(x) ** 3).sum(1) ** (1 / 3), {"p": 3, "dim": 1}),
    Operation("norm", [distinct(2, 3)], lambda x: np.abs(x).max(1), {"p": np.inf, "dim": 1}, gradient=False),
    Operation("norm", [distinct(2, 3)], lambda x: np.abs(x).min(1), {"p": -np.inf, "dim": 1}, gradient=False),
    Operation("norm", [values([0.0, 2.0, 3.0])], lambda x: (x != 0.0).sum(1) * 1.0, {"p": 0, "dim": 1}, gradient=False),
    *reduction("all", booleans, by(np.all), gradient=False, same_dtype=False),
    *reduction("any", booleans, by(np.any), gradient=False, same_dtype=False),
    Operation("count_nonzero", [integers(2, 2, 3)], lambda x: (x != 0).sum(1), {"dim": 1}, gradient=False),
]

X234 = [normal(2, 3, 4)]

SHAPES = [
    Operation("reshape", X234, lambda x: x.reshape(4, -1), call=lambda f, x: f(x, (4, -1))),
    Operation("reshape", [normal(0, 3)], lambda x: x.reshape(3, 0, 2), call=lambda f, x: f(x, (3, 0, 2))),
    Operation("reshape", [normal()], lambda x: x.reshape(1, 1), call=lambda f, x: f(x, (1, 1))),
    Operation("view", X234, lambda x: x.reshape(6, 4), call=lambda f, x: f(x, 6, 4), torch=None),
    Operation("flatten", [normal(2, 3, 2, 2)], lambda x: x.reshape(2, 12), {"start_dim": 1}),
    Operation("flatten", [normal(2, 3, 2, 2)], lambda x: x.reshape(2, 6, 2), {"start_dim": 1, "end_dim": 2}),
    Operation("flatten", [normal()], lambda x: x.reshape(1)),
    Operation("unflatten", [normal(2, 6)], lambda x: x.reshape(2, 2, 3), {"dim": 1, "sizes": (2, -1)}),
    Operation(
        "permute", [normal(2, 3, 4, 2)], lambda x: x.transpose(2, 0, 3, 1), call=lambda f, x: f(x, (2, 0, -1, 1))
    ),
    Operation("transpose", X234, lambda x: x.transpose(2, 1, 0), call=lambda f, x: f(x, 0, -1)),
    Operation("swapaxes", X234, lambda x: x.transpose(1, 0, 2), call=lambda f, x: f(x, 0, 1)),
    Operation("movedim", X234, lambda x: x.transpose(1, 2, 0), call=lambda f, x: f(x, 0, 2)),
    Operation("t", [normal(2, 3)], lambda x: x.T),
    Operation("t", [normal(3)], lambda x: x),
    Operation("squeeze", [normal(2, 1, 3, 1)], lambda x: x.reshape(2, 3)),
    Operation("squeeze", [normal(2, 1, 3, 1)], lambda x: x.reshape(2, 3, 1), {"dim": 1}),
    Operation("squeeze", [normal(2, 1, 3, 1)], lambda x: x, {"dim": 0}),
    Operation("squeeze", [normal(2, 1, 3, 1)], lambda x: x.reshape(2, 3), {"dim": (1, 3, 0)}),
    Operation("unsqueeze", [normal(2, 3)], lambda x: x[:, None], {"dim": 1}),
    Operation("unsqueeze", [normal(2, 3)], lambda x: x[..., None], {"dim": -1}),
    Operation(
        "expand",
        [normal(2, 1)],
        lambda x: np.broadcast_to(x, (4, 2, 3)),
        call=lambda f, x: f(x, 4, -1, 3),
        torch=lambda x, *sizes: x.expand(*sizes),
    ),
    Operation(
        "broadcast_to", [normal(2, 1)], lambda x: np.broadcast_to(x, (3, 2, 4)), call=lambda f, x: f(x, (3, 2, 4))
    ),
    Operation("cat", [normal(2, 3), normal(2, 1)], lambda *xs: np.concatenate(xs, 1), call=lambda f, *xs: f(xs, 1)),
    Operation("cat", [normal(2, 3), normal(0, 3)], lambda *xs: np.concatenate(xs), call=lambda f, *xs: f(xs)),
    Operation(
        "cat", [normal(0), normal(2, 3)], lambda *xs: xs[1], call=lambda f, *xs: f(xs), torch=None, gradient=False
    ),
    Operation("concatenate", [normal(2, 3), normal(1, 3)], lambda *xs: np.concatenate(xs), call=lambda f, *xs: f(xs)),
    Operation("stack", [normal(2, 3), normal(2, 3)], lambda *xs: np.stack(xs, 1), call=lambda f, *xs: f(xs, 1)),
    Operation("stack", [normal(2, 3), normal(2, 3)], lambda *xs: np.stack(xs, -1), call=lambda f, *xs: f(xs, -1)),
    Operation("split", [normal(5, 2)], lambda x: (x[:2], x[2:4], x[4:]), call=lambda f, x: f(x, 2)),
    Operation("split", [normal(2, 5)], lambda x: (x[:, :1], x[:, 1:]), call=lambda f, x: f(x, [1, 4], dim=1)),
    Operation("chunk", [normal(5, 2)], lambda x: (x[:2], x[2:4], x[4:]), call=lambda f, x: f(x, 3)),
    Operation("chunk", [normal(2, 4)], lambda x: (x[:, :2], x[:, 2:]), call=lambda f, x: f(x, 2, dim=-1)),
    Operation("unbind", [normal(2, 3)], lambda x: (x[:, 0], x[:, 1], x[:, 2]), {"dim": 1}),
    Operation("flip", X234, lambda x: x[::-1, :, ::-1], call=lambda f, x: f(x, (0, -1))),
    Operation("roll", X234, lambda x: np.roll(x, 2, 1), call=lambda f, x: f(x, 2, 1)),
    Operation("roll", X234, lambda x: np.roll(x, (1, -5), (0, 2)), call=lambda f, x: f(x, (1, -5), (0, 2))),
    Operation("roll", X234, lambda x: np.roll(x, 3), call=lambda f, x: f(x, 3)),
    Operation(
        "repeat",
        [normal(2, 3)],
        lambda x: np.tile(x, (2, 1, 3)),
        call=lambda f, x: f(x, 2, 1, 3),
        torch=lambda x, *n: x.repeat(*n),
    ),
    Operation("pad", [normal(2, 3, 4)], lambda x: np.pad(x, ((0, 0), (2, 1), (1, 0))), {"pad": (1, 0, 2, 1)}),
    Operation(
        "pad", [normal(2, 3)], lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=1.5), {"pad": (1, 2), "value": 1.5}
    ),
    Operation("pad", [normal(2, 5)], lambda x: np.pad(x[:, 1:], ((0, 0), (0, 2))), {"pad": (-1, 2)}),
    Operation(
        "pad",
        [normal(1, 2, 3, 4)],
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), "reflect"),
        {"pad": (3, 0, 1, 2), "mode": "reflect"},
    ),
    Operation(
        "pad",
        [normal(1, 2, 3, 4)],
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 5)), "edge"),
        {"pad": (3, 5, 1, 2), "mode": "replicate"},
    ),
    Operation("tril", [normal(2, 3, 4)], lambda x: np.tril(x, 1), {"diagonal": 1}),
    Operation("triu", [normal(3, 3)], np.triu),
    Operation("contiguous", [normal(2, 3)], lambda x: x.T, call=lambda f, x: f(x.T), torch=lambda x: x.contiguous()),
]


def pick(x, key):
    return x[key]


def indexed(inputs, key, gradient=True):
    """x[key(...)], the key made of the inputs after x."""
    return Operation(
        "index", inputs, lambda x, *i: x[key(*i)], call=lambda f, x, *i: f(x, key(*i)), torch=pick, gradient=gradient
    )


ALL = slice(None)

INDEXING = [
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
    indexed([normal(2, 3, 4), integers(2, 3), integers(4, 3)], lambda i, j: (i, ALL, j)),
    Operation(
        "index",
        [normal(2, 3, 4), integers(4, 5)],
        lambda x, i: x[0][:, i],
        call=lambda f, x, i: f(x, (0, slice(None), i)),
        torch=pick,
    ),  # NumPy's x[0, :, i] has its axes exchanged
    indexed([normal(3, 4), booleans(3, 4)], lambda mask: mask),
    indexed([normal(3, 4), booleans(3)], lambda mask: mask),
    indexed([normal(3, 4), booleans(4)], lambda mask: (ALL, mask)),
    indexed([normal(3, 4)], lambda: [2, 0, 2]),
    indexed([normal(3, 4), integers(1, 0)], lambda i: i),
    indexed([normal(4)], lambda: None),
    Operation(
        "index_add",
        [normal(4, 2), integers(3, 4)],
        lambda x, i: np.stack([x[i == row].sum(0) for row in range(3)]),
        call=lambda f, x, i: f(x, i, (3, 2)),
        torch=None,
    ),
    Operation("index_select", [normal(3, 4), integers(4, 5)], lambda x, i: x[:, i], call=lambda f, x, i: f(x, 1, i)),
    Operation(
        "take_along_dim", [normal(3, 4), integers(4, 3, 2)], lambda x, i: np.take_along_axis(x, i, 1), {"dim": 1}
    ),
    Operation(
        "gather", [normal(3, 4), integers(4, 3, 2)], lambda x, i: naive.gather(x, 1, i), call=lambda f, x, i: f(x, 1, i)
    ),
    Operation(
        "gather", [normal(3, 4), integers(3, 5, 2)], lambda x, i: naive.gather(x, 0, i), call=lambda f, x, i: f(x, 0, i)
    ),
    Operation(
        "gather",
        [normal(3, 4, 2), integers(4, 2, 5, 1)],
        lambda x, i: naive.gather(x, 1, i),
        call=lambda f, x, i: f(x, 1, i),
    ),
    Operation("masked_fill", [normal(2, 3), booleans(3), 0.7], lambda x, mask, v: np.where(mask, v, x)),
    Operation("masked_select", [normal(2, 3), booleans(2, 3)], lambda x, mask: x[mask]),
    Operation(
        "one_hot", [integers(3, 2, 4)], lambda i: np.eye(5, dtype=np.int64)[i], {"num_classes": 5}, gradient=False
    ),
    Operation("one_hot", [integers(4, 6)], lambda i: np.eye(i.max() + 1, dtype=np.int64)[i], gradient=False),
    Operation("sort", [distinct(2, 4)], lambda x: (np.sort(x), np.argsort(x)), {"dim": -1}),
    Operation("sort", [distinct(3, 2)], lambda x: (-np.sort(-x, 0), np.argsort(-x, 0)), {"dim": 0, "descending": True}),
    Operation("topk", [distinct(2, 5)], lambda x: (-np.sort(-x)[:, :3], np.argsort(-x)[:, :3]), {"k": 3}),
    Operation(
        "topk",
        [distinct(4, 2)],
        lambda x: (np.sort(x, 0)[:2], np.argsort(x, 0)[:2]),
        {"k": 2, "dim": 0, "largest": False},
    ),
]

# Matrix products: every pair of ranks, batch axes broadcast, empty sums

MATMUL_SHAPES = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((2, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((2, 1, 2, 3), (4, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((1, 1), (1, 1)),
]


def einsum(equation, *shapes):
    return Operation(
        "einsum",
        [normal(*shape) for shape in shapes],
        lambda *xs: np.einsum(equation, *xs),
        call=lambda f, *xs: f(equation, *xs),
    )


EINSUM = [
    einsum("ij,jk->ik", (2, 3), (3, 4)),
    einsum("ij,kj", (2, 3), (4, 3)),
    einsum("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 4, 2)),
    einsum("ij->ji", (2, 3)),
    einsum("ij->", (2, 3)),
    einsum("ij->j", (2, 3)),
    einsum("ii->i", (3, 3)),
    einsum("ii", (3, 3)),
    einsum("iij->ji", (3, 3, 2)),
    einsum("i,j->ij", (2,), (3,)),
    einsum("i,i", (3,), (3,)),
    einsum("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
    einsum("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)),
    einsum("ij,k->k", (2, 3), (4,)),
    einsum("...ij,...jk->...ik", (4, 2, 3), (3, 2)),
    einsum("...i->...", (2, 3, 4)),
    einsum("i...,i", (3, 2), (3,)),
    einsum("ij,jk->ik", (2, 0), (0, 3)),
    einsum("ij,jk->ik", (2, 1), (3, 4)),
]

LINEAR = [
    *[Operation("matmul", [normal(*a), normal(*b)], np.matmul) for a, b in MATMUL_SHAPES],
    Operation("mm", [normal(2, 3), normal(3, 4)], np.matmul),
    Operation("bmm", [normal(2, 2, 3), normal(2, 3, 4)], np.matmul),
    Operation("mv", [normal(2, 3), normal(3)], np.matmul),
    Operation("dot", [normal(3), normal(3)], np.dot),
    Operation("outer", [normal(3), normal(4)], np.outer),
    Operation("linear", [normal(4, 3), normal(2, 3), normal(2)], lambda x, w, b: x @ w.T + b),
    Operation("linear", [normal(2, 4, 3), normal(2, 3)], lambda x, w: x @ w.T),
    Operation("linear", [normal(3), normal(2, 3), normal(2)], lambda x, w, b: x @ w.T + b),
    Operation("linear", [normal(0, 3), normal(2, 3), normal(2)], lambda x, w, b: x @ w.T + b),
    Operation("channel_sum", [normal(2, 3, 2, 2)], lambda x: x.sum((0, 2, 3)), torch=lambda x: x.sum((0, 2, 3))),
    Operation("channel_sum", [normal(4, 3)], lambda x: x.sum(0), torch=lambda x: x.sum(0)),
    Operation("channel_sum", [normal(0, 3, 2)], lambda x: x.sum((0, 2)), torch=lambda x: x.sum((0, 2))),
]

# Convolution and pooling


def convolution(x, w, bias=True, **geometry):
    """conv2d and its two gradients as operations of their own."""
    whole = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1} | geometry
    inputs = [normal(*x), normal(*w)] + ([normal(w[0])] if bias else [])
    size = naive.conv2d(np.zeros(x), np.zeros(w), **whole).shape
    return [
        Operation("conv2d", inputs, lambda *arrays: naive.conv2d(*arrays, **whole), geometry),
        Operation(
            "conv2d_input_grad",
            [normal(*size), normal(*w)],
            lambda dy, w: naive.conv2d_adjoint(dy, w, x[2:], **whole),
            {"input_size": x[2:], **geometry},
            torch=None,
        ),
        Operation(
            "conv2d_weight_grad",
            [normal(*x), normal(*size)],
            lambda x, dy: naive.conv2d_weight_adjoint(x, dy, w[2:], **whole),
            {"kernel_size": w[2:], **geometry},
            torch=None,
        ),
    ]


def conv_relu_pool(x, w, pool_size, **geometry):
    whole = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1} | geometry

    def value(x, w, b):
        return naive.max_pool2d(np.maximum(naive.conv2d(x, w, b, **whole), 0), pool_size, pool_size)

    inputs = [normal(*x), normal(*w), normal(w[0])]
    return Operation("conv2d_relu_pool", inputs, value, {"pool_size": pool_size, **geometry}, torch=None)


def transposed(x, w, bias=True, stride=(1, 1), padding=(0, 0), output_padding=(0, 0), dilation=(1, 1), groups=1):
    inputs = [normal(*x), normal(*w)] + ([normal(w[1] * groups)] if bias else [])
    size = [
        (n - 1) * step - 2 * border + spread * (taps - 1) + more + 1
        for n, taps, step, border, more, spread in zip(x[2:], w[2:], stride, padding, output_padding, dilation)
    ]

    def expected(x, w, b=0.0):
        return naive.conv2d_adjoint(x, w, size, stride, padding, dilation, groups) + np.reshape(b, (-1, 1, 1))

    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
        "groups": groups,
    }
    return Operation("conv_transpose2d", inputs, expected, options)


def same_padded(x, w):
    """Zeros around x, one more after than before where their number is odd."""
    rows, columns = w.shape[2] - 1, w.shape[3] - 1
    x = np.pad(x, ((0, 0), (0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)))
    return naive.conv2d(x, w)


def pooling(name, shape, kernel_size, torch="", **options):
    stride = options.get("stride", kernel_size)
    recipe = distinct if name == "max_pool2d" else normal
    pool = getattr(naive, name)
    rest = {key: value for key, value in options.items() if key != "stride"}
    return Operation(
        name,
        [recipe(*shape)],
        lambda x: pool(x, kernel_size, stride, **rest),
        {"kernel_size": kernel_size, **options},
        torch=torch,
    )


def resized(shape, size=None, scale=None, torch="", **options):
    spatial = shape[2:]
    out = size or tuple(int(n * scale) for n in spatial)
    ratio = (1 / scale, 1 / scale) if scale else None
    given = {"size": size} if size else {"scale_factor": scale}
    return Operation(
        "interpolate",
        [normal(*shape)],
        lambda x: naive.interpolate(x, out, ratio=ratio, **options),
        given | options,
        torch=torch,
    )


def max_with_indices(x):
    """2 x 2 windows of an image of even size."""
    n, c, h, w = x.shape
    numbers = np.arange(h * w).reshape(1, 1, h, w) * np.ones((n, c, 1, 1), np.int64)
    split = [
        a.reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4).reshape(n, c, h // 2, w // 2, 4) for a in (x, numbers)
    ]
    best = split[0].argmax(-1)[..., None]
    return tuple(np.take_along_axis(a, best, -1)[..., 0] for a in split)


CONVOLUTION = [
    *convolution((2, 3, 4, 5), (2, 3, 3, 3)),
    *convolution((1, 2, 5, 4), (2, 2, 3, 2), bias=False, stride=(2, 1), padding=(1, 0)),
    *convolution((2, 2, 5, 5), (4, 1, 2, 2), stride=(2, 2), padding=(1, 1), dilation=(2, 1), groups=2),
    *convolution((1, 4, 3, 3), (4, 1, 3, 3), padding=(1, 1), groups=4),
    *convolution((2, 3, 2, 2), (2, 3, 1, 1)),
    *convolution((1, 1, 4, 4), (1, 1, 3, 3), padding=(1, 1)),
    Operation("conv2d", [normal(0, 2, 4, 4), normal(3, 2, 3, 3)], lambda x, w: np.zeros((0, 3, 2, 2))),
    Operation("conv2d", [normal(2, 4, 4), normal(3, 2, 3, 3)], lambda x, w: naive.conv2d(x[None], w)[0]),
    Operation("conv2d", [normal(1, 2, 4, 4), normal(3, 2, 3, 3)], same_padded, {"padding": "same"}),
    Operation("conv2d", [normal(1, 2, 4, 4), normal(3, 2, 2, 4)], same_padded, {"padding": "same"}),
    Operation(
        "conv2d", [normal(1, 2, 4, 4), normal(3, 2, 2, 4)], lambda x, w: naive.conv2d(x, w), {"padding": "valid"}
    ),
    Operation(
        "conv1d",
        [normal(2, 2, 6), normal(3, 2, 3), normal(3)],
        lambda x, w, b: naive.conv2d(x[:, :, None], w[:, :, None], b, (1, 2), (0, 1))[:, :, 0],
        {"stride": 2, "padding": 1},
    ),
    Operation(
        "conv1d",
        [normal(2, 6), normal(2, 1, 2)],
        lambda x, w: naive.conv2d(x[None, :, None], w[:, :, None], dilation=(1, 2), groups=2)[0, :, 0],
        {"dilation": 2, "groups": 2},
    ),
    transposed((2, 3, 3, 2), (3, 2, 3, 3)),
    transposed((1, 2, 3, 3), (2, 3, 3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1)),
    transposed((1, 4, 2, 3), (4, 1, 2, 2), bias=False, stride=(2, 3), output_padding=(0, 2), dilation=(2, 1), groups=2),
    transposed((1, 1, 2, 3), (1, 2, 2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(2, 3)),
    conv_relu_pool((2, 2, 5, 6), (3, 2, 2, 3), (2, 2)),
    conv_relu_pool((1, 4, 5, 4), (6, 2, 3, 3), (1, 1), padding=(1, 1), stride=(2, 1), groups=2),
    pooling("max_pool2d", (2, 2, 4, 4), (2, 2)),
    pooling("max_pool2d", (1, 2, 5, 6), (3, 2), stride=(2, 1), padding=(1, 1)),
    pooling("max_pool2d", (1, 2, 6, 5), (2, 3), stride=(3, 2), ceil_mode=True),
    pooling("max_pool2d", (1, 1, 7, 7), (3, 3), stride=(2, 2), dilation=(2, 2), padding=(1, 1)),
    Operation("max_pool2d", [distinct(0, 2, 4, 4)], lambda x: x[:, :, ::2, ::2], {"kernel_size": 2}, torch=None),
    Operation(
        "max_pool2d", [distinct(2, 4, 4)], lambda x: naive.max_pool2d(x[None], (2, 2), (2, 2))[0], {"kernel_size": 2}
    ),
    Operation("max_pool2d", [distinct(2, 2, 4, 6)], max_with_indices, {"kernel_size": 2, "return_indices": True}),
    pooling("avg_pool2d", (2, 2, 4, 4), (2, 2)),
    pooling("avg_pool2d", (1, 2, 5, 6), (3, 2), stride=(2, 1), padding=(1, 1)),
    pooling("avg_pool2d", (1, 2, 5, 6), (3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False),
    pooling("avg_pool2d", (1, 2, 6, 5), (2, 3), stride=(3, 2), padding=(1, 1), ceil_mode=True),
    pooling("avg_pool2d", (1, 1, 6, 5), (2, 3), stride=(3, 2), padding=(1, 1), ceil_mode=True, count_include_pad=False),
    Operation("avg_pool2d", [normal(0, 2, 4, 4)], lambda x: x[:, :, ::2, ::2], {"kernel_size": 2}),
    Operation(
        "adaptive_avg_pool2d",
        [normal(2, 2, 4, 6)],
        lambda x: naive.adaptive_avg_pool2d(x, 2, 3),
        {"output_size": (2, 3)},
    ),
    Operation(
        "adaptive_avg_pool2d",
        [normal(1, 2, 5, 7)],
        lambda x: naive.adaptive_avg_pool2d(x, 3, 2),
        {"output_size": (3, 2)},
    ),
    Operation(
        "adaptive_avg_pool2d",
        [normal(1, 2, 3, 4)],
        lambda x: naive.adaptive_avg_pool2d(x, 3, 6),
        {"output_size": (None, 6)},
    ),
    Operation("adaptive_avg_pool2d", [normal(2, 3, 4)], lambda x: x.mean((-2, -1), keepdims=True), {"output_size": 1}),
    Operation("global_avg_pool2d", [normal(2, 2, 3, 4)], lambda x: x.mean((-2, -1), keepdims=True), torch=None),
    Operation("global_max_pool2d", [distinct(2, 2, 3, 4)], lambda x: x.max((-2, -1), keepdims=True), torch=None),
]

RESIZING = [
    resized((2, 2, 3, 4), (6, 8), mode="nearest"),
    resized((1, 2, 5, 3), (3, 7), mode="nearest"),
    resized((1, 2, 3, 4), scale=2, mode="nearest"),
    resized((1, 1, 5, 5), scale=1.5, mode="nearest"),
    resized((1, 2, 3, 4), (6, 5), mode="bilinear"),
    resized((1, 2, 5, 4), (3, 1), mode="bilinear"),
    resized((1, 2, 3, 4), (6, 5), mode="bilinear", align_corners=True),
    resized((1, 2, 4, 4), (1, 3), mode="bilinear", align_corners=True),
    resized((1, 1, 3, 4), scale=2, mode="bilinear"),
    resized((1, 1, 5, 4), scale=1.3, mode="bilinear"),
    resized((1, 1, 1, 1), (2, 3), mode="bilinear"),
    resized((0, 2, 2, 2), (4, 4), mode="bilinear", torch=None),
    Operation(
        "interpolate",
        [normal(2, 2, 3)],
        lambda x: np.repeat(x, 2, 2),
        {"size": 6, "mode": "nearest"},
    ),
    Operation(
        "interpolate",
        [normal(1, 2, 3)],
        lambda x: naive.interpolate(x[:, :, None], (1, 5), "bilinear")[:, :, 0],
        {"size": 5, "mode": "linear"},
    ),
]

# Normalization, dropout, embedding


def per_channel(values, x):
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def batch_normed(x, w=None, b=None):
    y = naive.normalize(x, (0, *range(2, x.ndim)))
    return y if w is None else y * per_channel(w, x) + per_channel(b, x)


def evaluated(x, w, b, m, v):
    w, b, m, v = (per_channel(part, x) for part in (w, b, m, v))
    return (x - m) / np.sqrt(v + 1e-5) * w + b


def group_normed(x, w, b, groups=2):
    y = naive.normalize(x.reshape(x.shape[0], groups, -1), 2).reshape(x.shape)
    return y * per_channel(w, x) + per_channel(b, x)


def in_training(f, x, *parameters):
    return f(x, None, None, *parameters, training=True)


AS_RUNNING = {"call": lambda f, x, w, b, m, v: f(x, m, v, w, b), "constants": 2}

NORMALIZATION = [
    Operation("batch_norm", [normal(3, 2, 2, 2), normal(2), normal(2)], batch_normed, call=in_training),
    Operation("batch_norm", [normal(4, 3), normal(3), normal(3)], batch_normed, call=in_training),
    Operation("batch_norm", [normal(2, 3, 4)], batch_normed, call=in_training),
    Operation(
        "batch_norm", [normal(2, 2, 2, 2), normal(2), normal(2), normal(2), positive(2)], evaluated, **AS_RUNNING
    ),
    Operation("batch_norm", [normal(0, 2, 2), normal(2), normal(2), normal(2), positive(2)], evaluated, **AS_RUNNING),
    Operation("layer_norm", [normal(2, 3, 4)], lambda x: naive.normalize(x, (1, 2)), {"normalized_shape": (3, 4)}),
    Operation(
        "layer_norm",
        [normal(2, 3, 4), normal(4), normal(4)],
        lambda x, w, b: naive.normalize(x, 2) * w + b,
        call=lambda f, x, w, b: f(x, (4,), w, b),
    ),
    Operation("layer_norm", [normal(0, 4)], lambda x: x, {"normalized_shape": (4,)}),
    Operation(
        "group_norm", [normal(2, 4, 2, 2), normal(4), normal(4)], group_normed, call=lambda f, x, w, b: f(x, 2, w, b)
    ),
    Operation(
        "group_norm", [normal(2, 4, 3), normal(4), normal(4)], group_normed, call=lambda f, x, w, b: f(x, 2, w, b)
    ),
    Operation("dropout", [normal(2, 3)], lambda x: x, {"training": False}),
    Operation("dropout", [normal(2, 3)], np.zeros_like, {"p": 1.0}),
    Operation("dropout2d", [normal(2, 3, 2, 2)], lambda x: x, {"training": False}),
    Operation("dropout2d", [normal(2, 3, 2, 2)], np.zeros_like, {"p": 1.0}),
    Operation("embedding", [integers(4, 2, 5), normal(4, 3)], lambda i, w: w[i]),
    Operation("embedding", [integers(4, 0), normal(4, 3)], lambda i, w: w[i]),
]

# Losses, with each reduction


def loss(name, inputs, expected, options=None, torch=""):
    """`expected` gives a value for each number."""
    lines = []
    for reduction, reduce in [("mean", np.mean), ("sum", np.sum), ("none", lambda losses: losses)]:
        value = lambda *arrays, reduce=reduce: reduce(expected(*arrays))  # noqa: E731
        lines.append(Operation(name, inputs, value, {"reduction": reduction, **(options or {})}, torch=torch))
    return lines


def class_loss(*inputs, **options):
    """cross_entropy with every reduction; class weights, constants of the loss, as a third input."""

    def line(reduction):
        return Operation(
            "cross_entropy",
            list(inputs),
            lambda x, target, weight=None: naive.cross_entropy(x, target, weight, reduction=reduction, **options),
            call=lambda f, x, target, weight=None: f(x, target, weight=weight, reduction=reduction, **options),
            constants=len(inputs) - 2,
        )

    return [line(reduction) for reduction in ("mean", "sum", "none")]


LOGITS = [normal(3, 4), integers(4, 3)]
IMAGE_LOGITS = [normal(2, 3, 2, 2), integers(3, 2, 2, 2)]


def log_likelihood(x, target):
    return -np.take_along_axis(x, target[:, None], 1)[:, 0]


def kl(x, target):
    return target * (np.log(target) - x)


def bce(p, target):
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def bce_logits(x, target):
    return np.logaddexp(0, x) - target * x


def smooth(d, beta):
    return np.where(np.abs(d) < beta, d * d / (2 * beta), np.abs(d) - beta / 2)


LOSSES = [
    *class_loss(*LOGITS),
    *class_loss(*IMAGE_LOGITS),
    *class_loss(*LOGITS, positive(4)),
    *class_loss(*LOGITS, label_smoothing=0.3),
    *class_loss(*LOGITS, positive(4), label_smoothing=0.3),
    *class_loss(*LOGITS, ignore_index=1),
    *class_loss(*LOGITS, positive(4), ignore_index=1, label_smoothing=0.3),
    *class_loss(*IMAGE_LOGITS, positive(3), ignore_index=2),
    *class_loss(normal(3, 4), probabilities(3, 4)),
    *class_loss(normal(3, 4), probabilities(3, 4), label_smoothing=0.3),
    *class_loss(normal(3, 4), probabilities(3, 4), positive(4), label_smoothing=0.3),
    *class_loss(normal(2, 3, 2, 2), probabilities(2, 3, 2, 2)),
    Operation("cross_entropy", [normal(4), integers(4)], lambda x, i: -np.log(naive.softmax(x))[i]),
    Operation(
        "cross_entropy",
        [values([1e4, -1e4, 0.0], [1e4, 0.0, 0.0]), integers(1, 2)],
        lambda x, i: np.array([0.0, 0.0]),
        {"reduction": "none"},
    ),
    *loss("mse_loss", [normal(2, 3), normal(2, 3)], lambda x, y: (x - y) ** 2),
    *loss("l1_loss", [distinct(2, 3), off_grid(2, 3)], lambda x, y: np.abs(x - y)),
    *loss("smooth_l1_loss", [normal(2, 3), normal(2, 3)], lambda x, y: smooth(x - y, 0.7), {"beta": 0.7}),
    *loss("huber_loss", [normal(2, 3), normal(2, 3)], lambda x, y: smooth(x - y, 0.7) * 0.7, {"delta": 0.7}),
    *loss("nll_loss", LOGITS, log_likelihood),
    *loss("nll_loss", IMAGE_LOGITS, log_likelihood),
    *loss("kl_div", [normal(2, 3), probabilities(2, 3)], kl),
    *loss("kl_div", [normal(2, 3), normal(2, 3)], lambda x, y: np.exp(y) * (y - x), {"log_target": True}),
    Operation(
        "kl_div", [normal(2, 3), probabilities(2, 3)], lambda x, y: kl(x, y).sum() / 2, {"reduction": "batchmean"}
    ),
    *loss("binary_cross_entropy", [fraction(2, 3), fraction(2, 3)], bce),
    *loss("binary_cross_entropy_with_logits", [normal(2, 3), fraction(2, 3)], bce_logits),
    Operation(
        "binary_cross_entropy",
        [values(0.0, 1.0, 0.0, 1.0), values(0.0, 0.0, 1.0, 1.0)],
        lambda p, y: np.array([0.0, 100.0, 100.0, 0.0]),
        {"reduction": "none"},
        gradient=False,
    ),
    Operation(
        "binary_cross_entropy_with_logits",
        [values(1e4, -1e4, 1e4, -1e4), values(0.0, 0.0, 1.0, 1.0)],
        lambda x, y: np.array([1e4, 0.0, 0.0, 1e4]),
        {"reduction": "none"},
    ),
    Operation(
        "binary_cross_entropy_with_logits",
        [normal(2, 3), fraction(2, 3), positive(2, 3), positive(3)],
        lambda x, y, w, p: (w * (p * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x))).mean(),
        call=lambda f, x, y, w, p: f(x, y, weight=w, pos_weight=p),
        constants=3,
    ),
    Operation(
        "cosine_similarity",
        [normal(2, 3), normal(2, 3)],
        lambda x, y: (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1)),
    ),
    Operation(
        "cosine_similarity",
        [normal(2, 1, 3), normal(4, 3)],
        lambda x, y: (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1)),
        {"dim": -1},
    ),
]

# Recurrent layers and attention


def recurrent_weights(parts, inputs=2, hidden=3):
    rows = parts * hidden
    return [normal(rows, inputs), normal(rows, hidden), normal(rows), normal(rows)]


def layer(name, cell, parts, states):
    """Forwards and backwards in time; the states of a layer of several come as a tuple."""
    inputs = [normal(4, 2, 2), *[normal(2, 3)] * states, *recurrent_weights(parts)]
    lines = []
    for reverse in (False, True):
        lines.append(
            Operation(
                name,
                inputs,
                lambda *arrays, reverse=reverse: naive.recurrent(cell, *arrays, reverse=reverse),
                call=lambda f, *inputs, reverse=reverse: with_state(f, states, *inputs, reverse=reverse),
                torch=None,
                second=False,
            )
        )
    return lines


def with_state(f, states, x, *rest, **options):
    return f(x, rest[0] if states == 1 else rest[:states], *rest[states:], **options)


def of_each_row(cell):
    return lambda x, *rest: naive.recurrent(cell, x[None], *rest)[1:]


def only(function):
    return lambda *arrays: function(*arrays)[0]


CELL = [normal(2, 2), normal(2, 3)]
QKV = [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2)]

SEQUENCES = [
    *layer("rnn", naive.rnn_cell, 1, 1),
    *layer("lstm", naive.lstm_cell, 4, 2),
    *layer("gru", naive.gru_cell, 3, 1),
    Operation("rnn_cell", CELL + recurrent_weights(1), only(of_each_row(naive.rnn_cell)), torch="rnn_tanh_cell"),
    Operation("gru_cell", CELL + recurrent_weights(3), only(of_each_row(naive.gru_cell))),
    Operation(
        "lstm_cell",
        [*CELL, normal(2, 3), *recurrent_weights(4)],
        of_each_row(naive.lstm_cell),
        call=lambda f, x, h, c, *weights: f(x, (h, c), *weights),
    ),
    Operation("scaled_dot_product_attention", QKV, naive.attention),
    Operation("scaled_dot_product_attention", [*QKV, normal(3, 5)], naive.attention),
    Operation(
        "scaled_dot_product_attention",
        QKV,
        lambda q, k, v: naive.attention(q, k, v, np.tri(3, 5, dtype=bool)),
        {"is_causal": True},
    ),
    Operation(
        "attention_weights",
        QKV[:2],
        lambda q, k: naive.softmax(q @ k.swapaxes(1, 2) / 2),
        torch=None,
    ),
]

TABLE: list[Operation] = [
    *ELEMENTWISE,
    *ACTIVATIONS,
    *REDUCTIONS,
    *SHAPES,
    *INDEXING,
    *EINSUM,
    *LINEAR,
    *CONVOLUTION,
    *RESIZING,
    *NORMALIZATION,
    *LOSSES,
    *SEQUENCES,
]
