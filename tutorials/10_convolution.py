# %% [markdown]
# # 10 · Convolution
#
# Move a 7 by one pixel and it is still a 7. The networks so far do not know that: to them an image is a list of pixels
# in no particular order, and they must learn what a stroke looks like separately for every place.
#
# **Question.** How do we build a layer that detects the same pattern in every place, and how do we make it fast?

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines
from sklearn.datasets import load_sample_image

import minidl
import minidl.functional as F
from minidl import kernels, optim

# %% [markdown]
# ## The formula
#
# Take a small window of weights $w$, say 3 by 3, called a **kernel** or a **filter**. Lay it over the image, multiply
# each weight by the pixel under it, and add up the products. That is one output pixel. Slide the window along and do
# the same in every place, with the *same* weights:
#
# $$y_{ij} = \sum_{r,s} x_{i+r,\,j+s}\; w_{rs}$$
#
# This is **convolution**. (Mathematicians flip the kernel first, and call what networks compute a cross-correlation.) A
# layer has several input channels $c$, for example red, green and blue, and several filters $k$. Each filter has a
# window for every channel, and makes one output channel. With a batch of images $n$, and a bias for each filter:
#
# $$y_{nkij} = b_k + \sum_{c,r,s} x_{n,c,\;i\cdot\text{stride}+r-\text{padding},\;j\cdot\text{stride}+s-\text{padding}}
# \; w_{kcrs}$$
#
# The **stride** is how far the window moves from one output pixel to the next. **Padding** puts a frame of zeros around
# the image, so that the window can reach over the border. How many positions does a window of $R$ pixels have along $H$
# pixels? It can move by $H + 2\,\text{padding} - R$ pixels in all, in steps of the stride. So the height of the output
# is (with $\lfloor\ \rfloor$ for rounding down)
#
# $$OH = \Big\lfloor\frac{H + 2\,\text{padding} - R}{\text{stride}}\Big\rfloor + 1$$
#
# ## By hand: four loops
#
# We write two loops over the output pixels and two over the window. Inside the loops is a small matrix product over the
# channels, for all images at once.


# %%
def output_size(size, window, stride, padding):
    return (size + 2 * padding - window) // stride + 1


def pad(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def conv_loops(x, w, stride=1, padding=0):
    (n, _, height, width), (k, _, R, S) = x.shape, w.shape
    x = pad(x, padding)
    OH, OW = output_size(height, R, stride, padding), output_size(width, S, stride, padding)
    y = np.zeros((n, k, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            for r in range(R):
                for s in range(S):
                    y[:, :, i, j] += x[:, :, i * stride + r, j * stride + s] @ w[:, :, r, s].T  # (N, C) @ (C, K)
    return y


# %% [markdown]
# Try it on a digit. A kernel with $-1$ on its left and $1$ on its right responds where ink begins towards the right,
# that is, to a vertical edge (blue in the plot; red is an edge the other way round). And if the digit moves, the output
# moves along and is otherwise the same.

# %%
images, _, _, _ = load_images()
digit = images[:1]  # (1, 1, H, W)
vertical = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)[None, None]  # Sobel's kernel, 1968
horizontal = vertical.swapaxes(2, 3)
moved = np.roll(digit, 1, axis=3)

figure, axes = plt.subplots(1, 5, figsize=(9.5, 2.2))
show_image(axes[0], digit, "a digit")
for ax, image, kernel, title in (
    (axes[1], digit, vertical, "vertical edges"),
    (axes[2], digit, horizontal, "horizontal edges"),
    (axes[4], moved, vertical, "its vertical edges"),
):
    show_image(ax, conv_loops(image, kernel, padding=1), title, cmap="RdBu", vmin=-3, vmax=3)
show_image(axes[3], moved, "moved by a pixel")
plt.show()

edges, edges_moved = conv_loops(digit, vertical, padding=2), conv_loops(moved, vertical, padding=2)
assert np.allclose(edges_moved[..., 2:-1], edges[..., 1:-2]), "the output moves with the image"
print(f"weights: {vertical.size} for this layer, {digit.size * edges.size} for a dense one between the same pixels")

# %% [markdown]
# ## From loops to one matrix product
#
# Python loops are slow, and computers are very fast at matrix products. So let us write the window of input pixels that
# each output pixel depends on as one row of a large matrix, and the weights of each filter as a column of another. Then
# the whole convolution is one matrix product. The trick is called **im2col**. The plot shows it for a 4 by 4 image and
# 3 by 3 windows.

# %%
small = np.arange(16).reshape(4, 4)
rows = np.lib.stride_tricks.sliding_window_view(small, (3, 3)).reshape(4, 9)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3), width_ratios=(1, 2.2))
marked = np.zeros((4, 4)), np.zeros((4, 9))
marked[0][0:3, 1:4] = marked[1][1] = 1  # the second window
for ax, values, mark in ((left, small, marked[0]), (right, rows, marked[1])):
    ax.imshow(mark, cmap="Blues", vmin=0, vmax=3)
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, value, ha="center", va="center")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
left.set_title("x, with one window marked")
right.set(title="im2col: every window is a row", ylabel="output pixel", xlabel="place in the window")
plt.show()


