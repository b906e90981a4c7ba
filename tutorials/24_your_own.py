# %% [markdown]
# # 24 · Your own operation, layer and kernel
#
# You have read the house from the inside. The last step is to build something into it: a function that minidl does not
# have, with its gradient, its tests, a layer, and a fast kernel in Cython.
#
# **Question.** What is the shortest way through the house for an operation of your own?

# %%
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from course import load_images
from library_lines import REPOSITORY

import minidl
from minidl import kernels, nn, optim, training
from minidl.autograd import Function

# %% [markdown]
# ## The formula
#
# **Softsign** (Turian and others, 2009) is a bend like the tanh, but it approaches its limits $\pm 1$ much more slowly,
# and needs no exponential:
#
# $$y = \frac{x}{1 + |x|}$$
#
# Its slope: for $x > 0$ the quotient rule gives $\frac{(1 + x) - x}{(1+x)^2}$, for $x < 0$ the same with $-x$. So
#
# $$\frac{dy}{dx} = \frac{1}{(1 + |x|)^2}$$

# %%
x = np.linspace(-6, 6, 241)
figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.plot(x, np.tanh(x), label="tanh")
axes.plot(x, x / (1 + np.abs(x)), label="softsign")
axes.plot(x, 1 / (1 + np.abs(x)) ** 2, "--", color="tab:orange", alpha=0.7, label="its slope")
axes.set(xlabel="x", title="a slower way to ±1")
axes.legend()
plt.show()

# %% [markdown]
# ## By hand
#
# An operation is a **Function** with two methods: `forward` computes with arrays, and `backward` gives the gradient.
# Write the rule with operations that take arrays and Tensors alike, and it serves the second derivative too
# (tutorial 04 and [minidl/autograd/function.py](../minidl/autograd/function.py) `Function`).


# %%
class Softsign(Function):
    def forward(self, x):
        return x / (1 + abs(x))

    def backward(self, dy, inputs, output):
        (x,) = inputs
        return dy / (1 + abs(x)) ** 2


# %% [markdown]
# ## Check
#
# That is all the engine needs. It records, undoes broadcasting, adds up; and the gradient check of tutorial 04 already
# knows what to do with it, up to the second order.

# %%
x = minidl.tensor([-2.0, -0.3, 0.4, 5.0], dtype="float64", requires_grad=True)
y = Softsign()(x)
y.sum().backward()
assert np.allclose(y.numpy(), x.numpy() / (1 + np.abs(x.numpy())))
assert np.allclose(x.grad.numpy(), 1 / (1 + np.abs(x.numpy())) ** 2)
assert minidl.gradcheck(lambda x: Softsign()(x), [x])
assert minidl.gradgradcheck(lambda x: Softsign()(x), [x])
print("value, gradient and second derivative are right")

# %% [markdown]
# For an experiment of your own you can stop here: `Softsign()(x)` works in any model.
#
# ## In the library
#
# To live in the library, an operation needs a name in `minidl.functional`, and one line in the table of operations,
# from which all its tests are made. In your own copy of the repository you would now open the files and type. So that
# this tutorial leaves yours alone, it makes a copy and types there; the edits are the same, letter by letter. (What
# `run` does below you would type after `.venv/bin/python`; `make build` compiles a new kernel, `make lint` looks at the
# style.)

# %%
house = Path(tempfile.mkdtemp(prefix="minidl-house-"))
atexit.register(shutil.rmtree, house, ignore_errors=True)
for folder in ("minidl", "kernels", "tests"):
    shutil.copytree(REPOSITORY / folder, house / folder, ignore=shutil.ignore_patterns("__pycache__"))
for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
    shutil.copy(REPOSITORY / file, house)
(house / "minidl" / "kernels").symlink_to("../kernels")  # what `pip install -e .` would do


def insert(path, before, text):
    """Type `text` into a file, in front of the first line that starts with `before`."""
    lines = (house / path).read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if line.startswith(before))
    (house / path).write_text("".join([*lines[:place], text, *lines[place:]]))


def write(path, text):
    (house / path).parent.mkdir(exist_ok=True)
    (house / path).write_text(text)


