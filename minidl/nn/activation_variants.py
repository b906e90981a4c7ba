"""More activation layers; the formulas are in `minidl.functional`: activation and activation_variants."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl.nn.activation import ELU, Softmax, _Activation, _AlongDim
from minidl.nn.module import Module


class CELU(ELU):
    """x where x > 0, ``alpha * (e^(x / alpha) - 1)`` elsewhere.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.CELU(alpha=0.5)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.4908,  0.    ,  1.    ])
    """

    def forward(self, x: Any) -> Any:
        return F.celu(x, self.alpha)


class Hardshrink(Module):
    """x where |x| > `lambd`, 0 elsewhere.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Hardshrink(1.5)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-2.,  0.,  0.])
    """

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        return F.hardshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x moved towards 0 by `lambd`, and 0 where |x| is smaller.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Softshrink(1.5)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.5,  0. ,  0. ])
    """

    def forward(self, x: Any) -> Any:
        return F.softshrink(x, self.lambd)


class Threshold(_Activation):
    """x where x > `threshold`, `value` elsewhere.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Threshold(0.5, value=-9.0)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-9., -9.,  1.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, x: Any) -> Any:
        return F.threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class Tanhshrink(Module):
    """x - tanh(x).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Tanhshrink()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.036 ,  0.    ,  0.2384])
    """

    def forward(self, x: Any) -> Any:
        return F.tanhshrink(x)


class Hardtanh(_Activation):
    """x between `min_val` and `max_val`, these two beyond them.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Hardtanh()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.,  0.,  1.])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__(inplace)
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """min(max(x, 0), 6).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.ReLU6()(minidl.tensor([-2.0, 3.0, 7.0]))
    tensor([0., 3., 6.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return ""


class Hardsigmoid(_Activation):
    """min(max(x + 3, 0), 6) / 6.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Hardsigmoid()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1667, 0.5   , 0.6667])
    """

    def forward(self, x: Any) -> Any:
        return F.hardsigmoid(x)


class Hardswish(_Activation):
    """x * hardsigmoid(x).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Hardswish()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.3333,  0.    ,  0.6667])
    """

    def forward(self, x: Any) -> Any:
        return F.hardswish(x)


class SELU(_Activation):
    """scale * elu(x, alpha), which keeps mean 0 and variance 1; see :func:`minidl.functional.selu`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.SELU()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.5202,  0.    ,  1.0507])
    """

    def forward(self, x: Any) -> Any:
        return F.selu(x)


class Mish(_Activation):
    """x * tanh(softplus(x)).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Mish()(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.2525,  0.    ,  0.8651])
    """

    def forward(self, x: Any) -> Any:
        return F.mish(x)


class GLU(_AlongDim):
    """a * sigmoid(b) of the two halves of x along `dim`; see :func:`minidl.functional.glu`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.GLU(dim=0)(minidl.tensor([3.0, 5.0, 0.0, 100.0]))
    tensor([1.5, 5. ])
    """

    def forward(self, x: Any) -> Any:
        return F.glu(x, self.dim)


class Softmin(Softmax):
    """e^-x[i] / sum_j e^-x[j] along `dim`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.Softmin(dim=0)(minidl.tensor([-2.0, 0.0, 1.0]))
    tensor([0.8438, 0.1142, 0.042 ])
    """

    def forward(self, x: Any) -> Any:
        return F.softmin(x, self.dim)


class Softmax2d(Module):
    """Softmax over the channels: of (N, C, H, W) or (C, H, W), for each pixel.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> y = nn.Softmax2d()(minidl.randn(2, 3, 4, 4))
    >>> minidl.allclose(y.sum(1), minidl.ones(2, 4, 4))
    True
    """

    def forward(self, x: Any) -> Any:
        if x.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: x must be (N, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
        return F.softmax(x, -3)
