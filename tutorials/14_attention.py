# %% [markdown]
# # 14 · Attention, and a transformer that reads
#
# A recurrent network carries everything it has read in one vector. When it needs a detail from far back, that detail
# must have survived every step in between. A human reader does something else: looks back at the place.
#
# **Question.** How can each element of a sequence look at every other one, and learn where to look?

# %%
import math
import time

import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl
import minidl.functional as F
from minidl import nn, optim, training

# %% [markdown]
# ## The formula
#
# Think of a shelf of folders. Each has a label, the **key** $k_s$, and a content, the **value** $v_s$. You come with a
# **query** $q_l$, compare it with every label, and take out a mixture of all the contents: the better a label fits, the
# more of its content. How well it fits is measured by the dot product of query and key, two vectors of $E$ numbers. The
# mixture is a weighted mean; its weights come from a softmax (tutorial 06), so they are positive and sum to 1:
#
# $$a_{ls} = \frac{q_l \cdot k_s}{\sqrt{E}}, \qquad p_{ls} = \frac{e^{a_{ls}}}{\sum_j e^{a_{lj}}}, \qquad
# y_l = \sum_s p_{ls}\,v_s$$
#
# Why $\sqrt E$? If the numbers in both vectors are random and of size 1, their dot product has size $\sqrt E$. Without
# the division, the softmax would put nearly all weight on one key when vectors are long, and its derivative would be
# nearly 0.
#
# The gradient goes back through three steps. Through the weighted mean: $dv_s = \sum_l p_{ls}\,dy_l$ and
# $dp_{ls} = dy_l\cdot v_s$. Through the softmax: a higher score raises its own weight and lowers the others, since the
# weights sum to 1. The quotient rule gives
#
# $$\frac{\partial p_{lj}}{\partial a_{ls}} = p_{lj}\,([j = s] - p_{ls}) \qquad\text{and so}\qquad da_{ls} =
# \sum_j dp_{lj}\,\frac{\partial p_{lj}}{\partial a_{ls}} = p_{ls}\,\big(dp_{ls} - \sum_j p_{lj}\,dp_{lj}\big)$$
#
# Through the dot product: $dq_l = \sum_s da_{ls}\,k_s/\sqrt E$ and $dk_s = \sum_l da_{ls}\,q_l/\sqrt E$.
#
# ## By hand
#
# With one query, key or value in each row, the sums become matrix products.


