# %% [markdown]
# # 15 · Generative adversarial networks
#
# So far there was always a right answer to learn from. For "draw me a digit" there is none: a million different
# drawings would do. We cannot write down a loss for "looks real". But we can train one network to tell real from fake,
# and let a second one learn from its judgement.
#
# **Question.** How does a network learn to generate new samples that look like those it was shown?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn, optim, training
from minidl.recipes import adversarial

# %% [markdown]
# ## The formula
#
# A **generator** turns random numbers $z$ (the **latent vector**) into a sample $x = G(z)$. A **discriminator**
# estimates the probability $p(x)$ that $x$ is real. The two have opposite aims; together they are a *generative
# adversarial network*, a GAN (Goodfellow and others, 2014). The discriminator's loss is the cross-entropy of tutorial
# 06 for the two classes "real" and "fake":
#
# $$L_D = -\text{mean} \log p(x_\text{real}) - \text{mean} \log\big(1 - p(G(z))\big)$$
#
# The generator wants its samples to be taken for real:
#
# $$L_G = -\text{mean} \log p(G(z))$$
#
# The gradient of $L_G$ flows *through the discriminator* back to the sample, and from there into the generator: "a
# little more to the left, and I would have believed you".
#
# We start with single numbers instead of images. The real ones are normally distributed, with mean 1 and standard
# deviation 0.5. The generator has two parameters, $x = a z + c$, so it can produce exactly that distribution, with
# $a = 0.5$ and $c = 1$. The discriminator is $p = \sigma(t)$, the sigmoid of $t = w_0 + w_1 x + w_2 x^2$. With the
# derivatives $dL/dt$ of tutorial 06, for $N$ real and $N$ fake samples:
#
# $$dt_\text{real} = \frac{p - 1}{N}, \quad dt_\text{fake} = \frac{p}{N}; \qquad
# \text{for } G:\ dt = \frac{p - 1}{N}, \quad dx = dt\,(w_1 + 2 w_2 x), \quad da = \sum dx\, z, \quad dc = \sum dx$$
#
# ## By hand
#
# The two gradients, and the training: some steps of the discriminator, one step of the generator, and so on.


# %%
def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def powers(x):
    return np.stack([np.ones_like(x), x, x**2], 1)  # (N, 3)


def discriminator_gradient(w, real, fake):
    N = len(real)
    dt_real, dt_fake = (sigmoid(powers(real) @ w) - 1) / N, sigmoid(powers(fake) @ w) / N
    return powers(real).T @ dt_real + powers(fake).T @ dt_fake


def generator_gradient(w, z, a, c):
    x = a * z + c
    dt = (sigmoid(powers(x) @ w) - 1) / len(z)
    dx = dt * (w[1] + 2 * w[2] * x)
    return dx @ z, dx.sum()


def train(steps, discriminator_steps, lr_discriminator, lr_generator=0.02, N=256):
    """The path of (c, a), with some steps of the discriminator before each step of the generator."""
    random = np.random.default_rng(0)
    w, a, c = np.zeros(3), 1.0, -1.0
    path = [(c, a)]
    for _ in range(steps):
        for _ in range(discriminator_steps):
            real, fake = 1 + 0.5 * random.standard_normal(N), a * random.standard_normal(N) + c
            w -= lr_discriminator * discriminator_gradient(w, real, fake)
        da, dc = generator_gradient(w, random.standard_normal(N), a, c)
        a, c = a - lr_generator * da, c - lr_generator * dc
        path.append((c, a))
    return np.array(path)


# %% [markdown]
# ## Check
#
# First, we compare the gradients with minidl's engine. Second, we check what the discriminator learns. For two
# distributions with densities $r(x)$ (real) and $f(x)$ (fake), the best $p$ is $r / (r + f)$, since there the
# derivative of $-r\log p - f\log(1 - p)$ is 0. Then $t = \log r - \log f$. For two normal distributions this is exactly
# a polynomial of degree 2, and we know its three coefficients.

# %%
random = np.random.default_rng(1)
w, a, c = random.standard_normal(3), 0.8, -0.3
real, z = 1 + 0.5 * random.standard_normal(64), random.standard_normal(64)
w_tensor, a_tensor, c_tensor = (minidl.tensor(np.asarray(value), requires_grad=True) for value in (w, a, c))


def score(x):
    return w_tensor[0] + w_tensor[1] * x + w_tensor[2] * x**2


fake = a_tensor * z + c_tensor
as_real = F.binary_cross_entropy_with_logits(score(minidl.tensor(real)), minidl.ones(64, dtype="float64"))
as_fake = F.binary_cross_entropy_with_logits(score(fake.detach()), minidl.zeros(64, dtype="float64"))
(dw,) = minidl.grad(as_real + as_fake, w_tensor)
fooled = F.binary_cross_entropy_with_logits(score(fake), minidl.ones(64, dtype="float64"))
da, dc = minidl.grad(fooled, [a_tensor, c_tensor])
assert np.allclose(dw.numpy(), discriminator_gradient(w, real, a * z + c))
assert np.allclose([da.item(), dc.item()], generator_gradient(w, z, a, c))

