"""Every implementation of kernels.recurrent that can serve here, against the reference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import kernels
from tests.kernels.common import assert_threads_change_no_bit

PARTS = {"rnn": 1, "lstm": 4, "gru": 3}
BACKENDS = [
    row.backend for row in kernels.table() if row.kernel == "recurrent" and row.available and row.backend != "reference"
]
pytestmark = pytest.mark.skipif(not BACKENDS, reason="the reference is the only implementation here")


def layer(kind, steps, batch, inputs, hidden, dtype="f8", bias=True, seed=0):
    """x, the states and the weights; y and what else a forward gives are made by the reference."""
    random = np.random.default_rng(seed)
    rows = PARTS[kind] * hidden
    new = lambda *shape: random.normal(size=shape).astype(dtype)  # noqa: E731
    states = [new(batch, hidden) for _ in range(2 if kind == "lstm" else 1)]
    weights = [new(rows, inputs) / inputs**0.5, new(rows, hidden) / hidden**0.5]
    return new(steps, batch, inputs), states, weights, [new(rows), new(rows)] if bias else [None, None]


def forward(backend, kind, x, states, weights, biases, **options):
    with kernels.use_backend(backend, strict=True):
        results = getattr(kernels.recurrent, kind + "_forward")(x, *states, *weights, *biases, **options)
    return results if isinstance(results, tuple) else (results,)


def backward(backend, kind, x, states, weights, results, gradients, **options):
    with kernels.use_backend(backend, strict=True):
        return getattr(kernels.recurrent, kind + "_backward")(x, *states, *weights, *results, *gradients, **options)


def assert_equal(found, expected, tolerance):
    assert len(found) == len(expected)
    for array, reference in zip(found, expected):
        if reference is None:
            assert array is None
            continue
        assert array.dtype == reference.dtype
        scale = max(1.0, np.abs(reference).max(initial=0))
        np.testing.assert_allclose(array, reference, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(list(PARTS)),
    steps=st.integers(1, 4),
    batch=st.sampled_from([0, 1, 2, 5, 7, 33, 70]),
    inputs=st.sampled_from([1, 3, 16, 30]),
    hidden=st.sampled_from([1, 2, 15, 16, 17, 40, 70]),
    dtype=st.sampled_from(["f4", "f8"]),
    bias=st.booleans(),
    reverse=st.booleans(),
    relu=st.booleans(),
    given_gradients=st.integers(1, 7),
    needs_dx=st.booleans(),
    seed=st.integers(0, 9),
)
def test_same_numbers(
    backend, kind, steps, batch, inputs, hidden, dtype, bias, reverse, relu, given_gradients, needs_dx, seed
):
    x, states, weights, biases = layer(kind, steps, batch, inputs, hidden, dtype, bias, seed)
    options = {"reverse": reverse, **({"nonlinearity": "relu" if relu else "tanh"} if kind == "rnn" else {})}
    expected = forward("reference", kind, x, states, weights, biases, **options)
    tolerance = 2e-6 if dtype == "f4" else 1e-13
    assert_equal(forward(backend, kind, x, states, weights, biases, **options), expected, tolerance)
    random = np.random.default_rng(seed)
    gradients = [random.normal(size=shape).astype(dtype) for shape in [(steps, batch, hidden)] + [(batch, hidden)] * 2]
    gradients = [g if given_gradients >> i & 1 else None for i, g in enumerate(gradients[: 1 + len(states)])]
    if all(g is None for g in gradients):
        gradients[0] = np.ones((steps, batch, hidden), dtype)
    arguments = kind, x, states, weights, expected, gradients
    reference = backward("reference", *arguments, **options, needs_dx=needs_dx)
    assert_equal(backward(backend, *arguments, **options, needs_dx=needs_dx), reference, 10 * tolerance)


def check_layer(backend, kind, x, states, weights, biases, reverse):
    expected = forward("reference", kind, x, states, weights, biases, reverse=reverse)
    assert_equal(forward(backend, kind, x, states, weights, biases, reverse=reverse), expected, 1e-13)
    dy = np.random.default_rng(1).normal(size=expected[0].shape)
    arguments = kind, x, states, weights, expected, [dy]
    reference = backward("reference", *arguments, reverse=reverse)
    assert_equal(backward(backend, *arguments, reverse=reverse), reference, 1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("kind", "hidden"), [("rnn", 400), ("lstm", 200), ("gru", 230)])
def test_weights_too_large_for_the_cache(backend, kind, hidden, reverse):
    """More than 1 MB of them: on the CPU x of several steps is multiplied at once. 11 steps are two such blocks."""
    x, states, weights, biases = layer(kind, 11, 33, 10, hidden)
    assert sum(w.nbytes for w in weights) > 1 << 20
    check_layer(backend, kind, x, states, weights, biases, reverse)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("kind", "hidden"), [("rnn", 128), ("lstm", 32), ("gru", 128)])
def test_rows_that_share_sets_of_the_cache(backend, kind, hidden, reverse):
    """The rows of da have a multiple of 1024 bytes: on the CPU they lie further apart than that."""
    check_layer(backend, kind, *layer(kind, 11, 33, 10, hidden), reverse)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", PARTS)
def test_any_strides_and_nothing_written_to(backend, kind):
    x, states, weights, biases = layer(kind, 5, 6, 4, 9)
    expected = forward("reference", kind, x, states, weights, biases)
    dy = np.random.default_rng(1).normal(size=expected[0].shape)
    reference = backward("reference", kind, x, states, weights, expected, [dy])

    def other_order(array):
        moved = np.asfortranarray(array)[::1]
        moved.flags.writeable = False
        return moved

    x = np.ascontiguousarray(x.transpose(1, 2, 0))[:, ::-1].transpose(2, 0, 1)[:, :, ::-1]  # negative strides
    x.flags.writeable = False
    states, weights, biases = ([other_order(a) for a in arrays] for arrays in (states, weights, biases))
    results = forward(backend, kind, x, states, weights, biases)
    assert_equal(results, expected, 1e-13)
    for gradient in (other_order(dy), np.ascontiguousarray(dy.swapaxes(0, 1)).swapaxes(0, 1)):
        found = backward(backend, kind, x, states, weights, [other_order(r) for r in results], [gradient])
        assert_equal(found, reference, 1e-12)
    broadcast = np.broadcast_to(np.float64(0.5), dy.shape)
    reference = backward("reference", kind, x, states, weights, expected, [broadcast])
    assert_equal(backward(backend, kind, x, states, weights, results, [broadcast]), reference, 1e-12)


@pytest.mark.skipif("cython" not in BACKENDS, reason="the Cython kernels are not built")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", PARTS)
def test_what_comes_batch_first_in_memory_goes_so_with_the_same_bits(kind, reverse):
    x, states, weights, biases = layer(kind, 9, 21, 5, 20)
    dy = np.random.default_rng(1).normal(size=(9, 21, 20))
    found = []
    for batch_first in (False, True):
        if batch_first:
            x = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
        results = forward("cython", kind, x, states, weights, biases, reverse=reverse)
        gradients = backward("cython", kind, x, states, weights, results, [dy], reverse=reverse)
        for array in (results[0], gradients[0]):  # y and dx
            assert (array.swapaxes(0, 1) if batch_first else array).flags.c_contiguous
        found.append([*results, *gradients])
    for array, other in zip(*found):
        np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_any_number_of_threads_gives_the_same_bits(backend, kind, dtype):
    x, states, weights, biases = layer(kind, 7, 67, 20, 48, dtype)
    dy = np.random.default_rng(1).normal(size=(7, 67, 48)).astype(dtype)

    def both_ways():
        results = forward(backend, kind, x, states, weights, biases)
        return [*results, *backward(backend, kind, x, states, weights, results, [dy])]

    assert_threads_change_no_bit(both_ways, (1, 2, 3, 4, 2))


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_python_threads_at_once(backend):
    layers = [layer(kind, 9, 20 + 3 * i, 5, 30, "f4", seed=i) for i, kind in enumerate([*PARTS, *PARTS])]
    kinds = [*PARTS, *PARTS]

    def run(i):
        x, states, weights, biases = layers[i]
        results = forward(backend, kinds[i], x, states, weights, biases)
        gradients = backward(backend, kinds[i], x, states, weights, results, [results[0]])
        return [array.tobytes() for array in (*results, *gradients)]

    alone = [run(i) for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, list(range(6)) * 10)) == alone * 10


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_edge_values(backend, dtype):
    """Saturated gates, tiny numbers to all digits, NaN where it belongs and nowhere else."""
    values = np.array([0, 1e-30, -1e-20, 1e-6, -1e-3, 0.3, -5, 9, 20, -89, 110, 1e4, -1e30, np.inf, -np.inf], dtype)
    x = values.reshape(1, -1, 1)
    one, zeros = np.ones((1, 1), dtype), np.zeros((len(values), 1), dtype)
    (y,) = forward(backend, "rnn", x, [zeros], [one, 0 * one], [None, None])
    np.testing.assert_allclose(y.ravel(), np.tanh(values), rtol=5e-7 if dtype == "f4" else 2e-15)
    weights = [np.ones((4, 1), dtype), np.zeros((4, 1), dtype)]
    y, c, gates = forward(backend, "lstm", x, [zeros, zeros + 1], weights, [None, None])
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-values.astype("f8")))
    np.testing.assert_allclose(gates[0, :, 3], sigmoid, rtol=5e-7 if dtype == "f4" else 2e-15, atol=1e-37)
    assert np.isfinite(y).all() and np.isfinite(c).all()
    x = np.array([1.0, np.nan, 2.0], dtype).reshape(1, 3, 1)
    (y,) = forward(backend, "rnn", x, [zeros[:3]], [one, one], [None, None])
    np.testing.assert_array_equal(np.isnan(y.ravel()), [False, True, False])


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("kind", PARTS)
def test_an_array_of_another_shape_or_dtype_is_refused_by_its_name(kind, direction):
    x, states, weights, biases = layer(kind, 3, 2, 5, 4)
    names, arrays = ["x", "h0", "c0"][: 1 + len(states)] + ["w_ih", "w_hh"], [x, *states, *weights]
    if direction == "backward":
        results = forward("reference", kind, x, states, weights, biases)
        gradients = [np.ones((3, 2, 4)), *(np.ones((2, 4)) for _ in states)]
        names += {"rnn": ["y"], "lstm": ["y", "c", "gates"], "gru": ["y", "gates"]}[kind]
        names += ["dy", "dh_n", "dc_n"][: len(gradients)]
        arrays += [*results, *gradients]
    else:
        names, arrays = [*names, "b_ih", "b_hh"], [*arrays, *biases]
    call = getattr(kernels.recurrent, f"{kind}_{direction}")
    call(*arrays)
    for place, (name, array) in enumerate(zip(names, arrays)):
        wrong = [array[None]]
        if name != "x":
            wrong += [np.concatenate([array, array])]
        if name not in ("x", "h0"):  # of which the last axis says what C and H are
            wrong += [array[..., :-1]]
        for other in wrong:
            with pytest.raises(ValueError, match=rf"\b{name} must have"):
                call(*arrays[:place], other, *arrays[place + 1 :])
        with pytest.raises(
            TypeError, match=r"\bh0 must have the dtype of x" if name == "x" else rf"\b{name} must have"
        ):
            call(*arrays[:place], array.astype("f4"), *arrays[place + 1 :])
