"""minidl: deep learning that you can read, and that is fast enough to use."""

from minidl import _source_tree

_source_tree.check()

from minidl import autograd, data, functional, kernels, metrics, models, nn, optim, random, training  # noqa: E402
from minidl.autograd import (  # noqa: E402
    Tensor,
    enable_grad,
    grad,
    gradcheck,
    gradgradcheck,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
    tensor,
)
from minidl.functional import cat, stack, where  # noqa: E402
from minidl.kernels import get_num_threads, set_num_threads, use_backend  # noqa: E402
from minidl.random import manual_seed  # noqa: E402
from minidl.serialization import load, save  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "Tensor", "autograd", "cat", "data", "enable_grad", "functional", "get_num_threads", "grad", "gradcheck",
    "gradgradcheck", "is_grad_enabled", "kernels", "load", "manual_seed", "metrics", "models", "nn", "no_grad", "optim",
    "random", "save", "set_grad_enabled", "set_num_threads", "stack", "tensor", "training", "use_backend", "where",
]  # fmt: skip
