"""Changes in place: what is allowed, and that backward never uses what was changed since."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import nn, optim, tensor
from tests.autograd.leaves import leaf

CHANGED = r"changed in place since"


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.zero_(),
        lambda x: x.fill_(3),
        lambda x: x.copy_(tensor([5.0, 6.0])),
        lambda x: x.add_(1),
        lambda x: x.mul_(2),
        lambda x: x.sub_(1),
        lambda x: x.div_(2),
        lambda x: x.assign_(0),
        lambda x: x.lerp_(tensor([5.0, 6.0]), 0.5),
        lambda x: x.uniform_(2, 3),
        lambda x: x.normal_(),
        lambda x: x.__setitem__(0, 9.0),
        lambda x: x[1:].zero_(),
        lambda x: x.reshape(2, 1).fill_(1),
        lambda x: x.detach().zero_(),
        lambda x: x.T.zero_(),
        lambda x: F.batch_norm(tensor([[1.0, 2.0], [3.0, 5.0]]), x, training=True),
    ],
)
def test_a_change_between_forward_and_backward_is_an_error(change):
    x, w = tensor(np.array([1.0, 2.0])), leaf([3.0, 4.0])
    y = (x * w).sum()
    change(x)
    with pytest.raises(RuntimeError, match=f"backward of Mul.*{CHANGED}"):
        y.backward()


def test_what_the_rule_does_not_read_may_change():
    x, w = tensor(np.array([1.0, 2.0])), leaf([3.0, 4.0])
    y = (x + w).sum()
    x.zero_()
    y.backward()
    np.testing.assert_array_equal(w.grad.numpy(), [1.0, 1.0])


@pytest.mark.parametrize("copied", [lambda w: w.clone(), lambda w: w * 1, lambda w: 1.0 * w, lambda w: w / 1])
def test_a_leaf_may_change_after_it_was_copied_or_scaled(copied):
    w = leaf([3.0, 4.0])
    before = copied(w)
    with minidl.no_grad():
        w += 1.0
    ((w - before) ** 3).sum().backward()
    np.testing.assert_array_equal(before.numpy(), [3.0, 4.0])
    np.testing.assert_array_equal(w.grad.numpy(), [0.0, 0.0])


@pytest.mark.parametrize("function", [F.exp, F.tanh, F.sigmoid, F.sqrt, F.relu, lambda w: F.softmax(w, 0)])
def test_where_the_rule_reads_the_output_the_input_may_change_and_the_output_may_not(function):
    w, same = leaf([3.0, 4.0]), leaf([3.0, 4.0])
    y, z = function(w), function(w)
    with minidl.no_grad():
        w += 1.0
    y.sum().backward()
    function(same).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), same.grad.numpy())
    z.detach().zero_()
    with pytest.raises(RuntimeError, match=CHANGED):
        z.sum().backward()


def test_a_choice_reads_its_condition_only():
    w, mask = leaf([3.0, 4.0]), tensor(np.array([True, False]))
    y, z = w.masked_fill(mask, 0.0), F.where(mask, 1.0, w)
    with minidl.no_grad():
        w += 1.0
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [0.0, 1.0])
    mask.fill_(True)
    with pytest.raises(RuntimeError, match=f"backward of Where.*{CHANGED}"):
        z.sum().backward()


def test_a_changed_condition_or_index_never_gives_a_wrong_gradient():
    w, mask, rows = leaf([3.0, 4.0]), tensor(np.array([True, False])), tensor(np.array([0, 0]))
    y, z, v = F.where(mask, w, 0.0).sum(), w[rows].sum(), w[mask].sum()
    mask.fill_(True)
    rows.fill_(1)
    with pytest.raises(RuntimeError, match=f"backward of Where.*{CHANGED}"):
        y.backward()
    z.backward()  # an index is copied
    np.testing.assert_array_equal(w.grad.numpy(), [2.0, 0.0])
    w.grad = None
    v.backward()
    np.testing.assert_array_equal(w.grad.numpy(), [1.0, 0.0])


@pytest.mark.parametrize("optimizer", [lambda p: optim.SGD(p, lr=0.1), lambda p: optim.Adam(p)])
def test_an_optimizer_step_between_forward_and_backward_is_an_error(optimizer):
    model = nn.Linear(2, 2)
    step = optimizer(model.parameters())
    x = tensor([[1.0, 2.0]], requires_grad=True)
    model(x).sum().backward()
    late = model(x).tanh().sum()
    step.step()
    with pytest.raises(RuntimeError, match=f"backward of Linear.*{CHANGED}"):
        late.backward()


def test_load_state_dict_between_forward_and_backward_is_an_error():
    model = nn.Linear(2, 2)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    loss = model(tensor([[1.0, 2.0]], requires_grad=True)).sum()
    model.load_state_dict(state)
    with pytest.raises(RuntimeError, match=CHANGED):
        loss.backward()


def test_a_saved_output_is_watched_too():
    x = leaf([1.0, 2.0])
    y = x.exp()
    z = y.sum()
    y.detach().zero_()
    with pytest.raises(RuntimeError, match=f"backward of Exp.*{CHANGED}"):
        z.backward()


def test_leaves_and_results_are_protected_while_recording():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"a leaf that requires grad.*no_grad"):
        x.zero_()
    with pytest.raises(RuntimeError, match=r"a leaf that requires grad"):
        x += 1
    with pytest.raises(RuntimeError, match="a recorded result"):
        (x * 2).assign_(0)
    with pytest.raises(RuntimeError, match=r"a leaf that requires grad.*x\.clone"):
        x[0] = 3.0
    y = tensor(np.zeros(2))
    v = y[:1]
    for changed in (v, y):  # the other would not see it
        with pytest.raises(RuntimeError, match="would not reach the tensors that share this memory"):
            changed[0] = x[0]
    with pytest.raises(RuntimeError, match=r"instead of x\[i\] \+= y write x\[i\] = x\[i\] \+ y"):
        y[0] += x[0]
    del v, changed
    y[0] = y[0] + x[0]  # what the message says
    assert y.requires_grad and y[0].item() == 1
    with pytest.raises(TypeError, match="floating-point x, got int64"):
        tensor([1, 2])[0] = x[0]
    np.testing.assert_array_equal(x.numpy(), [1.0, 2.0])
    with minidl.no_grad():
        x[0] = 3.0
        x += 1
    np.testing.assert_array_equal(x.numpy(), [4.0, 3.0])


def test_in_place_operators_on_results_are_recorded():
    """`y += x` gives the gradient of y = y + x."""

    def function(x, w):
        y = x * w
        y += x
        y *= w
        y -= 1
        y /= 2
        return y * y

    minidl.gradcheck(function, [leaf([1.0, 2.0]), leaf([3.0, 4.0])])


def test_what_fills_a_tensor_is_recorded():
    """`copy_`, `fill_` and `zero_` of results, and of the values that they get."""

    def function(x, v):
        y = x * x
        z, empty = y * 3, minidl.empty(2, 3, dtype="float64")
        y.copy_(v * v)  # broadcast
        z.zero_()
        empty.fill_(v[0])
        return y * y + z + x + empty * v

    inputs = [leaf([[1.0, 0.2, -0.6], [0.4, -0.3, 0.7]]), leaf([0.5, -1.5, 0.9])]
    minidl.gradcheck(function, inputs)
    minidl.gradgradcheck(function, inputs)
    single = minidl.zeros(3).copy_(inputs[1])
    assert single.dtype == np.float32 and single.requires_grad


def test_what_is_written_at_an_index_is_recorded():
    """`y[key] = v` gives the gradients of both, first and second; broadcast values and repeated places included."""

    def function(x, v):
        y = x * x
        y[0] = v * v
        y[[1, 1], [2, 0]] = v[:2] * x[0, :2]
        y[y > 3] = 0.5
        y[None, 1, 1:2] = v[None, None, 2] * 3
        return y * y * y

    inputs = [leaf([[1.0, 0.2, -0.6], [0.4, -0.3, 0.7]]), leaf([0.5, -1.5, 0.9])]
    minidl.gradcheck(function, inputs)
    minidl.gradgradcheck(function, inputs)


def test_in_place_operators_on_constants():
    x = tensor([1.0, 2.0])
    same, view = x, x[:1]
    x += 1
    assert same is x
    np.testing.assert_array_equal(view.numpy(), [2.0])  # the memory was written to
    del view
    x += leaf([1.0, 1.0])  # from here on a recorded result
    assert x.requires_grad


def test_in_place_operators_keep_the_shape():
    x = tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"\(3, 2\).*does not fit.*\(2,\)"):
        x += tensor(np.ones((3, 2)))


def test_in_place_operators_keep_the_dtype():
    x = tensor([1.0, 2.0])
    x *= tensor(np.array([2.0, 3.0]))
    assert x.dtype == np.float32


def test_of_several_values_written_to_one_place_the_last_has_the_gradient():
    def function(x, v, s):
        y = x * x
        y[[2, 0, 2]] = v * v
        y[0, [1, 1]] = s * s  # one number, written twice
        return y * y

    inputs = [leaf([[1.0, 0.2], [0.4, -0.3], [0.6, 0.9]]), leaf([[0.5, -1.5], [0.9, 2.0], [1.2, 0.7]]), leaf(0.8)]
    minidl.gradcheck(function, inputs)
    minidl.gradgradcheck(function, inputs)
    function(*inputs).sum().backward()
    assert not inputs[1].grad.numpy()[0].any()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.add_(0.5),
        lambda x: x.div_(2),
        lambda x: x.mul_(tensor([0.5, 0.5])),
        lambda x: x.add_(leaf([1.0, 1.0])),
    ],
)
def test_integers_do_not_hold_fractions(change):
    x = tensor([1, 2])
    with pytest.raises(TypeError, match=r"float\d\d.*int64"):
        change(x)
    np.testing.assert_array_equal(x.numpy(), [1, 2])
    with pytest.raises(TypeError, match=r"int64.*bool"):
        x = tensor([True, False])
        x += 1
    x = tensor(np.array([1, 2], np.uint8))
    x += tensor([1, 2])
    assert x.dtype == np.uint8


def test_in_place_operators_keep_the_dtype_while_recording():
    x = leaf([1.0, 2.0]).float() * 1
    x += leaf([1.0, 1.0])
    assert x.dtype == np.float32 and x.requires_grad


def test_alpha_of_add_and_sub():
    x = tensor([1.0, 2.0])
    assert x.add_(tensor([1.0, 1.0]), alpha=-0.5) is x
    x.sub_(1, alpha=2)
    np.testing.assert_array_equal(x.numpy(), [-1.5, -0.5])


def sorted_values(x, places):
    values, order = x.sort(1)
    places.append(order)
    return values


def largest(x, places):
    values, order = x.max(1, keepdim=True)
    places.append(order)
    return values


@pytest.mark.parametrize(
    "pick",
    [
        lambda x, places: F.embedding(places[0], x),
        lambda x, places: F.embedding(places[0], x, padding_idx=0),
        lambda x, places: x[places[0]],
        lambda x, places: x.index_select(0, places[0]),
        lambda x, places: x.gather(1, places[0][:, None]),
        lambda x, places: F.take_along_dim(x, places[0][:, None], 1),
        lambda x, places: x.masked_select(places[0][:, None] > 0),
        lambda x, places: F.cross_entropy(x, tensor([1, 0]), weight=places[1], reduction="none"),
        lambda x, places: F.nll_loss(x, places[0], reduction="none"),
        lambda x, places: F.multi_margin_loss(x, places[0], reduction="none"),
        sorted_values,
        largest,
    ],
)
def test_positions_may_be_changed_after_they_were_used(pick):
    """A batch of indices is often read into the same memory: the gradient is still that of the old ones."""
    values = [[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]]

    def gradient(change):
        x, places = leaf(values), [tensor([1, 0]), tensor(np.array([1.0, 2.0, 3.0]))]
        y = pick(x, places)
        if change:
            for place in places:
                place.zero_()
        y.backward(np.arange(1.0, y.numel() + 1).reshape(y.shape))
        return x.grad.tolist()

    assert gradient(change=True) == gradient(change=False)


def test_a_mask_may_be_changed_after_it_selected():
    x, mask = leaf([1.0, 2.0, 3.0]), tensor([True, False, False])
    y = x.masked_select(mask)
    mask.copy_(tensor([False, False, True]))
    y.sum().backward()
    assert x.grad.tolist() == [1, 0, 0]


def test_random_numbers_written():
    minidl.manual_seed(0)
    x = minidl.empty(200, 100, dtype="float64")
    assert x.uniform_(-2, 4) is x and -2 <= x.min() < -1.99 and 3.99 < x.max() < 4
    assert abs(x.mean().item() - 1) < 0.05 and x.dtype == np.float64
    assert x[0].normal_(5, 0.1) is not x and abs(x[0].mean().item() - 5) < 0.1 and abs(x[0].std().item() - 0.1) < 0.05
    assert 0 <= x.uniform_().min() < 0.01 and 0.99 < x.max() < 1
    assert abs(x.normal_().mean().item()) < 0.05 and abs(x.std().item() - 1) < 0.05
    with pytest.raises(TypeError, match="random numbers need a floating-point dtype, got int64"):
        tensor([1, 2]).uniform_()
    with pytest.raises(RuntimeError, match="a leaf that requires grad can't be changed in place"):
        leaf([1.0]).normal_()


def test_rows_cost_the_same_however_many_there_are():
    def seconds(n):
        x = tensor(np.zeros((n, 1)))
        start = time.process_time()
        assert sum(len(row) for row in x) == n
        return time.process_time() - start

    gc.disable()  # a collection goes through all that the tests before this one left
    try:
        assert min(seconds(20_000) for _ in range(2)) < 200 * min(seconds(500) for _ in range(5))
    finally:
        gc.enable()
