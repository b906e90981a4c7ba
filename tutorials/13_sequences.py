# %% [markdown]
# # 13 · Sequences
#
# A sentence, a melody, the temperatures of a day: such data come one element after another, can have any length, and
# what an element means depends on those before it. A layer with a fixed number of inputs cannot read them.
#
# **Question.** How does a network read a sequence, one element after another, and how does the gradient find its way
# back to the first element?

# %%
import re
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from course import load_images
from library_lines import REPOSITORY, show_lines

import minidl
import minidl.functional as F
from minidl import data, nn, optim, training

# %% [markdown]
# ## The formula
#
# Keep a **state** $h$ (the *hidden state*), a vector that summarizes everything read so far. Each step computes the new
# state from the next input $x_t$ and the previous state, always with the same weights:
#
# $$a_t = W_x x_t + W_h h_{t-1} + b, \qquad h_t = \tanh a_t, \qquad h_0 = 0$$
#
# This is a **recurrent neural network** (RNN). Written out step by step, it is a deep network with one layer for each
# element of the sequence, and all these layers share their weights. So nothing new is needed for its gradient: the
# chain rule of tutorial 02 goes through the steps backwards. This is called **backpropagation through time**. The
# gradient reaches $h_t$ by two paths: from the part of the loss that uses $h_t$ directly ($dy_t$), and from the next
# step ($W_h^T\,da_{t+1}$). With $\tanh'(a) = 1 - \tanh^2 a$:
#
# $$dh_t = dy_t + W_h^T\,da_{t+1}, \qquad da_t = dh_t \cdot (1 - h_t^2), \qquad dx_t = W_x^T\,da_t$$
#
# As every step uses the same weights, their gradients are sums over all steps (tutorial 03):
#
# $$dW_x = \sum_t da_t\,x_t^T, \qquad dW_h = \sum_t da_t\,h_{t-1}^T, \qquad db = \sum_t da_t$$
#
# ## By hand
#
# The forward pass keeps all the states, because the backward pass needs them.


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
# We compare with the library's `nn.RNN`, which has PyTorch's names: `weight_ih_l0` is $W_x$ ("input to hidden", layer
# 0), `weight_hh_l0` is $W_h$, and there are two biases, which are simply added.

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
# [kernels/recurrent/reference.py](../kernels/recurrent/reference.py) `rnn_backward`. What does not depend on the
# previous step is moved out of the loop: $W_x x_t$, and in the backward pass $dx$ and the sums for the gradients of the
# weights and biases, each computed for all steps in one large matrix product or sum.

# %%
show_lines("kernels/recurrent/reference.py", "rnn_forward")
show_lines("kernels/recurrent/reference.py", "rnn_backward")

# %% [markdown]
# ## Why it forgets, and the LSTM
#
# On its way from the last step to the first, the gradient is multiplied by $W_h^T$ and by $1 - h_t^2 \le 1$ at every
# step. If each step leaves 0.6 of it, then twenty steps leave 0.00004: the gradient **vanishes**. (With larger weights
# it can **explode** instead.) The network then cannot learn from what it read long ago.
#
# The **LSTM** (*long short-term memory*; Hochreiter and Schmidhuber, 1997; its gate $f$: Gers and others, 2000) keeps a
# second state, the **cell** $c$, which does not pass through a weight matrix and a tanh at every step. It is only
# multiplied by a number between 0 and 1, and added to:
#
# $$c_t = f_t \cdot c_{t-1} + i_t \cdot g_t, \qquad h_t = o_t \cdot \tanh c_t$$
#
# The three **gates** $i$ (input gate: how much to let in), $f$ (forget gate: how much to keep) and $o$ (output gate:
# how much to show) are sigmoids, $\sigma(a) = 1/(1 + e^{-a})$, of $a = W_x x_t + W_h h_{t-1} + b$, each with its own
# weights. The new content $g$ is the tanh of another such sum. Along the cell, the gradient is multiplied by $f_t$
# alone. As long as the network keeps $f$ near 1, it remembers.

# %%
show_lines("kernels/recurrent/reference.py", "lstm_forward")

# %% [markdown]
# To see this, we measure the size of the gradient of the *last* output with respect to the input of *each* step, in
# networks that have not been trained yet. In the second LSTM ("open") we set the bias of the forget gate to 4, so that
# it starts with $f = \sigma(4) = 0.98$ and keeps nearly everything.


