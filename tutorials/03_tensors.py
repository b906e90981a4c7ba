# %% [markdown]
# # 03 · Tensors and broadcasting
#
# Your autograd of tutorial 02 works, but it makes an object for every single number. Networks compute with millions
# of numbers at a time, so we want one object for a whole array of them: a **tensor**. (With one axis it is also called
# a **vector**, with two a **matrix**.)
#
# **Question.** What are the gradient rules when each value is an array, and what happens to the gradient of a small
# array that was stretched to fit a large one?

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl

# %% [markdown]
# ## The formula
#
# The loss $L$ is still a single number. The gradient of $L$ with respect to an array $x$ is an array of the same shape,
# which holds the derivative of $L$ with respect to each number in $x$. We write $dx$ for it, and $dy$ for the gradient
# with respect to $y$, as the code does. Every rule answers one question: *given $dy$, what is $dx$?*
#
# **Elementwise operations.** If $y_i = x_i^2$, each number has its own little chain: $dx_i = dy_i\cdot 2x_i$. For whole
# arrays: `dx = dy * 2 * x`.
#
# **Sums.** If $y = \sum_i x_i$, every $x_i$ changes $y$ by the same amount, with slope 1. So $dx_i = dy$: the single
# number $dy$ is copied to every place.
#
# **Broadcasting.** NumPy adds arrays of different shapes by stretching axes of length 1, after adding missing axes in
# front:
#
# | | shape |
# | --- | --- |
# | `a` | (3, 1) |
# | `b` | (4,), seen as (1, 4) |
# | `a + b` | (3, 4) |
#
# So $y_{ij} = a_i + b_j$: each $a_i$ is *used four times*. From tutorial 02 you know what that means for its gradient:
# the contributions add up.
#
# $$da_i = \sum_j dy_{ij} \qquad db_j = \sum_i dy_{ij}$$
#
# Broadcasting copies, so its gradient sums over the copies. And the gradient of a sum is a broadcast. Each is the
# other's backward rule. The plot shows it with numbers.

# %%
a, b = np.array([[1.0], [2.0], [3.0]]), np.array([10.0, 20.0, 30.0, 40.0])
dy = np.arange(12.0).reshape(3, 4)
figure, axes = plt.subplots(1, 6, figsize=(10.5, 2.3), width_ratios=(1, 4, 4, 4, 1, 4))
panels = [("a (3, 1)", a), ("b (4,)", b[None]), ("y = a + b (3, 4)", a + b), ("dy (3, 4)", dy)]
panels += [("da (3, 1)", dy.sum(1, keepdims=True)), ("db (4,)", dy.sum(0, keepdims=True))]
for ax, (title, values) in zip(axes, panels):
    ax.imshow(values, cmap="Blues", vmin=values.min() - 1, vmax=2 * values.max())
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, f"{value:g}", ha="center", va="center")
    ax.set_title(title, fontsize=10)
    ax.axis("off")
plt.show()

# %% [markdown]
# **Matrix product.** $y_{ij} = \sum_k a_{ik} b_{kj}$. Which outputs depend on $a_{ik}$? All of row $i$, each with slope
# $b_{kj}$. So
#
# $$da_{ik} = \sum_j dy_{ij}\, b_{kj} \qquad\text{that is}\qquad da = dy\; b^T ,$$
#
# and in the same way $db = a^T dy$. The shapes help to remember it: from $dy$ of shape $(N, M)$ and $b$ of shape
# $(K, M)$ there is only one product with the shape $(N, K)$ of $a$.
#
# ## By hand
#
# This is the same class as before, with arrays. New are `unbroadcast`, which sums over the copies, and the operations
# `@` and `sum`.


# %%
def unbroadcast(dx, shape):
    """Sum dx over the axes along which an array of this shape was copied."""
    dx = dx.sum(axis=tuple(range(dx.ndim - len(shape))))  # axes added in front
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return dx.sum(axis=stretched, keepdims=True)


