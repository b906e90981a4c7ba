"""Every step of the matrix product's ladder, for any shape, order and alignment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidl.kernels import cuda
from minidl.kernels.cuda.gemm_tile import HALF, LARGE, MEDIUM, NARROW, choose_splits, choose_tile
from minidl.kernels.matmul import cuda_gpu
from tests.cuda.helpers import assert_close, dtypes, few_examples, set_multiprocessors, sizes, unaligned
from tests.cuda_emulator import EmulatedRuntime, memory_profile

pytestmark = pytest.mark.cuda


def operand(rng, shape, transposed, dtype):
    array = rng.standard_normal((*shape[:-2], shape[-1], shape[-2]) if transposed else shape).astype(dtype)
    return array.swapaxes(-1, -2) if transposed else array


def check(a, b, step, runtime, to_device, to_host, tolerance_factor=1.0):
    c = to_host(cuda_gpu.forward(to_device(a), to_device(b), step))
    a, b = a.astype("float64"), b.astype("float64")
    assert c.flags.c_contiguous
    assert_close(c, a @ b, tolerance_factor * (np.abs(a) @ np.abs(b)))


@pytest.mark.parametrize("step", cuda_gpu.STEPS)
@few_examples
@given(
    m=sizes, k=sizes, n=sizes, dtype=dtypes, transposed=st.tuples(st.booleans(), st.booleans()),
    multiprocessors=st.sampled_from([1, 4, 200]), seed=st.integers(0, 9),
)  # fmt: skip
@example(m=64, k=64, n=64, dtype="float32", transposed=(False, False), multiprocessors=4, seed=0)
@example(m=128, k=32, n=128, dtype="float32", transposed=(True, True), multiprocessors=1, seed=0)
@example(m=129, k=33, n=130, dtype="float32", transposed=(False, True), multiprocessors=1, seed=0)
@example(m=3, k=1000, n=5, dtype="float64", transposed=(True, False), multiprocessors=200, seed=0)
def test_any_shape(step, runtime, to_device, to_host, m, k, n, dtype, transposed, multiprocessors, seed):
    rng = np.random.default_rng(seed)
    set_multiprocessors(runtime, multiprocessors)
    a, b = operand(rng, (m, k), transposed[0], dtype), operand(rng, (k, n), transposed[1], dtype)
    check(a, b, step, runtime, to_device, to_host)


@pytest.mark.parametrize("step", cuda_gpu.STEPS)
@pytest.mark.parametrize(
    "a_batch, b_batch",
    [((3,), (3,)), ((2, 3), ()), ((), (4,)), ((2, 1), (3,)), ((1,), (1,)), ((5, 1, 2), (3, 1)), ((2, 3), (2, 3))],
)
def test_batches_broadcast(step, runtime, to_device, to_host, a_batch, b_batch):
    rng = np.random.default_rng(1)
    for transposed in (False, True):
        a = operand(rng, (*a_batch, 9, 20), transposed, "float32")
        b = operand(rng, (*b_batch, 20, 7), transposed, "float32")
        check(a, b, step, runtime, to_device, to_host)


@pytest.mark.parametrize("step", cuda_gpu.STEPS)
def test_strange_strides(step, runtime, to_device, to_host):
    rng = np.random.default_rng(2)
    wide = rng.standard_normal((40, 30, 3)).astype("float32")
    check(wide[::2, ::-1, 1], wide[:30, 5:25, 0], step, runtime, to_device, to_host)
    check(wide[:, :, :1], wide[:, :1, :], step, runtime, to_device, to_host)


@pytest.mark.parametrize("step", cuda_gpu.STEPS)
def test_unaligned_memory(step, runtime, to_host):
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal((64, 64)).astype("float32") for _ in range(2))
    c = to_host(cuda_gpu.forward(unaligned(a, runtime.xp), unaligned(b, runtime.xp), step))
    assert_close(c, a.astype("float64") @ b, np.abs(a) @ np.abs(b))


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_empty(runtime, to_host, shape):
    m, k, n = shape
    c = to_host(cuda_gpu.forward(runtime.empty((2, m, k), "float32"), runtime.empty((k, n), "float32")))
    assert c.shape == (2, m, n) and not c.any()


def linear_and_expected(rng, shape, x_transposed, w_transposed, with_bias, relu, dtype, to_device, step):
    rows, columns, k = shape
    x, w = operand(rng, (rows, columns), x_transposed, dtype), operand(rng, (k, columns), w_transposed, dtype)
    b = rng.standard_normal(k).astype(dtype) if with_bias else None
    y = cuda_gpu.linear(to_device(x), to_device(w), None if b is None else to_device(b), relu, step)
    x, w = x.astype("float64"), w.astype("float64")
    z = x @ w.T + (0 if b is None else b)
    scale = np.abs(x) @ np.abs(w.T) + (0 if b is None else np.abs(b))
    return y, np.maximum(z, 0) if relu else z, scale


@few_examples
@given(
    rows=sizes, columns=sizes, k=sizes, dtype=dtypes, transposed=st.tuples(st.booleans(), st.booleans()),
    with_bias=st.booleans(), relu=st.booleans(), multiprocessors=st.sampled_from([1, 4, 200]), seed=st.integers(0, 9),
)  # fmt: skip
@example(rows=64, columns=64, k=64, dtype="float32", transposed=(False, False), with_bias=True, relu=True,
         multiprocessors=1, seed=0)  # fmt: skip
@example(rows=129, columns=33, k=130, dtype="float32", transposed=(True, True), with_bias=True, relu=True,
         multiprocessors=1, seed=0)  # fmt: skip
@example(rows=3, columns=1000, k=5, dtype="float64", transposed=(False, False), with_bias=True, relu=True,
         multiprocessors=200, seed=0)  # fmt: skip
def test_linear(
    runtime, to_device, to_host, rows, columns, k, dtype, transposed, with_bias, relu, multiprocessors, seed
):
    set_multiprocessors(runtime, multiprocessors)
    y, expected, scale = linear_and_expected(
        np.random.default_rng(seed), (rows, columns, k), *transposed, with_bias, relu, dtype, to_device, "async"
    )
    assert_close(to_host(y), expected, scale)


def test_linear_in_tf32(runtime, to_device, to_host):
    for shape in ((130, 41, 129), (7, 600, 9)):
        arguments = (False, False, True, True, "float32", to_device, cuda_gpu.TF32)
        y, expected, scale = linear_and_expected(np.random.default_rng(1), shape, *arguments)
        assert_close(to_host(y), expected, scale * 2**-10 / 3e-6)


def test_linear_is_one_launch_where_the_sum_is_not_cut(runtime, to_device):
    if not isinstance(runtime, EmulatedRuntime):
        pytest.skip("launches are counted on the emulator")
    rng = np.random.default_rng(2)
    for columns, launches in ((20, {"matmul_async": 1}), (1000, {"matmul_async": 1, "add_parts": 1})):
        before = runtime.launches
        linear_and_expected(rng, (30, columns, 40), False, False, True, True, "float32", to_device, "async")
        assert runtime.launches - before == launches


@pytest.mark.parametrize("columns", [5, 1000])
@pytest.mark.parametrize("step", ["async", cuda_gpu.TF32])
def test_nan_stays_nan_in_relu(runtime, to_device, to_host, columns, step):
    x, w, b = np.ones((3, columns), "float32"), -np.ones((8, columns), "float32"), np.zeros(8, "float32")
    x[1, 2], b[3] = np.nan, np.nan
    y = to_host(cuda_gpu.linear(to_device(x), to_device(w), to_device(b), True, step))
    expected = np.zeros((3, 8))
    expected[1], expected[:, 3] = np.nan, np.nan
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("step", ["async", cuda_gpu.TF32])
def test_linear_of_nothing(runtime, to_device, to_host, step):
    x, w, b = runtime.empty((3, 0), "float32"), runtime.empty((2, 0), "float32"), np.array([-1, 2], "float32")
    for relu, expected in ((False, b), (True, np.maximum(b, 0))):
        y = cuda_gpu.linear(x, w, to_device(b), relu, step)
        np.testing.assert_array_equal(to_host(y), np.broadcast_to(expected, (3, 2)))
    x, w = runtime.empty((0, 4), "float32"), runtime.empty((2, 4), "float32")
    assert cuda_gpu.linear(x, w, None, True).shape == (0, 2)


def test_linear_takes_a_step_with_an_epilogue(runtime):
    x = runtime.empty((2, 2), "float32")
    with pytest.raises(ValueError, match="step must be one of async, tf32, got 'tiled'"):
        cuda_gpu.linear(x, x, None, False, "tiled")


@few_examples
@given(
    m=sizes, k=sizes, n=sizes, transposed=st.tuples(st.booleans(), st.booleans()),
    multiprocessors=st.sampled_from([1, 200]), seed=st.integers(0, 9),
)  # fmt: skip
@example(m=128, k=16, n=128, transposed=(False, False), multiprocessors=1, seed=0)
@example(m=128, k=64, n=128, transposed=(True, True), multiprocessors=1, seed=0)
@example(m=132, k=36, n=260, transposed=(False, True), multiprocessors=1, seed=0)
@example(m=130, k=41, n=129, transposed=(True, False), multiprocessors=1, seed=0)
@example(m=7, k=1000, n=9, transposed=(False, False), multiprocessors=200, seed=0)
def test_tf32(runtime, to_device, to_host, m, k, n, transposed, multiprocessors, seed):
    rng = np.random.default_rng(seed)
    set_multiprocessors(runtime, multiprocessors)
    a, b = operand(rng, (m, k), transposed[0], "float32"), operand(rng, (k, n), transposed[1], "float32")
    check(a, b, cuda_gpu.TF32, runtime, to_device, to_host, tolerance_factor=2**-10 / 3e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_tf32_with_batches_and_unaligned_memory(runtime, to_device, to_host, transposed):
    rng = np.random.default_rng(3)
    a, b = operand(rng, (3, 9, 20), transposed, "float32"), operand(rng, (3, 20, 7), transposed, "float32")
    check(a, b, cuda_gpu.TF32, runtime, to_device, to_host, tolerance_factor=2**-10 / 3e-6)
    a, b = (rng.standard_normal((64, 64)).astype("float32") for _ in range(2))
    arrays = [unaligned(array, runtime.xp) for array in (a, b)]
    if transposed:
        a, b, arrays = a.T, b.T, [array.T for array in arrays]
    c = to_host(cuda_gpu.forward(*arrays, cuda_gpu.TF32))
    assert_close(c, a.astype("float64") @ b, np.abs(a) @ np.abs(b) * 2**-10 / 3e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_tf32_rounds_to_nearest(runtime, to_device, to_host, transposed):
    last = 2.0**-10  # bit of the mantissa of 1
    x = np.array([1, 1 + 0.49 * last, 1 + 0.51 * last, 1 + last, -1 - 0.51 * last, 2.0**127, np.inf, -np.inf, np.nan])
    x = np.concatenate([x.astype("float32"), np.uint32([0x7FFFFFFF, 0xFFFFFFFF]).view("float32")])
    x = np.repeat(x[:, None], 2, 1)[:, :1] if transposed else x[:, None]
    y = to_host(cuda_gpu.forward(to_device(x), to_device(np.ones((1, 1), "float32")), cuda_gpu.TF32))[:, 0]
    expected = [1, 1, 1 + last, 1 + last, -1 - last, 2.0**127, np.inf, -np.inf, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(y, expected)


def test_tf32_has_no_bias(runtime, to_device, to_host):
    """The errors of rounding cancel in a sum, those of cutting off would add up to 0.7 / 1024 of it."""
    rng = np.random.default_rng(4)
    a, b = (rng.random(shape).astype("float32") for shape in ((20, 3000), (3000, 20)))
    c = to_host(cuda_gpu.forward(to_device(a), to_device(b), cuda_gpu.TF32))
    error = c / (a.astype("float64") @ b) - 1
    assert np.abs(error).max() < 0.1 / 1024


@pytest.mark.parametrize("step", ["naive", "tiled"])
def test_more_columns_than_a_grid_has(runtime, step):
    a, b = runtime.empty((1, 1), "float32"), runtime.empty((1, 32 * 65535 + 1), "float32")
    with pytest.raises(ValueError, match="b has 2097121 columns, more than 65535 tiles of this step cover; cut b"):
        cuda_gpu.forward(a, b, step)


def test_tf32_is_for_float32(runtime):
    with pytest.raises(ValueError, match="step 'tf32' takes float32 arrays, got float64"):
        cuda_gpu.forward(runtime.empty((2, 2), "float64"), runtime.empty((2, 2), "float64"), "tf32")
    with pytest.raises(ValueError, match="step must be one of naive, tiled, registers, async, tf32, got 'fast'"):
        cuda_gpu.forward(runtime.empty((2, 2), "float64"), runtime.empty((2, 2), "float64"), "fast")


def test_the_same_bits_every_time(runtime, to_device, to_host):
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((10, 3000)).astype("float32"), rng.standard_normal((3000, 10)).astype("float32")
    first, second = (to_host(cuda_gpu.forward(to_device(a), to_device(b))) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_choice_of_tiles_and_splits():
    single, double = np.dtype("float32"), np.dtype("float64")
    assert choose_tile(4096, 4096, 1, single, 132) == LARGE
    assert choose_tile(512, 512, 1, single, 132) == NARROW, "16 large blocks leave most of the GPU idle"
    assert choose_tile(100000, 32, 1, single, 132) == NARROW
    assert choose_tile(100000, 64, 1, single, 132) == HALF, "half of a large tile would be empty"
    assert choose_tile(25088, 128, 1, single, 132) == HALF, "196 large blocks: most multiprocessors wait for the others"
    assert choose_tile(4096, 4096, 1, double, 132) == MEDIUM
    assert choose_tile(8, 3_000_000, 1, single, 132) != NARROW, "a grid has at most 65535 tiles in y"
    assert choose_splits(blocks=256, k=2048, multiprocessors=132, most=65535) == (1, 2048), "they run at once as it is"
    assert choose_splits(blocks=1000, k=4096, multiprocessors=132, most=65535) == (1, 4096)
    assert choose_splits(blocks=1, k=100, multiprocessors=132, most=65535) == (1, 104)
    splits, length = choose_splits(blocks=1, k=100_000, multiprocessors=132, most=65535)
    assert splits <= 264 and length % 8 == 0 and (splits - 1) * length < 100_000 <= splits * length
    assert choose_splits(blocks=1, k=100_000, multiprocessors=132, most=1)[0] == 1
    assert choose_splits(blocks=1, k=0, multiprocessors=132, most=65535) == (1, 8), "a sum of nothing is stored too"


def traffic(step, a, b):
    """Sectors of global memory that a step loads, and the shared-memory wavefronts a request of its loads takes."""
    with cuda.use_runtime(EmulatedRuntime(profile=True)) as runtime:
        set_multiprocessors(runtime, 1)
        memory_profile()
        cuda_gpu.forward(a, b, step)
        rows = memory_profile()
    loads = [row for row in rows if row.operation == "load"]
    sectors = sum(row.requests * row.cost for row in loads if row.space == "global")
    return sectors, [(row.line, row.cost / row.least) for row in loads if row.space == "shared"]


def test_each_step_of_the_ladder_does_what_it_says():
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((128, 64)).astype("float32"), rng.standard_normal((64, 128)).astype("float32")
    naive, tiled, registers, last = (traffic(step, a, b) for step in cuda_gpu.STEPS)
    assert tiled[0] < naive[0] / 5, "tiles fetch each number once a block"
    assert registers[0] < tiled[0], "larger tiles fetch it less often still"
    assert last[0] <= registers[0]
    for _, shared in (tiled, last):
        assert shared and all(ratio <= 1 for _, ratio in shared), f"bank conflicts: {shared}"
    assert all(ratio == 0.5 for _, ratio in last[1]), f"lanes that share a vector are not served together: {last[1]}"


@pytest.mark.parametrize("a_transposed", [False, True])
@pytest.mark.parametrize("b_transposed", [False, True])
def test_tf32_meets_no_bank_conflict(a_transposed, b_transposed):
    rng = np.random.default_rng(7)
    a, b = operand(rng, (128, 48), a_transposed, "float32"), operand(rng, (48, 128), b_transposed, "float32")
    with cuda.use_runtime(EmulatedRuntime(profile=True)) as runtime:
        set_multiprocessors(runtime, 1)
        memory_profile()
        cuda_gpu.forward(a, b, cuda_gpu.TF32)
        rows = memory_profile()
    rows = [row for row in rows if row.space == "shared"]
    assert {row.operation for row in rows} == {"load", "store"}
    for row in rows:
        assert row.cost == row.least, f"{row.line}: {row.cost} wavefronts a {row.operation}, {row.least} would do"
