# %% [markdown]
# # 13 · Sequences
#
# A sentence, a melody, a day of temperatures: they come piece after piece, they have any length, and what a piece
# means depends on those before it. A layer that takes a fixed number of inputs at once cannot read them.
#
# **Question.** How does a network read something that comes piece after piece, and how does the gradient find its way
# back to the first piece?

# %%
import re
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from course import FAST, load_images
from library_lines import REPOSITORY, show_lines

import minidl
import minidl.functional as F
from minidl import data, nn, optim, training

# %% [markdown]
# ## The formula
#
# Keep a **state** $h$, a vector that stands for all that was read so far. Each step takes the next input $x_t$ and
# the state before, and makes the new state, always with the same weights:
#
# $$a_t = W_x x_t + W_h h_{t-1} + b, \qquad h_t = \tanh a_t, \qquad h_0 = 0$$
#
# This is a **recurrent network** (RNN). Written out step by step it is a deep network, with as many layers as the
# sequence has pieces, that share their weights. So nothing new is needed for its gradient: the chain rule of tutorial
# 02 walks the steps backwards. That walk has a name, **backpropagation through time**. Two roads lead back to $h_t$:
# from the loss that looks at $h_t$ itself ($dy_t$), and from the next step ($W_h^T\,da_{t+1}$). With
# $\tanh'(a) = 1 - \tanh^2 a$:
#
# $$dh_t = dy_t + W_h^T\,da_{t+1}, \qquad da_t = dh_t \cdot (1 - h_t^2), \qquad dx_t = W_x^T\,da_t$$
#
# And as the weights are used in every step, their gradients are sums over all steps (tutorial 03):
#
# $$dW_x = \sum_t da_t\,x_t^T, \qquad dW_h = \sum_t da_t\,h_{t-1}^T, \qquad db = \sum_t da_t$$
#
# ## By hand


# %%
def rnn_forward(x, w_x, w_h, b):  # x is (T, N, C): T steps of N sequences at once
    h = [np.zeros((x.shape[1], len(w_h)))]
    for x_t in x:
        h.append(np.tanh(x_t @ w_x.T + h[-1] @ w_h.T + b))
    return np.stack(h)  # (T + 1, N, H), the first is h_0


def rnn_backward(x, w_x, w_h, h, dy):  # dy is (T, N, H)
    dw_x, dw_h, db = np.zeros_like(w_x), np.zeros_like(w_h), np.zeros(len(w_h))
    dx, from_next = np.empty_like(x), 0.0
    for t in reversed(range(len(x))):
        dh = dy[t] + from_next
        da = dh * (1 - h[t + 1] ** 2)
        dx[t] = da @ w_x
        dw_x += da.T @ x[t]
        dw_h += da.T @ h[t]
        db += da.sum(0)
        from_next = da @ w_h
    return dx, dw_x, dw_h, db


# %% [markdown]
# ## Check
#
# Against the library, whose `nn.RNN` has PyTorch's names: `weight_ih_l0` is $W_x$ ("input to hidden", layer 0),
# `weight_hh_l0` is $W_h$, and there are two biases that are simply added.

# %%
random = np.random.default_rng(0)
T, N, C, H = 5, 3, 4, 6
layer = nn.RNN(C, H).double()
x = minidl.tensor(random.standard_normal((T, N, C)), requires_grad=True)
dy = random.standard_normal((T, N, H))
w_x, w_h = layer.weight_ih_l0.numpy(), layer.weight_hh_l0.numpy()
b = layer.bias_ih_l0.numpy() + layer.bias_hh_l0.numpy()

y, h_last = layer(x)
y.backward(dy)
h = rnn_forward(x.numpy(), w_x, w_h, b)
dx, dw_x, dw_h, db = rnn_backward(x.numpy(), w_x, w_h, h, dy)
assert np.allclose(h[1:], y.numpy()) and np.allclose(h[-1], h_last.numpy()[0])
assert np.allclose(dx, x.grad.numpy())
assert np.allclose(dw_x, layer.weight_ih_l0.grad.numpy())
assert np.allclose(dw_h, layer.weight_hh_l0.grad.numpy())
assert np.allclose(db, layer.bias_hh_l0.grad.numpy())
print("forward and backward through time agree with minidl")

