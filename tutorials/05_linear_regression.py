# %% [markdown]
# # 05 · Linear regression and the mean squared error
#
# A doctor measures a patient today and wants to know how far a disease will have progressed in a year. The oldest tool
# for such a question, and still one of the best, is a straight line.
#
# **Question.** Which line fits a cloud of points best, and how do we find it with nothing but gradients?
#
# On the way we write the five lines that are at the heart of every training, in this course and elsewhere.

# %%
import course  # noqa: F401  (the look of the plots)
import matplotlib.pyplot as plt
import numpy as np
from library_lines import show_lines
from sklearn.datasets import load_diabetes

import minidl
import minidl.functional as F

# %% [markdown]
# The data are real: 442 patients, ten measurements of each (s1 to s6 are blood values), and a number for how far their
# diabetes had progressed a year later (Efron and others, *Least angle regression*, 2004; it comes with scikit-learn).
# The measurements, the inputs of our model, are called **features**; the number to be predicted is the **target**. We
# set aside every fourth patient as the **test set**: the line must do well on patients that it has never seen. The
# others are the **training set**. We also bring each feature to mean 0 and **standard deviation** 1 (it is the root of
# the mean squared distance from the mean); you will soon see why.

# %%
table = load_diabetes(scaled=False)
names = ["age", "sex", "body mass index", "blood pressure", *table.feature_names[4:]]
is_test = np.arange(len(table.data)) % 4 == 3
mean, std = table.data[~is_test].mean(0), table.data[~is_test].std(0)
features = (table.data - mean) / std  # mean 0 and standard deviation 1 over the training patients
x_train, x_test = features[~is_test], features[is_test]  # (N, 10)
t_train, t_test = table.target[~is_test], table.target[is_test]  # (N,)
print(f"{len(x_train)} training and {len(x_test)} test patients, targets {t_train.min():.0f} to {t_train.max():.0f}")

# %% [markdown]
# ## The formula
#
# With one feature $x$ (the body mass index) the line is $y = w x + b$. The **weight** $w$ is its slope, and the
# **bias** $b$ its height at $x=0$. Both are **parameters**: numbers to be learned. For patient $n$ the line predicts
# $y_n$, and the target is $t_n$. The **mean squared error** (MSE) is
#
# $$L(w, b) = \frac1N \sum_n (y_n - t_n)^2 .$$
#
# Why squares? They make every error count, whatever its sign, and large errors count much more. There is a deeper
# reason too: if the targets are a line plus normally distributed noise, the line with the smallest MSE is the one under
# which the observed data are most probable.
#
# The gradient of the loss, by the chain rule:
#
# $$\frac{\partial L}{\partial y_n} = \frac{2}{N}(y_n - t_n) \qquad
# \frac{\partial L}{\partial w} = \sum_n \frac{\partial L}{\partial y_n}\, x_n \qquad
# \frac{\partial L}{\partial b} = \sum_n \frac{\partial L}{\partial y_n}$$
#
# (The curly $\partial$ denotes a **partial derivative**: only this variable is nudged, while all others stay fixed.)
#
# ## By hand
#
# Sixty steps of gradient descent, with these formulas:

# %%
bmi = x_train[:, 2]  # (N,)
w, b = 0.0, 0.0
learning_rate = 0.1
hand_losses = []
for _ in range(60):
    y = w * bmi + b
    error = y - t_train
    hand_losses.append(np.mean(error**2))
    dy = 2 / len(error) * error
    dw, db = (dy * bmi).sum(), dy.sum()
    w, b = w - learning_rate * dw, b - learning_rate * db
print(f"w = {w:.3f}, b = {b:.3f}, MSE {hand_losses[0]:.0f} -> {hand_losses[-1]:.0f}")

# %% [markdown]
# Why the learning rate 0.1? As a function of $w$ the loss is a parabola with the second derivative
# $\frac{2}{N}\sum x_n^2$. As $x$ has mean 0 and standard deviation 1, that is 2. As in tutorial 01, each step
# multiplies the distance to the best $w$ by $1 - 2\eta$. With $\eta = 0.1$ that is 0.8, and after 60 steps $0.8^{60}$
# of the distance is left, less than one part in half a million. This is why we brought all features to the same
# standard deviation: one learning rate suits them all.
#
# ## Check
#
# We check the gradient against the numerical gradient and against the library. And we check the line against algebra:
# for a line the minimum can be written down (set both derivatives to 0), which is what NumPy's `lstsq` does.


