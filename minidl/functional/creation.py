"""New tensors: of one value, of a sequence, at random.

Floating-point tensors are float32 unless `dtype` says otherwise. Random numbers come from the stream
``"initialization"`` of :mod:`minidl.random`, drawn on the CPU, so they are the same on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import random
from minidl.autograd import Tensor, is_array, tensor, tensor_method, to_device
from minidl.functional.operands import sizes_of

__all__ = [
    "arange", "as_tensor", "empty", "eye", "from_numpy", "full", "full_like", "linspace", "multinomial", "ones",
    "ones_like", "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "zeros", "zeros_like",
]  # fmt: skip


def _tensor(array: np.ndarray, device: str | None, requires_grad: bool) -> Tensor:
    return Tensor(array if device is None else to_device(array, device), requires_grad)


def _drawn(distribution: str, sizes: tuple, dtype: np.dtype) -> np.ndarray:
    """Random numbers for `dtype`: with 53 random bits for float64, else in float32 with 24."""
    if dtype.kind != "f":
        raise TypeError(f"random numbers need a floating-point dtype, got {dtype}; use randint for integers")
    draw = getattr(random.generator("initialization"), distribution)
    return np.asarray(draw(sizes_of(sizes, "size"), dtype=np.float64 if dtype.itemsize > 4 else np.float32))


def as_tensor(data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """`data` as a Tensor: a Tensor stays itself, an array keeps its memory, numbers in nested lists are copied."""
    if not isinstance(data, Tensor) and not is_array(data):
        return tensor(data, dtype, device)
    x = data if isinstance(data, Tensor) else Tensor(data)
    return x.to(device=device, dtype=dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor in the memory of `array`: a change of one is a change of the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy needs a NumPy array, got {type(array).__name__}; use minidl.tensor")
    return Tensor(array)


def zeros(
    *size: int | Sequence[int], dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _tensor(np.zeros(sizes_of(size, "size"), dtype or np.float32), device, requires_grad)


def ones(
    *size: int | Sequence[int], dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones."""
    return _tensor(np.ones(sizes_of(size, "size"), dtype or np.float32), device, requires_grad)


