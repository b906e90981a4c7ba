# %% [markdown]
# # 22 · Reading a benchmark
#
# "Twice as fast" is the easiest sentence to write about a program, and the hardest to make true. Twice as fast as what,
# on which machine, how often measured, and does it compute the same?
#
# **Question.** How fast could a kernel be at best on this machine, how near is it, and what do ratios hide?

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from course import FAST
from library_lines import show_lines

from minidl import get_num_threads, kernels
from minidl.kernels.cpu import peak

# %% [markdown]
# ## The formula
#
# Two things can hold a kernel up: the processor does at most $P$ operations a second, the memory delivers at most $B$
# bytes a second. A kernel that does $q$ operations for each byte that it must move (its **arithmetic intensity**) can
# therefore do at most
#
# $$\min(P,\; q \cdot B)$$
#
# operations a second. Drawn over $q$ that is a slope and then a flat line: the **roofline** (Williams and others,
# 2009). Left of the bend (the **ridge point**) memory is the limit, right of it arithmetic.
#
# The matrix product of $n\times n$ matrices in float32 does $2n^3$ operations on $3\cdot 4n^2$ bytes: $q = n/6$, which
# grows with $n$. Adding two arrays does 1 operation for 12 bytes, $q = 0.08$, whatever their size.
#
# ## By hand
#
# A stopwatch. Four rules are in it: call once before (the first call loads, compiles, allocates); repeat until it
# lasted long enough to be measured; do that several times; and report the *median* with the *spread*, not the best
# number that you saw.


# %%
def stopwatch(function, rounds=5 if FAST else 9, seconds=0.01 if FAST else 0.05):
    """Seconds for one call: the median of some rounds, and (slowest - fastest) / median."""
    function()
    start = time.perf_counter()
    function()
    number = max(1, int(seconds / max(time.perf_counter() - start, 1e-9)))
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(number):
            function()
        found.append((time.perf_counter() - start) / number)
    median = float(np.median(found))
    return median, (max(found) - min(found)) / median


# %% [markdown]
# And the two roofs, measured, not taken from a data sheet: the clock of a modern processor depends on how warm it is
# and on who else is there. For $B$ by hand: add two arrays that no cache holds.

# %%
size = 4_000_000 if FAST else 20_000_000
u, v, out = np.ones(size), np.ones(size), np.empty(size)
seconds, spread = stopwatch(lambda: np.add(u, v, out=out))
one_core = 3 * u.nbytes / seconds / 1e9
print(f"memory, by one core: {one_core:.0f} GB/s, spread {spread:.0%}")

# %% [markdown]
# For $P$ there must be nothing but multiply-adds on registers, which Python cannot write. The library can.
#
# ## In the library
#
# `minidl.kernels.cpu.peak` has both roofs: [kernels/cpu/peak.pyx](../kernels/cpu/peak.pyx) `memory_bandwidth` and
# [kernels/cpu/peak.pyx](../kernels/cpu/peak.pyx) `peak_gflops`. For a roof the best of several runs counts: it is what
# the machine can do, and whatever else was running can only have lowered it.

# %%
show_lines("kernels/cpu/peak.pyx", "peak_gflops")
P = max(peak.peak_gflops(0.03) for _ in range(3 if FAST else 10))
B = max(peak.memory_bandwidth(96 if FAST else 512, 0.1) for _ in range(1 if FAST else 3))
bend = P / B
print(f"threads: {get_num_threads()}, P = {P:.0f} GFLOP/s, B = {B:.0f} GB/s, the bend at {bend:.0f} operations a byte")
assert P > 1 and B > 0.1

# %% [markdown]
# ## Check
#
# Before a kernel is timed, its result is checked; a wrong kernel can be as fast as one likes. Here is one that leaves
# out three quarters of the sum, and is much "faster" than the right one:


# %%
def fast_and_wrong(a, b):
    return kernels.matmul.forward(a[:, ::4], b[::4])  # every fourth term of the sum


random = np.random.default_rng(0)
a, b = random.standard_normal((2, 512, 512), dtype=np.float32)
right, _ = stopwatch(lambda: kernels.matmul.forward(a, b))
wrong, _ = stopwatch(lambda: fast_and_wrong(a, b))
print(f"{right / wrong:.1f} times as fast")
assert not np.allclose(fast_and_wrong(a, b), a @ b, atol=1e-2)
assert np.allclose(kernels.matmul.forward(a, b), a @ b, atol=1e-2)

# %% [markdown]
# ## Something real
#
# Several kernels of the library under the roof of this machine. For each: operations that the formula needs, bytes that
# must be moved at least once, and the time.

# %%
points = {}


def measure(name, function, operations, arrays):
    seconds, spread = stopwatch(function)
    moved = sum(array.nbytes for array in arrays)
    points[name] = operations / moved, operations / seconds / 1e9
    limit = min(P, points[name][0] * B)
    print(
        f"{name:22} {points[name][0]:7.2f} operations/byte {points[name][1]:8.2f} GFLOP/s, "
        f"{points[name][1] / limit:5.0%} of the roof there, spread {spread:.0%}"
    )