class Array:
    """An array that remembers how it was computed."""

    count = 0

    def __init__(self, data, inputs=(), rules=()):
        self.data = np.asarray(data, dtype=np.float64)
        self.grad = None
        self.inputs, self.rules = inputs, rules  # for each input a function from dy to dx
        Array.count += 1
        self.number = Array.count

    def __add__(self, other):
        return Array(self.data + other.data, (self, other), (lambda dy: dy, lambda dy: dy))

    def __mul__(self, other):
        a, b = self.data, other.data
        return Array(a * b, (self, other), (lambda dy: dy * b, lambda dy: dy * a))

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Array(a @ b, (self, other), (lambda dy: dy @ b.T, lambda dy: a.T @ dy))

    def tanh(self):
        y = np.tanh(self.data)
        return Array(y, (self,), (lambda dy: dy * (1 - y * y),))

    def sum(self):
        shape = self.data.shape
        return Array(self.data.sum(), (self,), (lambda dy: np.broadcast_to(dy, shape),))

    def backward(self):
        found, waiting = {self}, [self]
        while waiting:
            for x in waiting.pop().inputs:
                if x not in found:
                    found.add(x)
                    waiting.append(x)
        flowing = {x: np.zeros_like(x.data) for x in found}
        flowing[self] = np.ones_like(self.data)
        for y in sorted(found, key=lambda y: -y.number):
            y.grad = flowing[y] if y.grad is None else y.grad + flowing[y]
            for x, rule in zip(y.inputs, y.rules):
                flowing[x] = flowing[x] + unbroadcast(rule(flowing[y]), x.data.shape)


# %% [markdown]
# ## Check
#
# As before, we nudge every number of every input and measure the slope. In this expression `b` is broadcast over the
# rows, and `c` over the columns.


# %%
def expression(x, w, b, c):
    return ((x @ w + b).tanh() * c * c).sum()


random = np.random.default_rng(0)
arrays = [random.standard_normal(shape) for shape in ((5, 3), (3, 4), (4,), (5, 1))]
inputs = [Array(array) for array in arrays]
expression(*inputs).backward()


def measured_gradient(f, arrays, i, h=1e-6):
    """The slope of f for every number of arrays[i], by central differences."""
    slopes = np.empty_like(arrays[i])
    for index in np.ndindex(slopes.shape):
        nudge = np.zeros_like(arrays[i])
        nudge[index] = h
        above, below = (f(*arrays[:i], arrays[i] + sign * nudge, *arrays[i + 1 :]) for sign in (1, -1))
        slopes[index] = (above - below) / (2 * h)
    return slopes


for i, name in enumerate("xwbc"):
    slopes = measured_gradient(lambda *values: expression(*map(Array, values)).data, arrays, i)
    error = np.abs(slopes - inputs[i].grad).max()
    print(f"d{name} {str(inputs[i].grad.shape):8} largest error {error:.1e}")
    assert inputs[i].grad.shape == arrays[i].shape and error < 1e-7

# %% [markdown]
# ## In the library
#
# In minidl the individual rules need not undo the broadcasting. The engine does it for all of them, in one place:
# [minidl/autograd/engine.py](../minidl/autograd/engine.py) `sum_to_shape` is your `unbroadcast`.

# %%
show_lines("minidl/autograd/engine.py", "sum_to_shape")

# %% [markdown]
# The matrix product and its two gradients are in [minidl/functional/linear.py](../minidl/functional/linear.py)
# `MatMul`, the sum in [minidl/functional/reduce.py](../minidl/functional/reduce.py) `Sum`, and an explicit broadcast in
# [minidl/functional/broadcast.py](../minidl/functional/broadcast.py) `BroadcastTo`.

# %%
show_lines("minidl/functional/linear.py", "MatMul")

tensors = [minidl.tensor(array, requires_grad=True) for array in arrays]
expression(*tensors).backward()
for mine, library in zip(inputs, tensors):
    assert np.allclose(mine.grad, library.grad.numpy(), rtol=1e-12, atol=0)
print("your gradients and minidl's agree to 12 digits")

# %% [markdown]
# A `Tensor` holds a NumPy array (`x.data`) and, after `backward`, a gradient (`x.grad`, a Tensor too). Most NumPy
# habits carry over. The `origin` in the printed output is the operation that computed the tensor.

# %%
x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
print(x.shape, x.dtype, x.mean(), x.T, x[0], x.reshape(4), sep="\n")

# %% [markdown]
# ## Something real
#
# Broadcasting can classify digits. Some of our images are for learning (the *training* images), the others only for
# finding out how well that worked (the *test* images). Let the **prototype** of a digit be the mean of all its training
# images. We classify a test image as the digit whose prototype is nearest. Here are all squared distances at once:
#
# $$d_{nk} = \sum_p (x_{np} - m_{kp})^2$$
#
# with $N$ images of $P$ pixels each, $x$ of shape $(N, P)$, and prototypes $m$ of shape $(10, P)$. As arrays: subtract
# $(10, P)$ from $(N, 1, P)$, square, and sum over the pixels.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=2000)
x_train, x_test = (x.reshape(len(x), -1) for x in (x_train, x_test))  # (N, P)
prototypes = np.stack([x_train[y_train == digit].mean(0) for digit in range(10)])  # (10, P)

