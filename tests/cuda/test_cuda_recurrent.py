"""Recurrent layers against their reference: RNN, LSTM and GRU, forwards and back, in both directions of time."""

from __future__ import annotations

import numpy as np
import pytest

from minidl.kernels.recurrent import cuda_gpu as recurrent
from minidl.kernels.recurrent import reference
from tests.cuda.helpers import assert_close

pytestmark = pytest.mark.cuda

PARTS = {"rnn": 1, "lstm": 4, "gru": 3}
SHAPES = [(1, 1, 1, 1), (3, 2, 5, 7), (2, 3, 33, 65), (4, 1, 8, 32)]  # T, N, C, H


def draw(parts, shape, dtype, biases):
    (steps, n, features, hidden), rng = shape, np.random.default_rng(0)
    normal = lambda *size: rng.standard_normal(size).astype(dtype) / 2  # noqa: E731
    layer = normal(steps, n, features), normal(n, hidden)
    cell = (normal(n, hidden),) if parts == 4 else ()
    weights = normal(parts * hidden, features), normal(parts * hidden, hidden)
    both = (normal(parts * hidden), normal(parts * hidden)) if biases else (None, None)
    return (*layer, *cell, *weights), both, normal


def compare(to_host, got, expected):
    assert len(got) == len(expected)
    for ours, wanted in zip(got, expected, strict=True):
        assert (ours is None) == (wanted is None)
        if wanted is not None:
            # sums over steps, sequences and units, of numbers that steps before have rounded
            assert_close(to_host(ours), wanted, scale=10 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", PARTS)
def test_forward_and_backward(runtime, to_device, to_host, cell, reverse, shape, dtype):
    inputs, biases, normal = draw(PARTS[cell], shape, dtype, biases=shape != SHAPES[-1])
    option = ("relu" if shape[0] == 2 else "tanh",) if cell == "rnn" else ()
    move = lambda arrays: [None if array is None else to_device(array) for array in arrays]  # noqa: E731
    expected = getattr(reference, f"{cell}_forward")(*inputs, *biases, *option, reverse)
    got = getattr(recurrent, f"{cell}_forward")(*move(inputs), *move(biases), *option, reverse)
    as_tuple = lambda value: value if isinstance(value, tuple) else (value,)  # noqa: E731
    compare(to_host, as_tuple(got), as_tuple(expected))

    steps, n, _, hidden = shape
    gradients = [normal(steps, n, hidden), normal(n, hidden), *([normal(n, hidden)] if cell == "lstm" else [])]
    of_y_alone, of_states_alone = [gradients[0], *[None] * (len(gradients) - 1)], [None, *gradients[1:]]
    for given, needs_dx in ((gradients, True), (of_y_alone, False), (of_states_alone, True)):
        saved = (*inputs, *as_tuple(expected), *given)
        wanted = getattr(reference, f"{cell}_backward")(*saved, *option, reverse, needs_dx)
        ours = getattr(recurrent, f"{cell}_backward")(*move(saved), *option, reverse, needs_dx)
        compare(to_host, ours, wanted)


def test_inputs_with_strides(runtime, to_device, to_host):
    """A batch-first x comes as a transposed view."""
    inputs, biases, _ = draw(4, (3, 2, 5, 7), "float32", True)
    expected = reference.lstm_forward(*inputs, *biases, False)
    x = to_device(np.ascontiguousarray(inputs[0].transpose(1, 0, 2))).transpose(1, 0, 2)
    assert not x.flags.c_contiguous
    compare(to_host, recurrent.lstm_forward(x, *map(to_device, (*inputs[1:], *biases)), False), expected)


def test_sigmoid_and_tanh_far_out(runtime, to_device, to_host):
    """Gates of -1000 and 1000: e^1000 must not appear."""
    one = np.ones((1, 1), "float32")
    for sign in (-1, 1):
        arguments = (sign * 1000 * one[None], one, one, np.ones((4, 1), "float32"), np.zeros((4, 1), "float32"))
        expected = reference.lstm_forward(*arguments, None, None, False)
        compare(to_host, recurrent.lstm_forward(*map(to_device, arguments), None, None, False), expected)
