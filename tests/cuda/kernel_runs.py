"""Runs of the CUDA kernels against their references, on an odd shape and on whole tiles each, on the runtime in use."""

from __future__ import annotations

import numpy as np

from minidl.kernels.activations import cuda_gpu as activations
from minidl.kernels.activations import reference as activations_reference
from minidl.kernels.channel_sums import cuda_gpu as channel_sums
from minidl.kernels.conv2d import cuda_gpu as conv2d
from minidl.kernels.conv2d import reference as conv2d_reference
from minidl.kernels.conv2d_relu_pool import cuda_gpu as relu_pool
from minidl.kernels.conv2d_relu_pool import reference as relu_pool_reference
from minidl.kernels.cross_entropy import cuda_gpu as cross_entropy
from minidl.kernels.cross_entropy import reference as cross_entropy_reference
from minidl.kernels.dropout import cuda_gpu as dropout
from minidl.kernels.dropout import reference as dropout_reference
from minidl.kernels.matmul import cuda_gpu as matmul
from minidl.kernels.memory_order import cuda_gpu as memory_order
from minidl.kernels.normalization import cuda_gpu as normalization
from minidl.kernels.normalization import reference as normalization_reference
from minidl.kernels.optimizers import cuda_gpu as optimizers
from minidl.kernels.optimizers import reference as optimizers_reference
from minidl.kernels.pool2d import cuda_gpu as pool2d
from minidl.kernels.pool2d import reference as pool2d_reference
from minidl.kernels.recurrent import cuda_gpu as recurrent
from minidl.kernels.recurrent import reference as recurrent_reference
from minidl.kernels.softmax import cuda_gpu as softmax
from minidl.kernels.softmax import reference as softmax_reference
from tests.cuda.helpers import assert_close, unaligned


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def integers(*shape):
    return np.round(5 * normal(*shape))


def run_matmul(step, *shapes):
    for m, k, n in shapes:
        a, b = normal(m, k), normal(k, n)
        assert_close(matmul.forward(a, b, step), a.astype("float64") @ b, np.abs(a) @ np.abs(b))


def run_naive():
    run_matmul("naive", (9, 5, 35), (8, 8, 32))


def run_tiled():
    run_matmul("tiled", (33, 40, 35), (32, 64, 32))


def run_registers():
    run_matmul("registers", (65, 9, 67), (64, 16, 64))


def run_async():
    run_matmul("async", (65, 33, 67), (64, 64, 64))


def run_async_across():
    """Operands that are not contiguous along the sum: whole tiles in vectors, odd ones one by one."""
    for m, k, n in ((65, 33, 67), (64, 64, 64)):
        a, b = normal(k, m).T, normal(k, n)
        assert_close(matmul.forward(a, b), a.astype("float64") @ b, np.abs(a) @ np.abs(b))
    a, b = normal(64, 64).T, unaligned(normal(64, 64), np)
    assert_close(matmul.forward(a, b), a.astype("float64") @ b, np.abs(a) @ np.abs(b))


def run_tf32():
    """Every order of the operands; whole slices in vectors, odd ones one by one; splits. Integers need no rounding."""
    for m, k, n in ((128, 32, 128), (67, 41, 129), (4, 20, 8), (5, 1003, 7)):
        for a_transposed, b_transposed in ((0, 0), (0, 1), (1, 0), (1, 1)):
            a = integers(k, m).T if a_transposed else integers(m, k)
            b = integers(n, k).T if b_transposed else integers(k, n)
            np.testing.assert_array_equal(matmul.forward(a, b, "tf32"), a @ b)
    a, b = integers(64, 64), unaligned(integers(64, 64), np)
    np.testing.assert_array_equal(matmul.forward(a, b, "tf32"), a @ b)


def run_tf32_rounding():
    a, b = np.full((3, 40), 1 + 0.6 * 2.0**-10, "float32"), np.ones((40, 5), "float32")
    np.testing.assert_array_equal(matmul.forward(a, b, "tf32"), 40 * (1 + 2.0**-10))


