"""Every implementation of kernels.optimizers that can serve here, against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import kernels, nn, optim
from tests.kernels.common import assert_threads_change_no_bit

BACKENDS = [
    row.backend
    for row in kernels.table()
    if row.kernel == "optimizers" and row.available and row.backend != "reference"
]
pytestmark = pytest.mark.skipif(not BACKENDS, reason="the reference is the only implementation here")

SHAPES = [(), (1,), (0,), (7,), (3, 5), (16, 16), (2, 3, 3, 3), (70, 70), (20000,)]
# name, number of lists that remember, whether the step's number counts, options
CASES = [
    ("sgd", 0, False, {"weight_decay": 0.1}),
    ("sgd", 1, False, {"momentum": 0.9, "weight_decay": 0.1}),
    ("sgd", 1, False, {"momentum": 0.9, "dampening": 0.4}),
    ("sgd", 1, False, {"momentum": 0.9, "nesterov": True}),
    ("adam", 2, True, {}),
    ("adam", 2, True, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    ("adam", 2, True, {"weight_decay": 0.1, "decoupled": True}),
    ("adam", 3, True, {"beta2": 0.5}),
    ("rmsprop", 1, False, {"alpha": 0.9}),
    ("rmsprop", 2, False, {"alpha": 0.9, "weight_decay": 0.1}),
    ("rmsprop", 3, False, {"momentum": 0.9, "eps": 1e-3}),
    ("rmsprop", 4, False, {"momentum": 0.9}),
    ("adagrad", 1, True, {"lr_decay": 0.1, "weight_decay": 0.1}),
]


def arrays(shapes, lists, dtype, seed):
    """ws, dws and what is remembered; means of squares are positive and larger than the squares of the means."""
    random = np.random.default_rng(seed)
    signed = [[np.asarray(random.normal(size=shape), dtype) for shape in shapes] for _ in range(2)]
    return [*signed, *([np.asarray(random.uniform(0.3, 0.5, shape), dtype) for shape in shapes] for _ in range(lists))]


def step(backend, case, lists, times=2):
    name, remembered, counts, options = case
    if name == "rmsprop":  # v; v and g; v and b; v, g and b
        places = {1: (0,), 2: (0, 1), 3: (0, 2), 4: (0, 1, 2)}[remembered]
        memory = [lists[2 + i] if i in places else None for i in range(3)]
    else:
        memory = lists[2:]
    with kernels.use_backend(backend, strict=True):
        for t in range(times):
            steps = [[t + 1 + i % 3 for i in range(len(lists[0]))]] if counts else []
            arguments = *lists[:2], *memory[:2], *steps, *memory[2:]
            getattr(kernels.optimizers, name + "_step")(*arguments, lr=0.01, **options)


def copies(lists):
    return [[array.copy() for array in part] for part in lists]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=15, deadline=None)
@given(
    shapes=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6),
    dtype=st.sampled_from(["f4", "f8"]),
    seed=st.integers(0, 9),
)
def test_same_numbers(backend, case, shapes, dtype, seed):
    lists = arrays(shapes, min(case[1], 3), dtype, seed)
    expected, gradients = copies(lists), copies(lists)[1]
    step("reference", case, expected)
    step(backend, case, lists)
    for found, reference in zip(lists, expected):
        for array, other in zip(found, reference):
            tolerance = 3e-6 if dtype == "f4" else 1e-14
            np.testing.assert_allclose(array, other, rtol=tolerance, atol=tolerance)
    for dw, before in zip(lists[1], gradients):
        np.testing.assert_array_equal(dw, before)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_memory_order(backend, case):
    lists = arrays([(6, 4), (5, 3)], min(case[1], 3), "f8", 0)
    expected = copies(lists)
    step("reference", case, expected)
    odd = [[np.asfortranarray(part[0]), np.repeat(part[1], 2, axis=1)[:, ::2]] for part in lists]
    for dw in odd[1]:
        dw.flags.writeable = False
    step(backend, case, odd)
    for found, reference in zip(odd, expected):
        for array, other in zip(found, reference):
            np.testing.assert_allclose(array, other, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_number_of_threads_gives_the_same_bits(backend, case):
    lists = arrays([(300, 301), (17,), (40, 999)], min(case[1], 3), "f4", 1)

    def after_a_step():
        stepped = copies(lists)
        step(backend, case, stepped)
        return [array for part in stepped for array in part]

    assert_threads_change_no_bit(after_a_step)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_can_not_be_written_is_an_error(backend):
    w = np.ones(5)
    w.flags.writeable = False
    with kernels.use_backend(backend, strict=True), pytest.raises(ValueError, match="read-only"):
        kernels.optimizers.sgd_step([w], [np.ones(5)], lr=0.1)


@pytest.mark.skipif(kernels.memory.buffers() is None, reason="memory is NumPy's here")
def test_parameters_and_states_begin_at_a_cache_line():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5, 7))
    optimizers = [
        optim.SGD(model.parameters(), momentum=0.9), optim.Adam(model.parameters(), amsgrad=True),
        optim.RMSprop(model.parameters(), momentum=0.9), optim.Adagrad(model.parameters()),
    ]  # fmt: skip
    model(minidl.ones(2, 3, 3, 3)).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    for optimizer in optimizers:
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
    arrays = [parameter.data for parameter in model.parameters()]
    for optimizer in optimizers:
        arrays += [
            value.data for state in optimizer.state.values() for value in state.values() if hasattr(value, "data")
        ]
    assert len(arrays) == 6 * (1 + 1 + 3 + 2 + 1)
    assert [x.shape for x in arrays if x.__array_interface__["data"][0] % 64] == []
