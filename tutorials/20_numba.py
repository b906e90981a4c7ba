# %% [markdown]
# # 20 · The same in Numba
#
# The Cython kernel of tutorial 19 was written in a second language, and had to be built. **Numba** compiles Python
# functions while the program runs (*just in time*): you write loops over arrays, and the first call translates the
# function's bytecode to machine code. It needs no compiler on the machine (`pip install numba`).
#
# **Question.** How fast are plain Python loops when they are compiled at run time, and what does that cost?

# %%
import importlib.util
import time

import course  # noqa: F401  (the look of the plots)
import matplotlib.pyplot as plt
import numpy as np
from library_lines import show_lines

from minidl import kernels

if importlib.util.find_spec("numba") is None:
    raise SystemExit("This tutorial needs Numba: pip install numba.")
import numba  # noqa: E402

# %% [markdown]
# ## The formula
#
# This time we take the convolution of tutorial 10, with stride 1 and no padding:
#
# $$y_{n,k,i,j} = \sum_{c,r,s} x_{n,\,c,\,i+r,\,j+s}\; w_{k,c,r,s}$$
#
# ## By hand
#
# Seven loops, as in the formula. `@numba.njit` is all that it takes to compile them; the "n" stands for *no Python*:
# whatever Numba cannot translate is an error, instead of running slowly.


# %%
def convolve(x, w, y):
    N, C, _, _ = x.shape
    K, _, R, S = w.shape
    _, _, OH, OW = y.shape
    for n in range(N):
        for k in range(K):
            for i in range(OH):
                for j in range(OW):
                    total = np.float32(0)
                    for c in range(C):
                        for r in range(R):
                            for s in range(S):
                                total += x[n, c, i + r, j + s] * w[k, c, r, s]
                    y[n, k, i, j] = total


compiled = numba.njit(convolve)

# %% [markdown]
# The second version applies step 2 of tutorial 19: a loop order in which the innermost loop runs along contiguous
# numbers and does not add everything to a single sum. And `prange` in place of `range` says that the iterations of a
# loop do not depend on each other, so that threads may share them. `fastmath` allows the compiler to change the order
# of additions. By default it must not, because $(a + b) + c$ and $a + (b + c)$ differ in the last bit.


# %%
@numba.njit(parallel=True, fastmath=True)
def convolve_rows(x, w, y):
    N, C, _, _ = x.shape
    K, _, R, S = w.shape
    _, _, OH, OW = y.shape
    for image in numba.prange(N * K):
        n, k = image // K, image % K
        y[n, k] = 0
        for i in range(OH):
            row = y[n, k, i]
            for c in range(C):
                for r in range(R):
                    for s in range(S):
                        weight = w[k, c, r, s]
                        for j in range(OW):
                            # y[n, k, i, j] += x[n, c, i + r, j + s] * w[k, c, r, s]
                            row[j] += x[n, c, i + r, j + s] * weight


# %% [markdown]
# ## Check
#
# Before timing anything, we compare with minidl, with an output array full of NaN. The first call compiles: that is the
# cost. It is paid once in each process for each combination of argument types.

# %%
random = np.random.default_rng(0)
N, C, K, side = 8, 16, 32, 28
x = random.standard_normal((N, C, side, side), dtype=np.float32)
w = random.standard_normal((K, C, 3, 3), dtype=np.float32)
shape = (N, K, side - 2, side - 2)
operations = 2 * N * K * (side - 2) ** 2 * C * 9
expected = kernels.conv2d.forward(x, w)


def first_call_and_speed(function):
    y = np.full(shape, np.nan, dtype=np.float32)
    start = time.perf_counter()
    function(x, w, y)
    first = time.perf_counter() - start
    assert np.allclose(y, expected, atol=1e-3)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        function(x, w, y)
        seconds.append(time.perf_counter() - start)
    return first, operations / min(seconds) / 1e9


