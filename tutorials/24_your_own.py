# %% [markdown]
# # 24 · Your own operation, layer and kernel
#
# You have seen the library from the inside. The last step is to add something to it: a function that minidl does not
# have, with its gradient, its tests, a layer, and a fast kernel in Cython.
#
# **Question.** What is the shortest way to add an operation of your own to the library?

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
# **Softsign** (Elliott, 1993) is an activation function like tanh, but it approaches its limits $\pm 1$ much
# more slowly, and needs no exponential:
#
# $$y = \frac{x}{1 + |x|}$$
#
# Its derivative: for $x > 0$ the quotient rule gives $\frac{(1 + x) - x}{(1+x)^2}$, and for $x < 0$ the same with $-x$
# in place of $x$. So
#
# $$\frac{dy}{dx} = \frac{1}{(1 + |x|)^2}$$

# %%
x = np.linspace(-6, 6, 241)
figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.plot(x, np.tanh(x), label="tanh")
axes.plot(x, x / (1 + np.abs(x)), label="softsign")
axes.plot(x, 1 / (1 + np.abs(x)) ** 2, "--", color="tab:orange", alpha=0.7, label="derivative of softsign")
axes.set(xlabel="x", title="softsign approaches ±1 more slowly than tanh")
axes.legend()
plt.show()

# %% [markdown]
# ## By hand
#
# An operation is a **Function** with two methods: `forward` computes with arrays, and `backward` gives the gradient. If
# `backward` is written with operations that accept both arrays and Tensors, it can be differentiated again, which gives
# the second derivative (tutorial 04 and [minidl/autograd/function.py](../minidl/autograd/function.py) `Function`).


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
# That is all the engine needs. It records the operation, undoes broadcasting and sums gradients, and the gradient check
# of tutorial 04 works with it too, for first and second derivatives.

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
# To become a part of the library, an operation needs a name in `minidl.functional`, and one line in the table of
# operations, from which all its tests are made. In your own copy of the repository you would now open the files and
# type. So that this tutorial leaves your files alone, it makes a copy of the repository and edits that; the edits are
# the same, letter for letter. (What `run` does below, you would type after `.venv/bin/python`; `make build` compiles a
# new kernel, `make lint` checks the style.)

# %%
copy = Path(tempfile.mkdtemp(prefix="minidl-copy-"))
atexit.register(shutil.rmtree, copy, ignore_errors=True)
for folder in ("minidl", "kernels", "tests"):
    shutil.copytree(REPOSITORY / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
    shutil.copy(REPOSITORY / file, copy)
(copy / "minidl" / "kernels").symlink_to("../kernels")  # what `pip install -e .` would do


def insert(path, before, text):
    """Insert `text` into a file, before the first line that starts with `before`."""
    lines = (copy / path).read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if line.startswith(before))
    (copy / path).write_text("".join([*lines[:place], text, *lines[place:]]))


def write(path, text):
    (copy / path).parent.mkdir(exist_ok=True)
    (copy / path).write_text(text)


def run(*command):
    """Run Python in the copy, and return what it prints."""
    found = subprocess.run(
        [sys.executable, *command],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    text = found.stdout + found.stderr
    assert found.returncode == 0, text[-3000:]
    return text


def sources():
    """The text of every source file in the copy, by its path."""
    files = [path for folder in ("minidl", "kernels") for path in (copy / folder).rglob("*.py*")]
    files = [path for path in files if path.suffix in (".py", ".pyx") and "minidl/kernels" not in str(path)]
    return {str(path.relative_to(copy)): path.read_text() for path in files}


before = sources()


def changed_files():
    return sorted(path for path, text in sources().items() if text != before.get(path))


# %% [markdown]
# **File 1**, [minidl/functional/activation.py](../minidl/functional/activation.py) `Sigmoid` and others: the Function
# with its gradient rule, and the public function that calls it. Their documentation is the formula.

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
    """x / (1 + |x|), which approaches its limits slowly (Elliott, 1993)."""
    return Softsign()(x)


''',
)
insert("minidl/functional/activation.py", before="]", text='    "softsign",\n')  # the end of __all__

# %% [markdown]
# **File 2**, `minidl/checks/operations/activation.py`, is a part of the table of operations.
# [minidl/checks/operation.py](../minidl/checks/operation.py) `Operation` says what an entry may contain. Ours has the
# name, inputs away from the kink at 0 (where the second derivative jumps), and the value according to NumPy.

# %%
insert(
    "minidl/checks/operations/activation.py",
    before='    *of_one("silu"',
    text='    *of_one("softsign", away_from_zero, lambda x: x / (1 + np.abs(x))),\n',
)
print("\n".join(changed_files()))
assert changed_files() == ["minidl/checks/operations/activation.py", "minidl/functional/activation.py"]

# %% [markdown]
# Two files are enough. From that one line come tests of the value, of both derivatives against finite differences, of
# dtypes and memory orders, of arrays that are not NumPy's, and, where PyTorch is installed, of everything against
# PyTorch.

# %%
print(run("-m", "minidl", "gradcheck", "softsign"))
report = run("-m", "pytest", "-q", "--color=no", "tests/test_operations.py", "-k", "softsign")
print(report.splitlines()[-1])
tests = int(report.split(" passed")[0].split()[-1])
assert tests >= 7 and "failed" not in report

# %% [markdown]
# Do the tests find a mistake? We leave out the square in the derivative.

# %%
right = (copy / "minidl/functional/activation.py").read_text()
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
# The wrong gradient is reported. **The layer** needs two more files: one for the class, and one for its name in
# `minidl.nn`.

# %%
insert(
    "minidl/nn/activation.py",
    before="class Softmax(",
    text='''class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x: Any) -> Any:
        return F.softsign(x)


