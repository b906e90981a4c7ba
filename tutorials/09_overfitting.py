# %% [markdown]
# # 09 · Overfitting
#
# A student who learns the answers of last year's exam by heart gets full marks on last year's exam. A network with
# enough weights can do the same with its training pictures.
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
# Fifteen measurements of a smooth curve, each with a little noise. We fit polynomials of growing degree by least
# squares (tutorial 05), and look at the error twice: on the fifteen points, and on two hundred fresh ones.

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
# included, and is wild in between: it **overfits**. The training error alone would choose it. It can only fall, for a
# higher degree can do all that a lower one can. What we want is to be right on fresh points, to **generalize**. So we
# need points that took no part in the fitting.
#
# ## Three sets
#
# * The **training set** is for the weights.
# * The **validation set** is for everything that *we* choose (the **hyperparameters**): the degree, the learning rate,
#   when to stop.
# * The **test set** is looked at once, at the end. Choose anything by it, and it is a validation set: the result will
#   be too good to be true.
#
# ## The formula
#
# Wild curves need large weights, of opposite signs, that nearly cancel. So make large weights cost something. A
# **penalty** is added to the loss, with a strength $\lambda$. (Whatever is done against overfitting is called
# **regularization**.)
#
# $$\text{L2:}\quad \frac{\lambda}{2}\sum w^2,\ \text{ gradient } \lambda w \qquad\qquad \text{L1:}\quad
# \lambda \sum |w|,\ \text{ gradient } \lambda\operatorname{sign}(w)$$
#
# With L2 every step of gradient descent first shrinks the weights a little, by a share of themselves:
#
# $$w - \eta\,(dw + \lambda w) = (1-\eta\lambda)\,w - \eta\,dw$$
#
# which is called **weight decay**. Large weights lose most. L1 takes the same amount $\eta\lambda$ from all, large or
# small, so a weight that does not earn its keep goes to 0 and stays near it (exercise 1).
#
# **Dropout** (Srivastava and others, 2014) works differently. In every training step each hidden unit is silenced
# with probability $p$. No unit can rely on one particular other, so each must be of use by itself. Those that stay
# are divided by $1-p$. Then the expected value is what it was:
#
# $$y = \frac{x\cdot\text{mask}}{1-p} \qquad \text{E}[y] = \frac{x\,(1-p)}{1-p} = x$$
#
# and nothing has to change when, after training, all units speak again. Backwards, $dx = dy\cdot\text{mask}/(1-p)$.
#
# ## By hand


# %%
def l2_penalty(w, lam):
    return lam / 2 * (w**2).sum(), lam * w  # the cost and its gradient


def l1_penalty(w, lam):
    return lam * np.abs(w).sum(), lam * np.sign(w)


def dropout(x, p, random):
    scale = (random.random(x.shape) >= p) / (1 - p)  # mask / (1 - p)
    return x * scale, scale  # backwards: dx = dy * scale


# %% [markdown]
# ## Check

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
print(f"dropout: {np.mean(y == 0):.1%} silenced, mean {x.mean():.3f} before and {y.mean():.3f} after")
assert abs(y.mean() - 3) < 0.05 and np.array_equal(y, 3 * scale) and set(np.unique(y)) == {0.0, 6.0}

minidl.manual_seed(0)
x_tensor = minidl.tensor(x, requires_grad=True)
y_tensor = F.dropout(x_tensor, 0.5)
y_tensor.sum().backward()
assert np.array_equal(y_tensor.numpy() / 3, x_tensor.grad.numpy()), "backwards the same mask"
assert F.dropout(x_tensor, 0.5, training=False) is x_tensor, "after training nothing is dropped"

# %% [markdown]
# ## In the library
#
# Penalties are in [minidl/optim/penalties.py](../minidl/optim/penalties.py) `L1` and, in the same file,
# [minidl/optim/penalties.py](../minidl/optim/penalties.py) `L2`. Biases are left out: a bias shifts, it does not make
# anything wild. Dropout is [minidl/functional/dropout.py](../minidl/functional/dropout.py) `dropout`, and the layer
# [minidl/nn/dropout.py](../minidl/nn/dropout.py) `Dropout` asks its module whether it is in training: `model.train()`
# and `model.eval()` switch.

# %%
show_lines("minidl/optim/penalties.py", "L2.cost")
show_lines("minidl/optim/penalties.py", "L1.cost")
show_lines("minidl/nn/dropout.py", "Dropout.forward")

# %% [markdown]
# Optimizers have an option `weight_decay`, which adds $\lambda w$ to each gradient, that of biases too. For plain SGD
# that is the decay above. With Adam it is divided by $\sqrt v$ like all the rest, so a weight with large gradients
# hardly decays. (AdamW decays the weights themselves.)


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
# Real data have mistakes. We take 300 digits for training (1000 of MNIST, whose pictures are larger, for fewer epochs)
# and give a fifth of them a wrong label, on purpose. Learning by heart is now plainly harmful. 500 other pictures, with
# true labels, are for validation.

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
    """A trained network, and its accuracy on training and validation pictures after each epoch."""
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
    chosen[name] = max(runs, key=lambda run: run[2][-1, 1])  # the best on the validation pictures

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
# These are **learning curves**. The dashed line is at 80%: the share of right labels. A network that has learned the
# rule, and not the mistakes, stands near it on the training set, and *above* it on the validation set, whose labels are
# all right. The network on the left climbs on and on, and pays for it. Note its validation curve: it was best early.
# Simply stopping there, **early stopping**, is the cheapest remedy of all.
#
# The weights show the difference between the penalties: L1 has many that are (almost) exactly 0.

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
# A step of length $\eta\lambda$ towards 0 overshoots when the weight is smaller than that. It comes back with the
# next step: the weight rattles around 0, in an interval that shrinks with the learning rate.
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
# **2.** You forgot `model.eval()` before measuring the accuracy of the network with dropout. What happens?
#
# <details><summary>Answer</summary>
#
# Units are still silenced at random: the accuracy is lower, and another one each time you ask.
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
# Choosing among ten networks by the validation set makes it a little too rosy. But there is another reason: the test
# pictures were mostly written by *other people* than the training pictures. Validation pictures drawn at random from
# the same writers cannot warn us of that. A validation set should be as different from the training set as the future
# will be.
# </details>
#
# ## Next
#
# [10 · Convolution](10_convolution.py): so far a picture was a list of pixels, in no order. That throws away what
# makes it a picture.
