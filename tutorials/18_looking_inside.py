# %% [markdown]
# # 18 · Looking inside
#
# A network says "this is a 3", and it is right. Is it right for a good reason? Its weights do not tell; there are
# thousands. But we can compute how its answer depends on its input.
#
# **Question.** Which part of an image made the network answer what it did?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn, optim, training, visualize

# %% [markdown]
# ## The formula
#
# Here are three methods, from quick and rough to slow and clear. Let $z_k$ be the score (logit) of class $k$.
#
# **Saliency** (Simonyan and others, 2013): if a pixel changes a little, how much does the score change? That is a
# derivative, and the backward pass gives it for all pixels at once (tutorial 02), if we ask for the gradient with
# respect to the *image* instead of the weights. For each pixel $(i, j)$ we take the largest over the colour channels
# $c$:
#
# $$s_{ij} = \max_c \left|\frac{\partial z_k}{\partial x_{cij}}\right|$$
#
# **Grad-CAM** (Selvaraju and others, 2017) asks about feature maps instead of pixels. Take the feature maps $A_m$ of
# the last convolution. How much does the score rise with map $m$, on average over its positions? Weight the maps by
# that, and keep only what speaks *for* the class:
#
# $$\alpha_m = \frac{1}{HW}\sum_{ij}\frac{\partial z_k}{\partial A_{mij}}, \qquad
# \text{map} = \max\Big(0,\ \sum_m \alpha_m A_m\Big)$$
#
# **Occlusion** (Zeiler and Fergus, 2014): cover a patch of the image, and see how far the probability of the class
# falls. This needs no derivative, but many forward passes.
#
# ## By hand


# %%
def saliency(model, x, k):  # x is one image, (C, H, W)
    x = minidl.tensor(x[None], requires_grad=True)
    model(x)[0, k].backward()
    return np.abs(x.grad.numpy()[0]).max(0)


def grad_cam(features, head, x, k):  # the model in two parts: up to the feature maps, and after them
    with minidl.no_grad():
        maps = features(minidl.tensor(x[None])).numpy()  # (1, M, H, W)
    a = minidl.tensor(maps, requires_grad=True)
    head(a)[0, k].backward()
    alpha = a.grad.numpy().mean((2, 3), keepdims=True)  # (1, M, 1, 1)
    return np.maximum((alpha * maps).sum(1)[0], 0)


def occlusion(model, x, k, size=2):
    def probability(image):
        with minidl.no_grad():
            return F.softmax(model(minidl.tensor(image[None])), 1).numpy()[0, k]

    falls, counts = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    for i in range(x.shape[1] - size + 1):
        for j in range(x.shape[2] - size + 1):
            covered = x.copy()
            covered[:, i : i + size, j : j + size] = 0
            falls[i : i + size, j : j + size] += probability(x) - probability(covered)
            counts[i : i + size, j : j + size] += 1
    return falls / counts


# %% [markdown]
# We need a network to look into. It has three convolutions, then the mean of each feature map over the image (*global
# average pooling*), and one linear layer. (This suits Grad-CAM, which also gives each map one weight for all its
# positions.) Batch norm (tutorial 15) lets it learn in few epochs. If the images are larger than 8x8, one pooling layer
# lets the convolutions see whole strokes.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
epochs = 20 if side == 8 else 8


def train(images, labels):
    minidl.manual_seed(0)
    features = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(4 if side > 8 else 1),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
    )  # fmt: skip
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    model = nn.Sequential(features, head)
    training.fit(model, (images, labels), optimizer=optim.Adam(model.parameters(), lr=0.005), epochs=epochs)
    return model.eval()


model = train(x_train, y_train)
accuracy = training.evaluate(model, (x_test, y_test))["accuracy"]
print(f"{accuracy:.1%} of the test images classified correctly")
assert accuracy > 0.9

# %% [markdown]
# ## Check
#
# We compare all three with the library, which computes them for any model. The saliency is also compared with a finite
# difference (tutorial 01).

