# %% [markdown]
# # 21 · The same in CUDA: thread, tile, register, warp
#
# A graphics processor (GPU) computes with thousands of threads at once. Each is slow; together they are tens of times
# as fast as a CPU, if they are fed. CUDA C is C with a few words for them. No GPU? This page runs all the same: minidl
# has an emulator that runs CUDA C on the CPU, thread by thread, and finds faults that a GPU would not tell you about.
# It needs `g++`.
#
# **Question.** How do ten thousand threads multiply two matrices without standing in each other's way?

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
# A kernel is a function that *every thread* runs. Threads come in **blocks**, blocks in a **grid**; each thread knows
# where it is (`threadIdx` in its block, `blockIdx` of its block, `blockDim` the block's size) and picks its share of
# the work by that:
#
# $$i = \text{blockIdx} \cdot \text{blockDim} + \text{threadIdx}$$
#
# The smallest example, $y_i = a\,x_i + y_i$, one number for each thread. The grid is rounded up, so the last threads
# find nothing to do: `if (i < n)`.

# %%
SAXPY = """
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
"""
random = np.random.default_rng(0)


def random_array(*shape):
    """Where a GPU would put it: at the beginning of a sector of its memory, of which more below."""
    array = EmulatedRuntime().empty(shape, np.float32)
    random.standard_normal(dtype=np.float32, out=array)
    return array


n = 1000
x, y = random_array(n), random_array(n)
expected = 2 * x + y
saxpy = EmulatedModule(code=SAXPY).get_function("saxpy")
blocks = -(-n // 128)
saxpy((blocks,), (128,), (np.float32(2), x, y, np.int32(n)))  # grid, block, arguments, as with CuPy
assert np.allclose(y, expected)
print(f"{blocks} blocks of 128 threads did {n} numbers")

# %% [markdown]
# What if we forget the `if`? On a GPU, often nothing: 24 threads read and write behind the arrays, whatever lies
# there. The emulator looks at every access.

# %%
try:
    careless = EmulatedModule(code=SAXPY.replace("if (i < n) ", "")).get_function("saxpy")
    careless((blocks,), (128,), (np.float32(2), x, y, np.int32(n)))
    complaint = ""
except EmulatorError as error:
    complaint = str(error)
print(complaint)
assert "out-of-bounds read" in complaint and "kernel.cu:4" in complaint  # the fourth line of the text above

# %% [markdown]
# ## By hand
#
# The matrix product $c_{ij} = \sum_l a_{il}\,b_{lj}$, one thread for one element.

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
    memory_profile()  # forget what was before
    EmulatedModule(code=code, profile=True).get_function("multiply")(grid, block, (a, b, c, np.int32(n)))
    assert np.allclose(c, a @ b, atol=1e-4)
    return memory_profile()


def kilobytes_fetched(profile):
    """From global memory, in sectors of 32 bytes, which is how it comes."""
    rows = [row for row in profile if row.space == "global" and row.operation == "load"]
    return sum(row.requests * row.cost * 32 for row in rows) / 1e3


naive = run(NAIVE, (2, 8), (32, 8))
print(f"the matrices have {2 * a.nbytes / 1e3:.0f} kB; fetched: {kilobytes_fetched(naive):.0f} kB")
for row in naive:
    print(f"  {row.operation}, {row.requests} times by a warp: {row.cost:.1f} sectors, {row.least:.1f} would do")

# %% [markdown]
# **Warp.** Threads do not run alone: 32 of them, a **warp**, run in step. When they load, the memory sees *one* request
# for 32 numbers. If these lie side by side, 4 sectors of 32 bytes answer it ("coalesced"); if each lies elsewhere, it
# takes 32. Above, the threads of a warp have neighbouring $j$: all want the *same* `a`, 1 sector, and *neighbouring*
# `b`, 4 sectors; that makes 2.5 on average. Exchange the roles of x and y, and see.

# %%
SWAPPED = NAIVE.replace(
    "i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x",
    "i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y",
)
swapped = run(SWAPPED, (2, 8), (32, 8))
print(f"fetched with i along the warp: {kilobytes_fetched(swapped):.0f} kB")
assert kilobytes_fetched(swapped) > 3 * kilobytes_fetched(naive)

# %% [markdown]
# **Tile.** Still, every number is fetched again and again, those of `b` 64 times, once for each row that needs them.
# A block has a small, fast memory of its own, **shared memory**. So let the threads of a block fetch a tile of `a`
# and a tile of `b` *together*, wait for each other (`__syncthreads`), and multiply out of it.

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
    __syncthreads();  // nobody reads them any more
  }
  c[i * n + j] = sum;
}
"""
tiled = run(TILED, (4, 4), (16, 16))
print(f"fetched with tiles: {kilobytes_fetched(tiled):.0f} kB")
assert kilobytes_fetched(tiled) < kilobytes_fetched(naive) / 2

# %% [markdown]
# Why the *second* barrier? Without it a fast thread may overwrite the tile while a slow one still reads. On a GPU the
# result is then wrong, sometimes. The emulator says so always, with the two threads and the line: here thread 1 has yet
# to read what thread 0, which ran ahead, has written over.

# %%
try:
    run(TILED.replace("    __syncthreads();  // nobody reads them any more\n", ""), (4, 4), (16, 16))
    race = ""
except EmulatorError as error:
    race = str(error)
print(race)
assert "race" in race and "kernel.cu:11" in race

# %% [markdown]
# ## Check
#
# Each kernel above was held against NumPy, with an output full of NaN. The library's tests do that for every kernel,
# shape and alignment, check every access as above, and plant faults like these two on purpose, to be sure that they are
# found. The `.cu` files that run here are, to the letter, those that run on a GPU.
#
# ## In the library
#
# `kernels/matmul/cuda_gpu.cu` is this ladder, four kernels, each a small change on the one before: naive, tiled; then
# **registers**: a thread computes not 1 but 8 x 8 elements, so that each number read from shared memory serves eight
# times; then **warp tiles** with copies that are under way while the tile before is multiplied (`async`). Its host side
# is [kernels/matmul/cuda_gpu.py](../kernels/matmul/cuda_gpu.py) `forward`.

# %%
show_lines("kernels/matmul/cuda_gpu.py", "forward")
source = (REPOSITORY / "kernels/matmul/cuda_gpu.cu").read_text()
start = source.index("// ---- 2. Shared-memory tiles")
print(source[start : source.index("// ---- 3.")])

# %% [markdown]
# ## Something real
#
# The whole ladder on one product, and what each step fetches from the two memories. The fewer bytes for the same
# work, the less it waits. (For a product as small as this one the last step chooses smaller tiles, so that no part of
# the GPU is idle, and fetches a little more.)

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
# Counting is not timing: an emulator can tell what is fetched, not how long it takes. Where there is a GPU, this cell
# times the ladder on it, and where not, it says why.

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
# **1.** Change SAXPY so that thread $i$ takes the numbers $2i$ and $2i + 1$. What happens to the sectors?
#
# <details><summary>Answer</summary>
#
# Each request takes every second number, so twice as many sectors, half of each for nothing.
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
# **2.** Let the threads of a block add up 256 numbers in shared memory by halves: 128 additions, 64, 32 ...
#
# <details><summary>Answer</summary>
#
# A barrier after every step, outside the `if`: all threads of the block must come to it.
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
# We have counted and timed much. [Reading a benchmark](22_benchmarks.py) says what such numbers mean.
