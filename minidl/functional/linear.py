"""Matrix products: the workhorse of every dense, recurrent and attention layer."""

from __future__ import annotations

import math
from typing import Any

from minidl import kernels
from minidl.autograd import Function, tensor_method
from minidl.functional.arithmetic import mul
from minidl.functional.channels import channel_sum
from minidl.functional.shape import reshape, unsqueeze

__all__ = ["addmm", "baddbmm", "bmm", "dot", "linear", "matmul", "mm", "mv", "outer"]


class MatMul(Function):
    """y[..., i, j] = sum_k a[..., i, k] * b[..., k, j]."""

    def forward(self, a, b):
        return kernels.matmul.forward(a, b)

    def backward(self, dy, inputs, output):
        a, b = inputs
        # da = dy b^T, db = a^T dy; the engine sums over batch axes that were broadcast
        da = matmul(dy, _swap_last(b)) if self.needs(0) else None
        db = matmul(_swap_last(a), dy) if self.needs(1) else None
        return da, db


class Dot(Function):
    """y = sum_k a[k] * b[k]."""

    def forward(self, a, b):
        return kernels.channel_sums.forward(a[:, None], b[:, None]).reshape(())

    def backward(self, dy, inputs, output):
        a, b = inputs
        # da = dy * b, db = dy * a
        return b * dy if self.needs(0) else None, a * dy if self.needs(1) else None


class Linear(Function):
    """y[..., k] = sum_c x[..., c] * w[k, c] + b[k]; all axes in front of the last count as one, of N rows."""

    relu = False  # whether y = max(0, that)

    def forward(self, x, w, b):
        y = kernels.matmul.linear(rows_of(x), w, b, self.relu)  # (N, K)
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], w.shape[0])

    def backward(self, dy, inputs, output):
        x, w, _ = inputs
        # dx = dy w, dw = dy^T x, db = sum_n dy[n]
        dx = matmul(dy, w) if self.needs(0) else None  # (..., C)
        dy = rows_of(dy)  # (N, K)
        dw = matmul(_swap_last(dy), rows_of(x)) if self.needs(1) else None  # (K, C)
        return dx, dw, channel_sum(dy) if self.needs(2) else None


def _swap_last(x: Any) -> Any:
    return x.swapaxes(-2, -1)


@tensor_method("matmul", "__matmul__")
def matmul(a: Any, b: Any) -> Any:
    """The matrix product over the last two axes; axes in front broadcast; a vector is a row (left) or a column (right).

    y[..., i, j] = sum_k a[..., i, k] * b[..., k, j]

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0]]) @ minidl.tensor([[3.0], [4.0]])
    tensor([[11.]])
    """
    _check_arrays(a, b, "matmul")
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul needs at least one dimension each, got shapes {tuple(a.shape)} and {tuple(b.shape)}")
    if a.ndim > 1 and b.ndim > 1:
        return MatMul()(a, b)
    if a.shape[-1] != b.shape[0 if b.ndim == 1 else -2]:
        raise ValueError(
            f"matmul: the last axis of a must be as long as the one of b that it meets, got {tuple(a.shape)} and "
            f"{tuple(b.shape)}"
        )
    if a.ndim == b.ndim == 1 and a.dtype == b.dtype:  # where they differ, MatMul raises the error
        return Dot()(a, b)
    left = unsqueeze(a, 0) if a.ndim == 1 else a  # a row
    right = unsqueeze(b, 1) if b.ndim == 1 else b  # a column
    y = MatMul()(left, right)
    rows = () if a.ndim == 1 else y.shape[-2:-1]
    columns = () if b.ndim == 1 else y.shape[-1:]
    return reshape(y, y.shape[:-2] + rows + columns)


def _check_arrays(a: Any, b: Any, name: str) -> None:
    if not hasattr(a, "ndim") or not hasattr(b, "ndim"):
        raise TypeError(f"{name} needs two Tensors or arrays, got {type(a).__name__} and {type(b).__name__}")


tensor_method("__rmatmul__")(lambda b, a: matmul(a, b))


@tensor_method("mm")
def mm(a: Any, b: Any) -> Any:
    """The product of two matrices: a (N, K) and b (K, M) give (N, M)."""
    return _of_rank(a, b, 2, 2, "mm")


@tensor_method("bmm")
def bmm(a: Any, b: Any) -> Any:
    """The products of two batches of matrices: a (B, N, K) and b (B, K, M) give (B, N, M).

    Examples
    --------
    >>> import minidl
    >>> minidl.bmm(minidl.ones(5, 2, 3), minidl.ones(5, 3, 4)).shape
    (5, 2, 4)
    """
    return _of_rank(a, b, 3, 3, "bmm")


