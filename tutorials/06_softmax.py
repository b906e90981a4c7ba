# %% [markdown]
# # 06 · Softmax, cross-entropy, and a reader of digits
#
# The line of tutorial 05 answers with a number. "Which digit is this?" wants one of ten names. There is no halfway
# between a 3 and an 8, and a 9 is not nine times a 1.
#
# **Question.** How does a machine answer with a *class*, and how wrong is such an answer?
#
# This is **classification**; the line was **regression**.

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl
import minidl.functional as F

# %% [markdown]
# ## The formula
#
# Let the machine give one score to each class: ten numbers $z_0 \dots z_9$, as large or small as it likes. They are
# called **logits**. We want **probabilities** $p_i$: positive, and adding up to 1. The exponential makes any number
# positive, and dividing by the sum does the rest. That is **softmax**:
#
# $$p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# Adding a constant $c$ to all logits changes nothing: above and below get the same factor $e^c$. We use this freedom.
# $e^{1000}$ is too large for a computer, so subtract the largest logit first, and the largest exponent is 0.
#
# How wrong is the answer if the truth is class $t$? Ask how surprised we are to see $t$:
#
# $$L = -\log p_t$$
#
# No surprise ($L = 0$) if the machine was certain and right. The less it believed in the truth, the larger the loss,
# without limit. This is the **cross-entropy**. Making it small over all training pictures makes the true answers,
# taken together, as probable as can be.

# %%
p = np.linspace(0.005, 1, 200)
figure, axes = plt.subplots(figsize=(5.5, 3.2))
axes.plot(p, -np.log(p))
axes.plot(0.1, -np.log(0.1), "o", color="black")
guess = -np.log(0.1)
axes.annotate(f"a guess among ten: {guess:.2f}", (0.1, guess), xytext=(0.2, 3), arrowprops={"arrowstyle": "-"})
axes.set(xlabel="probability given to the truth", ylabel="cross-entropy", title="−log p")
plt.show()

# %% [markdown]
# Now the gradient. Take the logarithm apart: $L = -z_t + \log\sum_j e^{z_j}$. Nudge $z_i$. The first term gives $-1$
# if $i$ is the truth and 0 otherwise. The second gives $e^{z_i} / \sum_j e^{z_j}$, which is $p_i$ again. So
#
# $$\frac{\partial L}{\partial z_i} = p_i - [i = t]$$
#
# where $[i = t]$ is 1 for the true class, else 0 (the truth in **one-hot encoding**). What we said minus what is true:
# a gradient could not be simpler. The scores of wrong classes are pushed down as far as they were believed, and the
# true one is pushed up by what it lacks.
#
# ## By hand


# %%
def softmax(z):  # (N, K)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(z, t):
    """The mean loss over N rows of logits, and its gradient."""
    rows = np.arange(len(t))
    p = softmax(z)
    dz = p.copy()
    dz[rows, t] -= 1  # p - [i = t]
    return -np.log(p[rows, t]).mean(), dz / len(t)


print(softmax(np.array([[1.0, 2.0, 3.0]])).round(3))
print(softmax(np.array([[1001.0, 1002.0, 1003.0]])).round(3), "the same, and no overflow")

# %% [markdown]
# ## Check

# %%
random = np.random.default_rng(0)
z, t = random.standard_normal((4, 3)), np.array([0, 2, 1, 1])
_, dz = cross_entropy(z, t)
measured = np.empty_like(z)
for index in np.ndindex(z.shape):
    nudge = np.zeros_like(z)
    nudge[index] = 1e-6
    measured[index] = (cross_entropy(z + nudge, t)[0] - cross_entropy(z - nudge, t)[0]) / 2e-6
print(f"largest difference between rule and measured slope: {np.abs(dz - measured).max():.1e}")
assert np.abs(dz - measured).max() < 1e-9

