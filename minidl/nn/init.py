"""Initial values: random numbers of such a variance that signals neither grow nor vanish from layer to layer.

Numbers come from `generator`, or from the stream ``"initialization"`` of :mod:`minidl.random`. Each function writes
into the tensor and returns it. An array such as ``weight.data`` is accepted too, as long as nothing was computed from
its tensor yet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import random
from minidl.autograd import Tensor, no_grad
from minidl.kernels import array_module

GAINS = {
    "relu": math.sqrt(2), "tanh": 5 / 3, "selu": 3 / 4, "sigmoid": 1.0, "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0,
    "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
}  # fmt: skip


def fan_in_and_out(tensor: Tensor) -> tuple[int, int]:
    """(inputs to one output unit, outputs that one input unit goes to) of weights (out, in, ...).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.init.fan_in_and_out(minidl.empty(8, 3, 5, 5))  # a convolution: 3 * 25 and 8 * 25
    (75, 200)
    """
    if tensor.ndim < 2:
        raise ValueError(f"fans are those of weights of at least two dimensions, got shape {tensor.shape}")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor for the weights that makes up for how much a nonlinearity reduces the variance of its input.

    Examples
    --------
    >>> from minidl import nn
    >>> nn.init.calculate_gain("leaky_relu", 0.5) ** 2  # 2 / (1 + slope^2)
    1.6
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope * slope))
    if nonlinearity not in GAINS:
        raise ValueError(f"nonlinearity must be leaky_relu, {', '.join(GAINS)}, got {nonlinearity!r}")
    return GAINS[nonlinearity]


def _write(tensor: Tensor, values: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        tensor[...] = array_module(tensor).asarray(values, tensor.dtype)
        return tensor
    with no_grad():
        return tensor.assign_(Tensor(np.asarray(values, tensor.dtype)).to(tensor.device))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every number `val`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.init.constant_(minidl.empty(2, 2), 0.5)
    tensor([[0.5, 0.5],
            [0.5, 0.5]])
    """
    return _write(tensor, np.full(tensor.shape, val))


def zeros_(tensor: Tensor) -> Tensor:
    """Every number 0.

    Examples
    --------
    >>> from minidl import nn
    >>> layer = nn.Linear(3, 2)
    >>> nn.init.zeros_(layer.bias)
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Every number 1.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.init.ones_(minidl.empty(3))
    tensor([1., 1., 1.])
    """
    return constant_(tensor, 1)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: np.random.Generator | None = None) -> Tensor:
    """Uniformly distributed numbers from a to b.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.uniform_(minidl.empty(1000), -0.1, 0.1)
    >>> bool((w.abs() <= 0.1).all())
    True
    """
    if not a <= b:
        raise ValueError(f"a must be at most b, got {a} and {b}")
    return _write(tensor, random.chosen(generator, "initialization").uniform(a, b, tensor.shape))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Normally distributed numbers.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.normal_(minidl.empty(1000), std=0.01)
    >>> bool(abs(w.std() / 0.01 - 1) < 0.1)
    True
    """
    if not std >= 0:
        raise ValueError(f"std must not be negative, got {std}")
    return _write(tensor, random.chosen(generator, "initialization").normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Normally distributed numbers between a and b (absolute values, not multiples of std); others are drawn again.

    A ValueError if less than one number in a hundred would lie there.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.trunc_normal_(minidl.empty(1000), std=0.02, a=-0.04, b=0.04)
    >>> bool((w.abs() <= 0.04).all())
    True
    """
    # P(a <= x <= b) = (erf((b - mean) / (sqrt(2) * std)) - erf((a - mean) / (sqrt(2) * std))) / 2
    share = (math.erf((b - mean) / (math.sqrt(2) * std)) - math.erf((a - mean) / (math.sqrt(2) * std))) / 2
    if not share >= 0.01:
        raise ValueError(f"a and b must hold a hundredth of the numbers of mean {mean} and std {std}, got {a} and {b}")
    draw = random.chosen(generator, "initialization").normal
    x = np.asarray(draw(mean, std, tensor.shape))
    while (outside := (x < a) | (x > b)).any():
        x[outside] = draw(mean, std, np.count_nonzero(outside))
    return _write(tensor, x)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: np.random.Generator | None = None) -> Tensor:
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010, equation 16).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.xavier_uniform_(minidl.empty(50, 100))  # sqrt(6 / 150) = 0.2
    >>> bool((w.abs() <= 0.2).all())
    True
    """
    fan_in, fan_out = fan_in_and_out(tensor)
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: np.random.Generator | None = None) -> Tensor:
    """Normal with std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.xavier_normal_(minidl.empty(50, 150))  # sqrt(2 / 200) = 0.1
    >>> bool(abs(w.std() / 0.1 - 1) < 0.05)
    True
    """
    fan_in, fan_out = fan_in_and_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Uniform in +-gain * sqrt(3 / fan) (He et al., 2015); `a` is the slope of a leaky relu.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.kaiming_uniform_(minidl.empty(50, 600), nonlinearity="relu")  # sqrt(2 * 3 / 600) = 0.1
    >>> bool((w.abs() <= 0.1).all())
    True
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / max(1, _fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Normal with std = gain / sqrt(fan) (He et al., 2015, equation 10); `a` is the slope of a leaky relu.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> layer = nn.Linear(800, 50)
    >>> w = nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # sqrt(2 / 800) = 0.05
    >>> bool(abs(w.std() / 0.05 - 1) < 0.05)
    True
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(max(1, _fan(tensor, mode)))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: np.random.Generator | None = None) -> Tensor:
    """Rows (or columns, if there are fewer) of length `gain` at right angles (Saxe et al., 2013).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = nn.init.orthogonal_(minidl.empty(3, 5))
    >>> minidl.allclose(w @ w.T, minidl.eye(3), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs at least two dimensions, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    noise = random.chosen(generator, "initialization").standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(noise)
    q *= np.sign(np.diag(r))  # without this, q is not evenly spread over all rotations
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere: a dense layer that returns its input.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.init.eye_(minidl.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_ needs a matrix, got shape {tensor.shape}")
    return _write(tensor, np.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """1 in the middle of the window from each channel to the same channel, 0 elsewhere: a convolution that returns x.

    tensor[g * out + c, c, k1 // 2, ...] = 1, for the weights (groups * out, in, k1, ...) of 1-d to 3-d convolutions.

    Raises
    ------
    ValueError
        Another number of dimensions, or output channels that do not divide into `groups`.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.init.dirac_(minidl.empty(1, 2, 3))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5) or groups < 1 or tensor.shape[0] % groups:
        raise ValueError(
            f"dirac_ needs weights (out, in, kernel size) with an out that groups divides, got shape {tensor.shape} "
            f"and groups={groups}"
        )
    channels, middle = tensor.shape[0] // groups, tuple(k // 2 for k in tensor.shape[2:])
    values = np.zeros(tensor.shape)
    for g in range(groups):
        for c in range(min(channels, tensor.shape[1])):
            # tensor[g * out + c, c, k1 // 2, ...] = 1
            values[(g * channels + c, c, *middle)] = 1
    return _write(tensor, values)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return fan_in_and_out(tensor)[mode == "fan_out"]
