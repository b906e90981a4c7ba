"""Optimizers beside PyTorch's: the same gradients, the same trajectory, states that travel."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import optim

torch = pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

SHAPES = [(3, 4), (5,), ()]
ALL = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"amsgrad": True, "betas": (0.5, 0.6), "weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 1e-3}),
]


def start(seed=0):
    """The same parameters for both, in float64."""
    random = np.random.default_rng(seed)
    values = [random.normal(size=shape) for shape in SHAPES]
    theirs = [torch.from_numpy(np.array(value)).requires_grad_() for value in values]
    return theirs, [minidl.Tensor(np.array(value), requires_grad=True) for value in values]


def step(theirs, ours, optimizers, seed):
    """One step of both with the same gradients; the last parameter gets none at first."""
    random = np.random.default_rng(seed)
    for i, (w, our_w) in enumerate(zip(theirs, ours)):
        dw = random.normal(size=w.shape) * 10.0 ** random.integers(-3, 2)
        if seed == 0 and i == len(theirs) - 1:
            continue
        w.grad, our_w.grad = torch.from_numpy(np.array(dw)), minidl.Tensor(np.array(dw))
    for optimizer in optimizers:
        optimizer.step()


def assert_equal(theirs, ours, tolerance=1e-12):
    for w, our_w in zip(theirs, ours):
        np.testing.assert_allclose(our_w.numpy(), w.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("kind", "options"), ALL, ids=str)
def test_trajectories(kind, options):
    theirs, ours = start()
    optimizers = getattr(torch.optim, kind)(theirs, lr=0.05, **options), getattr(optim, kind)(ours, lr=0.05, **options)
    for seed in range(20):
        step(theirs, ours, optimizers, seed)
        assert_equal(theirs, ours)


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_defaults(kind):
    theirs, ours = start()
    optimizers = getattr(torch.optim, kind)(theirs), getattr(optim, kind)(ours)
    for seed in range(3):
        step(theirs, ours, optimizers, seed)
    assert_equal(theirs, ours)


@pytest.mark.parametrize(("kind", "options"), ALL, ids=str)
def test_a_state_of_pytorch_is_loaded(kind, options):
    theirs, ours = start()
    their_optimizer = getattr(torch.optim, kind)(theirs, lr=0.05, **options)
    our_optimizer = getattr(optim, kind)(ours)
    for seed in range(4):
        step(theirs, ours, [their_optimizer], seed)
    for w, our_w in zip(theirs, ours):
        our_w.detach().copy_(w.detach().numpy())
    our_optimizer.load_state_dict(their_optimizer.state_dict())
    for seed in range(4, 8):
        step(theirs, ours, [their_optimizer, our_optimizer], seed)
        assert_equal(theirs, ours)


@pytest.mark.parametrize(("kind", "options"), ALL, ids=str)
def test_our_state_has_the_names_of_pytorch(kind, options):
    theirs, ours = start()
    optimizers = getattr(torch.optim, kind)(theirs, lr=0.05, **options), getattr(optim, kind)(ours, lr=0.05, **options)
    for seed in range(3):
        step(theirs, ours, optimizers, seed)
    expected, found = (optimizer.state_dict() for optimizer in optimizers)
    assert expected["state"].keys() == found["state"].keys()
    for number, values in expected["state"].items():
        values = {name: value for name, value in values.items() if value is not None}
        assert set(values) == set(found["state"][number])
        for name, value in values.items():
            ours_value = found["state"][number][name]
            ours_value = ours_value.numpy() if isinstance(ours_value, minidl.Tensor) else ours_value
            np.testing.assert_allclose(ours_value, np.asarray(value), rtol=1e-12)
    for group, our_group in zip(expected["param_groups"], found["param_groups"]):
        assert {name: group[name] for name in our_group} == our_group


def test_options_that_are_not_here_are_refused():
    theirs, ours = start()
    their_optimizer = torch.optim.Adam(theirs, maximize=True)
    with pytest.raises(ValueError, match="Adam has no maximize"):
        optim.Adam(ours).load_state_dict(their_optimizer.state_dict())


def test_a_state_from_before_amsgrad_is_loaded():
    _, ours = start()
    optimizer = optim.Adam(ours, amsgrad=True)
    state = optimizer.state_dict()
    del state["param_groups"][0]["amsgrad"]
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["amsgrad"] is True


def test_float32_stays_near():
    theirs, ours = start()
    theirs = [w.detach().float().requires_grad_() for w in theirs]
    ours = [minidl.Tensor(w.numpy().astype("f4"), requires_grad=True) for w in ours]
    optimizers = torch.optim.Adam(theirs, lr=0.01), optim.Adam(ours, lr=0.01)
    for seed in range(1, 50):
        random = np.random.default_rng(seed)
        for w, our_w in zip(theirs, ours):
            dw = np.asarray(random.normal(size=w.shape), "f4")
            w.grad, our_w.grad = torch.from_numpy(np.array(dw)), minidl.Tensor(dw)
        for optimizer in optimizers:
            optimizer.step()
    assert_equal(theirs, ours, 1e-5)


def test_named_parameters_keep_their_names():
    theirs, ours = start()
    names = ["a", "b", "c"]
    other = torch.optim.Adam([{"params": zip(names, theirs), "lr": 0.1}])
    named = optim.Adam([{"params": zip(names, ours), "lr": 0.1}])
    for seed in range(3):
        step(theirs, ours, [other, named], seed)
    assert_equal(theirs, ours)
    assert named.param_groups[0]["param_names"] == other.param_groups[0]["param_names"] == names
    assert named.state_dict()["param_groups"][0]["param_names"] == names and "param_names" not in repr(named)
    again = optim.Adam(zip("xyz", ours))
    again.load_state_dict(other.state_dict())
    assert again.param_groups[0]["param_names"] == ["x", "y", "z"] and again.param_groups[0]["lr"] == 0.1
    with pytest.raises(TypeError, match="params must hold Tensors, got tuple"):
        optim.SGD([ours[0], ("b", ours[1])])
