"""Activations, dropout and the change of memory order against their references, in any order and alignment."""

from __future__ import annotations

import numpy as np
import pytest

from minidl.kernels import cuda
from minidl.kernels.activations import cuda_gpu as activations
from minidl.kernels.activations import reference
from minidl.kernels.along_axis import cuda_gpu as along_axis
from minidl.kernels.along_axis import reference as along_axis_reference
from minidl.kernels.dropout import cuda_gpu as dropout
from minidl.kernels.dropout import reference as dropout_reference
from minidl.kernels.index_add import cuda_gpu as index_add
from minidl.kernels.index_add import reference as index_add_reference
from minidl.kernels.memory_order import cuda_gpu as memory_order
from tests.cuda.helpers import unaligned
from tests.cuda_emulator import EmulatedRuntime, memory_profile

pytestmark = pytest.mark.cuda

NAMES = {
    "relu": (), "leaky_relu": (0.1,), "elu": (1.5,), "tanh": (), "sigmoid": (), "silu": (), "gelu": (),
    "gelu_tanh": (), "hardsigmoid": (), "hardswish": (), "clip": (-0.5, 1.0), "huber": (0.7,),
}  # fmt: skip
SHAPES = [(), (1,), (0, 3), (1023,), (1024,), (2, 3, 5, 7), (33, 129)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_activations(runtime, to_device, to_host, name, dtype):
    rng, options = np.random.default_rng(0), NAMES[name]
    # exp and tanh of a GPU are good to 2 units in the last place, and sigmoid has a division too
    tolerance = {"rtol": 1e-6, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-14, "atol": 1e-14}
    for shape in SHAPES:
        x, dy = (np.asarray(3 * rng.standard_normal(shape), dtype) for _ in range(2))
        y = getattr(reference, f"{name}_forward")(x, *options)
        got = getattr(activations, f"{name}_forward")(to_device(x), *options)
        assert got.dtype == dtype and got.shape == shape
        np.testing.assert_allclose(to_host(got), y, **tolerance)
        saved = y if name in ("relu", "tanh", "sigmoid") else x
        dx = getattr(activations, f"{name}_backward")(to_device(dy), to_device(np.asarray(saved, dtype)), *options)
        np.testing.assert_allclose(
            to_host(dx), getattr(reference, f"{name}_backward")(dy, saved, *options), **tolerance
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["erf", "softplus", "exp", "expm1"])
def test_those_without_a_gradient(runtime, to_device, to_host, name, dtype):
    x = np.array([*np.linspace(-6, 6, 1001), -80, 80, -np.inf, np.inf, np.nan]).astype(dtype)
    got = getattr(activations, f"{name}_forward")(to_device(x))
    np.testing.assert_allclose(to_host(got), getattr(reference, f"{name}_forward")(x), rtol=4 * np.finfo(dtype).eps)


def test_hardtanh_has_no_slope_on_its_bounds(runtime, to_device, to_host):
    x = np.array([-1.0, -0.5, 0.0, 2.0, 3.0, np.nan], "float32")
    dx = activations.hardtanh_backward(to_device(np.full_like(x, 5)), to_device(x), -1.0, 2.0)
    np.testing.assert_array_equal(to_host(dx), [0, 5, 5, 0, 0, 0])


@pytest.mark.parametrize("name", NAMES)
def test_activations_of_extremes(runtime, to_device, to_host, name):
    x = np.array([np.nan, np.inf, -np.inf, -1e4, 1e4, 0.0, -0.0], "float32")
    for function, arguments in ((f"{name}_forward", (x,)), (f"{name}_backward", (np.ones_like(x), x))):
        with np.errstate(all="ignore"):
            expected = getattr(reference, function)(*arguments, *NAMES[name])
        got = getattr(activations, function)(*map(to_device, arguments), *NAMES[name])
        np.testing.assert_allclose(to_host(got), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_order_and_alignment(runtime, to_device, to_host, dtype):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((2, 5, 6, 3)).astype(dtype).transpose(0, 3, 1, 2) for _ in range(2))
    y = activations.tanh_forward(to_device(x))
    assert y.strides == x.strides
    np.testing.assert_allclose(to_host(y), np.tanh(x), rtol=1e-6)
    dx = activations.tanh_backward(to_device(np.ascontiguousarray(dy)), y)  # the order of y
    assert dx.strides == x.strides
    np.testing.assert_allclose(to_host(dx), dy * (1 - np.tanh(x) ** 2), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        to_host(activations.relu_forward(to_device(x)[:, :, ::2, 1:])), np.maximum(x[:, :, ::2, 1:], 0)
    )
    shifted = unaligned(np.ascontiguousarray(x), runtime.xp)
    np.testing.assert_array_equal(to_host(activations.relu_forward(shifted)), np.maximum(x, 0))
    np.testing.assert_array_equal(to_host(activations.relu_backward(shifted, to_device(x))), np.where(x > 0, x, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (5,), (1024,), (4099,), (2, 3, 5, 7), (1, 8, 4, 4), (0, 2), (3, 1, 2, 2)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_dropout_draws_the_numbers_of_the_cpu(runtime, to_device, to_host, shape, dtype, channels_last):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)
    if channels_last and len(shape) == 4:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for p, key in ((0.5, 3), (0.1, 2**64 - 1), (0.999, 2**40 + 7), (0.0, 0)):
        y = to_host(dropout.forward(to_device(x), p, key))
        np.testing.assert_allclose(y, dropout_reference.forward(x, p, key), rtol=2e-7)
        if len(shape) == 4:
            assert y.strides == x.strides


def test_dropout_of_unaligned_memory(runtime, to_host):
    x = np.random.default_rng(0).standard_normal(1024).astype("float32")
    y = to_host(dropout.forward(unaligned(x, runtime.xp), 0.5, 3))
    np.testing.assert_array_equal(y, dropout_reference.forward(x, 0.5, 3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_moves_whole_vectors(dtype):
    """16 bytes a lane: as many requests as there are vectors of a warp."""
    x = np.ones(4096, dtype)
    with cuda.use_runtime(EmulatedRuntime(profile=True)):
        memory_profile()
        dropout.forward(x, 0.5, 3)
        rows = memory_profile()
    assert {row.operation for row in rows} == {"load", "store"}
    assert all(row.bytes == 16 and row.requests == x.nbytes / (32 * 16) for row in rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(2, 3, 5, 7), (1, 64, 8, 8), (3, 33, 1, 31), (0, 2, 3, 4), (2, 1, 6, 6), (2, 4, 1, 1)]
)
def test_memory_order(runtime, to_device, to_host, shape, dtype):
    first = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    last = np.ascontiguousarray(first.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    odd = np.ascontiguousarray(first.transpose(3, 0, 1, 2)).transpose(1, 2, 3, 0)
    for x in (first, last, odd):
        got = memory_order.channels_first(to_device(x))
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(to_host(got), first)
        got = memory_order.channels_last(to_device(x))
        assert got.transpose(0, 2, 3, 1).flags.c_contiguous
        np.testing.assert_array_equal(to_host(got), first)


def test_rows_added_up(runtime, to_device, to_host):
    x, rows = np.random.default_rng(0).standard_normal((50, 3)), np.random.default_rng(1).integers(0, 7, 50)
    got = to_host(index_add.forward(to_device(x), to_device(rows), 9))
    np.testing.assert_allclose(got, index_add_reference.forward(x, rows, 9), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_picked_along_an_axis(runtime, to_device, to_host, axis):
    random = np.random.default_rng(0)
    x, index = random.standard_normal((4, 4, 4)), random.integers(0, 4, (4, 4, 4))
    got = to_host(along_axis.gather(to_device(x), to_device(index), axis))
    np.testing.assert_array_equal(got, np.take_along_axis(x, index, axis))
    got = to_host(along_axis.scatter_add(to_device(x), to_device(index), axis, 5))
    np.testing.assert_allclose(got, along_axis_reference.scatter_add(x, index, axis, 5), rtol=1e-12, atol=1e-14)
