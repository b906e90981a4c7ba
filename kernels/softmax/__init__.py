"""Softmax over the last axis, its logarithm, and their gradients.

    forward         y[c]  = exp(x[c]) / sum_k exp(x[k])
    input_grad      dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])
    log_forward     y[c]  = x[c] - log(sum_k exp(x[k]))
    log_input_grad  dx[c] = dy[c] - exp(y[c]) * sum_k dy[k]

The maximum of x is subtracted before exp, which changes nothing but keeps exp from overflowing.

Source: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 4.1.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_gradient
from ..registry import kernel


@kernel
def forward(x: Any) -> Any:
    """Return the probabilities for the scores `x`.

    Parameters
    ----------
    x : array (..., C), floating point

    Returns
    -------
    array (..., C); each row is at least 0 and adds up to 1

    Raises
    ------
    TypeError, ValueError
        No floating point array, or one with no or an empty last axis.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.softmax.forward(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    _check_rows(x, "x")
    return (x,)


@kernel
def log_forward(x: Any) -> Any:
    """Return log(softmax(x)), exact where softmax would round to 0.

    Parameters and errors as `forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.softmax.log_forward(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    _check_rows(x, "x")
    return (x,)


@kernel
def input_grad(dy: Any, y: Any) -> Any:
    """Return the gradient with respect to x, from that with respect to y = softmax(x), and y itself.

    Parameters
    ----------
    dy, y : arrays (..., C)

    Returns
    -------
    array (..., C)

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.softmax.input_grad(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    array([ 0.25, -0.25])
    """
    return _check_gradient(dy, y)


@kernel
def log_input_grad(dy: Any, y: Any) -> Any:
    """Return the gradient with respect to x, from that with respect to y = log(softmax(x)), and y itself.

    Parameters
    ----------
    dy, y : arrays (..., C)

    Returns
    -------
    array (..., C)

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.softmax.log_input_grad(np.array([1.0, 0.0]), np.log([0.5, 0.5]))
    array([ 0.5, -0.5])
    """
    return _check_gradient(dy, y)


def _check_rows(x: Any, name: str) -> None:
    check_array(x, name, 1, at_least=True)
    if x.dtype.kind != "f":
        raise TypeError(f"{name} must be floating point, got {x.dtype.name}")
    if x.shape[-1] == 0:
        raise ValueError(f"the last axis of {name} must not be empty, got shape {x.shape}")


def _check_gradient(dy: Any, y: Any) -> tuple[Any, Any]:
    _check_rows(dy, "dy")
    _check_rows(y, "y")
    check_gradient(dy, y, "y")
    return dy, y
