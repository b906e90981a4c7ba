# %% [markdown]
# # 21 · The same in CUDA: thread, tile, register, warp
#
# A graphics processor (GPU) computes with thousands of threads at once. Each is slow; together they are many times as
# fast as a CPU, if data reaches them fast enough. CUDA C is C with a few additional keywords. No GPU? You can still
# run this page: minidl has an emulator that runs CUDA C on the CPU, thread by thread, and finds errors that a GPU would
# not report. It needs `g++`.
#
# **Question.** How do ten thousand threads multiply two matrices without getting in each other's way?

# %%
import shutil
import sys

import course  # noqa: F401  (the look of the pictures)
import matplotlib.pyplot as plt
import numpy as np
from library_lines import REPOSITORY, show_lines

sys.path.insert(0, str(REPOSITORY))  # the emulator lives with the tests
from minidl import kernels
from minidl.kernels import cuda
from tests.cuda_emulator import EmulatedModule, EmulatedRuntime, EmulatorError, memory_profile

if shutil.which("g++") is None:
    raise SystemExit("This tutorial needs g++ for its emulator: apt install g++, for example.")

# %% [markdown]
# ## The formula
#
# On a GPU, a kernel is a function that *every thread* runs; `__global__` marks it, and `extern "C"` keeps its name, by
# which Python finds it. Threads are grouped in **blocks**, and the blocks form a **grid**. Each thread knows its
# position (`threadIdx` within its block, `blockIdx` of its block within the grid, and the block size `blockDim`), and
# computes from it which part of the work is its own:
#
# $$i = \text{blockIdx} \cdot \text{blockDim} + \text{threadIdx}$$
#
# The smallest example is $y_i = a\,x_i + y_i$ (*SAXPY*), with one thread for each number. The number of blocks is
# rounded up, so the last threads have nothing to do: `if (i < n)`.

# %%
SAXPY = """
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
"""
random = np.random.default_rng(0)


def random_array(*shape):
    """Random numbers, aligned as on a GPU: they start at the beginning of a memory sector (see below)."""
    array = EmulatedRuntime().empty(shape, np.float32)
    random.standard_normal(dtype=np.float32, out=array)
    return array