distances = ((x_test[:, None] - prototypes) ** 2).sum(-1)  # (N, 10)
accuracy = np.mean(distances.argmin(1) == y_test)
print(f"{accuracy:.1%} of the test images get the right digit")
assert accuracy > 0.7

# %%
side = int(x_train.shape[1] ** 0.5)
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.2))
for digit, ax in enumerate(axes.flat):
    show_image(ax, prototypes[digit].reshape(side, side), f"the mean {digit}")
plt.show()

# %% [markdown]
# Why the mean? Because it is the point with the smallest sum of squared distances to the images. So at the mean the
# gradient of that sum must be 0, in every pixel. We check it for the threes, and compare with another point, the mean
# of the eights.

# %%
threes = minidl.tensor(x_train[y_train == 3].astype(np.float64))
m = minidl.tensor(prototypes[3].astype(np.float64), requires_grad=True)
((threes - m) ** 2).sum().backward()
at_the_mean = np.abs(m.grad.numpy()).max()

m = minidl.tensor(prototypes[8].astype(np.float64), requires_grad=True)  # the wrong digit's mean
((threes - m) ** 2).sum().backward()
elsewhere = np.abs(m.grad.numpy()).max()
print(f"largest slope: {at_the_mean:.5f} at the mean of the threes, {elsewhere:.1f} at the mean of the eights")
assert at_the_mean < 1e-5 * elsewhere

# %% [markdown]
# And what did we gain over one object for each number? Here is the same sum of squares, once in a Python loop and once
# with arrays:

# %%
some = x_train[:200]
start = time.perf_counter()
total = 0.0
for image in some.tolist():
    for pixel, mean in zip(image, prototypes[0].tolist()):
        total += (pixel - mean) ** 2
loop_seconds = time.perf_counter() - start

array_seconds = np.inf
for _ in range(5):  # the best of five: other programs run on this computer too
    start = time.perf_counter()
    at_once = ((some - prototypes[0]) ** 2).sum()
    array_seconds = min(array_seconds, time.perf_counter() - start)
gain = loop_seconds / array_seconds
print(f"loop {1e3 * loop_seconds:.2f} ms, arrays {1e3 * array_seconds:.3f} ms: {gain:.0f} times faster")
assert abs(total - at_once) < 1e-3 * total and gain > 3

# %% [markdown]
# ## Exercises
#
# **1.** What is the gradient rule for $y = $ `x.mean()`, where `x` is an array of $n$ numbers?
#
# <details><summary>Answer</summary>
#
# Each number changes the mean with slope $1/n$, so $dx_i = dy/n$.
#
# ```python
# x = minidl.tensor(np.ones((2, 5)), requires_grad=True)
# x.mean().backward()
# assert np.allclose(x.grad.numpy(), 1 / 10)
# ```
# </details>
#
# **2.** `x` has the shape (100,) and `t` has the shape (100, 1). What is the shape of `x - t`? Why is this the most
# common silent mistake with arrays?
#
# <details><summary>Answer</summary>
#
# (100, 100): every number of `x` minus every number of `t`. There is no error: the mean of its squares is a number, so
# training runs, but learns nonsense. minidl's `mse_loss` and the other losses that compare number by number therefore
# refuse shapes that differ.
#
# ```python
# x, t = np.zeros(100), np.zeros((100, 1))
# assert (x - t).shape == (100, 100)
# try:
#     minidl.functional.mse_loss(minidl.tensor(x), minidl.tensor(t))
#     raise AssertionError("the shapes should have been refused")
# except ValueError as error:
#     print(error)
# ```
# </details>
#
# **3.** Compute the distances without the large array of shape (N, 10, P): expand the square, and use one matrix
# product.
#
# <details><summary>Answer</summary>
#
# $\sum_p (x_p - m_p)^2 = \sum_p x_p^2 - 2\sum_p x_p m_p + \sum_p m_p^2$:
#
# ```python
# expanded = (x_test**2).sum(1, keepdims=True) - 2 * x_test @ prototypes.T + (prototypes**2).sum(1)
# assert np.allclose(expanded, distances, atol=1e-3)
# ```
# </details>
#
# ## Next
#
# [04 · Trust](04_gradient_check.py): you have checked each rule with finite differences. We now make that into a tool
# that can be relied on, and see how a careless check is fooled.
