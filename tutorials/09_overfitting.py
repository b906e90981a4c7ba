# %% [markdown]
# # 09 · Overfitting
#
# A student who learns the answers of last year's exam by heart gets full marks on last year's exam. A network with
# enough weights can do the same with its training images.
#
# **Question.** How do we notice that a network learns by heart, and what makes it learn the rule instead?

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
# ## The smallest example
#
# We measure a smooth curve at fifteen points, each time with a little noise. We fit polynomials of growing degree by
# least squares (tutorial 05), and compute the error twice: on the fifteen points, and on two hundred fresh ones.

# %%
random = np.random.default_rng(2)


def measure(count):
    x = np.linspace(-1, 1, count)
    return x, np.sin(3 * x) + random.normal(0, 0.2, count)


x_few, t_few = measure(15)
x_many, t_many = measure(200)
degrees = np.arange(14)
errors = {"training": [], "fresh": []}
figure, panels = plt.subplots(1, 4, figsize=(10.5, 3), width_ratios=(1, 1, 1, 1.3))
drawn = dict(zip((1, 3, 13), panels))
line = np.linspace(-1, 1, 200)
for degree in degrees:
    polynomial = np.polynomial.Polynomial.fit(x_few, t_few, degree, domain=[-1, 1])
    errors["training"].append(np.mean((polynomial(x_few) - t_few) ** 2))
    errors["fresh"].append(np.mean((polynomial(x_many) - t_many) ** 2))
    if degree in drawn:
        axes = drawn[degree]
        axes.plot(line, np.sin(3 * line), color="lightgray", linewidth=3)
        axes.plot(line, polynomial(line))
        axes.plot(x_few, t_few, "o", color="black", markersize=4)
        axes.set(title=f"degree {degree}", xlabel="x", ylim=(-2, 2))
for name, values in errors.items():
    panels[3].semilogy(degrees, values, ".-", label=f"{name} points")
panels[3].set(xlabel="degree", ylabel="mean squared error", title="two errors")
panels[3].legend(fontsize=8)
plt.show()
assert np.all(np.diff(errors["training"]) < 1e-12), "the training error can only fall"
assert errors["fresh"][13] > 10 * min(errors["fresh"]), "the error on fresh points turns up"

# %% [markdown]
# Degree 1 cannot follow the curve (grey): it **underfits**. Degree 3 does well. Degree 13 follows every point, noise
# included, and swings wildly in between: it **overfits**. If we looked at the training error alone, we would choose
# degree 13, because the training error can only fall: a polynomial of higher degree can do all that one of lower degree
# can. What we want is to be right on fresh points, to **generalize**. To measure that, we need points that took no part
# in the fitting.
#
# ## Three sets
#
# * The **training set** is for learning the weights.
# * The **validation set** is for everything that *we* choose (the **hyperparameters**): the degree, the learning rate,
#   when to stop.
# * The **test set** is used once, at the end. If you use it to choose anything, it has become a validation set, and the
#   result will be too good to be true.
#
# ## The formula
#
# A curve that swings wildly needs large weights of opposite signs, which nearly cancel. So make large weights cost
# something: add a **penalty** to the loss, with a strength $\lambda$. (Anything that is done against overfitting is
# called **regularization**.)
#
# $$\text{L2:}\quad \frac{\lambda}{2}\sum w^2,\ \text{ gradient } \lambda w \qquad\qquad \text{L1:}\quad
# \lambda \sum |w|,\ \text{ gradient } \lambda\operatorname{sign}(w)$$
#
# With L2, each step of gradient descent first makes every weight smaller by a fixed fraction of itself:
#
# $$w - \eta\,(dw + \lambda w) = (1-\eta\lambda)\,w - \eta\,dw$$
#
# This is called **weight decay**. Large weights lose most. L1 instead moves every weight by the same amount
# $\eta\lambda$ towards 0, whether it is large or small. So a weight that hardly reduces the loss goes to 0 and stays
# near it (exercise 1).
#
# **Dropout** (Srivastava and others, 2014) works differently. In every training step each hidden unit is set to 0 with
# probability $p$: it is multiplied by a *mask*, a number drawn anew, which is 0 or 1. So no unit can rely on another
# one being there, and each must be useful by itself. The units that remain are divided by $1-p$, which keeps the
# expected value $\text{E}[y]$, the mean over all draws, as it was:
#
# $$y = \frac{x\cdot\text{mask}}{1-p} \qquad \text{E}[y] = \frac{x\,(1-p)}{1-p} = x$$
#
# After training, all units are used, and thanks to this division nothing else has to change. The gradient is
# $dx = dy\cdot\text{mask}/(1-p)$.
#
# ## By hand
#
# Each penalty returns its cost and its gradient; `dropout` returns its output and the factors for the backward pass.


