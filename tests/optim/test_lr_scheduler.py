"""Schedules without an oracle: starting, going on, resuming, meeting another."""

from __future__ import annotations

import copy
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


FORMULAS = {
    "StepLR": lambda o, **options: lr_scheduler.StepLR(o, 3, 0.5, **options),
    "MultiStepLR": lambda o, **options: lr_scheduler.MultiStepLR(o, [7, 2, 4, 4], 0.5, **options),
    "ExponentialLR": lambda o, **options: lr_scheduler.ExponentialLR(o, 0.9, **options),
    "CosineAnnealingLR": lambda o, **options: lr_scheduler.CosineAnnealingLR(o, 8, 0.01, **options),
    "LinearLR": lambda o, **options: lr_scheduler.LinearLR(o, 0.25, 0.75, 6, **options),
    "ConstantLR": lambda o, **options: lr_scheduler.ConstantLR(o, 0.5, 4, **options),
    "PolynomialLR": lambda o, **options: lr_scheduler.PolynomialLR(o, 20, 2.0, **options),
    "MultiplicativeLR": lambda o, **options: lr_scheduler.MultiplicativeLR(o, lambda t: t / (t + 1), **options),
    "CosineAnnealingWarmRestarts": lambda o, **options: lr_scheduler.CosineAnnealingWarmRestarts(
        o, 3, 2, 0.01, **options
    ),
    "LambdaLR": lambda o, **options: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t), **options),
}
ALL = {
    **FORMULAS,
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, [1.0, 2.0], total_steps=20),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, step_size_up=3, step_size_down=2),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 2)]
    ),
    "SequentialLR": lambda o: sequence(o, lr_scheduler.LinearLR(o), lr_scheduler.StepLR(o, 2), milestones=[4]),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, cooldown=1),
}


WRONG = [
    (lambda o: lr_scheduler.ConstantLR(o, factor=2.0), ValueError, r"factor must be from 0 to 1, got 2\.0"),
    (lambda o: lr_scheduler.PolynomialLR(o, total_iters=0), ValueError, "total_iters must be at least 1, got 0"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0 must be an integer from 1 up, got 0"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 1.5), ValueError, r"T_mult must .*, got 1\.5"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2).step(-1), ValueError, "must not be negative, got -1"),
    (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, mode="saw"), ValueError, "or 'exp_range', got 'saw'"),
    (
        lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, scale_mode="step"),
        ValueError,
        "'cycle' or 'iterations', got 'step'",
    ),
    (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, step_size_up=0), ValueError, "at least 1, got 0 and 0"),
    (lambda o: lr_scheduler.CyclicLR(o, [0.1, 0.2], 1.0), ValueError, "base_lr must have one value for each of 1"),
    (lambda o: lr_scheduler.CyclicLR(optim.Adagrad(o.param_groups[0]["params"]), 0.1, 1.0), ValueError, "no momentum"),
    (lambda o: lr_scheduler.MultiStepLR(o, 5), TypeError, r"milestones must be a list .*, got 5; write \[5\]"),
    (lambda o: sequence(o, lr_scheduler.StepLR(o, 1), milestones=5), TypeError, "milestones must be a list .*, got 5"),
    (lambda o: lr_scheduler.LambdaLR(o, 0.5), TypeError, r"lr_lambda must be a function .*, got 0\.5"),
    (lambda o: lr_scheduler.MultiplicativeLR(o, [0.5]), TypeError, r"lr_lambda must be a function .*, got 0\.5"),
    (lambda o: lr_scheduler.ChainedScheduler([]), ValueError, "at least one scheduler"),
    (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]), TypeError, "got ReduceLROnPlateau"),
    (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(o, 1)], sgd(1.0)), ValueError, "StepLR has another"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_what_no_schedule_takes(call, error, message):
    with pytest.raises(error, match=message):
        call(sgd(1.0))


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


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_that_restarts_has_the_same_rates_again(name):
    optimizer = sgd(1.0, 0.1)
    schedule = ALL[name](optimizer)

    def rates():
        found = [schedule.get_last_lr()]
        for t in range(5):
            advance(schedule, t)
            found.append(schedule.get_last_lr())
        return found

    first = rates()
    schedule.restart()
    assert rates() == [pytest.approx(lrs) for lrs in first]


