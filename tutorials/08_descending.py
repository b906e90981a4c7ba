# %% [markdown]
# # 08 · Descending
#
# Every training so far was the same walk: look at the slope, take a step down, repeat. In a round bowl that works
# well. The losses of networks are no bowls. They are valleys, steep across and nearly flat along.
#
# **Question.** The gradient knows only the slope under our feet. How do we get to the bottom of a long, narrow valley
# quickly?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import FAST, load_images
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn, optim
from minidl.data import DataLoader, TensorDataset

# %% [markdown]
# ## The formula
#
# The simplest narrow valley bends 25 times as much in one direction as in the other:
#
# $$f(w) = \tfrac12\,(\lambda_1 w_1^2 + \lambda_2 w_2^2) \qquad \lambda_1 = 1,\ \lambda_2 = 25$$
#
# Near its bottom every smooth loss looks like this, in suitable directions. The second derivative $\lambda$ is called
# the **curvature**. The gradient is $(\lambda_1 w_1,\ \lambda_2 w_2)$, so a step of **gradient descent** multiplies
# each coordinate by a factor of its own:
#
# $$w_i \leftarrow w_i - \eta\lambda_i w_i = (1 - \eta\lambda_i)\,w_i$$
#
# It must be between $-1$ and $1$ for all, so $\eta < 2/\lambda_2 = 0.08$: the *steep* direction limits the step, and
# then the *flat* one crawls, with a factor of at least $1 - 0.08 = 0.92$. The best compromise makes both equally bad:
# $\eta = 2/(\lambda_1+\lambda_2)$.
#
# We turn the valley by 30 degrees, so that no method can profit from the axes by accident.

# %%
curvatures = np.array([1.0, 25.0])
angle = np.pi / 6
turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
hessian = turn @ np.diag(curvatures) @ turn.T  # the second derivatives of f
start = turn @ np.array([-4.0, 0.9])


def valley(w):
    return 0.5 * np.sum(w @ hessian * w, axis=-1)


def gradient(w):
    return hessian @ w


# %% [markdown]
# **Momentum** (Polyak, 1964). Let the walker have some mass. A velocity $v$ collects the gradients and slowly forgets
# them. Across the valley they point left, right, left, and cancel; along it they all point the same way, and add up.
#
# $$v \leftarrow \beta v + dw \qquad w \leftarrow w - \eta v$$
#
# If the gradient stays the same, $v$ grows to $dw\,(1 + \beta + \beta^2 + \dots) = dw/(1-\beta)$: with $\beta = 0.9$
# steps get ten times as long. For this valley the best values are known: with $\kappa = \lambda_2/\lambda_1$,
# $\beta = \big(\frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}\big)^2$ and
# $\eta = 4/(\sqrt{\lambda_1} + \sqrt{\lambda_2})^2$.
#
# **Nesterov's momentum** (1983). The velocity will carry us on whatever we do. So look at the slope *there*, where it
# carries us, and correct in time. Written with $w$ for the point at which we look:
#
# $$v \leftarrow \beta v + dw \qquad w \leftarrow w - \eta\,(dw + \beta v)$$
#
# with $\eta = 1/\lambda_2$ and $\beta = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}$.
#
# **Adam** (Kingma and Ba, 2015). Give each number a step size of its own. Keep running means of the gradient, $m$, and
# of its square, $v$ (a velocity no longer), and walk by $m/\sqrt v$:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1)\,dw \qquad v \leftarrow \beta_2 v + (1-\beta_2)\,dw^2 \qquad
# w \leftarrow w - \eta\,\frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}$$
#
# Why the divisions? Both means start at 0, so at first they are too small: after $t$ steps the weights of a mean add
# up to $1-\beta^t$ only. At the very first step $m/(1-\beta_1)$ is just $dw$, and the step is $\eta$ times its sign:
# $\eta$ is the *length of a step*, whatever the scale of the loss. $\epsilon$ only avoids dividing by 0.
#
# **Stochastic gradient descent** (SGD; Robbins and Monro, 1951). A loss is a mean over pictures. The mean over a few,
# drawn at random (a **mini-batch**), is a cheap guess of the gradient: wrong each time, right on average. Our valley
# too is a mean (but for a constant, which has no slope), of 100 valleys with their bottoms $c_n$ scattered around 0:
#
# $$f_n(w) = \tfrac12 (w - c_n)^T H\, (w - c_n) \qquad \sum_n c_n = 0$$
#
# ($H$ is the matrix of the second derivatives of $f$, in the code `hessian`. With $c_n = 0$ this is $f$ itself.)
#
# ## By hand


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
adam_rate = min(adam_rates, key=lambda lr: valley(adam(gradient, start, steps, lr)[-1]))  # no formula: try some
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
# Gradient descent, momentum and Nesterov's **converge**: they come as near to the bottom as one likes. Gradient descent
# zigzags. Momentum swings far across at first, and is there soonest; Nesterov's hardly swings. Adam takes a curved way
# of its own, and then strolls about near the bottom: its steps have a length that the slope does not set. SGD, here
# with half the learning rate of gradient descent, gets near and then dances: its last steps are all noise, and would
# shrink only with the learning rate. So why does everyone use it? Because each of its steps cost a twentieth of what
# the others' cost: it looked at 5 of the 100.
#
# ## Check
#
# The factor per step that the formula promises, the library's own optimizers on the same valley, and that the noisy
# gradient is right on average:

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
print("four optimizers of minidl walk your paths, step by step")