# %%
def gradient_by_step(layer, steps=60):
    x = minidl.tensor(np.random.default_rng(1).standard_normal((steps, 8, 4)), requires_grad=True)
    y, _ = layer.double()(x)
    y[-1].sum().backward()
    return np.sqrt((x.grad.numpy() ** 2).sum((1, 2)))  # (T,)


def open_forget_gate(lstm):
    forget_gate = slice(lstm.hidden_size, 2 * lstm.hidden_size)  # the parts of the bias are i, f, g, o
    with minidl.no_grad():
        lstm.bias_ih_l0[forget_gate] = 4.0
    return lstm


minidl.manual_seed(0)
networks = {"RNN": nn.RNN(4, 32), "LSTM": nn.LSTM(4, 32), "LSTM, open": open_forget_gate(nn.LSTM(4, 32))}
reach = {name: gradient_by_step(network) for name, network in networks.items()}
figure, axes = plt.subplots()
for name, sizes in reach.items():
    axes.semilogy(np.arange(len(sizes)) - len(sizes) + 1, sizes, label=name)
axes.set(xlabel="step, counted from the last", ylabel="size of the gradient", title="how far back the gradient reaches")
axes.legend()
plt.show()
share = {name: sizes[0] / sizes[-1] for name, sizes in reach.items()}
print({name: f"{value:.1e}" for name, value in share.items()})
assert share["RNN"] < 1e-6 and share["LSTM"] < 1e-6 and share["LSTM, open"] > 0.01

# %% [markdown]
# The gradients of the RNN and of the plain LSTM vanish within these 60 steps. The plain LSTM forgets at first because
# its gates start near one half. It *can* learn to keep; starting with open forget gates gives it a head start.
#
# The next task shows the difference. The first of 40 inputs says "left" or "right", 39 inputs of noise follow, and at
# the end the network is asked what the first input was.


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
    ("LSTM, open", lambda: open_forget_gate(nn.LSTM(2, 16, batch_first=True))),
):
    minidl.manual_seed(0)
    model = Reader(layer(), 2)
    training.fit(model, train, optimizer=optim.Adam(model.parameters(), lr=0.005), epochs=10)
    accuracy[name] = training.evaluate(model, test)["accuracy"]
    print(f"{name:10} remembers the first input in {accuracy[name]:.1%} of {len(test[0])} new sequences")
assert accuracy["LSTM, open"] > 0.99 > 0.8 > accuracy["RNN"]

# %% [markdown]
# The RNN does no better than tossing a coin.
#
# ## Something real
#
# **Images, row by row.** An image can be read as a sequence: its rows, from top to bottom. Here an LSTM reads the rows
# of a digit and answers after the last one. It contains no convolution.

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
print(f"an LSTM that reads row by row gets {by_rows:.1%} of the test images right")
assert by_rows > 0.85

# %% [markdown]
# It reads most digits correctly. At which row does it know the answer? We apply its output layer to the state after
# each row.

# %%
with minidl.no_grad():
    states, _ = model.recurrent(minidl.tensor(rows_test))  # (N, H, 64)
    answers = model.output(states).numpy().argmax(-1)  # (N, H)
