# %% [markdown]
# # 11 · Pooling, and a network that sees
#
# A convolution finds strokes and edges, wherever they are. To recognize a digit, a network must combine them, and must
# not depend on whether one of them is a pixel further left.
#
# **Question.** How do we build a convolutional network that classifies images, how good is it, and what does it look
# at?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import metrics, nn, optim, training

# %% [markdown]
# ## The formula
#
# **Pooling** makes an image smaller: it replaces each small window by one number. **Max pooling** takes the largest
# number of the window, **average pooling** the mean. With windows of $R$ by $R$ pixels that do not overlap:
#
# $$y_{ncij} = \max_{r,s}\; x_{n,c,\,iR+r,\,jR+s} \qquad\text{or}\qquad y_{ncij} = \frac{1}{R^2}\sum_{r,s} x_{n,c,\,
# iR+r,\,jR+s}$$
#
# After a convolution, a large number means "my pattern is here". Max pooling says "it is somewhere around here", and
# forgets the exact place. That is what we want.
#
# Now the gradients. Nudge a pixel. If it is the largest of its window, $y$ changes by as much, with slope 1. If not,
# nothing happens, slope 0. So all of $dy$ goes back to the largest pixel of its window. (If several are equally large,
# to the first of them.) For average pooling every pixel has slope $1/R^2$, so each gets an equal share of $dy$.
#
# ## By hand
#
# For windows that do not overlap, a reshape is enough: it splits each image axis in two, the number of the window and
# the position in the window.


# %%
def windows(x, R):  # (N, C, H, W) -> (N, C, H/R, W/R, R*R)
    n, c, height, width = x.shape
    parts = x.reshape(n, c, height // R, R, width // R, R)
    return parts.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, height // R, width // R, R * R)


def from_windows(parts, R):  # and back
    n, c, OH, OW, _ = parts.shape
    return parts.reshape(n, c, OH, OW, R, R).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, OH * R, OW * R)


def max_pool(x, R):
    parts = windows(x, R)
    winner = parts.argmax(-1)  # which tap of the window; backward needs it
    return parts.max(-1), winner


def max_pool_gradient(dy, winner, R):
    to_winner = winner[..., None] == np.arange(R * R)
    return from_windows(dy[..., None] * to_winner, R)


def average_pool(x, R):
    return windows(x, R).mean(-1)


def average_pool_gradient(dy, R):
    return from_windows(np.repeat(dy[..., None], R * R, axis=-1) / R**2, R)


# %% [markdown]
# ## Check
#
# The results and gradients of both poolings must agree with the library's. Then we pool a digit, and show which pixels
# a gradient of 1 for each output goes back to.

# %%
random = np.random.default_rng(0)
x = random.standard_normal((2, 3, 6, 4))
dy = random.standard_normal((2, 3, 3, 2))
x_tensor = minidl.tensor(x, requires_grad=True)

y, winner = max_pool(x, 2)
F.max_pool2d(x_tensor, 2).backward(dy)
assert np.array_equal(y, F.max_pool2d(x, 2))
assert np.allclose(max_pool_gradient(dy, winner, 2), x_tensor.grad.numpy())

x_tensor.grad = None  # or the two gradients would be added up
F.avg_pool2d(x_tensor, 2).backward(dy)
assert np.allclose(average_pool(x, 2), F.avg_pool2d(x, 2))
assert np.allclose(average_pool_gradient(dy, 2), x_tensor.grad.numpy())
assert minidl.gradcheck(lambda x: F.max_pool2d(x, 2), [x_tensor])
print("both poolings and both gradients agree with minidl")

# %%
images, _, _, _ = load_images(train_limit=3000)
digit = images[3:4]
pooled, winner = max_pool(digit, 2)
back = max_pool_gradient(np.ones_like(pooled), winner, 2)
figure, axes = plt.subplots(1, 4, figsize=(8.5, 2.4))
show_image(axes[0], digit, "a digit")
show_image(axes[1], pooled, "max pooled")
show_image(axes[2], average_pool(digit, 2), "average pooled")
show_image(axes[3], back, "where dy = 1 goes back to", cmap="Blues")
plt.show()

# %% [markdown]
# ## In the library
#
# Like yours, [minidl/functional/pool.py](../minidl/functional/pool.py) `MaxPool2d` remembers which *tap* of each window
# was the largest. [kernels/pool2d/reference.py](../kernels/pool2d/reference.py) `max_forward` and
# [kernels/pool2d/reference.py](../kernels/pool2d/reference.py) `max_scatter` do the work for any window, stride,
# padding and dilation (the distance between neighbouring taps).

# %%
show_lines("minidl/functional/pool.py", "MaxPool2d")
show_lines("kernels/pool2d/reference.py", "max_scatter")

# %% [markdown]
# ## Something real
#
# A **convolutional neural network** (CNN) repeats three steps: convolution, activation function, pooling. The images
# become smaller and get more channels: from "where is ink" to "which strokes are where". At the end a linear layer
# computes the logits. For comparison we train the network with one hidden layer from tutorial 07. It has somewhat fewer
# weights, or, for the larger images of MNIST, more.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
seed, epochs = 0, 20


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 10),
    )  # fmt: skip


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, 64), nn.ReLU(), nn.Linear(64, 10))


