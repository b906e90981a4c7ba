# %% [markdown]
# # 08 · Optimizers: faster ways downhill
#
# Every training so far was the same: compute the gradient, take a step downhill, repeat. In a round bowl that works
# well. But the loss of a network is no bowl. It has long valleys, steep across and nearly flat along.
#
# **Question.** The gradient knows only the slope under our feet. How do we get to the bottom of a long, narrow valley
# quickly?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn, optim
from minidl.data import DataLoader, TensorDataset

# %% [markdown]
# ## The formula
#
# The simplest narrow valley is a quadratic function with second derivatives $\lambda_1$ and $\lambda_2$, one of them 25
# times as large as the other:
#
# $$f(w) = \tfrac12\,(\lambda_1 w_1^2 + \lambda_2 w_2^2) \qquad \lambda_1 = 1,\ \lambda_2 = 25$$
#
# Near a minimum nearly every smooth loss looks like this, along suitable axes. The second derivative $\lambda$ is
# called the **curvature**. The gradient is $(\lambda_1 w_1,\ \lambda_2 w_2)$, so a step of **gradient descent**
# multiplies each coordinate by its own factor:
#
# $$w_i \leftarrow w_i - \eta\lambda_i w_i = (1 - \eta\lambda_i)\,w_i$$
#
# Every factor must lie between $-1$ and $1$, so $\eta < 2/\lambda_2 = 0.08$: the *steep* direction limits the learning
# rate. Progress along the *flat* one is then slow: its factor is at least $1 - 0.08 = 0.92$. The best compromise makes
# both factors equally large in absolute value: $\eta = 2/(\lambda_1+\lambda_2)$.
#
# We rotate the valley by 30 degrees, so that no method profits from a valley that happens to run along an axis.

# %%
curvatures = np.array([1.0, 25.0])
angle = np.pi / 6
rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
hessian = rotation @ np.diag(curvatures) @ rotation.T  # the second derivatives of f
start = rotation @ np.array([-4.0, 0.9])


def valley(w):
    return 0.5 * np.sum(w @ hessian * w, axis=-1)


def gradient(w):
    return hessian @ w


# %% [markdown]
# **Momentum** (Polyak, 1964). Imagine a heavy ball that rolls down. Its velocity $v$ accumulates the gradients and
# slowly forgets them. Across the valley the gradients change their sign again and again, and cancel; along the valley
# they all point the same way, and add up.
#
# $$v \leftarrow \beta v + dw \qquad w \leftarrow w - \eta v$$
#
# If the gradient stays the same, $v$ grows to $dw\,(1 + \beta + \beta^2 + \dots) = dw/(1-\beta)$: with $\beta = 0.9$
# the steps become ten times as long. For this valley the best values are known: with $\kappa = \lambda_2/\lambda_1$,
# they are $\beta = \big(\frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}\big)^2$ and
# $\eta = 4/(\sqrt{\lambda_1} + \sqrt{\lambda_2})^2$.
#
# **Nesterov's momentum** (1983). The velocity will carry us on in any case. So evaluate the gradient *there*, where it
# will carry us, and correct the course early. With $w$ for the point where the gradient is evaluated:
#
# $$v \leftarrow \beta v + dw \qquad w \leftarrow w - \eta\,(dw + \beta v)$$
#
# with $\eta = 1/\lambda_2$ and $\beta = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}$.
#
# **Adam** (Kingma and Ba, 2015). Give each weight its own step size. Keep a running mean of the gradient, $m$, and one
# of its square, $v$ (which is not a velocity here), and step along $m/\sqrt v$:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1)\,dw \qquad v \leftarrow \beta_2 v + (1-\beta_2)\,dw^2 \qquad
# w \leftarrow w - \eta\,\frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}$$
#
# Why divide by $1-\beta^t$? Both means start at 0, so at first they are too small: after $t$ steps the coefficients of
# the gradients in $m$ add up to only $1-\beta_1^t$. The division corrects this. At the very first step $m/(1-\beta_1)$
# is just $dw$, and $v/(1-\beta_2)$ is $dw^2$, so the step is $\eta$ times the sign of $dw$: $\eta$ is the *length of a
# step*, whatever the scale of the loss. $\epsilon$ only avoids a division by 0.
#
# **Stochastic gradient descent** (SGD; Robbins and Monro, 1951). A loss is a mean over images. The gradient of the mean
# over a few of them, drawn at random (a **mini-batch**), is a cheap estimate of the full gradient: wrong each time, but
# right on average. Our valley can be written as a mean too: of 100 valleys $f_n$ whose minima $c_n$ are scattered
# around 0. (Their mean is $f$ plus a constant, which does not change the gradient.)
#
# $$f_n(w) = \tfrac12 (w - c_n)^T H\, (w - c_n) \qquad \sum_n c_n = 0$$
#
# $H$ is the matrix of the second derivatives of $f$, its **Hessian**. With $c_n = 0$ this is $f$ itself.
#
# ## By hand
#
# Each method is a few lines. All start at the same point, and take 60 steps with the learning rates given above (SGD
# with half that of gradient descent); for Adam, which has no such formula, we try several.


