"""Optimizer steps against their reference: several steps, over lists of arrays of very different sizes."""

from __future__ import annotations

import numpy as np
import pytest

from minidl.kernels import cuda
from minidl.kernels import optimizers as contracts
from minidl.kernels.optimizers import cuda_gpu as optimizers
from minidl.kernels.optimizers import reference
from tests.cuda_emulator import EmulatedRuntime

pytestmark = pytest.mark.cuda

SHAPES = [(3, 5), (), (1000, 9), (256,), (2, 3, 3, 3), (0, 4)]
# name: (how many lists of state, whether it counts steps, options)
STEPS = {
    "sgd": ("sgd_step", 0, False, (None, 0.1, 0.0, 0.0, 0.0, False)),
    "sgd with decay": ("sgd_step", 0, False, (None, 0.1, 0.0, 0.0, 0.01, False)),
    "momentum": ("sgd_step", 1, False, (0.1, 0.9, 0.3, 0.01, False)),
    "nesterov": ("sgd_step", 1, False, (0.1, 0.9, 0.0, 0.01, True)),
    "adam": ("adam_step", 2, True, (None, 1e-2, 0.9, 0.999, 1e-8, 0.01, False)),
    "adamw": ("adam_step", 2, True, (None, 1e-2, 0.9, 0.999, 1e-8, 0.01, True)),
    "amsgrad": ("adam_step", 3, True, (1e-2, 0.9, 0.5, 1e-8, 0.01, False)),
    "rmsprop": ("rmsprop_step", 1, False, (None, None, 1e-2, 0.99, 1e-8, 0.01, 0.0)),
    "rmsprop centered with momentum": ("rmsprop_step", 3, False, (1e-2, 0.99, 1e-8, 0.01, 0.9)),
    "adagrad": ("adagrad_step", 1, True, (1e-2, 0.1, 1e-10, 0.01)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("which", STEPS)
@pytest.mark.parametrize("multiprocessors", [1, 132])
def test_steps(runtime, to_device, to_host, which, dtype, multiprocessors):
    if isinstance(runtime, EmulatedRuntime):
        runtime.multiprocessors = multiprocessors  # one: blocks go over an array in several turns
    name, state_count, counts_steps, options = STEPS[which]
    rng = np.random.default_rng(0)
    lists = [[rng.standard_normal(shape).astype(dtype) for shape in SHAPES]]
    lists += [[np.zeros(shape, dtype) for shape in SHAPES] for _ in range(state_count)]
    ours = [[to_device(np.array(array)) for array in arrays] for arrays in lists]
    start = [array.copy() for array in lists[0]]
    for t in range(1, 4):
        dws = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
        steps = ([t + i for i in range(len(SHAPES))],) if counts_steps else ()  # each array counts for itself
        getattr(reference, name)(lists[0], dws, *lists[1:3], *steps, *lists[3:], *options)
        getattr(optimizers, name)(ours[0], [to_device(dw) for dw in dws], *ours[1:3], *steps, *ours[3:], *options)
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    for got, expected in zip(ours, lists, strict=True):
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(to_host(a), b, rtol=tolerance, atol=tolerance)
    assert all(np.abs(now - before).max() > 1e-3 for now, before in zip(lists[0], start) if now.size)


@pytest.mark.parametrize("which", STEPS)
def test_infinite_weights_stay_what_they_are(runtime, to_device, to_host, which):
    """As on the CPU: without decay, 0 * inf is not added to the gradient."""
    name, state_count, counts_steps, options = STEPS[which]
    options = tuple(0.0 if option == 0.01 else option for option in options)  # weight_decay, and lr of some
    w, states = to_device(np.array([-np.inf, 1, np.inf])), [[to_device(np.zeros(3))] for _ in range(state_count)]
    steps = ([1],) if counts_steps else ()
    dw = to_device(np.array([0.0, 1, 0]))
    getattr(optimizers, name)([w], [dw], *states[:2], *steps, *states[2:], *options)
    np.testing.assert_array_equal(np.isinf(to_host(w)), [True, False, True])


def test_a_variance_that_rounding_makes_negative(runtime, to_device, to_host):
    """As on the CPU: of a gradient that does not change, v - g^2 is 0 but for rounding."""
    w, dw, v, g = (to_device(np.full(3, value, "f4")) for value in (0, 1, 1, 1 + 1e-5))
    optimizers.rmsprop_step([w], [dw], [v], [g], None, 0.5, 0.99, 0.125, 0.0, 0.0)
    np.testing.assert_array_equal(to_host(w), -4)  # w - lr * dw / (sqrt(0) + eps)


def test_blocks_are_shared_out_by_size():
    for sizes in ([10] * 100 + [10_000_000], [0, 5, 0], [257], [0, 0], [256] * 70_000):
        share, first, blocks = optimizers._blocks(np.array(sizes), 132)
        assert blocks <= 8 * 132 + len(sizes), "a block that finds nothing to do costs its start"
        own = np.diff([*first, blocks])
        assert share % 256 == 0 and all(own * share >= sizes) and all((own - 1) * share < np.maximum(sizes, 1))


def test_one_launch_for_all_arrays(runtime, to_device):
    ws = [to_device(np.ones(shape, "float32")) for shape in SHAPES]
    optimizers.sgd_step(ws, ws, None, 0.5, 0.0, 0.0, 0.0, False)
    if isinstance(runtime, EmulatedRuntime):
        assert runtime.launches == {"sgd_step": 1}


def test_arrays_that_count_the_same_step_share_a_launch(runtime, to_device):
    """A layer that was frozen for a while is behind."""
    ws, ms, vs = ([to_device(np.ones(3, "float32")) for _ in range(4)] for _ in range(3))
    optimizers.adam_step(ws, ws, ms, vs, [7, 7, 5, 7], None, 0.1, 0.9, 0.999, 1e-8, 0.0, False)
    if isinstance(runtime, EmulatedRuntime):
        assert runtime.launches == {"adam_step": 2}


def test_the_table_of_addresses_is_sent_when_an_array_has_moved(runtime, to_device, to_host, monkeypatch):
    if not isinstance(runtime, EmulatedRuntime):
        pytest.skip("counts what the emulated GPU is sent")
    w, first, second = (to_device(np.full(3, value, "float32")) for value in (0, 1, 10))
    sent, asarray = [], type(runtime.xp).asarray
    monkeypatch.setattr(type(runtime.xp), "asarray", lambda xp, rows: (sent.append(rows), asarray(xp, rows))[1])
    for dw in (first, first, second, second, first):
        optimizers.sgd_step([w], [dw], None, 1.0, 0.0, 0.0, 0.0, False)
    assert len(sent) == 3
    np.testing.assert_array_equal(to_host(w), -23)


def test_no_arrays_are_no_launch(runtime):
    optimizers.adam_step([], [], [], [], [], None, 0.1, 0.9, 0.999, 1e-8, 0.0, False)
    if isinstance(runtime, EmulatedRuntime):
        assert not runtime.launches


@pytest.mark.parametrize("other", ["w", "dw", "v"])
def test_an_array_on_another_gpu_is_refused(monkeypatch, other):
    """The launch sees the table of addresses alone, which is on the current GPU."""
    arrays = {name: [np.ones(3, "float32"), np.ones(2, "float32")] for name in ("w", "dw", "v")}
    with cuda.use_runtime(EmulatedRuntime()) as runtime:
        monkeypatch.setattr(runtime, "device_of", lambda array: int(array is arrays[other][1]))
        with pytest.raises(ValueError, match="sgd_step: an array is on GPU 1, the current one is 0; use `with cupy"):
            optimizers.sgd_step(*arrays.values(), 0.5, 0.9, 0.0, 0.0, False)
        assert not runtime.launches


def test_gradients_and_parameters_in_other_memory_orders(runtime, to_device, to_host):
    w, dw = (np.random.default_rng(seed).standard_normal((4, 3)).astype("float32") for seed in (1, 2))
    turned = to_device(np.ascontiguousarray(w.T)).T
    assert not turned.flags.c_contiguous
    optimizers.sgd_step([turned], [to_device(np.ascontiguousarray(dw.T)).T], None, 0.5, 0.0, 0.0, 0.0, False)
    np.testing.assert_allclose(to_host(turned), w - 0.5 * dw, rtol=1e-6)


def test_every_contract_has_its_kernel():
    steps = {name for name in vars(contracts) if name.endswith("_step")}
    assert steps == {name for name in optimizers.__all__ if name.endswith("_step")}
