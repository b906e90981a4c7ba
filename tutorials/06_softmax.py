# %% [markdown]
# # 06 · Softmax, cross-entropy, and a digit classifier
#
# The line of tutorial 05 predicts a number. "Which digit is this?" asks for one of ten names. There is nothing halfway
# between a 3 and an 8, and a 9 is not nine times a 1. Such a name is called a **class**, and the correct class of an
# image is its **label**.
#
# **Question.** How does a model answer with a class, and how do we measure how wrong it is?
#
# This is **classification**; predicting a number, as in tutorial 05, is **regression**.

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
# Let the model give a score to each class: ten numbers $z_0 \dots z_9$, of any size and sign. They are called
# **logits**. We want **probabilities** $p_i$, which are positive and add up to 1. The exponential makes any number
# positive, and dividing by the sum makes them add up to 1. That is **softmax**:
#
# $$p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# Adding a constant $c$ to all logits changes nothing: numerator and denominator are both multiplied by $e^c$. That is
# useful, because $e^{1000}$ is too large for a computer. Subtract the largest logit from all of them first; then the
# largest exponent is 0.
#
# How wrong is the answer if the true class is $t$? We measure how surprising $t$ is, given these probabilities:
#
# $$L = -\log p_t \qquad\text{(the natural logarithm)}$$
#
# If the model was certain and right, there is no surprise: $L = 0$. The smaller the probability of the true class, the
# larger the loss, without limit. This is the **cross-entropy**. The weights that minimize its mean over all training
# images are those that make the labels, taken together, most probable.

# %%
p = np.linspace(0.005, 1, 200)
figure, axes = plt.subplots(figsize=(5.5, 3.2))
axes.plot(p, -np.log(p))
axes.plot(0.1, -np.log(0.1), "o", color="black")
guess = -np.log(0.1)
axes.annotate(f"a guess among ten: {guess:.2f}", (0.1, guess), xytext=(0.2, 3), arrowprops={"arrowstyle": "-"})
axes.set(xlabel="probability of the true class", ylabel="cross-entropy", title="−log p")
plt.show()

# %% [markdown]
# Now the gradient. Split the logarithm: $L = -z_t + \log\sum_j e^{z_j}$. Differentiate with respect to $z_i$. The first
# term gives $-1$ if $i$ is the true class and 0 otherwise. The second gives $e^{z_i} / \sum_j e^{z_j}$, which is $p_i$
# again. So
#
# $$\frac{\partial L}{\partial z_i} = p_i - [i = t]$$
#
# where $[i = t]$ is 1 for the true class and 0 for all others (the label in **one-hot encoding**). The gradient is the
# predicted probabilities minus the true ones; it could not be simpler. Gradient descent lowers the logit of each wrong
# class in proportion to its probability, and raises that of the true class in proportion to what its probability lacks
# to 1.
#
# ## By hand
#
# The two formulas, for $N$ rows of $K$ logits, and two rows to try `softmax` on:


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
#
# The rule for the gradient against the numerical gradient:

# %%
random = np.random.default_rng(0)
z, t = random.standard_normal((4, 3)), np.array([0, 2, 1, 1])
_, dz = cross_entropy(z, t)
measured = np.empty_like(z)
for index in np.ndindex(z.shape):
    nudge = np.zeros_like(z)
    nudge[index] = 1e-6
    measured[index] = (cross_entropy(z + nudge, t)[0] - cross_entropy(z - nudge, t)[0]) / 2e-6
print(f"largest difference between the rule and the numerical gradient: {np.abs(dz - measured).max():.1e}")
assert np.abs(dz - measured).max() < 1e-9

# %% [markdown]
# ## In the library
#
# [minidl/functional/classification.py](../minidl/functional/classification.py) `cross_entropy` takes the logits
# themselves, not probabilities. It computes $-\log p_t$ directly as $\log\sum_j e^{z_j} - z_t$, because the logarithm
# of a probability that has been rounded to 0 is infinite. The formula and its gradient are
# [kernels/cross_entropy/reference.py](../kernels/cross_entropy/reference.py) `forward` and
# [kernels/cross_entropy/reference.py](../kernels/cross_entropy/reference.py) `backward`, for logits `x` of shape
# $(N, C)$, with $C$ classes. (`scale` holds the weight of each row's class, if classes are weighted; `kept` says which
# rows count. `forward` returns the loss of each row, and the sum of the weights, which the mean divides by.)

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
    print(f"true class at logit 0, the other at 1000: by hand {cross_entropy(far, np.array([0]))[0]}", end=", ")
print(f"minidl {F.cross_entropy(far, np.array([0])):.0f}")
assert F.cross_entropy(far, np.array([0])) == 1000