# %%
def attention(q, k, v):  # (L, E), (S, E), (S, V)
    a = q @ k.T / math.sqrt(q.shape[1])  # (L, S)
    p = np.exp(a - a.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p @ v, p


def attention_gradient(q, k, v, p, dy):
    dv, dp = p.T @ dy, dy @ v.T
    da = p * (dp - (p * dp).sum(1, keepdims=True))
    return da @ k / math.sqrt(q.shape[1]), da.T @ q / math.sqrt(q.shape[1]), dv


# %% [markdown]
# ## Check
#
# We compare the output and the three gradients with minidl's, and minidl's gradients with finite differences.

# %%
random = np.random.default_rng(0)
q, k, v = (minidl.tensor(random.standard_normal(shape), requires_grad=True) for shape in ((3, 8), (5, 8), (5, 2)))
y, p = attention(q.numpy(), k.numpy(), v.numpy())
dy = random.standard_normal(y.shape)
F.scaled_dot_product_attention(q, k, v).backward(dy)
assert np.allclose(y, F.scaled_dot_product_attention(q, k, v).numpy())
for by_hand, tensor in zip(attention_gradient(q.numpy(), k.numpy(), v.numpy(), p, dy), (q, k, v)):
    assert np.allclose(by_hand, tensor.grad.numpy())
assert minidl.gradcheck(F.scaled_dot_product_attention, [q, k, v])
print("attention and its three gradients agree with minidl")

# %% [markdown]
# ## In the library
#
# [minidl/functional/attention.py](../minidl/functional/attention.py) `attention_weights` computes $p$; it is composed
# of operations that have their own gradient rules. One thing is new, the **mask**, which hides some keys from a query:
# padding, or (`is_causal`) everything after the query, where a network must predict what comes next.

# %%
show_lines("minidl/functional/attention.py", "attention_weights")

# %% [markdown]
# `scaled_dot_product_attention` does not store $p$. With $L$ queries and $S$ keys, $p$ is an $L \times S$ matrix, the
# only thing here that grows with the square of the sequence length. The fast kernel,
# [kernels/attention/cython_cpu.pyx](../kernels/attention/cython_cpu.pyx) `forward`, takes a few queries at a time all
# the way from $q$ to $y$, and computes their $p$ again in the backward pass. The formulas are those of
# `attention_gradient` above: [kernels/attention/reference.py](../kernels/attention/reference.py) `backward`.

# %%
show_lines("kernels/attention/reference.py", "backward")

# %% [markdown]
# ## A task of looking up
#
# This task consists of nothing but looking up. The network gets eight folders in random order, each with a letter and a
# number, and is then asked for the number of one letter. It has an embedding for letters and one for numbers, and one
# linear layer each for queries, keys and values. It must learn what to compare.

# %%
LETTERS, NUMBERS, FOLDERS = 12, 10, 8


def lookup_task(count, generator):
    letters = np.array([generator.permutation(LETTERS)[:FOLDERS] for _ in range(count)])  # (N, 8), all different
    numbers = generator.integers(0, NUMBERS, (count, FOLDERS))
    asked = generator.integers(0, FOLDERS, count)
    every = np.arange(count)
    return letters, numbers, letters[every, asked], numbers[every, asked]


class LookUp(nn.Module):
    def __init__(self, size=32):
        super().__init__()
        self.letter, self.number = nn.Embedding(LETTERS, size), nn.Embedding(NUMBERS, size)
        self.query, self.key, self.value = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)
        self.output = nn.Linear(size, NUMBERS)

    def forward(self, letters, numbers, asked):
        folders = self.letter(letters) + self.number(numbers)  # (N, 8, size)
        q = self.query(self.letter(asked))[:, None]  # (N, 1, size)
        y = F.scaled_dot_product_attention(q, self.key(folders), self.value(folders))
        return self.output(y[:, 0])

    def weights(self, letters, numbers, asked):
        q = self.query(self.letter(asked))[:, None]
        return F.attention_weights(q, self.key(self.letter(letters) + self.number(numbers)))[:, 0]  # (N, 8)


minidl.manual_seed(0)
model = LookUp()
examples = lookup_task(4000, np.random.default_rng(1))
training.fit(model, examples, optimizer=optim.Adam(model.parameters(), lr=0.003), epochs=20)
letters, numbers, asked, answers = lookup_task(500, np.random.default_rng(2))
looked_up = training.evaluate(model, (letters, numbers, asked, answers))["accuracy"]
print(f"{looked_up:.1%} of 500 new questions answered correctly, by chance {1 / NUMBERS:.0%}")
assert looked_up > 0.95

# %% [markdown]
# These are the attention weights for ten of the questions (dark: large).

# %%
with minidl.no_grad():
    p = model.weights(*(minidl.tensor(part[:10]) for part in (letters, numbers, asked))).numpy()
figure, axes = plt.subplots(figsize=(7, 3.8))
axes.imshow(p, cmap="Blues", vmin=0, vmax=1)
for (row, column), weight in np.ndenumerate(p):
    label = f"{'ABCDEFGHIJKL'[letters[row, column]]}{numbers[row, column]}"
    axes.text(column, row, label, ha="center", va="center", fontsize=8, color="white" if weight > 0.5 else "black")
axes.set(title="ten questions: the attention weights of the folders", xlabel="folder", xticks=range(FOLDERS))
axes.set_yticks(range(10), [f"{'ABCDEFGHIJKL'[letter]}?" for letter in asked[:10]])
axes.grid(False)
plt.show()
found = (letters[:10] == asked[:10, None]).argmax(1)
assert (p.argmax(1) == found).mean() >= 0.9