# %%
def im2col(x, R, S, stride, padding):
    """Rows of windows: (N*OH*OW, C*R*S)."""
    windows = np.lib.stride_tricks.sliding_window_view(pad(x, padding), (R, S), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]  # (N, C, OH, OW, R, S)
    n, c, OH, OW = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * OH * OW, c * R * S), (OH, OW)


def conv_im2col(x, w, stride=1, padding=0):
    rows, (OH, OW) = im2col(x, *w.shape[2:], stride, padding)
    y = rows @ w.reshape(len(w), -1).T  # (N*OH*OW, K)
    return y.reshape(len(x), OH, OW, -1).transpose(0, 3, 1, 2)


# %% [markdown]
# The price is memory: with a 3 by 3 window every pixel is copied up to nine times. There is a way in between. The
# positions $(r, s)$ in a window are called its **taps**. Loop over the taps only, nine iterations. For one tap, all
# output pixels together read a shifted copy of the image, which is a slice. (`np.einsum` multiplies and adds up as its
# letters say: the sum goes over `c`, which is missing behind the arrow.)


# %%
def taps(w, size, stride):
    """Each tap (r, s) of a window, with the slices of the padded image that it reads."""
    for r in range(w.shape[2]):
        for s in range(w.shape[3]):
            yield (
                r,
                s,
                slice(r, r + (size[0] - 1) * stride + 1, stride),
                slice(s, s + (size[1] - 1) * stride + 1, stride),
            )


def conv_taps(x, w, stride=1, padding=0):
    size = [output_size(x.shape[a], w.shape[a], stride, padding) for a in (2, 3)]
    x = pad(x, padding)
    y = np.zeros((len(x), len(w), *size), x.dtype)
    for r, s, rows, columns in taps(w, size, stride):
        y += np.einsum("ncij,kc->nkij", x[:, :, rows, columns], w[:, :, r, s], optimize=True)
    return y


# %% [markdown]
# ## The gradients
#
# The formula contains a single product, $x\cdot w$. So the derivative with respect to a weight is the pixel that it was
# multiplied by, and the derivative with respect to a pixel is the weight. What remains is to find out *which* pixels
# and weights belong together. (To leave padding out of the formulas, $x$ and $dx$ here stand for the padded image.)
#
# **The weight** $w_{kcrs}$ is used for every image and every output pixel. The contributions add up:
#
# $$dw_{kcrs} = \sum_{n,i,j} dy_{nkij}\; x_{n,c,\;i\cdot\text{stride}+r,\;j\cdot\text{stride}+s}$$
#
# **The pixel** $x_{ncpq}$ is read once by every tap that passes over it. For each output pixel and each tap, add $dy$
# times the weight to the pixel that was read:
#
# $$dx_{n,c,\;i\cdot\text{stride}+r,\;j\cdot\text{stride}+s} \mathrel{+}= \sum_k dy_{nkij}\; w_{kcrs}
# \qquad\text{for every } i, j, r, s$$
#
# **The bias** is added to every pixel of its output channel: $db_k = \sum_{n,i,j} dy_{nkij}$.


# %%
def conv_gradients(x, w, dy, stride=1, padding=0):
    size, height, width = dy.shape[2:], *x.shape[2:]
    x = pad(x, padding)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for r, s, rows, columns in taps(w, size, stride):
        dw[:, :, r, s] = np.einsum("nkij,ncij->kc", dy, x[:, :, rows, columns], optimize=True)
        dx[:, :, rows, columns] += np.einsum("nkij,kc->ncij", dy, w[:, :, r, s], optimize=True)
    dx = dx[:, :, padding : padding + height, padding : padding + width]  # without the padding
    return dx, dw, dy.sum((0, 2, 3))


# %% [markdown]
# ## Check
#
# The three versions must agree with each other and with the library, and the three gradients with the library's, for
# several strides and paddings. Then we check the library's gradients against numerical gradients.