# %% [markdown]
# In the last line your loss is `inf`: its $p$ was rounded to 0 before the logarithm was taken. The library never takes
# the logarithm of $p$. (There `F.cross_entropy` was given NumPy arrays. All functions of `F` take them too: they
# compute the same, but record nothing, and return NumPy's arrays and numbers.)
#
# ## Something real
#
# A digit classifier with one layer: each class has a weight for each pixel, and a bias,
# $z_{nk} = \sum_p x_{np} w_{kp} + b_k$. This is **logistic regression**. You can think of the weights of a digit as an
# image that is laid over the input; the digit whose weights fit best wins. First we write it entirely by hand.
#
# The learning rate need not be guessed. In tutorial 05 the second derivative of the loss was 2, and a step left
# $1 - 2\eta$ of the distance to the minimum: with $\eta = \frac12$, one over the second derivative, nothing is left,
# and a larger step overshoots. Here the second derivative changes from place to place, but it is bounded. With respect
# to the logits it is at most $\frac12$. With respect to the weights it is therefore at most $\frac12\lambda$, where
# $\lambda$ is the mean square of the inputs along the direction in which that is largest (the largest eigenvalue of
# $\frac1N x^T x$; the bias counts as a weight whose input is always 1). One over this bound, $\eta = 2/\lambda$, never
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
print(f"first loss {train_losses[0]:.4f} = log 10, as all ten classes were equally likely")
print(f"after {steps} steps: loss {train_losses[-1]:.3f}, {accuracy:.1%} of the test images classified correctly")
assert np.isclose(train_losses[0], np.log(10)) and train_losses[-1] < 0.5
assert np.all(np.diff(train_losses) < 0), "no step overshoots"
assert accuracy > 0.8

# %% [markdown]
# The same with the library, in the five lines of tutorial 05. The start and the steps are the same, so the losses must
# be the same too.

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
axes.plot(train_losses, label="training images")
axes.plot(range(0, steps, 10), test_losses, label="test images")
axes.axhline(np.log(10), color="gray", linestyle="--", label="guessing, log 10")
axes.set(xlabel="step", ylabel="cross-entropy", ylim=(0, None), title="learning to classify digits")
axes.legend()
plt.show()

# %% [markdown]
# Both losses start at $\log 10$ and fall. What has the model learned? Look at the weights: they are blue where ink is
# evidence for the digit, and red where it is evidence against. The zero wants ink in a ring and none in the middle.

# %%
side = int(x_train.shape[1] ** 0.5)
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.4))
for digit, ax in enumerate(axes.flat):
    limit = np.abs(w[digit]).max()
    show_image(ax, w[digit].reshape(side, side), f"for {digit}", cmap="RdBu", vmin=-limit, vmax=limit)
plt.show()
assert w[0].reshape(side, side)[side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1].mean() < 0

# %% [markdown]
# And where does it fail? Here are the images with the largest loss:

# %%
probabilities = softmax(x_test @ w.T + b)
surprise = -np.log(probabilities[np.arange(len(y_test)), y_test])
worst = surprise.argsort()[::-1][:10]
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.6))
for n, ax in zip(worst, axes.flat):
    answer = probabilities[n].argmax()
    title = f"a {y_test[n]}, predicted {answer}\n({probabilities[n, answer]:.0%} sure)"
    show_image(ax, x_test[n].reshape(side, side), title)
plt.show()
assert all(probabilities[n].argmax() != y_test[n] for n in worst[:5])

# %% [markdown]
# ## Exercises
#
# **1.** Multiply all logits by 10. What happens to the probabilities, and to the predicted class? And if you multiply
# by 0.1?
#
# <details><summary>Answer</summary>
#
# The predicted class, the one with the largest logit, stays the same. The factor 10 makes the probabilities more
# certain, and 0.1 less. (In practice one divides the logits by a number called the **temperature**.)
#
# ```python
# z = np.array([[1.0, 2.0, 3.0]])
# assert softmax(10 * z).max() > 0.99 and softmax(0.1 * z).max() < 0.4
# ```
# </details>
#
# **2.** With two classes, only the difference $d = z_1 - z_0$ matters. Write $p_1$ as a function of $d$.
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
# **3.** Why not simply use the error rate, the fraction of wrong answers, as the loss?
#
# <details><summary>Answer</summary>
#
# Nudge a weight by a tiny amount, and almost surely no answer changes. The error rate is a staircase: its derivative is
# 0 nearly everywhere, and gives gradient descent no direction.
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
# [07 · Layers](07_layers.py): one layer is one image of weights for each digit. It cannot express that a 7 may be
# written in two ways. Two layers can.
