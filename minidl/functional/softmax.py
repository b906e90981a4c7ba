"""Softmax, from scores to probabilities, and its logarithm."""

from __future__ import annotations

from typing import Any

from minidl import kernels
from minidl.autograd import Function, tensor_method
from minidl.functional.axes import one_axis
from minidl.functional.conversion import astype
from minidl.functional.elementwise import exp
from minidl.functional.operands import check_float, namespace

__all__ = ["log_softmax", "softmax"]


def _along(kernel: Any, axis: tuple[int, ...], *arrays: Any) -> Any:
    """kernel(*arrays), for a kernel that goes along the last axis."""
    if not axis:  # a number is a row of one
        return kernel(*(x.reshape(1) for x in arrays)).reshape(())
    if arrays[0].size == 0:
        return arrays[0]
    if axis[0] == arrays[0].ndim - 1:
        return kernel(*arrays)
    xp = namespace(*arrays)
    # not swapaxes: the channels of channels-last memory, once they are the last axis, are read as they lie
    return xp.moveaxis(kernel(*(xp.moveaxis(x, axis[0], -1) for x in arrays)), -1, axis[0])


class Softmax(Function):
    """y[i] = e^x[i] / sum_j e^x[j] along an axis."""

    saves_inputs, saves_output = False, True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return _along(kernels.softmax.forward, self.axis, x)

    def backward(self, dy, inputs, output):
        return SoftmaxGrad(self.axis)(dy, output)


class SoftmaxGrad(Function):
    """dx[i] = y[i] * (dy[i] - sum_j dy[j] * y[j])."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, dy, y):
        return _along(kernels.softmax.input_grad, self.axis, dy, y)

    def backward(self, ddx, inputs, output):
        dy, y = inputs
        ddy = SoftmaxGrad(self.axis)(ddx, y)  # dx = M dy with a symmetric matrix M: ddy = M ddx
        if not self.needs(1):
            return ddy, None
        # dL/dy[i] = ddx[i] * (dy[i] - sum_j dy[j] * y[j]) - dy[i] * sum_j ddx[j] * y[j]
        sums = [(d * y).sum(self.axis, keepdims=True) for d in (dy, ddx)]
        return ddy, ddx * (dy - sums[0]) - dy * sums[1]


class LogSoftmax(Function):
    """y[i] = x[i] - log(sum_j e^x[j]) along an axis."""

    saves_inputs, saves_output = False, True

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return _along(kernels.softmax.log_forward, self.axis, x)

    def backward(self, dy, inputs, output):
        return LogSoftmaxGrad(self.axis)(dy, output)


class LogSoftmaxGrad(Function):
    """dx[i] = dy[i] - e^y[i] * sum_j dy[j]."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, dy, y):
        return _along(kernels.softmax.log_input_grad, self.axis, dy, y)

    def backward(self, ddx, inputs, output):
        dy, y = inputs
        moved = ddx * exp(y)
        # ddy[j] = ddx[j] - sum_i ddx[i] * e^y[i], dL/dy[i] = -ddx[i] * e^y[i] * sum_j dy[j]
        ddy = ddx - moved.sum(self.axis, keepdims=True)
        return ddy, -moved * dy.sum(self.axis, keepdims=True) if self.needs(1) else None


@tensor_method()
def softmax(x: Any, dim: int = -1, dtype: Any = None) -> Any:
    """y[i] = e^x[i] / sum_j e^x[j] along axis `dim`: positive numbers that add up to 1.

    Without `dim` it is the last axis, whatever the rank of x (PyTorch warns, and takes the first or the second). With
    `dtype`, x is converted first.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.0, 0.0]).softmax(0)
    tensor([0.5, 0.5])
    """
    x = x if dtype is None else astype(x, dtype)
    return Softmax(_axis("softmax", x, dim))(x)


@tensor_method()
def log_softmax(x: Any, dim: int = -1, dtype: Any = None) -> Any:
    """log(softmax(x)), exact where softmax would round to 0; with `dtype`, x is converted first.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([0.0, 0.0]).log_softmax(0)
    tensor([-0.6931, -0.6931])
    """
    x = x if dtype is None else astype(x, dtype)
    return LogSoftmax(_axis("log_softmax", x, dim))(x)


def _axis(name: str, x: Any, dim: int) -> tuple[int, ...]:
    """`dim` as a tuple of one axis, or of none for a single number."""
    check_float(name, x)
    return one_axis(dim, x.ndim)
