# %% [markdown]
# # 23 · One convolution, traced
#
# `F.conv2d(x, w)` is one line. Below it are an engine that records operations, a registry that chooses an
# implementation, a kernel that arranges memory, threads, and at the very bottom a handful of vector registers. We
# follow one call all the way down, and its gradient all the way back.
#
# **Question.** What happens between `F.conv2d` and the processor's registers, and how many bytes and how much time does
# each step take?

# %%
import sys
import timeit

import course  # noqa: F401  (the look of the pictures)
import matplotlib.pyplot as plt
import numpy as np
from library_lines import REPOSITORY, show_lines

import minidl
import minidl.functional as F
from minidl import kernels

# %% [markdown]
# ## The formula
#
# We take the second convolution of a network like that of tutorial 11, for MNIST: 32 images, 32 input channels, 64
# output channels, and a 3x3 kernel on feature maps of 13x13, which gives 11x11:
#
# $$y_{n,k,i,j} = b_k + \sum_{r,s,c} x_{n,\,c,\,i+r,\,j+s}\; w_{k,c,r,s}$$
#
# How much work is that? Each output number takes $R\cdot S\cdot C$ multiplications and as many additions.

# %%
N, C, H, W, K, R, S = 32, 32, 13, 13, 64, 3, 3
OH, OW = H - R + 1, W - S + 1
random = np.random.default_rng(0)
x = random.standard_normal((N, C, H, W), dtype=np.float32)
w = random.standard_normal((K, C, R, S), dtype=np.float32)
b = random.standard_normal(K, dtype=np.float32)
operations = 2 * N * OH * OW * K * R * S * C
sizes = {"x": x.nbytes, "w": w.nbytes, "y": 4 * N * K * OH * OW}
moved = ", ".join(f"{name} {size / 1e3:.0f} kB" for name, size in sizes.items())
print(f"{operations / 1e6:.0f} million operations; bytes: {moved}")
print(f"arithmetic intensity: {operations / sum(sizes.values()):.0f} operations for each byte that must be moved")
assert operations == 142737408 and operations / sum(sizes.values()) > 60

# %% [markdown]
# There are many operations for each byte, so the kernel is limited by arithmetic, provided that it really moves each
# byte only once (tutorial 22).
#
# ## By hand
#
# Here is the whole idea of the fast kernel, in NumPy. **Memory order**: the channels of a pixel are neighbours in
# memory ("channels last"). So for one row $r$ of the convolution's kernel, all numbers $(s, c)$ that an output pixel
# needs are *contiguous*: $S\cdot C = 96$ numbers in a row. The weights are packed in the same order. **Tile**: 6 output
# pixels times 64 output channels are computed at once. Their 384 sums stay in registers until they are complete.


# %%
def convolve_by_tiles(x, w, b, tile=6):
    n_images, _, height, width = x.shape
    K, C, R, S = w.shape
    OH, OW = height - R + 1, width - S + 1
    memory = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(n_images, height, width * C)  # channels last
    packed = w.transpose(2, 3, 1, 0).reshape(R, S * C, K)  # (r, (s, c), k)
    y = np.empty((n_images, OH, OW, K), x.dtype)
    for n in range(n_images):
        for i in range(OH):
            for j in range(0, OW, tile):
                pixels = range(j, min(j + tile, OW))
                registers = np.tile(b, (len(pixels), 1))  # up to 6 x 64 sums
                for r in range(R):
                    runs = np.stack([memory[n, i + r, p * C : (p + S) * C] for p in pixels])  # 6 runs of 96 numbers
                    registers += runs @ packed[r]
                y[n, i, j : j + tile] = registers
    return y.transpose(0, 3, 1, 2)  # (N, K, OH, OW) again, as a view


# %% [markdown]
# ## Check
#
# The result must be minidl's. We also look at how minidl's result is stored.

# %%
y = F.conv2d(x, w, b)
assert np.allclose(convolve_by_tiles(x[:2], w, b), y[:2], atol=1e-4)
assert y.transpose(0, 2, 3, 1).flags.c_contiguous, "channels last in memory, under the shape (N, K, OH, OW)"
print("the tiles by hand agree with minidl; strides of the result in bytes:", y.strides)

