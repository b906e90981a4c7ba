"""Elementwise activations and their gradients: each reads its arrays once and writes one.

    name         y = f(x)                                    dx = dy * df/dx, from
    relu         max(x, 0)                                   y:  dy where y > 0, else 0
    leaky_relu   x where x > 0, else slope * x               x:  dy where x > 0, else slope * dy
    elu          x where x > 0, else alpha * (e^x - 1)       x:  dy where x > 0, else dy * alpha * e^x
    tanh         (e^x - e^-x) / (e^x + e^-x)                 y:  dy * (1 - y^2)
    sigmoid      1 / (1 + e^-x)                              y:  dy * y * (1 - y)
    silu         x * s,  s = sigmoid(x)                      x:  dy * s * (1 + x * (1 - s))
    gelu         x * P(x), P(x) = (1 + erf(x / sqrt(2))) / 2 x:  dy * (P(x) + x * e^(-x^2/2) / sqrt(2 * pi))
    gelu_tanh    x * s,  s = sigmoid(2u),                    x:  dy * s * (1 + x * (1 - s) * 2 du/dx)
                 u = sqrt(2/pi) * (x + 0.044715 * x^3)
    hardsigmoid  min(max(x + 3, 0), 6) / 6                   x:  dy / 6 where -3 < x < 3, else 0
    hardswish    x * hardsigmoid(x)                          x:  dy * (x/3 + 1/2) where -3 < x < 3; 0 below, dy above
    clip         min(max(x, low), high)                      x:  dy where low <= x <= high, else 0
    hardtanh     as clip                                     x:  dy where low < x < high, else 0
    huber        c * (x - c/2), c = clip(x, -delta, delta)   x:  dy * c
    erf          2/sqrt(pi) * integral of e^(-t^2), 0 to x   (only forward: the slope is 2/sqrt(pi) * e^(-x^2))
    softplus     log(1 + e^x)                                (only forward: the slope is sigmoid(x))
    exp          e^x                                         (only forward: the slope is y)
    expm1        e^x - 1                                     (only forward: the slope is y + 1)

Arrays may have any memory order; the result has that of x or y, the array in the formula. NaN stays NaN.

Sources: Nair and Hinton, Rectified linear units, 2010; Maas et al., Rectifier nonlinearities, 2013; Clevert et al.,
Exponential linear units, 2016; Elfwing et al., Sigmoid-weighted linear units, 2018; Hendrycks and Gimpel, Gaussian
error linear units, 2016, whose x/2 * (1 + tanh(u)) is x * sigmoid(2u), which loses no digits where tanh(u) is near -1;
Howard et al., Searching for MobileNetV3, 2019; Huber, Robust estimation of a location parameter, 1964.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_gradient
from ..registry import kernel


@kernel
def relu_forward(x: Any) -> Any:
    """Return max(x, 0), and NaN for NaN.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape and dtype of `x`

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.relu_forward(np.array([-1.0, 2.0, np.nan]))
    array([ 0.,  2., nan])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def relu_backward(dy: Any, y: Any) -> Any:
    """Return dx = dy where y > 0 (or is NaN), else 0.

    Parameters
    ----------
    dy, y : arrays of one shape and dtype

    Returns
    -------
    array of their shape

    Raises
    ------
    ValueError, TypeError
        Different shapes, mixed dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.relu_backward(np.array([5.0, 5.0]), np.array([0.0, 2.0]))
    array([0., 5.])
    """
    _check_gradient(dy, y, "y")
    return dy, y


@kernel
def leaky_relu_forward(x: Any, slope: float = 0.01) -> Any:
    """Return x where x > 0, slope * x elsewhere; as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return x, float(slope)


@kernel
def leaky_relu_backward(dy: Any, x: Any, slope: float = 0.01) -> Any:
    """Return dx = dy where x > 0, slope * dy elsewhere; as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x, float(slope)


@kernel
def elu_forward(x: Any, alpha: float = 1.0) -> Any:
    """Return x where x > 0, alpha * (e^x - 1) elsewhere; as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return x, float(alpha)


@kernel
def elu_backward(dy: Any, x: Any, alpha: float = 1.0) -> Any:
    """Return dx = dy where x > 0, dy * alpha * e^x elsewhere; as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x, float(alpha)


@kernel
def tanh_forward(x: Any) -> Any:
    """Return tanh(x), to 3 units in the last place; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.tanh_forward(np.array([0.0, np.inf]))
    array([0., 1.])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def tanh_backward(dy: Any, y: Any) -> Any:
    """Return dx = dy * (1 - y^2), for y = tanh(x); as `relu_backward`."""
    _check_gradient(dy, y, "y")
    return dy, y


@kernel
def sigmoid_forward(x: Any) -> Any:
    """Return 1 / (1 + e^-x), to 3 units in the last place; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.sigmoid_forward(np.array([0.0, np.inf]))
    array([0.5, 1. ])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def sigmoid_backward(dy: Any, y: Any) -> Any:
    """Return dx = dy * y * (1 - y), for y = sigmoid(x); as `relu_backward`."""
    _check_gradient(dy, y, "y")
    return dy, y