@tensor_method("addmm")
def addmm(x: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta * x + alpha * (mat1 @ mat2) of matrices, to whose product x is broadcast; with ``beta=0`` without x.

    Examples
    --------
    >>> import minidl
    >>> minidl.addmm(minidl.tensor([100.0]), minidl.tensor([[1.0, 2.0]]), minidl.tensor([[3.0], [4.0]]), alpha=2)
    tensor([[122.]])
    """
    return _added(x, mm(mat1, mat2), beta, alpha, "addmm")


@tensor_method("baddbmm")
def baddbmm(x: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta * x + alpha * (batch1 @ batch2) of two batches of matrices; see :func:`addmm`.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(5, 2, 4).baddbmm(minidl.ones(5, 2, 3), minidl.ones(5, 3, 4)).shape
    (5, 2, 4)
    """
    return _added(x, bmm(batch1, batch2), beta, alpha, "baddbmm")


def _added(x: Any, y: Any, beta: float, alpha: float, name: str) -> Any:
    if x.ndim > y.ndim or any(n not in (1, m) for n, m in zip(reversed(x.shape), reversed(y.shape))):
        raise ValueError(f"{name}: x must broadcast to the product, {tuple(y.shape)}, got {tuple(x.shape)}")
    if x.dtype != y.dtype:
        raise TypeError(f"{name}: x must have the dtype of the matrices, {y.dtype}, got {x.dtype}")
    y = alpha * y
    return y if beta == 0 else beta * x + y


@tensor_method("mv")
def mv(a: Any, b: Any) -> Any:
    """A matrix times a vector: a (N, K) and b (K,) give (N,).

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]]).mv(minidl.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    return _of_rank(a, b, 2, 1, "mv")


@tensor_method("dot")
def dot(a: Any, b: Any) -> Any:
    """sum_k a[k] * b[k] of two vectors.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([1.0, 2.0]).dot(minidl.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return _of_rank(a, b, 1, 1, "dot")


def _of_rank(a: Any, b: Any, a_rank: int, b_rank: int, name: str) -> Any:
    _check_arrays(a, b, name)
    if (a.ndim, b.ndim) != (a_rank, b_rank):
        raise ValueError(
            f"{name} needs {a_rank} and {b_rank} dimensions, got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    return matmul(a, b)


@tensor_method("outer")
def outer(a: Any, b: Any) -> Any:
    """y[i, j] = a[i] * b[j] of two vectors.

    Examples
    --------
    >>> import minidl
    >>> minidl.outer(minidl.tensor([1, 2]), minidl.tensor([1, 10]))
    tensor([[ 1, 10],
            [ 2, 20]])
    """
    _check_arrays(a, b, "outer")
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"outer needs two vectors, got shapes {tuple(a.shape)} and {tuple(b.shape)}")
    return mul(unsqueeze(a, 1), unsqueeze(b, 0))


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """A dense layer: y[..., k] = sum_c x[..., c] * w[k, c] + b[k].

    Parameters
    ----------
    x : (..., C)
    weight : (K, C)
        w.
    bias : (K,), optional
        b.

    Returns
    -------
    (..., K)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.linear(minidl.tensor([1.0, 2.0]), minidl.tensor([[3.0, 4.0]]), minidl.tensor([0.5]))
    tensor([11.5])
    """
    check_linear(x, weight, bias, "linear")
    return Linear()(x, weight, bias)


def check_linear(x: Any, weight: Any, bias: Any, name: str) -> None:
    """Raise if something is wrong with the arguments of the operation `name`."""
    try:
        shape, w_shape, dtype = x.shape, weight.shape, weight.dtype
    except AttributeError:
        advice = "; nn.RNN, nn.LSTM and nn.GRU return (y, state): pass y on" if isinstance(x, tuple) else ""
        raise TypeError(f"{name}: x must be a Tensor or an array, got {type(x).__name__}{advice}") from None
    if len(w_shape) != 2 or not shape or shape[-1] != w_shape[1]:
        raise ValueError(
            f"{name}: x must be (..., C) and weight (K, C) with one C, got x {tuple(shape)} and weight {tuple(w_shape)}"
        )
    if x.dtype != dtype:
        raise TypeError(
            f"{name}: x must have the dtype of weight, {dtype}, got {x.dtype}; convert with x.astype({str(dtype)!r})"
        )
    if bias is not None and bias.shape != w_shape[:1]:
        raise ValueError(f"{name}: bias must be ({w_shape[0]},) for weight {tuple(w_shape)}, got {tuple(bias.shape)}")
    if bias is not None and bias.dtype != dtype:
        raise TypeError(f"{name}: bias must have the dtype of weight, {dtype}, got {bias.dtype}")


def rows_of(x: Any) -> Any:
    """(..., C) as (N, C)."""
    return x if x.ndim == 2 else reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
