"""What is too large for a count of 32 bits: cut into pieces where that can be, refused by name where it cannot.

No large array is made: broadcast ones have the shapes alone, or the limit is lowered.
"""

from __future__ import annotations

import numpy as np
import pytest

from minidl.kernels import cuda
from minidl.kernels.channel_sums import cuda_gpu as channel_sums
from minidl.kernels.conv2d import cuda_gpu as conv2d
from minidl.kernels.conv2d import reference as conv2d_reference
from minidl.kernels.conv2d_relu_pool import cuda_gpu as relu_pool
from minidl.kernels.cuda import counts
from minidl.kernels.cuda.rows import grid_of_rows
from minidl.kernels.dropout import cuda_gpu as dropout
from minidl.kernels.dropout import reference as dropout_reference
from minidl.kernels.matmul import cuda_gpu as matmul
from minidl.kernels.memory_order import cuda_gpu as memory_order
from minidl.kernels.normalization import cuda_gpu as normalization
from minidl.kernels.pool2d import cuda_gpu as pool2d
from minidl.kernels.pool2d import reference as pool2d_reference
from minidl.kernels.recurrent import cuda_gpu as recurrent
from tests.cuda.helpers import assert_close
from tests.cuda_emulator import EmulatedRuntime

pytestmark = pytest.mark.cuda

WINDOW = ((2, 2), (2, 2), (0, 0), (1, 1))  # kernel_size, stride, padding, dilation
GEOMETRY = ((1, 1), (1, 1), (1, 1))  # stride, padding, dilation


@pytest.fixture
def emulated():
    with cuda.use_runtime(EmulatedRuntime(check=True)) as runtime:
        yield runtime


def shaped(*shape):
    return np.broadcast_to(np.float32(0), shape)


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


# ---- batches in pieces ----


def test_a_batch_is_cut_between_images(emulated, monkeypatch):
    """7 images of 8 x 6 x 5 numbers, at most 500 of which may be counted at once."""
    monkeypatch.setattr(counts, "MAX_COUNT", 500)
    x, w, key = channels_last(normal(7, 5, 8, 6)), normal(5, 1, 3, 3), 2**40 + 5
    np.testing.assert_allclose(dropout.forward(x, 0.3, key), dropout_reference.forward(x, 0.3, key), rtol=1e-6)
    assert emulated.launches["dropout_channels_last"] == 4
    y, taps = pool2d.max_forward(x, *WINDOW, False)
    expected, expected_taps = pool2d_reference.max_forward(x, *WINDOW, False)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(taps, expected_taps)
    dx = pool2d.max_scatter(y, taps, (8, 6), *WINDOW)
    np.testing.assert_array_equal(dx, pool2d_reference.max_scatter(y, taps, (8, 6), *WINDOW))
    assert emulated.launches["max_forward"] == 1 and emulated.launches["max_scatter"] == 4
    monkeypatch.setattr(conv2d, "check_count", lambda *_: None)  # it counts the pixels of all images
    assert_close(conv2d.forward(x, w, None, *GEOMETRY, 5), conv2d_reference.forward(x, w, None, *GEOMETRY, 5), 10.0)
    dx = conv2d.input_grad(x, w, (8, 6), *GEOMETRY, 5)
    assert_close(dx, conv2d_reference.input_grad(x, w, (8, 6), *GEOMETRY, 5), 10.0)
    assert emulated.launches["depthwise_forward"] == emulated.launches["depthwise_input_grad"] == 4


# ---- refused ----


def test_one_image_of_too_many_numbers(emulated, monkeypatch):
    monkeypatch.setattr(counts, "MAX_COUNT", 200)
    x, key = channels_last(normal(2, 5, 8, 6)), 3
    message = r"at most 200 numbers an image of the result, \(H, W, C\) = \(8, 6, 5\), got 240"
    with pytest.raises(ValueError, match=message):
        dropout.forward(x, 0.3, key)
    y, taps = pool2d.max_forward(x, *WINDOW, False)
    with pytest.raises(ValueError, match=message):
        pool2d.max_scatter(y, taps, (8, 6), *WINDOW)
    with pytest.raises(ValueError, match=message):
        pool2d.avg_forward(x, (1, 1), (1, 1), (0, 0), False, False)
    monkeypatch.setattr(conv2d, "check_count", lambda *_: None)  # it counts the numbers of an image too
    with pytest.raises(ValueError, match=message):
        relu_pool.forward(x, normal(5, 5, 1, 1), normal(5), (1, 1), (1, 1), (0, 0), (1, 1), 1)


