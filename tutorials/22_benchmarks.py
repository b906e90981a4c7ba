# %% [markdown]
# # 22 · Reading a benchmark
#
# "Twice as fast" is the easiest sentence to write about a program, and the hardest to make true. Twice as fast as what,
# on which machine, measured how often, and does it compute the same?
#
# **Question.** How fast can a kernel be at best on this machine, how close does it come, and what do ratios hide?

# %%
import time

import course  # noqa: F401  (the look of the plots)
import matplotlib.pyplot as plt
import numpy as np
from library_lines import show_lines

from minidl import get_num_threads, kernels
from minidl.kernels.cpu import peak

# %% [markdown]
# ## The formula
#
# Two things limit a kernel: the processor does at most $P$ operations a second, and the memory delivers at most $B$
# bytes a second. The number $q$ of operations that a kernel does for each byte that it must move is its **arithmetic
# intensity**. The kernel can therefore do at most
#
# $$\min(P,\; q \cdot B)$$
#
# operations a second. Plotted over $q$, this is a slope and then a flat line: the **roofline** (Williams and others,
# 2009). Left of the point where they meet (the **ridge point**) memory is the limit, right of it arithmetic.
#
# The product of two $n\times n$ matrices in float32 does $2n^3$ operations on $3\cdot 4n^2$ bytes: $q = n/6$, which
# grows with $n$. Adding two arrays does 1 operation for 12 bytes, $q = 0.08$, whatever their size.
#
# ## By hand
#
# We need a stopwatch. It follows four rules: call the function once beforehand (the first call loads, compiles,
# allocates); repeat it until the time is long enough to measure; do that several times; and report the *median* and the
# *spread*, not the best number that you saw. (Tutorials 03, 10, 14, 19 and 20 took the shortest time, which is simpler.
# It says what the code can do, not what you will see.)


# %%
def stopwatch(function, rounds=9, seconds=0.05):
    """Seconds for one call: the median of some rounds, and (slowest - fastest) / median."""
    function()
    start = time.perf_counter()
    function()
    number = max(1, int(seconds / max(time.perf_counter() - start, 1e-9)))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(number):
            function()
        times.append((time.perf_counter() - start) / number)
    median = float(np.median(times))
    return median, (max(times) - min(times)) / median


# %% [markdown]
# Now the two limits. We measure them instead of reading them from a data sheet, because the clock rate of a modern
# processor depends on its temperature and on what else is running. $B$ we can measure by hand: add two arrays that are
# too large for any cache. (That the processor also reads what it will overwrite is not counted.)

# %%
size = 20_000_000
u, v, out = np.ones(size), np.ones(size), np.empty(size)
seconds, spread = stopwatch(lambda: np.add(u, v, out=out))
one_core = 3 * u.nbytes / seconds / 1e9
print(f"memory, by one core: {one_core:.0f} GB/s, spread {spread:.0%}")

# %% [markdown]
# To measure $P$, a loop must consist of nothing but multiply-adds on registers, which cannot be written in Python. The
# library has one.
#
# ## In the library
#
# `minidl.kernels.cpu.peak` measures both limits: [kernels/cpu/peak.pyx](../kernels/cpu/peak.pyx) `memory_bandwidth` and
# [kernels/cpu/peak.pyx](../kernels/cpu/peak.pyx) `peak_gflops`. Here we take the best of several runs, not the median:
# a limit is what the machine can do, and whatever else was running can only have lowered the measurement.

# %%
show_lines("kernels/cpu/peak.pyx", "peak_gflops")
P = max(peak.peak_gflops(0.03) for _ in range(10))
B = max(peak.memory_bandwidth(512, 0.1) for _ in range(3))
ridge = P / B
print(f"threads: {get_num_threads()}, P = {P:.0f} GFLOP/s, B = {B:.0f} GB/s, ridge point: {ridge:.0f} operations/byte")
assert P > 1 and B > 0.1

# %% [markdown]
# ## Check
#
# Before a kernel is timed, its result is checked, because a wrong kernel can be as fast as you like. Here is one that
# leaves out three quarters of the sum, and is much "faster" than the right one:


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
# We now compare several kernels of the library with the roofline of this machine. For each we need the operations in
# its formula, the bytes that must be moved at least once, and the time.

# %%
points = {}


def measure(name, function, operations, arrays):
    seconds, spread = stopwatch(function)
    moved = sum(array.nbytes for array in arrays)
    points[name] = operations / moved, operations / seconds / 1e9
    limit = min(P, points[name][0] * B)
    print(
        f"{name:22} {points[name][0]:7.2f} operations/byte {points[name][1]:8.2f} GFLOP/s, "
        f"{points[name][1] / limit:5.0%} of the roofline, spread {spread:.0%}"
    )


