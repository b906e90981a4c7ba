"""Hooks on a tensor's gradient, and gradients kept where there is no leaf; the values are PyTorch's."""

import gc
import weakref

import numpy as np
import pytest

import minidl


def numbers(requires_grad: bool = True) -> minidl.Tensor:
    return minidl.tensor([1.0, 2.0], requires_grad=requires_grad)


def test_a_hook_of_a_leaf_changes_what_is_added_to_its_gradient():
    x, seen = numbers(), []
    x.register_hook(lambda dx: seen.append(dx.tolist()))
    handle = x.register_hook(lambda dx: dx * 3)
    (x * x + x).sum().backward()  # the hooks see the sum of both uses, once
    assert seen == [[3.0, 5.0]] and x.grad.tolist() == [9.0, 15.0]
    handle.remove()
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [12.0, 20.0]


def test_a_hook_of_a_result_changes_what_goes_further_down():
    x = numbers()
    y = x * x
    y.retain_grad()
    y.register_hook(lambda dy: dy * 10)
    y.register_hook(lambda dy: dy + 1)
    (y * 3).sum().backward()
    assert y.grad.tolist() == [31.0, 31.0]  # kept after all hooks, though it was asked for before
    assert x.grad.tolist() == [62.0, 124.0]


@pytest.mark.parametrize("leaf", [False, True])
def test_the_gradient_of_one_number_is_an_array_too(leaf):
    x, seen = minidl.tensor(3.0, requires_grad=True), []
    y = x if leaf else x * 1
    y.register_hook(lambda dy: seen.append(dy))
    y.retain_grad()
    (y * y).backward()
    for dy in (seen[0], y.grad, x.grad):
        assert type(dy.data) is np.ndarray and dy.numpy() == 6.0


def test_one_of_several_outputs():
    x = minidl.tensor([[1.0, 5.0], [4.0, 2.0]], requires_grad=True)
    rnn = minidl.nn.RNN(2, 3)
    y, h = rnn(x)
    h.register_hook(lambda dh: dh * 0)
    h.retain_grad()
    (y.sum() + h.sum()).backward()
    without, x.grad = x.grad, None
    rnn(x)[0].sum().backward()
    np.testing.assert_allclose(without.numpy(), x.grad.numpy(), rtol=1e-6)
    assert not h.grad.numpy().any() and y.grad is None


def test_gradients_that_are_recorded():
    x, recorded = numbers(), []
    x.register_hook(lambda dx: recorded.append(dx.requires_grad))
    x.register_hook(lambda dx: dx * dx)
    (dx,) = minidl.grad((x * x).sum(), x, create_graph=True)  # (2x)^2
    (ddx,) = minidl.grad(dx.sum(), x)  # (8x)^2, through the hook again
    assert dx.tolist() == [4.0, 16.0] and ddx.tolist() == [64.0, 256.0]
    assert recorded == [True, False]


def test_retained_gradients_add_up_and_say_that_they_are_kept():
    x = numbers()
    y = x * 2
    assert not y.retains_grad
    y.retain_grad()
    x.retain_grad()  # a leaf keeps its gradient anyway
    assert y.retains_grad and not x.retains_grad
    for _ in range(2):
        y.sum().backward(retain_graph=True)
    assert y.grad.tolist() == [2.0, 2.0] and x.grad.tolist() == [4.0, 4.0]


def test_after_a_change_in_place_the_gradient_of_the_new_values_is_kept():
    x = numbers()
    y = x * 2
    z = y + 1  # uses the old values
    y.retain_grad()
    y.mul_(3)
    assert y.retains_grad
    (y * y + z).sum().backward()
    assert y.grad.tolist() == [12.0, 24.0] and x.grad.tolist() == [74.0, 146.0]


def test_a_kept_gradient_does_not_keep_the_tensor():
    gc.disable()
    try:
        y = numbers() * 2
        y.retain_grad()
        loss, gone = y.sum(), weakref.ref(y)
        del y
        assert gone() is None
        loss.backward()
    finally:
        gc.enable()


def test_wrong_hooks():
    for ask in (lambda x: x.register_hook(abs), lambda x: x.retain_grad()):
        with pytest.raises(RuntimeError, match="requires grad"):
            ask(numbers(requires_grad=False))
    for hook in (lambda dx: dx.sum(), lambda dx: dx.numpy(), lambda dx: dx.double()):
        x = numbers()
        x.register_hook(hook)
        with pytest.raises(TypeError, match=r"shape \(2,\)"):
            x.sum().backward()


def test_a_gradient_that_was_retained_shares_no_memory_with_that_of_the_leaf():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = x + 1
    y.retain_grad()
    (y * 2).sum().backward()
    y.grad.zero_()
    assert x.grad.tolist() == [2, 2]
