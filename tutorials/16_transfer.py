# %% [markdown]
# # 16 · Transfer learning
#
# Networks need many examples; people don't. Someone who knows ten digits learns an eleventh symbol from three examples,
# because strokes and loops are familiar already. A network, too, can start from what another network has learned.
#
# **Question.** How can a network use what another one has learned, when it has few examples of its own?

# %%
import atexit
import shutil
import tempfile
from pathlib import Path

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
# Think of a network as two parts: a **body** that computes features of an image, and a **head**, the last layer, that
# turns the features into class scores:
#
# $$f = \text{body}(x), \qquad \text{logits} = W f + b$$
#
# The head belongs to its classes. The body is more general: strokes and corners are useful for other images as well.
# **Transfer learning** makes use of this: train body and head on a large task (**pre-training**), then put a new head
# on the body and train on the small task. There are two ways to do so:
#
# * **Frozen**: the body stays as it is. Only a softmax classifier (tutorial 06) is learned, on features in place of
#   pixels, with $p = \text{softmax}(W f + b)$ and the one-hot target $e$ (1 at the right class, 0 elsewhere):
#   $dW = \frac1N \sum_n (p_n - e_n)\, f_n^T$. It has few weights, so few examples are enough.
# * **Fine-tuned**: the body is trained further, in smaller steps, so that it does not forget:
#   $W \leftarrow W - \eta\,dW$, but $w_\text{body} \leftarrow w_\text{body} - \frac{\eta}{10}\,dw_\text{body}$.
#
# ## Two tasks
#
# First a network learns the digits 0 to 4 from many images. Then it is to learn 5 to 9, with only 3 or 10 labelled
# images of each. To give it something worth transferring, we place each digit at a random position in a larger image.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
margin = 4


def place_randomly(images, generator):
    """Each image at a random position in one that is larger by `margin`."""
    larger = np.zeros((len(images), 1, side + margin, side + margin), np.float32)
    for n, (i, j) in enumerate(generator.integers(0, margin + 1, (len(images), 2))):
        larger[n, :, i : i + side, j : j + side] = images[n]
    return larger


random = np.random.default_rng(0)
copies = 6 if side == 8 else 2  # each image at several positions
known = np.tile(np.flatnonzero(y_train < 5), copies)
x_known, y_known = place_randomly(x_train[known], random), y_train[known]
x_new, y_new = place_randomly(x_train[y_train >= 5], random), y_train[y_train >= 5] - 5
x_test, y_test = place_randomly(x_test[y_test >= 5], random), y_test[y_test >= 5] - 5

figure, axes = plt.subplots(2, 8, figsize=(8, 2.4))
for n, (above, below) in enumerate(axes.T):
    show_image(above, x_known[n], "0 to 4" if n == 0 else "")
    show_image(below, x_new[n], "5 to 9" if n == 0 else "")
plt.show()

# %% [markdown]
# We train the network on 0 to 4, and save its weights to a file.

# %%
BODY = slice(9)  # all layers but the last


def make_network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(),  # the mean of each quarter of the feature maps
        nn.Linear(64 * 4, 5),
    )  # fmt: skip


minidl.manual_seed(0)
pretrained = make_network()
optimizer = optim.Adam(pretrained.parameters(), lr=0.005)
training.fit(pretrained, (x_known, y_known), optimizer=optimizer, epochs=8)
folder = Path(tempfile.mkdtemp(prefix="minidl-transfer-"))
atexit.register(shutil.rmtree, folder, ignore_errors=True)
weights = folder / "pretrained.safetensors"
minidl.save(weights, pretrained.state_dict())

# %% [markdown]
# ## By hand
#
# The frozen way, step by step. The body is run *once* on every image, since it will not change; after that, only the
# head is trained.


# %%
def features(network, x):
    return training.predict(network[BODY], x).numpy()


