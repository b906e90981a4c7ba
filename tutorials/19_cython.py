# %% [markdown]
# # 19 · A fast kernel in Cython
#
# Almost all the time of training goes into one loop: multiply two numbers, add the product to a sum. NumPy does it fast
# because somebody wrote that loop in another language. In this tutorial you write it yourself. Cython is Python with
# types: it is translated to C and compiled. We need a C compiler (Linux: `gcc`, macOS: the command line tools), Cython,
# and setuptools.
#
# **Question.** How does a loop become thousands of times faster while it computes the same, and what does each step
# contribute?

# %%
import atexit
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import course  # noqa: F401  (the look of the plots)
import matplotlib.pyplot as plt
import numpy as np
from library_lines import show_lines

from minidl import kernels

compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
if not (shutil.which(compiler) and importlib.util.find_spec("Cython") and importlib.util.find_spec("setuptools")):
    raise SystemExit(f"This tutorial needs a C compiler ({compiler}), and pip install Cython setuptools.")

# %% [markdown]
# ## The formula
#
# We compute the matrix product, of square matrices for simplicity:
#
# $$y_{ij} = \sum_l a_{il}\, b_{lj}$$
#
# It takes $n^3$ multiplications and as many additions, on $3n^2$ numbers. For $n = 480$ that is 221 million operations
# on 2.8 MB: each number that is fetched from memory could be used hundreds of times. Whether this happens depends on
# the program.

# %%
n = 480
operations = 2 * n**3
random = np.random.default_rng(0)
a = random.standard_normal((n, n), dtype=np.float32)
b = random.standard_normal((n, n), dtype=np.float32)
expected = a.astype(np.float64) @ b


def speed(multiply, repeat=5):
    """Check the result, then time it: the best of some runs, in GFLOP/s (billions of operations per second)."""
    y = np.full((n, n), np.nan, dtype=np.float32)  # what is never written stays NaN
    multiply(a, b, y)
    assert np.allclose(y, expected, atol=1e-3)
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        multiply(a, b, y)
        seconds.append(time.perf_counter() - start)
    return operations / min(seconds) / 1e9


speeds = {}

# %% [markdown]
# ## By hand
#
# **Step 0: Python.** Three loops over small matrices, as a baseline.


