"""The walk back: what is added up, what is freed, what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import Tensor, kernels, tensor
from minidl.autograd import Function
from tests.autograd.leaves import leaf


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
    (dx,) = minidl.grad(y, x, retain_graph=True)
    y.backward()
    assert x.grad.item() == dx.item() == 2.0**60


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


def test_it_is_added_in_place_so_gradients_may_lie_in_one_array():
    flat, w, v = tensor(np.zeros(5)), leaf([1.0, 2.0]), leaf([3.0, 4.0, 5.0])
    w.grad, v.grad = flat[:2], flat[2:]
    for _ in range(2):
        (w.sum() * (v * v).sum()).backward()
    np.testing.assert_array_equal(flat.numpy(), [100.0, 100.0, 36.0, 48.0, 60.0])
    (w**3).sum().backward(create_graph=True)
    np.testing.assert_array_equal(w.grad.numpy(), [103.0, 112.0])
    assert w.grad.requires_grad and flat.tolist() == [100.0, 100.0, 36.0, 48.0, 60.0]
    (w**3).sum().backward()  # a recorded gradient is left as it is
    assert w.grad.tolist() == [106.0, 124.0] and not w.grad.requires_grad


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
    with pytest.raises(RuntimeError, match=r"gradient must be given for the tensor of shape \(2,\).*y\.sum\(\)"):
        y.backward()
    with pytest.raises(ValueError, match=r"gradient must have the shape of the tensor, \(2,\), got \(3,\)"):
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


def test_a_gradient_in_channels_last_memory_comes_to_the_leaf_in_one_piece():
    w = kernels.channels_last(np.random.default_rng(0).normal(size=(2, 3, 4, 5)))
    x = tensor(np.ones_like(w, order="C"), requires_grad=True)
    (x * minidl.Tensor(w)).sum().backward()
    assert x.grad.data.flags.c_contiguous
    np.testing.assert_array_equal(x.grad.numpy(), w)


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


@pytest.mark.parametrize("stale", [0, 1])
def test_that_error_leaves_the_gradients_of_all_leaves_as_they_were(stale):
    leaves = [minidl.tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]
    leaves[stale].grad = minidl.ones(2)
    leaves[stale].data = np.ones(1, np.float32)
    with pytest.raises(ValueError, match="set its grad to None"):
        (leaves[0] * leaves[1]).sum().backward()
    assert leaves[stale].grad.tolist() == [1, 1] and leaves[1 - stale].grad is None


# Broadcasting

SHAPES = [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 1, 1), (4, 2, 1), (4, 2, 3)]


@pytest.mark.parametrize("a", SHAPES, ids=str)
@pytest.mark.parametrize("b", SHAPES, ids=str)
def test_broadcasting_is_undone_for_every_pair_of_ranks(a, b):
    random = np.random.default_rng(0)
    x, y = leaf(random.standard_normal(a)), leaf(random.standard_normal(b))
    minidl.gradcheck(lambda x, y: x * y, [x, y])
    minidl.gradcheck(lambda x, y: F.where(x > 0, x, y), [x, y])


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