def run(*command):
    """Run Python in the copy; show the end of what it prints."""
    found = subprocess.run(
        [sys.executable, *command],
        cwd=house, env={**os.environ, "PYTHONPATH": str(house)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    text = found.stdout + found.stderr
    assert found.returncode == 0, text[-3000:]
    return text


def sources():
    """The text of every source file in the copy, by its path."""
    files = [path for folder in ("minidl", "kernels") for path in (house / folder).rglob("*.py*")]
    files = [path for path in files if path.suffix in (".py", ".pyx") and "minidl/kernels" not in str(path)]
    return {str(path.relative_to(house)): path.read_text() for path in files}


before = sources()


def files_touched():
    return sorted(path for path, text in sources().items() if text != before.get(path))


# %% [markdown]
# **File 1**, [minidl/functional/activation.py](../minidl/functional/activation.py) `Sigmoid` and its like: the rule,
# and the function that people call. The formula is its documentation.

# %%
insert(
    "minidl/functional/activation.py",
    before="class Sigmoid(Function)",
    text='''class Softsign(Function):
    """y = x / (1 + |x|)."""

    def forward(self, x):
        return x / (1 + abs(x))

    def backward(self, dy, inputs, output):
        (x,) = inputs
        # dx = dy / (1 + |x|)^2
        return dy / (1 + abs(x)) ** 2


''',
)
insert(
    "minidl/functional/activation.py",
    before="def silu(",
    text='''def softsign(x: Any) -> Any:
    """x / (1 + |x|), a bend with slow tails (Turian et al., 2009)."""
    return Softsign()(x)


''',
)
insert("minidl/functional/activation.py", before="]", text='    "softsign",\n')  # the end of __all__

# %% [markdown]
# **File 2**, the table: [minidl/checks/operation.py](../minidl/checks/operation.py) `Operation` says what a line may
# hold. Ours: the name, inputs away from the kink at 0 (where the second derivative jumps), and the value by NumPy.

# %%
insert(
    "minidl/checks/operations/activation.py",
    before='    *of_one("silu"',
    text='    *of_one("softsign", away_from_zero, lambda x: x / (1 + np.abs(x))),\n',
)
print("\n".join(files_touched()))
assert files_touched() == ["minidl/checks/operations/activation.py", "minidl/functional/activation.py"]

# %% [markdown]
# Two files. From that one line now come tests of the value, of both derivatives against measured slopes, of dtypes and
# memory orders, of arrays that are not NumPy's, and, where PyTorch is installed, of everything against PyTorch.

# %%
print(run("-m", "minidl", "gradcheck", "softsign"))
report = run("-m", "pytest", "-q", "--color=no", "tests/test_operations.py", "-k", "softsign")
print(report.splitlines()[-1])
tests = int(report.split(" passed")[0].split()[-1])
assert tests >= 20 and "failed" not in report

# %% [markdown]
# Do they find a mistake? Forget the square in the slope.

# %%
right = (house / "minidl/functional/activation.py").read_text()
write("minidl/functional/activation.py", right.replace("dy / (1 + abs(x)) ** 2", "dy / (1 + abs(x))"))
try:
    run("-m", "minidl", "gradcheck", "softsign")
    caught = ""
except AssertionError as error:
    caught = str(error).splitlines()[-1]
write("minidl/functional/activation.py", right)
print(caught)
assert "softsign" in caught

# %% [markdown]
# **The layer** is two more: the class, and its name in `minidl.nn`.

# %%
insert(
    "minidl/nn/activation.py",
    before="class Softmax(Module)",
    text='''class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x: Any) -> Any:
        return F.softsign(x)


''',
)
insert("minidl/nn/__init__.py", before="    Tanh,", text="    Softsign,\n")
insert("minidl/nn/__init__.py", before="]", text='    "Softsign",\n')
assert len(files_touched()) == 4
print(run("-c", "from minidl import nn; print(nn.Sequential(nn.Linear(4, 8), nn.Softsign(), nn.Linear(8, 2)))"))

# %% [markdown]
# **The kernel.** So far NumPy did the work, in three passes over memory: $|x|$, $1 + |x|$, and the division. A kernel
# does it in one. A kernel is a folder with a contract (`__init__.py`: what comes in, what goes out, what is an error),
# a reference, and one file for every faster version. Nothing is registered: the folder is found.

# %%
write(
    "kernels/softsign/__init__.py",
    '''"""Softsign: y = x / (1 + |x|)."""

from ..arrays import check_array
from ..registry import kernel


@kernel
def forward(x):
    """Return x / (1 + |x|).

    Parameters
    ----------
    x : array of any shape, floating point

    Raises
    ------
    TypeError
        x not floating point.
    """
    check_array(x, "x", 0, at_least=True)
    if x.dtype.kind != "f":
        raise TypeError(f"x must be floating point, got {x.dtype.name}")
    return (x,)
''',
)
write(
    "kernels/softsign/reference.py",
    '''"""Softsign by the array module's own functions."""


def forward(x):
    return x / (1 + abs(x))
''',
)
write(
    "kernels/softsign/cython_cpu.pyx",
    '''# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Softsign on the CPU: one pass over the numbers as they lie in memory.

    y[i] = x[i] / (1 + |x[i]|)

Why it is fast: nothing but x is read and nothing but y is written, and the compiler turns the loop into vector
instructions.
"""

import numpy as np

from libc.math cimport fabs

DTYPES = ("float32", "float64")

ctypedef fused floating:
    float
    double


def forward(x):
    y = np.empty_like(x)  # in the memory order of x
    if x.size:
        softsign(x.ravel("K"), y.ravel("K"))
    return y


def softsign(const floating[::1] x, floating[::1] y):
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            y[i] = x[i] / (1 + <floating>fabs(x[i]))
''',
)
write(
    "minidl/functional/activation.py",
    right.replace(
        "    def forward(self, x):\n        return x / (1 + abs(x))",
        "    def forward(self, x):\n        return kernels.softsign.forward(as_array(x))",
    ),
)
operation_and_kernel = [name for name in files_touched() if "/nn/" not in name]
print("\n".join(operation_and_kernel))
assert len(operation_and_kernel) == 5

# %% [markdown]
# Five files for an operation with a kernel. Build it, if there is a compiler, and run the same tests again. They now
# compare every backend of the kernel with the reference as well.

# %%
if all(row.available for row in kernels.table() if row.backend == "cython"):
    run("setup.py", "--quiet", "build_ext", "--inplace")
    print(run("-m", "minidl", "info").partition("softsign")[2].splitlines()[0].strip(), "can serve softsign")
    timing = """
import timeit, numpy as np
from minidl import kernels
x = np.random.default_rng(0).standard_normal(1_000_000, dtype="float32")
y = {}
for backend in ("reference", "cython"):
    with kernels.use_backend(backend, strict=True):
        y[backend] = kernels.softsign.forward(x)
        seconds = min(timeit.repeat(lambda: kernels.softsign.forward(x), number=5, repeat=5)) / 5
        print(f"{backend:10} {seconds * 1e6:7.0f} microseconds for a million numbers")
np.testing.assert_allclose(y["cython"], y["reference"], rtol=1e-6)
"""
    print(run("-c", timing))
else:
    print("no compiler here: the reference serves")
with_kernel = run("-m", "pytest", "-q", "--color=no", "tests/test_operations.py", "-k", "softsign")
print(with_kernel.splitlines()[-1])
assert int(with_kernel.split(" passed")[0].split()[-1]) >= tests and "failed" not in with_kernel

# %% [markdown]
# ## Something real
#
# Is the slow bend any good? A network for digits with each, from the same seed. (`Softsign` is the one that you wrote
# by hand above: a Function works in a model without being in the library.)


# %%
class Bend(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
accuracy = {}
for name, bend in (("none", lambda x: x), ("tanh", lambda x: x.tanh()), ("softsign", lambda x: Softsign()(x))):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 64), Bend(bend), nn.Linear(64, 10))
    training.fit(model, (x_train, y_train), optimizer=optim.Adam(model.parameters(), lr=0.005), epochs=15)
    accuracy[name] = training.evaluate(model, (x_test, y_test))["accuracy"]
    print(f"{name:9} {accuracy[name]:.1%}")
assert accuracy["softsign"] > 0.85 and abs(accuracy["softsign"] - accuracy["tanh"]) < 0.05

# %% [markdown]
# As good as the tanh, give or take a point. Without a bend, two linear layers are one (tutorial 07): on the small
# digits that is nearly enough, on MNIST it is not.
#
# ## Exercises
#
# **1.** Add a penalty to a loss that is not there: $\lambda \sum_i \log(1 + w_i^2)$. Does it need a Function?
#
# <details><summary>Answer</summary>
#
# No. What is made of operations has its gradient already; a Function is for what has none, or for what is faster or
# more exact when written as one.
#
# ```python
# def penalty(model, strength=0.01):
#     return strength * sum((1 + w * w).log().sum() for w in model.parameters() if w.ndim > 1)
#
#
# model.zero_grad()
# penalty(model).backward()
# w = model[1].weight
# assert np.allclose(w.grad.numpy(), 0.01 * 2 * w.numpy() / (1 + w.numpy() ** 2), atol=1e-6)
# ```
# </details>
#
# **2.** Write `Clamp01`, which cuts $x$ to $0..1$, and lets the gradient pass as if it had not been cut (a
# "straight-through" rule). What does the gradient check say?
#
# <details><summary>Answer</summary>
#
# It complains, where $x$ was cut: the rule is not the derivative, on purpose. A check is only as wise as its question.
#
# ```python
# class Clamp01(Function):
#     def forward(self, x):
#         return np.clip(x, 0, 1)
#
#     def backward(self, dy, inputs, output):
#         return dy
#
#
# inside = minidl.tensor([0.2, 0.7], dtype="float64", requires_grad=True)
# outside = minidl.tensor([0.2, 1.7], dtype="float64", requires_grad=True)
# assert minidl.gradcheck(lambda x: Clamp01()(x), [inside])
# assert not minidl.gradcheck(lambda x: Clamp01()(x), [outside], raise_exception=False)
# ```
# </details>
#
# ## Next
#
# There is no next one. You have gone from a slope to a kernel of your own, and there is nothing left in the house that
# you could not read, check, or change.