# %% [markdown]
# ## In the library
#
# The same loop is in [kernels/recurrent/reference.py](../kernels/recurrent/reference.py) `rnn_forward` and
# [kernels/recurrent/reference.py](../kernels/recurrent/reference.py) `rnn_backward`. Two things are taken out of the
# loop, for they do not depend on the step before: $W_x x_t$ of all steps is one big product, and so are the sums for
# $dW_x$ and $dW_h$.

# %%
show_lines("kernels/recurrent/reference.py", "rnn_forward")
show_lines("kernels/recurrent/reference.py", "rnn_backward")

# %% [markdown]
# ## Why it forgets, and the LSTM
#
# On its way from the last step to the first, the gradient is multiplied by $W_h^T$ and by $1 - h_t^2 \le 1$ at each
# step. Twenty factors of 0.6 leave 0.00004 of it: it **vanishes**. (With larger weights it can **explode** instead.)
# What was read long ago then cannot be learned from.
#
# The **LSTM** (Hochreiter and Schmidhuber, 1997; with its gate $f$: Gers and others, 2000) keeps a second state, the
# **cell** $c$, that is not pushed through weights and tanh at every step. It is only multiplied by a number between 0
# and 1 and added to:
#
# $$c_t = f_t \cdot c_{t-1} + i_t \cdot g_t, \qquad h_t = o_t \cdot \tanh c_t$$
#
# The three **gates** $i$ (let in), $f$ (keep; "forget gate") and $o$ (show) are sigmoids, $\sigma(a) = 1/(1 + e^{-a})$,
# of $a = W_x x_t + W_h h_{t-1} + b$, each with weights of its own, and $g$ is a tanh of the same kind. Along the cell
# the gradient is multiplied by $f_t$ alone. Where the network keeps $f$ near 1, it remembers.

# %%
show_lines("kernels/recurrent/reference.py", "lstm_forward")

# %% [markdown]
# Let us see it: the size of the gradient of the *last* output with respect to the input of *each* step, in networks
# that have learned nothing yet. For the second LSTM we set the bias of its forget gate to 4, so that it starts with
# $f = \sigma(4) = 0.98$: a network that begins by keeping everything.


# %%
def gradient_by_step(layer, steps=60):
    x = minidl.tensor(np.random.default_rng(1).standard_normal((steps, 8, 4)), requires_grad=True)
    y, _ = layer.double()(x)
    y[-1].sum().backward()
    return np.sqrt((x.grad.numpy() ** 2).sum((1, 2)))  # (T,)


def keep_everything(lstm):
    forget_gate = slice(lstm.hidden_size, 2 * lstm.hidden_size)  # the parts of the bias are i, f, g, o
    with minidl.no_grad():
        lstm.bias_ih_l0[forget_gate] = 4.0
    return lstm


minidl.manual_seed(0)
networks = {"RNN": nn.RNN(4, 32), "LSTM": nn.LSTM(4, 32), "LSTM that keeps": keep_everything(nn.LSTM(4, 32))}
reach = {name: gradient_by_step(network) for name, network in networks.items()}
figure, axes = plt.subplots()
for name, sizes in reach.items():
    axes.semilogy(np.arange(len(sizes)) - len(sizes) + 1, sizes, label=name)
axes.set(xlabel="step, counted from the last", ylabel="size of the gradient", title="how far back the loss can reach")
axes.legend()
plt.show()
share = {name: sizes[0] / sizes[-1] for name, sizes in reach.items()}
print({name: f"{value:.1e}" for name, value in share.items()})
assert share["RNN"] < 1e-6 and share["LSTM"] < 1e-6 and share["LSTM that keeps"] > 0.01

# %% [markdown]
# The plain LSTM forgets too, at first: its gates start at one half. It *can* learn to keep; starting with open forget
# gates is a head start.
#
# A task that shows the difference: the first of 40 inputs says "left" or "right", 39 inputs of noise follow, and at
# the end the network is asked what the first one was.


# %%
def remember_task(count, generator, steps=40):
    y = generator.integers(0, 2, count)
    x = generator.normal(0, 0.5, (count, steps, 2)).astype(np.float32)
    x[:, 0] = 3 * np.eye(2, dtype=np.float32)[y]
    return x, y


class Reader(nn.Module):
    """Reads a sequence (N, T, C), and answers with class scores after the last step."""

    def __init__(self, recurrent, classes):
        super().__init__()
        self.recurrent = recurrent
        self.output = nn.Linear(recurrent.hidden_size, classes)

    def forward(self, x):
        states, _ = self.recurrent(x)  # (N, T, H)
        return self.output(states[:, -1])