# %% [markdown]
# ## In the library: the way down
#
# Python can report every function that is called (`sys.setprofile`). We record the calls during one convolution.

# %%
x_tensor, w_tensor, b_tensor = (minidl.tensor(array, requires_grad=True) for array in (x, w, b))


def calls_of(function):
    """The functions of minidl that are called: depth, file and line, name."""
    found, depth = [], 0

    def listen(frame, event, _):
        nonlocal depth
        path = frame.f_code.co_filename
        if str(REPOSITORY / "minidl") in path or str(REPOSITORY / "kernels") in path:
            if event == "call":
                place = path.removeprefix(f"{REPOSITORY}/")
                found.append((depth, f"{place}:{frame.f_code.co_firstlineno}", frame.f_code.co_qualname))
            depth += {"call": 1, "return": -1}.get(event, 0)

    sys.setprofile(listen)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found


F.conv2d(x_tensor, w_tensor, b_tensor)  # call once beforehand: the first call looks up an implementation
trace = calls_of(lambda: F.conv2d(x_tensor, w_tensor, b_tensor))
for depth, place, name in trace:
    print(f"{'  ' * depth}{name:<{44 - 2 * depth}} {place}")
names = [name for _, _, name in trace]
assert names[0] == "conv2d" and "Function.__call__" in names and "Conv2d.forward" in names

# %% [markdown]
# There are four levels. First, `conv2d` reads the options. Second, `Function.__call__` takes the arrays out of the
# Tensors, and afterwards records which operation made the result
# ([minidl/autograd/function.py](../minidl/autograd/function.py) `Function.__call__`). Third, `Conv2d.forward`
# ([minidl/functional/conv.py](../minidl/functional/conv.py) `Conv2d`) passes the arrays to the kernel. Fourth, the
# kernel's contract checks the shapes, and the registry picks the implementation for this array type, backend and dtype
# ([kernels/registry.py](../kernels/registry.py) `kernel`). What follows is compiled code, which Python does not see:
# [kernels/conv2d/cython_cpu.pyx](../kernels/conv2d/cython_cpu.pyx) `forward`.

# %%
show_lines("minidl/functional/conv.py", "Conv2d")
show_lines("kernels/conv2d/cython_cpu.pyx", "forward")

# %% [markdown]
# The innermost loop is written in C, in `kernels/cpu/tile.h`. The line `acc[m][v] += a_m * b_vectors[v]` multiplies one
# number of the image by a vector of weights, and adds the products to an accumulator that is kept in a register. This
# is the loop:

# %%
tile = (REPOSITORY / "kernels" / "cpu" / "tile.h").read_text()
start = tile.index("    for (long o = 0; o < sum->outer; o++)")
inner = tile[start : tile.index("\n    }\n", start) + 6]
print(inner)
assert "acc[m][v] += a_m * b_vectors[v]" in inner

# %% [markdown]
# ## Something real: where the time goes
#
# Each level costs time. We measure the engine and the registry with a convolution so small that it takes no time
# itself; the conversion of an array from PyTorch's memory order to channels last; and the kernel itself. Each time is
# the median of several runs (tutorial 22).


# %%
def microseconds(function, repeat=15):
    timer = timeit.Timer(function)
    number = max(1, round(0.005 / max(timer.timeit(1), 1e-7)))
    return float(np.median(timer.repeat(repeat, number))) / number * 1e6


last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # the same x, channels last in memory
tiny_x, tiny_w = minidl.tensor(x[:1, :1, :3, :3]), minidl.tensor(w[:1, :1], requires_grad=True)
with minidl.use_backend("auto"):
    times = {
        "Python: record, choose, check": microseconds(lambda: F.conv2d(tiny_x, tiny_w)),
        "x to channels last": microseconds(lambda: np.ascontiguousarray(x.transpose(0, 2, 3, 1))),
        "forward": microseconds(lambda: kernels.conv2d.forward(last, w, b)),
    }
    dy = np.ascontiguousarray(random.standard_normal((N, OH, OW, K), dtype=np.float32)).transpose(0, 3, 1, 2)
    times["input gradient"] = microseconds(lambda: kernels.conv2d.input_grad(dy, w, (H, W)))
    times["weight gradient"] = microseconds(lambda: kernels.conv2d.weight_grad(last, dy, (R, S)))
