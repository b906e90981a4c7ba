"""Products of tensors: over several axes at once, of every pair of entries, across three components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minidl.autograd import tensor_method
from minidl.functional.axes import normalize_axes, one_axis
from minidl.functional.broadcast import common_shape
from minidl.functional.conversion import astype
from minidl.functional.linear import matmul
from minidl.functional.operands import integers
from minidl.functional.reduce import sum
from minidl.functional.shape import permute, reshape, roll, unsqueeze

__all__ = ["bilinear", "cross", "inner", "kron", "tensordot"]


def tensordot(a: Any, b: Any, dims: int | Sequence[Any] = 2) -> Any:
    """y[i..., j...] = sum_k... a[i..., k...] * b[k..., j...], over several axes k at once.

    Parameters
    ----------
    a, b : arrays of any shapes
    dims : int, or two lists of int
        The last `dims` axes of a and the first of b; or the axes of a, and those of b in the same order. Two axes have
        the same size, or one of them has 1.

    Returns
    -------
    The axes of a that are left, followed by those of b

    Raises
    ------
    ValueError
        More axes than there are, lists of different lengths, axes of different sizes.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensordot(minidl.ones(2, 3, 4), minidl.ones(4, 3, 5), dims=([1, 2], [1, 0])).shape
    (2, 5)
    """
    if isinstance(dims, (tuple, list)):
        if len(dims) != 2:
            raise ValueError(f"tensordot: dims must be a number, or a list of axes for a and one for b, got {dims}")
        left, right = (normalize_axes(integers("dims", part), x.ndim) for part, x in zip(dims, (a, b)))
    else:
        (count,) = integers("dims", dims)
        if not 0 <= count <= min(a.ndim, b.ndim):
            raise ValueError(f"tensordot: dims must be from 0 to the {min(a.ndim, b.ndim)} axes there are, got {count}")
        left, right = tuple(range(a.ndim - count, a.ndim)), tuple(range(count))
    for i, j in zip(left, right):  # one number for all of the other's: multiplied by their sum
        if a.shape[i] != b.shape[j]:
            a = astype(sum(a, i, keepdim=True), a.dtype) if b.shape[j] == 1 else a
            b = astype(sum(b, j, keepdim=True), b.dtype) if a.shape[i] == 1 else b
    sizes = [a.shape[i] for i in left]
    if sizes != [b.shape[i] for i in right]:
        raise ValueError(
            f"tensordot: the axes {left} of a and {right} of b must have the same sizes, "
            f"got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    rows, columns = (tuple(i for i in range(x.ndim) if i not in used) for x, used in ((a, left), (b, right)))
    shape, n = [a.shape[i] for i in rows] + [b.shape[i] for i in columns], math.prod(sizes)
    # as a product of two matrices: (rows, summed) and (summed, columns)
    a = reshape(permute(a, rows + left), (math.prod(a.shape[i] for i in rows), n))
    b = reshape(permute(b, right + columns), (n, math.prod(b.shape[i] for i in columns)))
    return reshape(matmul(a, b), tuple(shape))


@tensor_method()
def inner(x1: Any, x2: Any) -> Any:
    """y[i..., j...] = sum_k x1[i..., k] * x2[j..., k]: along the last axis of both; of a number, x1 * x2.

    Examples
    --------
    >>> import minidl
    >>> minidl.inner(minidl.tensor([1.0, 2.0]), minidl.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return tensordot(x1, x2, ([-1], [-1])) if x1.ndim and x2.ndim else x1 * x2


@tensor_method()
def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product: x2 in place of every number of x1, multiplied by it.

    y[i * m + k, j * n + l] = x1[i, j] * x2[k, l] for an x2 (m, n); with fewer axes, of shape (1, ...).

    Examples
    --------
    >>> import minidl
    >>> minidl.kron(minidl.tensor([1, 10]), minidl.tensor([1, 2, 3]))
    tensor([ 1,  2,  3, 10, 20, 30])
    """
    rank = max(x1.ndim, x2.ndim)
    m, n = ((1,) * (rank - x.ndim) + tuple(x.shape) for x in (x1, x2))
    pairs = reshape(x1, [size for k in m for size in (k, 1)]) * reshape(x2, [size for k in n for size in (1, k)])
    return reshape(pairs, tuple(k * size for k, size in zip(m, n)))


@tensor_method()
def cross(x1: Any, x2: Any, dim: int | None = None) -> Any:
    """The cross product of vectors of 3 components: y[0] = x1[1] * x2[2] - x1[2] * x2[1], and so on around.

    Parameters
    ----------
    x1, x2 : of as many axes, which broadcast, with 3 components along `dim`
    dim : int, optional
        Default: the first axis of size 3.

    Examples
    --------
    >>> import minidl
    >>> minidl.cross(minidl.tensor([1.0, 0.0, 0.0]), minidl.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if x1.ndim != x2.ndim:
        raise ValueError(f"cross: x1 and x2 must have as many axes, got {tuple(x1.shape)} and {tuple(x2.shape)}")
    shape = common_shape("cross", x1=x1, x2=x2)
    if dim is None:
        dim = shape.index(3) if 3 in shape else 0
    axes = one_axis(dim, x1.ndim)
    if not axes or x1.shape[axes[0]] != 3 or x2.shape[axes[0]] != 3:
        raise ValueError(f"cross: 3 components are needed along dim {dim}, got {tuple(x1.shape)} and {tuple(x2.shape)}")
    return roll(x1, -1, dim) * roll(x2, -2, dim) - roll(x1, -2, dim) * roll(x2, -1, dim)


def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Any:
    """y[..., k] = sum_i,j x1[..., i] * weight[k, i, j] * x2[..., j] + bias[k].

    Parameters
    ----------
    x1 : (..., I)
    x2 : (..., J)
    weight : (K, I, J)
    bias : (K,), optional

    Returns
    -------
    (..., K)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.bilinear(minidl.tensor([1.0, 2.0]), minidl.tensor([3.0, 4.0]), minidl.eye(2).unsqueeze(0))
    tensor([11.])
    """
    shapes = [tuple(x.shape) for x in (x1, x2, weight)]
    if weight.ndim != 3 or shapes[0][-1:] + shapes[1][-1:] != shapes[2][1:] or shapes[0][:-1] != shapes[1][:-1]:
        raise ValueError(
            "bilinear: x1 must be (..., I), x2 (..., J) with the same axes in front and weight (K, I, J), got "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    if bias is not None and tuple(bias.shape) != shapes[2][:1]:
        raise ValueError(f"bilinear: bias must be {shapes[2][:1]} for weight {shapes[2]}, got {tuple(bias.shape)}")
    # z[..., k, i] = sum_j weight[k, i, j] * x2[..., j], then y[..., k] = sum_i z[..., k, i] * x1[..., i]
    z = tensordot(x2, weight, ([-1], [2]))
    y = reshape(matmul(z, unsqueeze(x1, -1)), (*shapes[0][:-1], shapes[2][0]))
    return y if bias is None else y + bias