@pytest.mark.parametrize("schedule_first", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_resumed_rates_are_right_at_once(name, schedule_first):
    optimizer = sgd(1.0, 0.1)
    schedule = ALL[name](optimizer)
    for t in range(3):
        advance(schedule, t)
    optimizer.param_groups[1]["lr"] *= 0.5  # by hand
    saved, schedule_saved = copy.deepcopy(optimizer.state_dict()), json.loads(json.dumps(schedule.state_dict()))
    other = sgd(5.0, 5.0)
    if schedule_first:
        resumed = ALL[name](other)
        resumed.load_state_dict(schedule_saved)
        other.load_state_dict(saved)
    else:
        other.load_state_dict(saved)
        resumed = ALL[name](other)  # sets the rates of epoch 0
        resumed.load_state_dict(schedule_saved)
    for t in range(3, 9):
        for group, expected in zip(other.param_groups, optimizer.param_groups, strict=True):
            assert (group["lr"], group["momentum"]) == (expected["lr"], expected["momentum"])
        advance(schedule, t)
        advance(resumed, t)


@pytest.mark.parametrize("saved_after_step", [True, False])
@pytest.mark.parametrize("name", FORMULAS)
def test_going_on_after_an_epoch(name, saved_after_step):
    optimizer = sgd(1.0, 0.1)
    schedule = FORMULAS[name](optimizer)
    schedule.step()
    schedule.step()  # epochs 0 and 1 are done
    saved = copy.deepcopy(optimizer.state_dict())
    schedule.step()  # and epoch 2
    if saved_after_step:
        saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        group["lr"] *= 1 + 1e-14  # as a formula that is written otherwise rounds it
    other = sgd(5.0, 5.0)
    other.load_state_dict(saved)
    resumed = FORMULAS[name](other, last_epoch=2)
    for _ in range(6):
        rates = [[group["lr"] for group in o.param_groups] for o in (other, optimizer)]
        assert rates[0] == pytest.approx(rates[1])
        schedule.step()
        resumed.step()


def test_a_rate_that_fell_to_0_and_was_set_by_hand_joins_again():
    optimizer = sgd(1.0)
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=1)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0
    optimizer.param_groups[0]["lr"] = 0.5
    schedule.step()
    assert schedule.get_last_lr() == [1.0]


def test_a_plateau_starts_again_from_the_rate_before_all_schedules():
    optimizer = sgd(1.0)
    lr_scheduler.ExponentialLR(optimizer, 0.5).step()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer)
    assert schedule.get_last_lr() == [0.5]
    schedule.restart()
    assert schedule.get_last_lr() == [1.0]


@pytest.mark.parametrize("name", [name for name in ALL if name != "OneCycleLR"])
def test_a_group_that_is_added_joins(name):
    optimizer, both = sgd(1.0), sgd(1.0, 0.1)
    schedule, expected = ALL[name](optimizer), ALL[name](both)
    optimizer.add_param_group({"params": [minidl.ones(1, requires_grad=True)], "lr": both.param_groups[1]["lr"],
                               "initial_lr": 0.1})  # fmt: skip
    for t in range(8):
        advance(schedule, t)
        advance(expected, t)
        assert [group["lr"] for group in optimizer.param_groups] == [group["lr"] for group in both.param_groups]
    assert schedule.get_last_lr() == expected.get_last_lr()


def test_a_group_is_added_where_each_has_a_value_of_its_own():
    optimizer = sgd(1.0, 1.0)
    schedules = [
        lr_scheduler.OneCycleLR(optimizer, [1.0, 2.0], total_steps=5),
        lr_scheduler.LambdaLR(optimizer, [lambda t: 1.0, lambda t: 2.0]),
        lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0, 0.1]),
    ]
    optimizer.add_param_group({"params": [minidl.ones(1, requires_grad=True)]})
    for schedule in schedules:
        with pytest.raises(ValueError, match="group 2 was added .* for 2 groups"):
            for _ in range(4):
                advance(schedule, 0)