fake, real, w = 0.8 * random.standard_normal(20000), 1 + 0.5 * random.standard_normal(20000), np.zeros(3)
for _ in range(2000):
    w -= 0.5 * discriminator_gradient(w, real, fake)
x = np.linspace(-1, 2, 7)
log_ratio = (-0.5 * ((x - 1) / 0.5) ** 2 - np.log(0.5)) - (-0.5 * (x / 0.8) ** 2 - np.log(0.8))
print("learned:", np.round(powers(x) @ w, 1))
print("exact:  ", np.round(log_ratio, 1))
assert np.abs(powers(x) @ w - log_ratio).max() < 0.5

# %% [markdown]
# Now we train both, twice: once with one step of the discriminator for each step of the generator, and once with five
# steps, with a learning rate three times as large.

# %%
paths = {"one step each": train(3000, 1, 0.1), "a good discriminator": train(1500, 5, 0.3)}
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.4), sharex=True, sharey=True)
for panel, (name, path) in zip(axes, paths.items()):
    panel.plot(*path.T, linewidth=1)
    panel.plot(*path[0], "o", color="tab:gray", label="start")
    panel.plot(1, 0.5, "*", color="tab:orange", markersize=14, label="real")
    panel.set(xlabel="mean c", title=name)
axes[0].set(ylabel="standard deviation a")
axes[0].legend(loc="upper right")
plt.show()
distance = {name: np.abs(path[-300:] - (1, 0.5)).mean() for name, path in paths.items()}
print(f"mean distance in the last 300 steps: { {name: round(float(value), 3) for name, value in distance.items()} }")
assert distance["a good discriminator"] < 0.02 and distance["a good discriminator"] < distance["one step each"]

# %% [markdown]
# There is no minimum to descend to: what is down for one is up for the other, so the two circle around the goal. The
# better the discriminator has adapted to the present generator, the faster the circles shrink. This is why GANs are
# hard to train, and why their losses say so little: at the end, neither goes down.
#
# ## In the library
#
# [minidl/recipes/adversarial.py](../minidl/recipes/adversarial.py) `discriminator_step` and
# [minidl/recipes/adversarial.py](../minidl/recipes/adversarial.py) `generator_step` are the two steps, for any pair of
# networks. Note `detach` (no gradient may go from the discriminator's step into the generator), and that the target for
# real images is 0.9 instead of 1, so that the discriminator never becomes quite certain and its gradient never
# vanishes. [minidl/models/generative.py](../minidl/models/generative.py) `GAN` is a pair of convolutional networks; the
# recipe `minidl train mnist-gan` trains it.

# %%
show_lines("minidl/recipes/adversarial.py", "discriminator_step")
show_lines("minidl/recipes/adversarial.py", "generator_step")
show_lines("minidl/recipes/adversarial.py", "adversarial_loss")

# %% [markdown]
# ## Something real
#
# Digits. For small images, linear layers suffice. The generator turns 16 random numbers into an image with values from
# -1 to 1 (tanh), so the real images are scaled to that range too. Two layers are new. **Batch norm** brings each hidden
# unit to mean 0 and standard deviation 1 over the batch, and then scales and shifts it by two parameters that are
# learned; networks with it can be trained with larger steps. **Leaky ReLU** multiplies negative numbers by 0.2 instead
# of setting them to 0, so that its derivative is never 0 and some gradient always reaches the generator. And as there
# are two networks with two losses, we give `fit` a `step` function of our own in place of the five lines.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
epochs = 90
hidden = 128 if side < 20 else 256


class GAN(nn.Module):
    def __init__(self, latent=16):
        super().__init__()
        self.latent = latent
        self.generator = nn.Sequential(
            nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
            nn.Linear(hidden, side * side), nn.Tanh(), nn.Unflatten(1, (1, side, side)),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Flatten(),
            nn.Linear(side * side, hidden), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, z):
        return self.generator(z)


def step(model, optimizer, inputs, target):  # the labels are not looked at
    [real] = inputs
    fake = model(minidl.randn(len(real), model.latent))
    discriminator_loss = adversarial.discriminator_step(model, optimizer, real, fake)
    generator_loss = adversarial.generator_step(model, optimizer, fake)
    return {"discriminator_loss": discriminator_loss, "generator_loss": generator_loss}


def generate(model, z):  # images in 0..1
    return (training.predict(model, z).numpy() + 1) / 2


