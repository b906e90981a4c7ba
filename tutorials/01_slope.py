# %% [markdown]
# # 01 · The slope
#
# A network learns by asking one thing, over and over: *if I turn this knob a little, does the result get better or
# worse, and how fast?* The answer is a slope. Everything in this course grows out of it.
#
# **Question.** How fast does a function change at one point, and how can a computer find out?
#
# You need Python, a little NumPy, and school calculus. Nothing else.

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import find_lines, show_lines

import minidl

# %% [markdown]
# ## The formula
#
# Take a function $f$ and a point $x$. Make a small step $h$ to the right and see how much $f$ rises. The rise divided
# by the step is the slope of the line through the two points:
#
# $$\frac{f(x+h)-f(x)}{h}$$
#
# Now let $h$ shrink. If the ratio settles on one number, that number is the **derivative** of $f$ at $x$, written
# $f'(x)$ or $\frac{df}{dx}$. It is the slope of $f$ at this point. In school we learn rules for derivatives. For
# example
#
# $$f(x) = x^2 \qquad f'(x) = \lim_{h\to 0}\frac{(x+h)^2-x^2}{h} = \lim_{h\to 0}\,(2x + h) = 2x .$$
#
# A computer cannot let $h$ go to 0, but it can make $h$ small. There are two natural ways, both called **finite
# differences**. The **forward difference** is the ratio above. The **central difference** takes a step to each side:
#
# $$f'(x)\approx\frac{f(x+h)-f(x)}{h} \qquad\text{or}\qquad f'(x)\approx\frac{f(x+h)-f(x-h)}{2h} .$$
#
# ## By hand
#
# Here are both formulas as functions. We try them on $f(x)=x^2$ at $x=3$, with smaller and smaller steps.


# %%
def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def f(x):
    return x**2


for h in (1.0, 0.1, 0.01):
    print(f"h = {h:<5}  forward {forward_difference(f, 3.0, h):.6f}   central {central_difference(f, 3.0, h):.6f}")

# %% [markdown]
# The true slope is $2\cdot 3 = 6$. The forward difference is off by exactly $h$, as the formula above says: before the
# limit it is $2x + h$. The central difference is right for every $h$. Is that luck? Let us look at a less simple
# function, $e^x$, whose derivative is $e^x$ itself. Each straight line below has a measured slope.

# %%
x0 = 0.5
steps = (1.0, 0.5, 0.1)
grid = np.linspace(-0.4, 1.9, 200)

figure, (left, right) = plt.subplots(1, 2, sharey=True)
for axes, name in ((left, "forward"), (right, "central")):
    axes.plot(grid, np.exp(grid), color="black", label="$e^x$")
    for h in steps:
        start = x0 if name == "forward" else x0 - h
        slope = (np.exp(x0 + h) - np.exp(start)) / (x0 + h - start)
        axes.plot(grid, np.exp(x0) + slope * (grid - x0), label=f"h = {h}: slope {slope:.3f}")
    axes.plot(x0, np.exp(x0), "o", color="black")
    axes.set(title=f"{name} difference, true slope {np.exp(x0):.3f}", xlabel="x", ylim=(0, 6))
    axes.legend(loc="upper left", fontsize=9)
left.set_ylabel("y")
plt.show()

# %% [markdown]
# With $h = 0.5$ the central difference is already closer to the true slope than the forward difference with $h = 0.1$.
#
# ## How wrong are they?
#
# Near $x$, functions such as $e^x$ equal their Taylor series:
#
# $$f(x\pm h) = f(x) \pm h f'(x) + \tfrac{h^2}{2}f''(x) \pm \tfrac{h^3}{6}f'''(x) + \dots$$
#
# Put it into both ratios. The leading error term of the forward difference is $\tfrac{h}{2}f''(x)$. In the central
# difference all even powers of $h$ in the series cancel, and the leading error term is $\tfrac{h^2}{6}f'''(x)$. Making
# $h$ ten times smaller makes the first error ten times smaller, and the second a hundred times smaller. (For $x^2$ the
# third derivative is 0, which is why the central difference was exact.)
#
# So should we make $h$ as small as possible? No. A computer stores about 16 digits of a number. The gap between 1 and
# the next number that it can store is called the **machine epsilon**, $\epsilon$. When we subtract two nearly equal
# numbers, most of those digits cancel, and dividing by $h$ magnifies the rounding error that is left: it grows like
# $\epsilon / h$.
#
# ## Check
#
# Let us plot both errors. The function $f(x) = e^{\sin x}$ has the derivative $\cos x\; e^{\sin x}$ (by the chain rule,
# the subject of the next tutorial), so we can compare.