n = 1000
x, y = random_array(n), random_array(n)
expected = 2 * x + y
saxpy = EmulatedModule(code=SAXPY).get_function("saxpy")
blocks = -(-n // 128)  # n / 128, rounded up
saxpy((blocks,), (128,), (np.float32(2), x, y, np.int32(n)))  # grid, block, arguments, as with CuPy
assert np.allclose(y, expected)
print(f"{blocks} blocks of 128 threads computed {n} numbers")

# %% [markdown]
# What if we forget the `if`? On a GPU, often nothing happens that one would notice: 24 threads read and write past the
# end of the arrays, whatever lies there. The emulator checks every access.

# %%
try:
    careless = EmulatedModule(code=SAXPY.replace("if (i < n) ", "")).get_function("saxpy")
    careless((blocks,), (128,), (np.float32(2), x, y, np.int32(n)))
    message = ""
except EmulatorError as error:
    message = str(error)
print(message)
assert "out-of-bounds read" in message and "kernel.cu:4" in message  # the fourth line of the text above

# %% [markdown]
# ## By hand
#
# The matrix product $c_{ij} = \sum_l a_{il}\,b_{lj}$, with one thread for each element. Besides the result, we look at
# the memory traffic, which the emulator counts.

# %%
NAIVE = """
extern "C" __global__ void multiply(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0;
  for (int l = 0; l < n; l++) sum += a[i * n + l] * b[l * n + j];
  c[i * n + j] = sum;
}
"""
n = 64
a, b = random_array(n, n), random_array(n, n)


def run(code, grid, block):
    """Run a kernel on a and b, check c, and return the memory traffic of each line."""
    c = EmulatedRuntime().empty((n, n), np.float32)  # full of NaN
    memory_profile()  # clear earlier counts
    EmulatedModule(code=code, profile=True).get_function("multiply")(grid, block, (a, b, c, np.int32(n)))
    assert np.allclose(c, a @ b, atol=1e-4)
    return memory_profile()


def kilobytes_fetched(profile):
    """Fetched from global memory, which delivers sectors of 32 bytes."""
    rows = [row for row in profile if row.space == "global" and row.operation == "load"]
    return sum(row.requests * row.cost * 32 for row in rows) / 1e3


naive = run(NAIVE, (2, 8), (32, 8))
print(f"the matrices take {2 * a.nbytes / 1e3:.0f} kB; fetched: {kilobytes_fetched(naive):.0f} kB")
for row in naive:
    print(f"  {row.operation}, {row.requests} requests of a warp: {row.cost:.1f} sectors each, at best {row.least:.1f}")

# %% [markdown]
# **Warp.** Threads do not run alone: 32 of them, a **warp**, execute the same instruction together. When they load, the
# memory sees *one* request for 32 numbers. If these are neighbours, 4 sectors of 32 bytes answer it (the access is
# **coalesced**); if each lies elsewhere, it takes 32 sectors. Above, the threads of a warp have neighbouring $j$: all
# want the *same* number of `a`, 1 sector, and *neighbouring* numbers of `b`, 4 sectors; that makes 2.5 on average. Now
# exchange the roles of x and y.

# %%
SWAPPED = NAIVE.replace(
    "i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x",
    "i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y",
)
swapped = run(SWAPPED, (2, 8), (32, 8))
print(f"fetched with i along the warp: {kilobytes_fetched(swapped):.0f} kB")
assert kilobytes_fetched(swapped) > 6 * kilobytes_fetched(naive)

# %% [markdown]
# The threads of a warp now read down a column, and more than six times as much is fetched.
#
# **Tile.** In the first kernel, too, every number is fetched again and again; each of `b` 64 times, once for each row
# that needs it. Each block has a small, fast memory of its own, **shared memory**. So let the threads of a block fetch
# a tile of `a` and a tile of `b` *together*, wait for each other (`__syncthreads`, a *barrier*), and multiply from
# there.

# %%
TILED = """
extern "C" __global__ void multiply(const float* a, const float* b, float* c, int n) {
  __shared__ float a_tile[16][16];
  __shared__ float b_tile[16][16];
  const int x = threadIdx.x, y = threadIdx.y, i = blockIdx.y * 16 + y, j = blockIdx.x * 16 + x;
  float sum = 0;
  for (int first = 0; first < n; first += 16) {
    a_tile[y][x] = a[i * n + first + x];
    b_tile[y][x] = b[(first + y) * n + j];
    __syncthreads();  // the tiles are complete
    for (int l = 0; l < 16; l++) sum += a_tile[y][l] * b_tile[l][x];
    __syncthreads();  // all threads have finished reading the tiles
  }
  c[i * n + j] = sum;
}
"""
tiled = run(TILED, (4, 4), (16, 16))
print(f"fetched with tiles: {kilobytes_fetched(tiled):.0f} kB")
assert kilobytes_fetched(tiled) < kilobytes_fetched(naive) / 2

# %% [markdown]
# Why the *second* barrier? Without it, a fast thread may overwrite the tile while a slow one is still reading it (a
# *race condition*). On a GPU the result is then wrong, sometimes. The emulator reports it always, with the two threads
# and the line. Here thread 0 has run ahead and overwritten what thread 1 has yet to read.

# %%
try:
    run(TILED.replace("    __syncthreads();  // all threads have finished reading the tiles\n", ""), (4, 4), (16, 16))
    race = ""
except EmulatorError as error:
    race = str(error)
print(race)
assert "race" in race and "kernel.cu:11" in race

# %% [markdown]
# ## Check
#
# Each kernel above was compared with NumPy, with an output array full of NaN. The library's tests do that for every
# kernel, with many shapes and alignments, check every access as above, and plant errors like these two on purpose, to
# be sure that they are found. The `.cu` files that the emulator runs are exactly those that are compiled for a GPU.
#
# ## In the library
#
# `kernels/matmul/cuda_gpu.cu` contains four kernels, each a small change of the one before. The first two are *naive*
# and *tiled*, as above. In the third (*registers*), a thread computes not 1 but 8 x 8 elements, so that each number
# read from shared memory is used eight times. The fourth (*async*) divides the tile among warps, and copies the next
# tile while the present one is multiplied. The code on the CPU that launches them is
# [kernels/matmul/cuda_gpu.py](../kernels/matmul/cuda_gpu.py) `forward`.

# %%
show_lines("kernels/matmul/cuda_gpu.py", "forward")
source = (REPOSITORY / "kernels/matmul/cuda_gpu.cu").read_text()
start = source.index("// ---- 2. Shared-memory tiles")
print(source[start : source.index("// ---- 3.")])

# %% [markdown]
# ## Something real
#
# All four kernels on one product: how much each fetches from global memory, and how long it keeps shared memory busy.
# The fewer bytes a kernel moves for the same work, the less it waits. (For a product as small as this one, the last
# kernel chooses smaller tiles, so that no part of the GPU is idle, and fetches a little more.)

# %%
from minidl.kernels.matmul import cuda_gpu  # noqa: E402

m = 128
big_a, big_b = random_array(m, m), random_array(m, m)
traffic = {}
for step in cuda_gpu.STEPS:
    memory_profile()
    with cuda.use_runtime(EmulatedRuntime(profile=True)):
        c = cuda_gpu.forward(big_a, big_b, step=step)
    assert np.allclose(c, big_a @ big_b, atol=1e-3)
    profile = memory_profile()
    shared = [row for row in profile if row.space == "shared" and row.operation == "load"]
    traffic[step] = kilobytes_fetched(profile), sum(row.requests * row.cost for row in shared)
    print(f"{step:10} global {traffic[step][0]:7.0f} kB, shared memory busy for {traffic[step][1]:7.0f} cycles")
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.8))
left.bar(list(traffic), [fetched for fetched, _ in traffic.values()])
left.set(ylabel="kB", yscale="log", title="fetched from global memory")
right.bar(list(traffic), [cycles for _, cycles in traffic.values()], color="tab:orange")
right.set(ylabel="cycles", title="reading shared memory")
plt.show()
assert traffic["naive"][0] > 4 * traffic["tiled"][0] and traffic["registers"][1] < traffic["tiled"][1] / 2

