"""The contract of a Function: what forward and the rule may return, several outputs, no second derivative."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import tensor
from minidl.autograd import Function
from tests.autograd.leaves import leaf


class MinMax(Function):
    """The smaller and the larger of two numbers."""

    def forward(self, x1, x2):
        self.saved = x1 <= x2
        return np.minimum(x1, x2), np.maximum(x1, x2)

    def backward(self, dy, inputs, output):
        low, high = (0.0 if part is None else part for part in dy)
        first = self.saved
        return F.where(first, low, high), F.where(first, high, low)


def test_several_outputs():
    x, y = leaf([1.0, 5.0, 2.0]), leaf([3.0, 4.0, 1.0])
    minidl.gradcheck(lambda x, y: MinMax()(x, y), [x, y])
    minidl.gradgradcheck(lambda x, y: tuple(part * part for part in MinMax()(x, y)), [x, y])
    low, high = MinMax()(x, y)
    (low * 10).sum().backward(retain_graph=True)  # nothing flows into the other one
    np.testing.assert_array_equal(x.grad.numpy(), [10.0, 0.0, 0.0])
    (dlow,) = minidl.grad((low * high).sum(), low)
    np.testing.assert_array_equal(dlow.numpy(), high.numpy())


def test_apply_is_a_call_of_a_new_object():
    x, y = leaf([1.0, 5.0]), leaf([3.0, 4.0])
    low, high = MinMax.apply(x, y)
    (low + 2 * high).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0] and y.grad.tolist() == [2.0, 1.0]


def test_the_static_methods_of_pytorch_are_an_error_that_says_what_to_write():
    class Sign(Function):
        @staticmethod
        def forward(ctx, x):
            return x.sign()

        @staticmethod
        def backward(ctx, dy):
            return dy

    with pytest.raises(TypeError, match=r"Sign has the static methods .*backward\(self, dy, inputs, output\).*Sign\("):
        Sign.apply(leaf([1.0]))


class FirstAlone(Function):
    """y = x1, whatever x2 is."""

    def forward(self, x1, x2):
        return x1.copy()

    def backward(self, dy, inputs, output):
        return dy, None


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_gives_none_where_there_is_no_gradient(create_graph):
    x, y = leaf([1.0, 5.0]), leaf([3.0, 4.0])
    FirstAlone()(x * 2, y * 2).sum().backward(create_graph=create_graph)
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])
    assert y.grad is None


class ForArraysAlone(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, dy, inputs, output):
        return dy * np.cos(inputs[0])


def test_a_rule_for_arrays_alone_gives_no_wrong_second_derivative():
    x = leaf([1.0, 2.0])
    ForArraysAlone()(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos([1.0, 2.0]))
    with pytest.raises(TypeError, match="Tensor"):
        minidl.grad(ForArraysAlone()(x).sum(), x, create_graph=True)


def test_a_function_must_define_its_two_methods():
    with pytest.raises(NotImplementedError, match=r"Function must define forward"):
        Function()(leaf([1.0]))

    class NoRule(Function):
        def forward(self, x):
            return 2 * x

    with pytest.raises(NotImplementedError, match=r"NoRule must define backward"):
        NoRule()(leaf([1.0])).backward()


def test_a_rule_with_the_wrong_number_of_gradients_is_an_error():
    class Wrong(Function):
        def forward(self, x1, x2):
            return x1 + x2

        def backward(self, dy, inputs, output):
            return (dy,)

    x = leaf([1.0])
    with pytest.raises(ValueError, match="Wrong gave 1 gradient.* for 2 inputs"):
        Wrong()(x, x).sum().backward()


@pytest.mark.parametrize("shape", [(3, 2), (6,), (3,), (1, 3), (2, 3, 1), ()])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_with_a_gradient_of_another_shape_is_an_error(shape, create_graph):
    class Turned(Function):
        def forward(self, x):
            return x

        def backward(self, dy, inputs, output):
            return np.ones(shape)

    x = leaf(np.ones((2, 3)))
    with pytest.raises(ValueError, match=rf"Turned must give .* got {re.escape(str(shape))} for .* shape \(2, 3\)"):
        Turned()(x).sum().backward(create_graph=create_graph)


class Returns(Function):
    def __init__(self, output):
        self.output_of_forward = output

    def forward(self, x):
        return self.output_of_forward


@pytest.mark.parametrize("output", [None, [np.ones(2), np.ones(2)], "text", (np.ones(2), None), tensor([1.0])])
def test_a_forward_that_returns_no_array_is_an_error(output):
    with pytest.raises(TypeError, match=r"forward of Returns must return an array or a tuple of arrays, got \w+$"):
        Returns(output)(leaf([1.0]))


def test_outputs_are_arrays_where_forward_returns_scalars():
    for output in (np.float64(2), (np.float32(2), np.ones(3).sum(), 2.0)):
        results = Returns(output)(leaf([1.0]))
        for result in results if isinstance(results, tuple) else [results]:
            assert type(result.data) is np.ndarray and result.shape == () and result.item() in (2, 3)


def test_a_rule_that_gives_a_number_is_an_error():
    class Number(Function):
        def forward(self, x):
            return 2 * x

        def backward(self, dy, inputs, output):
            return 2.0

    with pytest.raises(ValueError, match=r"Number must give .* got float for an input of shape \(1,\)"):
        Number()(leaf([1.0])).sum().backward()


def test_an_operation_object_may_be_called_twice():
    class Square(Function):
        def forward(self, x):
            self.saved = 2 * x
            return x * x

        def backward(self, dy, inputs, output):
            return dy * self.saved

    square, x, y = Square(), leaf(3.0), leaf(5.0)
    first, second = square(x), square(y)
    assert square(np.float64(7)) == 49  # an array beside them leaves what they saved as it is
    first.register_hook(lambda dy: 10 * dy)
    (first + second).backward()
    assert (x.grad.item(), y.grad.item()) == (60, 10)
    square(y).backward()
    assert y.grad.item() == 20


def test_an_operation_object_called_in_debug_mode_may_be_called_outside_it():
    class Square(Function):
        def forward(self, x):
            return x * x

        def backward(self, dy, inputs, output):
            return dy * 2 * inputs[0]

    square, x, y = Square(), leaf(3.0), leaf(5.0)
    with minidl.debug():
        square(x)
    second = square(y)  # has no checksums to be held against those of the first
    second.backward()
    assert y.grad.item() == 10 and second.origin.computed is None


@pytest.mark.parametrize("shared", [lambda x: x, lambda x: x[1:], lambda x: (x * 2, x.reshape(1, -1))])
def test_debug_finds_a_forward_that_shares_memory_without_saying_so(shared):
    class Shares(Function):
        def forward(self, x):
            return shared(x)

        def backward(self, dy, inputs, output):
            return dy

    x = leaf([1.0, 2.0])
    Shares()(x)
    with minidl.debug(), pytest.raises(RuntimeError, match="forward of Shares returned memory of its input.*is_view"):
        Shares()(x)
    Shares.is_view = True
    with minidl.debug():
        Shares()(x)