# %%
def g(x):
    return np.exp(np.sin(x))


def g_slope(x):
    return np.cos(x) * np.exp(np.sin(x))


x0, epsilon = 1.0, np.finfo(np.float64).eps
h = 10.0 ** np.arange(-15, 0.1, 0.25)
forward_error = np.abs(forward_difference(g, x0, h) - g_slope(x0))
central_error = np.abs(central_difference(g, x0, h) - g_slope(x0))
print(f"machine epsilon {epsilon:.2e}")
for name, error in (("forward", forward_error), ("central", central_error)):
    print(f"{name}: best error {error.min():.1e} at h = {h[error.argmin()]:.1e}")

# a tenth of h: a tenth of the error (forward), a hundredth (central)
ratio_forward = (forward_difference(g, x0, 1e-2) - g_slope(x0)) / (forward_difference(g, x0, 1e-3) - g_slope(x0))
ratio_central = (central_difference(g, x0, 1e-2) - g_slope(x0)) / (central_difference(g, x0, 1e-3) - g_slope(x0))
print(f"ten times smaller h: error / {ratio_forward:.1f} forward, / {ratio_central:.1f} central")
assert 9 < ratio_forward < 11 and 95 < ratio_central < 105
assert abs(central_difference(g, x0, 1e-6) - g_slope(x0)) < 1e-9

# %%
figure, axes = plt.subplots()
axes.loglog(h, forward_error, ".-", label="forward difference")
axes.loglog(h, central_error, ".-", label="central difference")
axes.loglog(h, epsilon / h, "--", color="gray", label=r"rounding, $\epsilon/h$")
axes.axvline(1e-6, color="black", linewidth=0.8)
axes.text(1.2e-6, 1e-1, "h = 1e-6", fontsize=9)
axes.set(xlabel="step h", ylabel="error of the slope", ylim=(1e-13, 1e1), title=r"the slope of $e^{\sin x}$ at 1")
axes.legend()
plt.show()

# %% [markdown]
# Read the plot from right to left. At first the errors fall along straight lines, the central one twice as steeply.
# Then rounding takes over, and they rise again. At $h = 10^{-6}$ the central difference has about ten correct digits.
# Remember that number: it returns in tutorial 04.
#
# ## In the library
#
# minidl uses finite differences in one place only, to check its own gradients. The line is the one that you wrote, in
# [minidl/autograd/gradient_check.py](../minidl/autograd/gradient_check.py) `finite_differences`:

# %%
first, source = find_lines("minidl/autograd/gradient_check.py", "finite_differences")
lines = enumerate(source.splitlines(), first)
measuring = {n: line.strip() for n, line in lines if line.strip().startswith("differences[")}
print(measuring)
assert list(measuring.values()) == ["differences[index] = (above - below) / (2 * eps)"]

# %% [markdown]
# Everywhere else minidl does not measure slopes: it applies the rules of differentiation, which are exact. You mark an
# input (`requires_grad=True`), compute, and call `backward()`; then the derivative is in the `grad` of the input. Here
# is the rule for $e^x$, and the derivative of $e^{\sin x}$ found so:

# %%
show_lines("minidl/functional/elementwise.py", "Exp")

x = minidl.tensor(1.0, dtype="float64", requires_grad=True)
y = x.sin().exp()
y.backward()
print(f"minidl {x.grad:.12f}   by hand {g_slope(1.0):.12f}   measured {central_difference(g, 1.0, 1e-6):.12f}")
assert abs(x.grad.item() - g_slope(1.0)) < 1e-15

# %% [markdown]
# The rule is in [minidl/functional/elementwise.py](../minidl/functional/elementwise.py) `Exp`. How `backward()` finds
# and combines such rules is what you will build next.
#
# ## Something real
#
# Here are two handwritten images of the same digit; one of them has much less ink. By which factor $w$ should we
# multiply it to make it as similar to the other as possible?
#
# We need a number that says how different they are: a **loss**, which is small when they are similar. We take the mean
# squared difference of their pixels, $L(w) = \operatorname{mean}\big((w a - b)^2\big)$. Its slope tells us how to
# change $w$. Where the slope is positive, a larger $w$ means a larger loss, so we decrease $w$; where it is negative,
# we increase $w$. In both cases
#
# $$w \leftarrow w - \eta\, L'(w) ,$$
#
# with a small positive number $\eta$. This is **gradient descent**, and $\eta$ (eta) is the **learning rate**: how far
# to move for a given slope.