minidl.manual_seed(seed)
print(nn.summary(convolutional(), x_train[:1]))

# %% [markdown]
# The five lines of training have not changed since tutorial 05, so from here on we leave them to the library:
# [minidl/training/loop.py](../minidl/training/loop.py) `fit` runs the epochs and records the losses. The five lines,
# with checks and some options between them, are [minidl/training/loop.py](../minidl/training/loop.py) `train_step`.

# %%
show_lines("minidl/training/loop.py", "train_step")

models, histories = {}, {}
for name, make in (("convolutional", convolutional), ("dense", dense)):
    minidl.manual_seed(seed)
    models[name] = model = make()
    histories[name] = training.fit(
        model,
        (x_train, y_train),
        optimizer=optim.Adam(model.parameters(), lr=0.003),
        loss=F.cross_entropy,
        epochs=epochs,
        batch_size=32,
        metrics=["accuracy"],
    )

results = {name: training.evaluate(model, (x_test, y_test))["accuracy"] for name, model in models.items()}
for name, model in models.items():
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"{name:14} {weights:6,} weights, {results[name]:.1%} of the test images classified correctly (seed {seed})")
assert results["convolutional"] > 0.9 and results["convolutional"] > results["dense"]

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
for name, history in histories.items():
    left.semilogy(history["epoch"], history["train_loss"], label=name)
left.set(xlabel="epoch", ylabel="training loss", title="both learn their training images")
left.set(xticks=range(0, epochs + 1, 4))
left.legend()
shifts = np.arange(-2, 3)
curves = {name: [] for name in models}
for shift in shifts:
    shifted = np.zeros_like(x_test)
    shifted[..., max(shift, 0) : side + min(shift, 0)] = x_test[..., max(-shift, 0) : side - max(shift, 0)]
    for name, model in models.items():
        curves[name].append(training.evaluate(model, (shifted, y_test))["accuracy"])
for name, values in curves.items():
    right.plot(shifts, values, "o-", label=name)
right.set(xlabel="test images moved to the right (pixels)", ylabel="accuracy", title="a moved 7 is still a 7")
right.set(ylim=(0, 1), xticks=shifts)
plt.show()
one_pixel = {name: values[3] for name, values in curves.items()}
print(f"moved by one pixel: convolutional {one_pixel['convolutional']:.1%}, dense {one_pixel['dense']:.1%}")
assert one_pixel["convolutional"] > one_pixel["dense"]

# %% [markdown]
# No training image was moved. The dense network has no way to know what a moved digit looks like. The convolutional
# network knows part of it from its architecture: shared weights and pooling.
#
# ## Measures
#
# A single number, the accuracy, hides a lot. The **confusion matrix** counts, for every true class (row), how often
# each class was predicted (column). For one class, say the eights, let TP (true positives) be the number of eights that
# were classified as eights, FN (false negatives) the eights that were missed, and FP (false positives) the other digits
# that were classified as eights. Then
#
# $$\text{precision} = \frac{TP}{TP + FP} \qquad \text{recall} = \frac{TP}{TP + FN} \qquad
# F_1 = \frac{2}{1/\text{precision} + 1/\text{recall}}$$
#
# **Precision**: of all images classified as an eight, how many are one? **Recall**: of all eights, how many were found?
# $F_1$ is the harmonic mean of the two, which is small if either of them is.

# %%
logits = training.predict(models["convolutional"], x_test).numpy()
answers = logits.argmax(1)
counts = np.zeros((10, 10), dtype=int)
np.add.at(counts, (y_test, answers), 1)
true_positives = counts.diagonal()
precision, recall = true_positives / counts.sum(0), true_positives / counts.sum(1)
f1 = 2 / (1 / precision + 1 / recall)
for k in range(10):
    print(f"{k}: precision {precision[k]:.2f}, recall {recall[k]:.2f}, F1 {f1[k]:.2f}")

assert np.array_equal(counts, metrics.confusion_matrix(y_test, answers))
assert np.allclose(precision, metrics.precision_score(y_test, answers, average=None))
assert np.allclose(recall, metrics.recall_score(y_test, answers, average=None))
assert np.allclose(f1, metrics.f1_score(y_test, answers, average=None))
assert np.isclose(true_positives.sum() / counts.sum(), results["convolutional"])