accuracy = {}
train, test = remember_task(1000, np.random.default_rng(2)), remember_task(500, np.random.default_rng(3))
for name, layer in (
    ("RNN", lambda: nn.RNN(2, 16, batch_first=True)),
    ("LSTM that keeps", lambda: keep_everything(nn.LSTM(2, 16, batch_first=True))),
):
    minidl.manual_seed(0)
    model = Reader(layer(), 2)
    training.fit(model, train, optimizer=optim.Adam(model.parameters(), lr=0.005), epochs=10)
    accuracy[name] = training.evaluate(model, test)["accuracy"]
    print(f"{name:16} remembers the first input in {accuracy[name]:.1%} of {len(test[0])} new sequences")
assert accuracy["LSTM that keeps"] > 0.99 > 0.8 > accuracy["RNN"]

# %% [markdown]
# A coin would do as well as the RNN.
#
# ## Something real
#
# **Pictures, row by row.** An image can be read as a sequence: its rows, from top to bottom. No convolution, and yet:

# %%
x_train, y_train, x_test, y_test = load_images(train_limit=3000)
rows_train, rows_test = x_train[:, 0], x_test[:, 0]  # (N, H, W): H steps of W numbers
side = rows_train.shape[-1]
minidl.manual_seed(0)
model = Reader(nn.LSTM(side, 64, batch_first=True), 10)
history = training.fit(
    model, (rows_train, y_train), optimizer=optim.Adam(model.parameters(), lr=0.005), epochs=20, metrics=["accuracy"]
)
by_rows = training.evaluate(model, (rows_test, y_test))["accuracy"]
print(f"an LSTM that reads rows names {by_rows:.1%} of the test pictures")
assert by_rows > 0.85

# %% [markdown]
# When does it know? Ask after each row.

# %%
with minidl.no_grad():
    states, _ = model.recurrent(minidl.tensor(rows_test))  # (N, H, 64)
    answers = model.output(states).numpy().argmax(-1)  # (N, H)