# %%
def python_loops(a, b):
    rows, columns = len(a), len(b[0])
    y = [[0.0] * columns for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            for k in range(len(b)):
                y[i][j] += a[i][k] * b[k][j]
    return y


small_a, small_b = a[:60, :60].tolist(), b[:60, :60].tolist()
start = time.perf_counter()
python_loops(small_a, small_b)
speeds["Python"] = 2 * 60**3 / (time.perf_counter() - start) / 1e9
print(f"Python: {speeds['Python']:.3f} GFLOP/s")

# %% [markdown]
# **Step 1: naive Cython.** The same loops with types. `float[:, ::1]` is a *memoryview*: an array whose last axis is
# contiguous in memory. `cdef` declares C variables. `nogil` says that a block uses no Python objects, so other threads
# may run meanwhile. The first line of the source switches off checks that cost time. We compile with `-O3` (optimize as
# much as possible), `-march=native` (for this processor) and `-ffp-contract=fast` (a multiplication and the addition of
# its product may be one instruction, a *multiply-add*).

# %%
NAIVE = """
# cython: language_level=3, boundscheck=False, wraparound=False
def multiply(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] y):
    cdef Py_ssize_t i, j, l
    cdef float total
    with nogil:
        for i in range(a.shape[0]):
            for j in range(b.shape[1]):
                total = 0
                for l in range(a.shape[1]):
                    total = total + a[i, l] * b[l, j]
                y[i, j] = total
"""

folder = Path(tempfile.mkdtemp(prefix="minidl-cython-"))
atexit.register(shutil.rmtree, folder, ignore_errors=True)


def build(source):
    """Compile Cython source, and import the module."""
    name = "kernel_" + hashlib.sha1(source.encode()).hexdigest()[:8]
    (folder / f"{name}.pyx").write_text(source)
    (folder / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "from Cython.Build import cythonize\n"
        f"flags = ['-O3', '-g0', '-march=native', '-ffp-contract=fast']\n"
        f"setup(ext_modules=cythonize([Extension('{name}', ['{name}.pyx'], extra_compile_args=flags)]))\n"
    )
    found = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"], cwd=folder, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-2000:]
    [binary] = folder.glob(f"{name}.*.so")
    spec = importlib.util.spec_from_file_location(name, binary)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


naive = build(NAIVE)
speeds["naive"] = speed(naive.multiply)
print(f"naive: {speeds['naive']:.2f} GFLOP/s")

# %% [markdown]
# Far better than Python, but still slow, for two reasons. The first is the sum: each addition must wait for the one
# before it, about four clock cycles. The second is that $b$ is read *down a column*. Memory reaches the processor in
# *cache lines* of 16 numbers, and stays for a while in the *cache*, a small and fast memory. Down a column, one number
# is $4n$ bytes from the next, so each comes from another cache line. The other 15 numbers of a line are needed only for
# the next columns; if the cache cannot hold the lines until then, they were fetched for nothing.
#
# **Step 2: another loop order.** Exchange the inner loops: for each $i$ and $l$, add $a_{il}$ times *row* $l$ of $b$ to
# *row* $i$ of $y$. The products and sums are the same, but now the innermost loop runs along contiguous numbers, and
# its additions do not wait for each other. The compiler turns such a loop into *vector instructions* by itself; each
# works on up to 16 numbers at once.

# %%
ORDERED = """
# cython: language_level=3, boundscheck=False, wraparound=False
def multiply(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] y):
    cdef Py_ssize_t i, j, l, m = a.shape[0], n = b.shape[1], k = a.shape[1]
    cdef float a_il
    with nogil:
        for i in range(m):
            for j in range(n):
                y[i, j] = 0
            for l in range(k):
                a_il = a[i, l]
                for j in range(n):
                    y[i, j] = y[i, j] + a_il * b[l, j]
"""
ordered = build(ORDERED)
speeds["ordered"] = speed(ordered.multiply)
print(f"another loop order: {speeds['ordered']:.1f} GFLOP/s")
assert speeds["ordered"] > 2 * speeds["naive"]

# %% [markdown]
# **Step 3: a tile in registers.** One cost is left: for every multiplication, a number of $y$ is loaded and stored
# again. So keep a small tile of $y$, say 4 rows by 32 columns, in *registers*, the few places inside the processor that
# instructions compute with, until its sums are complete. Each step $l$ takes 4 numbers of $a$ and 32 of $b$ and does
# 128 multiply-adds. `ROWS` and `COLUMNS` are constants, so the compiler can write out the small loops (*unroll*
# them), and `acc` need never exist in memory: its 128 numbers fill 16 vector registers of 8 numbers each. (A processor
# with the instructions of AVX-512 has 32 of them, for up to 16 numbers. One with AVX2 has only 16, so a part of `acc`
# will be kept in memory.)
#
# **Step 4: cache blocking.** Large matrices do not stay in the cache from one use to the next. So split the sum over
# $l$ into blocks of 240. Then only 240 rows and 32 columns of $b$ (30 kB) are in use while the tiles of all rows are
# computed from them. The next kernel takes steps 3 and 4 together.

# %%
TILED = """
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
cdef enum:
    ROWS = 4
    COLUMNS = 32
    BLOCK = 240


cdef inline void tile(const float* a, Py_ssize_t a_row, const float* b, Py_ssize_t b_row, float* y, Py_ssize_t y_row,
                      Py_ssize_t steps) noexcept nogil:
    # y[i, j] += sum over l of a[i, l] * b[l, j]   for 4 rows i and 32 columns j
    cdef float[ROWS][COLUMNS] acc
    cdef Py_ssize_t i, j, l
    for i in range(ROWS):
        for j in range(COLUMNS):
            acc[i][j] = y[i * y_row + j]
    for l in range(steps):
        for i in range(ROWS):
            for j in range(COLUMNS):
                acc[i][j] += a[i * a_row + l] * b[l * b_row + j]
    for i in range(ROWS):
        for j in range(COLUMNS):
            y[i * y_row + j] = acc[i][j]


def multiply(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] y, Py_ssize_t first=0, Py_ssize_t end=-1):
    cdef Py_ssize_t i, j, l, m = a.shape[0] if end < 0 else end, n = b.shape[1], k = a.shape[1]
    if m % ROWS or n % COLUMNS or k % BLOCK or first % ROWS:
        raise ValueError(f"sizes must be multiples of {ROWS}, {COLUMNS} and {BLOCK}")
    with nogil:
        y[first:m] = 0
        for l in range(k // BLOCK):
            for j in range(n // COLUMNS):
                for i in range(first // ROWS, m // ROWS):
                    tile(&a[i * ROWS, l * BLOCK], k, &b[l * BLOCK, j * COLUMNS], n, &y[i * ROWS, j * COLUMNS], n, BLOCK)
"""
tiled = build(TILED)
speeds["tiled"] = speed(tiled.multiply)
print(f"tiles in registers, blocks in the cache: {speeds['tiled']:.1f} GFLOP/s")

# %% [markdown]
# **Step 5: threads.** The rows of $y$ do not depend on each other, so each core can compute some of them. As the kernel
# runs without Python's global lock (`nogil`), Python's own threads will do. (Where another program uses the second core
# meanwhile, as when these pages are made, a second thread gains nothing.)


# %%
def threaded(a, b, y):
    half = n // 2
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda rows: tiled.multiply(a, b, y, *rows), [(0, half), (half, n)]))