def run_many_tiles():
    """More tiles than a strip has, and the last strip not full."""
    run_matmul("async", (64 * 18, 8, 130))


def run_split():
    run_matmul("async", (5, 1000, 7), (16, 512, 16), (5, 2500, 7))


def run_linear():
    """Bias and ReLU where the sum is stored: by the product itself, and behind the parts of a long sum."""
    for rows, columns, k in ((65, 33, 67), (64, 64, 64), (5, 1000, 7), (16, 512, 16)):
        x, w, b = normal(rows, columns), normal(k, columns), normal(k + 1)[1:] * columns
        x[1, 2] = np.nan
        z = x.astype("float64") @ w.T + b
        y = matmul.linear(x, w, b, True)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(z))
        x[1, 2] = 0
        scale = np.abs(x) @ np.abs(w.T) + np.abs(b)
        assert_close(matmul.linear(x, w, b, True), np.maximum(x.astype("float64") @ w.T + b, 0), scale)


def run_conv2d():
    for n, c, size, k, kernel, stride, padding, dilation, groups in (
        (2, 4, (8, 8), 8, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        (1, 4, (9, 11), 12, (2, 3), (2, 3), (1, 2), (2, 1), 2),
        (1, 6, (5, 4), 6, (2, 2), (1, 1), (1, 1), (1, 1), 1),
    ):
        geometry = (stride, padding, dilation, groups)
        x, w = normal(n, c, *size), normal(k, c // groups, *kernel)
        dy = normal(*conv2d_reference.forward(x, w, None, *geometry).shape)
        for name, arguments in (
            ("forward", (x, w, None)), ("input_grad", (dy, w, size)), ("weight_grad", (x, dy, kernel)),
        ):  # fmt: skip
            assert_close(
                getattr(conv2d, name)(*arguments, *geometry), getattr(conv2d_reference, name)(*arguments, *geometry)
            )


def run_depthwise():
    geometry = ((2, 1), (1, 1), (1, 1), 35)
    x, w, dy = normal(2, 35, 9, 8), normal(70, 1, 3, 3), normal(2, 70, 5, 8)
    assert_close(conv2d.forward(x, w, None, *geometry), conv2d_reference.forward(x, w, None, *geometry))
    arguments = (dy, w, (9, 8), *geometry)
    assert_close(conv2d.input_grad(*arguments), conv2d_reference.input_grad(*arguments))


def run_depthwise_dw():
    """Rows that fill their pieces and not, taps that fill their threads and not, channels that fill a warp and not."""
    for groups, size, kernel_size in ((35, (3, 131), (2, 9)), (64, (70, 5), (3, 3))):
        geometry = ((1, 1), (1, 1), (1, 1), groups)
        x = normal(2, groups, *size)
        dy = normal(*conv2d_reference.forward(x, normal(groups, 1, *kernel_size), None, *geometry).shape)
        dw, scale = (
            conv2d_reference.weight_grad(*arrays, kernel_size, *geometry)
            for arrays in ((x, dy), (np.abs(x), np.abs(dy)))
        )
        assert_close(conv2d.weight_grad(x, dy, kernel_size, *geometry), dw, scale)


def run_channel_sums():
    for shape in ((33, 35), (64, 32), (2100, 33), (2, 5, 9, 9), (3, 2, 256), (3, 2, 6000)):
        x = normal(*shape)
        assert_close(channel_sums.forward(x, x), (x.astype("float64") ** 2).sum((0, *range(2, x.ndim))))


def run_pool2d():
    for size, kernel, stride, padding in (
        ((8, 8), (2, 2), (2, 2), (0, 0)),
        ((10, 6), (3, 2), (2, 1), (1, 1)),
        ((9, 7), (3, 2), (2, 1), (1, 1)),
    ):
        window = (kernel, stride, padding, (1, 1))
        for channels in (7, 16):  # one by one, and in vectors
            x = np.random.default_rng(0).integers(0, 3, (2, channels, *size)).astype("float32")
            y, taps = pool2d.max_forward(x, *window, False)
            np.testing.assert_array_equal(taps, pool2d_reference.max_forward(x, *window, False)[1])
        x, dy = normal(*x.shape), normal(*y.shape)
        assert_close(pool2d.max_scatter(dy, taps, size, *window), pool2d_reference.max_scatter(dy, taps, size, *window))
        rest = (*window[:3], False, False)
        assert_close(pool2d.avg_forward(x, *rest), pool2d_reference.avg_forward(x, *rest))
        assert_close(pool2d.avg_input_grad(dy, size, *rest), pool2d_reference.avg_input_grad(dy, size, *rest))


def run_relu_pool():
    geometry = ((1, 1), (0, 0), (1, 1), 1)
    for size, pool_size in (((9, 8), (2, 3)), ((8, 8), (2, 2)), ((5, 7), (1, 1))):
        x, w, b = normal(2, 3, *size), normal(8, 3, 1, 1), normal(8)
        y, taps = relu_pool.forward(x, w, b, pool_size, *geometry)
        expected, expected_taps = relu_pool_reference.forward(x, w, b, pool_size, *geometry)
        assert_close(y, expected)
        np.testing.assert_array_equal(taps, expected_taps)
        arguments = (normal(*y.shape), taps, x, w, pool_size, True, *geometry)
        wanted = relu_pool_reference.backward(*arguments)
        for got, gradient in zip(relu_pool.backward(*arguments), wanted, strict=True):
            assert_close(got, gradient)


def run_softmax():
    for shape in ((3, 33), (8, 32), (2, 1030), (2, 2048)):
        x = normal(*shape)
        assert_close(softmax.forward(x), softmax_reference.forward(x.astype("float64")))


def run_cross_entropy():
    for rows, columns in ((3, 33), (8, 32), (2, 1030), (2, 2048), (300, 3)):
        x, target, weight = normal(rows, columns), np.arange(rows) % columns, np.abs(normal(columns)) + 1
        expected, total = cross_entropy_reference.forward(x.astype("float64"), target, weight.astype("float64"), 1)
        losses, got_total = cross_entropy.forward(x, target, weight, 1)
        assert_close(losses, expected)
        assert_close(got_total, total)
        for dlosses in (x[:, 0], np.array(0.5, "float32")):
            expected = cross_entropy_reference.backward(dlosses, x, target, weight, 1)
            assert_close(cross_entropy.backward(dlosses, x, target, weight, 1), expected, scale=3.0)


def run_activations():
    for size in (1024, 1027):
        x, dy = 3 * normal(size), normal(size)
        for name in ("relu", "tanh", "silu"):
            got = getattr(activations, f"{name}_forward")(x)
            assert_close(got, getattr(activations_reference, f"{name}_forward")(x))
            got = getattr(activations, f"{name}_backward")(dy, x)
            assert_close(got, getattr(activations_reference, f"{name}_backward")(dy, x))


def run_activations_unaligned():
    for size in (1024, 1027):
        x = unaligned(normal(size), np)
        assert_close(activations.tanh_forward(x), np.tanh(x))


def run_dropout():
    nhwc = normal(2, 5, 7, 3)
    for x in (normal(1024), normal(1027), unaligned(normal(1024), np), nhwc.transpose(0, 3, 1, 2)):
        np.testing.assert_allclose(
            dropout.forward(x, 0.3, 2**40 + 5), dropout_reference.forward(x, 0.3, 2**40 + 5), 1e-6
        )


def run_normalization():
    for shape in ((2, 33, 9, 31), (64, 32)):
        x, dy, w, b = normal(*shape) + 100, normal(*shape), normal(shape[1]), normal(shape[1] + 1)[1:]
        expected = normalization_reference.channel_forward(x, w, b, 1e-5)
        for got, wanted in zip(normalization.channel_forward(x, w, b, 1e-5), expected, strict=True):
            assert_close(got, wanted)
        wanted = normalization_reference.channel_backward(dy, x, *expected[1:], w, 1e-5)
        gradients = normalization.channel_backward(dy, x, *expected[1:], w, 1e-5)
        for got, gradient in zip(gradients, wanted, strict=True):
            assert_close(got, gradient)


def run_normalization_of_rows():
    for shape in ((300, 33), (9, 1030)):
        x, dy, w, b = normal(*shape) + 1000, normal(*shape), normal(shape[1]), normal(shape[1] + 1)[1:]
        expected = normalization_reference.row_forward(x, w, b, 1e-5)
        wanted = normalization_reference.row_backward(dy, x, *expected[1:], w, 1e-5)
        got = normalization.row_forward(x, w, b, 1e-5)
        gradients = normalization.row_backward(dy, x, *expected[1:], w, 1e-5)
        for ours, theirs in zip((*got, *gradients), (*expected, *wanted), strict=True):
            assert_close(ours, theirs)


def run_optimizers():
    shapes = [(700,), (3,), (256,), (5000,)]
    for step, states, rest in (
        ("sgd_step", 1, (0.1, 0.9, 0.2, 0.1, False)),
        ("adam_step", 3, (0.1, 0.9, 0.999, 1e-8, 0.1, False)),
        ("rmsprop_step", 3, (0.1, 0.9, 1e-8, 0.1, 0.9)), ("adagrad_step", 1, ([2, 3, 4, 5], 0.1, 0.1, 1e-8, 0.1)),
    ):  # fmt: skip
        ours = [[normal(*shape) ** 2 + i for shape in shapes] for i in range(2 + states)]
        ours[3 if step == "rmsprop_step" else 2] = [array * 100 for array in ours[2]]  # v - g^2 must not be negative
        ours[4:] = [[array[::-1].copy() for array in arrays] for arrays in ours[4:]]  # now above v, now below
        theirs = [[array.copy() for array in arrays] for arrays in ours]
        if step == "rmsprop_step":
            for lists in (ours, theirs):
                lists[2], lists[3] = lists[3], lists[2]
        steps = ([2, 3, 4, 5],) if step == "adam_step" else ()
        getattr(optimizers, step)(*ours[:4], *steps, *ours[4:], *rest)
        getattr(optimizers_reference, step)(*theirs[:4], *steps, *theirs[4:], *rest)
        for got, expected in zip(sum(ours, []), sum(theirs, []), strict=True):
            assert_close(got, expected)


def run_recurrent():
    for n, hidden in ((3, 35), (4, 64)):
        x, h0, c0 = normal(3, n, 5), normal(n, hidden), normal(n, hidden)
        for cell, parts in (("rnn", 1), ("lstm", 4), ("gru", 3)):
            weights = normal(parts * hidden, 5) / 4, normal(parts * hidden, hidden) / 8
            inputs = (x, h0, *([c0] if cell == "lstm" else []), *weights)
            option, biases = (("tanh",) if cell == "rnn" else ()), (normal(parts * hidden), normal(parts * hidden) / 2)
            wanted = getattr(recurrent_reference, f"{cell}_forward")(*inputs, *biases, *option, False)
            got = getattr(recurrent, f"{cell}_forward")(*inputs, *biases, *option, False)
            wanted, got = ((value,) if isinstance(value, np.ndarray) else value for value in (wanted, got))
            for ours, expected in zip(got, wanted, strict=True):
                assert_close(ours, expected, scale=3.0)
            given = (normal(3, n, hidden), h0, *([c0] if cell == "lstm" else []))
            expected = getattr(recurrent_reference, f"{cell}_backward")(*inputs, *wanted, *given, *option, False, True)
            got = getattr(recurrent, f"{cell}_backward")(*inputs, *wanted, *given, *option, False, True)
            for ours, theirs in zip(got, expected, strict=True):
                assert_close(ours, theirs, scale=10 * np.abs(theirs).max())


def run_memory_order():
    for shape in ((2, 35, 7, 5), (1, 32, 8, 8)):
        x = normal(*shape)
        last = memory_order.channels_last(x)
        np.testing.assert_array_equal(last, x)
        np.testing.assert_array_equal(memory_order.channels_first(last), x)
