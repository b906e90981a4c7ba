# %% [markdown]
# # 16 · Borrowing
#
# Networks need many examples; people don't. Someone who reads ten digits learns an eleventh from three examples,
# because strokes and loops are known already. A network, too, can start from what another one knows.
#
# **Question.** How does a network that has learned one thing help to learn another, of which there are few examples?

# %%
import atexit
import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from course import FAST, load_images, show_image
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn, optim, training, visualize

# %% [markdown]
# ## The formula
#
# Think of a network as two parts: a **body** that makes features of a picture, and a **head**, the last layer, that
# names it:
#
# $$f = \text{body}(x), \qquad \text{logits} = W f + b$$
#
# The head belongs to its classes. The body is more general: strokes and corners are of use for other pictures as well.
# So **transfer learning**: train body and head on a large task (**pre-training**), put a new head on the body, and
# train on the small one. Two ways:
#
# * **Frozen**: the body stays as it is. Then only a softmax classifier (tutorial 06) is learned, on features in place
#   of pixels, with $p = \text{softmax}(W f + b)$ and the answer $e$ (1 at the right class, 0 elsewhere):
#   $dW = \frac1N \sum_n (p_n - e_n)\, f_n^T$. Few weights, so few examples are enough.
# * **Fine-tuned**: the body learns on, in smaller steps, so that it does not forget:
#   $W \leftarrow W - \eta\,dW$, but $w_\text{body} \leftarrow w_\text{body} - \frac{\eta}{10}\,dw_\text{body}$.
#
# ## Two tasks
#
# A network learns the digits 0 to 4 from many pictures. Then it is to learn 5 to 9, of which we have 3 or 10 labelled
# pictures each. So that there is something to know, each digit lies somewhere in a larger picture.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
room = 4


def somewhere(images, generator):
    """Each picture at a random place of one that is larger by `room`."""
    larger = np.zeros((len(images), 1, side + room, side + room), np.float32)
    for n, (i, j) in enumerate(generator.integers(0, room + 1, (len(images), 2))):
        larger[n, :, i : i + side, j : j + side] = images[n]
    return larger


random = np.random.default_rng(0)
copies = 6 if side == 8 else 2  # each picture at several places
known = np.tile(np.flatnonzero(y_train < 5), copies)
x_known, y_known = somewhere(x_train[known], random), y_train[known]
x_new, y_new = somewhere(x_train[y_train >= 5], random), y_train[y_train >= 5] - 5
x_test, y_test = somewhere(x_test[y_test >= 5], random), y_test[y_test >= 5] - 5

figure, axes = plt.subplots(2, 8, figsize=(8, 2.4))
for n, (above, below) in enumerate(axes.T):
    show_image(above, x_known[n], "known" if n == 0 else "")
    show_image(below, x_new[n], "new" if n == 0 else "")
plt.show()

# %%
BODY = slice(9)  # all layers but the last


def make_network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(64 * 4, 5),
    )  # fmt: skip


minidl.manual_seed(0)
lender = make_network()
training.fit(lender, (x_known, y_known), optimizer=optim.Adam(lender.parameters(), lr=0.005), epochs=4 if FAST else 8)
folder = Path(tempfile.mkdtemp(prefix="minidl-transfer-"))
atexit.register(shutil.rmtree, folder, ignore_errors=True)
weights = folder / "lender.safetensors"
minidl.save(weights, lender.state_dict())

# %% [markdown]
# ## By hand
#
# Frozen, step by step. The body is run *once* on every picture, since it will not change; after that there is only the
# head.


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
    """So many pictures of each new class."""
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.permutation(np.flatnonzero(y_new == k))[:labels] for k in range(5)])


few = choose(10, seed=0)
f_few, f_test = features(lender, x_new[few]), features(lender, x_test)
W, b = train_head(f_few, y_new[few])
by_hand = ((f_test @ W.T + b).argmax(1) == y_test).mean()
print(f"50 pictures, the body frozen: {by_hand:.1%} of {len(x_test)} test pictures")
assert by_hand > 0.5

# %% [markdown]
# ## Check
#
# A network with the borrowed body and a new head. Its frozen part gets no gradient at all; its head gets the one above.

# %%
borrower = make_network()
training.load_pretrained(borrower, weights, head=["9"])  # layer 9 is the new head
borrower[BODY].requires_grad_(False)
F.cross_entropy(borrower(minidl.tensor(x_new[few])), minidl.tensor(y_new[few])).backward()
dW, db = head_gradient(borrower[9].weight.numpy(), borrower[9].bias.numpy(), f_few, y_new[few])
assert all(parameter.grad is None for parameter in borrower[BODY].parameters())
assert np.allclose(borrower[9].weight.grad.numpy(), dW, atol=1e-5)
assert np.allclose(borrower[9].bias.grad.numpy(), db, atol=1e-5)
assert np.array_equal(borrower[0].weight.numpy(), lender[0].weight.numpy())
print("frozen: no gradient in the body, the same one in the head")