# %%
def l2_penalty(w, lam):
    return lam / 2 * (w**2).sum(), lam * w


def l1_penalty(w, lam):
    return lam * np.abs(w).sum(), lam * np.sign(w)


def dropout(x, p, random):
    scale = (random.random(x.shape) >= p) / (1 - p)  # mask / (1 - p)
    return x * scale, scale  # backwards: dx = dy * scale


# %% [markdown]
# ## Check
#
# The gradients of both penalties against numerical gradients and against the library; then dropout: how many numbers
# are 0, and whether the mean stays.

# %%
w = random.standard_normal((3, 4))
for penalty, library in ((l2_penalty, optim.L2), (l1_penalty, optim.L1)):
    cost, dw = penalty(w, 0.1)
    measured = np.empty_like(w)
    for index in np.ndindex(w.shape):
        nudge = np.zeros_like(w)
        nudge[index] = 1e-6
        measured[index] = (penalty(w + nudge, 0.1)[0] - penalty(w - nudge, 0.1)[0]) / 2e-6
    assert np.allclose(dw, measured, atol=1e-8)

    w_tensor = minidl.tensor(w, requires_grad=True)
    library_cost = library(0.1)([w_tensor])
    library_cost.backward()
    assert np.isclose(cost, library_cost.item()) and np.allclose(dw, w_tensor.grad.numpy())

x = np.full(100_000, 3.0)
y, scale = dropout(x, 0.5, random)
print(f"dropout: {np.mean(y == 0):.1%} dropped, mean {x.mean():.3f} before and {y.mean():.3f} after")
assert abs(y.mean() - 3) < 0.05 and np.array_equal(y, 3 * scale) and set(np.unique(y)) == {0.0, 6.0}

minidl.manual_seed(0)
x_tensor = minidl.tensor(x, requires_grad=True)
y_tensor = F.dropout(x_tensor, 0.5)
y_tensor.sum().backward()
assert np.array_equal(y_tensor.numpy() / 3, x_tensor.grad.numpy()), "the gradient has the same mask"
assert F.dropout(x_tensor, 0.5, training=False) is x_tensor, "after training nothing is dropped"

# %% [markdown]
# ## In the library
#
# The penalties are [minidl/optim/penalties.py](../minidl/optim/penalties.py) `L1` and, in the same file,
# [minidl/optim/penalties.py](../minidl/optim/penalties.py) `L2`. Biases are not penalized: a bias only shifts the
# output, and cannot make it swing. Dropout is [minidl/functional/dropout.py](../minidl/functional/dropout.py)
# `dropout`. The layer [minidl/nn/dropout.py](../minidl/nn/dropout.py) `Dropout` drops only in training: `model.train()`
# and `model.eval()` switch the mode of all layers.

# %%
show_lines("minidl/optim/penalties.py", "L2.cost")
show_lines("minidl/optim/penalties.py", "L1.cost")
show_lines("minidl/nn/dropout.py", "Dropout.forward")