# %%
random = np.random.default_rng(0)
for stride, padding in ((1, 0), (1, 1), (2, 1), (3, 2)):
    x, w = random.standard_normal((2, 3, 8, 7)), random.standard_normal((4, 3, 3, 3))
    b = random.standard_normal(4)
    y = conv_loops(x, w, stride, padding)
    assert np.allclose(conv_im2col(x, w, stride, padding), y) and np.allclose(conv_taps(x, w, stride, padding), y)
    assert np.allclose(F.conv2d(x, w, b, stride, padding), y + b[:, None, None])

    tensors = [minidl.tensor(array, requires_grad=True) for array in (x, w, b)]
    dy = random.standard_normal(y.shape)
    F.conv2d(*tensors, stride, padding).backward(dy)
    for mine, tensor in zip(conv_gradients(x, w, dy, stride, padding), tensors):
        assert np.allclose(mine, tensor.grad.numpy())
    print(f"stride {stride}, padding {padding}: {x.shape[2:]} -> {y.shape[2:]}, forward and three gradients agree")

tiny = [
    minidl.tensor(random.standard_normal(shape), requires_grad=True) for shape in ((1, 2, 5, 4), (2, 2, 3, 3), (2,))
]
assert minidl.gradcheck(lambda *inputs: F.conv2d(*inputs, stride=2, padding=1), tiny)

# %% [markdown]
# ## In the library
#
# The operation and its gradient rule are [minidl/functional/conv.py](../minidl/functional/conv.py) `Conv2d`. Note that
# the two gradients are operations too, so they can be differentiated again.

# %%
show_lines("minidl/functional/conv.py", "Conv2d")

# %% [markdown]
# The loops are in a **kernel**. (Unfortunately it is the same word: here it means a function of arrays in which the
# time is spent.) It exists in several versions, one for each **backend**, with the same **contract**: formula, shapes
# and errors. The readable one, the **reference**, goes tap by tap, as yours does:
# [kernels/conv2d/reference.py](../kernels/conv2d/reference.py) `forward`,
# [kernels/conv2d/reference.py](../kernels/conv2d/reference.py) `input_grad` and
# [kernels/conv2d/reference.py](../kernels/conv2d/reference.py) `weight_grad`. The fast one,
# [kernels/conv2d/cython_cpu.pyx](../kernels/conv2d/cython_cpu.pyx) `forward`, is compiled, and reads the pixels where
# they are, so that no matrix of windows is ever built.

# %%
show_lines("kernels/conv2d/reference.py", "forward")
show_lines("kernels/conv2d/reference.py", "weight_grad")

# %% [markdown]
# How fast are the versions? We take a layer as in a small network: 32 images of 28 by 28 pixels with 16 channels, and
# 32 filters of 3 by 3. Each version is timed several times, and the shortest time counts.

# %%
x, w = random.standard_normal((32, 16, 28, 28), np.float32), random.standard_normal((32, 16, 3, 3), np.float32)


def milliseconds(function, repeat=5):
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


times = {
    "four loops": milliseconds(lambda: conv_loops(x, w)),
    "im2col": milliseconds(lambda: conv_im2col(x, w)),
    "tap by tap": milliseconds(lambda: conv_taps(x, w)),
}
for backend, name in (("reference", "minidl, the reference"), ("auto", "minidl, its best here")):
    with minidl.use_backend(backend):
        F.conv2d(x, w)  # the first call may have to prepare something
        times[name] = milliseconds(lambda: F.conv2d(x, w))
# one multiplication and one addition for each product, in billions
work = 2 * 32 * 26 * 26 * 32 * 16 * 9 / 1e9
for name, ms in times.items():
    print(f"{name:22} {ms:7.2f} ms   {work / (ms / 1e3):6.1f} GFLOP/s")
assert min(ms for name, ms in times.items() if name.startswith("minidl")) < times["four loops"]

# %%
figure, axes = plt.subplots(figsize=(7.5, 2.6))
bars = axes.barh(list(times)[::-1], list(times.values())[::-1])
axes.bar_label(bars, fmt="{:.2f}", padding=3)
axes.set(xlabel="milliseconds (shorter is better)", title="one convolution, several ways")
plt.show()

# %% [markdown]
# A GFLOP/s is a billion ($10^9$) multiplications and additions per second. The numbers depend on your computer, on what
# else it is doing, and on whether the compiled kernels were built. `kernels.table()` lists the versions of all kernels;
# these are the convolution's, and which of them can run here:

# %%
for row in kernels.table():
    if row.kernel == "conv2d":
        print(f"{row.backend:16} {'can run' if row.available else row.reason}")

