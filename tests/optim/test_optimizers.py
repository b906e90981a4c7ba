"""Optimizers without an oracle: formulas by hand, groups, states, refusals."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import minidl
from minidl import kernels, nn, optim

ALL = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.5}),
    (optim.Adam, {"weight_decay": 0.1}),
    (optim.Adam, {"amsgrad": True}),
    (optim.AdamW, {}),
    (optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (optim.Adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
]


def parameters(*shapes, seed=0):
    random = np.random.default_rng(seed)
    return [minidl.Tensor(random.normal(size=shape).astype("f4"), requires_grad=True) for shape in shapes]


def give_gradients(tensors, seed):
    random = np.random.default_rng(seed)
    for tensor in tensors:
        tensor.grad = minidl.Tensor(random.normal(size=tensor.shape).astype("f4"))


def walk(optimizer, tensors, seeds):
    for seed in seeds:
        give_gradients(tensors, seed)
        optimizer.step()
    return [tensor.numpy().copy() for tensor in tensors]


def test_textbook_momentum_is_dampening_by_the_momentum():
    (w,) = parameters((3,))
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9, dampening=0.9)
    before = w.numpy().copy()
    v = None
    for seed in range(4):
        give_gradients([w], seed)
        dw = w.grad.numpy().copy()
        v = dw if v is None else 0.9 * v + 0.1 * dw
        before = before - 0.1 * v
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), before, rtol=1e-5)


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_state_dict_goes_on_where_it_stopped(kind, options):
    ws = parameters((3, 2), (4,), ())
    optimizer = kind(ws, lr=0.01, **options)
    walk(optimizer, ws, range(3))
    copies = [minidl.Tensor(w.numpy().copy(), requires_grad=True) for w in ws]
    resumed = kind(copies, lr=99.0, **options)
    resumed.load_state_dict(pickle.loads(pickle.dumps(optimizer.state_dict())))
    for ours, theirs in zip(walk(optimizer, ws, range(3, 6)), walk(resumed, copies, range(3, 6))):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_a_loaded_state_is_a_copy(kind, options):
    ws = parameters((3, 2))
    optimizer = kind(ws, lr=0.01, **options)
    walk(optimizer, ws, range(2))
    state = optimizer.state_dict()
    other = kind(parameters((3, 2)), lr=0.01, **options)
    other.load_state_dict(state)
    kept = copy.deepcopy(other.state_dict())
    walk(optimizer, ws, range(2, 4))
    assert str(other.state_dict()) == str(kept)


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_a_step_changes_parameters_in_place_and_nothing_else(kind, options):
    ws = parameters((3, 2), (4,))
    arrays, frozen = [w.data for w in ws], parameters((2,))
    optimizer = kind([*ws, *frozen], lr=0.01, **options)
    give_gradients(ws, 1)
    gradients, before = [w.grad.numpy().copy() for w in ws], [w.numpy().copy() for w in ws]
    kept = frozen[0].numpy().copy()
    optimizer.step()
    for w, array, dw, old in zip(ws, arrays, gradients, before):
        assert w.data is array
        assert (w.data != old).all()
        np.testing.assert_array_equal(w.grad.numpy(), dw)
    np.testing.assert_array_equal(frozen[0].numpy(), kept)
    assert frozen[0] not in optimizer.state  # what got no gradient has taken no step


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_a_parameter_that_comes_late_is_at_its_first_step(kind, options):
    early, late = parameters((3,), (3,))
    alone = minidl.Tensor(late.numpy().copy(), requires_grad=True)
    optimizer, other = kind([early, late], lr=0.01, **options), kind([alone], lr=0.01, **options)
    give_gradients([early], 0)
    optimizer.step()
    give_gradients([early, late], 1)
    alone.grad = minidl.Tensor(late.grad.numpy().copy())
    optimizer.step()
    other.step()
    np.testing.assert_array_equal(late.numpy(), alone.numpy())


def test_adam_without_a_memory_steps_by_the_sign_of_the_gradient():
    (w,) = parameters((3,))
    before = w.numpy().copy()
    optimizer = optim.Adam([w], lr=0.1, betas=(0.0, 0.0))
    for seed in range(3):
        give_gradients([w], seed)
        before = before - 0.1 * np.sign(w.grad.numpy())
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), before, rtol=1e-5)


def test_groups_have_options_of_their_own():
    a, b = parameters((2,), (2,))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    c = parameters((2,))[0]
    optimizer.add_param_group({"params": [c], "lr": 0.0})
    before = [w.numpy().copy() for w in (a, b, c)]
    for w in (a, b, c):
        w.grad = minidl.Tensor(np.ones(2, "f4"))
    optimizer.step()
    for w, old, lr in zip((a, b, c), before, (0.1, 1.0, 0.0)):
        np.testing.assert_allclose(w.numpy(), old - lr, rtol=1e-6)


def test_dtypes_side_by_side():
    a, b = minidl.Tensor(np.ones(2, "f4"), requires_grad=True), minidl.Tensor(np.ones(2), requires_grad=True)
    optimizer = optim.Adam([a, b], lr=0.1)
    (a.double() * b).sum().backward()
    optimizer.step()
    assert a.dtype == np.float32
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


def test_closure():
    (w,) = parameters((3,))
    optimizer = optim.SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert optimizer.step(closure) < first
    with minidl.no_grad():
        assert optimizer.step(closure) < first


def test_zero_grad():
    ws = parameters((3,), (2,))
    give_gradients(ws[:1], 0)
    optimizer = optim.SGD(ws, lr=0.1)
    optimizer.zero_grad(set_to_none=False)
    assert (ws[0].grad == 0).all()
    assert ws[1].grad is None
    optimizer.zero_grad()
    assert ws[0].grad is None


def test_a_step_is_seen_by_the_engine():
    (w,) = parameters((3,))
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    give_gradients([w], 0)
    optimizer.step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_shared_parameters_step_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    model = Tied()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    assert len(optimizer.param_groups[0]["params"]) == 1
    before = model.first.weight.numpy().copy()
    model(minidl.Tensor(np.ones((1, 3), "f4"))).sum().backward()
    gradient = model.first.weight.grad.numpy().copy()
    optimizer.step()
    np.testing.assert_allclose(model.second.weight.numpy(), before - 0.1 * gradient, atol=1e-6)


def test_penalties():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    weights = [p for p in model.parameters() if p.ndim == 2]
    expected = sum(0.5 / 2 * float((w.numpy() ** 2).sum()) for w in weights)
    cost = optim.L2(0.5)(model)
    assert float(cost) == pytest.approx(expected, rel=1e-6)
    cost.backward()
    for p in model.parameters():
        if p.ndim == 2:
            np.testing.assert_allclose(p.grad.numpy(), 0.5 * p.numpy(), rtol=1e-6)
        else:
            assert p.grad is None
    assert float(optim.L2(0)(model)) == 0
    assert float(optim.L1(2.0)(weights)) == pytest.approx(2 * sum(float(np.abs(w.numpy()).sum()) for w in weights))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda w: optim.SGD([], lr=0.1), ValueError, "nothing to optimize"),
        (lambda w: optim.SGD(w, lr=0.1), TypeError, "iterable of Tensors"),
        (lambda w: optim.SGD(nn.Linear(2, 2)), TypeError, r"got one Linear; of a module write model.parameters\(\)"),
        (lambda w: optim.SGD([w, w], lr=0.1), ValueError, "twice"),
        (lambda w: optim.SGD([w * 2], lr=0.1), ValueError, "leaves"),
        (lambda w: optim.SGD([w.data], lr=0.1), TypeError, "must hold Tensors, got ndarray"),
        (lambda w: optim.SGD([minidl.Tensor(w.numpy())]), RuntimeError, r"shape \(3, 2\) in read-only memory"),
        (lambda w: optim.SGD([w], lr=-1.0), ValueError, "lr.*-1.0"),
        (lambda w: optim.SGD([w], nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda w: optim.SGD([w], nesterov="yes", momentum=1), TypeError, "nesterov must be True or False, got 'yes'"),
        (lambda w: optim.RMSprop([w], centered=1), TypeError, "centered must be True or False, got 1"),
        (lambda w: optim.Adam([w], amsgrad="no"), TypeError, "amsgrad must be True or False, got 'no'"),
        (lambda w: optim.AdamW([{"params": [w], "amsgrad": None}]), TypeError, "amsgrad must be .*, got None"),
        (lambda w: optim.Adam([w], betas=(1.0, 0.9)), ValueError, r"betas.*\(1.0, 0.9\)"),
        (lambda w: optim.Adam([w], betas=0.9), ValueError, "two numbers.*got 0.9"),
        (lambda w: optim.Adam([{"lr": 0.1}]), ValueError, "must have 'params', got lr"),
        (lambda w: optim.Adam([w]).load_state_dict(None), ValueError, "'state' and 'param_groups', got NoneType"),
        (lambda w: optim.RMSprop([w], alpha=-1), ValueError, "alpha"),
        (lambda w: optim.Adagrad([w], lr_decay=-1), ValueError, "lr_decay"),
        (lambda w: optim.Adam([{"params": [w], "learning_rate": 1}]), ValueError, "no option learning_rate"),
        (lambda w: optim.SGD([w]).step(5), TypeError, "closure must be a function .*, got 5"),
        (lambda w: optim.L2(-1), ValueError, "lam"),
        (lambda w: optim.L2(1)([w.sum(0).detach()]), ValueError, "two or more dimensions"),
    ],
)
def test_wrong_calls(call, error, text):
    with pytest.raises(error, match=text):
        call(parameters((3, 2))[0])


def test_a_state_keeps_numbers_as_numbers_and_pairs_as_pairs_through_json():
    ws = parameters((3, 2))
    optimizer = optim.Adam(ws, betas=(0.8, 0.9))
    walk(optimizer, ws, range(2))
    state = optimizer.state_dict()
    assert type(state["state"][0]["step"]) is int
    optimizer.load_state_dict(state | {"param_groups": json.loads(json.dumps(state["param_groups"]))})
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.9)


def test_an_error_of_an_update_is_not_put_down_to_a_state_that_fits():
    ws = parameters((3, 2))
    optimizer = optim.Adam(ws)
    walk(optimizer, ws, range(1))
    optimizer.param_groups[0]["lr"] = "high"
    with pytest.raises(ValueError, match="^could not convert string to float: 'high'"):
        optimizer.step()


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_a_step_that_fails_is_not_counted(kind, options):
    ws, vs = parameters((3, 2)), parameters((3, 2))
    failing, other = kind(ws, lr=0.1, **options), kind(vs, lr=0.1, **options)
    walk(failing, ws, range(2))
    failing.param_groups[0]["lr"] = "high"
    with pytest.raises(ValueError, match="could not convert"):
        failing.step()
    failing.param_groups[0]["lr"] = 0.1
    walk(other, vs, range(2))
    np.testing.assert_array_equal(walk(failing, ws, range(2, 4)), walk(other, vs, range(2, 4)))
    assert [state.get("step") for state in failing.state.values()] == [
        state.get("step") for state in other.state.values()
    ]


def test_a_state_of_another_model_is_refused():
    ws = parameters((3, 2), (4,))
    optimizer = optim.Adam(ws)
    walk(optimizer, ws, range(1))
    with pytest.raises(ValueError, match=r"\[2\].*\[1\]"):
        optim.Adam(parameters((3, 2))).load_state_dict(optimizer.state_dict())
    other = optim.Adam(parameters((3, 2), (5,)))
    with pytest.raises(ValueError, match=r"\(4,\).*\(5,\)"):
        other.load_state_dict(optimizer.state_dict())
    assert not other.state


def test_the_contract_of_the_kernel_refuses_what_does_not_fit():
    w = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"dws\[0\] must have the shape"):
        kernels.optimizers.sgd_step([w], [w[0]], lr=0.1)
    with pytest.raises(ValueError, match="each of the 1"):
        kernels.optimizers.sgd_step([w], [w, w], lr=0.1)
    with pytest.raises(TypeError, match="float32"):
        kernels.optimizers.sgd_step([w], [w.astype("f4")], lr=0.1)
    with pytest.raises(ValueError, match="needs the velocities"):
        kernels.optimizers.sgd_step([w], [w], lr=0.1, momentum=0.9)
    with pytest.raises(ValueError, match="steps"):
        kernels.optimizers.adam_step([w], [w], [w], [w], [0], lr=0.1)
    with pytest.raises(ValueError, match="empty"):
        kernels.optimizers.sgd_step([], [], lr=0.1)
    np.testing.assert_array_equal(w, np.ones((2, 3)))


def test_options_that_are_no_numbers_are_refused():
    (w,) = parameters((2,))
    for lr, error in (("1e-3", TypeError), (None, TypeError), (float("nan"), ValueError), (-1, ValueError)):
        for optimizer in (optim.SGD, optim.Adam):
            with pytest.raises(error, match=f"lr must.*{lr}"):
                optimizer([w], lr=lr)


def test_a_state_of_something_else_is_refused():
    ws = parameters((2,), (3,))
    adam, sgd = optim.Adam(ws), optim.SGD(ws, lr=0.5)
    with pytest.raises(ValueError, match="'state' and 'param_groups', got x"):
        sgd.load_state_dict({"x": 1})
    with pytest.raises(ValueError, match="no dampening, momentum, nesterov: they are not those of SGD"):
        sgd.load_state_dict(adam.state_dict())
    state = adam.state_dict()
    state["param_groups"][0]["maximize"] = True
    with pytest.raises(ValueError, match="Adam has no maximize"):
        adam.load_state_dict(state)
    state["param_groups"][0]["maximize"] = False  # as PyTorch has it in every group
    adam.load_state_dict(state)
    state["state"][5] = {"step": 1}
    with pytest.raises(ValueError, match="parameter 5"):
        adam.load_state_dict(state)
    state["state"] = {0: {"exp_avg": np.ones(7)}}
    with pytest.raises(ValueError, match=r"exp_avg of parameter 0 has shape \(7,\), the parameter \("):
        adam.load_state_dict(state)
    assert sgd.param_groups[0]["lr"] == 0.5


def test_a_gradient_that_does_not_fit_is_refused_by_name():
    (w,) = parameters((2,))
    for grad in (np.ones(2, "f4"), 5):
        with pytest.raises(TypeError, match="grad must be a Tensor or None, got (ndarray|int)"):
            w.grad = grad
    for grad in (minidl.ones(3), minidl.ones(2, dtype=np.float64)):
        with pytest.raises(ValueError, match=r"grad must be float32 of shape \(2,\) like its tensor, got float"):
            w.grad = grad
    w.grad = minidl.ones(2)
    w.data = minidl.ones(3)
    with pytest.raises(ValueError, match=r"a grad of shape \(2,\) does not fit its parameter, of shape \(3,\)"):
        optim.SGD([w]).step()


def test_weight_decay_of_plain_sgd_is_that_of_the_l2_penalty():
    decayed, penalized = (minidl.tensor([[2.0]], requires_grad=True) for _ in range(2))
    optim_decayed, optim_penalized = optim.SGD([decayed], lr=1, weight_decay=0.1), optim.SGD([penalized], lr=1)
    (decayed * 3).sum().backward()
    ((penalized * 3).sum() + optim.L2(0.1)([penalized])).backward()
    optim_decayed.step()
    optim_penalized.step()
    np.testing.assert_allclose(decayed.numpy(), penalized.numpy(), rtol=1e-6)
    np.testing.assert_allclose(decayed.numpy(), [[-1.2]], rtol=1e-6)


@pytest.mark.parametrize("optimizer, options", [case for case in ALL if case != (optim.SGD, {})])
def test_a_model_converted_after_its_first_step_is_named_and_so_is_what_to_do(optimizer, options):
    model = nn.Linear(2, 3)
    stepper = optimizer(model.parameters(), lr=0.1, **options)
    model(minidl.ones(4, 2)).sum().backward()
    stepper.step()
    model.double()
    with pytest.raises(ValueError, match=r"parameter 0 is float64 of shape \(3, 2\) on cpu.*load_state_dict"):
        stepper.step()
    stepper.load_state_dict(stepper.state_dict())
    stepper.step()
    assert all(value.dtype == np.float64 for value in stepper.state[model.weight].values() if hasattr(value, "dtype"))


def test_a_misspelt_option_is_told():
    for name, meant in (("weigth_decay", "weight_decay"), ("beta", "betas")):
        with pytest.raises(ValueError, match=rf"Adam has no option {name}; did you mean {meant}\?"):
            optim.Adam([{"params": [minidl.ones(1, requires_grad=True)], name: 0.1}])
    optimizer = optim.Adam([{"params": [minidl.ones(1, requires_grad=True)], "weight_decay_mult": 0.5, "lr_mult": 2}])
    assert optimizer.param_groups[0]["weight_decay_mult"] == 0.5
