"""minidl.grad, and gradients that are recorded, to be differentiated again."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import tensor
from tests.autograd.leaves import leaf


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


def test_backward_from_several_results_as_in_pytorch():
    found = []
    for library in (minidl, pytest.importorskip("torch")):
        x, w = (library.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        for _ in range(2):  # gradients add up
            y = x.exp()
            dys = [None, library.tensor([1.0, 0.0]), library.tensor([3.0, 4.0])]
            library.autograd.backward([y.sum(), y * w, w], dys)
        library.autograd.backward((x * w)[0])
        found.append([x.grad.numpy(), w.grad.numpy()])
        dy = library.tensor([1.0, 2.0])
        x.grad = w.grad = None
        library.autograd.backward([x, w], [dy, dy])
        x.grad += 1  # neither the gradient that was given nor that of the other leaf
        assert dy.tolist() == w.grad.tolist() == [1.0, 2.0]
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_backward_wants_a_gradient_for_each_result():
    x = leaf([1.0, 2.0])
    with pytest.raises(ValueError, match="grad_tensors must have one entry for each of the 2 tensors, got 1"):
        minidl.autograd.backward([x.sum(), x], [None])
    with pytest.raises(RuntimeError, match=r"grad_tensors\[1\] must be given for tensors\[1\] of shape \(2,\)"):
        minidl.autograd.backward([x.sum(), x])
    assert x.grad is None


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
    dx, dy = minidl.grad(z, [x, y], allow_unused=True, retain_graph=True)
    assert dx.item() == 2 and dy is None
    dx, dy = minidl.grad(z, [x, y], materialize_grads=True)
    assert dx.tolist() == [2] and dy.tolist() == [0] and dy.dtype == y.dtype and not dy.requires_grad


def test_zeros_for_unused_inputs_are_differentiated_again():
    """As the second derivative by time of what does not change, in an equation that holds for what does."""
    for L in (minidl, pytest.importorskip("torch")):
        x, t = L.tensor([1.0, 2.0], requires_grad=True), L.tensor(5.0, requires_grad=True)
        (dt,) = L.autograd.grad((3 * x).sum(), t, create_graph=True, materialize_grads=True)
        (ddt,) = L.autograd.grad(dt, t, materialize_grads=True)
        assert (dt.item(), ddt.item()) == (0, 0) and dt.requires_grad and not ddt.requires_grad


def test_grad_wants_recorded_inputs_and_matching_cotangents():
    x = leaf([1.0])
    with pytest.raises(RuntimeError, match=r"inputs\[0\] does not require grad"):
        minidl.grad(x * 2, tensor([1.0]))
    with pytest.raises(ValueError, match="one entry for each of the 2 outputs, got 1"):
        minidl.grad([x * 2, x * 3], x, [np.ones(1)])
    y, z = x.sum(), x * np.ones(2)
    with pytest.raises(RuntimeError, match=r"grad_outputs\[1\] must be given for outputs\[1\] of shape \(2,\)"):
        minidl.grad([y, z], x)
    with pytest.raises(ValueError, match=r"grad_outputs\[1\] must have the shape of outputs\[1\], \(2,\), got \(3,\)"):
        minidl.grad([y, z], x, [None, np.ones(3)])
    with pytest.raises(RuntimeError, match=r"outputs\[1\] must be a recorded result"):
        minidl.grad([y, tensor([1.0])], x)


def test_grad_takes_only_inputs_as_pytorchs_programs_give_it():
    x, w = minidl.tensor(3.0, requires_grad=True), minidl.tensor(2.0, requires_grad=True)
    (dx,) = minidl.grad(outputs=x * w, inputs=x, only_inputs=True)
    assert dx.item() == 2 and x.grad is None and w.grad is None
    with pytest.raises(ValueError, match="only_inputs must be True.*backward"):
        minidl.grad(x * w, x, only_inputs=False)


def test_gradients_asked_for_share_no_memory_either():
    x, y, dy = leaf([1.0, 2.0]), leaf([3.0, 4.0]), tensor(np.array([5.0, 6.0]))
    dx, dy_ = minidl.grad(x + y, [x, y], dy)
    assert not np.shares_memory(dx.data, dy_.data)
    assert not np.shares_memory(dx.data, dy.data)


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


def test_third_derivative_of_the_largest():
    x = leaf([[[[1.0, 2.0, 5.0, 3.0]]]])
    y = F.max_pool2d(x, (1, 2))
    for _ in range(3):  # y^2, then (2 y)^2, then (8 y)^2
        (y,) = minidl.grad((y * y).sum(), x, create_graph=True)
    np.testing.assert_array_equal(y.numpy(), [[[[0.0, 128 * 2.0, 128 * 5.0, 0.0]]]])