@pytest.mark.parametrize(
    "x, w, message",
    [
        (shaped(2**16, 1, 200, 200), (1, 1, 3, 3), r"2147418112 pixels of all images, \(65536, 1, 200, 200\): split"),
        (shaped(1, 64, 40000, 1000), (1, 64, 3, 3), r"2147418112 numbers an image, \(1, 64, 40000, 1000\), got 25600"),
        (shaped(1, 2**16, 1, 1), (2**15, 2**16, 1, 1), r"2147418112 weights, \(32768, 65536, 1, 1\), got 2147483648"),
        (shaped(1, 140000, 1, 1), (70000, 2, 1, 1), r"65535 groups of [0-9]* channels, got 70000 groups of [12]"),
        (shaped(1, 1, 1, 1), (2**23 + 1, 1, 1, 1), r"65535 groups of [0-9]* channels, got 1 groups of 8388609"),
    ],
)
def test_a_convolution_that_is_too_large(emulated, x, w, message):
    n, channels, height, width = x.shape
    geometry = ((1, 1), (0, 0), (1, 1), channels // w[1])
    with pytest.raises(ValueError, match=f"at most {message}"):
        conv2d.forward(x, shaped(*w), None, *geometry)
    dy = shaped(n, w[0], height - w[2] + 1, width - w[3] + 1)
    with pytest.raises(ValueError, match=f"at most {message}"):
        conv2d.weight_grad(x, dy, w[2:], *geometry)


def test_a_window_that_is_wider_than_the_image(emulated):
    x, w = shaped(1, 2**20, 1, 1000), shaped(1, 2**20, 1, 3)  # with their padding, the taps are 1048 pixels apart
    with pytest.raises(ValueError, match=r"at most 2147418112 numbers an image, \(1, 1048576, 1, 1000\), got 21988"):
        conv2d.forward(x, w, None, (1, 1), (0, 1048), (1, 1048), 1)


def test_a_state_that_is_too_large(emulated):
    h0 = shaped(2**15, 2**16 - 1)
    message = r"at most 2147418112 numbers a state, \(32768, 65535\), got 21474508"
    with pytest.raises(ValueError, match=message):
        recurrent.rnn_forward(shaped(1, 2**15, 1), h0, shaped(2**16 - 1, 1), None, None, None, "tanh", False)


def test_groups_without_end(emulated):
    """Of one channel, they are no dimension of a grid."""
    groups, geometry = 70000, ((1, 1), (0, 0), (1, 1), 70000)
    x, w = normal(1, groups, 1, 1), normal(groups, 1, 1, 1)
    np.testing.assert_array_equal(conv2d.forward(x, w, None, *geometry), x * w.reshape(x.shape))
    np.testing.assert_array_equal(conv2d.weight_grad(x, x, (1, 1), *geometry), (x * x).reshape(w.shape))
    with pytest.raises(ValueError, match=r"at most 65535 groups of [0-9]* channels, got 70000 groups of 2"):
        conv2d.input_grad(x, shaped(groups, 2, 1, 1), (1, 1), *geometry)


def test_more_numbers_a_channel_than_are_counted(emulated):
    x = shaped(2**15, 2, 2**16)
    message = "at most 2147418112 numbers of x a channel, got 2147483648"
    for refused in (
        lambda: channel_sums.forward(x, None),
        lambda: normalization.channel_forward(x, None, None, 1e-5),
        lambda: normalization.channel_backward(x, x, None, None, None, 1e-5),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


def test_more_rows_or_columns_than_are_counted(emulated):
    x = shaped(2**31 - 100, 1)
    for refused in (
        lambda: normalization.row_forward(x, None, None, 1e-5),
        lambda: normalization.row_backward(x, x, None, None, None, 1e-5),
    ):
        with pytest.raises(ValueError, match="at most 2147418112 rows, got 2147483548"):
            refused()
    with pytest.raises(ValueError, match="at most 2147418112 columns, got 2147483548"):
        grid_of_rows(1, 2**31 - 100)


def test_another_memory_order_of_more_pixels_than_are_counted(emulated, monkeypatch):
    """The last tile's columns would be counted beyond 2^31, to negative ones."""
    monkeypatch.setattr(counts, "MAX_COUNT", 50)
    for change, x in (
        (memory_order.channels_last, normal(2, 3, 17, 3)),
        (memory_order.channels_first, channels_last(normal(2, 3, 17, 3))),
    ):
        with pytest.raises(ValueError, match="at most 50 channels, or pixels an image, got 51"):
            change(x)
    assert not emulated.launches


@pytest.mark.parametrize("step", [*matmul.STEPS, matmul.TF32])
def test_a_product_of_more_rows_than_are_counted(emulated, monkeypatch, step):
    """The last tile's rows would be counted beyond 2^31, to negative ones, which are before the end and were stored."""
    monkeypatch.setattr(counts, "MAX_COUNT", 50)
    for a, b, message in (
        (normal(51, 2), normal(2, 3), "at most 50 rows of a, got 51"),
        (normal(3, 17, 2), normal(2, 3), "at most 50 rows of a, got 51"),  # one tall matrix
        (normal(3, 51), normal(51, 2), "at most 50 columns of a, got 51"),
    ):
        with pytest.raises(ValueError, match=message):
            matmul.forward(a, b, step)


@pytest.mark.parametrize("count", [counts.MAX_COUNT, 2**30 + 1])
@pytest.mark.parametrize("multiprocessors", [1, 132, 1000])
def test_the_last_part_ends_where_32_bits_do_not(monkeypatch, count, multiprocessors):
    """`first + per_part` is computed on the GPU, beyond the last number by less than 2^16 - 256."""
    runtime = EmulatedRuntime()
    runtime.multiprocessors = multiprocessors
    for threads in (8, 256):
        for blocks in (1, 1000, 2**20):
            _, per_part, parts = channel_sums._parts(count, 1, blocks, threads, runtime)
            assert (parts - 1) * per_part < count <= parts * per_part < 2**31 - 256
    _, per_part, (_, parts) = normalization._parts(count, 1, runtime)
    assert (parts - 1) * per_part < count <= parts * per_part < 2**31 - 256


def test_parts_are_whole_turns_of_eight_reads_a_thread():
    """A batch of 32 images of 56 x 56 pixels and 128 channels on an H200, by 8 thread rows."""
    runtime = EmulatedRuntime()
    runtime.multiprocessors = 132
    assert channel_sums._parts(100352, 128, 4, 8, runtime)[1:] == (768, 131)
    assert normalization._parts(100352, 128, runtime)[1:] == (768, (4, 131))