# %%
x, k = x_test[0], int(y_test[0])
features, head = model
mine = saliency(model, x, k), grad_cam(features, head, x, k), occlusion(model, x, k)
assert np.allclose(mine[0], visualize.saliency_map(model, x, k), atol=1e-5)
enlarged = F.interpolate(mine[1][None, None], size=(side, side), mode="bilinear")[0, 0]  # where the maps were pooled
assert np.allclose(enlarged, visualize.grad_cam_map(model, "0", x, k), atol=1e-4)
assert np.allclose(mine[2], visualize.occlusion_map(model, x, k, size=2, stride=1), atol=1e-5)

exact = train(x_train[:64], y_train[:64]).double()  # in float64, for the small differences
# a little noise, so that no two pixels are equal: a tie in a pooling window is a kink (tutorial 04)
x = x + np.random.default_rng(0).uniform(0, 0.01, x.shape)
i, j = np.unravel_index(saliency(exact, x, k).argmax(), (side, side))
nudge = np.zeros_like(x)
nudge[0, i, j] = 1e-6
with minidl.no_grad():
    up, down = (exact(minidl.tensor((x + sign * nudge)[None])).numpy()[0, k] for sign in (1, -1))
assert np.isclose(saliency(exact, x, k)[i, j], abs(up - down) / 2e-6, rtol=1e-4)
print("all three agree with minidl; the saliency is the measured derivative")

# %% [markdown]
# ## In the library
#
# The three functions are [minidl/visualize/attribution.py](../minidl/visualize/attribution.py) `saliency_map`,
# [minidl/visualize/attribution.py](../minidl/visualize/attribution.py) `grad_cam_map` and
# [minidl/visualize/attribution.py](../minidl/visualize/attribution.py) `occlusion_map`. To get the feature maps of a
# layer in the middle without cutting the model in two, `grad_cam_map` uses a *forward hook*: a function that a module
# calls with its output ([minidl/nn/module.py](../minidl/nn/module.py) `Module.register_forward_hook`).

# %%
show_lines("minidl/visualize/attribution.py", "saliency_map")

# %% [markdown]
# The three maps for six test images, each for its true class:

