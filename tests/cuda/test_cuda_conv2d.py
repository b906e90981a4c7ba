"""Convolution and its two gradients against the reference in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from minidl.kernels import cuda
from minidl.kernels.conv2d import cuda_gpu, output_size, reference
from tests.cuda.helpers import assert_close, dtypes, few_examples, set_multiprocessors
from tests.cuda_emulator import EmulatedRuntime, memory_profile

pytestmark = pytest.mark.cuda


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def check_all(case, dtype, runtime, to_device, to_host, channels_last=False, seed=0):
    n, group_channels, size, group_outputs, kernel_size, stride, padding, dilation, groups = case
    geometry = (stride, padding, dilation, groups)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, group_channels * groups, *size)).astype(dtype)
    w = rng.standard_normal((group_outputs * groups, group_channels, *kernel_size)).astype(dtype)
    b = rng.standard_normal(group_outputs * groups).astype(dtype)
    dy = rng.standard_normal((n, len(b), *output_size(size, kernel_size, stride, padding, dilation))).astype(dtype)
    if channels_last:
        x, dy = (np.ascontiguousarray(v.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for v in (x, dy))

    def compare(name, arguments, nhwc):
        got = getattr(cuda_gpu, name)(*(to_device(v) if isinstance(v, np.ndarray) else v for v in arguments))
        wide = [v.astype("float64") if isinstance(v, np.ndarray) else v for v in arguments]
        magnitudes = [np.abs(v) if isinstance(v, np.ndarray) else v for v in wide]
        expected, scale = (getattr(reference, name)(*v) for v in (wide, magnitudes))
        assert_close(to_host(got), expected, scale + scale.max() * 1e-6)
        assert (got.transpose(0, 2, 3, 1) if nhwc else got).flags.c_contiguous

    compare("forward", (x, w, b, *geometry), nhwc=True)
    compare("forward", (x, w, None, *geometry), nhwc=True)
    compare("input_grad", (dy, w, size, *geometry), nhwc=True)
    compare("weight_grad", (x, dy, kernel_size, *geometry), nhwc=False)


@few_examples
@given(
    n=st.integers(1, 3), size=pairs(1, 12), channels=st.integers(1, 9), outputs=st.sampled_from([1, 3, 8, 33]),
    kernel_size=pairs(1, 4), stride=pairs(1, 3), padding=pairs(0, 3), dilation=pairs(1, 2), groups=st.integers(1, 3),
    dtype=dtypes, channels_last=st.booleans(), multiprocessors=st.sampled_from([1, 4, 64]),
)  # fmt: skip
@example(2, (8, 8), 8, 64, (3, 3), (1, 1), (1, 1), (1, 1), 1, "float32", True, 1)  # whole tiles: 128 pixels, 64 outputs
@example(2, (9, 7), 2, 32, (3, 3), (2, 2), (1, 1), (1, 1), 2, "float32", True, 4)
@example(1, (12, 12), 1, 3, (5, 5), (1, 1), (2, 2), (1, 1), 3, "float64", False, 4)
def test_any_geometry(
    runtime, to_device, to_host, n, size, channels, outputs, kernel_size, stride, padding, dilation, groups, dtype,
    channels_last, multiprocessors,
):  # fmt: skip
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True)]
    assume(all(r <= s + 2 * p for r, s, p in zip(reach, size, padding, strict=True)))
    set_multiprocessors(runtime, multiprocessors)
    case = (n, channels, size, outputs, kernel_size, stride, padding, dilation, groups)
    check_all(case, dtype, runtime, to_device, to_host, channels_last)


@pytest.mark.parametrize("multiprocessors", [1, 60])
def test_large_tiles_and_long_sums(runtime, to_device, to_host, multiprocessors):
    """One multiprocessor: tiles of 128 x 128, and the sum of the weight gradient in one piece; 60: in many."""
    set_multiprocessors(runtime, multiprocessors)
    case = (2, 5, (13, 12), 130, (2, 2), (1, 1), (1, 0), (1, 1), 1)
    check_all(case, "float32", runtime, to_device, to_host)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("multiplier", [1, 2, 5])  # 5 output channels a group are for the tiles again
@pytest.mark.parametrize("stride, padding, dilation", [((1, 1), (1, 1), (1, 1)), ((2, 3), (0, 2), (1, 2))])
def test_depthwise(runtime, to_device, to_host, stride, padding, dilation, multiplier, dtype):
    case = (2, 1, (9, 8), multiplier, (3, 2), stride, padding, dilation, 33)
    check_all(case, dtype, runtime, to_device, to_host, channels_last=True)
    if isinstance(runtime, EmulatedRuntime):
        for name in ("forward", "input_grad", "weight_grad"):
            launched = [kernel for kernel in runtime.launches if name in kernel]
            assert [kernel.startswith("depthwise") for kernel in launched] == [multiplier < 5]


@pytest.mark.parametrize("multiprocessors", [1, 132])
@pytest.mark.parametrize(
    "size, kernel_size, padding",
    [
        ((3, 150), (1, 9), (0, 4)),  # a row in pieces, its taps in two blocks
        ((1, 129), (1, 8), (0, 0)),
        ((7, 7), (7, 7), (3, 3)),
        ((40, 2), (3, 3), (1, 1)),  # more pieces than a block takes
    ],
)
def test_depthwise_weight_gradient(runtime, to_device, to_host, size, kernel_size, padding, multiprocessors):
    set_multiprocessors(runtime, multiprocessors)
    case = (3, 1, size, 1, kernel_size, (1, 1), padding, (1, 1), 32)
    check_all(case, "float32", runtime, to_device, to_host, channels_last=True)


def test_a_long_depthwise_sum_keeps_its_digits(runtime, to_device, to_host):
    """10,000 products near 1, of which a sum in float32 would lose two digits."""
    rng = np.random.default_rng(3)
    x, dy = (1 + rng.random((4, 2, 50, 50), "float32") for _ in range(2))
    got = to_host(cuda_gpu.weight_grad(to_device(x), to_device(dy), (1, 1), (1, 1), (0, 0), (1, 1), 2))
    np.testing.assert_allclose(got.ravel(), (x.astype("float64") * dy).sum((0, 2, 3)), rtol=5e-7)


@pytest.mark.parametrize("kernel_size, stride", [((1, 1), (1, 1)), ((1, 1), (2, 2)), ((4, 4), (4, 4))])
def test_pointwise_and_patches(runtime, to_device, to_host, kernel_size, stride):
    check_all((2, 16, (8, 8), 12, kernel_size, stride, (0, 0), (1, 1), 1), "float32", runtime, to_device, to_host)


def test_input_pixels_that_no_window_reads_have_no_gradient(runtime, to_device, to_host):
    dy, w = np.ones((1, 1, 2, 2), "float32"), np.ones((1, 1, 1, 1), "float32")
    dx = to_host(cuda_gpu.input_grad(to_device(dy), to_device(w), (4, 4), (2, 2), (0, 0), (1, 1), 1))
    np.testing.assert_array_equal(dx[0, 0], [[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4])


@given(divisor=st.integers(1, 2**31 - 1), n=st.integers(0, 2**31 - 1), quotient=st.integers(0, 2**31 - 1))
@example(1, 2**31 - 1, 0)
@example(2**31 - 1, 2**31 - 1, 1)
@example(2**30 + 1, 2**31 - 1, 1)
def test_division_by_multiplication(divisor, n, quotient):
    """`Divisor` in the integers of Python: exact for any number of 31 bits, also beside a multiple of the divisor."""
    factor, shift = cuda_gpu.multiplier(divisor), (divisor - 1).bit_length()
    beside = quotient % (2**31 // divisor) * divisor
    for number in (n, beside, max(0, beside - 1)):
        assert factor < 2**32 and 2 * number * factor >> 32 >> shift == number // divisor
    for number in (-1, -n - 1, -beside, -(2**31)):  # as unsigned, 32 bits of twice the number
        remainder = number - ((2 * number % 2**32 * factor >> 32) >> shift) * divisor
        assert -(2**31) <= remainder < 0 or number == 0


def test_an_empty_batch(runtime, to_device, to_host):
    rng = np.random.default_rng(0)
    x, w = np.zeros((0, 3, 5, 5), "float32"), rng.standard_normal((4, 3, 2, 2)).astype("float32")
    geometry = ((1, 1), (0, 0), (1, 1), 1)
    y = cuda_gpu.forward(to_device(x), to_device(w), None, *geometry)
    assert y.shape == (0, 4, 4, 4)
    assert cuda_gpu.input_grad(y, to_device(w), (5, 5), *geometry).shape == x.shape
    dw = to_host(cuda_gpu.weight_grad(to_device(x), y, (2, 2), *geometry))
    assert dw.shape == w.shape and not dw.any()


@pytest.mark.parametrize("outputs, groups", [(3, 1), (2, 2)])
def test_the_weight_gradient_has_the_same_bits_every_time(runtime, to_device, to_host, outputs, groups):
    rng = np.random.default_rng(1)
    x, dy = (rng.standard_normal((4, c, *size)).astype("float32") for c, size in ((2, (20, 20)), (outputs, (18, 18))))
    first, second = (
        to_host(cuda_gpu.weight_grad(to_device(x), to_device(dy), (3, 3), (1, 1), (0, 0), (1, 1), groups))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_memory_is_used_well():
    """Neighbouring lanes read neighbouring channels: whole sectors, and no bank conflicts on the way."""
    rng = np.random.default_rng(2)
    runtime = EmulatedRuntime(profile=True)
    x, w = runtime.empty((2, 8, 8, 32), "float32"), rng.standard_normal((32, 32, 3, 3)).astype("float32")
    x[...] = rng.standard_normal(x.shape)
    x = x.transpose(0, 3, 1, 2)  # channels last: read where it lies, which begins at a sector
    with cuda.use_runtime(runtime):
        memory_profile()
        y = cuda_gpu.forward(x, w, None, (1, 1), (1, 1), (1, 1), 1)
        cuda_gpu.weight_grad(x, y, (3, 3), (1, 1), (1, 1), (1, 1), 1)
        rows = [row for row in memory_profile() if row.line.startswith(("gemm_tile", "result_tile"))]
    _check_profile(rows)


def test_depthwise_memory_is_used_well():
    rng = np.random.default_rng(2)
    runtime = EmulatedRuntime(profile=True)
    x, w = runtime.empty((2, 8, 8, 64), "float32"), rng.standard_normal((64, 1, 3, 3)).astype("float32")
    x[...] = rng.standard_normal(x.shape)
    x = x.transpose(0, 3, 1, 2)
    with cuda.use_runtime(runtime):
        memory_profile()
        y = cuda_gpu.forward(x, w, None, (1, 1), (1, 1), (1, 1), 64)
        cuda_gpu.weight_grad(x, y, (3, 3), (1, 1), (1, 1), (1, 1), 64)
        lines = cuda_gpu.DEPTHWISE_SOURCE.read_text().splitlines()
        turned = next(i for i, line in enumerate(lines, 1) if " dw[" in line and "elements" in line)  # few, and last
        rows = [row for row in memory_profile() if row.line.startswith(("cuda_gpu_depthwise", "thread_rows"))]
    _check_profile([row for row in rows if not row.line.endswith(f":{turned}")])


def _check_profile(rows):
    assert {(row.space, row.operation) for row in rows} == {
        (s, o) for s in ("global", "shared") for o in ("load", "store")
    }
    for row in rows:
        assert row.cost <= row.least * (1.0 if row.space == "shared" else 1.6), row


def test_images_in_the_other_order_are_turned_by_the_kernel_for_that(runtime, to_device):
    """A copy by the array library reads numbers that are H*W apart from lane to lane."""
    if not isinstance(runtime, EmulatedRuntime):
        pytest.skip("launches are counted on the emulator")
    geometry = ((1, 1), (0, 0), (1, 1), 1)
    x, w = to_device(np.ones((2, 5, 4, 4), "float32")), to_device(np.ones((3, 5, 1, 1), "float32"))
    y = cuda_gpu.forward(x, w, None, *geometry)
    assert runtime.launches["transpose_images"] == 1
    cuda_gpu.weight_grad(x, y, (1, 1), *geometry)
    assert runtime.launches["transpose_images"] == 2, "y has channels last in memory"
