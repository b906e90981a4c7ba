"""Optimizers that are written as for PyTorch: a step of their own, and a state for each parameter."""

from __future__ import annotations

import numpy as np

import minidl
from minidl import optim


class Lion(optim.Optimizer):
    """Its state holds arrays, and is filled when a parameter is first seen."""

    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr, betas=(0.9, 0.99)))

    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = minidl.zeros_like(p).data
                with minidl.no_grad():
                    p.sub_(
                        group["lr"]
                        * group.get("lr_scale", 1.0)
                        * (beta1 * state["exp_avg"] + (1 - beta1) * p.grad).sign()
                    )
                state["exp_avg"] = beta2 * state["exp_avg"] + (1 - beta2) * p.grad.data


def test_groups_with_entries_of_their_own():
    w, v = (minidl.tensor([1.0, -1.0], requires_grad=True) for _ in range(2))
    optimizer = Lion(
        [{"params": [w], "name": "body", "lr_scale": 0.5}, {"params": [v], "name": "head"}],
        lr=0.1,
    )
    (w * w + v * v).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(w.numpy(), [0.95, -0.95])
    np.testing.assert_allclose(v.numpy(), [0.9, -0.9])
    state = optimizer.state_dict()
    assert [group["name"] for group in state["param_groups"]] == ["body", "head"]
    optimizer.param_groups[0]["lr_scale"] = 9.0
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr_scale"] == 0.5
    np.testing.assert_allclose(optimizer.state[w]["exp_avg"], [0.02, -0.02], rtol=1e-6)


class Factored(optim.Optimizer):
    """Its state holds Tensors, of which two have another shape than the parameter, and a number."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, dict(lr=lr))

    @minidl.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state.update(step=0, scale=1.0, mean=minidl.zeros_like(p), row=minidl.zeros(len(p), dtype=p.dtype))
                    state["seen"] = minidl.zeros(3, dtype="int64")
                state["step"] += 1
                state["scale"] *= 0.9
                state["seen"].add_(1)
                state["mean"].mul_(0.9).add_(p.grad, alpha=0.1)
                state["row"].lerp_(p.grad.square().mean(1), 0.5)
                p.addcdiv_(state["mean"], state["row"].sqrt().unsqueeze(1), value=-group["lr"] * state["scale"])


def test_a_state_of_any_shape_is_saved_and_restored():
    def walked(optimizer, w, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (w * w * w).sum().backward()
            optimizer.step()

    start = np.arange(1.0, 7.0).reshape(2, 3)
    w = minidl.tensor(start, requires_grad=True)
    optimizer = Factored([w])
    walked(optimizer, w, 2)
    v = w.detach().clone().requires_grad_()
    resumed = Factored([v], lr=5.0)
    resumed.load_state_dict(optimizer.state_dict())
    walked(optimizer, w, 2)
    walked(resumed, v, 2)
    np.testing.assert_array_equal(v.numpy(), w.numpy())
    assert not np.allclose(w.numpy(), start)
    assert resumed.state[v]["seen"].tolist() == [4, 4, 4] and resumed.state[v]["seen"].dtype == np.int64
