"""Schedules beside PyTorch's, over 30 epochs."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import optim

torch = pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

ALL = [
    ("StepLR", (7,), {}),
    ("StepLR", (3,), {"gamma": 0.7}),
    ("MultiStepLR", ([4, 9, 9, 20],), {"gamma": 0.3}),
    ("ExponentialLR", (0.9,), {}),
    ("CosineAnnealingLR", (30,), {}),
    ("CosineAnnealingLR", (8,), {"eta_min": 0.01}),
    ("LinearLR", (), {}),
    ("LinearLR", (), {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 12}),
    ("ConstantLR", (), {}),
    ("ConstantLR", (), {"factor": 0.5, "total_iters": 12}),
    ("PolynomialLR", (), {}),
    ("PolynomialLR", (20,), {"power": 0.9}),
    ("MultiplicativeLR", (lambda t: 0.9 if t < 20 else 1.01,), {}),
    ("MultiplicativeLR", ([lambda t: 1.0, lambda t: 0.5],), {}),
    ("CosineAnnealingWarmRestarts", (7,), {}),
    ("CosineAnnealingWarmRestarts", (3,), {"T_mult": 2, "eta_min": 0.01}),
    ("LambdaLR", (lambda t: 0.95**t / (1 + t),), {}),
    ("LambdaLR", ([lambda t: 1.0, lambda t: 0.5**t],), {}),
]
MEASURES = np.random.default_rng(0).normal(size=30).cumsum()
PLATEAUS = [
    {"patience": 2},
    {"mode": "max", "patience": 1, "factor": 0.5, "cooldown": 3},
    {"patience": 0, "threshold": 0.5, "threshold_mode": "abs", "factor": 0.3, "min_lr": 0.01},
    {"patience": 0, "threshold": 0.3, "mode": "max", "factor": 0.8, "eps": 0.02},
    {"patience": 1, "threshold": 0.2, "threshold_mode": "abs", "mode": "max", "min_lr": [0.1, 0.02]},
]


def both():
    w = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    v = minidl.tensor([0.0], requires_grad=True), minidl.tensor([0.0], requires_grad=True)
    theirs = torch.optim.SGD([{"params": [w[0]]}, {"params": [w[1]], "lr": 0.05}], lr=0.8)
    return theirs, optim.SGD([{"params": [v[0]]}, {"params": [v[1]], "lr": 0.05}], lr=0.8)


def assert_same_course(theirs, ours, optimizers, arguments):
    for argument in arguments:
        for optimizer, schedule in zip(optimizers, (theirs, ours)):
            optimizer.step()
            schedule.step(*argument)
        expected, found = ([group["lr"] for group in optimizer.param_groups] for optimizer in optimizers)
        assert found == pytest.approx(expected, rel=1e-9)
        assert ours.get_last_lr() == found
        assert ours.last_epoch == theirs.last_epoch


@pytest.mark.parametrize(("kind", "arguments", "options"), ALL, ids=lambda x: str(x).split("<")[0][:40])
def test_schedules(kind, arguments, options):
    optimizers = both()
    theirs = getattr(torch.optim.lr_scheduler, kind)(optimizers[0], *arguments, **options)
    ours = getattr(optim.lr_scheduler, kind)(optimizers[1], *arguments, **options)
    assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr())
    assert_same_course(theirs, ours, optimizers, [()] * 30)


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateau(options):
    optimizers = both()
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizers[0], **options)
    ours = optim.lr_scheduler.ReduceLROnPlateau(optimizers[1], **options)
    assert_same_course(theirs, ours, optimizers, [(float(measure),) for measure in MEASURES])


@pytest.mark.parametrize(
    "parts, milestones",
    [
        ([("LinearLR", {"start_factor": 0.1, "total_iters": 5}), ("CosineAnnealingLR", {"T_max": 20})], [5]),
        (
            [
                ("LambdaLR", {"lr_lambda": lambda t: (t + 1) / 4}),
                ("ExponentialLR", {"gamma": 0.9}),
                ("MultiStepLR", {"milestones": [2, 5]}),
            ],
            [3, 12],
        ),
        ([("StepLR", {"step_size": 2}), ("LinearLR", {})], [40]),
        ([("ExponentialLR", {"gamma": 0.5})], []),
        ([("ConstantLR", {"factor": 0.1}), ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2})], [5]),
    ],
    ids=lambda value: "-".join(str(part[0] if isinstance(part, tuple) else part) for part in value),
)
def test_one_after_the_other(parts, milestones):
    optimizers = both()
    theirs, ours = (
        module.SequentialLR(o, [getattr(module, kind)(o, **options) for kind, options in parts], milestones)
        for module, o in zip((torch.optim.lr_scheduler, optim.lr_scheduler), optimizers)
    )
    assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr())
    assert_same_course(theirs, ours, optimizers, [()] * 30)


def state_of(group):
    return [group["lr"], *group.get("betas", (group.get("momentum"),))]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(
    "options",
    [
        {"max_lr": 0.3, "total_steps": 31},
        {"max_lr": [0.3, 0.02], "epochs": 4, "steps_per_epoch": 10, "anneal_strategy": "linear"},
        {"max_lr": 1.0, "total_steps": 50, "pct_start": 0.1, "div_factor": 10.0, "final_div_factor": 100.0},
        {"max_lr": 1.0, "total_steps": 40, "base_momentum": 0.5, "max_momentum": 0.99},
        {"max_lr": 1.0, "total_steps": 40, "cycle_momentum": False},
        {"max_lr": 1.0, "total_steps": 40, "pct_start": 0.0},
        {"max_lr": 1.0, "total_steps": 31, "pct_start": 1.0},
    ],
    ids=str,
)
def test_one_cycle(kind, options):
    optimizers = [
        getattr(library, kind)([{"params": [zeros(1)]}, {"params": [zeros(1)], "lr": 0.05}], lr=0.8)
        for library, zeros in ((torch.optim, torch.zeros), (optim, minidl.zeros))
    ]
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizers[0], **options)
    ours = optim.lr_scheduler.OneCycleLR(optimizers[1], **options)
    for _ in range(31):
        expected, found = ([state_of(group) for group in optimizer.param_groups] for optimizer in optimizers)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
        if ours.last_epoch == 30:
            break
        for optimizer, schedule in zip(optimizers, (theirs, ours)):
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(
    "options",
    [
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4},
        {"base_lr": [0.1, 0.01], "max_lr": [0.3, 0.02], "step_size_up": 3, "step_size_down": 5, "mode": "triangular2"},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4, "scale_fn": lambda k: 0.5**k},
        {
            "base_lr": 0.1,
            "max_lr": 0.5,
            "step_size_up": 4,
            "scale_fn": lambda t: 1 / (1 + t),
            "scale_mode": "iterations",
        },
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4, "cycle_momentum": False},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4, "base_momentum": 0.5, "max_momentum": 0.99},
    ],
    ids=lambda options: "-".join(options),
)
def test_cycles(kind, options):
    optimizers = [
        getattr(library, kind)([{"params": [zeros(1)]}, {"params": [zeros(1)], "lr": 0.05}], lr=0.8)
        for library, zeros in ((torch.optim, torch.zeros), (optim, minidl.zeros))
    ]
    theirs = torch.optim.lr_scheduler.CyclicLR(optimizers[0], **options)
    ours = optim.lr_scheduler.CyclicLR(optimizers[1], **options)
    for _ in range(30):
        expected, found = ([state_of(group) for group in optimizer.param_groups] for optimizer in optimizers)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
        for optimizer, schedule in zip(optimizers, (theirs, ours)):
            optimizer.step()
            schedule.step()


def test_several_at_once():
    optimizers = both()
    theirs, ours = (
        module.ChainedScheduler([module.ConstantLR(o, 0.1, 4), module.ExponentialLR(o, 0.9), module.StepLR(o, 7)])
        for module, o in zip((torch.optim.lr_scheduler, optim.lr_scheduler), optimizers)
    )
    for _ in range(30):
        for optimizer, schedule in zip(optimizers, (theirs, ours)):
            optimizer.step()
            schedule.step()
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9)


def test_restarts_between_two_epochs():
    optimizers = both()
    theirs, ours = (
        module.CosineAnnealingWarmRestarts(o, 3, 2)
        for module, o in zip((torch.optim.lr_scheduler, optim.lr_scheduler), optimizers)
    )
    epochs = [(epoch + batch / 4,) for epoch in range(10) for batch in range(4)] + [()] * 9
    assert_same_course(theirs, ours, optimizers, epochs)


@pytest.mark.parametrize("optimizer_first", [True, False])
@pytest.mark.parametrize(
    ("kind", "arguments", "options"),
    [
        *ALL,
        *(("ReduceLROnPlateau", (), options) for options in PLATEAUS),
        ("OneCycleLR", (0.9,), {"total_steps": 31, "cycle_momentum": False}),
        ("CyclicLR", (0.1, 0.9), {"step_size_up": 4, "mode": "triangular2", "cycle_momentum": False}),
    ],
)
def test_a_run_of_pytorch_goes_on(kind, arguments, options, optimizer_first, tmp_path):
    measures = [(measure,) if kind == "ReduceLROnPlateau" else () for measure in MEASURES]
    their_optimizer, our_optimizer = both()
    theirs = getattr(torch.optim.lr_scheduler, kind)(their_optimizer, *arguments, **options)
    for measure in measures[:11]:
        their_optimizer.step()
        theirs.step(*measure)
    states = {"optimizer": their_optimizer.state_dict(), "schedule": theirs.state_dict()}
    torch.save(states, tmp_path / "run.pth")
    states = minidl.load(tmp_path / "run.pth")
    if optimizer_first:
        our_optimizer.load_state_dict(states["optimizer"])
    ours = getattr(optim.lr_scheduler, kind)(our_optimizer, *arguments, **options)
    ours.load_state_dict(states["schedule"])
    if not optimizer_first:
        our_optimizer.load_state_dict(states["optimizer"])
    assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12)
    assert_same_course(theirs, ours, (their_optimizer, our_optimizer), measures[11:])
