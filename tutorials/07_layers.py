# %% [markdown]
# # 07 · Layers, modules, a network
#
# The classifier of tutorial 06 lays one image of weights over the input and adds up. To it, ink in a given pixel is
# always evidence for a digit or always evidence against it. But some people write a 7 with a bar across its stem and
# others without: what a pixel means depends on the other pixels.
#
# **Question.** What can two layers do that one cannot, and how do we keep the weights of many layers in order?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn
from minidl.data import DataLoader, TensorDataset

# %% [markdown]
# ## What one layer cannot do
#
# Take four points and two classes: the answer is "yes" if exactly one of the two inputs is 1. This is **XOR**. One
# layer gives the score $z = w_1 x_1 + w_2 x_2 + b$ and says yes if it is positive. The four points require
#
# $$b \le 0 \qquad w_1 + b > 0 \qquad w_2 + b > 0 \qquad w_1 + w_2 + b \le 0 .$$
#
# The sum of the two in the middle is $w_1 + w_2 + 2b > 0$; the sum of the first and the last is $w_1 + w_2 + 2b \le 0$.
# Both cannot be true, so no weights solve XOR. And a second layer on top of the first does not help by itself, because
# a weighted sum of weighted sums is again a weighted sum:
#
# $$w_2(w_1 x + b_1) + b_2 = (w_2 w_1)\,x + (w_2 b_1 + b_2)$$
#
# Between the two layers we need a function that is not linear, an **activation function**. The simplest is **ReLU**,
# the rectified linear unit: $h = \max(a, 0)$. Negative numbers become 0, positive ones pass unchanged. Its slope is 0
# or 1. The code shows both facts: two linear layers make one, and with a ReLU between them two layers compute XOR.

# %%
random = np.random.default_rng(0)
w_a, b_a = random.standard_normal((5, 3)), random.standard_normal(5)
w_b, b_b = random.standard_normal((2, 5)), random.standard_normal(2)
x = random.standard_normal((4, 3))
two = (x @ w_a.T + b_a) @ w_b.T + b_b
one = x @ (w_b @ w_a).T + (w_b @ b_a + b_b)
assert np.allclose(two, one), "two linear layers in a row are one linear layer"

xor = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
hidden = np.maximum(xor @ np.array([[1, 1], [1, 1]]) + np.array([0, -1]), 0)  # relu(x1 + x2), relu(x1 + x2 - 1)
print("XOR with two layers and a ReLU:", hidden @ np.array([1, -2]))
assert (hidden @ np.array([1, -2])).tolist() == [0, 1, 1, 0]

# %% [markdown]
# ## The formula
#
# A linear layer (also called **dense** or fully connected), an activation function, another linear layer: this is the
# simplest **neural network**, a **multilayer perceptron** (MLP). The numbers in the middle are called **hidden units**;
# together they are a **hidden layer**. With rows of inputs $x$ of shape $(N, C)$:
#
# $$a = x\, w_1^T + b_1 \qquad h = \max(a, 0) \qquad z = h\, w_2^T + b_2 \qquad L = \text{cross-entropy}(z, t)$$
#
# The backward pass has one formula for each of these steps, by the rules that you know. $dz$ comes from tutorial 06.
#
# $$dw_2 = dz^T h \qquad db_2 = \sum_n dz_n \qquad dh = dz\, w_2$$
#
# $$da = dh\cdot[a > 0] \qquad dw_1 = da^T x \qquad db_1 = \sum_n da_n$$
#
# ## By hand
#
# First the forward pass, then the backward pass, each in the order of its formulas:


# %%
def network(parameters, x, t):
    """The loss of a network with one hidden layer, and its gradients."""
    w1, b1, w2, b2 = parameters
    a = x @ w1.T + b1  # (N, H)
    h = np.maximum(a, 0)
    z = h @ w2.T + b2  # (N, K)
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    rows = np.arange(len(t))
    loss = -np.log(p[rows, t]).mean()

    dz = p.copy()
    dz[rows, t] -= 1
    dz /= len(t)
    dw2, db2 = dz.T @ h, dz.sum(0)
    dh = dz @ w2
    da = dh * (a > 0)
    dw1, db1 = da.T @ x, da.sum(0)
    return loss, (dw1, db1, dw2, db2)


# %% [markdown]
# ## Check
#
# We compare with the library, which is given the forward lines only and finds the gradients by itself.

# %%
shapes = ((8, 2), (8,), (2, 8), (2,))
parameters = [random.standard_normal(shape) for shape in shapes]
x, t = random.standard_normal((5, 2)), np.array([0, 1, 1, 0, 1])
loss, gradients = network(parameters, x, t)

w1, b1, w2, b2 = tensors = [minidl.tensor(parameter, requires_grad=True) for parameter in parameters]
z = F.linear(F.linear(minidl.tensor(x), w1, b1).relu(), w2, b2)
library_loss = F.cross_entropy(z, minidl.tensor(t))
library_loss.backward()
assert np.isclose(loss, library_loss.item())
for gradient, tensor in zip(gradients, tensors):
    assert np.allclose(gradient, tensor.grad.numpy(), rtol=1e-12)