# %% [markdown]
# ## Something real
#
# First, edges in a photograph, with the two kernels from above. The strength of an edge is
# $\sqrt{\text{vertical}^2 + \text{horizontal}^2}$. (The frame that you will see is an edge too: the padding around the
# photograph is black.)

# %%
photo = load_sample_image("china.jpg")[::2, ::2].mean(2, dtype=np.float32)[None, None] / 255  # grey, half the size
gx, gy = F.conv2d(photo, vertical, padding=1), F.conv2d(photo, horizontal, padding=1)
edges = np.sqrt(gx**2 + gy**2)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
show_image(left, photo, "a photograph", cmap="gray")
show_image(right, edges, "where it changes", vmin=0, vmax=2)
plt.show()

# %% [markdown]
# Someone had to invent those kernels. But a kernel can also be learned, and that is the point of convolutional
# networks. We start with a kernel of zeros and give it the photograph as the input and its vertical edges as the
# target.

# %%
x, target = minidl.tensor(photo), minidl.tensor(gx)
w = minidl.tensor(np.zeros((1, 1, 3, 3), np.float32), requires_grad=True)
optimizer = optim.Adam([w], lr=0.1)
losses = []
for _ in range(300):
    loss = F.mse_loss(F.conv2d(x, w, padding=1), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(w.numpy()[0, 0].round(2) + 0.0)  # + 0.0 makes -0 a 0
assert np.abs(w.numpy() - vertical).max() < 0.1 and losses[-1] < 1e-3 * losses[0]

# %%
figure, axes = plt.subplots(1, 3, figsize=(8.5, 2.6), width_ratios=(1, 1, 2))
for ax, kernel, title in ((axes[0], vertical, "Sobel, 1968"), (axes[1], w.numpy(), "learned from one photo")):
    show_image(ax, kernel, title, cmap="RdBu", vmin=-2.5, vmax=2.5)
    for (r, s), value in np.ndenumerate(kernel[0, 0]):
        ax.text(s, r, f"{value.round(1) + 0.0:.1f}", ha="center", va="center")
axes[2].semilogy(losses)
axes[2].set(xlabel="step", ylabel="MSE", title="learning a kernel")
plt.show()

# %% [markdown]
# The learned kernel is Sobel's.
#
# ## Exercises
#
# **1.** A layer is to keep the size of its images: $OH = H$. Which padding does that take for stride 1 and a window of
# 3? Of 5? Of $R$?
#
# <details><summary>Answer</summary>
#
# $H + 2\,\text{padding} - R + 1 = H$, so $\text{padding} = (R-1)/2$: 1, 2, and so on. Windows of even size have no
# such padding, which is one reason why nearly all have an odd one. minidl calls it `padding="same"`.
#
# ```python
# for R in (3, 5, 7):
#     assert output_size(28, R, stride=1, padding=(R - 1) // 2) == 28
# ```
# </details>
#
# **2.** Show that, for stride 1, $dx$ is itself a convolution: of $dy$, with the kernel rotated by 180 degrees and its
# input and output channels exchanged. Which padding does it need?
#
# <details><summary>Answer</summary>
#
# Along one axis, output $i$ reads pixel $p$ through tap $r = p - i$. So $dx_p = \sum_r dy_{p-r}\,w_r$: a convolution
# with the taps in reverse order. At the border it reaches beyond $dy$, so it needs $R-1$ zeros around $dy$.
#
# ```python
# x, w = random.standard_normal((2, 3, 6, 6)), random.standard_normal((4, 3, 3, 3))
# dy = random.standard_normal((2, 4, 4, 4))
# rotated = w[:, :, ::-1, ::-1].swapaxes(0, 1)
# assert np.allclose(conv_loops(dy, rotated, padding=2), conv_gradients(x, w, dy)[0])
# ```
# </details>
#
# **3.** Two convolutions with 3 by 3 windows, one after the other: on how many pixels of the image does one output
# pixel depend?
#
# <details><summary>Answer</summary>
#
# The second layer sees 3 by 3 pixels, each of which depends on 3 by 3 pixels of the image: in all 5 by 5. This is
# called the **receptive field**. The gradient shows it: set $dy$ to 1 in a single place.
#
# ```python
# x = minidl.tensor(np.zeros((1, 1, 9, 9)), requires_grad=True)
# w = minidl.tensor(np.ones((1, 1, 3, 3)))
# F.conv2d(F.conv2d(x, w), w)[0, 0, 2, 2].backward()
# assert np.count_nonzero(x.grad.numpy()) == 25
# ```
# </details>
#
# ## Next
#
# [11 · Pooling, and a network that sees](11_cnn.py): from edges to digits.