# %% [markdown]
# Each row is one question; the dark cell is the folder to which the network gives its weight, and it has the letter
# that was asked for. Nobody told the network to compare letters. It learned this from the loss, through $da$.
#
# ## Order, heads, blocks
#
# **Order.** Shuffle the folders, and the answer stays the same: attention sees a set, not a sequence.

# %%
shuffled = np.random.default_rng(3).permutation(5)
same, _ = attention(q.numpy(), k.numpy()[shuffled], v.numpy()[shuffled])
assert np.allclose(same, y)

# %% [markdown]
# Where order matters, each element must carry its position: we add to it a learned vector for that position, a
# **position embedding** (a table as in tutorial 13).
#
# **Heads.** One softmax can look at one thing at a time. **Multi-head attention** sends queries, keys and values
# through a linear layer each, splits the results into parts (say 4, the *heads*), computes attention for each part
# separately, and combines the results by one more linear layer: [minidl/nn/attention.py](../minidl/nn/attention.py)
# `MultiheadAttention`.
#
# **Blocks.** A **transformer** (Vaswani and others, 2017) is a stack of blocks, and each block has two halves. The
# first is **self-attention**, where queries, keys and values all come from the sequence itself. The second is a
# **feed-forward network**, two linear layers that are applied to each element separately. The output of each half is
# *added* to its input (a **residual connection**), so that the gradient has a free path past it, and the sum is
# normalized to mean 0 and standard deviation 1 (**layer norm**).

# %%
show_lines("minidl/nn/transformer.py", "TransformerEncoderLayer.forward")
show_lines("minidl/nn/transformer.py", "TransformerEncoderLayer._feed_forward")

# %% [markdown]
# ## Something real
#
# An image is a sequence of small squares, or *patches* (the *vision transformer*: Dosovitskiy and others, 2020). We cut
# it into 16 patches, turn each into a vector by a linear layer, add its position embedding, let the blocks exchange
# information between the patches, and take the mean over them. There is no convolution in it, and nothing that knows
# that neighbours matter.

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
patch = side // 4  # 4 x 4 patches
epochs = 20


def patches(x):  # (N, 1, H, W) -> (N, 16, patch * patch)
    return x.reshape(len(x), 4, patch, 4, patch).transpose(0, 1, 3, 2, 4).reshape(len(x), 16, patch * patch)


class VisionTransformer(nn.Module):
    def __init__(self, size=64, heads=4, blocks=2):
        super().__init__()
        self.patch = nn.Linear(patch * patch, size)
        self.position = nn.Embedding(16, size)
        block = nn.TransformerEncoderLayer(size, heads, dim_feedforward=128, dropout=0.1, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, blocks)
        self.output = nn.Linear(size, 10)

    def forward(self, x):
        tokens = self.patch(x) + self.position(np.arange(16))  # (N, 16, size)
        return self.output(self.blocks(tokens).mean(1))


minidl.manual_seed(0)
transformer = VisionTransformer()
history = training.fit(
    transformer,
    (patches(x_train), y_train),
    optimizer=optim.Adam(transformer.parameters(), lr=0.001),
    epochs=epochs,
    validation_data=(patches(x_test), y_test),
    metrics=["accuracy"],
)
accuracy = history["validation_accuracy"][-1]
weights = sum(parameter.numel() for parameter in transformer.parameters())
print(f"a transformer with {weights:,} weights gets {accuracy:.1%} of the test images right (seed 0)")
assert accuracy > 0.85

# %% [markdown]
# Where does each patch look? Take one image and the first block. Each row of the figure is for one patch (orange) and
# shows, for each head, the weights that this patch gives to all sixteen patches (darker: more).

# %%
block = transformer.blocks.layers[0]
with minidl.no_grad():
    tokens = transformer.patch(minidl.tensor(patches(x_test[:1]))) + transformer.position(np.arange(16))
    _, p = block.eval().self_attn(tokens, tokens, tokens, need_weights=True, average_attn_weights=False)