print("your seven backward lines and minidl's autograd agree")

# %% [markdown]
# Now a continuous version of XOR: points anywhere in a square, with class 0 if exactly one coordinate is positive and
# class 1 otherwise. We train networks with 1, 4 and 32 hidden units. In the plots the colour of a point is its class,
# and the background colour is the class that the network predicts there.

# %%
points = random.uniform(-1, 1, (300, 2))
classes = (points[:, 0] * points[:, 1] > 0).astype(int)


def train_by_hand(hidden, steps, learning_rate=1.0):
    parameters = [random.standard_normal(shape) for shape in ((hidden, 2), (hidden,), (2, hidden), (2,))]
    for _ in range(steps):
        loss, gradients = network(parameters, points, classes)
        for parameter, gradient in zip(parameters, gradients):
            parameter -= learning_rate * gradient
    return parameters, loss


def scores(parameters, x):
    w1, b1, w2, b2 = parameters
    z = np.maximum(x @ w1.T + b1, 0) @ w2.T + b2
    return z[:, 1] - z[:, 0]


figure, panels = plt.subplots(1, 3, figsize=(9.5, 3.3), sharey=True)
grid = np.stack(np.meshgrid(np.linspace(-1, 1, 120), np.linspace(-1, 1, 120)), axis=-1)
for axes, hidden in zip(panels, (1, 4, 32)):
    trained, loss = train_by_hand(hidden, steps=800)
    accuracy = np.mean((scores(trained, points) > 0) == classes)
    field = scores(trained, grid.reshape(-1, 2)).reshape(grid.shape[:2])
    axes.contourf(grid[..., 0], grid[..., 1], field > 0, levels=[-0.5, 0.5, 1.5], colors=["#dbe9f5", "#fde5cc"])
    axes.scatter(*points.T, c=np.where(classes, "#c85200", "#1170aa"), s=8)
    axes.set(title=f"{hidden} hidden: {accuracy:.0%} right", xlabel="$x_1$", aspect="equal")
panels[0].set_ylabel("$x_2$")
plt.show()
assert accuracy > 0.95, "32 hidden units are enough for the four quarters"

# %% [markdown]
# The score is a surface over the plane, and every hidden unit folds it along one line. A single fold is not enough;
# with several, the quarters can be told apart.
#
# ## Keeping track of parameters: modules
#
# Four arrays can be passed around by hand. Forty cannot. A **module** is an object that owns its weights, its
# **parameters**, and may own other modules. One trick makes that convenient: when you write `self.w = Parameter(...)`,
# the module registers the parameter under this name, so that it can list all its parameters later.


# %%
class Parameter:
    def __init__(self, data):
        self.data = data


class Module:
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if isinstance(value, (Parameter, Module)):
            self.__dict__.setdefault("registered", {})[name] = value

    def named_parameters(self, prefix=""):
        for name, value in self.__dict__.get("registered", {}).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
            else:
                yield from value.named_parameters(prefix + name + ".")


class Dense(Module):
    def __init__(self, inputs, outputs):
        self.weight = Parameter(np.zeros((outputs, inputs)))
        self.bias = Parameter(np.zeros(outputs))


class Net(Module):
    def __init__(self):
        self.hidden = Dense(64, 32)
        self.output = Dense(32, 10)


print([(name, parameter.data.shape) for name, parameter in Net().named_parameters()])

# %% [markdown]
# ## In the library
#
# That is the core of [minidl/nn/module.py](../minidl/nn/module.py) `Module`. Layers are modules that call the functions
# you know, for instance [minidl/nn/linear.py](../minidl/nn/linear.py) `Linear`.
# [minidl/nn/container.py](../minidl/nn/container.py) `Sequential` is a module that calls its modules one after the
# other:

# %%
show_lines("minidl/nn/container.py", "Sequential.forward")

# %% [markdown]
# ## How large should the first weights be?
#
# The choice of the first weights is called **initialization**. All zeros will not do: then all hidden units compute the
# same and get the same gradient, so they stay the same for ever. So draw the weights at random. (`manual_seed` makes
# the random numbers the same in each run; its argument is the **seed**.) How large should they be? A layer with $C$
# inputs adds up $C$ products. If weights and inputs are independent and the weights have mean 0, the variances (mean
# squared distances from the mean) of the products add up:
#
# $$\operatorname{mean}(a^2) = C\cdot\operatorname{var}(w)\cdot\operatorname{mean}(h^2)$$
#
# and ReLU sets half of the $a$ to 0, which halves the mean square. So the signal keeps its size from layer to layer if
# $\frac12\, C \operatorname{var}(w) = 1$, that is, if the weights have the standard deviation $\sqrt{2/C}$ (He and
# others, 2015). With a smaller one the signal shrinks towards 0, with a larger one it explodes, and so do the gradients
# on the way back. The plot shows it for 20 layers.

