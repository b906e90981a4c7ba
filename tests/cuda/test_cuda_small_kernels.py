"""Pooling, channel sums and softmax against their references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from minidl.kernels import cuda
from minidl.kernels.channel_sums import cuda_gpu as channel_sums
from minidl.kernels.cuda import load
from minidl.kernels.pool2d import cuda_gpu as pool2d
from minidl.kernels.pool2d import output_size
from minidl.kernels.pool2d import reference as pool2d_reference
from minidl.kernels.softmax import cuda_gpu as softmax
from minidl.kernels.softmax import reference as softmax_reference
from tests.cuda.helpers import assert_close, dtypes, few_examples, set_multiprocessors
from tests.cuda_emulator import EmulatedRuntime, memory_profile

pytestmark = pytest.mark.cuda


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def is_channels_last(x):
    return x.transpose(0, 2, 3, 1).flags.c_contiguous


windows = {
    "n": st.integers(1, 2), "c": st.sampled_from([1, 3, 33]), "size": pairs(1, 11), "kernel_size": pairs(1, 4),
    "stride": pairs(1, 3), "padding": pairs(0, 2), "dilation": pairs(1, 2), "ceil_mode": st.booleans(), "dtype": dtypes,
}  # fmt: skip


def possible(size, kernel_size, stride, padding, dilation, ceil_mode):
    try:
        return output_size(size, kernel_size, stride, padding, dilation, ceil_mode)
    except ValueError:
        return assume(False)


@few_examples
@given(**windows)
@example(2, 32, (8, 8), (2, 2), (2, 2), (0, 0), (1, 1), False, "float32")
@example(1, 3, (20, 19), (17, 17), (1, 2), (3, 8), (1, 1), False, "float64")  # taps need int32
def test_max_pooling(runtime, to_device, to_host, n, c, size, kernel_size, stride, padding, dilation, ceil_mode, dtype):
    out_size = possible(size, kernel_size, stride, padding, dilation, ceil_mode)
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (n, c, *size)).astype(dtype)  # many equal values: the first counts
    x[rng.random(x.shape) < 0.05] = np.nan
    window = (kernel_size, stride, padding, dilation)
    y, taps = pool2d.max_forward(to_device(x), *window, ceil_mode)
    expected_y, expected_taps = pool2d_reference.max_forward(x, *window, ceil_mode)
    np.testing.assert_array_equal(to_host(y), expected_y)
    np.testing.assert_array_equal(to_host(taps), expected_taps)
    assert taps.dtype == expected_taps.dtype and is_channels_last(y) and is_channels_last(taps)

    x, dy = rng.standard_normal(x.shape).astype(dtype), rng.standard_normal((n, c, *out_size)).astype(dtype)
    dx = pool2d.max_scatter(to_device(dy), taps, size, *window)
    expected = pool2d_reference.max_scatter(dy, expected_taps, size, *window)
    np.testing.assert_allclose(to_host(dx), expected, rtol=1e-5, atol=1e-6)
    gathered = pool2d.max_gather(to_device(x), taps, *window)
    np.testing.assert_array_equal(to_host(gathered), pool2d_reference.max_gather(x, expected_taps, *window))
    assert is_channels_last(dx) and is_channels_last(gathered)


@pytest.mark.parametrize("dtype, channels, shift, width", [
    ("float32", 8, 0, 4), ("float32", 8, 1, 1), ("float32", 6, 0, 1), ("float64", 6, 0, 2), ("float64", 3, 0, 1)
])  # fmt: skip
def test_max_pooling_reads_vectors_of_channels_where_it_can(dtype, channels, shift, width):
    numbers = np.random.default_rng(0).standard_normal(2 * 7 * 7 * channels + shift).astype(dtype)
    x = numbers[shift:].reshape(2, 7, 7, channels).transpose(0, 3, 1, 2)
    with cuda.use_runtime(EmulatedRuntime(profile=True)):
        memory_profile()  # forgets what ran before
        got = pool2d.max_forward(x, (3, 3), (2, 2), (1, 1), (1, 1), False)
        loads = {row.bytes for row in memory_profile() if (row.space, row.operation) == ("global", "load")}
    assert loads == {width * x.itemsize}
    for ours, wanted in zip(got, pool2d_reference.max_forward(x, (3, 3), (2, 2), (1, 1), (1, 1), False), strict=True):
        np.testing.assert_array_equal(ours, wanted)


@few_examples
@given(**{name: value for name, value in windows.items() if name != "dilation"}, count_include_pad=st.booleans())
@example(2, 32, (8, 8), (2, 2), (2, 2), (0, 0), False, "float32", True)
def test_average_pooling(
    runtime, to_device, to_host, n, c, size, kernel_size, stride, padding, ceil_mode, dtype, count_include_pad
):
    out_size = possible(size, kernel_size, stride, padding, (1, 1), ceil_mode)
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((n, c, *size)).astype(dtype), rng.standard_normal((n, c, *out_size)).astype(dtype)
    rest = (kernel_size, stride, padding, ceil_mode, count_include_pad)
    y = pool2d.avg_forward(to_device(x), *rest)
    dx = pool2d.avg_input_grad(to_device(dy), size, *rest)
    assert is_channels_last(y) and is_channels_last(dx)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    expected = pool2d_reference.avg_forward(x, *rest), pool2d_reference.avg_input_grad(dy, size, *rest)
    for got, wanted in zip((y, dx), expected, strict=True):
        np.testing.assert_allclose(to_host(got), wanted, rtol=tolerance, atol=tolerance)


CHANNEL_SUMS = [
    (3, 5), (1, 1), (20000, 1), (4000, 70), (3, 4, 7, 9), (2, 33, 40, 50), (2, 1, 90, 90), (2, 3, 99, 99), (5, 32, 8),
    (0, 3, 2),
]  # fmt: skip


@pytest.mark.parametrize("shape", CHANNEL_SUMS)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("multiprocessors", [1, 132])
def test_channel_sums(runtime, to_device, to_host, shape, channels_last, multiprocessors):
    set_multiprocessors(runtime, multiprocessors)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape).astype("float32") + 10 for _ in range(2))
    if channels_last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    axes = (0, *range(2, x.ndim))
    for other, product in ((None, x.astype("float64")), (y, x.astype("float64") * y)):
        s = to_host(channel_sums.forward(to_device(x), None if other is None else to_device(other)))
        assert s.dtype == "float32"
        np.testing.assert_allclose(s, product.sum(axes), rtol=1e-7)  # half a unit in the last place: nothing was lost
    if isinstance(runtime, EmulatedRuntime) and x.size:
        columns = runtime.launches["sums_of_columns"] > 0
        several_parts = x.size // x.shape[1] >= (512 if columns else 16384)  # else there is no second pass
        assert bool(runtime.launches["add_channel_parts"]) == several_parts


def test_more_numbers_a_channel_than_fit_are_refused(runtime):
    """A product of images and pixels worked out on the GPU would wrap around, and leave all of them out."""
    x, s = runtime.empty((1, 1, 8), "float32"), runtime.empty(1, "float32")
    kernel = load(channel_sums.SOURCE, x.dtype).get_function("sums_of_planes")
    with pytest.raises(ValueError, match="'count' does not fit int: 4294967296"):
        kernel((1, 1), (256,), (x, None, None, s, 2**16 * 2**16, 1, 2**16, 2**30))


def test_channel_sums_of_doubles(runtime, to_device, to_host):
    x = np.random.default_rng(0).standard_normal((6, 3, 10, 10))
    np.testing.assert_allclose(to_host(channel_sums.forward(to_device(x), None)), x.sum((0, 2, 3)), rtol=1e-12)


@few_examples
@given(
    rows=st.lists(st.integers(1, 9), max_size=2),
    columns=st.sampled_from([1, 2, 10, 31, 32, 33, 100, 1024, 1025, 3000]),
    dtype=dtypes,
)
@example(rows=[8], columns=32, dtype="float32")
@example(rows=[2], columns=2048, dtype="float32")
def test_softmax(runtime, to_device, to_host, rows, columns, dtype):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((*rows, columns)).astype(dtype) for _ in range(2))
    x *= 20
    for forward, input_grad in (("forward", "input_grad"), ("log_forward", "log_input_grad")):
        y = getattr(softmax_reference, forward)(x.astype("float64"))
        got = to_host(getattr(softmax, forward)(to_device(x)))
        assert_close(got, y)
        dx = getattr(softmax_reference, input_grad)(dy.astype("float64"), y)
        got = to_host(getattr(softmax, input_grad)(to_device(dy), to_device(y.astype(dtype))))
        assert_close(got, dx, np.abs(dy).sum(-1, keepdims=True))


def test_softmax_of_infinities_and_nan(runtime, to_device, to_host):
    inf, nan = np.inf, np.nan
    x = np.array([[0, -inf, 0], [1e4, 0, -1e4], [nan, 0, 0], [0, 0, nan], [-inf, -inf, -inf]], "float32")
    with np.errstate(invalid="ignore"):
        expected = softmax_reference.forward(x)
    np.testing.assert_allclose(to_host(softmax.forward(to_device(x))), expected, atol=1e-7)
