"""The vector loops in every instruction set that this machine has, and all of them whatever the number of threads."""

import numpy as np
import pytest

from minidl import kernels

from . import (
    test_activations,
    test_arithmetic,
    test_cross_entropy,
    test_dropout,
    test_normalization,
    test_optimizers,
    test_softmax_backends,
)
from .common import arrays_of, assert_threads_change_no_bit, laid_out

tiles = pytest.importorskip("minidl.kernels.cpu.tiles", reason="the Cython kernels are not built")


OTHERS = [name for name in tiles.SUPPORTED if name != tiles.chosen()]  # the chosen one serves all other tests


@pytest.fixture(params=tiles.SUPPORTED)
def instruction_set(request):
    before = tiles.chosen()
    tiles.choose(request.param)
    yield request.param
    tiles.choose(before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("instruction_set", OTHERS, indirect=True)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_kernels(instruction_set, dtype):
    for name in ("relu", "elu", "tanh", "sigmoid", "clip", "huber"):
        test_activations.test_exact_to_the_last_digits(name, dtype)
    for name in test_activations.NAMES:
        test_activations.test_forward_and_backward("cython", dtype, name)
    test_arithmetic.test_the_numbers_of_numpy("cython", dtype)
    test_softmax_backends.test_forward("cython", dtype)
    test_softmax_backends.test_gradients("cython", dtype)
    test_cross_entropy.test_losses_and_gradient("cython", dtype)
    test_normalization.test_forward("cython", dtype)
    test_normalization.test_backward("cython", dtype)
    test_normalization.test_scale("cython", dtype)
    test_normalization.test_groups("cython", dtype)
    test_normalization.test_rows("cython", dtype)
    test_dropout.test_the_same_numbers_everywhere("cython", dtype)
    for name in test_optimizers.STEPS:
        test_optimizers.test_as_the_reference("cython", dtype, name)
        test_optimizers.test_infinite_weights_stay_what_they_are("cython", name)
    test_optimizers.test_a_variance_that_rounding_makes_negative("cython")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_made_of_small_products(instruction_set, dtype):
    """Attention and the recurrent layers: tiles and loops in turns, in sizes that fill no vector."""
    heads = [arrays_of(shape, dtype, i) for i, shape in enumerate([(2, 67, 9), (2, 37, 9), (2, 37, 21), (2, 67, 21)])]
    both = []
    for backend in ("reference", "cython"):
        with kernels.use_backend(backend, strict=True):
            q, k, v, dy = heads
            results = [kernels.attention.forward(q, k, v, is_causal=True), *kernels.attention.backward(dy, q, k, v)]
            for kind, parts, states in (("rnn", 1, 1), ("lstm", 4, 2), ("gru", 3, 1)):
                x, dy, b = (arrays_of(shape, dtype, 9) for shape in ((3, 19, 5), (3, 19, 37), (parts * 37,)))
                w = [0.2 * arrays_of((parts * 37, columns), dtype, columns) for columns in (5, 37)]
                start = [arrays_of((19, 37), dtype, 7)] * states
                saved = getattr(kernels.recurrent, f"{kind}_forward")(x, *start, *w, b, b)
                saved = saved if isinstance(saved, tuple) else (saved,)
                results += [*saved, *getattr(kernels.recurrent, f"{kind}_backward")(x, *start, *w, *saved, dy)]
        both.append(results)
    for expected, actual in zip(*both, strict=True):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(expected).max())


def everything():
    x = laid_out(arrays_of((9, 24, 30, 31), "float32", 0), "channels_last")
    dy = laid_out(arrays_of(x.shape, "float32", 1), "channels_last")
    rows, target = arrays_of((3000, 70), "float32", 2), np.arange(3000) % 70
    y, m, v = kernels.normalization.channel_forward(x)
    results = [y, m, v, *kernels.normalization.channel_backward(dy, x, m, v)]
    row_y, m, v = kernels.normalization.row_forward(rows)
    results += [row_y, m, v, *kernels.normalization.row_backward(row_y, rows, m, v)]
    for name, (parameter, _) in test_activations.ACTIVATIONS.items():
        results.append(test_activations.forward_of(name)(x, *parameter))
        results.append(test_activations.backward_of(name)(dy, x, *parameter))
    results += [kernels.softmax.forward(rows), kernels.softmax.log_forward(rows)]
    results += [kernels.softmax.input_grad(rows, results[-2]), kernels.softmax.log_input_grad(rows, results[-1])]
    losses, _ = kernels.cross_entropy.forward(rows, target)
    results += [losses, kernels.cross_entropy.backward(losses, rows, target)]
    images = arrays_of((5, 7, 30, 31), "float32", 3)
    results += [kernels.normalization.channel_scale(x, m[:24]), kernels.normalization.channel_scale(images, m[:7])]
    channels, pixel_target = np.moveaxis(images, 1, -1), np.arange(5 * 30 * 31).reshape(5, 30, 31) % 7
    results += [kernels.softmax.forward(channels), kernels.softmax.log_forward(channels)]
    results += [
        kernels.softmax.input_grad(channels, results[-2]),
        kernels.softmax.log_input_grad(channels, results[-1]),
    ]
    losses, _ = kernels.cross_entropy.forward(images, pixel_target)
    results += [losses, kernels.cross_entropy.backward(losses, images, pixel_target)]
    return [*results, kernels.dropout.forward(x, 0.4, 5), kernels.dropout.forward(rows, 0.4, 5)]


def test_threads_change_no_bit():
    assert_threads_change_no_bit(everything)
