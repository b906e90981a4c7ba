"""Arrays of more numbers than 32 bits count. The emulator runs the same checks on small ones."""

from __future__ import annotations

import pytest

from minidl.kernels.activations import cuda_gpu as activations
from minidl.kernels.channel_sums import cuda_gpu as channel_sums
from minidl.kernels.conv2d import cuda_gpu as conv2d
from minidl.kernels.matmul import cuda_gpu as matmul
from minidl.kernels.memory_order import cuda_gpu as memory_order
from minidl.kernels.normalization import cuda_gpu as normalization
from minidl.kernels.optimizers import cuda_gpu as optimizers
from minidl.kernels.pool2d import cuda_gpu as pool2d
from minidl.kernels.softmax import cuda_gpu as softmax
from tests.cuda_emulator import EmulatedRuntime

pytestmark = pytest.mark.cuda
NEEDED = 40 * 2**30  # bytes: some checks have three arrays of 9 gigabytes, and some memory is left to other tests
PLAIN = ((1, 1), (0, 0), (1, 1), 1)  # stride, padding, dilation, groups
WINDOW = ((2, 2), (2, 2), (0, 0), (1, 1))


def last_ones(xp, *shape):
    """Zeros, but for ones in the last row, or the last pixel of images, which have channels last in memory."""
    x = xp.zeros(shape, "float32")
    x[(-1,) * (x.ndim - 1)] = 1
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


def is_last_only(y, value):
    """Whether the last row of y, or the last pixel, is `value`, and all else 0."""
    last = y[-1, :, -1, -1] if y.ndim == 4 else y[-1]
    return bool((last == value).all()) and int((y != 0).sum()) == last.size


def checks(xp, rows, images, height):
    """name: whether that kernel is right; the last numbers of `rows` x 1024, and of the images, have large indices."""
    x = last_ones(xp, rows, 1024)
    yield "relu_forward", is_last_only(activations.relu_forward(x), 1)
    yield "relu_backward", is_last_only(activations.relu_backward(x, x), 1)
    yield "matmul", is_last_only(matmul.forward(x, xp.ones((1024, 8), "float32")), 1024)
    yield "matmul, transposed", bool((matmul.forward(x.T, x) == 1).all())
    yield "softmax", bool((softmax.forward(x) == 1 / 1024).all())
    yield "row norm", not bool(normalization.row_forward(x, None, None, 1.0)[0].any())
    yield "channel sums", bool((channel_sums.forward(x, None) == 1).all())
    yield "channel norm", bool((normalization.channel_forward(x * rows, None, None, 1.0)[1] == 1).all())
    optimizers.sgd_step([x], [x], None, 2.0, 0.0, 0.0, 0.0, False)
    yield "sgd", is_last_only(x, -1)
    x, w = last_ones(xp, images, height, 2 * height, 32), xp.ones((32, 32, 1, 1), "float32")
    yield "conv2d", is_last_only(conv2d.forward(x, w, None, *PLAIN), 32)
    yield "conv2d, dx", is_last_only(conv2d.input_grad(x, w, x.shape[2:], *PLAIN), 32)
    yield "conv2d, dw", bool((conv2d.weight_grad(x, x, (1, 1), *PLAIN) == 1).all())
    yield "depthwise", is_last_only(conv2d.forward(x, w[:, :1], None, *PLAIN[:3], 32), 1)
    y, taps = pool2d.max_forward(x, *WINDOW, False)
    yield "max pooling", is_last_only(y, 1)
    yield "max pooling, dx", is_last_only(pool2d.max_scatter(y, taps, x.shape[2:], *WINDOW), 1)
    yield "memory order", is_last_only(memory_order.channels_first(x), 1)


def test_the_last_numbers_of_huge_arrays(runtime):
    if isinstance(runtime, EmulatedRuntime):
        sizes = 5, 3, 4
    else:
        if runtime.xp.cuda.runtime.memGetInfo()[0] < NEEDED:
            pytest.skip(f"the GPU has less than {NEEDED} bytes free")
        sizes = 2**21 + 3, 33, 1024  # 2^31 + 3072 numbers, and 33 * 2^26
    found = dict(checks(runtime.xp, *sizes))
    if not isinstance(runtime, EmulatedRuntime):
        runtime.xp.get_default_memory_pool().free_all_blocks()
    assert [name for name, right in found.items() if not right] == []
