# %% [markdown]
# # 04 · Trust: gradient checking
#
# You derived a handful of rules, and minidl has dozens. Each is a place for a mistake: a lost factor, a forgotten
# transpose. Such a mistake does not crash the program. The network only trains a little worse, and nobody knows why.
#
# **Question.** How do we find out whether a gradient is right, when the code runs either way?

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images
from library_lines import show_lines

import minidl
from minidl.autograd import Function

# %% [markdown]
# ## A wrong gradient still learns
#
# First we show that a falling loss proves nothing. A neuron, $y=\tanh(x\cdot w + b)$, is to tell threes from eights.
# The correct derivative of $\tanh$ is $1-y^2$. We also write a wrong one, $1-2y^2$, with a stray factor of 2, and train
# with each. In minidl, an operation of your own is a `Function` with `forward` and `backward`.


# %%
class RightTanh(Function):
    saves_output = True  # so that backward is given y, as `output`

    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy, inputs, output):
        return dy * (1 - output * output)


class WrongTanh(RightTanh):
    def backward(self, dy, inputs, output):
        return dy * (1 - 2 * output * output)


images, labels, _, _ = load_images()
chosen = (labels == 3) | (labels == 8)
x = minidl.tensor(images[chosen].reshape(chosen.sum(), -1).astype(np.float64))  # (N, P)
t = minidl.tensor(np.where(labels[chosen] == 8, 1.0, -1.0))  # (N,)
learning_rate = 1 / (x * x).sum(1).mean().item()  # images with much ink give steep slopes, which need short steps


