"""A sample of every differentiable operation: small inputs at which ``minidl gradcheck`` measures its gradients.

An operation of `minidl.functional` is in `SAMPLES`, with inputs away from its kinks, or named in `WITHOUT_GRADIENT`;
a test sees to it that none is in neither.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minidl import autograd, random
from minidl import functional as F
from minidl.autograd import Tensor

Draw = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Draw:
    return lambda generator: generator.standard_normal(shape)


def positive(*shape: int) -> Draw:
    return lambda generator: generator.uniform(0.5, 2, shape)


def fraction(*shape: int) -> Draw:
    return lambda generator: generator.uniform(0.1, 0.9, shape)


def distinct(*shape: int) -> Draw:
    """No two numbers closer than 0.1, none closer to 0 than 0.05: away from the kinks of relu, abs and max."""
    size = int(np.prod(shape))
    return lambda generator: (generator.permutation(size).reshape(shape) - size // 2) * 0.1 + 0.05


def off_grid(*shape: int) -> Draw:
    """Numbers at least 0.03 from any of `distinct`."""
    return lambda generator: distinct(*shape)(generator) + 0.03


def probabilities(*shape: int) -> Draw:
    return lambda generator: generator.dirichlet(np.ones(shape[-1]), shape[:-1])


def same_mask(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function that draws from the random streams, made to draw the same numbers at every call."""

    def call(x: Tensor) -> Tensor:
        state = random.get_state()
        try:
            return function(x)
        finally:
            random.set_state(state)

    return call


CHANCES = np.array([[0.0, 1.0, 0.3]])
LABELS = np.array([2, 0, 1])
MASK = np.array([[True, False, True], [False, True, True]])
INDICES = np.array([[2, 0, 2], [1, 1, 0]])
IMAGES = normal(2, 4, 5, 5)
KERNELS = normal(6, 2, 3, 3)
CONV = {"stride": (2, 1), "padding": (1, 2), "groups": 2}
SEQUENCE = normal(3, 2, 4)  # (T, N, C)
STEP = normal(2, 4)  # (N, C)
STATE = normal(2, 5)  # (N, H)


def gates(count: int) -> list[Draw]:
    """w_ih, w_hh, b_ih and b_hh of a recurrent layer with so many gates."""
    return [normal(5 * count, 4), normal(5 * count, 5), normal(5 * count), normal(5 * count)]