big = random.standard_normal(1_000_000 if FAST else 8_000_000, dtype=np.float32)
measure("relu", lambda: kernels.activations.relu_forward(big), big.size, [big, big])
for n in (64, 256, 768):
    a, b = random.standard_normal((2, n, n), dtype=np.float32)
    measure(f"matmul {n}", lambda a=a, b=b: kernels.matmul.forward(a, b), 2 * n**3, [a, b, a])
x = random.standard_normal((16, 32, 28, 28), dtype=np.float32)
w = random.standard_normal((64, 32, 3, 3), dtype=np.float32)
y = kernels.conv2d.forward(x, w)
measure("conv2d 32 to 64, 3x3", lambda: kernels.conv2d.forward(x, w), 2 * y.size * 32 * 9, [x, w, y])
pooled, _ = kernels.pool2d.max_forward(x, (2, 2))
measure("max_pool2d", lambda: kernels.pool2d.max_forward(x, (2, 2)), 3 * pooled.size, [x, pooled])
assert points["matmul 768"][0] > points["matmul 64"][0] > points["relu"][0]

# %%
q = np.geomspace(0.05, 500, 100)
figure, axes = plt.subplots(figsize=(7.5, 4))
axes.loglog(q, np.minimum(P, q * B), color="black")
for name, (intensity, rate) in points.items():
    axes.plot(intensity, rate, "o", label=name)
axes.legend(loc="lower right")
axes.margins(y=0.12)
axes.set(xlabel="operations per byte", ylabel="GFLOP/s", title="kernels under the roof of this machine")
plt.show()

# %% [markdown]
# A point far below the roof has something left to gain; one on the slope is as fast as memory allows, and a cleverer
# loop would not help. What helps there is moving fewer bytes: doing two things in one pass (convolution, bias, ReLU and
# pooling, say) while the numbers are at hand. (A point can lie *above* the slope: its arrays come from a cache, and the
# last cache of a server may hold hundreds of megabytes.)
#
# ## What a ratio hides
#
# **The machine's mood.** Measure the same thing twice, and the two times differ. Measure A ten times and then B ten
# times: if the machine slows down in between, B gets the blame. So take turns, A B A B. All ratios of minidl come from
# such turns.

# %%
a, b = random.standard_normal((2, 256, 256), dtype=np.float32)
ratios = []
for _ in range(5):
    first, _ = stopwatch(lambda: kernels.matmul.forward(a, b), rounds=3)
    second, _ = stopwatch(lambda: kernels.matmul.forward(a, b), rounds=3)
    ratios.append(first / second)
print("the same against the same:", " ".join(f"{ratio:.2f}" for ratio in ratios))
assert 0.1 < np.median(ratios) < 10

# %% [markdown]
# **The other one.** Ten times as fast as a slow program is still slow. Say what the peer is, and take the best one that
# there is; and say how far the roof is. **The part.** A kernel that takes the share $p$ of the time, made $s$ times as
# fast, makes the whole faster by (Amdahl's law)
#
# $$\text{speedup} = \frac{1}{(1 - p) + p/s}$$

# %%
p, s = 0.1, 10
speedup = 1 / ((1 - p) + p / s)
print(f"a tenth of the time, ten times as fast: the whole is {speedup:.2f} times as fast")
assert 1.09 < speedup < 1.1

# %% [markdown]
# **The question.** Which time? With the first call or without, with the data's way to the device or without, on one
# thread or all? `python -m benchmarks` writes all of that beside its figures; read `benchmarks/README.md` with these
# questions in mind.
#
# ## Exercises
#
# **1.** At which $n$ does the matrix product cross the bend on this machine?
#
# <details><summary>Answer</summary>
#
# Where $n / 6 = P / B$.
#
# ```python
# crossing = 6 * bend
# print(f"n = {crossing:.0f}")
# assert crossing > 0
# ```
# </details>
#
# **2.** Time `np.add` on arrays of 1,000 and of 10 million numbers, in GB/s. Why do they differ?
#
# <details><summary>Answer</summary>
#
# The small ones stay in the cache, which delivers faster than memory; even smaller ones are lost in the cost of the
# call.
#
# ```python
# for count in (1_000, 100_000, 10_000_000):
#     p, q = np.ones((2, count), np.float32)
#     into = np.empty_like(p)
#     seconds, _ = stopwatch(lambda: np.add(p, q, out=into), rounds=3)
#     print(f"{count:10,} numbers: {3 * p.nbytes / seconds / 1e9:6.1f} GB/s")
# assert seconds > 0
# ```
# </details>
#
# ## Next
#
# Now we know what to ask. Let us follow [one convolution](23_one_convolution.py) through every storey of the house.