results = {"njit": first_call_and_speed(compiled), "rows, parallel": first_call_and_speed(convolve_rows)}
for name, (first, rate) in results.items():
    print(f"{name:16} first call {first:.2f} s, then {rate:6.2f} GFLOP/s")
part = np.empty((1, 1, 4, 4), np.float32)
start = time.perf_counter()
convolve(x[:1, :, :6, :6], w[:1], part)
in_python = 2 * part.size * C * 9 / (time.perf_counter() - start) / 1e9
print(f"pure Python: {in_python:.4f} GFLOP/s")
assert np.allclose(part, expected[:1, :1, :4, :4], atol=1e-3), "the same function, not compiled"
assert results["njit"][1] > 10 * in_python
assert results["njit"][0] > operations / results["njit"][1] / 1e9, "the first call is the slow one"

# %% [markdown]
# ## In the library
#
# minidl has Numba kernels for matmul, conv2d and pool2d: [kernels/conv2d/numba_cpu.py](../kernels/conv2d/numba_cpu.py)
# `forward` and its gradients, with stride, padding, dilation and groups. They are used only if you ask for them, by
# `minidl.use_backend("numba")` or `MINIDL_BACKEND=numba`: the Cython kernels are faster, and need not compile for about
# a second at the first call. (minidl's Numba kernels keep their machine code in a file, `cache=True`, so each machine
# waits only once.) Numba is useful where there is no compiler, and for experiments with a kernel, because a changed
# line takes effect at the next start.

# %%
show_lines("kernels/conv2d/numba_cpu.py", "forward")

speeds = {"Python": in_python, **{name: rate for name, (_, rate) in results.items()}}
for backend in ("reference", "numba", "cython"):
    rows = [row for row in kernels.table() if row.kernel == "conv2d" and row.backend == backend]
    if rows and rows[0].available:

        def library(x, w, y, backend=backend):
            with kernels.use_backend(backend, strict=True):
                y[...] = kernels.conv2d.forward(x, w)

        first, speeds[f"minidl {backend}"] = first_call_and_speed(library)
        print(f"minidl {backend:10} first call {first:.2f} s, then {speeds[f'minidl {backend}']:6.2f} GFLOP/s")

# %% [markdown]
# ## Something real
#
# The figure compares all of them on the same convolution, on the machine that ran this page: yours in blue, the
# library's in grey. The reference is fast here because it leaves the work to NumPy's matrix product.

# %%
figure, axes = plt.subplots(figsize=(7.5, 2.8))
names = list(speeds)[::-1]
colors = ["tab:gray" if "minidl" in name else "tab:blue" for name in names]
axes.barh(names, [speeds[name] for name in names], color=colors)
axes.set(xscale="log", xlabel="GFLOP/s", title=f"{operations / 1e6:.0f} million operations, float32")
plt.show()

# %% [markdown]
# Numba achieves much with almost no work. What it does not give is control: over which numbers stay in registers, how
# the instruction set is used, and when threads wake up. For that one needs C or Cython.
#
# ## Exercises
#
# **1.** Call the compiled function with float64 arrays. What does it cost?
#
# <details><summary>Answer</summary>
#
# Another compilation: Numba compiles a version for each new combination of argument types.
#
# ```python
# before = len(compiled.signatures)
# start = time.perf_counter()
# compiled(x[:1].astype(np.float64), w.astype(np.float64), np.empty((1, *shape[1:])))
# print(f"{time.perf_counter() - start:.2f} s")
# assert len(compiled.signatures) == before + 1
# ```
# </details>
#
# **2.** Write ReLU with `@numba.vectorize`, which turns a function of single numbers into one of arrays.
#
# <details><summary>Answer</summary>
#
# ```python
# @numba.vectorize(["float32(float32)"])
# def relu(x):
#     return x if x > 0 else np.float32(0)
#
#
# assert np.array_equal(relu(x), np.maximum(x, 0))
# ```
# </details>
#
# ## Next
#
# Next come kernels for a processor with thousands of threads: [CUDA](21_cuda.py).
