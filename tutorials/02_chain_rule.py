# %% [markdown]
# # 02 · The chain rule as a graph
#
# You can measure a slope by nudging a number and looking at the result. With a million numbers that takes two million
# evaluations. Yet a loss is computed by a long chain of simple steps, and for each simple step we know the derivative
# from school.
#
# **Question.** How do we get the slope for *every* input of a long computation at once, without nudging any of them?
#
# You know the derivative (tutorial 01). At the end you will have written an **automatic differentiation** engine, or
# **autograd** for short, in sixty lines.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
from course import load_images
from library_lines import show_lines

import minidl

# %% [markdown]
# ## The formula
#
# Let $y = f(x)$ and $L = g(y)$. Nudge $x$ by a tiny $\Delta x$. Then $y$ moves by $f'(x)\,\Delta x$, and so $L$ moves
# by $g'(y)\,f'(x)\,\Delta x$. Slopes along a chain multiply. That is the **chain rule**:
#
# $$\frac{dL}{dx} = \frac{dL}{dy}\cdot\frac{dy}{dx} .$$
#
# If $L$ depends on $x$ along several paths, here through $y_1$ and through $y_2$, a nudge of $x$ reaches $L$ along each
# of them, and the effects add up:
#
# $$\frac{dL}{dx} = \frac{dL}{dy_1}\cdot\frac{dy_1}{dx} + \frac{dL}{dy_2}\cdot\frac{dy_2}{dx} .$$
#
# Those two formulas are all we need. Take $L = (w x + b - t)^2$ and split it into simple steps:
#
# $$p = w x \qquad y = p + b \qquad e = y - t \qquad L = e^2$$
#
# Draw an arrow from each number to whatever is computed from it: a **computational graph**. Computing the numbers is
# the **forward pass**. Now go through the graph from the end. Start with $\frac{dL}{dL} = 1$. At each step, multiply
# the derivative of $L$ with respect to the step's output by the derivative of the step itself, and pass the product on
# to its input:
#
# $$\frac{dL}{de} = 2e,\quad \frac{dL}{dy} = \frac{dL}{de}\cdot 1,\quad \frac{dL}{dp} = \frac{dL}{dy}\cdot 1,\quad
# \frac{dL}{db} = \frac{dL}{dy}\cdot 1,\quad \frac{dL}{dw} = \frac{dL}{dp}\cdot x,\quad \frac{dL}{dx} =
# \frac{dL}{dp}\cdot w .$$
#
# A single **backward pass** gives the derivative of $L$ with respect to every input. This is **backpropagation**. All
# these derivatives together are called the **gradient** of $L$.
#
# ## By hand
#
# A `Value` is a number that remembers how it was computed: its inputs, and the derivative of the value with respect to
# each of them. `backward` must visit every value before its inputs, so that when it reaches a value, all steps that
# used it have already added their contributions. Such an order (a **topological order**) comes for free if we number
# the values as they are created, since a value is always created after its inputs: visit them from the highest number
# to the lowest.


# %%
class Value:
    """A number that remembers how it was computed."""

    count = 0

    def __init__(self, data, inputs=(), slopes=()):
        self.data = float(data)
        self.grad = 0.0
        self.inputs = inputs  # the Values that it was computed from
        self.slopes = slopes  # d(self)/d(input), for each of them
        Value.count += 1
        self.number = Value.count

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    def exp(self):
        y = math.exp(self.data)
        return Value(y, (self,), (y,))

    def tanh(self):
        y = math.tanh(self.data)
        return Value(y, (self,), (1 - y * y,))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-as_value(other))

    def __truediv__(self, other):
        return self * as_value(other) ** -1

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        """Add d(self)/d(value) to the grad of every value below."""
        found, waiting = {self}, [self]
        while waiting:
            for value in waiting.pop().inputs:
                if value not in found:
                    found.add(value)
                    waiting.append(value)
        flowing = {value: 0.0 for value in found}
        flowing[self] = 1.0
        for value in sorted(found, key=lambda value: -value.number):
            value.grad += flowing[value]
            for x, slope in zip(value.inputs, value.slopes):
                flowing[x] += flowing[value] * slope  # the chain rule; += because the paths add up


def as_value(x):
    return x if isinstance(x, Value) else Value(x)


# %% [markdown]
# Try it on the example, with $w = 2$, $x = 3$, $b = 1$, $t = 5$. The plot shows each number with its gradient.

# %%
w, x, b, t = Value(2), Value(3), Value(1), Value(5)
p = w * x
y = p + b
e = y - t
L = e**2
L.backward()
for name, value in (("w", w), ("x", x), ("b", b), ("t", t)):
    print(f"dL/d{name} = {value.grad:5.1f}")
assert (w.grad, x.grad, b.grad, t.grad) == (2 * e.data * 3, 2 * e.data * 2, 2 * e.data, -2 * e.data)