p = p.numpy()[0]  # (heads, 16, 16)
assert p.shape == (4, 16, 16) and np.allclose(p.sum(-1), 1, atol=1e-5)
figure, axes = plt.subplots(4, 5, figsize=(7.5, 6))
for row, position in enumerate((1, 5, 10, 14)):
    show_image(axes[row, 0], x_test[0], f"a {y_test[0]}, one patch" if row == 0 else "")
    corner = (position % 4) * patch - 0.5, (position // 4) * patch - 0.5
    axes[row, 0].add_patch(plt.Rectangle(corner, patch, patch, fill=False, color="tab:orange", linewidth=2))
    for head in range(4):
        show_image(axes[row, head + 1], p[head, position].reshape(4, 4), f"head {head}" if row == 0 else "", vmin=0)
plt.show()

# %% [markdown]
# The convolutional network of tutorial 11 is better on the same images, with as many epochs: on scikit-learn's digits
# it gets 94.2% right, the transformer 91.4%, on average over five seeds. (From one seed to the next, each changes by
# some percent.) A convolution knows from the start that neighbours belong together and that a stroke is a stroke
# anywhere. A transformer must learn that from examples, so it needs more of them. With very many it can be the better
# one (Dosovitskiy and others), and it does not care whether the elements are patches, words or notes.
#
# ## What it costs
#
# Every element looks at every other one: $L^2$ scores for $L$ elements. A recurrent network takes $L$ steps, but one
# after the other; attention computes all scores at once, as matrix products, which is what fast kernels are made for.
# We time it for growing $L$.

# %%
times = {}
for length in (256, 1024, 4096):
    tokens = random.standard_normal((length, 32), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        F.scaled_dot_product_attention(tokens, tokens, tokens)
        seconds.append(time.perf_counter() - start)
    times[length] = 1e3 * min(seconds)
    print(f"{length:5} tokens, {length**2:11,} scores, {times[length]:8.2f} ms")
assert times[4096] > 16 * times[256], "sixteen times the tokens cost more than sixteen times the time"

# %% [markdown]
# Sixteen times as many elements have 256 times as many scores, and take hundreds of times as long.
#
# ## Exercises
#
# **1.** What does attention give when all keys are the same?
#
# <details><summary>Answer</summary>
#
# All scores of a query are equal, so every weight is $1/S$ and the result is the mean of the values.
#
# ```python
# same_keys = np.ones((5, 8))
# result, _ = attention(random.standard_normal((3, 8)), same_keys, v.numpy())
# assert np.allclose(result, v.numpy().mean(0))
# ```
# </details>
#
# **2.** A network that writes text may only look back. Build such attention with a mask of your own.
#
# <details><summary>Answer</summary>
#
# Put $-\infty$ where $s > l$: $e^{-\infty} = 0$.
#
# ```python
# x = random.standard_normal((6, 4))
# mask = np.where(np.tri(6, dtype=bool), 0.0, -np.inf)
# own = F.scaled_dot_product_attention(x, x, x, attn_mask=mask)
# assert np.allclose(own, F.scaled_dot_product_attention(x, x, x, is_causal=True))
# assert np.allclose(own[0], x[0])
# ```
# </details>
#
# **3.** Leave out `self.position`. How accurate is the network then, and why is it not worse still?
#
# <details><summary>Answer</summary>
#
# It then sees a *bag* of patches, without their positions. Which patches occur still says much about a digit.
#
# ```python
# class Bag(VisionTransformer):
#     def forward(self, x):
#         return self.output(self.blocks(self.patch(x)).mean(1))
#
#
# minidl.manual_seed(0)
# bag = Bag()
# training.fit(bag, (patches(x_train), y_train), optimizer=optim.Adam(bag.parameters(), lr=0.001), epochs=8)
# in_a_bag = training.evaluate(bag, (patches(x_test), y_test))["accuracy"]
# in_order = history["validation_accuracy"][7]  # after as many epochs
# print(f"{in_a_bag:.1%}, with positions {in_order:.1%}")
# assert 0.2 < in_a_bag < in_order
# ```
# </details>
#
# ## Next
#
# So far networks answered questions. Can they create something? [Generative adversarial networks](15_gan.py): one
# network makes samples, another judges them.