def train(activation, steps=40):
    w = minidl.tensor(np.zeros(x.shape[1]), requires_grad=True)
    b = minidl.tensor(np.zeros(()), requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = ((activation()(x @ w + b) - t) ** 2).mean()
        loss.backward()
        with minidl.no_grad():  # updating the weights must not be recorded
            for weight in (w, b):
                weight -= learning_rate * weight.grad
                weight.grad = None
        losses.append(loss.item())
    return losses


right, wrong = train(RightTanh), train(WrongTanh)
figure, axes = plt.subplots()
axes.plot(right, label="right gradient, $1-y^2$")
axes.plot(wrong, label="wrong gradient, $1-2y^2$")
axes.set(xlabel="step", ylabel="loss", ylim=(0, None), title="both losses fall")
axes.legend()
plt.show()

print(f"loss after {len(right)} steps: right {right[-1]:.3f}, wrong {wrong[-1]:.3f}")
assert wrong[-1] < 0.5 * wrong[0], "the wrong gradient learns too"
assert right[-1] < wrong[-1]

# %% [markdown]
# Had you seen only the second curve, you would not have suspected anything.
#
# ## The formula
#
# Tutorial 01 gave us a witness that knows nothing of our rules: the central difference. The gradient it measures is
# called the **numerical gradient**. A **gradient check** compares it with our gradient, for every number of every
# input. Three things make the comparison fair.
#
# **1. One number to differentiate.** An operation gives an array $y$, but a gradient is that of a single number $L$. We
# could take the sum, $L=\sum_i y_i$. That is a trap, as you will see. Take a random weight $v_i$ for each output
# instead:
#
# $$L = \sum_i v_i\, y_i \qquad\text{so that}\qquad dy = v .$$
#
# The array $v$ is called a **cotangent**. (With all weights equal to 1 we would only ever test the rule for $dy = 1$.)
#
# **2. The right step, and enough digits.** The error of the central difference is about $h^2$ (from the third
# derivative) plus $\epsilon/h$ (from rounding). The sum is smallest near $h = \epsilon^{1/3}$. With the 16 digits of
# `float64` that is about $6\cdot 10^{-6}$, and some ten digits are correct. With the 7 digits of `float32` at most four
# are correct: too few to tell a small mistake from rounding.
#
# **3. A relative tolerance.** An error of 0.001 is large for a slope of 0.01 and small for one of 1000. We accept
#
# $$|\text{slope} - dx| \le 10^{-7} + 10^{-5}\,|\text{slope}| .$$
#
# Divide both sides by $10^{-2} + |\text{slope}|$: the relative error must be at most $10^{-5}$, where the $10^{-2}$
# keeps slopes near 0 from making it huge.
#
# ## By hand
#
# The function below takes a forward function, its gradient rule and the inputs, and does all three.


# %%
def gradient_errors(forward, backward, *inputs, h=1e-6, cotangent=None):
    """The largest relative error of each input's gradient; infinite if its shape is wrong."""
    y = forward(*inputs)
    v = np.random.default_rng(0).standard_normal(y.shape) if cotangent is None else cotangent
    errors = []
    for i, dx in enumerate(backward(v, *inputs)):
        if dx.shape != inputs[i].shape:
            errors.append(np.inf)
            continue
        slope = np.empty_like(dx)
        for index in np.ndindex(dx.shape):
            nudge = np.zeros_like(inputs[i])
            nudge[index] = h
            above = (v * forward(*inputs[:i], inputs[i] + nudge, *inputs[i + 1 :])).sum()
            below = (v * forward(*inputs[:i], inputs[i] - nudge, *inputs[i + 1 :])).sum()
            slope[index] = (above - below) / (2 * h)
        errors.append(float(np.max(np.abs(slope - dx) / (1e-2 + np.abs(slope)))))
    return errors


# %% [markdown]
# ## Check the check
#
# A check that accepts everything is worse than none. So we test it with four correct rules, which must pass, and with a
# wrong version of each, with a mistake that people really make. All four mistakes must be caught.

# %%
random = np.random.default_rng(1)
a, b, c = random.uniform(0.5, 2, (3, 3)), random.uniform(0.5, 2, (3, 3)), random.uniform(0.5, 2, 3)


def shares(x):  # each number's share of its row's sum
    return x / x.sum(1, keepdims=True)


def shares_rule(dy, x):
    return ((dy - (dy * shares(x)).sum(1, keepdims=True)) / x.sum(1, keepdims=True),)


cases = {
    "product": (lambda a, b: a @ b, lambda dy, a, b: (dy @ b.T, a.T @ dy), (a, b)),
    "product, transpose forgotten": (lambda a, b: a @ b, lambda dy, a, b: (dy @ b, a.T @ dy), (a, b)),
    "bias": (lambda a, c: a + c, lambda dy, a, c: (dy, dy.sum(0)), (a, c)),
    "bias, broadcasting forgotten": (lambda a, c: a + c, lambda dy, a, c: (dy, dy), (a, c)),
    "x sin x": (lambda x: x * np.sin(x), lambda dy, x: (dy * (np.sin(x) + x * np.cos(x)),), (a,)),
    "x sin x, a term lost": (lambda x: x * np.sin(x), lambda dy, x: (dy * x * np.cos(x),), (a,)),
    "shares": (shares, shares_rule, (a,)),
    "shares, scaled by 3.7": (shares, lambda dy, x: (3.7 * shares_rule(dy, x)[0],), (a,)),
}
worst = {name: max(gradient_errors(*case[:2], *case[2])) for name, case in cases.items()}
for name, error in worst.items():
    print(f"{name:30} {error:8.1e}   {'right' if error < 1e-5 else 'WRONG'}")
    assert (error < 1e-5) == ("," not in name)

# %% [markdown]
# Now the trap. The shares in a row always add up to 1, so $\sum_i y_i$ is constant, whatever the input. Its gradient is
# 0, and 3.7 times 0 is still 0. If all weights are 1, the scaled rule passes:

# %%
ones = np.ones_like(a)
fooled = max(gradient_errors(*cases["shares, scaled by 3.7"][:2], a, cotangent=ones))
caught = worst["shares, scaled by 3.7"]
print(f"shares scaled by 3.7: error {fooled:.1e} with all weights 1, {caught:.1e} with random ones")
assert fooled < 1e-5 < caught

# %% [markdown]
# Next, the step and the digits: the error of a correct rule, for many steps $h$, in `float32` and in `float64`.


# %%
def curved(a, b):  # a product alone has no third derivative, so its central difference would be too good
    return np.exp(a @ b / 4)


def curved_rule(dy, a, b):
    dproduct = dy * curved(a, b) / 4
    return dproduct @ b.T, a.T @ dproduct


steps = 10.0 ** np.arange(-10, 0.1, 0.5)
figure, axes = plt.subplots()
for dtype in (np.float32, np.float64):
    inputs = [array.astype(dtype) for array in (a, b)]
    errors = [max(gradient_errors(curved, curved_rule, *inputs, h=h)) for h in steps]
    assert (min(errors) < 1e-5) == (dtype == np.float64)
    axes.loglog(steps, errors, ".-", label=np.dtype(dtype).name)
axes.axhline(1e-5, color="black", linewidth=0.8, linestyle="--")
axes.text(2e-8, 1.8e-5, "tolerance", fontsize=9)
axes.set(xlabel="step h", ylabel="relative error", title="a correct gradient, checked with few and with many digits")
axes.legend()
plt.show()

# %% [markdown]
# In `float32` even a correct gradient never gets below the tolerance. So check in `float64`, and train in `float32`.
#
# **Kinks.** $|x|$ has no derivative at 0: its slope is $-1$ on the left and $1$ on the right. The central difference
# gives the mean of the two at 0, and other values between them at points closer to 0 than $h$. So it cannot tell
# whether a rule is correct there. Choose inputs for a check that are away from kinks.

# %%
for x0 in (0.0, 1e-7, 0.3):
    measured = (abs(x0 + 1e-6) - abs(x0 - 1e-6)) / 2e-6
    print(f"|x| at {x0:g}: measured slope {measured:.2f}, rule {np.sign(x0):.2f}")
assert (abs(1e-7 + 1e-6) - abs(1e-7 - 1e-6)) / 2e-6 < 0.2

# %% [markdown]
# ## In the library
#
# `minidl.gradcheck` does the same for any function of Tensors. Its lines are in
# [minidl/autograd/gradient_check.py](../minidl/autograd/gradient_check.py) `gradcheck` and
# [minidl/autograd/gradient_check.py](../minidl/autograd/gradient_check.py) `worst_gradient_error`. The library's own
# $\tanh$ is [minidl/functional/elementwise.py](../minidl/functional/elementwise.py) `Tanh`. And here is what the check
# says about our two rules from the beginning:

# %%
show_lines("minidl/functional/elementwise.py", "Tanh")

x_check = minidl.tensor(np.random.default_rng(2).standard_normal((2, 3)), requires_grad=True)
print("right:", minidl.gradcheck(RightTanh(), [x_check]))
try:
    minidl.gradcheck(WrongTanh(), [x_check])
    raise RuntimeError("the wrong gradient was not caught")
except minidl.autograd.GradientCheckError as error:
    print("wrong:", error)

# %% [markdown]
# The error message names the input, the index, both values and how far apart they are. And `gradcheck` refuses
# `float32`, for the reason that you saw:

# %%
try:
    minidl.gradcheck(RightTanh(), [x_check.detach().float().requires_grad_()])
    raise RuntimeError("float32 should have been refused")
except TypeError as error:
    print(error)

# %% [markdown]
# Gradients are computed by operations too, so they can be differentiated again, which gives second derivatives. minidl
# writes each gradient rule once, in terms of its own operations, so that this works, and `gradgradcheck` checks it.

# %%
assert minidl.gradgradcheck(lambda x: x.tanh() * x, [x_check])

x = minidl.tensor(2.0, requires_grad=True)
(slope,) = minidl.grad(x**3, x, create_graph=True)
(curvature,) = minidl.grad(slope, x)
print(f"x³ at 2: slope {slope.item()} = 3x², slope of the slope {curvature.item()} = 6x")
assert (slope.item(), curvature.item()) == (12, 12)

# %% [markdown]
# ## Something real
#
# Let us check the operations that networks are made of, as you would before trusting any of them.

# %%
F = minidl.functional
x_check = minidl.tensor(np.random.default_rng(3).uniform(0.2, 0.9, (2, 1, 4, 4)), requires_grad=True)
operations = {
    "exp": F.exp, "log": F.log, "sqrt": F.sqrt, "sin": F.sin, "tanh": F.tanh, "sigmoid": F.sigmoid, "relu": F.relu,
    "gelu": F.gelu, "softplus": F.softplus, "softmax": F.softmax, "log_softmax": F.log_softmax, "sum": F.sum,
    "mean": F.mean, "max": F.max, "logsumexp": F.logsumexp, "norm": F.norm, "var": F.var,
    "flatten": F.flatten, "product": lambda x: x @ x, "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2), "conv2d": lambda x: F.conv2d(x, x[:, :, :3, :3]),
}  # fmt: skip
for operation in operations.values():
    assert minidl.gradcheck(operation, [x_check])
print(f"{len(operations)} operations checked at {x_check.numel()} inputs each: all correct")

# %% [markdown]
# ## Exercises
#
# **1.** Write the gradient rule of $y = x^3$, make a mistake on purpose, and see that it is caught.
#
# <details><summary>Answer</summary>
#
# ```python
# cube = lambda x: x**3
# assert max(gradient_errors(cube, lambda dy, x: (dy * 3 * x**2,), a)) < 1e-5
# assert max(gradient_errors(cube, lambda dy, x: (dy * 3 * x,), a)) > 1e-2
# ```
# </details>
#
# **2.** A correct rule for `max(x)` can fail the check where the two largest numbers are equal. Why?
#
# <details><summary>Answer</summary>
#
# Two equal largest numbers are a kink: nudge one of them up and it alone is the maximum (slope 1); nudge it down and
# the other is the maximum (slope 0). The central difference gives 1/2 for each. minidl shares the gradient equally
# between them, which happens to agree; giving all of it to the first would be just as good a rule, but the check would
# call it wrong.
#
# ```python
# tie = minidl.tensor(np.array([1.0, 1.0]), requires_grad=True)
# tie.max().backward()
# assert tie.grad.tolist() == [0.5, 0.5]
# ```
# </details>
#
# **3.** Why not run the check at every training step, on the real network?
#
# <details><summary>Answer</summary>
#
# It computes the loss twice for each weight: the five hours of tutorial 01. Check each operation once, on small inputs.
# If they are correct, the chain rule makes the whole gradient correct.
# </details>
#
# ## Next
#
# [05 · Linear regression](05_linear_regression.py): now that the gradients can be trusted, it is time to learn
# something from data.