# %% [markdown]
# ## In the library
#
# [minidl/functional/classification.py](../minidl/functional/classification.py) `cross_entropy` takes the logits
# themselves, not probabilities. It computes $-\log p_t$ in one go, as $\log\sum_j e^{z_j} - z_t$, because a
# probability that has been rounded to 0 has no logarithm. The formula and its rule are
# [kernels/cross_entropy/reference.py](../kernels/cross_entropy/reference.py) `forward` and
# [kernels/cross_entropy/reference.py](../kernels/cross_entropy/reference.py) `backward`, for logits `x` of shape
# $(N, C)$, with $C$ classes. (`scale` holds the weight of each row's class, where weights are given; `kept` says
# which rows count. `forward` gives the loss of each row, and the sum of the weights, by which the mean divides.)

# %%
show_lines("kernels/cross_entropy/reference.py", "forward")
show_lines("kernels/cross_entropy/reference.py", "backward")

z_tensor = minidl.tensor(z, requires_grad=True)
loss = F.cross_entropy(z_tensor, minidl.tensor(t))
loss.backward()
print(f"by hand {cross_entropy(z, t)[0]:.12f}   minidl {loss:.12f}")
assert np.allclose(dz, z_tensor.grad.numpy(), rtol=1e-12)
assert minidl.gradcheck(lambda z: F.cross_entropy(z, t), [z_tensor])

far = np.array([[0.0, 1000.0]])
with np.errstate(divide="ignore"):
    print(f"truth at logit 0, rival at 1000: by hand {cross_entropy(far, np.array([0]))[0]}", end=", ")
print(f"minidl {F.cross_entropy(far, np.array([0])):.0f}")
assert F.cross_entropy(far, np.array([0])) == 1000

# %% [markdown]
# Your loss there is `inf`: its $p$ was rounded to 0 before the logarithm. The library takes no logarithm of $p$.
#
# ## Something real
#
# A reader of digits in one layer: for every class a weight for each pixel and a bias,
# $z_{nk} = \sum_p x_{np} w_{kp} + b_k$. This is **logistic regression**. One image of weights for each digit, laid
# over the picture; the digit that fits best wins. First entirely by hand.
#
# The learning rate need not be guessed. In tutorial 05 the second derivative of the loss was 2, and each step left
# $1 - 2\eta$ of the distance: with $\eta = \frac12$, one over the second derivative, nothing. A larger step goes too
# far. Here the second derivative changes from place to place, but it has a limit. In the logits it is nowhere larger
# than $\frac12$, so in the weights it is nowhere larger than $\frac12\lambda$, where $\lambda$ says how large the
# inputs are: their mean square in the direction in which that is largest. (In algebra it is the largest eigenvalue of
# $\frac1N x^T x$. The bias counts as a weight whose input is always 1.) One over the limit, $\eta = 2/\lambda$, never
# overshoots.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=1500)
x_train, x_test = (x.reshape(len(x), -1).astype(np.float64) for x in (x_train, x_test))  # (N, P)
inputs = np.hstack([x_train, np.ones((len(x_train), 1))])
learning_rate = 2 / np.linalg.eigvalsh(inputs.T @ inputs / len(inputs)).max()
print(f"learning rate {learning_rate:.3f}")

w, b = np.zeros((10, x_train.shape[1])), np.zeros(10)
train_losses, test_losses = [], []
steps = 500
for step in range(steps):
    loss, dz = cross_entropy(x_train @ w.T + b, y_train)  # dz: (N, 10)
    train_losses.append(loss)
    if step % 10 == 0:
        test_losses.append(cross_entropy(x_test @ w.T + b, y_test)[0])
    w -= learning_rate * (dz.T @ x_train)  # (10, P)
    b -= learning_rate * dz.sum(0)

accuracy = np.mean((x_test @ w.T + b).argmax(1) == y_test)
print(f"first loss {train_losses[0]:.4f} = log 10, for all ten classes were equally likely")
print(f"after {steps} steps: loss {train_losses[-1]:.3f}, {accuracy:.1%} of the test pictures read correctly")
assert np.isclose(train_losses[0], np.log(10)) and train_losses[-1] < 0.5
assert np.all(np.diff(train_losses) < 0), "no step overshoots"
assert accuracy > 0.8

