# %% [markdown]
# # 12 · Photographs
#
# The digits so far were easy: all have the same size, one colour, and stand in the middle of the image. A photograph
# has three colours and any size, its subject may be anywhere in it, and the light is never the same twice.
#
# **Question.** How does a photograph become numbers that a network can learn from, and how do a few photographs become
# many?

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from course import show_image
from library_lines import show_lines
from sklearn.datasets import load_sample_images

import minidl
from minidl import data, models, optim, training
from minidl.data import transforms

# %% [markdown]
# ## The formula
#
# A photograph is stored as bytes of shape $(H, W, C)$: for each pixel red, green and blue, from 0 to 255. Networks
# expect floats of shape $(C, H, W)$ with values around 1. So we **normalize**, with the mean and the standard
# deviation of each channel over the training set:
#
# $$y_{c,i,j} = \frac{x_{c,i,j}/255 - \text{mean}_c}{\text{std}_c}$$
#
# **Resizing.** To halve an image, one could keep every second pixel. But then a thin line between them vanishes, and a
# fence becomes a pattern that was never there (*aliasing*). It is better to make each new pixel a weighted mean of the
# old pixels around its position, with weights that decrease linearly with the distance. With the scale
# $s = H / \text{height}$, where height is the new one, the weight of old row $j$ in new row $i$ is
#
# $$A_{ij} \propto \max\Big(0,\ 1 - \frac{|(j + \frac12) - (i + \frac12)\,s|}{s}\Big), \qquad \sum_j A_{ij} = 1$$
#
# For the columns there is such a matrix $B$ too. So $y = A\,x\,B^T$: resizing is linear.
#
# **Augmentation.** A flower seen in a mirror, or a bit further left, or in the evening, is still a flower. So we change
# each image a little, at random, every time the network sees it. These changes are simple. A **flip** is
# $y_{c,i,j} = x_{c,i,W-1-j}$, a **crop** is a slice, and three changes concern the colours. For these we need the
# **luminance** $L = 0.299\,R + 0.587\,G + 0.114\,B$ (how bright a pixel looks to the eye), its mean $\overline L$ over
# the image, and a random factor $f$:
#
# $$\text{brightness: } f x \qquad \text{contrast: } f x + (1 - f)\,\overline{L} \qquad
# \text{saturation: } f x + (1 - f)\,L$$
#
# (Results outside the range from 0 to 1 are clipped. A fourth change rotates the **hue**, the position on the colour
# circle. Its formula is long; we leave it to the library.)
#
# ## By hand
#
# Each formula above as a function of one image:


# %%
def resize_matrix(old, new):  # (new, old), to make an image smaller
    scale = old / new
    centers = (np.arange(new) + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - centers[:, None]) / scale)
    return weights / weights.sum(1, keepdims=True)


def resize(x, height, width):  # x is (C, H, W)
    return resize_matrix(x.shape[1], height) @ x @ resize_matrix(x.shape[2], width).T


def luminance(x):  # (C, H, W) -> (1, H, W)
    return 0.299 * x[0:1] + 0.587 * x[1:2] + 0.114 * x[2:3]


def brightness(x, f):
    return np.clip(f * x, 0, 1)


def contrast(x, f):
    return np.clip(f * x + (1 - f) * luminance(x).mean(), 0, 1)


def saturation(x, f):
    return np.clip(f * x + (1 - f) * luminance(x), 0, 1)


def flip(x):
    return x[:, :, ::-1]


# %% [markdown]
# scikit-learn comes with two photographs, a Chinese temple and a dahlia. We make them eight times smaller in both ways.

# %%
photographs = [photo.transpose(2, 0, 1) / np.float32(255) for photo in load_sample_images().images]  # (3, 427, 640)
temple, flower = photographs
height, width = 53, 80
figure, axes = plt.subplots(2, 3, figsize=(9, 4.2))
for row, photo in zip(axes, photographs):
    show_image(row[0], photo.transpose(1, 2, 0), "427 x 640 pixels")
    show_image(row[1], photo[:, 4::8, 4::8].transpose(1, 2, 0), "every eighth pixel")
    show_image(row[2], resize(photo, height, width).transpose(1, 2, 0), "weighted means, 53 x 80")
plt.show()

# %% [markdown]
# Look at the roofs, and at the leaves below: keeping every eighth pixel makes steps and dots that are not in the
# photograph.
#
# ## Check
#
# Each function must agree with the transform of the library, and normalized images must have mean 0 and standard
# deviation 1.

# %%
x = temple
assert np.allclose(resize(x, height, width), transforms.Resize((height, width))(x), atol=1e-5)
assert np.allclose(luminance(x), transforms.Grayscale()(x), atol=1e-6)
assert np.array_equal(flip(x), transforms.RandomHorizontalFlip(p=1)(x))
for name, by_hand in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation)):
    jitter = transforms.ColorJitter(**{name: (1.4, 1.4)})  # the factor drawn from 1.4 to 1.4
    assert np.allclose(by_hand(x, 1.4), jitter(x), atol=1e-5), name
