"""A module called with other tensors than its own: the values and gradients of PyTorch's, and the module as it was."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.func import functional_call


def draw(L, *shape, seed=0):
    return L.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def steps_that_are_learned(L, functional_call):
    """Two steps of gradient descent, differentiated by their learning rate and by the weights they began with."""
    model = L.nn.Sequential(L.nn.Linear(3, 4), L.nn.BatchNorm1d(4), L.nn.Tanh(), L.nn.Linear(4, 2)).double()
    x, y, rate = draw(L, 6, 3), draw(L, 6, 2, seed=1), L.tensor(0.3, dtype=L.float64, requires_grad=True)
    with L.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(draw(L, *parameter.shape, seed=i))
    weights = dict(model.named_parameters())
    for _ in range(2):
        loss = L.nn.functional.mse_loss(functional_call(model, weights, (x,)), y)
        slopes = L.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: w - rate * dw for (name, w), dw in zip(weights.items(), slopes)}
    functional_call(model, weights, x).square().mean().backward()
    # a bias before the normalization has no gradient but rounding
    return rate.grad, model[0].weight.grad, model[3].bias.grad, model[1].running_mean, model[1].num_batches_tracked


def test_the_gradients_of_pytorch():
    torch = pytest.importorskip("torch")
    expected = steps_that_are_learned(torch, torch.func.functional_call)
    for got, value in zip(steps_that_are_learned(minidl, functional_call), expected):
        np.testing.assert_allclose(got.data, value.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_what_is_not_given_is_the_modules_own_and_several_dicts_are_one():
    layer, x, ones = nn.Linear(3, 2), draw(minidl, 4, 3).float(), minidl.ones(2, 3)
    expected = x @ ones.T + layer.bias
    np.testing.assert_allclose(functional_call(layer, {"weight": ones}, x).data, expected.data, rtol=1e-6)
    both = functional_call(layer, [{"weight": ones}, {"bias": minidl.zeros(2)}], (), {"x": x})
    np.testing.assert_allclose(both.data, (x @ ones.T).data, rtol=1e-6)


def test_a_shared_tensor_is_replaced_wherever_it_is():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2, affine=False))
    model[1].weight = model[0].weight
    w, x = minidl.tensor([[0.0, 2.0], [1.0, 0.0]]), minidl.tensor([[1.0, 3.0]])
    model.eval()
    expected = functional_call(model[2], {}, x @ w.T @ w.T)
    assert functional_call(model, {"0.weight": w}, x).tolist() == expected.tolist()
    assert functional_call(model, {"1.weight": w}, x).tolist() == expected.tolist()


class Counts(nn.Module):
    """Its buffers: one that it sets anew, one that it has not, and the input's factor."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", minidl.tensor(0))
        self.register_buffer("nothing", None)
        self.register_buffer("shift", None)
        self.factor = nn.Parameter(minidl.tensor(1.0))

    def forward(self, x):
        self.calls = self.calls + 1
        if self.nothing is not None or x is None:
            raise RuntimeError("no call")
        return x * self.factor if self.shift is None else x * self.factor + self.shift


def test_the_module_is_as_it_was_but_for_what_it_did_itself():
    module = Counts()
    before = dict(module.named_parameters())
    shifted = functional_call(module, {"factor": minidl.tensor(3.0), "shift": minidl.tensor(1.0)}, minidl.tensor(2.0))
    assert shifted.item() == 7.0 and module.calls.item() == 1
    with pytest.raises(RuntimeError, match="no call"):
        functional_call(module, {"factor": minidl.tensor(3.0)}, None)
    assert module.calls.item() == 2 and module.shift is None
    assert all(module.get_parameter(name) is parameter for name, parameter in before.items())


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"wieght": minidl.ones(1)}, KeyError, "Linear has no parameter and no buffer 'wieght', but weight, bias"),
        ({"weight": [1.0]}, TypeError, r"parameter_and_buffer_dicts\['weight'\] must be a Tensor, got list"),
        ([{"bias": minidl.ones(1)}] * 2, ValueError, "must name each tensor once, got 'bias' in two dicts"),
    ],
)
def test_what_it_refuses(given, error, message):
    with pytest.raises(error, match=message):
        functional_call(nn.Linear(1, 1), given, minidl.ones(1, 1))
