"""minidl: deep learning that you can read, and that is fast enough to use.

All operations of :mod:`minidl.functional` can also be called from here, as in PyTorch: ``minidl.exp(x)``. NumPy's
dtypes have PyTorch's names here: ``minidl.float32``, and ``minidl.float`` and ``minidl.long`` for short.
"""

from minidl import _source_tree

_source_tree.check()  # raises if minidl.kernels is missing, or is that of another checkout

import warnings
from typing import TYPE_CHECKING

import numpy

# inf and nan are ordinary results, as in PyTorch; our kernels never warn of them, NumPy's operators would
warnings.filterwarnings("ignore", ".* encountered in |Mean of empty slice", RuntimeWarning, r"minidl\.")

from minidl import autograd, data, func, functional, kernels, metrics, models, nn, optim, random, training
from minidl.autograd import (
    Tensor,
    debug,
    enable_grad,
    grad,
    gradcheck,
    gradgradcheck,
    inference_mode,
    is_grad_enabled,
    is_tensor,
    no_grad,
    set_grad_enabled,
    tensor,
)
from minidl.functional import *
from minidl.kernels import cuda, get_num_threads, set_num_threads, use_backend
from minidl.nn import fusion
from minidl.random import Generator, initial_seed, manual_seed
from minidl.serialization import load, save

if not TYPE_CHECKING:  # to a type checker a misspelt name is an error still
    from minidl._elsewhere import missing as __getattr__  # noqa: F401

bool, uint8 = numpy.bool_, numpy.uint8
int32 = int = numpy.int32
int64 = long = numpy.int64
float32 = float = numpy.float32
float64 = double = numpy.float64
finfo, iinfo = numpy.finfo, numpy.iinfo
inf, nan, pi = numpy.inf, numpy.nan, numpy.pi
device = str  # "cpu", "cuda", "cuda:1": a device is its name

__version__ = "0.1.0"

__all__ = [
    "Generator", "Tensor", "allclose", "arange", "argmax", "as_tensor", "autograd", "cat", "cuda", "data", "debug",
    "einsum", "empty", "enable_grad", "exp", "eye", "flatten", "float32", "float64", "from_numpy", "full", "full_like",
    "func", "functional", "fusion", "get_num_threads", "grad", "gradcheck", "gradgradcheck", "inference_mode",
    "initial_seed", "int32", "int64", "is_grad_enabled", "is_tensor", "kernels", "linspace", "load", "log",
    "manual_seed", "matmul", "max", "mean", "metrics", "min", "models", "multinomial", "nn", "no_grad", "ones",
    "ones_like", "optim", "rand", "rand_like", "randint", "randn", "randn_like", "random", "randperm", "relu", "save",
    "set_grad_enabled", "set_num_threads", "sigmoid", "softmax", "sqrt", "stack", "sum", "tanh", "tensor", "training",
    "use_backend", "where", "zeros", "zeros_like",
]  # fmt: skip
