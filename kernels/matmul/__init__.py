"""Matrix product, also batched."""

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
        Any strides: a transposed view costs no copy.
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
