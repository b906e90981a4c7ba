"""Would the tests notice? In each family of operations a rule is made wrong, and the generated tests must catch it.

The name of each test says what was planted and which test of tests/test_operations.py caught it. A fault that only the
second derivative shows must pass the test of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minidl.functional as F
from minidl.autograd import Tensor, engine
from minidl.functional import (
    activation,
    arithmetic,
    axes,
    conv,
    elementwise,
    extremes,
    indexing,
    joining,
    pool,
    reduce,
    scan,
    shape,
)
from minidl.functional.classification import CrossEntropy, CrossEntropyGrad
from minidl.functional.linear import Linear, MatMul
from minidl.functional.norm import ChannelNorm, GroupNorm, Normalize, RowNorm, axes_mean
from minidl.functional.softmax import LogSoftmax, Softmax
from tests import test_operations


def constant(x: Any) -> Any:
    """What a rule that forgets the second derivative makes of a value: an array that nothing flows through."""
    return x.data if isinstance(x, Tensor) else x


class Fault(NamedTuple):
    what: str
    owner: Any
    attribute: str
    wrong: Callable
    operation: str  # whose lines of the table are tried
    caught_by: str = "test_gradient"


def scaled(rule: Callable, factor: float) -> Callable:
    def wrong(self, dy, inputs, output):
        dx = rule(self, dy, inputs, output)
        return tuple(None if d is None else d * factor for d in dx) if isinstance(dx, tuple) else dx * factor

    return wrong


def rule_of(function: type) -> Callable:
    return function.backward


def tanh_without_second_order(self, dy, inputs, output):
    y = constant(output)
    return dy * (1 - y * y)


def softmax_from_its_saved_output(self, dy, inputs, output):
    y = constant(output)
    return y * (dy - (dy * y).sum(self.axis, keepdims=True))


def statistics_as_constants(self, dy, inputs, output):
    x = inputs[0]
    m, r = self.statistics(x.detach() if isinstance(x, Tensor) else x)
    y = (x - m) * r
    return r * (dy - axes_mean(dy, self.axes) - y * axes_mean(dy * y, self.axes))


def scaled_where_recorded(rule: Callable, factor: float) -> Callable:
    def wrong(self, dy, inputs, output):
        return (scaled(rule, factor) if isinstance(dy, Tensor) else rule)(self, dy, inputs, output)

    return wrong


def normalization_that_forgets_the_mean(self, dy, inputs, output):
    (x, w, _), (m, v) = inputs, self.saved
    r = 1 / (v + self.eps)[..., None] ** 0.5
    rows, column, axes = (*m.shape, -1), (-1,) + (1,) * (x.ndim - 2), (0, *range(2, x.ndim))
    z, g = (x.reshape(rows) - m[..., None]) * r, (dy * w.reshape(column)).reshape(rows)
    dx = r * (g - z * (g * z).mean(2, keepdims=True))
    return dx.reshape(x.shape), (dy * z.reshape(x.shape)).sum(axes), dy.sum(axes)


def products_by_division(self, dy, inputs, output):
    """Right where no x is 0."""
    x, axis = inputs[0], self.axis
    return F.flip(F.cumsum(F.flip(dy * F.cumprod(x, axis), axis), axis), axis) / x


def transposed_product(self, dy, inputs, output):
    a, b = inputs
    return F.matmul(dy, b), F.matmul(a.swapaxes(-2, -1), dy)


def one_copy_instead_of_their_sum(dx, shape):
    added = dx.ndim - len(shape)
    dx = dx[(0,) * added]
    return dx[tuple(slice(0, n) for n in shape)]


def repeated_index_written_once(self, x):
    y = np.zeros(self.new_shape, x.dtype)
    y[self.key] = x
    return y


def turned_kernel(self, dy, inputs, output):
    x, w = inputs[:2]
    dx = F.conv2d_input_grad(dy, F.flip(w, (2, 3)), x.shape[2:], **self.geometry)
    dw = F.conv2d_weight_grad(x, dy, w.shape[2:], **self.geometry)
    return dx, dw, F.channel_sum(dy)


def bias_of_one_image(self, dy, inputs, output):
    right = CONV2D(self, dy, inputs, output)
    return *right[:2], F.channel_sum(dy[:1])


def permuted_the_same_way(self, dy, inputs, output):
    """Right for an exchange of two axes, wrong for a cycle of them."""
    return F.permute(dy, self.axes)


def maximum_that_shares_with_all(self, dy, inputs, output):
    return F.broadcast_to(axes.with_reduced_axes(dy, self.axes, inputs[0].ndim), inputs[0].shape)


CONV2D = conv.Conv2d.backward

FAULTS = [
    Fault("a scaled exp", elementwise.Exp, "backward", scaled(rule_of(elementwise.Exp), 3.7), "exp"),
    Fault("a quotient of the wrong sign", arithmetic.Div, "backward", scaled(rule_of(arithmetic.Div), -1), "div"),
    Fault("forgotten broadcasting", engine, "sum_to_shape", one_copy_instead_of_their_sum, "add"),
    Fault(
        "a tanh without second order",
        elementwise.Tanh,
        "backward",
        tanh_without_second_order,
        "tanh",
        "test_gradient_of_gradient",
    ),
    Fault("a scaled softmax", Softmax, "backward", scaled(rule_of(Softmax), 3.7), "softmax"),
    Fault(
        "a softmax without second order",
        Softmax,
        "backward",
        softmax_from_its_saved_output,
        "softmax",
        "test_gradient_of_gradient",
    ),
    Fault("a relu with slope everywhere", activation.Relu, "backward", lambda self, dy, inputs, output: dy, "relu"),
    Fault("a mean not divided", reduce.Sum, "backward", scaled(rule_of(reduce.Sum), 2), "mean"),
    Fault("a maximum that shares with all", extremes.Extreme, "backward", maximum_that_shares_with_all, "amax"),
    Fault(
        "a cumulative sum from the wrong end",
        scan.Cumsum,
        "backward",
        lambda self, dy, inputs, output: F.cumsum(dy, self.axis),
        "cumsum",
    ),
    Fault("a cumulative product that is divided by x", scan.Cumprod, "backward", products_by_division, "cumprod"),
    Fault(
        "a value that was written over keeps its gradient",
        indexing,
        "_last_written",
        lambda steps, dy, shape: np.ones(shape, bool),
        "scatter",
    ),
    Fault("a permutation put back by its own order", shape.Permute, "backward", permuted_the_same_way, "permute"),
    Fault(
        "a stack with its slices exchanged",
        joining.Stack,
        "backward",
        lambda self, dy, inputs, output: tuple(reversed(F.unbind(dy, self.axis))),
        "stack",
    ),
    Fault("repeated indices written once", indexing.IndexAdd, "forward", repeated_index_written_once, "index"),
    Fault("repeated rows written once", indexing.IndexAdd, "forward", repeated_index_written_once, "embedding"),
    Fault("a transposed matrix product", MatMul, "backward", transposed_product, "matmul"),
    Fault("a scaled dense layer", Linear, "backward", scaled(rule_of(Linear), 0.5), "linear"),
    Fault("a convolution with its kernel turned", conv.Conv2d, "backward", turned_kernel, "conv2d"),
    Fault("a convolution's bias from one image", conv.Conv2d, "backward", bias_of_one_image, "conv2d"),
    Fault(
        "a scaled second order of convolution",
        conv.Conv2dInputGrad,
        "backward",
        scaled(rule_of(conv.Conv2dInputGrad), 2),
        "conv2d",
        "test_gradient_of_gradient",
    ),
    Fault("an average pool not divided", pool.AvgPool2d, "backward", scaled(rule_of(pool.AvgPool2d), 4), "avg_pool2d"),
    Fault(
        "a max pool without second order",
        pool.MaxScatter,
        "backward",
        scaled(rule_of(pool.MaxScatter), 0),
        "max_pool2d",
        "test_gradient_of_gradient",
    ),
    Fault(
        "a normalization that forgets the mean",
        GroupNorm,
        "backward",
        normalization_that_forgets_the_mean,
        "group_norm",
    ),
    Fault("a scaled layer norm", RowNorm, "backward", scaled(rule_of(RowNorm), 2), "layer_norm"),
    Fault("a scaled batch norm", ChannelNorm, "backward", scaled(rule_of(ChannelNorm), 2), "batch_norm"),
    Fault(
        "a batch norm scaled where it is recorded",
        ChannelNorm,
        "backward",
        scaled_where_recorded(rule_of(ChannelNorm), 2),
        "batch_norm",
        "test_gradient_of_gradient",
    ),
    Fault(
        "a normalization without second order",
        Normalize,
        "backward",
        statistics_as_constants,
        "layer_norm",
        "test_gradient_of_gradient",
    ),
    Fault(
        "a log softmax without its second term",
        LogSoftmax,
        "backward",
        lambda self, dy, inputs, output: dy,
        "cross_entropy",
    ),
    Fault("a scaled cross-entropy", CrossEntropy, "backward", scaled(rule_of(CrossEntropy), 3.7), "cross_entropy"),
    Fault(
        "a cross-entropy without second order",
        CrossEntropyGrad,
        "backward",
        scaled(rule_of(CrossEntropyGrad), 0),
        "cross_entropy",
        "test_gradient_of_gradient",
    ),
    Fault(
        "a squared error scaled", elementwise.Square, "backward", scaled(rule_of(elementwise.Square), 0.5), "mse_loss"
    ),
]


def passes(check: Callable, operation: str) -> bool:
    try:
        check(operation)
    except (AssertionError, ValueError):
        return False
    return True


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault.what} is caught by {fault.caught_by}[{fault.operation}]"
)
def test_a_planted_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch):
    check = getattr(test_operations, fault.caught_by)
    assert passes(check, fault.operation)
    monkeypatch.setattr(fault.owner, fault.attribute, fault.wrong)
    assert not passes(check, fault.operation)
    if fault.caught_by == "test_gradient_of_gradient":
        assert passes(test_operations.test_gradient, fault.operation)