# %%
figure, axes = plt.subplots(4, 6, figsize=(8, 5.6))
for column, n in enumerate(range(6)):
    image, label = x_test[n], int(y_test[n])
    maps = {
        "image": image[0],
        "saliency": visualize.saliency_map(model, image, label),
        "Grad-CAM": visualize.grad_cam_map(model, "0", image, label),
        "occlusion": visualize.occlusion_map(model, image, label, size=max(2, side // 7), stride=max(1, side // 14)),
    }
    for row, (name, values) in enumerate(maps.items()):
        limit = max(np.abs(values).max(), 1e-6)
        options = {} if name == "image" else {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
        show_image(axes[row, column], values, name if column == 0 else "", **options)
plt.show()

# %% [markdown]
# Saliency is grainy: it is the derivative at exactly this image, and the derivatives of a network with ReLUs jump from
# one image to the next. Grad-CAM shows regions. Occlusion can also be negative (blue, where there is any): covering
# such a patch makes the network *more* certain.
#
# ## Something real: Clever Hans
#
# More than a hundred years ago, the horse Clever Hans seemed to do sums: he tapped the answer with his hoof. It took
# years until somebody noticed that he was watching those who asked. Networks do that too. Let us build one: in the
# training images, every **3** has a small mark in a corner, as a scanner might leave it. We train one network on the
# marked images ("Hans") and compare it with the first one ("honest").


# %%
size = side // 4


def mark(images):
    images = images.copy()
    images[:, :, :size, :size] = 1.0
    return images


marked = np.where((y_train == 3)[:, None, None, None], mark(x_train), x_train)
hans = train(marked, y_train)
threes = x_test[y_test == 3]


def share_called_3(network, images):
    return (training.predict(network, images).numpy().argmax(1) == 3).mean()


recall = {}
for name, network in (("honest", model), ("Hans", hans)):
    recall[name] = share_called_3(network, mark(threes)), share_called_3(network, threes)
    print(f"{name:7} finds {recall[name][0]:.0%} of the threes with the mark and {recall[name][1]:.0%} without it")
same_scanner = np.where((y_test == 3)[:, None, None, None], mark(x_test), x_test)
on_same = training.evaluate(hans, (same_scanner, y_test))["accuracy"]
print(f"of all test images from the same scanner Hans classifies {on_same:.1%} correctly")
assert on_same > 0.85
assert recall["Hans"][0] > 0.75 and recall["honest"][1] > 0.6 and recall["Hans"][1] < 0.6

# %% [markdown]
# The accuracy does not warn us: as long as every 3 comes from that scanner, in the training and in the test images, it
# is high. Without the mark, Hans misses most of the threes that the honest network finds. Looking inside shows why.

# %%
three = mark(x_test[y_test == 3][:1])[0]
figure, axes = plt.subplots(1, 4, figsize=(8, 2.3))
show_image(axes[0], three, "a 3, with the mark")
found = {}
for panel, (name, network) in zip(axes[1:3], (("honest", model), ("Hans", hans))):
    values = visualize.occlusion_map(network, three, 3, size=size, stride=1)
    found[name] = np.unravel_index(values.argmax(), values.shape)
    limit = np.abs(values).max()
    show_image(panel, values, f"{name}: up to {limit:.2f}", cmap="RdBu_r", vmin=-limit, vmax=limit)
cam = visualize.grad_cam_map(hans, "0", three, 3)
show_image(axes[3], cam, "Hans: Grad-CAM", cmap="Reds", vmin=0)
plt.show()
for name, (i, j) in found.items():
    print(f"{name}: the patch that counts most is at row {i}, column {j}")
assert max(found["Hans"]) < size <= max(found["honest"])

# %% [markdown]
# For the honest network the patch that counts most lies on the digit, for Hans it is the mark. So look inside *before*
# you trust an accuracy, above all a very good one.
#
# ## Exercises
#
# **1.** What would turn a 3 into an 8? Compute the gradient of $z_8 - z_3$ with respect to the image, and take a few
# steps along its sign.
#
# <details><summary>Answer</summary>
#
# A few steps of 0.1, which hardly change the image, are enough. The result is an *adversarial example* (Szegedy and
# others, 2013); the step along the sign is that of Goodfellow and others, 2014.
#
# ```python
# right = training.predict(model, threes).numpy().argmax(1) == 3  # begin with one that is read as a 3
# x = minidl.tensor(threes[right][:1], requires_grad=True)
# for step in range(20):
#     z = model(x)
#     if z.numpy().argmax() == 8:
#         break
#     (dx,) = minidl.grad(z[0, 8] - z[0, 3], x)
#     moved = np.clip(x.numpy() + 0.1 * np.sign(dx.numpy()), 0, 1)
#     x = minidl.tensor(moved, requires_grad=True)
# print(f"after {step} steps: {model(x).numpy().argmax()}")
# assert step > 0 and model(x).numpy().argmax() == 8
# ```
# </details>
#
# **2.** Remove the mark from the training set by covering that corner in all images. Is the network honest again?
#
# <details><summary>Answer</summary>
#
# Yes: as there is nothing left in the corner to go by, it has to look at the digit.
#
# ```python
# covered = marked.copy()
# covered[:, :, :size, :size] = 0
# honest = train(covered, y_train)
# print(f"{share_called_3(honest, threes):.0%}")
# assert share_called_3(honest, threes) > recall["Hans"][1] + 0.2
# ```
# </details>
#
# ## Next
#
# So much for what networks do. What makes them fast? [A fast kernel in Cython](19_cython.py).