# name: (function of the inputs, draws of the inputs)
SAMPLES: dict[str, tuple] = {
    "abs": (F.abs, distinct(3, 4)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)), IMAGES),
    "add": (F.add, normal(2, 3), normal(3)),
    "amax": (lambda x: F.amax(x, 1), distinct(3, 4)),
    "amin": (lambda x: F.amin(x, 1), distinct(3, 4)),
    "astype": (lambda x: F.astype(x, np.float64), normal(2, 3)),
    "attention_weights": (lambda q, k: F.attention_weights(q, k, is_causal=True), normal(2, 3, 4), normal(2, 3, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), IMAGES),
    "batch_norm": (lambda x, *w: F.batch_norm(x, None, None, *w, training=True), IMAGES, positive(4), normal(4)),
    "binary_cross_entropy": (lambda x: F.binary_cross_entropy(x, CHANCES), fraction(1, 3)),
    "binary_cross_entropy_with_logits": (lambda x: F.binary_cross_entropy_with_logits(x, CHANCES), normal(1, 3)),
    "bmm": (F.bmm, normal(2, 3, 4), normal(2, 4, 2)),
    "broadcast_to": (lambda x: F.broadcast_to(x, (4, 2, 3)), normal(2, 1)),
    "cat": (lambda a, b: F.cat([a, b], 1), normal(2, 3), normal(2, 2)),
    "channel_sum": (F.channel_sum, IMAGES),
    "chunk": (lambda x: F.chunk(x, 2, 1), normal(2, 5)),
    "clamp": (lambda x: F.clamp(x, -0.3, 0.3), off_grid(3, 4)),
    "clip": (lambda x: F.clip(x, -0.3, 0.3), off_grid(3, 4)),
    "concatenate": (lambda a, b: F.concatenate([a, b], 0), normal(2, 3), normal(1, 3)),
    "contiguous": (lambda x: F.contiguous(F.t(x)), normal(2, 3)),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), normal(2, 3, 6), normal(4, 3, 3), normal(4)),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, **CONV), IMAGES, KERNELS, normal(6)),
    "conv2d_input_grad": (lambda dy, w: F.conv2d_input_grad(dy, w, (5, 5), **CONV), normal(2, 6, 3, 7), KERNELS),
    "conv2d_weight_grad": (lambda x, dy: F.conv2d_weight_grad(x, dy, (3, 3), **CONV), IMAGES, normal(2, 6, 3, 7)),
    "conv_transpose2d": (
        lambda x, *w: F.conv_transpose2d(x, *w, 2, 1, 1),
        normal(2, 3, 3, 2),
        normal(3, 2, 3, 3),
        normal(2),
    ),
    "cos": (F.cos, normal(3, 4)),
    "cosine_similarity": (F.cosine_similarity, normal(2, 3), normal(2, 3)),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1), normal(3, 4)),
    "cumsum": (lambda x: F.cumsum(x, 1), normal(2, 4)),
    "div": (F.div, normal(2, 3), positive(3)),
    "dot": (F.dot, normal(4), normal(4)),
    "dropout": (same_mask(F.dropout), normal(3, 4)),
    "dropout2d": (same_mask(F.dropout2d), IMAGES),
    "einsum": (lambda a, b: F.einsum("ijk,kl->jil", a, b), normal(2, 3, 4), normal(4, 2)),
    "elu": (F.elu, distinct(3, 4)),
    "embedding": (lambda w: F.embedding(INDICES, w), normal(3, 4)),
    "erf": (F.erf, normal(3, 4)),
    "exp": (F.exp, normal(3, 4)),
    "expand": (lambda x: F.expand(x, 4, -1, 3), normal(2, 1)),
    "expm1": (F.expm1, normal(3, 4)),
    "flatten": (lambda x: F.flatten(x, 1), normal(2, 3, 2)),
    "flip": (lambda x: F.flip(x, (0, 1)), normal(2, 3)),
    "gather": (lambda x: F.gather(x, 1, INDICES), normal(2, 3)),
    "gelu": (F.gelu, normal(3, 4)),
    "global_avg_pool2d": (F.global_avg_pool2d, IMAGES),
    "global_max_pool2d": (F.global_max_pool2d, distinct(2, 3, 3, 3)),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), normal(2, 4, 3, 2), positive(4), normal(4)),
    "gru": (F.gru, SEQUENCE, STATE, *gates(3)),
    "gru_cell": (F.gru_cell, STEP, STATE, *gates(3)),
    "huber_loss": (F.huber_loss, distinct(3, 4), off_grid(3, 4)),
    "index": (lambda x: F.index(x, (slice(None), np.array([2, 0, 2]))), normal(2, 3)),
    "index_add": (lambda x: F.index_add(x, np.array([1, 0, 1]), (2, 2)), normal(3, 2)),
    "index_select": (lambda x: F.index_select(x, 1, np.array([2, 0, 2])), normal(2, 3)),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), normal(1, 2, 3, 4)),
    "kl_div": (F.kl_div, normal(2, 3), probabilities(2, 3)),
    "l1_loss": (F.l1_loss, distinct(3, 4), off_grid(3, 4)),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (4,), w, b), normal(3, 4), positive(4), normal(4)),
    "leaky_relu": (F.leaky_relu, distinct(3, 4)),
    "linear": (F.linear, normal(2, 3), normal(4, 3), normal(4)),
    "log": (F.log, positive(3, 4)),
    "log1p": (F.log1p, positive(3, 4)),
    "log_sigmoid": (F.log_sigmoid, normal(3, 4)),
    "log_softmax": (F.log_softmax, normal(3, 4)),
    "logsigmoid": (F.logsigmoid, normal(3, 4)),
    "logsumexp": (lambda x: F.logsumexp(x, 1), normal(3, 4)),
    "lstm": (lambda x, h, c, *w: F.lstm(x, (h, c), *w), SEQUENCE, STATE, STATE, *gates(4)),
    "lstm_cell": (lambda x, h, c, *w: F.lstm_cell(x, (h, c), *w), STEP, STATE, STATE, *gates(4)),
    "masked_fill": (lambda x: F.masked_fill(x, MASK, 1.5), normal(2, 3)),
    "masked_select": (lambda x: F.masked_select(x, MASK), normal(2, 3)),
    "matmul": (F.matmul, normal(2, 1, 2, 3), normal(4, 3, 2)),
    "max": (lambda x: F.max(x, 1), distinct(3, 4)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), distinct(2, 2, 5, 5)),
    "maximum": (F.maximum, distinct(2, 3), off_grid(3)),
    "mean": (lambda x: F.mean(x, 1), normal(3, 4)),
    "min": (lambda x: F.min(x, 1), distinct(3, 4)),
    "minimum": (F.minimum, distinct(2, 3), off_grid(3)),
    "mm": (F.mm, normal(2, 3), normal(3, 4)),
    "move": (lambda x: F.move(x, "cpu"), normal(2, 3)),
    "movedim": (lambda x: F.movedim(x, 0, 2), normal(2, 3, 4)),
    "mse_loss": (F.mse_loss, normal(3, 4), normal(3, 4)),
    "mul": (F.mul, normal(2, 3), normal(3)),
    "mv": (F.mv, normal(2, 3), normal(3)),
    "neg": (F.neg, normal(3, 4)),
    "nll_loss": (lambda x: F.nll_loss(x, LABELS, weight=np.array([1.0, 2.0, 0.5, 1.0])), normal(3, 4)),
    "norm": (lambda x: F.norm(x, dim=1), normal(3, 4)),
    "outer": (F.outer, normal(3), normal(4)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect"), normal(1, 2, 3, 4)),
    "permute": (lambda x: F.permute(x, (2, 0, 1)), normal(2, 3, 4)),
    "pow": (F.pow, positive(2, 3), normal(3)),
    "prod": (lambda x: F.prod(x, 1), distinct(2, 4)),
    "reciprocal": (F.reciprocal, positive(3, 4)),
    "relu": (F.relu, distinct(3, 4)),
    "remainder": (F.remainder, distinct(2, 3), positive(3)),
    "repeat": (lambda x: F.repeat(x, 2, 1, 3), normal(2, 3)),
    "reshape": (lambda x: F.reshape(x, (3, -1)), normal(2, 3)),
    "rnn": (F.rnn, SEQUENCE, STATE, *gates(1)),
    "rnn_cell": (F.rnn_cell, STEP, STATE, *gates(1)),
    "roll": (lambda x: F.roll(x, 2, 1), normal(2, 3)),
    "rsqrt": (F.rsqrt, positive(3, 4)),
    "scaled_dot_product_attention": (F.scaled_dot_product_attention, normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2)),
    "sigmoid": (F.sigmoid, normal(3, 4)),
    "silu": (F.silu, normal(3, 4)),
    "sin": (F.sin, normal(3, 4)),
    "smooth_l1_loss": (F.smooth_l1_loss, distinct(3, 4), off_grid(3, 4)),
    "softmax": (F.softmax, normal(3, 4)),
    "softplus": (F.softplus, normal(3, 4)),
    "sort": (lambda x: F.sort(x, 1), distinct(3, 4)),
    "split": (lambda x: F.split(x, [1, 3], 1), normal(2, 4)),
    "sqrt": (F.sqrt, positive(3, 4)),
    "square": (F.square, normal(3, 4)),
    "squeeze": (lambda x: F.squeeze(x, 1), normal(2, 1, 3)),
    "stack": (lambda a, b: F.stack([a, b], 1), normal(2, 3), normal(2, 3)),
    "std": (lambda x: F.std(x, 1), normal(3, 4)),
    "sub": (F.sub, normal(2, 3), normal(3)),
    "sum": (lambda x: F.sum(x, 1), normal(3, 4)),
    "swapaxes": (lambda x: F.swapaxes(x, 0, 1), normal(2, 3)),
    "t": (F.t, normal(2, 3)),
    "take_along_dim": (lambda x: F.take_along_dim(x, INDICES, 1), normal(2, 3)),
    "tan": (F.tan, fraction(3, 4)),
    "tanh": (F.tanh, normal(3, 4)),
    "topk": (lambda x: F.topk(x, 2, 1), distinct(3, 4)),
    "transpose": (lambda x: F.transpose(x, 0, 2), normal(2, 3, 4)),
    "tril": (F.tril, normal(3, 4)),
    "triu": (F.triu, normal(3, 4)),
    "unbind": (lambda x: F.unbind(x, 1), normal(2, 3)),
    "unflatten": (lambda x: F.unflatten(x, 1, (2, 3)), normal(2, 6)),
    "unsqueeze": (lambda x: F.unsqueeze(x, 1), normal(2, 3)),
    "var": (lambda x: F.var(x, 1), normal(3, 4)),
    "view": (lambda x: F.view(x, 3, 2), normal(2, 3)),
    "where": (lambda a, b: F.where(MASK, a, b), normal(2, 3), normal(3)),
}

