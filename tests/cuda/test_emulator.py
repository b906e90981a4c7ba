"""The emulator itself: what CUDA C means, and each fault it is there to find, with the thread and the line."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.cuda_emulator import EmulatedModule, EmulatedRuntime, EmulatorError, build, memory_profile

pytestmark = pytest.mark.cuda


def launch(body, *arrays, parameters="const float* x, float* y, int n", block=64, grid=1, before="", **kw):
    """Run one kernel with this body on `arrays` and their common length; return its module."""
    code = f'#line 1 "test.cu"\n{before}\nextern "C" __global__ void kernel({parameters}) {{\n{body}\n}}\n'
    module = EmulatedModule(code=code, **kw)
    size = np.int32(arrays[-1].size)
    grid, block = np.atleast_1d(grid).tolist(), np.atleast_1d(block).tolist()
    module.get_function("kernel")(grid, block, (*arrays, size))
    return module


def floats(n, value=np.nan):
    return np.full(n, value, "float32")


# ---- what it computes ----


@pytest.mark.parametrize("order", ["forward", "reverse", "shuffled"])
@pytest.mark.parametrize("check", [True, False])
def test_blocks_threads_shared_memory_and_barriers(order, check):
    x, y = np.arange(150, dtype="float32"), floats(150)
    body = """
  __shared__ float tile[50];
  const int i = blockIdx.x * blockDim.x * blockDim.y + threadIdx.y * blockDim.x + threadIdx.x;
  const int own = threadIdx.y * blockDim.x + threadIdx.x;
  tile[own] = x[i];
  __syncthreads();
  y[i] = tile[49 - own] + 1000 * gridDim.x;"""
    launch(body, x, y, grid=3, block=(10, 5), order=order, check=check)
    np.testing.assert_array_equal(y, x.reshape(3, 50)[:, ::-1].ravel() + 3000)


def test_shuffles_votes_and_lanes():
    y = floats(64 * 6)
    body = """
  const int t = threadIdx.x, lane = t % 32;
  y[t] = __shfl_sync(0xffffffffu, (float)t, 5);
  y[64 + t] = __shfl_up_sync(0xffffffffu, (float)t, 1, 16);
  y[128 + t] = __shfl_down_sync(0xffffffffu, (float)t, 2);
  y[192 + t] = __shfl_xor_sync(0xffffffffu, (double)t, 1, 8);
  y[256 + t] = (float)__popc(__ballot_sync(0xffffffffu, lane < 7));
  y[320 + t] = __any_sync(0xffffffffu, t == 40) + 2 * __all_sync(0xffffffffu, t < 32);"""
    launch(body, y, parameters="float* y, int n")
    t = np.arange(64)
    lane, warp = t % 32, t - t % 32
    expected = [
        warp + 5,
        np.where(lane % 16 == 0, t, t - 1),
        np.where(lane < 30, t + 2, t),
        t ^ 1,
        np.full(64, 7),
        np.where(t < 32, 2, 1),
    ]
    np.testing.assert_array_equal(y.reshape(6, 64), expected)


def test_a_part_of_a_warp_can_shuffle_by_its_mask():
    y = floats(32)
    body = "  const int t = threadIdx.x; y[t] = t < 8 ? __shfl_xor_sync(0xffu, (float)t, 7) : -1;"
    launch(body, y, parameters="float* y, int n", block=32)
    np.testing.assert_array_equal(y, [7, 6, 5, 4, 3, 2, 1, 0, *[-1] * 24])


def test_atomics_between_blocks():
    counts, total = np.zeros(4, "int32"), np.zeros(1, "float64")
    body = """
  atomicAdd(&counts[threadIdx.x % 4], 1);
  atomicAdd(total, 0.5);"""
    code = f'extern "C" __global__ void kernel(int* counts, double* total) {{{body}}}'
    EmulatedModule(code=code).get_function("kernel")((3,), (40,), (counts, total))
    np.testing.assert_array_equal(counts, [30] * 4)
    assert total == 60


def test_vector_types():
    x, y = np.arange(256, dtype="float32"), floats(256)
    body = """
  __shared__ __align__(16) float pool[256];
  float4* vectors = (float4*)pool;
  vectors[threadIdx.x] = ((const float4*)x)[threadIdx.x];
  __syncthreads();
  const float4 v = vectors[63 - threadIdx.x];
  ((float4*)y)[threadIdx.x] = make_float4(v.w, v.z, v.y, v.x);"""
    launch(body, x, y)
    np.testing.assert_array_equal(y, x[::-1])


MATMUL_16x8x8 = """
#include "tensor_core.cuh"
extern "C" __global__ void multiply(const float* a, const float* b, float* c) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  unsigned pa[4], pb[2];
  float zero[4] = {}, d[4];
  for (int i = 0; i < 4; i++) pa[i] = to_tf32(a[(g + 8 * (i % 2)) * 8 + t + 4 * (i / 2)]);
  for (int i = 0; i < 2; i++) pb[i] = to_tf32(b[(t + 4 * i) * 8 + g]);
  mma_tf32_16x8x8(d, pa, pb, zero);
  for (int i = 0; i < 4; i++) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = d[i];
}
"""


def test_tensor_core(runtime, to_device, to_host, tmp_path):
    from minidl.kernels.cuda import CudaModule

    (tmp_path / "multiply.cu").write_text(MATMUL_16x8x8)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((16, 8)).astype("float32"), rng.standard_normal((8, 8)).astype("float32")
    c = runtime.empty((16, 8), "float32")
    multiply = CudaModule(tmp_path / "multiply.cu").get_function("multiply")
    multiply((1,), (32,), (to_device(a), to_device(b), c))
    error = np.abs(to_host(c) - a.astype("float64") @ b).max()
    assert 1e-5 < error < 1e-2, "TF32 has 10 bits of mantissa: neither fewer nor those of a float"


LOAD_MATRICES = """
#include "tensor_core.cuh"
extern "C" __global__ void load(const unsigned* x, unsigned* y) {
  __shared__ __align__(16) unsigned lines[32 * 4];
  for (int i = 0; i < 4; i++) lines[threadIdx.x * 4 + i] = x[threadIdx.x * 4 + i];
  __syncthreads();
  unsigned d[4];
  load_matrices(d, &lines[threadIdx.x * 4]);
  for (int i = 0; i < 4; i++) y[i * 32 + threadIdx.x] = d[i];
}
"""


def test_load_matrices(runtime, to_device, to_host, tmp_path):
    """Lane l gets element [l / 4][l % 4] of each matrix of 8 x 4: the lines in their order, if all are side by side."""
    from minidl.kernels.cuda import CudaModule

    (tmp_path / "load.cu").write_text(LOAD_MATRICES)
    x, y = np.arange(128, dtype="uint32"), runtime.empty(128, "uint32")
    CudaModule(tmp_path / "load.cu").get_function("load")((1,), (32,), (to_device(x), y))
    np.testing.assert_array_equal(to_host(y), x)


# ---- the faults it finds ----

FAULTS = {
    "read out of bounds": ("y[t] = x[t + 1];", "out-of-bounds read of 4 bytes at byte 256 of 'x'"),
    "write out of bounds": ("y[t - 1] = 0;", "out-of-bounds write of 4 bytes at byte -4 of 'y'"),
    "far out of bounds": ("y[1 << 28] = 0;", "far from every array"),
    "shared array overrun": (
        "__shared__ float s[63]; s[t] = 0;",
        "out-of-bounds write of 4 bytes at byte 252 of 's'",
    ),
    "too much static shared memory": ("__shared__ float s[12289]; s[t] = 0;", "49156 bytes of static shared memory"),
    "misaligned vector": (
        "if (t == 3) *(float4*)y = *(const float4*)(x + 1);",
        "misaligned access: 16 bytes",
    ),
    "shared array not aligned for vectors": (
        "__shared__ float s[64]; s[t] = 0; __syncthreads(); if (t < 32) ((float2*)y)[t] = ((float2*)s)[t];",
        "misaligned access: 8 bytes",
    ),
    "uninitialised shared memory": (
        "__shared__ float s[64]; if (t != 7) s[t] = 0; __syncthreads(); y[t] = s[t];",
        r"uninitialised shared memory, 's' at byte 28 .*thread \(7, 0, 0\)",
    ),
    "write after read, shared": (
        "__shared__ float s[64]; s[t] = 0; __syncthreads(); y[t] = s[(t + 33) % 64]; s[t] = 1;",
        "race on 's'.*(read after the write|write after a read)",
    ),
    "read after write, shared": (
        "__shared__ float s[64]; s[t] = 0; __syncthreads(); s[t] = 1; y[t] = s[(t + 63) % 64];",
        "race on 's'.*(read after the write|write after a read)",
    ),
    "two lanes of one warp, no __syncwarp": (
        "__shared__ float s[64]; s[t] = 0; y[t] = s[t ^ 1];",
        "(race on 's'|uninitialised)",
    ),
    "three readers, one of another warp": (
        "__shared__ float s; if (t == 0) s = 0; __syncthreads(); y[t] = s; "
        "if (t < 32) { __syncwarp(); if (t == 0) s = 1; }",
        "race on 's'.*write after a read",
    ),
    "two threads write one element": ("y[t / 2] = 1;", "race on 'y'.*write after the write by thread 0"),
    "two blocks write one element": ("if (t == 0) y[0] = 1;", "race on 'y'.*of block 0"),
    "one block reads what another writes": (
        "y[blockIdx.x * 64 + t] = 1; if (blockIdx.x == 1) y[64] = y[0];",
        "race on 'y'.*read after the write",
    ),
    "plain access beside an atomic": ("if (t) atomicAdd(y, 1.0f); else y[0] = 0;", "race on 'y'"),
    "barrier in a branch": ("if (t < 32) __syncthreads(); y[t] = 0;", "barrier divergence"),
    "two different barriers": (
        "if (t < 32) __syncthreads();\nelse __syncthreads();",
        "barrier divergence.*lines 3 and 4|barrier divergence.*lines 4 and 3",
    ),
    "return before a barrier": ("if (t == 9) return; __syncthreads();", "barrier divergence"),
    "mask without the caller": (
        "y[t] = __shfl_sync(0xffu, 1.0f, 0);",
        "mask 000000ff leaves out the calling lane",
    ),
    "lanes with different masks": (
        "unsigned m = t % 2 ? 0xffffffffu : 0xfffffffdu; if (t != 1 && t != 33) __syncwarp(m); else __syncwarp();",
        "different masks|deadlock",
    ),
    "shuffle from a lane outside the mask": (
        "if (t < 8) y[t] = __shfl_sync(0xffu, 1.0f, 9);",
        "reads lane 9, which is not in the mask",
    ),
    "half a warp waits for the other": ("if (t < 16) __syncwarp(); else __syncthreads();", "deadlock"),
    "shuffle against vote": (
        "if (t % 2) __shfl_sync(0xffffffffu, 1, 0); else __any_sync(0xffffffffu, 1);",
        "different operations",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_finds(name):
    body, message = FAULTS[name]
    with pytest.raises(EmulatorError, match=message) as caught:
        launch(
            "  const int t = threadIdx.x; " + body,
            floats(64, 1),
            floats(128 if "one block reads" in name else 64),
            grid=1 + ("block" in name),
        )
    if "deadlock" not in str(caught.value) and "returned" not in str(caught.value):
        assert " at test.cu:" in str(caught.value)


COPY = """
  __shared__ __align__(16) float s[64];
  copy_async<4>(shared_address(&s[threadIdx.x]), x + threadIdx.x, threadIdx.x < 60);
  copy_async_commit();
  {wait}
  {barrier}
  y[threadIdx.x] = s[63 - threadIdx.x];"""


@pytest.mark.parametrize(
    "wait, barrier, message",
    [
        ("copy_async_wait<0>();", "__syncthreads();", None),
        ("copy_async_wait<1>();", "__syncthreads();", "asynchronous copy is still under way"),
        ("", "__syncthreads();", "asynchronous copy is still under way"),
        ("copy_async_wait<0>();", "", "race|still under way|uninitialised"),
    ],
)
def test_asynchronous_copies_land_at_their_wait(wait, barrier, message):
    x, y = np.arange(1, 65, dtype="float32"), floats(64)
    twin = (build.HERE / "include" / "async_copy.cuh").read_text().replace("#pragma once", "")
    body = COPY.format(wait=wait, barrier=barrier)
    if message is None:
        launch(body, x, y, before=twin)
        np.testing.assert_array_equal(y, np.where(x <= 60, x, 0)[::-1])
    else:
        with pytest.raises(EmulatorError, match=message):
            launch(body, x, y, before=twin)


def test_unwaited_copies_show_without_checks_too():
    x, y = np.arange(1, 65, dtype="float32"), floats(64, 0)
    twin = (build.HERE / "include" / "async_copy.cuh").read_text().replace("#pragma once", "")
    with pytest.raises(EmulatorError, match="returned with asynchronous copies"):
        launch(COPY.format(wait="", barrier="__syncthreads();"), x, y, before=twin, check=False)


def test_launch_limits():
    code = 'extern "C" __global__ void __launch_bounds__(64) kernel(float* y) { y[threadIdx.x] = 0; }'
    kernel, y = EmulatedModule(code=code).get_function("kernel"), floats(128)
    with pytest.raises(EmulatorError, match="__launch_bounds__"):
        kernel((1,), (128,), (y,))
    with pytest.raises(EmulatorError, match="empty grid"):
        kernel((0,), (64,), (y,))
    with pytest.raises(EmulatorError, match="over CUDA's limits"):
        kernel((1, 70000), (64,), (y,))
    with pytest.raises(EmulatorError, match="float64.*float"):
        kernel((1,), (64,), (y.astype("float64"),))


# ---- how well memory is used ----


def aligned(n, value):
    """As floats, from a multiple of 32 bytes on: where a sector begins, as arrays on a GPU do."""
    array = np.full(n + 8, value, "float32")
    return array[-(array.ctypes.data // 4) % 8 :][:n]


def test_memory_profile_of_coalescing_and_bank_conflicts():
    x, y = (aligned(32 * 32, value) for value in (1, np.nan))
    body = """
  __shared__ float tile[32][32];
  const int r = threadIdx.y, c = threadIdx.x;
  tile[c][r] = x[r * 32 + c];
  __syncthreads();
  y[c * 32 + r] = tile[c][r];"""
    launch(body, x, y, block=(32, 32), profile=True)
    rows = {(row.space, row.operation): row for row in memory_profile()}
    assert rows["global", "load"].cost == rows["global", "load"].least == 4  # 32 floats in a row: 4 sectors of 32 bytes
    assert rows["global", "store"].cost == 32 and rows["global", "store"].least == 4  # a column: a sector each
    assert rows["shared", "store"].cost == 32 and rows["shared", "store"].least == 1  # all lanes in one bank
    assert rows["global", "load"].line == "test.cu:6" and rows["global", "load"].requests == 32
    assert memory_profile() == []


# ---- the tool as a tool ----


def test_new_arrays_are_full_of_nan():
    runtime = EmulatedRuntime()
    assert np.isnan(runtime.empty((2, 3), "float32")).all() and np.isnan(runtime.empty(4, "float64")).all()
    assert runtime.empty(3, "uint8").tolist() == [255] * 3 and runtime.empty((0, 4), "float32").size == 0


def test_without_a_compiler_the_error_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    build.compiler.cache_clear()
    try:
        with pytest.raises(EmulatorError, match=r"needs g\+\+ .*apt install"):
            EmulatedModule(code='extern "C" __global__ void k(float* y) {}')
    finally:
        build.compiler.cache_clear()


def test_a_mistake_in_the_source_is_reported_with_its_line():
    with pytest.raises(EmulatorError, match=r"test.cu:3:\d+: error: .unknown"):
        launch("  y[0] = unknown;", floats(1), floats(1))


def test_a_fault_in_a_text_that_names_no_file_is_reported_with_its_line():
    code = 'extern "C" __global__ void one(float* y) {\n  y[threadIdx.x] = 1;\n}\n'
    with pytest.raises(EmulatorError, match="out-of-bounds write .* at kernel.cu:2"):
        EmulatedModule(code=code).get_function("one")((1,), (8,), (floats(7),))


def test_declarations_it_cannot_read_are_refused():
    with pytest.raises(EmulatorError, match="one array each"):
        launch("  __shared__ float s[4], t[4];", floats(1), floats(1))


def test_compiled_kernels_are_kept_by_their_source(tmp_path, monkeypatch):
    runtime = build.build_runtime()
    monkeypatch.setattr(build, "build_runtime", lambda *_: runtime)  # which takes far longer to compile than a kernel
    monkeypatch.setenv("MINIDL_EMULATOR_CACHE", str(tmp_path))
    first = EmulatedModule(code='extern "C" __global__ void k(float* y) { y[0] = 1; }').library_path
    again = EmulatedModule(code='extern "C" __global__ void k(float* y) { y[0] = 1; }').library_path
    other = EmulatedModule(code='extern "C" __global__ void k(float* y) { y[0] = 2; }').library_path
    assert first == again != other and first.parent == tmp_path


def test_modules_do_not_share_their_state():
    """Two sources with kernels of one name, loaded in one process."""
    code = 'extern "C" __global__ void k(float* y) {{ __shared__ float s[1]; s[0] = {}; y[0] = s[0]; }}'
    y = floats(1)
    kernels = [EmulatedModule(code=code.format(value)).get_function("k") for value in (1, 2)]
    kernels[0]((1,), (1,), (y,))
    assert y == 1
    kernels[1]((1,), (1,), (y,))
    assert y == 2


def test_the_portable_switch_of_fibers():
    x, y = np.arange(64, dtype="float32"), floats(64)
    body = "  __shared__ float s[64]; const int t = threadIdx.x; s[t] = x[t]; __syncthreads(); y[t] = s[63 - t];"
    launch(body, x, y, extra_flags=["-DEMULATOR_UCONTEXT"])
    np.testing.assert_array_equal(y, x[::-1])


def test_a_stack_overflow_does_not_go_unnoticed():
    """The guard page under each stack ends the process; without it a neighbour's variables would change."""
    code = """
import numpy as np
from tests.cuda_emulator import EmulatedModule
code = '''
__device__ __noinline__ float deep(int n) {
  volatile float big[1000];
  big[n] = n;
  return n ? deep(n - 1) + big[n] : 0;
}
extern "C" __global__ void kernel(float* y) { y[threadIdx.x] = deep(100); }'''
EmulatedModule(code=code, check=False).get_function("kernel")((1,), (2,), (np.zeros(2, "float32"),))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=build.HERE.parents[1], capture_output=True)
    assert ended.returncode < 0