# %%
images, labels, _, _ = load_images()
zeros = images[labels == 0]
ink = zeros.mean(axis=(1, 2, 3))
a, b = zeros[ink.argmin()].astype(np.float64), zeros[ink.argmax()].astype(np.float64)


def loss(w):
    return np.mean((w * a - b) ** 2)


w, learning_rate = 0.0, 0.2 / np.mean(a**2)  # a fifth of the largest that works: see exercise 2
path = [w]
for _ in range(20):
    w -= learning_rate * central_difference(loss, w, 1e-6)
    path.append(w)
path = np.array(path)

# school again: L'(w) = 2 mean((w a - b) a) is 0 at w = mean(a b) / mean(a^2)
best = np.mean(a * b) / np.mean(a * a)
print(f"gradient descent found w = {w:.6f}, the formula gives {best:.6f}; loss {loss(0.0):.4f} -> {loss(w):.4f}")
assert abs(w - best) < 1e-3

# %%
figure, axes = plt.subplots(1, 4, figsize=(9, 2.8), width_ratios=(1, 1, 1, 2.4))
show_image(axes[0], a, "a", vmin=0, vmax=1)
show_image(axes[1], b, "b", vmin=0, vmax=1)
show_image(axes[2], np.clip(best * a, 0, 1), f"{best:.2f} · a", vmin=0, vmax=1)
ws = np.linspace(-0.2, 2 * best, 100)
axes[3].plot(ws, [loss(value) for value in ws], color="black")
axes[3].plot(path, [loss(value) for value in path], "o-", label="gradient descent")
axes[3].set(xlabel="w", ylabel="loss", title="walking down the slope")
axes[3].legend()
plt.show()

# %% [markdown]
# Every step goes downhill, and the steps become shorter by themselves, because the slope gets smaller. This is all that
# learning is, here with a single number to be learned, a single **weight**. A network has thousands or millions of
# weights, and for each of them a measured slope costs two more evaluations of the loss. There must be a better way.
# There is.
#
# ## Exercises
#
# **1.** What is the derivative of $x^3$ at $x = 2$, by the rule and by the central difference with $h = 0.1$? Explain
# the difference between the two.
#
# <details><summary>Answer</summary>
#
# The rule gives $3x^2 = 12$. The central difference is off by $\tfrac{h^2}{6}f''' = \tfrac{h^2}{6}\cdot 6 = h^2$:
#
# ```python
# measured = central_difference(lambda x: x**3, 2.0, 0.1)
# assert abs(measured - (12 + 0.1**2)) < 1e-9
# ```
# </details>
#
# **2.** Make the learning rate six times as large. What happens? From which learning rate on does it happen?
#
# <details><summary>Answer</summary>
#
# $L'(w) = 2\operatorname{mean}(a^2)\,(w - w^*)$, where $w^*$ is the best weight. So one step multiplies the distance to
# $w^*$ by $1 - 2\eta\operatorname{mean}(a^2)$. If that is below $-1$, each step lands further away than the last:
# gradient descent diverges. It does so above $\eta = 1/\operatorname{mean}(a^2)$, five times our learning rate.
#
# ```python
# w = 0.0
# for _ in range(20):
#     w -= 6 * learning_rate * central_difference(loss, w, 1e-6)
# assert abs(w - best) > 10 * best
# ```
# </details>
#
# **3.** The loss of a network with a million weights takes 10 ms to compute. How long does it take to measure the
# slopes for all weights with central differences?
#
# <details><summary>Answer</summary>
#
# Two evaluations for each weight: two million times 10 ms, which is more than five hours, for a single step of gradient
# descent.
#
# ```python
# assert 2 * 1_000_000 * 0.010 / 3600 > 5
# ```
# </details>
#
# ## Next
#
# [02 · The chain rule as a graph](02_chain_rule.py): all the slopes at once, for only a few times the cost of computing
# the loss.