after_row = (answers == y_test[:, None]).mean(0)
example = np.flatnonzero(answers[:, -1] == y_test)[3]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3), width_ratios=(1, 2.4))
left.imshow(rows_test[example])
said = " ".join(map(str, answers[example][:: max(1, side // 8)]))
left.set(title=f"a {y_test[example]}: answers {said}", ylabel="row", xticks=[])
left.grid(False)
right.plot(np.arange(1, side + 1), after_row, "o-", markersize=4)
right.set(xlabel="rows read", ylabel="accuracy", ylim=(0, 1), title="trained to answer only after the last row")
plt.show()
assert after_row[-1] == by_rows and after_row[0] < 0.4

# %% [markdown]
# It knows the answer only near the end. Before that it does hardly better than guessing, or worse: no loss ever asked
# for those answers.
#
# **Text, character by character.** Give a network a text and let it predict each next character from the true ones
# before it (**teacher forcing**). The loss is the cross-entropy of tutorial 06, averaged over the characters; guessing
# blindly among $K$ characters costs $\log K$. (The unit of a natural logarithm is called *nat*.) The text is this
# course: the words of tutorials 01 to 11. It is short, so the network will learn what words look like, but hardly what
# they mean. A character is not a quantity, so each one gets a vector of its own: an **embedding** is a table with one
# row of weights for each character. The gradient of a row is the sum of the gradients from all places where that
# character occurs.

# %%
pages = sorted((REPOSITORY / "tutorials").glob("[01]*_*.py"))[:11]
cells = [cell for page in pages for cell in re.findall(r"^# %% \[markdown\]\n((?:#.*\n?)*)", page.read_text(), re.M)]
words = re.sub(r"^# ?", "", "\n".join(cells), flags=re.M)
noise = r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|<[^>]*>|\]\([^)]*\)|[`*#\[\]]"  # code, formulas, markup: only prose stays
words = re.sub(noise, "", words, flags=re.S)
words = re.sub(r"\s+", " ", words).encode("ascii", "ignore").decode()
vocabulary = sorted(set(words))
ids = np.array([vocabulary.index(character) for character in words])
held_out = len(ids) // 10  # the last tenth is for the test
train_text = data.TextDataset(ids[:-held_out], vocabulary, sequence_length=48)
test_text = data.TextDataset(ids[-held_out:], vocabulary, sequence_length=48)
print(train_text)


class Writer(nn.Module):
    """Embeds each character, reads with an LSTM, and computes from each state the logits of the next character."""

    def __init__(self, characters, size=128):
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.lstm = nn.LSTM(32, size, batch_first=True)
        self.output = nn.Linear(size, characters)

    def forward(self, x, state=None):
        y, state = self.lstm(self.embedding(x), state)
        self.state = state  # where the next piece of text continues
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
    epochs=20,
    batch_size=16,
    validation_data=test_text,
)
losses = history["validation_loss"]
print(f"blind {np.log(len(vocabulary)):.2f}, after one epoch {losses[0]:.2f}, at best {min(losses):.2f} nats/character")
assert min(losses) < 2.6 < 3.9 < np.log(len(vocabulary))

# %% [markdown]
# The loss is far below that of blind guessing. To **write** (*sample*) text, feed the network a beginning, draw the
# next character from the predicted probabilities, feed that one in, and so on. Dividing the logits by a **temperature**
# below 1 makes likely characters even likelier.


# %%
def write(beginning, length, temperature=0.6, seed=0):
    generator, text, state = np.random.default_rng(seed), beginning, None
    piece = train_text.encode(beginning)[None]  # (1, T)
    with minidl.no_grad():
        for _ in range(length):
            logits = writer(minidl.tensor(piece), state)[0, -1]
            state = writer.state
            p = F.softmax(logits.double() / temperature, 0).numpy()
            chosen = generator.choice(len(p), p=p)
            text += vocabulary[chosen]
            piece = np.array([[chosen]])
    return text


print(textwrap.fill(write("The gradient ", 400), 100))

# %% [markdown]
# The words look like English and mean nothing, as expected.
#
# ## Truncated backpropagation
#
# A book is one sequence of a million characters. Nobody backpropagates through all of it. Instead, cut it into pieces,
# carry the *state* from one piece to the next, and stop the *gradient* at each cut (**truncated backpropagation through
# time**). In the code that takes a single call, `state.detach()`: the numbers go on, the graph does not.

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
# **1.** How many weights does an LSTM have, compared with an RNN of the same size?
#
# <details><summary>Answer</summary>
#
# Four times as many: each of the three gates, and $g$, has as many weights as the whole RNN.
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
# **2.** Multiply the recurrent weights of an RNN by 8 and measure its gradients again. What happens, and what helps?
#
# <details><summary>Answer</summary>
#
# Where $\tanh$ is not saturated, the gradient grows at every step. **Gradient clipping** helps: before each step of the
# optimizer, a gradient that is longer than a limit is shortened to it (`nn.utils.clip_grad_norm_`).
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
# At 0.2, the same few safe words over and over. At 1.5, it invents words.
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
# The state is a bottleneck: everything the network has read must fit into one vector. [Attention](14_attention.py)
# looks back at all elements instead.
