"""Matrix product, also batched; and the dense layer, with its bias and ReLU in the same pass."""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_same_kind
from ..registry import kernel


@kernel
def forward(a: Any, b: Any) -> Any:
    """Return the product of the matrices in the last two axes.

        y[..., i, j] = sum_l a[..., i, l] * b[..., l, j]

    Parameters
    ----------
    a : array (..., m, k)
        With any strides: a transposed view costs no copy.
    b : array (..., k, n)
        Of the dtype of `a`. The leading axes broadcast as in NumPy.

    Returns
    -------
    array (..., m, n)

    Raises
    ------
    ValueError
        Fewer than 2 dimensions, inner sizes that differ, or leading axes that do not broadcast.
    TypeError
        Mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.matmul.forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    check_array(a, "a", 2, at_least=True)
    check_array(b, "b", 2, at_least=True)
    check_same_kind(a, "a", b, "b")
    a_shape, b_shape = a.shape, b.shape
    if a_shape[-1] != b_shape[-2]:
        raise ValueError(f"the columns of a must be as many as the rows of b, got shapes {a_shape} and {b_shape}")
    if len(a_shape) > 2 and len(b_shape) > 2 and a_shape[:-2] != b_shape[:-2]:
        for p, q in zip(reversed(a_shape[:-2]), reversed(b_shape[:-2]), strict=False):
            if p != q and p != 1 and q != 1:
                raise ValueError(f"the batch axes of a and b must broadcast, got shapes {a_shape} and {b_shape}")
    return a, b


@kernel
def linear(x: Any, w: Any, b: Any = None, relu: bool = False) -> Any:
    """Return the output of a dense layer for each row of x, with a ReLU if asked for.

        z[n, k] = sum_c x[n, c] * w[k, c] + b[k]
        y[n, k] = max(z[n, k], 0), or z[n, k] without `relu`; NaN stays NaN

    Parameters
    ----------
    x : array (N, C)
    w : array (K, C)
    b : array (K,), optional
    relu : bool

    Returns
    -------
    array (N, K)

    Raises
    ------
    ValueError
        Shapes that do not match.
    TypeError
        Mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.matmul.linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [-1.0, 0.0]]), relu=True)
    array([[11.,  0.]])
    """
    check_array(x, "x", 2)
    check_array(w, "w", 2)
    check_same_kind(x, "x", w, "w")
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"x must have as many columns as w, got shapes {x.shape} and {w.shape}")
    if b is not None:
        check_array(b, "b", 1)
        check_same_kind(x, "x", b, "b")
        if b.shape[0] != w.shape[0]:
            raise ValueError(f"b must have one number for each of the {w.shape[0]} rows of w, got shape {b.shape}")
    return x, w, b, bool(relu)
