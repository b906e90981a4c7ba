"""Modules and parameters in lists and by name."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import nn

X = minidl.Tensor(np.random.default_rng(0).normal(size=(4, 3)).astype("f4"))


def test_sequential():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert len(net) == 3
    assert net[-1] is net[2]
    assert [type(layer).__name__ for layer in net[:2]] == ["Linear", "ReLU"]
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    net[1] = nn.Tanh()
    net.append(nn.Softmax(-1))
    np.testing.assert_allclose(net(X).numpy().sum(1), np.ones(4), rtol=1e-6)
    named = nn.Sequential({"first": nn.Linear(3, 4), "second": nn.ReLU()})
    assert named.first.weight.shape == (4, 3)


def test_containers():
    modules = nn.ModuleList([nn.Linear(3, 3) for _ in range(3)])
    modules.append(nn.ReLU()).extend([nn.Tanh()])
    assert len(modules) == 5
    assert modules[-1] is modules[4]
    assert len(modules[1:3]) == 2
    modules[3] = nn.Identity()
    assert [type(module).__name__ for module in modules][3:] == ["Identity", "Tanh"]
    assert type(modules.pop()) is nn.Tanh and len(modules) == 4
    by_name = nn.ModuleDict({"x": nn.Linear(3, 3)})
    by_name["y"] = nn.ReLU()
    assert (list(by_name), "y" in by_name, len(by_name)) == (["x", "y"], True, 2)
    assert [name for name, _ in by_name.items()] == list(by_name.keys())


def test_a_list_extended_by_itself():
    modules, parameters = nn.ModuleList([nn.ReLU(), nn.Tanh()]), nn.ParameterList([minidl.ones(2)])
    assert [type(module) for module in modules.extend(modules)] == [nn.ReLU, nn.Tanh] * 2
    assert len(parameters.extend(parameters)) == 2


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
def test_two_containers_added_share_their_modules(kind):
    for layers in (nn, pytest.importorskip("torch").nn):
        container = getattr(layers, kind)
        first, second = container().append(layers.Linear(3, 4)).append(layers.ReLU()), container()
        second.append(layers.Linear(4, 2))
        both = first + second
        assert type(both) is container and list(both) == [*first, *second] and (len(first), len(second)) == (2, 1)
        assert list(both.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_what_is_added_to_a_container():
    layer = nn.ReLU()
    assert list(nn.ModuleList([layer]) + [layer]) == [layer, layer]
    with pytest.raises(TypeError, match="Module, got int"):
        nn.ModuleList() + [1]
    with pytest.raises(TypeError, match="'Sequential' and 'list'"):
        nn.Sequential() + [layer]


def test_a_dict_of_parameters_is_one_of_pytorch():
    gains = nn.ParameterDict({"b": minidl.ones(2), "a": nn.Parameter(np.zeros(3, "float32"), requires_grad=False)})
    gains["c"] = minidl.zeros(1)
    gains.update([("b", minidl.zeros(2))])
    assert list(gains) == list(gains.keys()) == list(gains.state_dict()) == ["a", "b", "c"]
    assert [p.requires_grad for p in gains.values()] == [False, True, True] and len(gains) == 3 and "a" in gains
    assert all(isinstance(p, nn.Parameter) for _, p in gains.items()) and gains["b"].sum() == 0
    assert gains.pop("a").shape == (3,) and "a" not in gains
    del gains["c"]
    assert [name for name, _ in nn.Sequential(gains).named_parameters()] == ["0.b"]
    with pytest.raises(KeyError):
        gains["a"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.Sequential([nn.ReLU()]), r"Sequential argument 0 must be .*, got list; .* write \*modules"),
        (lambda: nn.Sequential(nn.Tanh(), nn.ReLU), r"argument 1 must be .*, got the class ReLU; write ReLU\(\)"),
        (lambda: nn.ModuleList(nn.Linear(1, 1)), r"modules must be a list of .*, got one Linear; write \[module\]"),
        (lambda: nn.summary(nn.ReLU(), (1, 28)), r"Tensors or arrays, got \(1, 28\); .* minidl.zeros\(1, 28\)"),
    ],
    ids=["list", "class", "one", "shape"],
)
def test_what_other_libraries_take_is_named_with_what_to_type(call, text):
    with pytest.raises(TypeError, match=text):
        call()
    assert len(nn.ModuleList(nn.Sequential(nn.ReLU(), nn.Tanh()))) == 2