def softmax(a):
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def head_gradient(W, b, f, y):  # of the mean cross-entropy
    error = (softmax(f @ W.T + b) - np.eye(len(b), dtype=f.dtype)[y]) / len(f)  # (N, 5)
    return error.T @ f, error.sum(0)


def train_head(f, y, steps=300, lr=0.5):
    W, b = np.zeros((5, f.shape[1]), np.float32), np.zeros(5, np.float32)
    for _ in range(steps):
        dW, db = head_gradient(W, b, f, y)
        W, b = W - lr * dW, b - lr * db
    return W, b


def choose(labels, seed):
    """The indices of `labels` random images of each new class."""
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.permutation(np.flatnonzero(y_new == k))[:labels] for k in range(5)])


few = choose(10, seed=0)
f_few, f_test = features(pretrained, x_new[few]), features(pretrained, x_test)
W, b = train_head(f_few, y_new[few])
by_hand = ((f_test @ W.T + b).argmax(1) == y_test).mean()
print(f"50 images, frozen body: {by_hand:.1%} of {len(x_test)} test images right")
assert by_hand > 0.5

# %% [markdown]
# ## Check
#
# Here is a network with the pretrained body and a new head. Its frozen part must get no gradient at all, and its head
# the one computed above.

# %%
model = make_network()
training.load_pretrained(model, weights, head=["9"])  # layer 9 is the new head
model[BODY].requires_grad_(False)
F.cross_entropy(model(minidl.tensor(x_new[few])), minidl.tensor(y_new[few])).backward()
dW, db = head_gradient(model[9].weight.numpy(), model[9].bias.numpy(), f_few, y_new[few])
assert all(parameter.grad is None for parameter in model[BODY].parameters())
assert np.allclose(model[9].weight.grad.numpy(), dW, atol=1e-5)
assert np.allclose(model[9].bias.grad.numpy(), db, atol=1e-5)
assert np.array_equal(model[0].weight.numpy(), pretrained[0].weight.numpy())
print("frozen: no gradient in the body, the expected one in the head")

# %% [markdown]
# ## In the library
#
# [minidl/training/pretrained.py](../minidl/training/pretrained.py) `load_pretrained` loads all weights of a file except
# the head's; the file may come from minidl or PyTorch. Freezing is [minidl/nn/module.py](../minidl/nn/module.py)
# `Module.requires_grad_`, and two learning rates are two parameter groups of an optimizer, as in
# [minidl/recipes/transfer.py](../minidl/recipes/transfer.py) `Transfer.make_optimizer`.

# %%
show_lines("minidl/training/pretrained.py", "load_pretrained")
show_lines("minidl/recipes/transfer.py", "Transfer.make_optimizer")

# %% [markdown]
# ## Something real
#
# We compare training from scratch, the frozen body, and fine-tuning, with 3, 10 and (if the images are small) 30
# labelled images of each new class. With so few images it matters much which ones they are. So each method is trained
# on several random choices, the same for all methods.


# %%
def learn(way, chosen, seed):
    minidl.manual_seed(seed)
    model = make_network()
    head, body, lr = model[9].parameters(), model[BODY].parameters(), 0.005
    if way == "from scratch":
        groups = [{"params": model.parameters()}]
    else:
        training.load_pretrained(model, weights, head=["9"])
        model[BODY].requires_grad_(way == "fine-tuned")
        groups = [{"params": head}] + ([{"params": body, "lr": lr / 10}] if way == "fine-tuned" else [])
    optimizer = optim.Adam(groups, lr=lr)
    training.fit(model, (x_new[chosen], y_new[chosen]), optimizer=optimizer, epochs=60, batch_size=10)
    return training.evaluate(model, (x_test, y_test))["accuracy"]


counts = (3, 10) if side > 8 else (3, 10, 30)
choices = 3
ways = ("from scratch", "frozen", "fine-tuned")
accuracy = np.array(
    [[[learn(way, choose(labels, seed), seed) for seed in range(choices)] for labels in counts] for way in ways]
)  # (ways, counts, choices)
mean = dict(zip(ways, accuracy.mean(2)))
for way, values in mean.items():
    print(f"{way:13}", ", ".join(f"{value:.1%} with {labels}" for value, labels in zip(values, counts)))