minidl.manual_seed(0)
model = GAN()
optimizer, history, stages = adversarial.make_optimizer(model, 0.001), None, {}
z = np.random.default_rng(0).standard_normal((1000, model.latent), dtype=np.float32)
stages[0] = generate(model, z)
for stop in (1, epochs // 4, epochs):
    history = training.fit(
        model, (2 * x_train - 1, y_train), optimizer=optimizer, step=step, epochs=stop, history=history
    )
    stages[stop] = generate(model, z)
figure, axes = plt.subplots(len(stages) + 1, 10, figsize=(8.5, 4.6))
for row, (stop, images) in zip(axes, stages.items()):
    for n, panel in enumerate(row):
        show_image(panel, images[n], f"epoch {stop}" if n == 0 else "", vmin=0, vmax=1)
for n, panel in enumerate(axes[-1]):
    show_image(panel, x_train[n], "real" if n == 0 else "")
plt.show()

# %% [markdown]
# Each column starts from the same noise. Are the images any good? The losses do not say. So we show them to a
# classifier that was trained on *real* digits: how confident is it, and does it see all ten digits? (A generator that
# has found one image that fools the discriminator may generate nothing else: *mode collapse*.)

# %%
minidl.manual_seed(0)
classifier = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 64), nn.ReLU(), nn.Linear(64, 10))
training.fit(classifier, (x_train, y_train), optimizer=optim.Adam(classifier.parameters(), lr=0.005), epochs=15)
p_fake = {stop: F.softmax(training.predict(classifier, images).numpy(), 1) for stop, images in stages.items()}
p_real = F.softmax(training.predict(classifier, x_test).numpy(), 1)
shares = np.bincount(p_fake[epochs].argmax(1), minlength=10) / len(z)
for stop, p in p_fake.items():
    print(f"after {stop:2} epochs: confidence {p.max(1).mean():.0%}, {len(np.unique(p.argmax(1)))} digits")
print(f"of real test digits: confidence {p_real.max(1).mean():.0%}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
for name in ("discriminator_loss", "generator_loss"):
    left.plot(history["epoch"], history[f"train_{name}"], label=name.replace("_", " "))
left.set(xlabel="epoch", ylabel="loss", title="neither loss goes down at the end")
left.legend()
right.bar(range(10), shares)
right.axhline(0.1, color="gray", linestyle="--")
right.set(xticks=range(10), xlabel="classified as", ylabel="share", title="how the fake digits are classified")
plt.show()
assert shares.min() > 0.01, "a digit is missing"
assert p_fake[epochs].max(1).mean() > p_fake[1].max(1).mean() and p_fake[epochs].max(1).mean() > 0.75

# %% [markdown]
# All ten digits occur, and the classifier is more confident than it was after one epoch. Nobody told the generator what
# a digit is. Everything it knows came from the gradient of a network that, at the beginning, knew nothing either.
#
# ## Exercises
#
# **1.** What are $p$ and $L_D$ when the generator is perfect?
#
# <details><summary>Answer</summary>
#
# Real and fake cannot be told apart: $p = \frac12$ everywhere, $t = 0$, and $L_D = 2 \log 2 = 1.39$. (The library takes
# the mean of the two terms: 0.69. In the curve above the target for real images is 0.9, for which the best $p$ is 0.45,
# and the loss 0.69 too.)
#
# ```python
# at_half = -2 * np.log(sigmoid(0.0))
# assert np.isclose(at_half, np.log(4))
# same = 1 + 0.5 * random.standard_normal((2, 200_000))
# assert np.abs(discriminator_gradient(np.zeros(3), *same)).max() < 0.01
# ```
# </details>
#
# **2.** Move in a straight line from one latent vector to another. What happens to the digit?
#
# <details><summary>Answer</summary>
#
# It changes smoothly, through shapes that are still almost digits.
#
# ```python
# t = np.linspace(0, 1, 10, dtype=np.float32)[:, None]
# walk = generate(model, (1 - t) * z[0] + t * z[1])
# figure, axes = plt.subplots(1, 10, figsize=(8.5, 1.2))
# for panel, image in zip(axes, walk):
#     show_image(panel, image, vmin=0, vmax=1)
# plt.show()
# steps = np.abs(np.diff(walk, axis=0)).mean((1, 2, 3))
# assert steps.max() < np.abs(walk[-1] - walk[0]).mean()
# ```
# </details>
#
# **3.** Does the generator only repeat images from the training set? Find the nearest real image for some of the fake
# ones.
#
# <details><summary>Answer</summary>
#
# It never saw a real image, only the discriminator's gradients. The nearest real images are similar, not equal.
#
# ```python
# fake = stages[epochs][:50].reshape(50, -1)
# real = x_train.reshape(len(x_train), -1)
# nearest = np.sqrt(((fake[:, None] - real[None, :1000]) ** 2).sum(2)).min(1)
# print(f"nearest real image at distance {nearest.min():.2f} to {nearest.max():.2f}")
# assert nearest.min() > 0.1
# ```
# </details>
#
# ## Next
#
# The two networks learned from each other. A network can also start from what another one has learned before:
# [transfer learning](16_transfer.py).