mean, std = x.mean((1, 2)), x.std((1, 2))
normalized = transforms.Normalize(mean, std)(x)
assert np.allclose(normalized, (x - mean[:, None, None]) / std[:, None, None], atol=1e-5)
assert np.allclose(normalized.mean((1, 2)), 0, atol=1e-3) and np.allclose(normalized.std((1, 2)), 1, atol=1e-3)
print("resizing, grey, flip, colours and normalization agree with minidl")

# %% [markdown]
# ## In the library
#
# The transforms have torchvision's names: [minidl/data/transforms/geometry.py](../minidl/data/transforms/geometry.py)
# `Resize`, [minidl/data/transforms/crop.py](../minidl/data/transforms/crop.py) `RandomCrop`,
# [minidl/data/transforms/color.py](../minidl/data/transforms/color.py) `ColorJitter` and
# [minidl/data/transforms/color.py](../minidl/data/transforms/color.py) `Normalize`. They take one image or a whole
# batch; random transforms draw new random numbers for each image.
# [minidl/data/transforms/base.py](../minidl/data/transforms/base.py) `Compose` applies several one after the other. A
# dataset applies its transform whenever a batch is fetched, so the images differ from epoch to epoch. Here is one piece
# of a photograph, and fifteen random changes of it:

# %%
show_lines("minidl/data/transforms/color.py", "Normalize.on_array")
augment = transforms.Compose(
    [
        transforms.RandomHorizontalFlip(),
        transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
        transforms.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.5),
    ]
)
minidl.manual_seed(0)
patch = transforms.Resize((32, 48))(flower)[:, :, 8:40]
figure, axes = plt.subplots(2, 8, figsize=(9.5, 2.7))
show_image(axes[0, 0], patch.transpose(1, 2, 0), "as it is")
for panel in axes.ravel()[1:]:
    show_image(panel, augment(patch).transpose(1, 2, 0))
plt.show()
assert augment(patch).shape == patch.shape

# %% [markdown]
# ## Two networks for photographs
#
# **LeNet** (LeCun and others, 1998) read the cheques of American banks. It has two 5x5 convolutions, each followed by
# pooling, and three dense layers. The height and width shrink from 32 to 28 pixels (a window of 5 has 28 positions
# along 32 pixels), by pooling to 14, by the next convolution to 10, and by pooling to 5. The second network has more
# channels, and three 3x3 convolutions.

# %%
show_lines("minidl/models/classifiers.py", "LeNet")
show_lines("minidl/models/classifiers.py", "cifar_cnn")

# %% [markdown]
# ## Something real
#
# With `MINIDL_DATA` we take **CIFAR-10**: small photographs of ten kinds of things, from aeroplanes to trucks. Without
# it, we use a task for which two photographs are enough: *from which of them does this piece of 32x32 pixels come?* For
# an honest result, training and test set must not share a pixel: training pieces are from the left half of each
# photograph, test pieces from the right.


# %%
def pieces(photo, count, generator):
    """Pieces of 32x32 pixels from random places."""
    tops = generator.integers(0, photo.shape[1] - 31, count)
    lefts = generator.integers(0, photo.shape[2] - 31, count)
    return [photo[:, i : i + 32, j : j + 32] for i, j in zip(tops, lefts)]


def load_photographs():
    """A training and a test set: CIFAR-10 where MINIDL_DATA names a folder that holds it, or pieces of the two."""
    if os.environ.get("MINIDL_DATA"):
        return [
            data.ImageDataset(part.images[:limit], part.labels[:limit], part.classes)
            for part, limit in zip(data.cifar10(), (6000, 1000))
        ]
    halves = [resize(photo, 213, 320).astype(np.float32) for photo in photographs]
    generator = np.random.default_rng(0)
    sets = []
    for columns, count in ((slice(0, 160), 400), (slice(160, 320), 200)):
        images = np.stack([piece for photo in halves for piece in pieces(photo[:, :, columns], count, generator)])
        sets.append(data.ImageDataset(images, np.repeat([0, 1], count), ["temple", "flower"]))
    return sets


train, test = load_photographs()
x_test, y_test = test.get_batch(np.arange(len(test)))
evening = np.stack([transforms.ColorJitter(brightness=(0.6, 0.6), hue=(0.35, 0.35))(x) for x in x_test])
print(train, test, sep="\n")

figure, axes = plt.subplots(2, 10, figsize=(10, 2.5))
for column, n in enumerate(np.linspace(0, len(x_test) - 1, 10).astype(int)):
    show_image(axes[0, column], x_test[n].transpose(1, 2, 0), test.classes[y_test[n]])
    show_image(axes[1, column], np.clip(evening[n], 0, 1).transpose(1, 2, 0))