# %%
nodes = {  # where each number stands in the plot
    "w": (0, 3, w), "x": (0, 2, x), "b": (1, 1, b), "t": (2, 0, t),
    "p = w·x": (1, 2.5, p), "y = p + b": (2, 2, y), "e = y − t": (3, 1.5, e), "L = e²": (4, 1.5, L),
}  # fmt: skip
arrows = [
    ("w", "p = w·x"), ("x", "p = w·x"), ("p = w·x", "y = p + b"), ("b", "y = p + b"), ("y = p + b", "e = y − t"),
    ("t", "e = y − t"), ("e = y − t", "L = e²"),
]  # fmt: skip
figure, axes = plt.subplots(figsize=(9, 4))
style = {"arrowstyle": "-|>", "color": "gray", "shrinkA": 32, "shrinkB": 32}
for start, end in arrows:
    axes.annotate("", nodes[end][:2], nodes[start][:2], arrowprops=style)
for name, (column, row, value) in nodes.items():
    text = f"{name}\nvalue {value.data:g}\ngradient {value.grad:g}"
    axes.text(column, row, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.4", "facecolor": "#eef4fa"})
axes.set(xlim=(-0.5, 4.5), ylim=(-0.6, 3.6), title="values flow to the right, gradients to the left")
axes.axis("off")
plt.show()

# %% [markdown]
# ## Check
#
# You know how to measure a slope: nudge the input and look at the output. We do so for every input of a messier
# expression, which uses some values more than once, and compare with `backward`.


# %%
def messy(x, y):
    a = x * y + x
    return (a.tanh() * a + (x * x).exp()) / (y**2 + 1)


random = np.random.default_rng(0)
worst = 0.0
for _ in range(20):
    numbers = random.uniform(-1, 1, 2)
    inputs = [Value(number) for number in numbers]
    messy(*inputs).backward()
    for i in range(2):
        nudge = 1e-6 * np.eye(2)[i]
        above, below = (messy(*map(Value, numbers + sign * nudge)).data for sign in (1, -1))
        worst = max(worst, abs(inputs[i].grad - (above - below) / 2e-6))
print(f"largest difference between backpropagation and the measured slope: {worst:.1e}")
assert worst < 1e-7

# %% [markdown]
# ## Two mistakes that everyone makes
#
# **Overwriting instead of adding.** In $x \cdot x$ both inputs are the same value. Its two contributions must add up:
# $x + x = 2x$. With `=` in place of `+=` in the line of the chain rule, the second would overwrite the first, and the
# gradient would be $x$.

# %%
x = Value(3)
(x * x).backward()
print(f"d(x·x)/dx at 3 = {x.grad}")
assert x.grad == 6

# %% [markdown]
# **Forgetting old gradients.** `backward` *adds* to `grad`. Call it twice, and `grad` holds twice the gradient. If you
# forget to set `grad` back to 0 between two training steps, each step uses the sum of all gradients so far.

# %%
x = Value(3)
y = x * x
y.backward()
y.backward()
print(f"after two calls: {x.grad}")
assert x.grad == 12

# %% [markdown]
# ## In the library
#
# minidl works the same way. A `Tensor` is your `Value`. Each step is a **Function**, which holds a formula (`forward`)
# and the rule for its gradient (`backward`). Multiplication is
# [minidl/functional/arithmetic.py](../minidl/functional/arithmetic.py) `Mul`:

# %%
show_lines("minidl/functional/arithmetic.py", "Mul")

# %% [markdown]
# The backward pass is [minidl/autograd/engine.py](../minidl/autograd/engine.py) `_walk`. It too visits the steps from
# the highest number to the lowest: `due` is a heap of the steps still to be visited, with the highest number on top.
# Your `+=` is [minidl/autograd/engine.py](../minidl/autograd/engine.py) `_add`. It is longer than yours for two
# reasons. A step may have several outputs (then `target` is a tuple). And where many gradients meet, they are added up
# in place, which is allowed only for arrays that the engine itself has made (`sums` lists them). The cell prints
# `_add`, and then runs the messy expression in both engines; the gradients must agree.

# %%
show_lines("minidl/autograd/engine.py", "_add")

numbers = (0.3, -0.7)
ours = [Value(number) for number in numbers]
messy(*ours).backward()
theirs = [minidl.tensor(number, dtype="float64", requires_grad=True) for number in numbers]
messy(*theirs).backward()
for mine, library in zip(ours, theirs):
    print(f"sixty lines {mine.grad:.15f}   minidl {library.grad.item():.15f}")
    assert abs(mine.grad - library.grad.item()) < 1e-14

# %% [markdown]
# One thing is different. To save memory, minidl frees what it stored for the backward pass once that is done. So a
# second `backward` through the same computation raises an error that says so. You can compute the output again, and
# then the gradients add up as yours do, until someone sets `grad` to None.

# %%
x = minidl.tensor(3.0, requires_grad=True)
y = x * x
y.backward()
try:
    y.backward()
    raise AssertionError("the second backward should have been refused")
except RuntimeError as error:
    print(error)
(x * x).backward()
print(f"\nthe gradients of two computations of x·x: {x.grad.item()}")
assert x.grad.item() == 12

# %% [markdown]
# ## Something real
#
# Sixty lines are enough to train something. We take images of the digits 0 and 1, and describe each by two numbers: how
# much ink is in the middle of the image, and how much there is in total. A **neuron** computes a weighted sum of its
# inputs, adds a number (its **bias**), and squeezes the result into the range from $-1$ to $1$:
#
# $$y = \tanh(w_1 x_1 + w_2 x_2 + b)$$
#
# We want $y = 1$ for a one and $y = -1$ for a zero; call this target $t$. The loss is the mean of $(y - t)^2$ over the
# images.

# %%
images, labels, _, _ = load_images()
chosen = np.flatnonzero(labels <= 1)[:60]
size = images.shape[-1]
middle = images[chosen, 0, size // 4 : -size // 4, 3 * size // 8 : -3 * size // 8].mean((1, 2))
features = np.stack([middle, images[chosen, 0].mean((1, 2))], axis=1)  # (60, 2)
features = (features - features.mean(0)) / features.std(0)  # mean 0 and standard deviation 1
targets = np.where(labels[chosen] == 1, 1.0, -1.0)

w1, w2, b = Value(0), Value(0), Value(0)


def neuron(x1, x2):
    return (w1 * x1 + w2 * x2 + b).tanh()


losses = []
for _ in range(60):
    loss = sum((neuron(x1, x2) - t) ** 2 for (x1, x2), t in zip(features, targets)) / len(targets)
    for weight in (w1, w2, b):
        weight.grad = 0.0  # forget the last step's gradient
    loss.backward()
    for weight in (w1, w2, b):
        weight.data -= 0.5 * weight.grad  # downhill, with a learning rate of 0.5
    losses.append(loss.data)

answers = np.array([neuron(x1, x2).data for x1, x2 in features])
accuracy = np.mean(np.sign(answers) == targets)
print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}; {accuracy:.0%} of the {len(targets)} images told apart")
assert losses[-1] < 0.3 * losses[0] and accuracy >= 0.95

# %%
figure, (left, right) = plt.subplots(1, 2)
left.plot(losses)
left.set(xlabel="step", ylabel="loss", ylim=(0, None), title="learning")
for t, marker, name in ((-1, "o", "zeros"), (1, "s", "ones")):
    right.scatter(*features[targets == t].T, marker=marker, label=name, alpha=0.7)
x1 = np.array([features[:, 0].min(), features[:, 0].max()])
right.plot(x1, -(w1.data * x1 + b.data) / w2.data, color="black", label="y = 0")
right.set(xlabel="ink in the middle", ylabel="ink in total", ylim=features[:, 1].min() - 0.4 + np.array([0, 6]))
right.set(title="what the neuron learned")
right.legend()
plt.show()

# %% [markdown]
# The loss falls, and the line $y = 0$ in the right plot separates the zeros from the ones.
#
# ## Exercises
#
# **1.** Write a `log` for `Value`, and check its gradient.
#
# <details><summary>Answer</summary>
#
# The derivative of $\log x$ is $1/x$:
#
# ```python
# def log(value):
#     return Value(math.log(value.data), (value,), (1 / value.data,))
#
# x = Value(2.0)
# log(x * x).backward()  # log(x^2) = 2 log(x), whose slope is 2 / x
# assert abs(x.grad - 2 / 2.0) < 1e-12
# ```
# </details>
#
# **2.** Start from $y = x$ and double it 50 times: `for _ in range(50): y = y + y`. How many paths lead from $y$ back
# to $x$? Why does `backward` not take that many steps?
#
# <details><summary>Answer</summary>
#
# Each doubling has two arrows, so there are $2^{50}$ paths, about $10^{15}$. But a value collects the contributions of
# all paths *before* it passes their sum on, so each arrow is followed only once: 100 multiplications.
#
# ```python
# x = Value(1.0)
# y = x
# for _ in range(50):
#     y = y + y
# y.backward()
# assert x.grad == 2.0**50
# ```
# </details>
#
# **3.** Roughly how much work is `backward`, compared with computing the loss?
#
# <details><summary>Answer</summary>
#
# The forward pass makes one value for each step. The backward pass visits each value once, and does one multiplication
# and one addition for each of its inputs, of which there are at most two here. So it costs a few times as much as the
# loss itself, whether there are a thousand inputs or one. Finite differences would need two evaluations of the loss
# *for each input*.
# </details>
#
# ## Next
#
# [03 · Tensors and broadcasting](03_tensors.py): one pass over sixty images made hundreds of small objects. With whole
# arrays as values, a handful is enough.