# %% [markdown]
# Optimizers have an option `weight_decay`, which adds $\lambda w$ to each gradient, also to those of biases. For plain
# SGD that is exactly the weight decay above. Adam divides $\lambda w$ by $\sqrt v$ like the rest of the gradient, so a
# weight with large gradients hardly decays. (AdamW therefore applies the decay to the weights directly.) Three steps of
# SGD and of Adam show both:


# %%
def three_steps(make_optimizer, penalty=None):
    w = minidl.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    optimizer = make_optimizer([w])
    for _ in range(3):
        loss = (w * minidl.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum()
        loss = loss + penalty([w]) if penalty else loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return w.numpy().copy()


with_penalty = three_steps(lambda w: optim.SGD(w, lr=0.01), optim.L2(0.1))
assert np.allclose(with_penalty, three_steps(lambda w: optim.SGD(w, lr=0.01, weight_decay=0.1)))
adam_decay = np.abs(
    three_steps(lambda w: optim.Adam(w, lr=0.01), optim.L2(0.1)) - three_steps(lambda w: optim.Adam(w, lr=0.01))
)
print("what three steps of Adam with an L2 penalty changed:", adam_decay.ravel())
assert adam_decay.max() < 1e-3 * 0.1, (
    "next to nothing: Adam looks at the sign and steadiness of gradients, not their size"
)

# %% [markdown]
# ## Something real
#
# Real data contain mistakes. We take 300 digits for training (1000 of MNIST, whose images are larger, for fewer epochs)
# and give a fifth of them a wrong label on purpose. Now learning by heart is clearly harmful. 500 other images, with
# correct labels, are for validation. We train without regularization, and with L2, L1 and dropout, each with three
# strengths; the validation set chooses among them.

# %%
images, labels, x_test, y_test = load_images()
seed = 0
random = np.random.default_rng(seed)
order = random.permutation(len(images))
count, epochs = (300, 60) if images[0].size == 64 else (1000, 20)  # some 600 steps
x_train, y_train = images[order[:count]], labels[order[:count]].copy()
x_valid, y_valid = images[order[count : count + 500]], labels[order[count : count + 500]]
wrong = random.choice(count, count // 5, replace=False)
y_train[wrong] = (y_train[wrong] + random.integers(1, 10, len(wrong))) % 10  # any digit but the true one


def accuracy(model, x, y):
    model.eval()
    with minidl.no_grad():
        answers = model(minidl.tensor(x)).argmax(1).numpy()
    model.train()
    return np.mean(answers == y)


def train(penalty=None, p=0.0):
    """A trained network, and its accuracy on training and validation images after each epoch."""
    minidl.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(images[0].size, 256), nn.ReLU(), nn.Dropout(p), nn.Linear(256, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.003)
    history = []
    for _ in range(epochs):
        for x, t in DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True):
            loss = F.cross_entropy(model(x), t)
            if penalty:
                loss = loss + penalty(model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        history.append((accuracy(model, x_train, y_train), accuracy(model, x_valid, y_valid)))
    return model, np.array(history)


candidates = {
    "nothing": [("", {})],
    "L2": [(f"λ = {lam}", {"penalty": optim.L2(lam)}) for lam in (0.003, 0.01, 0.03)],
    "L1": [(f"λ = {lam}", {"penalty": optim.L1(lam)}) for lam in (0.0003, 0.001, 0.003)],
    "dropout": [(f"p = {p}", {"p": p}) for p in (0.3, 0.5, 0.8)],
}
chosen = {}
for name, options in candidates.items():
    runs = [(setting, *train(**arguments)) for setting, arguments in options]
    chosen[name] = max(runs, key=lambda run: run[2][-1, 1])  # the best on the validation images

for name, (setting, model, history) in chosen.items():
    train_accuracy, valid_accuracy = history[-1]
    print(
        f"{name:8} {setting:10} training {train_accuracy:.1%}, validation {valid_accuracy:.1%}, "
        f"test {accuracy(model, x_test, y_test):.1%}  (seed {seed})"
    )

final = {name: history[-1] for name, (_, _, history) in chosen.items()}
assert final["nothing"][0] > 0.9, "with nothing against it, the network learns even the wrong labels by heart"
assert all(final[name][1] > max(0.8, final["nothing"][1]) for name in ("L2", "L1", "dropout")), "each remedy helps"

# %%
figure, panels = plt.subplots(1, 4, figsize=(10.5, 3), sharey=True)
for axes, (name, (setting, _, history)) in zip(panels, chosen.items()):
    axes.plot(history[:, 0], label="training (20% wrong labels)")
    axes.plot(history[:, 1], label="validation")
    axes.axhline(0.8, color="gray", linewidth=0.8, linestyle="--")
    axes.set(title=f"{name} {setting}", xlabel="epoch", ylim=(0.4, 1.01))
panels[0].set_ylabel("accuracy")
panels[0].legend(fontsize=8, loc="lower right")
plt.show()

# %% [markdown]
# These are **learning curves**. The dashed line is at 80%, the fraction of correct labels. A network that has learned
# the rule, and not the mistakes, comes close to this line on the training set, and is *above* it on the validation set,
# whose labels are all correct. The network on the left, without regularization, goes on to fit the wrong labels, and
# its validation accuracy suffers: it was best early in the training. To stop at that point, **early stopping**, is the
# cheapest remedy of all. The library has it as [minidl/training/callbacks.py](../minidl/training/callbacks.py)
# `EarlyStopping`, for the training loop of tutorial 11.
#
# The histogram shows the difference between the penalties: with L1 many weights are (almost) exactly 0.

# %%
figure, axes = plt.subplots()
near_zero = {}
for name in ("nothing", "L2", "L1"):
    weights = np.concatenate([w.numpy().ravel() for w in chosen[name][1].parameters() if w.ndim > 1])
    near_zero[name] = np.mean(np.abs(weights) < 1e-3)
    axes.hist(weights, bins=np.linspace(-0.3, 0.3, 121), histtype="step", label=f"{name}: {near_zero[name]:.0%}")
axes.set(xlabel="weight", ylabel="how many", yscale="log", title="all weights, and the share within 0.001 of 0")
axes.legend(loc="upper right", fontsize=8)
plt.show()
assert near_zero["L1"] > near_zero["L2"] > near_zero["nothing"]

# %% [markdown]
# ## Exercises
#
# **1.** With L1, why are the weights not *exactly* 0?
#
# <details><summary>Answer</summary>
#
# A step of length $\eta\lambda$ towards 0 overshoots when the weight is smaller than that. The next step goes back: the
# weight jumps to and fro around 0, in an interval that shrinks with the learning rate.
#
# ```python
# w, track = 0.0234, []
# for _ in range(50):
#     w -= 0.01 * np.sign(w)
#     track.append(w)
# assert max(np.abs(track[-20:])) < 0.01 and 0 not in track
# ```
# </details>
#
# **2.** You forget `model.eval()` before you measure the accuracy of the network with dropout. What happens?
#
# <details><summary>Answer</summary>
#
# Units are still dropped at random: the accuracy is lower, and differs each time you measure it.
#
# ```python
# model = chosen["dropout"][1]
# with minidl.no_grad():
#     model.train()
#     answers = [model(minidl.tensor(x_valid)).argmax(1).numpy() for _ in range(2)]
# assert (answers[0] != answers[1]).any()
# assert np.mean(answers[0] == y_valid) < accuracy(model, x_valid, y_valid)
# ```
# </details>
#
# **3.** The test accuracy of every network is below its validation accuracy. Is that overfitting to the validation
# set?
#
# <details><summary>Answer</summary>
#
# We chose among ten networks by their validation accuracy, which makes it a little too optimistic. But there is another
# reason: the test images were mostly written by *other people* than the training images. Validation images drawn at
# random from the training images come from the same writers, and cannot warn us of that. A validation set should differ
# from the training set as much as the data of later use will.
# </details>
#
# ## Next
#
# [10 · Convolution](10_convolution.py): so far an image was a list of pixels, in no order. That throws away what makes
# it an image.