axes[0, 0].set_ylabel("test images", fontsize=9)
axes[1, 0].set_ylabel("in another light", fontsize=9)
plt.show()

# %% [markdown]
# Above are test images, below the same images in another light. Each network is trained twice: on the images as they
# are, and on images that are flipped, shifted and coloured at random. (Of these a few come close to the other light,
# but most do not.)

# %%
x_train, _ = train.get_batch(np.arange(len(train)))
normalize = transforms.Normalize(x_train.mean((0, 2, 3)), x_train.std((0, 2, 3)))
plans = {"as they are": normalize, "augmented": transforms.Compose([augment, normalize])}
epochs = 20 if len(train) < 2000 else 8
results = {}
for network in ("lenet", "cifar_cnn"):
    for plan, transform in plans.items():
        minidl.manual_seed(0)
        model = models.build(network, classes=len(train.classes))
        optimizer = optim.Adam(model.parameters(), lr=0.001)
        # unless fit is told otherwise, the loss is cross-entropy and a batch has 32 images
        training.fit(model, train.with_transform(transform), optimizer=optimizer, epochs=epochs)
        by_day, by_night = (training.evaluate(model, (normalize(x), y_test))["accuracy"] for x in (x_test, evening))
        results[network, plan] = by_day, by_night
        print(f"{network:10} {plan:12} {by_day:6.1%} of the test images, {by_night:6.1%} in another light")

# %%
figure, axes = plt.subplots(figsize=(7.5, 3))
places = np.arange(len(results))
axes.bar(places - 0.2, [by_day for by_day, _ in results.values()], 0.4, label="test images")
axes.bar(places + 0.2, [by_night for _, by_night in results.values()], 0.4, label="in another light")
axes.axhline(1 / len(train.classes), color="gray", linestyle="--", label="guessing")
axes.set_xticks(places, [f"{network}\n{plan}" for network, plan in results])
axes.set(ylabel="accuracy", ylim=(0, 1))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
for network in ("lenet", "cifar_cnn"):
    assert results[network, "augmented"][1] > results[network, "as they are"][1] + 0.03
    assert results[network, "as they are"][0] > 1.5 / len(train.classes)

# %% [markdown]
# A network uses the first rule that works. On the images as they are, that is a rule about colour, and in another light
# it fails. Nobody told the networks with augmentation what matters; by changing the images we showed them what does
# *not* matter. The price: images that are always new take longer to learn. On these easy pieces that does not show. On
# CIFAR-10, after 8 epochs, augmentation costs each network about 5 of 100 test images, and gains LeNet about 15 and the
# other about 23 of 100 in another light.
#
# Which changes are allowed depends on the task. Nobody will ever photograph a temple upside down, so there is no need
# to flip images that way. And where colour is the answer, as with a traffic light, do not change it.
#
# ## Exercises
#
# **1.** Where are most of LeNet's weights, in its convolutions or in its dense layers?
#
# <details><summary>Answer</summary>
#
# In the dense layers: more than 95 of 100. A convolution uses each of its few weights in every place.
#
# ```python
# weights = {name: p.numel() for name, p in models.build("lenet").named_parameters()}
# dense = sum(count for name, count in weights.items() if name.startswith("fc"))
# print(f"{dense:,} of {sum(weights.values()):,}")
# assert dense / sum(weights.values()) > 0.95
# ```
# </details>
#
# **2.** Resize and then flip, or flip and then resize: does the order matter? And with crop and flip?
#
# <details><summary>Answer</summary>
#
# For resizing it does not, as left and right are treated alike. For cropping it does: a crop at the left edge becomes
# one at the right edge.
#
# ```python
# assert np.allclose(flip(resize(flower, 53, 80)), resize(flip(flower), 53, 80))
# assert np.array_equal(flip(flower[:, :, :32]), flip(flower)[:, :, -32:])
# ```
# </details>
#
# **3.** Rotate the sixes among the test images of scikit-learn's digits by 180 degrees, and find the nearest neighbour
# of each among the training images. Which digit is it most often? Which of the changes above are wrong for digits?
#
# <details><summary>Answer</summary>
#
# A nine. Digits may be shifted, but not flipped, and not rotated far.
#
# ```python
# (x, y), (x_other, y_other) = (part.get_batch(np.arange(len(part))) for part in data.digits())
# rotated = x_other[y_other == 6][:, :, ::-1, ::-1]
# distances = ((rotated[:, None] - x[None]) ** 2).sum((2, 3, 4))  # (sixes, N)
# nearest = y[distances.argmin(1)]
# print(np.bincount(nearest, minlength=10))
# assert (nearest == 9).mean() > 0.5
# ```
# </details>
#
# ## Next
#
# An image is there all at once. Now for things that come one after the other: [sequences](13_sequences.py).