# %%
width, depth = 256, 20
figure, axes = plt.subplots()
final = {}
for factor in (0.5, 1.0, 1.5):
    minidl.manual_seed(0)
    h = minidl.tensor(random.standard_normal((200, width)))
    sizes = []
    for _ in range(depth):
        w = nn.init.normal_(minidl.tensor(np.zeros((width, width))), std=factor * np.sqrt(2 / width))
        h = F.linear(h, w).relu()
        sizes.append(float((h.data**2).mean() ** 0.5))
    final[factor] = sizes[-1]
    axes.semilogy(range(1, depth + 1), sizes, ".-", label=f"standard deviation {factor} · √(2/C)")
axes.set(
    xlabel="layer",
    ylabel="size of the signal (root mean square)",
    title=f"{depth} layers, untrained",
    xticks=range(0, depth + 1, 5),
)
axes.legend()
plt.show()
assert 0.3 < final[1.0] < 3 and final[0.5] < 1e-5 and final[1.5] > 1e3

# %% [markdown]
# In the library this initialization is [minidl/nn/init.py](../minidl/nn/init.py) `kaiming_normal_`. By default minidl's
# layers start with the standard deviation $1/\sqrt{3C}$ instead, as PyTorch's do. That is 0.4 times as much, which is
# fine for networks of a few layers.
#
# ## Something real
#
# Now digits again, with a hidden layer. One thing is new: each step uses only 32 images, a **batch**. A `DataLoader`
# hands out the batches, with `shuffle=True` in a new random order each time it has gone through all images. One pass
# through all of them is called an **epoch**. Why batches are a good idea is a subject of the next tutorial.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
pixels = x_train[0].size
seed = 0
epochs = 25


def train(model):
    """Train on the training images; returns the mean loss of each epoch."""
    optimizer = minidl.optim.SGD(model.parameters(), lr=0.2)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for x, t in DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True):
            loss = F.cross_entropy(model(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(t)
        losses.append(total / len(x_train))
    return losses


def accuracy(model):
    with minidl.no_grad():
        return np.mean(model(minidl.tensor(x_test)).argmax(1).numpy() == y_test)


minidl.manual_seed(seed)
one_layer = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 10))
two_layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 10))
print(nn.summary(two_layers, x_train[:1]))
curves = {"one layer": train(one_layer), "two layers": train(two_layers)}
results = {"one layer": accuracy(one_layer), "two layers": accuracy(two_layers)}
for name, value in results.items():
    print(f"{name}: {value:.1%} of the test images classified correctly (seed {seed}, {epochs} epochs)")
assert results["two layers"] > results["one layer"] and curves["two layers"][-1] < 0.5 * curves["one layer"][-1]

# %%
figure, axes = plt.subplots()
for name, losses in curves.items():
    axes.semilogy(range(1, epochs + 1), losses, ".-", label=f"{name}, test accuracy {results[name]:.1%}")
axes.set(xlabel="epoch", ylabel="mean training loss", title="what a hidden layer is worth")
axes.legend()
plt.show()

# %% [markdown]
# The hidden layer raises the test accuracy. All parameters by name, in an ordinary dictionary, are the network's
# **state**. Load the state into a network of the same shape, and you have the same network:

# %%
state = two_layers.state_dict()
print({name: tensor.shape for name, tensor in state.items()})
twin = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 10))
twin.load_state_dict(state)
assert accuracy(twin) == results["two layers"]

# %% [markdown]
# ## Exercises
#
# **1.** How many parameters does the network with 64 hidden units have? Count, then look at the summary.
#
# <details><summary>Answer</summary>
#
# $P\cdot 64 + 64$ for the first layer with $P$ pixels, $64\cdot 10 + 10$ for the second.
#
# ```python
# assert sum(p.numel() for p in two_layers.parameters()) == pixels * 64 + 64 + 64 * 10 + 10
# ```
# </details>
#
# **2.** Start with all weights at 0 and train. What do you see?
#
# <details><summary>Answer</summary>
#
# All hidden units are 0, and so is the slope of their ReLU: only the last bias ever learns.
#
# ```python
# stuck = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 10))
# for parameter in stuck.parameters():
#     nn.init.zeros_(parameter)
# losses = train(stuck)
# assert losses[-1] > 2.2 and not stuck[1].weight.numpy().any()
# ```
# </details>
#
# **3.** Replace `nn.ReLU()` by `nn.Tanh()`. Does the network still learn? What is the gradient rule of `tanh`?
#
# <details><summary>Answer</summary>
#
# It does; many nonlinear functions will do. The rule is $da = dh\,(1 - h^2)$, from tutorial 04.
#
# ```python
# minidl.manual_seed(seed)
# smooth = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 64), nn.Tanh(), nn.Linear(64, 10))
# train(smooth)
# assert accuracy(smooth) > results["one layer"] - 0.02
# ```
# </details>
#
# ## Next
#
# [08 · Optimizers](08_descending.py): straight down the gradient is not the fastest way to the bottom.