@kernel
def silu_forward(x: Any) -> Any:
    """Return x * sigmoid(x); as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def silu_backward(dy: Any, x: Any) -> Any:
    """Return dx = dy * s * (1 + x * (1 - s)), s = sigmoid(x); as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x


@kernel
def gelu_forward(x: Any) -> Any:
    """Return x * P(x), where P(x) = (1 + erf(x / sqrt(2))) / 2 is the normal distribution; as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def gelu_backward(dy: Any, x: Any) -> Any:
    """Return dx = dy * (P(x) + x * P'(x)), P'(x) = e^(-x^2/2) / sqrt(2 * pi); as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x


@kernel
def gelu_tanh_forward(x: Any) -> Any:
    """Return x * sigmoid(2u), u = sqrt(2/pi) * (x + 0.044715 * x^3); as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def gelu_tanh_backward(dy: Any, x: Any) -> Any:
    """Return dx = dy * s * (1 + x * (1 - s) * 2u'), s = sigmoid(2u), u of `gelu_tanh_forward`; as `relu_backward`.

    u' = sqrt(2/pi) * (1 + 3 * 0.044715 * x^2).
    """
    _check_gradient(dy, x, "x")
    return dy, x


@kernel
def hardsigmoid_forward(x: Any) -> Any:
    """Return min(max(x + 3, 0), 6) / 6; as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def hardsigmoid_backward(dy: Any, x: Any) -> Any:
    """Return dx = dy / 6 where -3 < x < 3, else 0, at NaN too; as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x


@kernel
def hardswish_forward(x: Any) -> Any:
    """Return x * min(max(x + 3, 0), 6) / 6; as `relu_forward`."""
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def hardswish_backward(dy: Any, x: Any) -> Any:
    """Return dx = dy * (x/3 + 1/2) where -3 < x < 3, 0 below, dy above; as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x


@kernel
def clip_forward(x: Any, low: float, high: float) -> Any:
    """Return min(max(x, low), high), NaN where one of the three is; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.clip_forward(np.array([-3.0, 0.5, 2.0]), -1, 1)
    array([-1. ,  0.5,  1. ])
    """
    check_array(x, "x", 0, at_least=True)
    return x, float(low), float(high)


@kernel
def clip_backward(dy: Any, x: Any, low: float, high: float) -> Any:
    """Return dx = dy where low <= x <= high, else 0, at NaN too; as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x, float(low), float(high)


@kernel
def hardtanh_backward(dy: Any, x: Any, low: float, high: float) -> Any:
    """Return dx = dy where low < x < high, else 0, on the bounds and at NaN too; as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x, float(low), float(high)


@kernel
def huber_forward(x: Any, delta: float = 1.0) -> Any:
    """Return x^2 / 2 where |x| <= delta, delta * (|x| - delta/2) elsewhere, for a delta > 0; as `relu_forward`.

    Both are c * (x - c/2) with c = min(max(x, -delta), delta).

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.huber_forward(np.array([-3.0, 0.5]))
    array([2.5  , 0.125])
    """
    check_array(x, "x", 0, at_least=True)
    return x, _positive(delta)


@kernel
def huber_backward(dy: Any, x: Any, delta: float = 1.0) -> Any:
    """Return dx = dy * min(max(x, -delta), delta); as `relu_backward`."""
    _check_gradient(dy, x, "x")
    return dy, x, _positive(delta)


@kernel
def erf_forward(x: Any) -> Any:
    """Return the error function of x, which NumPy lacks, to 5 units in the last place; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.erf_forward(np.array([0.0, np.inf]))
    array([0., 1.])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def softplus_forward(x: Any) -> Any:
    """Return log(1 + e^x), exact for large and small x; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.softplus_forward(np.array([-np.inf, 1000.0]))
    array([   0., 1000.])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def exp_forward(x: Any) -> Any:
    """Return e^x, inf where it is too large; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.exp_forward(np.array([0.0, 1000.0]))
    array([ 1., inf])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


@kernel
def expm1_forward(x: Any) -> Any:
    """Return e^x - 1, exact for small x; as `relu_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> kernels.activations.expm1_forward(np.array([-np.inf, 1e-20]))
    array([-1.e+00,  1.e-20])
    """
    check_array(x, "x", 0, at_least=True)
    return (x,)


def _positive(delta: float) -> float:
    if not delta > 0:  # written so that NaN fails
        raise ValueError(f"delta must be positive, got {delta}")
    return float(delta)


def _check_gradient(dy: Any, saved: Any, name: str) -> None:
    check_array(saved, name, 0, at_least=True)
    check_gradient(dy, saved, name)
