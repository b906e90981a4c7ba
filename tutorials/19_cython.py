# %% [markdown]
# # 19 · A fast kernel in Cython
#
# Almost all the time of training goes into one loop: multiply two numbers, add the product to a sum. NumPy does it fast
# because somebody wrote it in another language. In this tutorial that somebody is you. Cython is Python with types: it
# is translated to C and compiled. We need a C compiler (Linux: `gcc`, macOS: the command line tools), and Cython and
# setuptools.
#
# **Question.** How does one loop become hundreds of times faster without computing anything else, and what does each
# step bring?

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

import matplotlib.pyplot as plt
import numpy as np
from course import FAST
from library_lines import show_lines

from minidl import kernels

compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
if not (shutil.which(compiler) and importlib.util.find_spec("Cython") and importlib.util.find_spec("setuptools")):
    raise SystemExit(f"This tutorial needs a C compiler ({compiler}), and pip install Cython setuptools.")

# %% [markdown]
# ## The formula
#
# The matrix product, of square matrices for simplicity:
#
# $$y_{ij} = \sum_l a_{il}\, b_{lj}$$
#
# $n^3$ multiplications and as many additions, on $3n^2$ numbers. For $n = 480$ that is 221 million operations on 2.8
# MB: each number that is fetched could be used hundreds of times. Whether it is, is up to the program.

# %%
n = 480
operations = 2 * n**3
random = np.random.default_rng(0)
a = random.standard_normal((n, n), dtype=np.float32)
b = random.standard_normal((n, n), dtype=np.float32)
expected = a.astype(np.float64) @ b


def speed(multiply, repeat=2 if FAST else 5):
    """Check it, then time it: the best of some runs, in GFLOP/s (billions of operations a second)."""
    y = np.full((n, n), np.nan, dtype=np.float32)  # what is forgotten stays NaN
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
# **Step 0: Python.** Three loops over small matrices, to have something to compare with.


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
# consecutive in memory; `cdef` names C variables; `nogil` says that no Python happens inside. The first line switches
# off checks that cost time. We compile with `-O3` (do your best) and `-march=native` (for this processor).

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

workshop = Path(tempfile.mkdtemp(prefix="minidl-cython-"))
atexit.register(shutil.rmtree, workshop, ignore_errors=True)


def build(source):
    """Compile some Cython, and import it."""
    name = "kernel_" + hashlib.sha1(source.encode()).hexdigest()[:8]
    (workshop / f"{name}.pyx").write_text(source)
    (workshop / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "from Cython.Build import cythonize\n"
        f"flags = ['-O3', '-g0', '-march=native', '-ffp-contract=fast']\n"
        f"setup(ext_modules=cythonize([Extension('{name}', ['{name}.pyx'], extra_compile_args=flags)]))\n"
    )
    found = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"], cwd=workshop, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-2000:]
    [binary] = workshop.glob(f"{name}.*.so")
    spec = importlib.util.spec_from_file_location(name, binary)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


naive = build(NAIVE)
speeds["naive"] = speed(naive.multiply)
print(f"naive: {speeds['naive']:.2f} GFLOP/s")

# %% [markdown]
# Better by far, and still poor. Two things hold it up. The sum: each addition must wait for the one before it, some
# four cycles. And $b$ is read *down a column*. Memory comes to the processor in runs of 16 numbers, *cache lines*, and
# stays for a while in the *cache*, a small and fast memory. Down a column it is $4n$ bytes from one number to the next,
# so each comes from another line. The other 15 of a line are wanted only for the next columns; if the cache cannot hold
# the lines until then, they were fetched for nothing.
#
# **Step 2: another order.** Exchange the loops: for each $i$ and $l$, add $a_{il}$ times *row* $l$ of $b$ to *row* $i$
# of $y$. The same products and sums, but the innermost loop runs along consecutive numbers, and its additions do not
# wait for each other. The compiler turns it into *vector instructions*, which work on up to 16 numbers at once, by
# itself.

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
print(f"loops in another order: {speeds['ordered']:.1f} GFLOP/s")
assert speeds["ordered"] > 2 * speeds["naive"]

# %% [markdown]
# **Step 3: a tile in registers.** What is left: for every multiplication a number of $y$ is loaded and stored again. So
# keep a small piece of $y$, say 4 rows by 32 columns, in *registers*, the few places where the processor holds what it
# computes with, until its sums are complete. In each step $l$ it takes 4 numbers of $a$ and 32 of $b$ and does 128
# multiply-adds. `ROWS` and `COLUMNS` are constants, so the compiler can unroll the small loops, and `acc` need never
# exist in memory: its 128 numbers fill 16 vector registers of 8 numbers each. (A processor with AVX-512 has 32 of
# those. One with AVX2 has just 16, and some of `acc` will be in memory.)
#
# **Step 4: blocks.** Large matrices fall out of the cache between two uses. So take $l$ in blocks of 240: of $b$ then
# only 240 rows, one strip of 32 columns (30 kB), are alive while the tiles of all rows pass over it. We do both.

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
# **Step 5: threads.** The rows of $y$ do not depend on each other: give each core some. As the kernel works without
# Python's lock (`nogil`), Python's own threads will do.


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
# Every `speed` above checked its result first, against NumPy in float64, and with an output full of NaN, so that a
# number that is never written is found out. Always in this order: first right, then fast. One more: the same bits,
# whatever the number of threads, because each number of $y$ is summed in the same order.

# %%
one, two = np.empty_like(a), np.empty_like(a)
tiled.multiply(a, b, one)
threaded(a, b, two)
assert np.array_equal(one, two)

# %% [markdown]
# ## In the library
#
# The ladder stands in minidl too, each rung a file that you can choose by name:
# [kernels/matmul/cython_naive.pyx](../kernels/matmul/cython_naive.pyx) `multiply`,
# [kernels/matmul/cython_blocked.pyx](../kernels/matmul/cython_blocked.pyx) `multiply`, and
# [kernels/matmul/cython_cpu.pyx](../kernels/matmul/cython_cpu.pyx) `forward`. The last one has your tile, written in C
# with vector types (`kernels/cpu/tile.h`), for any size, float64 too, with packing, threads that stay alive between
# calls, and the instruction set chosen when the program runs, so that one build serves every processor.

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
# All steps together, on the machine that ran this page; on yours the figures will differ. Grey is what the libraries
# reach. The scale is logarithmic: each grid line is ten times the one before.

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
# Nothing was computed differently: the same products, the same sums. All that changed is *when each number is where*.
# How far is this from what the processor can do at most? That is the question of tutorial 22.
#
# ## Exercises
#
# **1.** Make the tile 4 rows by 96 columns. Faster or slower, and why?
#
# <details><summary>Answer</summary>
#
# Slower, on most machines: 4 x 96 numbers are 48 registers of 8, more than there are, so the compiler must keep part of
# the tile in memory. (AVX-512 has registers of 16 numbers, too, of which 24 would do. But compilers often leave their
# upper halves unused, unless they are told to use them, as by the flag `-mprefer-vector-width=512`.)
#
# ```python
# wide = build(TILED.replace("COLUMNS = 32", "COLUMNS = 96"))
# print(f"{speed(wide.multiply):.1f} GFLOP/s with 4 x 96, {speeds['tiled']:.1f} with 4 x 32")
# ```
# </details>
#
# **2.** What does the naive kernel gain if $b$ is given transposed, so that it, too, is read along rows?
#
# <details><summary>Answer</summary>
#
# Not much: the cache lines are used whole, but each addition still waits for the one before. The larger the matrices,
# the more it gains.
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
# Cython needs a compiler and types. [Numba](20_numba.py) needs neither.