# %%
def mse(w, b):
    return np.mean((w * bmi + b - t_train) ** 2)


error = 3 * bmi + 4 - t_train  # at some other line, w = 3 and b = 4
rule = 2 * np.mean(error * bmi), 2 * np.mean(error)
measured = (mse(3 + 1e-4, 4) - mse(3 - 1e-4, 4)) / 2e-4, (mse(3, 4 + 1e-4) - mse(3, 4 - 1e-4)) / 2e-4
assert np.allclose(rule, measured, rtol=1e-6)

w_tensor, b_tensor = (minidl.tensor(np.array(value), requires_grad=True) for value in (3.0, 4.0))
F.mse_loss(w_tensor * minidl.tensor(bmi) + b_tensor, minidl.tensor(t_train)).backward()
assert np.allclose(rule, (w_tensor.grad.item(), b_tensor.grad.item()), rtol=1e-12)

columns = np.stack([bmi, np.ones_like(bmi)], axis=1)
exact = np.linalg.lstsq(columns, t_train, rcond=None)[0]
print(f"exact w = {exact[0]:.3f}, b = {exact[1]:.3f}")
assert np.allclose((w, b), exact, rtol=1e-4)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.scatter(table.data[~is_test, 2], t_train, s=10, alpha=0.5, label="patients")
ends = np.array([bmi.min(), bmi.max()])
left.plot(ends * std[2] + mean[2], w * ends + b, color="black", label="the fitted line")
left.set(xlabel="body mass index (kg/m²)", ylabel="progression after a year", title="one measurement")
left.legend()
ws, bs = np.meshgrid(np.linspace(-40, 130, 60), np.linspace(-10, 310, 60))
losses = np.mean((ws[..., None] * bmi + bs[..., None] - t_train) ** 2, axis=-1)
contours = right.contour(ws, bs, losses, levels=15, cmap="viridis", linewidths=0.8)
figure.colorbar(contours, ax=right, label="MSE")
right.plot(*exact, "*", color="black", markersize=12)
right.set(xlabel="w", ylabel="b", title="the loss, seen from above: one valley")
plt.show()

# %% [markdown]
# Left, the fitted line; right, the loss as a function of $w$ and $b$, with a star at the exact minimum.
#
# ## In the library
#
# The loss is [minidl/functional/loss.py](../minidl/functional/loss.py) `mse_loss`. A line with several inputs is
# [minidl/functional/linear.py](../minidl/functional/linear.py) `Linear`: for inputs $x$ of shape $(N, C)$, with one row
# of weights for each output $k$, it computes $y_{nk} = \sum_c x_{nc}\, w_{kc} + b_k$.

# %%
show_lines("minidl/functional/linear.py", "Linear")

# %% [markdown]
# The rule that takes the step downhill, here $w \leftarrow w - \eta\,dw$, is called an **optimizer**. The simplest is
# [minidl/optim/sgd.py](../minidl/optim/sgd.py) `SGD` (for what its name says, see tutorial 08). Now the five lines:


# %%
def fit(x, t, learning_rate=0.1, steps=60, forget_zero_grad=False):
    w = minidl.tensor(np.zeros((1, x.shape[1])), requires_grad=True)
    b = minidl.tensor(np.zeros(1), requires_grad=True)
    optimizer = minidl.optim.SGD([w, b], lr=learning_rate)
    x, t = minidl.tensor(x), minidl.tensor(t[:, None])  # (N, C) and (N, 1)
    losses = []
    for _ in range(steps):
        y = F.linear(x, w, b)  # 1. predict
        loss = F.mse_loss(y, t)  # 2. how wrong is it?
        if not forget_zero_grad:
            optimizer.zero_grad()  # 3. forget the old gradient
        loss.backward()  # 4. compute the gradient
        optimizer.step()  # 5. take a step downhill
        losses.append(loss.item())
    return w, b, losses


w_one, b_one, losses = fit(bmi[:, None], t_train)
assert np.allclose(losses, hand_losses, rtol=1e-10), "the same numbers as by hand, step by step"
print("sixty steps by hand and sixty steps of minidl: the same losses")

# %% [markdown]
# ## A common mistake: forgetting zero_grad
#
# `backward` adds to the gradient that is already there (tutorial 02). If you leave out line 3, each step uses the sum
# of all gradients so far. Then $w$ and $b$ move like a ball without friction, as the plot shows: they gain speed, shoot
# past the minimum and come back, again and again.