def test_a_schedule_written_for_pytorch():
    class WarmUp(lr_scheduler.LRScheduler):
        def __init__(self, optimizer, steps):
            self.steps = steps
            super().__init__(optimizer)

        def get_lr(self):
            return [base_lr * min(1, (self.last_epoch + 1) / self.steps) for base_lr in self.base_lrs]

    optimizer = sgd(1.0, 0.5)
    schedule = WarmUp(optimizer, 4)
    for expected in ([0.25, 0.125], [0.5, 0.25], [0.75, 0.375], [1.0, 0.5], [1.0, 0.5]):
        assert [group["lr"] for group in optimizer.param_groups] == expected == schedule.get_last_lr()
        schedule.step()
    with pytest.raises(TypeError, match="formulas of the epoch alone, got WarmUp"):
        sequence(optimizer, schedule, milestones=[])


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


@pytest.mark.parametrize(
    ("mode", "options", "better", "no_better"),
    [
        ("min", {"threshold": 0.1}, 8.9, 9.1),
        ("max", {"threshold": 0.1}, 11.1, 10.9),
        ("min", {"threshold": 0.5, "threshold_mode": "abs"}, 9.4, 9.6),
        ("max", {"threshold": 0.5, "threshold_mode": "abs"}, 10.6, 10.4),
    ],
)
def test_how_much_better_than_the_best_a_plateau_wants(mode, options, better, no_better):
    for second, rates in ((better, [1.0]), (no_better, [0.5])):
        schedule = lr_scheduler.ReduceLROnPlateau(sgd(1.0), mode, 0.5, patience=0, **options)
        schedule.step(10.0)
        schedule.step(second)
        assert schedule.get_last_lr() == rates


def test_warm_restarts_that_start_again_forget_the_part_of_an_epoch():
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(sgd(1.0), T_0=2)
    schedule.step(2.5)
    schedule.restart()
    assert (schedule.get_last_lr(), schedule.last_epoch) == ([1.0], 0)
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([0.5])


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
        (lambda o: lr_scheduler.LinearLR(o, end_factor=1.5), ValueError, "end_factor .* and 1.5"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "each of 1 groups, got 2"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ValueError, "'least'"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, threshold_mode="both"), ValueError, "'both'"),
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
        ({"steps_per_epoch": 3}, "total_steps, or both epochs and steps_per_epoch"),
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


def test_one_cycle_in_straight_lines():
    optimizer = sgd(1.0)
    schedule = lr_scheduler.OneCycleLR(
        optimizer, 1.0, epochs=2, steps_per_epoch=3, pct_start=0.5, anneal_strategy="linear", div_factor=5.0,
        final_div_factor=2.0,
    )  # fmt: skip
    found = [(schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"])]
    for _ in range(5):
        schedule.step()
        found.append((schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"]))
    rates, momenta = zip(*found)
    assert rates == pytest.approx([0.2, 0.6, 1.0, 0.7, 0.4, 0.1])
    assert momenta == pytest.approx([0.95, 0.9, 0.85, 0.85 + 0.1 / 3, 0.85 + 0.2 / 3, 0.95])


def test_one_cycle_that_rises_in_one_step_starts_at_the_peak():
    assert lr_scheduler.OneCycleLR(sgd(1.0), 2.0, total_steps=4, pct_start=0.25).get_last_lr() == [2.0]


def test_one_cycle_leaves_an_optimizer_without_momentum_alone():
    adagrad = optim.Adagrad([minidl.ones(1, requires_grad=True)])
    schedule = lr_scheduler.OneCycleLR(adagrad, 1.0, total_steps=3, cycle_momentum=False)
    schedule.step()
    assert "momentum" not in adagrad.param_groups[0]


def test_a_rate_may_fall_to_nothing_and_stays_there():
    schedule = lr_scheduler.LinearLR(sgd(1.0), 1.0, 0.0, total_iters=2)
    assert [schedule.step() or schedule.get_last_lr() for _ in range(3)] == [[0.5], [0.0], [0.0]]


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