figure, axes = plt.subplots(figsize=(7.5, 2.8))
axes.barh(list(times)[::-1], list(times.values())[::-1])
axes.set(xlabel="microseconds", title=f"one convolution, threads: {kernels.get_num_threads()}")
plt.show()
for name, value in times.items():
    rate = f", {operations / value / 1e3:5.0f} GFLOP/s" if name == "forward" or "gradient" in name else ""
    print(f"{name:30} {value:8.1f} microseconds{rate}")
by_hand = microseconds(lambda: convolve_by_tiles(x[:1], w, b), repeat=1) * N
print(f"{'by hand, as above':30} {by_hand:8.0f} microseconds")
assert times["forward"] < by_hand

# %% [markdown]
# A network keeps its images in channels-last order from layer to layer, so the second bar is paid once, for the first
# layer, or not at all. The first bar does not depend on the batch size: for very small networks and batches it is the
# largest of all.
#
# ## The way back
#
# `backward` goes through what was recorded, in reverse. For the convolution it calls two kernels, both of which are
# convolutions again (tutorial 10).

# %%
F.conv2d(x_tensor, w_tensor, b_tensor).backward(dy)  # call once beforehand, as above
x_tensor.grad = w_tensor.grad = b_tensor.grad = None
y = F.conv2d(x_tensor, w_tensor, b_tensor)
back = calls_of(lambda: y.backward(dy))
for depth, place, name in back:
    if place.startswith(("minidl/functional", "kernels/")):
        print(f"{'  ' * depth}{name:<{44 - 2 * depth}} {place}")
kernels_called = [name for _, place, name in back if place.startswith("kernels/")]
assert {"input_grad", "weight_grad"} <= set(kernels_called)
dw = kernels.conv2d.weight_grad(x, dy, (R, S))
assert np.allclose(w_tensor.grad.numpy(), dw, atol=1e-2)
assert np.allclose(b_tensor.grad.numpy(), dy.sum((0, 2, 3)), atol=1e-2)

# %% [markdown]
# The gradient of the bias is a sum over all pixels of all images. It has a kernel of its own (`channel_sums`), because
# a plain float32 sum over many numbers loses digits.
#
# ## Exercises
#
# **1.** How many bytes would im2col (tutorial 10) write for this convolution, compared with the bytes of $x$?
#
# <details><summary>Answer</summary>
#
# Every output pixel gets its own copy of $R\cdot S\cdot C$ numbers, nine for each channel. As the output has fewer
# pixels than the input, that is $9\cdot 121/169$, more than six times $x$.
#
# ```python
# columns = 4 * N * OH * OW * R * S * C
# print(f"{columns / 1e6:.1f} MB against {x.nbytes / 1e6:.1f} MB")
# assert columns / x.nbytes > 6
# ```
# </details>
#
# **2.** Why does the tile have 6 pixels? Count registers: AVX-512 has 32 of them, for 16 numbers each.
#
# <details><summary>Answer</summary>
#
# 6 pixels x 64 channels are 6 x 4 = 24 accumulators; 4 more registers hold the weights and one the pixel: 29 of 32.
# With 7 pixels there would not be enough registers, and the compiler would have to move some to memory in the innermost
# loop.
#
# ```python
# accumulators, weights, pixel = 6 * 64 // 16, 64 // 16, 1
# assert accumulators + weights + pixel <= 32 < 7 * 64 // 16 + weights + pixel
# ```
# </details>
#
# **3.** Trace `F.relu(x_tensor)`. Through which levels does it go?
#
# <details><summary>Answer</summary>
#
# Through the same four: `relu`, `Function.__call__`, `Relu.forward`, and the kernel's contract and registry. (Call it
# once beforehand: the first call also looks for the kernel.)
#
# ```python
# F.relu(x_tensor)
# relu_trace = [name for _, _, name in calls_of(lambda: F.relu(x_tensor))]
# print(relu_trace)
# assert relu_trace[0] == "relu" and "Function.__call__" in relu_trace and "Relu.forward" in relu_trace
# ```
# </details>
#
# ## Next
#
# One thing is left: [add an operation of your own to the library](24_your_own.py).