# %%
def gradient_descent(gradient, w, steps, lr):
    path = [w]
    for _ in range(steps):
        path.append(path[-1] - lr * gradient(path[-1]))
    return np.array(path)


def momentum(gradient, w, steps, lr, beta, nesterov=False):
    path, v = [w], np.zeros_like(w)
    for _ in range(steps):
        dw = gradient(path[-1])
        v = beta * v + dw
        path.append(path[-1] - lr * (dw + beta * v if nesterov else v))
    return np.array(path)


def adam(gradient, w, steps, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    path, m, v = [w], np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        dw = gradient(path[-1])
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        path.append(path[-1] - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps))
    return np.array(path)


random = np.random.default_rng(0)
centres = random.normal(0, 0.5, (100, 2))
centres -= centres.mean(0)


def noisy_gradient(w, batch_size=5):
    batch = random.choice(len(centres), batch_size, replace=False)
    return (hessian @ (w - centres[batch]).T).mean(1)


steps = 60
low, high = curvatures
kappa = high / low
best = 2 / (low + high)
beta_heavy = ((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2
beta_nesterov = (kappa**0.5 - 1) / (kappa**0.5 + 1)
adam_rates = (0.03, 0.1, 0.2, 0.4, 0.8, 1.6)
adam_rate = min(adam_rates, key=lambda lr: valley(adam(gradient, start, steps, lr)[-1]))  # no formula: try several
paths = {
    "gradient descent": gradient_descent(gradient, start, steps, best),
    "SGD, batches of 5": gradient_descent(noisy_gradient, start, steps, best / 2),
    "momentum": momentum(gradient, start, steps, 4 / (low**0.5 + high**0.5) ** 2, beta_heavy),
    "Nesterov": momentum(gradient, start, steps, 1 / high, beta_nesterov, nesterov=True),
    "Adam": adam(gradient, start, steps, adam_rate),
}
for name, path in paths.items():
    print(f"{name:18} f = {valley(path[-1]):.1e} after {steps} steps")
print(f"(Adam with the best of the learning rates {adam_rates}: {adam_rate})")
final = {name: valley(path[-1]) for name, path in paths.items()}
assert final["momentum"] < final["Nesterov"] < final["gradient descent"] < final["SGD, batches of 5"]

# %%
grid = np.stack(np.meshgrid(np.linspace(-5, 2, 140), np.linspace(-3.5, 1.5, 100)), axis=-1)
figure, panels = plt.subplots(2, 3, figsize=(10, 5.4))
for axes, (name, path) in zip(panels.flat, paths.items()):
    axes.contour(grid[..., 0], grid[..., 1], valley(grid), levels=2.0 ** np.arange(-3, 7), colors="lightgray")
    axes.plot(*path.T, ".-", linewidth=1, markersize=4)
    axes.plot(*start, "o", color="black", markersize=5)
    axes.plot(0, 0, "*", color="black", markersize=10)
    axes.set(title=name, xlabel="$w_1$", ylabel="$w_2$", aspect="equal", xlim=(-5, 2), ylim=(-3.5, 1.5))
    axes.grid(False)
last = panels.flat[-1]
for name, path in paths.items():
    last.semilogy(valley(path), label=name)
last.set(title="height above the bottom", xlabel="step", ylabel="f", ylim=(1e-13, 1e2))
last.legend(fontsize=7, loc="lower left")
plt.show()

# %% [markdown]
# Gradient descent, momentum and Nesterov's momentum **converge**: they come as close to the minimum as we like.
# Gradient descent zigzags. Momentum swings far across the valley at first, but arrives soonest; Nesterov's momentum
# hardly swings. Adam takes a curved path, and then wanders around the minimum, because the length of its steps depends
# little on the size of the gradient. SGD, here with half the learning rate of gradient descent, comes close and then
# jumps around at random: its last steps are all noise, and become smaller only if the learning rate does. So why does
# everyone use it? Because each of its steps costs a twentieth of a step of the others: it uses 5 of the 100 valleys.
#
# ## Check
#
# We check three things: that each step of gradient descent shrinks the distance by the factor that the formula
# predicts, that the gradients of the small valleys average to the full gradient, and that the library's optimizers take
# the same steps as yours.

# %%
measured = (valley(paths["gradient descent"][50]) / valley(paths["gradient descent"][10])) ** (0.5 / 40)
print(f"gradient descent: factor per step {measured:.4f}, by the formula {(kappa - 1) / (kappa + 1):.4f}")
assert np.isclose(measured, (kappa - 1) / (kappa + 1), rtol=1e-3)

w = np.array([1.0, -2.0])
all_gradients = (hessian @ (w - centres).T).T  # (100, 2), one for each small valley
assert np.allclose(all_gradients.mean(0), gradient(w))


def library_path(make_optimizer):
    w = minidl.tensor(start, requires_grad=True)
    optimizer = make_optimizer([w])
    path = [start]
    for _ in range(steps):
        loss = 0.5 * (w @ minidl.tensor(hessian) * w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(w.data.copy())
    return np.array(path)


same = {
    "gradient descent": lambda w: optim.SGD(w, lr=best),
    "momentum": lambda w: optim.SGD(w, lr=4 / (low**0.5 + high**0.5) ** 2, momentum=beta_heavy),
    "Nesterov": lambda w: optim.SGD(w, lr=1 / high, momentum=beta_nesterov, nesterov=True),
    "Adam": lambda w: optim.Adam(w, lr=adam_rate),
}
for name, make_optimizer in same.items():
    assert np.allclose(library_path(make_optimizer), paths[name], atol=1e-10), name
print("four optimizers of minidl follow your paths, step by step")

# %% [markdown]
# ## In the library
#
# The options and the state (such as $v$) are in [minidl/optim/sgd.py](../minidl/optim/sgd.py) `SGD` and
# [minidl/optim/adam.py](../minidl/optim/adam.py) `Adam`. The formulas themselves, for all weights at once, are in
# [kernels/optimizers/reference.py](../kernels/optimizers/reference.py) `sgd_step` and
# [kernels/optimizers/reference.py](../kernels/optimizers/reference.py) `adam_step`:

# %%
show_lines("kernels/optimizers/reference.py", "sgd_step")
show_lines("kernels/optimizers/reference.py", "adam_step")

# %% [markdown]
# Many books write momentum as a running mean, $v \leftarrow \beta v + (1-\beta)\,dw$. It takes the same path, with a
# learning rate that is $1/(1-\beta)$ times as large:


# %%
def textbook_momentum(gradient, w, steps, lr, beta):
    path, v = [w], np.zeros_like(w)
    for _ in range(steps):
        v = beta * v + (1 - beta) * gradient(path[-1])
        path.append(path[-1] - lr * v)
    return np.array(path)


ours = momentum(gradient, start, steps, 0.02, 0.9)
assert np.allclose(textbook_momentum(gradient, start, steps, 0.02 / (1 - 0.9), 0.9), ours)

# %% [markdown]
# ## Something real
#
# Now the network of tutorial 07 on digits, always from the same first weights. To be fair, we try several learning
# rates for each method and keep the best. All methods see the same number of images. "Full batch" takes one step per
# epoch, the others one step for every 32 images.

# %%
x_train, y_train, _, _ = load_images(train_limit=2000)
seed, epochs = 0, 10


def train(make_optimizer, batch_size):
    minidl.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(x_train[0].size, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = make_optimizer(model.parameters())
    losses = []
    for _ in range(epochs):
        total = 0.0
        for x, t in DataLoader(TensorDataset(x_train, y_train), batch_size, shuffle=True):
            loss = F.cross_entropy(model(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(t)
        losses.append(total / len(x_train))
    return losses


methods = {
    "full batch": (lambda w, lr: optim.SGD(w, lr), len(x_train), (0.2, 0.5, 1.0, 2.0)),
    "SGD": (lambda w, lr: optim.SGD(w, lr), 32, (0.1, 0.3, 1.0, 3.0)),
    "momentum 0.9": (lambda w, lr: optim.SGD(w, lr, momentum=0.9), 32, (0.01, 0.03, 0.1, 0.3)),
    "Nesterov 0.9": (lambda w, lr: optim.SGD(w, lr, momentum=0.9, nesterov=True), 32, (0.01, 0.03, 0.1, 0.3)),
    "Adam": (lambda w, lr: optim.Adam(w, lr), 32, (0.003, 0.01, 0.03, 0.1)),
}
curves = {}
for name, (make, batch_size, rates) in methods.items():
    tried = {lr: train(lambda w, make=make, lr=lr: make(w, lr), batch_size) for lr in rates}
    lr = min(tried, key=lambda lr: tried[lr][-1])
    curves[name] = tried[lr]
    print(f"{name:13} best of {rates}: {lr}, loss {tried[lr][-1]:.4f} (seed {seed}, {epochs} epochs)")
assert all(losses[-1] < 0.5 * curves["full batch"][-1] for name, losses in curves.items() if name != "full batch")

# %%
figure, axes = plt.subplots()
for name, losses in curves.items():
    axes.semilogy(range(1, epochs + 1), losses, ".-", label=name)
axes.set(xlabel="epoch (each image seen once)", ylabel="mean training loss", title="equal work, different optimizers")
axes.legend(ncols=2)
plt.show()

# %% [markdown]
# The large gap is between one step per epoch and many. The advantage of Adam is that its learning rate is the length of
# a step, so the same few values suit very different networks.
#
# ## Exercises
#
# **1.** Run gradient descent with $\eta$ just above $2/\lambda_2$. Which coordinate diverges?
#
# <details><summary>Answer</summary>
#
# The steep one: its factor is below $-1$.
#
# ```python
# path = gradient_descent(gradient, start, 60, 2.05 / high) @ rotation  # along the valley's own axes
# assert abs(path[-1, 1]) > 10 * abs(path[0, 1]) and abs(path[-1, 0]) < abs(path[0, 0])
# ```
# </details>
#
# **2.** Run Adam with each of the learning rates that were tried above. Why does the smallest end so far from the
# minimum?
#
# <details><summary>Answer</summary>
#
# Its steps have about the length $\eta$ in each coordinate, so 60 steps of 0.03 cover about 1.8, and the minimum is
# further away than that.
#
# ```python
# heights = {lr: valley(adam(gradient, start, 60, lr)[-1]) for lr in adam_rates}
# print(heights)
# assert heights[0.03] > 100 * heights[adam_rate]
# assert np.abs(start).max() > 60 * 0.03
# ```
# </details>
#
# **3.** Make SGD's learning rate ten times smaller after half of the steps. What happens to the noise in its path?
#
# <details><summary>Answer</summary>
#
# It shrinks. A rule by which the learning rate changes during training is called a **schedule**.
#
# ```python
# def mean_height(path):
#     return valley(path[-100:]).mean()
#
# first = gradient_descent(noisy_gradient, start, 300, best / 2)
# second = gradient_descent(noisy_gradient, first[-1], 300, best / 20)
# assert mean_height(second) < 0.5 * mean_height(first)
# ```
# </details>
#
# ## Next
#
# [09 · Overfitting](09_overfitting.py): we can now reach the minimum of the training loss. But is that where we want to
# be?
