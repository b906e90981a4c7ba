"""Schedules without an oracle: starting, going on, resuming, meeting another."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import minidl
from minidl import optim
from minidl.optim import lr_scheduler


def sgd(*lrs):
    groups = [{"params": [minidl.Tensor(np.zeros(1), requires_grad=True)], "lr": lr} for lr in lrs]
    return optim.SGD(groups)


def sequence(optimizer, *schedulers, milestones):
    return lr_scheduler.SequentialLR(optimizer, list(schedulers), milestones)


ALL = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [7, 2, 4, 4], 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 8, 0.01),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.25, 0.75, 6),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, [1.0, 2.0], total_steps=20),
    "SequentialLR": lambda o: sequence(o, lr_scheduler.LinearLR(o), lr_scheduler.StepLR(o, 2), milestones=[4]),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, cooldown=1),
}


def advance(schedule, t):
    schedule.step(*([abs(math.sin(t))] if isinstance(schedule, lr_scheduler.ReduceLROnPlateau) else []))


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_resumes_from_its_state(name):
    optimizer = sgd(1.0, 0.1)
    schedule = ALL[name](optimizer)
    for t in range(5):
        advance(schedule, t)
    other_optimizer = sgd(5.0, 5.0)
    resumed = ALL[name](other_optimizer)
    other_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    assert resumed.last_epoch == schedule.last_epoch == 5
    for t in range(5, 12):
        advance(schedule, t)
        advance(resumed, t)
        assert resumed.get_last_lr() == schedule.get_last_lr()
        assert [group["lr"] for group in other_optimizer.param_groups] == schedule.get_last_lr()


def test_a_state_is_a_copy():
    schedule = ALL["StepLR"](sgd(1.0))
    state = schedule.state_dict()
    kept = json.dumps(state)
    for t in range(5):
        advance(schedule, t)
    assert json.dumps(state) == kept


def test_two_schedules_multiply():
    optimizer = sgd(1.0)
    warm_up = lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    decay = lr_scheduler.ExponentialLR(optimizer, 0.9)
    for t in range(1, 10):
        warm_up.step()
        decay.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx((0.5 + 0.5 * min(t / 4, 1)) * 0.9**t)


def test_a_rate_changed_by_hand_is_what_goes_on():
    optimizer = sgd(1.0)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.param_groups[0]["lr"] = 8.0
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 4.0


def test_going_on_needs_the_initial_rate():
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(sgd(1.0), 2, last_epoch=4)
    optimizer = sgd(0.5)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    schedule = lr_scheduler.StepLR(optimizer, 2, 0.5, last_epoch=3)
    assert (schedule.last_epoch, schedule.get_last_lr()) == (4, [0.25])


def test_plateau_in_max_mode_with_a_floor():
    optimizer = sgd(1.0, 0.4)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, "max", 0.5, patience=0, min_lr=[0.1, 0.3])
    for accuracy in (0.5, 0.6, 0.6, minidl.Tensor(np.array(0.6)), 0.6, 0.6):
        schedule.step(accuracy)
    assert schedule.get_last_lr() == [0.1, 0.3]


def test_a_plateau_that_starts_again_forgets_all_that_it_saw():
    """Measures worse than the best of before, in the middle of bad epochs: the course is that of a new schedule."""
    schedule = lr_scheduler.ReduceLROnPlateau(sgd(1.0, 0.5), factor=0.5, patience=1, cooldown=2)

    def course(measures):
        rates = []
        for measure in measures:
            schedule.step(measure)
            rates.append(schedule.get_last_lr())
        return rates

    first = course([3.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    assert first[-1] == [0.5, 0.25]
    course([1.0, 2.0])
    schedule.restart()
    assert (schedule.get_last_lr(), schedule.last_epoch) == ([1.0, 0.5], 0)
    assert course([3.0, 4.0, 4.0, 4.0, 4.0, 4.0]) == first


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda o: lr_scheduler.StepLR(3, 2), TypeError, "Optimizer, got int"),
        (lambda o: lr_scheduler.StepLR(o, 0), ValueError, "step_size"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 0), ValueError, "T_max"),
        (lambda o: lr_scheduler.LinearLR(o, 0.0), ValueError, "start_factor"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "each of 1 groups, got 2"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ValueError, "'least'"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor"),
        (lambda o: lr_scheduler.StepLR(o, 2).load_state_dict({"best": 1}), ValueError, "best"),
    ],
)
def test_wrong_calls(call, error, text):
    with pytest.raises(error, match=text):
        call(sgd(1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "total_steps, or both epochs and steps_per_epoch"),
        ({"epochs": 3}, "total_steps, or both epochs and steps_per_epoch"),
        ({"total_steps": 0}, "total_steps must be at least 1, got 0"),
        ({"total_steps": 5, "pct_start": 1.5}, "pct_start must be from 0 to 1, got 1.5"),
        ({"total_steps": 5, "anneal_strategy": "exp"}, "'cos' or 'linear', got 'exp'"),
        ({"total_steps": 5, "max_lr": [1.0, 1.0]}, "one value for each of 1 groups, got 2"),
    ],
)
def test_one_cycle_names_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        lr_scheduler.OneCycleLR(sgd(1.0), **{"max_lr": 1.0} | options)


def test_one_cycle_ends_and_wants_a_momentum():
    schedule = lr_scheduler.OneCycleLR(sgd(1.0), 1.0, total_steps=3)
    rates = [schedule.get_last_lr()]
    for _ in range(3):  # a step after every batch, as training loops have it
        schedule.step()
        rates.append(schedule.get_last_lr())
    assert rates[3] == rates[2] < rates[1]
    with pytest.raises(ValueError, match="no step after total_steps, 3"):
        schedule.step()
    adagrad = optim.Adagrad([minidl.Tensor(np.zeros(1), requires_grad=True)])
    with pytest.raises(ValueError, match="Adagrad has no momentum"):
        lr_scheduler.OneCycleLR(adagrad, 1.0, total_steps=3)


def test_a_sequence_takes_formulas_of_its_own_optimizer():
    optimizer = sgd(1.0)
    step, cycle = lr_scheduler.StepLR(optimizer, 2), lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=9)
    for other in (lr_scheduler.ReduceLROnPlateau(optimizer), cycle):
        with pytest.raises(TypeError, match=f"schedulers must hold formulas.*{type(other).__name__}"):
            sequence(optimizer, step, other, milestones=[3])
    with pytest.raises(ValueError, match="schedulers must be of the given optimizer, StepLR has another"):
        sequence(sgd(1.0), step, milestones=[])
    for count, milestones in ((2, []), (2, [3, 4]), (3, [5, 3])):
        with pytest.raises(ValueError, match=f"milestones must rise, and be one less than the {count} schedulers"):
            sequence(optimizer, *[step] * count, milestones=milestones)