# %% [markdown]
# We plot these accuracies, and look at the features that the body computes from the new digits.

# %%
pixels, transferred = x_test.reshape(len(x_test), -1), features(pretrained, x_test)
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.4))
for way, values in zip(ways, accuracy):
    axes[0].plot(counts, values.mean(1), "o--" if way == "fine-tuned" else "o-", label=way)
    axes[0].fill_between(counts, values.min(1), values.max(1), alpha=0.15)
axes[0].set(
    xscale="log", xlabel="labelled images of each class", ylabel="accuracy", title="range and mean over the choices"
)
axes[0].set_xticks(counts, counts)
axes[0].minorticks_off()
axes[0].legend()
for panel, (name, values) in zip(axes[1:], {"pixels": pixels, "features of the body": transferred}.items()):
    coordinates, _ = visualize.principal_components(values)
    for k in range(5):
        panel.plot(*coordinates[y_test == k].T, linestyle="", marker=f"${k + 5}$", color=f"C{k}")
    panel.set(title=f"new digits: {name}", xticks=[], yticks=[])
plt.show()
assert mean["fine-tuned"][0] > mean["from scratch"][0] + 0.05
assert mean["frozen"][0] > mean["from scratch"][0]
assert mean["fine-tuned"][1] > mean["from scratch"][1] - 0.05
assert counts[-1] < 30 or mean["from scratch"][-1] > max(mean["frozen"][-1], mean["fine-tuned"][-1])

# %% [markdown]
# The two plots on the right show the test images, each as its digit, projected onto the two directions in which they
# vary most (their principal components). In pixels, what matters most is where a digit lies. The body, which has never
# seen a 5, 6, 7, 8 or 9, has learned to ignore that, and the new digits begin to separate.
#
# The fewer the examples, the more transfer helps. With enough examples of its own, such as 30 of each of the small
# digits, a network does not need it. Then a body that was trained for something else is even in the way, whether it is
# frozen or trained in small steps.
#
# ## Exercises
#
# **1.** Use a body that has learned nothing: freeze one with *random* weights. How accurate is it?
#
# <details><summary>Answer</summary>
#
# Better than guessing: random filters are filters too. But the pretrained ones are better.
#
# ```python
# minidl.manual_seed(1)
# untrained = make_network()
# W, b = train_head(features(untrained, x_new[few]), y_new[few])
# random_body = ((features(untrained, x_test) @ W.T + b).argmax(1) == y_test).mean()
# print(f"random body {random_body:.1%}, pretrained body {by_hand:.1%}")
# assert random_body < by_hand
# ```
# </details>
#
# **2.** After fine-tuning on 5 to 9, give the network its *old* head back. Does it still know 0 to 4?
#
# <details><summary>Answer</summary>
#
# Less well: it forgets what it is no longer trained on. Small steps for the body preserve more.
#
# ```python
# def still_known(rate):
#     minidl.manual_seed(0)
#     model = make_network()
#     training.load_pretrained(model, weights, head=["9"])
#     groups = [{"params": model[9].parameters()}, {"params": model[BODY].parameters(), "lr": rate}]
#     training.fit(model, (x_new[few], y_new[few]), optimizer=optim.Adam(groups, lr=0.005), epochs=60, batch_size=10)
#     model[9].load_state_dict(pretrained[9].state_dict())
#     return training.evaluate(model, (x_known[:1000], y_known[:1000]))["accuracy"]
#
#
# kept = {rate: still_known(rate) for rate in (0.0005, 0.02)}
# print(kept)
# assert kept[0.0005] > kept[0.02]
# ```
# </details>
#
# ## Next
#
# We went from many labels to ten or three for each class. What if there are none? [Clustering](17_clustering.py).