after_row = (answers == y_test[:, None]).mean(0)
example = np.flatnonzero(answers[:, -1] == y_test)[3]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3), width_ratios=(1, 2.4))
left.imshow(rows_test[example])
said = " ".join(map(str, answers[example][:: max(1, side // 8)]))
left.set(title=f"a {y_test[example]}: said {said}", ylabel="row", xticks=[])
left.grid(False)
right.plot(np.arange(1, side + 1), after_row, "o-", markersize=4)
right.set(xlabel="rows read", ylabel="share right", ylim=(0, 1), title="in training it was only asked after the last")
plt.show()
assert after_row[-1] == by_rows and after_row[0] < 0.4

# %% [markdown]
# Only near the end. Before, it does hardly better than guessing, or worse: no loss ever asked for those answers.
#
# **Text, character by character.** Give a network a text and let it guess each next character. The loss is the
# cross-entropy of tutorial 06, per character; guessing blindly among $K$ characters costs $\log K$. (The unit of a
# natural logarithm is called *nat*.) The text is this course: the words of tutorials 01 to 11. It is short, so the
# network will learn how words look, and hardly what they mean. A character is no quantity, so each gets a vector of its
# own: an **embedding** is a table with one row of weights for each character, and the gradient of a row is the sum of
# the gradients wherever that character stood.

# %%
pages = sorted((REPOSITORY / "tutorials").glob("[01]*_*.py"))[:11]
cells = [cell for page in pages for cell in re.findall(r"^# %% \[markdown\]\n((?:#.*\n?)*)", page.read_text(), re.M)]
words = re.sub(r"^# ?", "", "\n".join(cells), flags=re.M)
noise = r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|<[^>]*>|\]\([^)]*\)|[`*#\[\]]"  # code, formulas, marks: the prose alone stays
words = re.sub(noise, "", words, flags=re.S)
words = re.sub(r"\s+", " ", words).encode("ascii", "ignore").decode()
vocabulary = sorted(set(words))
ids = np.array([vocabulary.index(character) for character in words])
held_out = len(ids) // 10  # the last tenth is for the test
train_text = data.TextDataset(ids[:-held_out], vocabulary, sequence_length=48)
test_text = data.TextDataset(ids[-held_out:], vocabulary, sequence_length=48)
print(train_text)


class Writer(nn.Module):
    """A character becomes a vector, an LSTM reads, and each state scores what may come next."""

    def __init__(self, characters, size=128):
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.lstm = nn.LSTM(32, size, batch_first=True)
        self.output = nn.Linear(size, characters)

    def forward(self, x, state=None):
        y, state = self.lstm(self.embedding(x), state)
        self.state = state  # where the next piece goes on
        return self.output(y)  # (N, T, K)


def loss_per_character(logits, target):
    return F.cross_entropy(logits.reshape(-1, len(vocabulary)), target.reshape(-1))


minidl.manual_seed(0)
writer = Writer(len(vocabulary))
history = training.fit(
    writer,
    train_text,
    optimizer=optim.Adam(writer.parameters(), lr=0.005),
    loss=loss_per_character,
    epochs=4 if FAST else 20,
    batch_size=16,
    validation_data=test_text,
)
losses = history["validation_loss"]
print(f"blind {np.log(len(vocabulary)):.2f}, after one epoch {losses[0]:.2f}, at best {min(losses):.2f} nats/character")
assert min(losses) < 2.6 < 3.9 < np.log(len(vocabulary))

# %% [markdown]
# To **write**, feed it a beginning, draw the next character from its probabilities, feed that, and so on. Dividing
# the logits by a **temperature** below 1 makes it play safe.


# %%
def write(beginning, length, temperature=0.6, seed=0):
    generator, text, state = np.random.default_rng(seed), beginning, None
    piece = train_text.encode(beginning)[None]  # (1, T)
    with minidl.no_grad():
        for _ in range(length):
            logits = writer(minidl.tensor(piece), state)[0, -1]
            state = writer.state
            chance = F.softmax(logits.double() / temperature, 0).numpy()
            chosen = generator.choice(len(chance), p=chance)
            text += vocabulary[chosen]
            piece = np.array([[chosen]])
    return text


print(textwrap.fill(write("The gradient ", 400), 100))

# %% [markdown]
# ## Truncated backpropagation
#
# A book is one sequence of a million characters. Nobody walks back through all of it: cut it into pieces, carry the
# *state* from piece to piece, and let the *gradient* stop at each cut. In the code that is one word, `state.detach()`:
# the numbers go on, the graph does not.

# %%
state = None
for start in range(0, 144, 48):
    piece = minidl.tensor(ids[None, start : start + 48])
    logits = writer(piece, state)
    h, c = writer.state
    state = h.detach(), c.detach()
assert logits.requires_grad and not any(part.requires_grad for part in state)

# %% [markdown]
# ## Exercises
#
# **1.** How many weights has an LSTM, compared with an RNN of the same size?
#
# <details><summary>Answer</summary>
#
# Four times as many: the three gates and $g$ each have what the RNN has once.
#
# ```python
# def count(layer):
#     return sum(parameter.numel() for parameter in layer.parameters())
#
#
# assert count(nn.LSTM(8, 16)) == 4 * count(nn.RNN(8, 16))
# ```
# </details>
#
# **2.** Multiply the recurrent weights of an RNN by 8 and draw its gradients. What happens, and what helps?
#
# <details><summary>Answer</summary>
#
# Where $\tanh$ is not saturated the gradient grows at every step. Shortening it before each step of the optimizer helps
# (**gradient clipping**): `nn.utils.clip_grad_norm_`.
#
# ```python
# minidl.manual_seed(0)
# wild = nn.RNN(4, 32)
# with minidl.no_grad():
#     wild.weight_hh_l0 *= 8
# sizes = gradient_by_step(wild)
# assert sizes.max() > 10 * reach["RNN"].max()
# nn.utils.clip_grad_norm_(wild.parameters(), 1.0)
# norm = np.sqrt(sum((parameter.grad.numpy() ** 2).sum() for parameter in wild.parameters()))
# assert norm < 1.001
# ```
# </details>
#
# **3.** Write with temperature 0.2 and with 1.5. What do you see?
#
# <details><summary>Answer</summary>
#
# Cold: the same few safe words over and over. Hot: it invents words.
#
# ```python
# cold, hot = write("The ", 200, temperature=0.2), write("The ", 200, temperature=1.5)
# print(cold, hot, sep="\n---\n")
# assert len(set(cold)) < len(set(hot))
# ```
# </details>
#
# ## Next
#
# The state is a bottleneck: all that was read must fit into one vector. [Attention](14_attention.py) looks back at
# everything instead.