def empty(
    *size: int | Sequence[int], dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with whatever values its memory held before."""
    return _tensor(np.empty(sizes_of(size, "size"), dtype or np.float32), device, requires_grad)


def full(
    size: Sequence[int], fill_value: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value; integers and booleans keep their dtype, floats are float32."""
    dtype = dtype or (np.float32 if isinstance(fill_value, float) else np.asarray(fill_value).dtype)
    return _tensor(np.full(tuple(size), fill_value, dtype), device, requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """start, start + step, ... below `end`; ``arange(n)`` is 0, ..., n - 1. Integers give int64, floats float32.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange needs a step that leads from start to end, got {start}, {end} and step {step}")
    floating = any(isinstance(value, (float, np.floating)) for value in (start, end, step))
    return _tensor(np.arange(start, end, step, dtype or (np.float32 if floating else np.int64)), device, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    return _tensor(np.linspace(start, end, steps, dtype=dtype or np.float32), device, requires_grad)


def eye(
    n: int, m: int | None = None, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """The n x n (or n x m) matrix with ones on its diagonal."""
    return _tensor(np.eye(n, m, dtype=dtype or np.float32), device, requires_grad)


def rand(
    *size: int | Sequence[int], dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Numbers drawn from the uniform distribution from 0 (included) to 1 (not included)."""
    dtype = np.dtype(dtype or np.float32)
    drawn = _drawn("random", size, dtype)
    if dtype == np.float16:
        drawn -= drawn % 2**-11  # down to the bits that float16 has, so that none is rounded up to 1
    return _tensor(drawn.astype(dtype, copy=False), device, requires_grad)


def randn(
    *size: int | Sequence[int], dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Numbers drawn from the normal distribution of mean 0 and variance 1."""
    dtype = np.dtype(dtype or np.float32)
    return _tensor(_drawn("standard_normal", size, dtype).astype(dtype, copy=False), device, requires_grad)


def randint(
    low: int, high: int | Sequence[int] | None = None, size: Sequence[int] = (), dtype: Any = None,
    device: str | None = None,
) -> Tensor:  # fmt: skip
    """Integers from `low` to ``high - 1``, each as likely as any other; ``randint(high, size)`` starts from 0."""
    if isinstance(high, (tuple, list)):
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    if low >= high:
        raise ValueError(f"randint needs low < high, got {low} and {high}")
    drawn = random.generator("initialization").integers(low, high, tuple(size))
    return _tensor(np.asarray(drawn, dtype or np.int64), device, False)


def randperm(n: int, dtype: Any = None, device: str | None = None) -> Tensor:
    """The integers 0, ..., n - 1 in random order, each order as likely as any other."""
    if n < 0:
        raise ValueError(f"randperm needs n >= 0, got {n}")
    return _tensor(random.generator("initialization").permutation(n).astype(dtype or np.int64), device, False)


@tensor_method()
def uniform_(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Write numbers drawn evenly from `low` to `high`, see :meth:`Tensor.assign_`."""
    return x.assign_(rand(x.shape, dtype=x.dtype, device=x.device) * (high - low) + low)


@tensor_method()
def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Write numbers drawn from the normal distribution, see :meth:`Tensor.assign_`."""
    return x.assign_(randn(x.shape, dtype=x.dtype, device=x.device) * std + mean)


@tensor_method()
def multinomial(x: Tensor, num_samples: int, replacement: bool = False) -> Tensor:
    """`num_samples` positions drawn from each row of x, position i with probability x[i] / sum_j x[j].

    Without `replacement` no position is drawn twice: once drawn, its weight counts as 0. That amounts to sorting
    e[i] / x[i], smallest first, with e[i] from the exponential distribution (Efraimidis and Spirakis, Weighted random
    sampling with a reservoir, 2006).

    Parameters
    ----------
    x : (C,) or (N, C)
        Weights: none negative, not all 0; they need not add up to 1.
    num_samples : int
        Without `replacement` at most the number of weights that are not 0.

    Returns
    -------
    (num_samples,) or (N, num_samples) integers from 0 to C - 1, without gradient

    Raises
    ------
    TypeError, ValueError
        An x that is not floating point or does not hold weights; a `num_samples` that can't be drawn.

    Examples
    --------
    >>> import minidl
    >>> minidl.multinomial(minidl.tensor([0.0, 3.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    weights, device = np.asarray(to_device(x.data, "cpu"), np.float64), x.device
    if x.dtype.kind != "f" or x.ndim not in (1, 2):
        raise TypeError(f"multinomial: x must be floats (C,) or (N, C), got {x.dtype} of shape {tuple(x.shape)}")
    total = weights.sum(-1, keepdims=True)
    if (weights < 0).any() or not np.isfinite(total).all() or (total == 0).any():
        raise ValueError("multinomial: x must hold weights: finite, not negative, in each row one that is not 0")
    most = np.inf if replacement else (weights != 0).sum(-1).min(initial=weights.shape[-1])
    if not 1 <= num_samples <= most:
        raise ValueError(f"multinomial: num_samples must be from 1 to {most}, got {num_samples}")
    draw = random.generator("initialization")
    if replacement:
        # the first i with (x[0] + ... + x[i]) / sum_j x[j] above a number drawn evenly from 0 to 1
        cumulated = weights.cumsum(-1).reshape(-1, weights.shape[-1])
        cumulated /= cumulated[:, -1:]  # exactly 1 at the end
        u = draw.random((len(cumulated), num_samples))
        rows = [np.searchsorted(row, numbers, side="right") for row, numbers in zip(cumulated, u)]
        positions = np.array(rows, np.int64).reshape(*weights.shape[:-1], num_samples)
    else:
        with np.errstate(divide="ignore"):
            positions = (draw.standard_exponential(weights.shape) / weights).argsort(-1)[..., :num_samples]
    return _tensor(positions, device, False)


def zeros_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype and on the device of x."""
    return zeros(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def ones_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype and on the device of x."""
    return ones(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def full_like(
    x: Tensor, fill_value: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype and on the device of x."""
    return full(x.shape, fill_value, dtype or x.dtype, device or x.device, requires_grad)


def rand_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """:func:`rand` in the shape and dtype and on the device of x."""
    return rand(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def randn_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """:func:`randn` in the shape and dtype and on the device of x."""
    return randn(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


@tensor_method()
def new_zeros(x: Tensor, *size: int | Sequence[int], dtype: Any = None, device: str | None = None) -> Tensor:
    """Zeros of the given size in the dtype and on the device of x."""
    return zeros(*size, dtype=dtype or x.dtype, device=device or x.device)


@tensor_method()
def new_ones(x: Tensor, *size: int | Sequence[int], dtype: Any = None, device: str | None = None) -> Tensor:
    """Ones of the given size in the dtype and on the device of x."""
    return ones(*size, dtype=dtype or x.dtype, device=device or x.device)


@tensor_method()
def new_full(x: Tensor, size: Sequence[int], fill_value: float, dtype: Any = None, device: str | None = None) -> Tensor:
    """One value in the given size, in the dtype and on the device of x."""
    return full(size, fill_value, dtype or x.dtype, device or x.device)


@tensor_method()
def new_tensor(x: Tensor, data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """A copy of `data` in the dtype and on the device of x."""
    return tensor(data, dtype or x.dtype, device or x.device)