speeds["threaded"] = speed(threaded)
print(f"two threads: {speeds['threaded']:.1f} GFLOP/s")

# %% [markdown]
# ## Check
#
# Every call of `speed` above checked the result first, against NumPy in float64 and with an output array full of NaN,
# so that a number that is never written is detected. Always in this order: first right, then fast. One more check: the
# result is the same to the last bit with any number of threads, because each number of $y$ is summed in the same order.

# %%
one, two = np.empty_like(a), np.empty_like(a)
tiled.multiply(a, b, one)
threaded(a, b, two)
assert np.array_equal(one, two)

# %% [markdown]
# ## In the library
#
# minidl contains such steps too, each in a file of its own, which you can choose by name:
# [kernels/matmul/cython_naive.pyx](../kernels/matmul/cython_naive.pyx) `multiply`,
# [kernels/matmul/cython_blocked.pyx](../kernels/matmul/cython_blocked.pyx) `multiply`, and
# [kernels/matmul/cython_cpu.pyx](../kernels/matmul/cython_cpu.pyx) `forward`. The last one uses a tile like yours,
# written in C with vector types (`kernels/cpu/tile.h`). It works for any size and for float64 too, copies the matrices
# into the order in which the tile reads them (*packing*), has threads that stay alive between calls, and chooses the
# instruction set at run time, so that one build serves every processor.

# %%
show_lines("kernels/matmul/cython_naive.pyx", "multiply")
available = {row.backend for row in kernels.table() if row.kernel == "matmul" and row.available}
for backend in ("cython_naive", "cython_blocked", "cython"):
    if backend in available:

        def library(a, b, y, backend=backend):
            with kernels.use_backend(backend, strict=True):
                y[...] = kernels.matmul.forward(a, b)

        speeds[f"minidl {backend}"] = speed(library)
speeds["NumPy (OpenBLAS)"] = speed(lambda a, b, y: np.matmul(a, b, out=y))

# %% [markdown]
# ## Something real
#
# The figure compares all steps, on the machine that ran this page; yours will give other numbers. The kernels of minidl
# and NumPy are grey. The scale is logarithmic: each grid line is ten times the one before.

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.6))
names = list(speeds)[::-1]
axes.barh(names, [speeds[name] for name in names], color=["tab:gray" if " " in name else "tab:blue" for name in names])
axes.set(xscale="log", xlabel="GFLOP/s", title=f"the same {operations / 1e6:.0f} million operations, n = {n}")
plt.show()
for name, value in speeds.items():
    print(f"{name:22} {value:9.3f} GFLOP/s, {value / speeds['Python']:8.0f} times Python")
assert speeds["tiled"] > 5 * speeds["naive"] > 50 * speeds["Python"]

# %% [markdown]
# All kernels computed the same products and the same sums. What changed is only *where each number is when it is
# needed*. How far is this from the most that the processor can do? That is the question of tutorial 22.
#
# ## Exercises
#
# **1.** Make the tile 4 rows by 96 columns. Is it faster or slower, and why?
#
# <details><summary>Answer</summary>
#
# That depends on the registers. Of those for 8 numbers, 4 x 96 numbers fill 48, more than there are: the compiler must
# keep a part of the tile in memory, and the kernel becomes slower. Of AVX-512's registers for 16 numbers they fill 24,
# which is fewer than 32: then it may become faster, because 24 additions go on at once and wait less for each other.
# (Some compilers take registers for 8 unless told otherwise, as by the flag `-mprefer-vector-width=512`.)
#
# ```python
# wide = build(TILED.replace("COLUMNS = 32", "COLUMNS = 96"))
# print(f"{speed(wide.multiply):.1f} GFLOP/s with 4 x 96, {speeds['tiled']:.1f} with 4 x 32")
# ```
# </details>
#
# **2.** What does the naive kernel gain if $b$ is passed in transposed, so that it, too, is read along rows?
#
# <details><summary>Answer</summary>
#
# Not much: the cache lines are used completely, but each addition still waits for the one before. The larger the
# matrices, the larger the gain.
#
# ```python
# across = build(NAIVE.replace("b[l, j]", "b[j, l]"))
# b_transposed = np.ascontiguousarray(b.T)
# rate = speed(lambda a, b, y: across.multiply(a, b_transposed, y))
# print(f"{rate:.2f} GFLOP/s, before {speeds['naive']:.2f}")
# ```
# </details>
#
# ## Next
#
# Cython needs a C compiler and type declarations. [Numba](20_numba.py) needs neither.