big = random.standard_normal(8_000_000, dtype=np.float32)
measure("relu", lambda: kernels.activations.relu_forward(big), big.size, [big, big])
for n in (64, 256, 768):
    a, b = random.standard_normal((2, n, n), dtype=np.float32)
    measure(f"matmul {n}", lambda a=a, b=b: kernels.matmul.forward(a, b), 2 * n**3, [a, b, a])
x = random.standard_normal((16, 32, 28, 28), dtype=np.float32)
w = random.standard_normal((64, 32, 3, 3), dtype=np.float32)
y = kernels.conv2d.forward(x, w)
measure("conv2d 32 to 64, 3x3", lambda: kernels.conv2d.forward(x, w), 2 * y.size * 32 * 9, [x, w, y])
pooled, taps = kernels.pool2d.max_forward(x, (2, 2))
measure("max_pool2d", lambda: kernels.pool2d.max_forward(x, (2, 2)), 3 * pooled.size, [x, pooled, taps])
assert points["matmul 768"][0] > points["matmul 64"][0] > points["relu"][0]

# %% [markdown]
# The same as a figure: the roofline, and each kernel as a point.

# %%
q = np.geomspace(0.05, 500, 100)
figure, axes = plt.subplots(figsize=(7.5, 4))
axes.loglog(q, np.minimum(P, q * B), color="black")
for (name, (intensity, rate)), marker in zip(points.items(), "os^vDP"):
    axes.plot(intensity, rate, marker, label=name)
axes.legend(loc="lower right")
axes.margins(y=0.12)
axes.set(xlabel="operations per byte", ylabel="GFLOP/s", title="kernels under the roofline of this machine")
plt.show()

# %% [markdown]
# A point far below the roofline can still gain something; a point on the slope is as fast as memory allows, and a
# cleverer loop would not help. What helps there is to move fewer bytes: to do several things in one pass (convolution,
# bias, ReLU and pooling, say) while the numbers are in registers or in the cache (**fusion**). (A point can even lie
# *above* the slope, if its arrays come from a cache; the last-level cache of a server may hold hundreds of megabytes.)
#
# ## What a ratio hides
#
# **The state of the machine.** Measure the same thing twice, and the two times differ. If you measure A ten times and
# then B ten times, and the machine slows down in between, B gets the blame. So alternate: A B A B. All ratios of minidl
# are measured in this way. Here a kernel is compared with itself:

# %%
a, b = random.standard_normal((2, 256, 256), dtype=np.float32)
ratios = []
for _ in range(5):
    first, _ = stopwatch(lambda: kernels.matmul.forward(a, b), rounds=3)
    second, _ = stopwatch(lambda: kernels.matmul.forward(a, b), rounds=3)
    ratios.append(first / second)
print("ratios of a kernel to itself:", " ".join(f"{ratio:.2f}" for ratio in ratios))
assert 0.1 < np.median(ratios) < 10

# %% [markdown]
# Even these ratios are not exactly 1; a difference between two kernels that is no larger says nothing.
#
# **The baseline.** Ten times as fast as a slow program is still slow. Say what you compare with, choose the best that
# there is, and say how far away the roofline is.
#
# **The part.** If a kernel takes the share $p$ of the whole time, and becomes $s$ times as fast, the whole becomes
# faster by (Amdahl's law)
#
# $$\text{speedup} = \frac{1}{(1 - p) + p/s}$$

# %%
p, s = 0.1, 10
speedup = 1 / ((1 - p) + p / s)
print(f"a tenth of the time, ten times as fast: the whole is {speedup:.2f} times as fast")
assert 1.09 < speedup < 1.1

# %% [markdown]
# **The question.** Which time was measured? With or without the first call, with or without copying the data to the
# device, on one thread or on all? `python -m benchmarks` states all of that beside its numbers; read
# `benchmarks/README.md` with these questions in mind.
#
# ## Exercises
#
# **1.** For which $n$ does the matrix product reach the ridge point of this machine?
#
# <details><summary>Answer</summary>
#
# Where $n / 6 = P / B$.
#
# ```python
# crossing = 6 * ridge
# print(f"n = {crossing:.0f}")
# assert crossing > 0
# ```
# </details>
#
# **2.** Time `np.add` on arrays of 1,000 and of 10 million numbers, and compute GB/s. Why do they differ?
#
# <details><summary>Answer</summary>
#
# The small arrays stay in the cache, which delivers faster than memory; for even smaller ones, the cost of the call
# dominates.
#
# ```python
# for count in (1_000, 100_000, 10_000_000):
#     p, q = np.ones((2, count), np.float32)
#     out = np.empty_like(p)
#     seconds, _ = stopwatch(lambda: np.add(p, q, out=out), rounds=3)
#     print(f"{count:10,} numbers: {3 * p.nbytes / seconds / 1e9:6.1f} GB/s")
# assert seconds > 0
# ```
# </details>
#
# ## Next
#
# Now we know what to ask about a measurement. Let us follow [one convolution](23_one_convolution.py) through all levels
# of the library.