# %% [markdown]
# ## In the library
#
# Options and state are in [minidl/optim/sgd.py](../minidl/optim/sgd.py) `SGD` and
# [minidl/optim/adam.py](../minidl/optim/adam.py) `Adam`. The formulas themselves, for all weights at once, are
# [kernels/optimizers/reference.py](../kernels/optimizers/reference.py) `sgd_step` and
# [kernels/optimizers/reference.py](../kernels/optimizers/reference.py) `adam_step`:

# %%
show_lines("kernels/optimizers/reference.py", "sgd_step")
show_lines("kernels/optimizers/reference.py", "adam_step")

# %% [markdown]
# Many books write momentum as a running mean, $v \leftarrow \beta v + (1-\beta)\,dw$. It is the same walk, with a
# learning rate $1/(1-\beta)$ times as large:


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
# The network of tutorial 07 on digits, from the same first weights. To be fair, each method gets the best learning
# rate of a few. All see the same number of pictures: ten epochs. "Full batch" takes one step per epoch, the others
# one for each 32 pictures.

# %%
x_train, y_train, _, _ = load_images(train_limit=2000)
seed, epochs = 0, 5 if FAST else 10


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
axes.set(xlabel="epoch (each picture seen once)", ylabel="mean training loss", title="the same work, different walks")
axes.legend(ncols=2)
plt.show()

# %% [markdown]
# The large gap is between one step per epoch and many. Adam's charm is that its learning rate is a length of step, so
# the same few values serve very different networks.
#
# ## Exercises
#
# **1.** Take gradient descent with $\eta$ just above $2/\lambda_2$. Which coordinate explodes?
#
# <details><summary>Answer</summary>
#
# The steep one: its factor is below $-1$.
#
# ```python
# path = gradient_descent(gradient, start, 60, 2.05 / high) @ turn  # in the valley's own axes
# assert abs(path[-1, 1]) > 10 * abs(path[0, 1]) and abs(path[-1, 0]) < abs(path[0, 0])
# ```
# </details>
#
# **2.** Look at Adam with all of the learning rates that were tried. Why is the smallest still far away?
#
# <details><summary>Answer</summary>
#
# Its steps have about the length $\eta$ in each coordinate, so 60 steps of 0.03 cover about 1.8, and the bottom is
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
# **3.** Make SGD's learning rate ten times smaller after half of the steps. What happens to its dance?
#
# <details><summary>Answer</summary>
#
# It shrinks. Changing the learning rate on the way is called a **schedule**.
#
# ```python
# def dance(path):
#     return valley(path[-100:]).mean()
#
# first = gradient_descent(noisy_gradient, start, 300, best / 2)
# second = gradient_descent(noisy_gradient, first[-1], 300, best / 20)
# assert dance(second) < 0.5 * dance(first)
# ```
# </details>
#
# ## Next
#
# [09 · Overfitting](09_overfitting.py): we can now reach the bottom. But is the bottom where we want to be?
