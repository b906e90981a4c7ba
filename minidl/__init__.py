"""minidl: deep learning that you can read, and that is fast enough to use."""

from minidl import _source_tree

_source_tree.check()

from minidl import autograd, data, functional, kernels, metrics, models, nn, optim, random, training
from minidl.autograd import (
    Tensor,
    debug,
    enable_grad,
    grad,
    gradcheck,
    gradgradcheck,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
    tensor,
)
from minidl.functional import (
    arange,
    argmax,
    cat,
    einsum,
    empty,
    exp,
    eye,
    flatten,
    full,
    full_like,
    linspace,
    log,
    matmul,
    max,
    mean,
    min,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    relu,
    sigmoid,
    softmax,
    sqrt,
    stack,
    sum,
    tanh,
    where,
    zeros,
    zeros_like,
)
from minidl.kernels import get_num_threads, set_num_threads, use_backend
from minidl.nn import fusion
from minidl.random import manual_seed
from minidl.serialization import load, save

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Say where the operations are that PyTorch has at the top level too."""
    where = f"; it is minidl.functional.{name}" if name in functional.__dict__ and not name.startswith("_") else ""
    raise AttributeError(f"module 'minidl' has no attribute {name!r}{where}")


__all__ = [
    "Tensor", "arange", "argmax", "autograd", "cat", "data", "debug", "einsum", "empty", "enable_grad", "exp", "eye",
    "flatten", "full", "full_like", "functional", "fusion", "get_num_threads", "grad", "gradcheck", "gradgradcheck",
    "is_grad_enabled", "kernels", "linspace", "load", "log", "manual_seed", "matmul", "max", "mean", "metrics", "min",
    "models", "nn", "no_grad", "ones", "ones_like", "optim", "rand", "rand_like", "randint", "randn", "randn_like",
    "random", "relu", "save", "set_grad_enabled", "set_num_threads", "sigmoid", "softmax", "sqrt", "stack", "sum",
    "tanh", "tensor", "training", "use_backend", "where", "zeros", "zeros_like",
]  # fmt: skip
