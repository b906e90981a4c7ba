"""Module.register_full_backward_hook, beside PyTorch's: what hooks see, what they change, when they are called."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import minidl
from minidl import nn

torch = pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

X = np.random.default_rng(0).standard_normal((5, 3))
W = np.random.default_rng(1).standard_normal((2, 3))


def tensors(library: Any, *arrays: np.ndarray, requires_grad: bool = True) -> list[Any]:
    return [library.tensor(array, requires_grad=requires_grad and array.dtype.kind == "f") for array in arrays]


def numbers(values: Any) -> list[Any]:
    """Tensors of either library, nested in tuples or not, as arrays."""
    if isinstance(values, (tuple, list)):
        return [numbers(value) for value in values]
    return None if values is None else values.detach().numpy()


def assert_same(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs)
    for x, y in zip(ours, theirs):
        if isinstance(x, list):
            assert_same(x, y)
        elif x is None:  # what nothing was computed from has zeros in PyTorch
            assert y is None or not y.any()
        else:
            np.testing.assert_allclose(x, y, rtol=1e-12)


def network_of(library: Any) -> Any:
    """Dense layers whose weights are the same in both libraries."""
    layers = library.nn.Linear(3, 2), library.nn.ReLU(), library.nn.Linear(2, 2), library.nn.Tanh()
    network = library.nn.Sequential(*layers).double()
    state = {"0.weight": W, "0.bias": W[:, 0], "2.weight": W[:, :2], "2.bias": W[:, 1]}
    network.load_state_dict({name: library.tensor(value) for name, value in state.items()})
    return network


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("factor", [None, 3.0])
def test_every_layer_of_a_network(frozen, factor):
    """Layers that would be fused are not; where the input gets no gradient, the hook sees that of the output alone."""
    results = []
    for library in (minidl, torch):
        seen: list[Any] = []

        def hook(module, grad_input, grad_output, seen=seen):
            seen.append([type(module).__name__, numbers(grad_input), numbers(grad_output)])
            if factor and grad_input[0] is not None:
                return (grad_input[0] * factor,)

        network = network_of(library)
        for module in network.modules():
            module.register_full_backward_hook(hook)
        (x,) = tensors(library, X, requires_grad=not frozen)
        (network(x) ** 2).sum().backward()
        results.append((seen, numbers([x.grad, *(p.grad for p in network.parameters())])))
    (ours, our_grads), (theirs, their_grads) = results
    assert [name for name, *_ in ours] == [name for name, *_ in theirs] and len(ours) == 5
    assert_same([seen for _, *seen in ours], [seen for _, *seen in theirs])
    assert_same(our_grads, their_grads)


def make(library: Any, forward: Any) -> Any:
    class Made(library.nn.Module):
        def forward(self, *inputs):
            return forward(*inputs)

    return Made()


@pytest.mark.parametrize(
    "forward",
    [
        lambda a, b, i: (a * b, a.exp() + b.sum()),
        lambda a, b, i: a[i] * 2,  # b has no gradient
        lambda a, b, i: (a[i], i, b * a),  # of the integers neither
        lambda a, b, i: (a * b).sum(),
    ],
)
def test_several_inputs_and_outputs(forward):
    """Inputs are used outside the module too, which is no business of its hook; one comes twice."""
    results = []
    for library in (minidl, torch):
        seen: list[Any] = []
        module = make(library, forward)
        module.register_full_backward_hook(lambda module, dx, dy, seen=seen: seen.append([numbers(dx), numbers(dy)]))
        a, b, i = tensors(library, X, X[::-1].copy() + 1, np.array([2, 0, 1, 1, 4]))
        for inputs in ((a, b, i), (a, a, i)):
            y = module(*inputs)
            first = y[0] if isinstance(y, tuple) else y
            last = y[-1] if isinstance(y, tuple) else y
            ((first**3).sum() + (last * a.sum()).sum()).backward()
        results.append([seen, numbers([a.grad, b.grad])])
    assert len(results[0][0]) == 2
    assert_same(*results)


def test_two_hooks_and_their_removal():
    layer, calls = nn.Tanh(), []

    def double(module, dx, dy):
        calls.append("double")
        return dx[0] * 2

    first = layer.register_full_backward_hook(double)
    layer.register_full_backward_hook(lambda module, dx, dy: calls.append(dx[0].item()))
    x = minidl.tensor([0.0], requires_grad=True)
    layer(x).sum().backward()
    assert calls == ["double", 2.0] and x.grad.item() == 2
    first.remove()
    x.grad = None
    layer(x).sum().backward()
    assert calls[2:] == [1.0] and x.grad.item() == 1


def test_forward_hooks_stay_inside_and_nothing_is_called_without_a_gradient():
    layer, calls = nn.Tanh(), []
    layer.register_forward_hook(lambda module, x, y: y * 5)
    layer.register_full_backward_hook(lambda module, dx, dy: calls.append((dx[0].item(), dy[0].item())))
    x = minidl.tensor([0.0], requires_grad=True)
    with minidl.no_grad():
        assert layer(x).item() == 0
    assert layer(x.detach()).origin is None
    layer(x).sum().backward()
    assert calls == [(5.0, 1.0)]


def test_second_derivatives_go_through_hooks():
    results = []
    for library, grad in ((minidl, minidl.grad), (torch, torch.autograd.grad)):
        layer = library.nn.Tanh()
        layer.register_full_backward_hook(lambda module, dx, dy: (dx[0] * dy[0] * 3,))
        (x,) = tensors(library, X)
        (dx,) = grad((layer(x) ** 2).sum(), [x], create_graph=True)
        results.append(numbers([dx, *grad((dx**2).sum(), [x])]))
    assert_same(*results)


@pytest.mark.parametrize("given", [5, (), (None,), minidl.ones(3), (minidl.ones(2), minidl.ones(2))])
def test_what_a_hook_must_return(given):
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, dx, dy: given)
    y = layer(minidl.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match=r"a backward hook must return None or gradients of the shapes \[\(2,\)\], got"):
        y.sum().backward()


def test_an_output_that_is_no_tensor_is_refused():
    module = make(minidl, lambda x: {"y": x})
    module.register_full_backward_hook(lambda module, dx, dy: None)
    with pytest.raises(TypeError, match="a module with backward hooks must return a Tensor or a tuple, got dict"):
        module(minidl.ones(2, requires_grad=True))


def test_nothing_is_left_to_the_cycle_collector():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, dx, dy: None)
    gc.collect()
    gc.disable()
    try:
        y = layer(minidl.ones(2, requires_grad=True))
        array = weakref.ref(y.origin[0])
        y.sum().backward()
        del y
        assert array() is None
    finally:
        gc.enable()