# %% [markdown]
# The same with the library, in the five lines of tutorial 05. Same start, same steps, so the same numbers.

# %%
x, t = minidl.tensor(x_train), minidl.tensor(y_train)
w_tensor = minidl.tensor(np.zeros((10, x_train.shape[1])), requires_grad=True)
b_tensor = minidl.tensor(np.zeros(10), requires_grad=True)
optimizer = minidl.optim.SGD([w_tensor, b_tensor], lr=learning_rate)
library_losses = []
for _ in range(50):
    loss = F.cross_entropy(F.linear(x, w_tensor, b_tensor), t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    library_losses.append(loss.item())
assert np.allclose(library_losses, train_losses[:50], rtol=1e-9)
print("fifty steps of minidl agree with fifty steps by hand")

# %%
figure, axes = plt.subplots()
axes.plot(train_losses, label="training pictures")
axes.plot(range(0, steps, 10), test_losses, label="test pictures")
axes.axhline(np.log(10), color="gray", linestyle="--", label="guessing, log 10")
axes.set(xlabel="step", ylabel="cross-entropy", ylim=(0, None), title="learning to read")
axes.legend()
plt.show()

# %% [markdown]
# What has it learned? Look at the weights: blue where ink speaks for the digit, red where it speaks against. The zero
# wants ink in a ring and none in the middle.

# %%
side = int(x_train.shape[1] ** 0.5)
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.4))
for digit, ax in enumerate(axes.flat):
    limit = np.abs(w[digit]).max()
    show_image(ax, w[digit].reshape(side, side), f"for {digit}", cmap="RdBu", vmin=-limit, vmax=limit)
plt.show()
assert w[0].reshape(side, side)[side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1].mean() < 0

# %% [markdown]
# And where does it fail? The pictures with the largest loss:

# %%
probabilities = softmax(x_test @ w.T + b)
surprise = -np.log(probabilities[np.arange(len(y_test)), y_test])
worst = surprise.argsort()[::-1][:10]
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.6))
for n, ax in zip(worst, axes.flat):
    answer = probabilities[n].argmax()
    title = f"a {y_test[n]}, read as {answer}\n({probabilities[n, answer]:.0%} sure)"
    show_image(ax, x_test[n].reshape(side, side), title)
plt.show()
assert all(probabilities[n].argmax() != y_test[n] for n in worst[:5])

# %% [markdown]
# ## Exercises
#
# **1.** Multiply all logits by 10. What happens to the probabilities, and to the answer? And by 0.1?
#
# <details><summary>Answer</summary>
#
# The answer, the largest, stays. The probabilities become more certain, or less. (One divides logits by a number
# called the **temperature** to do so.)
#
# ```python
# z = np.array([[1.0, 2.0, 3.0]])
# assert softmax(10 * z).max() > 0.99 and softmax(0.1 * z).max() < 0.4
# ```
# </details>
#
# **2.** With two classes only the difference $d = z_1 - z_0$ matters. Which function of $d$ is $p_1$?
#
# <details><summary>Answer</summary>
#
# $p_1 = \frac{e^{z_1}}{e^{z_0}+e^{z_1}} = \frac{1}{1 + e^{-d}}$, the **sigmoid**.
#
# ```python
# z0, z1 = 0.3, 1.1
# assert np.isclose(softmax(np.array([[z0, z1]]))[0, 1], F.sigmoid(np.array(z1 - z0)))
# ```
# </details>
#
# **3.** Why not simply use the share of wrong answers as the loss?
#
# <details><summary>Answer</summary>
#
# Nudge a weight by a tiny amount: almost surely no answer changes. The share of wrong answers is a staircase. Its
# slope is 0 nearly everywhere, and tells no one where to go.
#
# ```python
# nudged = w.copy()
# nudged[3, 20] += 1e-9
# assert np.mean((x_test @ nudged.T + b).argmax(1) == y_test) == accuracy
# ```
# </details>
#
# ## Next
#
# [07 · Layers](07_layers.py): one layer is one image of weights for each digit. It cannot know that a 7 may be
# written in two ways. Two layers can.