# %%
_, _, forgetful = fit(bmi[:, None], t_train, forget_zero_grad=True)
figure, axes = plt.subplots()
axes.plot(losses, label="with zero_grad")
axes.plot(forgetful, label="zero_grad forgotten")
axes.set(xlabel="step", ylabel="MSE", ylim=(0, 1.3 * max(forgetful)), title="one forgotten line")
axes.legend(loc="upper center", ncols=2)
plt.show()
assert max(forgetful[10:]) > 3 * losses[-1], "it never settles"

# %% [markdown]
# ## Something real
#
# Now we use all ten features. They are correlated with each other, so the loss is a long, narrow valley, and more steps
# are needed (tutorial 08 will do better). How good are the predictions for the patients in the test set? We compare
# with the simplest prediction, the same for everyone: the mean $\bar t$ of the training patients. The fraction of its
# squared error that our line removes is called $R^2$:
#
# $$R^2 = 1 - \frac{\sum_n (y_n - t_n)^2}{\sum_n (\bar t - t_n)^2}$$


# %%
def r_squared(y, t):
    return 1 - ((y - t) ** 2).sum() / ((t_train.mean() - t) ** 2).sum()


w_all, b_all, _ = fit(x_train, t_train, steps=300)
with minidl.no_grad():  # no gradient is needed here, so nothing is recorded
    y_all = F.linear(minidl.tensor(x_test), w_all, b_all).numpy()[:, 0]
    y_one = F.linear(minidl.tensor(x_test[:, 2:3]), w_one, b_one).numpy()[:, 0]
r2_one, r2_all = r_squared(y_one, t_test), r_squared(y_all, t_test)
print(f"R² on the test patients: body mass index alone {r2_one:.2f}, all ten {r2_all:.2f}")
assert r2_all > 1 / 3 > r2_one > 0.1
assert np.corrcoef(x_train[:, 4], x_train[:, 5])[0, 1] > 0.85, "s1 and s2 rise together"

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.scatter(t_test, y_all, s=12)
left.plot([25, 345], [25, 345], color="gray", linestyle="--", label="perfect")
left.set(xlabel="true progression", ylabel="predicted", title="test patients")
left.legend()
order = np.argsort(w_all.numpy()[0])
right.barh(np.array(names)[order], w_all.numpy()[0][order])
right.set(xlabel="weight (of features with standard deviation 1)", title="the weights")
plt.show()

# %% [markdown]
# A line will not tell a patient's fate, but with ten features it removes more than a third of the squared error, and
# the weights show which features it uses. Be careful with this reading: s1 and s2 (two measures of cholesterol) nearly
# always rise together, so a larger weight of one can make up for a smaller weight of the other.
#
# ## Exercises
#
# **1.** The feature has mean 0. What must the best bias be?
#
# <details><summary>Answer</summary>
#
# At the minimum $\partial L/\partial b = 2\,\overline{(y - t)} = 0$, so the mean prediction is the mean target. The
# mean of $w x$ is 0, so $b = \bar t$.
#
# ```python
# assert abs(b - t_train.mean()) < 0.01
# ```
# </details>
#
# **2.** A line cannot bend. Add the square of the body mass index as a second feature. Does the training error fall?
# Must it?
#
# <details><summary>Answer</summary>
#
# It cannot rise: with weight 0 for the new feature we have the old line, so the best weights are at least as good.
# Whether the feature helps on new patients is another question, which tutorial 09 takes up.
#
# ```python
# square = bmi**2
# both = np.stack([bmi, (square - square.mean()) / square.std()], axis=1)
# _, _, bent = fit(both, t_train, steps=300)
# assert bent[-1] <= losses[-1]
# ```
# </details>
#
# **3.** Replace the squared error by the absolute error $|y - t|$ (`F.l1_loss`). What does the best constant
# prediction become?
#
# <details><summary>Answer</summary>
#
# The derivative of $\sum_n |c - t_n|$ with respect to $c$ is the number of targets below $c$ minus the number above. It
# is 0 at the **median**.
#
# ```python
# guesses = np.linspace(t_train.min(), t_train.max(), 2000)
# costs = np.abs(guesses[:, None] - t_train).mean(1)
# assert abs(costs.min() - np.abs(np.median(t_train) - t_train).mean()) < 1e-2
# ```
# </details>
#
# ## Next
#
# [06 · Softmax and cross-entropy](06_softmax.py): a line predicts a number. How can a model predict which digit an
# image shows?
