"""Tensors in the same memory: what is a view and what a copy, and what may be changed through one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minidl
from minidl import nn, tensor
from tests.autograd.leaves import leaf

CHANGED = r"changed in place since"


def test_pieces_are_views():
    """What is written to a piece is in the whole, and an operation that has read the whole notices."""
    x = tensor(np.zeros((4, 2)))
    for cut in (lambda: x.split(3), lambda: x.split([1, 3]), lambda: x.chunk(2), x.unbind, lambda: tuple(x)):
        cut()[1].add_(1)
    np.testing.assert_array_equal(x.numpy()[:, 0], [0, 3, 2, 3])
    y = leaf([1.0, 2.0, 3.0]) * 2
    z = y.square().sum()
    with minidl.no_grad():
        y.split(2)[1].zero_()
    with pytest.raises(RuntimeError, match="was changed in place since"):
        z.backward()


def test_clone_is_recorded_and_shares_nothing():
    x = leaf([1.0, 2.0])
    y = x.clone()
    assert not np.shares_memory(x.data, y.data)
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])
    mask = tensor([True, False])
    assert mask.clone().dtype == np.bool_ and not np.shares_memory(mask.clone().data, mask.data)


def test_copies_and_pickles_hold_values_and_no_history():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.requires_grad and y.is_leaf and not np.shares_memory(x.data, y.data)
        np.testing.assert_array_equal(y.numpy(), x.numpy())
    assert not pickle.loads(pickle.dumps(x * x)).requires_grad
    twin = copy.deepcopy(x)
    np.testing.assert_array_equal(twin.grad.numpy(), x.grad.numpy())
    assert not np.shares_memory(twin.grad.data, x.grad.data)
    shared = copy.deepcopy([x, x, x.grad])
    assert shared[0] is shared[1] and shared[0].grad is shared[2]
    with pytest.raises(ValueError, match=r"only leaves.*detach"):
        copy.deepcopy(x * 2)


def test_a_shallow_copy_is_in_the_same_memory_and_says_so():
    x, w = tensor(np.array([1.0, 2.0])), leaf([3.0, 4.0])
    y = (x * w).sum()
    twin = copy.copy(x)
    assert np.shares_memory(twin.data, x.data) and copy.copy(w).requires_grad and copy.copy(w).grad is None
    twin.zero_()
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_numpy_gives_a_read_only_view():
    x = tensor([1.0, 2.0])
    view = x.numpy()
    assert np.shares_memory(view, x.data)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5.0


@pytest.mark.parametrize(
    "view_of",
    [
        lambda h: h[:2],
        lambda h: h[0],
        lambda h: h.view(2, 2),
        lambda h: h.chunk(2)[0],
        lambda h: h.detach(),
        lambda h: minidl.einsum("i->i", h),
    ],
)
def test_a_recorded_change_that_a_view_would_not_see_is_refused(view_of):
    w, buffer = leaf([1.0, 1.0, 1.0, 1.0]), tensor(np.zeros(4))
    h = w * 2
    for base in (h, buffer):
        view = view_of(base)
        with pytest.raises(RuntimeError, match=r"write x = x \+ y.*no_grad"):
            view += w.sum()
        with pytest.raises(RuntimeError, match=r"write x = x \+ y"):
            base *= w
        del view
        base *= w  # nobody else has the memory now
    (h + buffer).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [4.0, 4.0, 4.0, 4.0])
    for row in (r := leaf([[1.0], [2.0]]) * 2):
        with pytest.raises(RuntimeError, match="view"):
            row += 10
    assert r.shares_memory() and not (row := None) and not r.shares_memory()


def test_a_part_written_to_another_part():
    w = leaf([1.0, 2.0, 3.0])
    y = w * 2
    with pytest.raises(RuntimeError, match=r"write x\[i\] = x\[j\]\.clone\(\)"):
        y[0] = y[1]
    y[0] = y[1].clone()
    y[...] = y
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [0.0, 4.0, 2.0])


def test_a_view_may_be_changed_where_its_base_is_gone_and_a_residual_may_be_added():
    w = leaf([1.0, 2.0, 3.0, 4.0])
    h = (w * 2).view(2, 2)
    h += h.detach().clone()
    out = h.T.clone()
    out += h
    out.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [4.0] * 4)


def test_the_list_of_views_does_not_grow():
    x = tensor([1.0, 2.0, 3.0])
    for _ in range(3):
        rows = list(x)
        assert len(x.version[1]) == 4  # x and three rows
        del rows
        assert len(x.version[1]) == 1


def test_einsum_of_one_operand_is_a_view():
    x, w = tensor(np.ones((2, 2))), leaf([[1.0, 1.0], [1.0, 1.0]])
    for equation in ("ij->ji", "ij->ij"):
        y = (x * w).sum()
        minidl.einsum(equation, x).zero_()
        with pytest.raises(RuntimeError, match=CHANGED):
            y.backward()


def test_a_number_of_a_vector_is_a_view():
    x = tensor([1.0, 2.0, 3.0])
    x[0].fill_(9.0)
    x[-1].add_(5)
    np.testing.assert_array_equal(x.numpy(), [9.0, 2.0, 8.0])
    x = tensor([[1.0, 2.0]])
    x[0, 1].zero_()
    np.testing.assert_array_equal(x.numpy(), [[1.0, 0.0]])


def test_values_that_require_grad_are_not_copied_silently():
    w, buffer = leaf([1.0, 2.0]), tensor(np.zeros(2))
    with pytest.raises(RuntimeError, match=r"not recorded.*detach"):
        buffer.assign_(w[:1] * 3)
    view = buffer[:1]
    for change in (buffer.copy_, buffer.fill_, view.copy_):
        with pytest.raises(RuntimeError, match="would not reach the tensors that share this memory"):
            change(w[:1] * 3)
    del view, change
    buffer.copy_((w * 3).detach())
    with minidl.no_grad():
        buffer.add_(w)
    np.testing.assert_array_equal(buffer.numpy(), [4.0, 8.0])


@pytest.mark.parametrize("wrap", [nn.Parameter, minidl.Tensor, minidl.as_tensor])
def test_a_tensor_made_of_another_shares_its_memory_and_its_version(wrap):
    x = tensor([1.0, 2.0])
    y = wrap(x).requires_grad_()
    loss = (y * y).sum()
    with minidl.no_grad():
        x.fill_(5)
    assert y.tolist() == [5, 5]
    with pytest.raises(RuntimeError, match=CHANGED):
        loss.backward()


@pytest.mark.parametrize("change", [lambda x: x.add_(1), lambda x: x.__setitem__(0, 1.0), lambda x: x.zero_()])
def test_an_expanded_tensor_is_not_changed(change):
    x = minidl.zeros(1, 3)
    with pytest.raises(RuntimeError, match=r"shape \(2, 3\) in read-only memory, as expand gives it.*clone"):
        change(x.expand(2, 3))
    assert not x.any()