# %% [markdown]
# Counting is not timing: an emulator can tell what is fetched, but not how long it takes. The next cell times the four
# kernels on a GPU if there is one, and otherwise says why it does not.

# %%
status = cuda.gpu_status()
if status.available:
    import cupy

    device_a, device_b = cupy.asarray(random.standard_normal((2, 4096, 4096), dtype=np.float32))
    for step in cuda_gpu.STEPS:
        cuda_gpu.forward(device_a, device_b, step=step)
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        cuda_gpu.forward(device_a, device_b, step=step)
        end.record()
        end.synchronize()
        print(f"{step:10} {2 * 4096**3 / cupy.cuda.get_elapsed_time(start, end) / 1e9:8.1f} TFLOP/s")
else:
    print(f"no times here: {status.reason}")
print("kernels with CUDA:", ", ".join(sorted({row.kernel for row in kernels.table() if row.backend == "cuda"})))

# %% [markdown]
# ## Exercises
#
# **1.** Change SAXPY so that thread $i$ handles the numbers $2i$ and $2i + 1$. How many sectors does a request then
# need?
#
# <details><summary>Answer</summary>
#
# Twice as many: each request reads every second number, so half of each sector is fetched for nothing.
#
# ```python
# STRIDED = SAXPY.replace(
#     "if (i < n) y[i] = a * x[i] + y[i];",
#     "for (int l = 2 * i; l < 2 * i + 2 && l < n; l++) y[l] = a * x[l] + y[l];",
# )
# memory_profile()
# x, y = random_array(512), random_array(512)
# expected = 2 * x + y
# EmulatedModule(code=STRIDED, profile=True).get_function("saxpy")((2,), (128,), (np.float32(2), x, y, np.int32(512)))
# assert np.allclose(y, expected)
# [load, *_] = [row for row in memory_profile() if row.operation == "load"]
# print(f"{load.cost:.1f} sectors a request")
# assert load.cost == 8
# ```
# </details>
#
# **2.** Let the threads of a block sum 256 numbers in shared memory by repeated halving: 128 additions, then 64, 32 ...
#
# <details><summary>Answer</summary>
#
# There must be a barrier after every step, outside the `if`, because all threads of the block have to reach it.
#
# ```python
# SUM = """
# extern "C" __global__ void sum(const float* x, float* y) {
#   __shared__ float part[256];
#   part[threadIdx.x] = x[threadIdx.x];
#   __syncthreads();
#   for (int half = 128; half > 0; half /= 2) {
#     if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
#     __syncthreads();
#   }
#   if (threadIdx.x == 0) *y = part[0];
# }
# """
# total = np.zeros(1, np.float32)
# EmulatedModule(code=SUM).get_function("sum")((1,), (256,), (x[:256].copy(), total))
# assert np.isclose(total[0], x[:256].sum(), atol=1e-4)
# ```
# </details>
#
# ## Next
#
# We have counted and timed a lot. What do such numbers mean? [Reading a benchmark](22_benchmarks.py).