''',
)
insert("minidl/nn/__init__.py", before="    Tanh,", text="    Softsign,\n")
insert("minidl/nn/__init__.py", before="]", text='    "Softsign",\n')
assert len(changed_files()) == 4
print(run("-c", "from minidl import nn; print(nn.Sequential(nn.Linear(4, 8), nn.Softsign(), nn.Linear(8, 2)))"))

# %% [markdown]
# **The kernel.** So far NumPy did the work, in three passes over memory: $|x|$, $1 + |x|$, and the division. A kernel
# does it in one pass. A kernel is a folder with a contract (`__init__.py`: what it takes, what it returns, and which
# inputs are errors), a reference, and one file for each faster implementation. There is no list of kernels to edit: the
# folder is found automatically.

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

What it saves: nothing but x is read and nothing but y is written. The compiler turns the loop into vector instructions.
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
operation_and_kernel = [name for name in changed_files() if "/nn/" not in name]
print("\n".join(operation_and_kernel))
assert len(operation_and_kernel) == 5

# %% [markdown]
# That makes five files for an operation with a kernel. We build it, if there is a compiler, and run the same tests
# again. Now they also compare every backend of the kernel with the reference.

# %%
if all(row.available for row in kernels.table() if row.backend == "cython"):
    run("setup.py", "--quiet", "build_ext", "--inplace")
    print(run("-m", "minidl", "info").partition("softsign")[2].splitlines()[0].strip(), "are available for softsign")
    timing = """
import timeit, numpy as np
from minidl import kernels
x = np.random.default_rng(0).standard_normal(1_000_000, dtype="float32")
y = {}
for backend in ("reference", "cython"):
    with kernels.use_backend(backend, strict=True):
        y[backend] = kernels.softsign.forward(x)
        seconds = np.median(timeit.repeat(lambda: kernels.softsign.forward(x), number=5, repeat=5)) / 5
        print(f"{backend:10} {seconds * 1e6:7.0f} microseconds for a million numbers")
np.testing.assert_allclose(y["cython"], y["reference"], rtol=1e-6)
"""
    print(run("-c", timing))
else:
    print("no compiler here: the reference is used")
with_kernel = run("-m", "pytest", "-q", "--color=no", "tests/test_operations.py", "-k", "softsign")
print(with_kernel.splitlines()[-1])
assert int(with_kernel.split(" passed")[0].split()[-1]) >= tests and "failed" not in with_kernel

# %% [markdown]
# Is the kernel faster than NumPy? Compare the two times above. The kernel moves less memory. But `setup.py` compiles it
# for every x86-64 processor, so it divides 4 numbers at a time, while NumPy chooses its instructions at run time, and
# with AVX2 divides 8. That is why the library's own loops over numbers are compiled once for each instruction set
# (`kernels/cpu/vector_loops.pyx`), and run by several threads
# ([kernels/activations/cython_cpu.pyx](../kernels/activations/cython_cpu.pyx) `_forward`). So measure, instead of
# assuming (tutorial 22).
#
# ## Something real
#
# Is softsign any good? We train a network on digits with no activation function, with tanh and with softsign, from the
# same seed. (`Softsign` is the one that you wrote by hand above: a Function works in a model without being in the
# library.)


# %%
class Activation(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


x_train, y_train, x_test, y_test = load_images(train_limit=3000)
side = x_train.shape[-1]
accuracy = {}
for name, activation in (("none", lambda x: x), ("tanh", lambda x: x.tanh()), ("softsign", lambda x: Softsign()(x))):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 64), Activation(activation), nn.Linear(64, 10))
    training.fit(model, (x_train, y_train), optimizer=optim.Adam(model.parameters(), lr=0.005), epochs=15)
    accuracy[name] = training.evaluate(model, (x_test, y_test))["accuracy"]
    print(f"{name:9} {accuracy[name]:.1%}")
assert accuracy["softsign"] > 0.85 and abs(accuracy["softsign"] - accuracy["tanh"]) < 0.05

# %% [markdown]
# Softsign is as good as tanh, within about a percentage point. Without an activation function, two linear layers are
# one (tutorial 07): on the small digits that is nearly enough, on MNIST it is not.
#
# ## Exercises
#
# **1.** minidl has no penalty $\lambda \sum_i \log(1 + w_i^2)$ on the weights. Write one. Does it need a Function?
#
# <details><summary>Answer</summary>
#
# No. Whatever is composed of operations already has a gradient. A Function is for what cannot be composed of them, or
# becomes faster or more accurate when it is written as one.
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
# **2.** Write `Clamp01`, which limits $x$ to the range from 0 to 1, but passes the gradient on unchanged (a
# *straight-through estimator*). What does the gradient check say?
#
# <details><summary>Answer</summary>
#
# It fails where $x$ was cut off: the rule is deliberately not the derivative. The check answers only the question
# whether it is.
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
# This is the last tutorial. You have come from a slope to a kernel of your own, and there is nothing left in the
# library that you could not read, check, or change.