# Their outputs are whole numbers or truth values, constant between jumps; or they make arrays out of nothing.
WITHOUT_GRADIENT = frozenset(
    "all any argmax argmin ceil count_nonzero eq floor floor_divide ge gt isfinite isinf isnan le logical_and "
    "logical_not logical_or lt ne one_hot round sign "
    "arange empty eye full full_like linspace ones ones_like rand rand_like randint randn randn_like zeros "
    "zeros_like".split()
)

# Whole walks over time in one kernel: a second derivative is an error that says so, and one for the cells.
ONCE_DIFFERENTIABLE = frozenset({"gru", "lstm", "rnn"})


class Sample(NamedTuple):
    """An operation and inputs at which its gradients are measured."""

    name: str
    function: Callable[..., Any]
    inputs: list[Tensor]  # float64, with requires_grad


def find(names: Iterable[str] = ()) -> list[Sample]:
    """The samples of those names, or all."""
    names = list(names) or sorted(SAMPLES)
    for name in names:
        if name in WITHOUT_GRADIENT:
            raise ValueError(f"{name} has no gradient to check: its output does not change smoothly with an input")
        if name not in SAMPLES:
            close = difflib.get_close_matches(name, SAMPLES, 3)
            raise ValueError(f"unknown operation {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else ""))
    return [_sample(name) for name in names]


def _sample(name: str) -> Sample:
    function, *draws = SAMPLES[name]
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return Sample(name, function, [Tensor(np.asarray(draw(generator)), requires_grad=True) for draw in draws])


class Check(NamedTuple):
    """The worst errors |slope - gradient| / max(1, |slope|) of an operation; None where wrong or without a gradient."""

    name: str
    first_order: float | None
    second_order: float | None
    failures: dict[str, str]  # of "first_order" and "second_order", where wrong: which input, which index, both values

    def texts(self) -> tuple[str, str, str]:
        """Name, first order and second order for a table."""
        errors = {"first_order": self.first_order, "second_order": self.second_order}
        return self.name, *(
            "WRONG" if order in self.failures else "-" if e is None else f"{e:.1e}" for order, e in errors.items()
        )


def check(sample: Sample) -> Check:
    """Measure the gradients of an operation and the gradients of those, in float64."""
    worst = autograd.gradient_check.worst_gradient_error
    errors: dict[str, float | None] = {"first_order": None, "second_order": None}
    failures = {}
    try:
        errors["first_order"] = worst(sample.function, sample.inputs)
    except autograd.GradientCheckError as error:
        failures["first_order"] = str(error)
    if sample.name not in ONCE_DIFFERENTIABLE:
        try:
            function, inputs = autograd.gradient_check.gradient_function(sample.function, sample.inputs)
            errors["second_order"] = worst(function, inputs, seed=1)
        except autograd.GradientCheckError as error:
            failures["second_order"] = str(error)
    return Check(sample.name, **errors, failures=failures)
