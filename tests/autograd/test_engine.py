"""The walk back: what is added up, what is freed, what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import Tensor, tensor
from minidl.autograd import Function


def leaf(values, dtype=np.float64) -> Tensor:
    return tensor(np.array(values, dtype), requires_grad=True)


def test_a_value_used_twice_gets_both_gradients():
    x = leaf([2.0, 3.0])
    (x * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.numpy() + 1)


def test_a_shared_subexpression_is_walked_once():
    calls = []

    class Double(Function):
        def forward(self, x):
            return 2 * x

        def backward(self, dy, inputs, output):
            calls.append(1)
            return 2 * dy

    x = leaf([1.0])
    y = Double()(x)
    (y * y + y).sum().backward()
    assert len(calls) == 1
    np.testing.assert_array_equal(x.grad.numpy(), [2 * (2 * 2 + 1)])


def test_a_diamond_of_many_paths_takes_linear_time():
    x = leaf(1.0)
    y = x
    for _ in range(60):  # 2^60 paths
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_the_same_tensor_on_both_sides():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    minidl.gradcheck(lambda x: x @ x, [x])
    minidl.gradcheck(lambda x: F.cat([x, x], 1), [x])


def test_backward_adds_to_the_gradient_that_is_there():
    x = leaf([1.0, 2.0])
    for _ in range(3):
        (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 3 * 2 * x.numpy())
    x.grad = None
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.numpy())


def test_backward_twice_is_refused_and_says_what_to_do():
    x = leaf([1.0, 2.0])
    loss = x.exp()
    loss.backward(np.ones(2))
    with pytest.raises(RuntimeError, match=r"backward goes through Exp a second time.*retain_graph=True"):
        loss.backward(np.ones(2))
    np.testing.assert_allclose(x.grad.numpy(), np.exp(x.numpy()))


def test_retain_graph_allows_it():
    x = leaf([1.0, 2.0])
    loss = x.exp().sum()
    loss.backward(retain_graph=True)
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(x.numpy()))
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_two_losses_over_one_trunk():
    x = leaf([1.0, 2.0])
    trunk = x.exp()
    first, second = trunk.sum(), (trunk * trunk).sum()
    first.backward(retain_graph=True)
    second.backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(x.numpy()) + 2 * np.exp(2 * x.numpy()))


def test_a_gradient_is_asked_for_where_there_is_no_single_number():
    y = leaf([1.0, 2.0]) * 2
    with pytest.raises(RuntimeError, match=r"shape \(2,\) needs a gradient.*y\.sum\(\)"):
        y.backward()
    with pytest.raises(ValueError, match=r"shape of the output, \(2,\), got \(3,\)"):
        y.backward(np.ones(3))


@pytest.mark.parametrize("dy", [[1.0, 10.0], np.array([1, 10]), np.float32([1, 10]), tensor([1.0, 10.0])])
def test_the_gradient_may_be_any_array_of_that_shape(dy):
    x = leaf([1.0, 2.0])
    (x * 3).backward(dy)
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad.numpy(), [3.0, 30.0])


def test_one_element_needs_no_gradient_whatever_its_shape():
    x = leaf([[3.0]])
    (x * x).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[6.0]])


def test_nothing_recorded_is_an_error():
    with pytest.raises(RuntimeError, match="no tensor that it was computed from requires grad"):
        (tensor([1.0]) * 2).backward()
    x = leaf([1.0])
    with minidl.no_grad():
        y = x * 2
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward()


# Gradients and memory


@pytest.mark.parametrize(
    "combine", [lambda x, y: x + y, lambda x, y: x.reshape(2, 1) + y.reshape(2, 1), lambda x, y: x - -y]
)
def test_leaves_never_share_the_memory_of_their_gradients(combine):
    x, y, dy = leaf([1.0, 2.0]), leaf([3.0, 4.0]), np.array([5.0, 6.0])
    out = combine(x, y)
    out.backward(dy.reshape(out.shape))
    memories = [dy, x.grad.data, y.grad.data]
    for i, a in enumerate(memories):
        for b in memories[:i]:
            assert not np.shares_memory(a, b)
    with minidl.no_grad():
        x.grad.zero_()
    np.testing.assert_array_equal(y.grad.numpy(), [5.0, 6.0])


@pytest.mark.parametrize("cut", [lambda x: x.split([1, 2, 1]), lambda x: x.unbind(), tuple, lambda x: x.chunk(4)])
def test_pieces_that_are_not_used_get_zeros(cut):
    x = leaf(np.arange(8.0).reshape(4, 2))
    pieces = cut(x)
    (3 * pieces[0].sum() + pieces[-1].square().sum()).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[3, 3], [0, 0], [0, 0], [12, 14]])
    minidl.gradgradcheck(lambda x: (cut(x)[0] * cut(x)[-1]).sum(), [x])


def test_pieces_are_one_operation():
    """Each of a hundred indexings would make an array of the size of x for its gradient."""
    first, second = (leaf(np.ones((4, 2))) * 2).split(2)
    assert first.origin[0] is second.origin[0]


def test_gradients_asked_for_share_no_memory_either():
    x, y, dy = leaf([1.0, 2.0]), leaf([3.0, 4.0]), tensor(np.array([5.0, 6.0]))
    dx, dy_ = minidl.grad(x + y, [x, y], dy)
    assert not np.shares_memory(dx.data, dy_.data)
    assert not np.shares_memory(dx.data, dy.data)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 3)])
def test_gradients_are_arrays_of_the_leafs_shape_and_dtype(shape):
    for dtype in (np.float32, np.float64):
        x = tensor(np.ones(shape, dtype), requires_grad=True)
        for _ in range(2):  # set, then added to
            (x * x * 2.0).sum().backward()
            assert type(x.grad.data) is np.ndarray
            assert (x.grad.shape, x.grad.dtype) == (shape, dtype)
        (dx,) = minidl.grad((x * x).sum(), x)
        assert type(dx.data) is np.ndarray


def test_mixed_dtypes_give_each_input_a_gradient_of_its_own():
    x, y = tensor(np.ones(3, np.float32), requires_grad=True), leaf([1.0, 2.0, 3.0])
    (x * y).sum().backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


# grad()


def test_grad_leaves_the_leaves_alone():
    x = leaf([1.0, 2.0])
    (dx,) = minidl.grad((x * x).sum(), x)
    np.testing.assert_array_equal(dx.numpy(), [2.0, 4.0])
    assert x.grad is None


def test_grad_of_several_outputs_adds_them_up():
    x = leaf([1.0, 2.0])
    (dx,) = minidl.grad([(x * x).sum(), (3 * x).sum()], x)
    np.testing.assert_array_equal(dx.numpy(), [5.0, 7.0])
    y = x * x
    (dx,) = minidl.grad([y, y], x, [np.array([1.0, 0.0]), tensor([0.0, 2.0])])
    np.testing.assert_array_equal(dx.numpy(), [2.0, 8.0])


def test_grad_goes_to_results_on_the_way():
    x = leaf([1.0, 2.0])
    y = x * x
    z = (y * y).sum()
    dy, dx = minidl.grad(z, [y, x])
    np.testing.assert_array_equal(dy.numpy(), 2 * x.numpy() ** 2)
    np.testing.assert_array_equal(dx.numpy(), 4 * x.numpy() ** 3)


def test_grad_stops_at_what_it_was_asked_for():
    x = leaf([1.0, 2.0])
    y = x.exp()
    minidl.grad((y * 2).sum(), y)
    (dx,) = minidl.grad(y.sum(), x)  # exp was not walked, so nothing of it was freed
    np.testing.assert_allclose(dx.numpy(), np.exp(x.numpy()))


def test_grad_of_a_tensor_by_itself_is_one():
    x = leaf(3.0)
    assert minidl.grad(x, x)[0].item() == 1
    y = x * x
    assert minidl.grad(y, y, retain_graph=True)[0].item() == 1


def test_grad_of_the_same_input_twice():
    x = leaf(3.0)
    first, second = minidl.grad(x * x, [x, x])
    assert first.item() == second.item() == 6
    assert not np.shares_memory(first.data, second.data)


def test_grad_of_an_unused_input():
    x, y = leaf([1.0]), leaf([2.0])
    z = (x * 2).sum()
    with pytest.raises(RuntimeError, match=r"inputs\[1\] was not used.*allow_unused=True"):
        minidl.grad(z, [x, y], retain_graph=True)
    dx, dy = minidl.grad(z, [x, y], allow_unused=True)
    assert dx.item() == 2 and dy is None


def test_grad_wants_recorded_inputs_and_matching_cotangents():
    x = leaf([1.0])
    with pytest.raises(RuntimeError, match=r"inputs\[0\] does not require grad"):
        minidl.grad(x * 2, tensor([1.0]))
    with pytest.raises(ValueError, match="one entry for each of the 2 outputs, got 1"):
        minidl.grad([x * 2, x * 3], x, [np.ones(1)])


def test_create_graph_gives_derivatives_of_every_order():
    x = leaf(1.3)
    y = x.sin()
    for expected in (np.cos(1.3), -np.sin(1.3), -np.cos(1.3), np.sin(1.3)):
        (y,) = minidl.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected, rel=1e-12)


def test_create_graph_in_backward_leaves_recorded_gradients():
    x = leaf([1.0, 2.0])
    (x**3).sum().backward(create_graph=True)
    gradient = x.grad
    x.grad = None
    gradient.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.numpy())


def test_a_gradient_penalty_trains():
    """loss = (|d(w x)/dx| - 1)^2, the use that second derivatives are there for."""
    x, w = leaf([[1.0, 2.0]]), leaf([[0.3], [-0.4]])
    (dx,) = minidl.grad((x @ w).tanh().sum(), x, create_graph=True)
    (dx.norm() - 1).square().backward()

    def penalty(w):
        slope = (1 - np.tanh(x.numpy() @ w) ** 2) * w.T
        return (np.linalg.norm(slope) - 1) ** 2

    for i in range(2):
        step = np.zeros((2, 1))
        step[i] = 1e-6
        measured = (penalty(w.numpy() + step) - penalty(w.numpy() - step)) / 2e-6
        assert w.grad.numpy()[i, 0] == pytest.approx(measured, rel=1e-5)


# Recording switched off and on


def test_no_grad_and_enable_grad_nest():
    x = leaf([1.0])
    with minidl.no_grad():
        assert not minidl.is_grad_enabled() and not (x * 2).requires_grad
        with minidl.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_ends_with_an_error_and_decorates_functions():
    x = leaf([1.0])
    with pytest.raises(ZeroDivisionError), minidl.no_grad():
        raise ZeroDivisionError
    assert minidl.is_grad_enabled()

    @minidl.no_grad()
    def double(x, depth=2):
        return double(x, depth - 1) if depth else x * 2

    assert not double(x).requires_grad
    assert minidl.is_grad_enabled()


def test_a_decorated_function_called_in_two_threads_keeps_their_modes_apart():
    entered, may_leave, seen = threading.Event(), threading.Event(), []

    @minidl.no_grad()
    def inside(action):
        action()

    def first():
        inside(lambda: (entered.set(), may_leave.wait(timeout=600)))
        seen.append(minidl.is_grad_enabled())

    def let_the_first_leave():
        may_leave.set()
        thread.join()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(timeout=600)
    with minidl.no_grad():
        inside(let_the_first_leave)
        seen.append(minidl.is_grad_enabled())
    assert seen == [True, False]
    assert minidl.is_grad_enabled()


def test_debug_ends_with_a_decorated_function_that_calls_itself():
    @minidl.debug()
    def countdown(n):
        assert minidl.debug.active
        return countdown(n - 1) if n else None

    countdown(2)
    assert not minidl.debug.active


def test_backward_works_under_no_grad():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    with minidl.no_grad():
        y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])
    assert not x.grad.requires_grad


def test_detach_cuts_the_graph_and_shares_the_memory():
    x = leaf([1.0, 2.0])
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    (x * y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert np.shares_memory(x.detach().data, x.data)


# Broadcasting

SHAPES = [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 1, 1), (4, 2, 1), (4, 2, 3)]


@pytest.mark.parametrize("a", SHAPES, ids=str)
@pytest.mark.parametrize("b", SHAPES, ids=str)
def test_broadcasting_is_undone_for_every_pair_of_ranks(a, b):
    random = np.random.default_rng(0)
    x, y = leaf(random.standard_normal(a)), leaf(random.standard_normal(b))
    minidl.gradcheck(lambda x, y: x * y, [x, y])
    minidl.gradcheck(lambda x, y: F.where(x > 0, x, y), [x, y])


# Functions with several outputs, and those that can be differentiated once only


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


class OnceOnly(Function):
    once_differentiable = True

    def forward(self, x):
        return x * x

    def backward(self, dy, inputs, output):
        return 2 * dy * inputs[0]


def test_once_differentiable_gives_the_first_derivative_and_names_itself_at_the_second():
    x = leaf([1.0, 2.0])
    OnceOnly()(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])
    (dx,) = minidl.grad(OnceOnly()(x).sum(), x, create_graph=True)
    np.testing.assert_array_equal(dx.numpy(), [2.0, 4.0])
    with pytest.raises(RuntimeError, match="OnceOnly has no second derivative"):
        dx.sum().backward()
    with pytest.raises(RuntimeError, match="OnceOnly has no second derivative"):
        minidl.gradgradcheck(lambda x: OnceOnly()(x), [x])


def test_a_function_must_define_its_two_methods():
    with pytest.raises(NotImplementedError, match=r"Function must define forward"):
        Function()(leaf([1.0]))


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


# Integers and booleans


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_only_floating_point_can_require_grad(dtype):
    with pytest.raises(TypeError, match=r"floating-point data, got dtype .*x\.float\(\)"):
        tensor(np.zeros(2, dtype), requires_grad=True)


def test_integers_and_booleans_take_part_as_constants():
    x = leaf([1.0, 2.0])
    y = x * tensor([2, 3]) + tensor([True, False])
    np.testing.assert_array_equal(y.numpy(), [3.0, 6.0])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 3.0])
    assert not (x > 1).requires_grad and not x.long().requires_grad and not x.argmax().requires_grad


def test_tensors_and_arrays_mix_from_either_side():
    x, a = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    for y in (x + a, a + x, x * a, a * x, a - x, a / x, a**x, a @ x, x @ a, np.float64(2) * x, 2 - x, 2 / x, 2**x):
        assert isinstance(y, Tensor) and y.requires_grad
    assert isinstance(a > x, Tensor)
    y = tensor([1.0, 2.0])
    assert (y * 2).dtype == (y * np.float64(2)).dtype == (2 / y).dtype == np.float32


def test_recorded_gradients_share_no_memory():
    a, b = (minidl.ones(3, requires_grad=True) for _ in range(2))
    start = minidl.ones(3)
    ((a + b) + 0).backward(start, create_graph=True)
    da, db = minidl.grad((a + b).sum(), [a, b], create_graph=True)
    with minidl.no_grad():
        a.grad.mul_(0)
        da.mul_(0)
    for untouched in (b.grad, start, db):
        np.testing.assert_array_equal(untouched.numpy(), [1.0, 1.0, 1.0])
    p = minidl.nn.Parameter(minidl.ones(3))
    p.sum().backward(create_graph=True)
    minidl.nn.utils.clip_grad_norm_([p], 0.1)
    np.testing.assert_allclose(np.linalg.norm(p.grad.numpy()), 0.1, rtol=1e-4)


def test_a_recorded_gradient_with_memory_of_its_own_is_still_in_the_graph():
    x, w = (minidl.tensor([2.0], requires_grad=True) for _ in range(2))
    (dx, dw) = minidl.grad((x + w) ** 3, [x, w], create_graph=True)
    assert dx is not dw
    (ddx,) = minidl.grad(dw, x)
    np.testing.assert_allclose(ddx.numpy(), [24.0])


def test_set_grad_enabled_as_a_statement():
    try:
        minidl.set_grad_enabled(False)
        assert not minidl.is_grad_enabled()
        with minidl.set_grad_enabled(True):
            assert minidl.is_grad_enabled()
        assert not minidl.is_grad_enabled()
        minidl.no_grad()  # made, not entered
        minidl.set_grad_enabled(True)

        @minidl.set_grad_enabled(False)
        def evaluate():
            return minidl.is_grad_enabled()

        assert minidl.is_grad_enabled() and not evaluate() and minidl.is_grad_enabled()
        minidl.no_grad()
        assert minidl.is_grad_enabled()
    finally:
        minidl.set_grad_enabled(True)


def test_grad_takes_only_inputs_as_pytorchs_programs_give_it():
    x, w = minidl.tensor(3.0, requires_grad=True), minidl.tensor(2.0, requires_grad=True)
    (dx,) = minidl.grad(outputs=x * w, inputs=x, only_inputs=True)
    assert dx.item() == 2 and x.grad is None and w.grad is None
    with pytest.raises(ValueError, match="only_inputs must be True.*backward"):
        minidl.grad(x * w, x, only_inputs=False)


def test_an_operation_object_may_be_called_twice():
    class Square(Function):
        def forward(self, x):
            self.saved = 2 * x
            return x * x

        def backward(self, dy, inputs, output):
            return dy * self.saved

    square, x, y = Square(), leaf(3.0), leaf(5.0)
    first, second = square(x), square(y)
    first.register_hook(lambda dy: 10 * dy)
    (first + second).backward()
    assert (x.grad.item(), y.grad.item()) == (60, 10)
    square(y).backward()
    assert y.grad.item() == 20


@pytest.mark.parametrize("shape", [(1,), (4,)])
def test_a_gradient_from_before_the_data_got_another_shape_is_an_error(shape):
    x = minidl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    x.data = np.ones(shape, np.float32)
    with pytest.raises(ValueError, match=r"has a grad of shape \(3,\).*set its grad to None"):
        (x * x).sum().backward()
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2] * shape[0]


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


def test_inf_and_nan_come_without_a_warning():
    program = """
import minidl
x = minidl.tensor([-1.0, 0.0, 1e30], requires_grad=True)
large = minidl.ones(1 << 19)
products = x / 0, x * 1e30, large * 1e300
for y in (*products, x.log(), x.sqrt(), x.exp(), x ** 0.5, minidl.zeros(0).mean(), minidl.ones(1).var(dim=0)):
    assert not y.isfinite().all()
x.log().sum().backward()
minidl.functional.cross_entropy(minidl.zeros(0, 3), minidl.zeros(0).long())
import warnings, numpy
with warnings.catch_warnings(record=True) as caught:
    numpy.log(numpy.zeros(1))
assert len(caught) == 1  # those of the program's own arrays are left alone
"""
    result = subprocess.run([sys.executable, "-W", "default", "-c", program], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == "", result.stderr
