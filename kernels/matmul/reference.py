"""Matrix product: NumPy's own (OpenBLAS for float32 and float64), or CuPy's (cuBLAS)."""

from .. import activations, matmul
from ..arrays import array_module


def forward(a, b):
    # y[..., i, j] = sum_l a[..., i, l] * b[..., l, j]
    return array_module(a).matmul(a, b)


def linear(x, w, b, relu):
    """The two kernels one after the other, each through its contract, so by the backend that was asked for."""
    # z[n, k] = sum_c x[n, c] * w[k, c] + b[k]
    z = matmul.forward(x, w.T)
    if b is not None:
        z += b
    return activations.relu_forward(z) if relu else z