# %% [markdown]
# The library's versions are in [minidl/metrics/classification.py](../minidl/metrics/classification.py)
# `confusion_matrix` and [minidl/metrics/classification.py](../minidl/metrics/classification.py)
# `precision_recall_fscore_support`. Here is the confusion matrix, beside the wrong answers that had the highest
# probability:

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), width_ratios=(1.1, 1))
left.imshow(counts / counts.sum(1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
for (i, j), count in np.ndenumerate(counts):
    if count:
        left.text(j, i, count, ha="center", va="center", fontsize=8, color="white" if i == j else "black")
left.set(xlabel="predicted digit", ylabel="true digit", title="confusion matrix", xticks=range(10), yticks=range(10))
left.grid(False)
wrong = np.flatnonzero(answers != y_test)
probabilities = F.softmax(logits, 1)
surest = wrong[probabilities[wrong].max(1).argsort()[::-1][:12]]
right.axis("off")
right.set_title("the mistakes it was most certain of")
for place, n in enumerate(surest):
    corner = (place % 4) / 4, 0.68 - (place // 4) * 0.34
    inset = right.inset_axes((*corner, 0.23, 0.26))
    show_image(inset, x_test[n], f"{y_test[n]}, predicted {answers[n]}")
    inset.title.set_fontsize(8)
plt.show()

# %% [markdown]
# ## What the filters see
#
# The first layer's filters are small enough to look at. For each of them we also show the three windows, of all windows
# in the test images, to which it responds most.

# %%
first = models["convolutional"][0]
filters = first.weight.numpy()  # (16, 1, 3, 3)
maps = F.conv2d(x_test, filters)  # (N, 16, H - 2, W - 2), without padding
figure, axes = plt.subplots(4, 16, figsize=(10.5, 3.2))
limit = np.abs(filters).max()
for k in range(16):
    show_image(axes[0, k], filters[k], cmap="RdBu", vmin=-limit, vmax=limit)
    places = np.argsort(maps[:, k].ravel())[::-1][:3]
    for row, place in enumerate(places, start=1):
        n, i, j = np.unravel_index(place, maps[:, k].shape)
        show_image(axes[row, k], x_test[n, 0, i : i + 3, j : j + 3], vmin=0, vmax=1)
figure.suptitle("above: the 16 filters (blue: wants ink); below each: the windows it responds to most", fontsize=10)
plt.show()

# %% [markdown]
# The filters respond to edges of strokes in various directions, to corners and to ends. Nobody told the network to look
# for them. Next we follow one image through the layers. A **feature map** is the output of one filter; where it is
# white, the filter found nothing.

# %%
layers = models["convolutional"]
x = minidl.tensor(x_test[:1])
with minidl.no_grad():
    after_first = layers[2](layers[1](layers[0](x)))  # convolution, ReLU, pooling
    after_second = layers[5](layers[4](layers[3](after_first)))
figure = plt.figure(figsize=(10.5, 3.4))
grid = figure.add_gridspec(4, 22)
show_image(figure.add_subplot(grid[:, :4]), x_test[0], f"a {y_test[0]}")
for k in range(16):
    axes = figure.add_subplot(grid[k // 4, 5 + k % 4])
    show_image(axes, after_first.numpy()[0, k], vmin=0, vmax=after_first.data.max())
for k in range(32):
    axes = figure.add_subplot(grid[k // 8, 10 + k % 8])
    show_image(axes, after_second.numpy()[0, k], vmin=0, vmax=after_second.data.max())
scores = figure.add_subplot(grid[:, 19:])
scores.barh(range(10), probabilities[0])
scores.set(yticks=range(10), xlim=(0, 1), title="answer")
figure.suptitle("image, 16 feature maps, 32 smaller ones, probabilities", fontsize=10)
plt.show()
assert after_second.shape == (1, 32, side // 4, side // 4)

# %% [markdown]
# ## Exercises
#
# **1.** Count the parameters of the convolutional network by hand.
#
# <details><summary>Answer</summary>
#
# $16\cdot 1\cdot 9 + 16$ in the first layer, $32\cdot 16\cdot 9 + 32$ in the second, and $10\cdot 32\,(H/4)^2 + 10$
# in the linear one. Pooling has none.
#
# ```python
# by_hand = 16 * 9 + 16 + 32 * 16 * 9 + 32 + 10 * 32 * (side // 4) ** 2 + 10
# assert by_hand == sum(p.numel() for p in models["convolutional"].parameters())
# ```
# </details>
#
# **2.** A network for a rare disease says "healthy" to everyone, and is right in 99 of 100 cases. What is its accuracy,
# and what is its recall for the disease?
#
# <details><summary>Answer</summary>
#
# 99% and 0. This is why one number is not enough.
#
# ```python
# truth, said = np.array([1] + [0] * 99), np.zeros(100, int)
# assert metrics.accuracy_score(truth, said) == 0.99 and metrics.recall_score(truth, said) == 0
# ```
# </details>
#
# **3.** Cover a quarter of each test image with white. Which quarter hurts the accuracy most?
#
# <details><summary>Answer</summary>
#
# Set each quarter to 0 in turn and measure again. (The result depends on the digits, and a little on the seed.)
#
# ```python
# half, accuracies = side // 2, {}
# for top in (0, half):
#     for left_edge in (0, half):
#         covered = x_test.copy()
#         covered[:, :, top : top + half, left_edge : left_edge + half] = 0
#         accuracies[top, left_edge] = training.evaluate(models["convolutional"], (covered, y_test))["accuracy"]
# print(accuracies)
# assert max(accuracies.values()) < results["convolutional"]
# ```
# </details>
#
# ## Next
#
# You have come from a slope to a network that sees, and have written every part of it once yourself: the engine, the
# layers, the losses, gradient descent, the convolution. The digits were easy; [photographs](12_photographs.py) are not.