# %% [markdown]
# ## In the library
#
# [minidl/training/pretrained.py](../minidl/training/pretrained.py) `load_pretrained` copies all weights of a file but
# the head's; the file may be minidl's or PyTorch's. Freezing is
# [minidl/nn/module.py](../minidl/nn/module.py) `Module.requires_grad_`, and two step sizes are two parameter groups of
# an optimizer, as in [minidl/recipes/transfer.py](../minidl/recipes/transfer.py) `Transfer.make_optimizer`.

# %%
show_lines("minidl/training/pretrained.py", "load_pretrained")
show_lines("minidl/recipes/transfer.py", "Transfer.make_optimizer")

# %% [markdown]
# ## Something real
#
# Three ways, for 3, 10 and, where the pictures are small, 30 labelled pictures of each new class. When pictures are
# few, it matters much which ones they are. So each way gets several draws, the same for all.


# %%
def learn(way, chosen, seed):
    minidl.manual_seed(seed)
    model = make_network()
    head, body, lr = model[9].parameters(), model[BODY].parameters(), 0.005
    if way == "from scratch":
        groups = [{"params": model.parameters()}]
    else:
        training.load_pretrained(model, weights, head=["9"])
        groups = [{"params": head}] + ([{"params": body, "lr": lr / 10}] if way == "fine-tuned" else [])
    optimizer = optim.Adam(groups, lr=lr)
    training.fit(model, (x_new[chosen], y_new[chosen]), optimizer=optimizer, epochs=60, batch_size=10)
    return training.evaluate(model, (x_test, y_test))["accuracy"]


counts = (3, 10) if FAST or side > 8 else (3, 10, 30)
draws = 2 if FAST else 3
ways = ("from scratch", "frozen", "fine-tuned")
accuracy = np.array(
    [[[learn(way, choose(labels, seed), seed) for seed in range(draws)] for labels in counts] for way in ways]
)  # (ways, counts, draws)
mean = dict(zip(ways, accuracy.mean(2)))
for way, values in mean.items():
    print(f"{way:13}", ", ".join(f"{value:.1%} from {labels}" for value, labels in zip(values, counts)))

# %%
pixels, borrowed = x_test.reshape(len(x_test), -1), features(lender, x_test)
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.4))
for way, values in zip(ways, accuracy):
    axes[0].plot(counts, values.mean(1), "o--" if way == "fine-tuned" else "o-", label=way)
    axes[0].fill_between(counts, values.min(1), values.max(1), alpha=0.15)
axes[0].set(
    xscale="log", xlabel="labelled pictures of each class", ylabel="accuracy", title="all draws, and their mean"
)
axes[0].set_xticks(counts, counts)
axes[0].minorticks_off()
axes[0].legend()
for panel, (name, values) in zip(axes[1:], {"pixels": pixels, "features of the body": borrowed}.items()):
    coordinates, _ = visualize.principal_components(values)
    for k in range(5):
        panel.plot(*coordinates[y_test == k].T, ".", label=k + 5, color=plt.get_cmap("tab10")(k))
    panel.set(title=f"new digits: {name}", xticks=[], yticks=[])
axes[2].legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
assert mean["fine-tuned"][0] > mean["from scratch"][0] + 0.05
assert mean["frozen"][0] > mean["from scratch"][0]
assert mean["fine-tuned"][1] > mean["from scratch"][1] - 0.05
assert counts[-1] < 30 or mean["from scratch"][-1] > max(mean["frozen"][-1], mean["fine-tuned"][-1])

# %% [markdown]
# On the right: the same test pictures, spread out along the two directions in which they differ most. In pixels it
# matters most where a digit lies. The body, which has never seen a 5, 6, 7, 8 or 9, has learned to look past that, and
# their kinds begin to part.
#
# The fewer the examples, the more borrowing is worth. With enough of its own, such as 30 of each of the small digits, a
# network does not need it, and a body that was made for something else is then in the way, frozen or moved in small
# steps.
#
# ## Exercises
#
# **1.** Borrow from a body that has learned nothing: freeze a *random* one. How much is left?
#
# <details><summary>Answer</summary>
#
# More than nothing: random filters are filters too. But the trained ones are better.
#
# ```python
# minidl.manual_seed(1)
# stranger = make_network()
# W, b = train_head(features(stranger, x_new[few]), y_new[few])
# random_body = ((features(stranger, x_test) @ W.T + b).argmax(1) == y_test).mean()
# print(f"random body {random_body:.1%}, borrowed body {by_hand:.1%}")
# assert random_body < by_hand
# ```
# </details>
#
# **2.** After fine-tuning on 5 to 9, give the network its *old* head back. Does it still know 0 to 4?
#
# <details><summary>Answer</summary>
#
# Less well: it forgets what is not asked any more. Small steps for the body keep more of it.
#
# ```python
# def still_known(rate):
#     minidl.manual_seed(0)
#     model = make_network()
#     training.load_pretrained(model, weights, head=["9"])
#     groups = [{"params": model[9].parameters()}, {"params": model[BODY].parameters(), "lr": rate}]
#     training.fit(model, (x_new[few], y_new[few]), optimizer=optim.Adam(groups, lr=0.005), epochs=60, batch_size=10)
#     model[9].load_state_dict(lender[9].state_dict())
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
# Ten labels a class, three, ... none? [Without labels](17_clustering.py).
