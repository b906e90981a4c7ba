"""Random numbers: new tensors of them, and methods that fill a tensor with them.

They come from `generator`, or from the stream ``"initialization"`` of :mod:`minidl.random`, drawn on the CPU, so they
are the same on every device. Floating-point tensors are float32 unless `dtype` says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import random
from minidl.autograd import Tensor, tensor_method, to_numpy
from minidl.functional.broadcast import common_shape
from minidl.functional.creation import empty, full, new_size, not_negative, placed, zeros_like
from minidl.functional.operands import check_float
from minidl.functional.softmax import softmax

__all__ = [
    "bernoulli", "gumbel_softmax", "multinomial", "normal", "rand", "rand_like", "randint", "randn", "randn_like",
    "randperm",
]  # fmt: skip


def _drawn(
    distribution: str, sizes: tuple, size: Any, dtype: np.dtype, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Random numbers for `dtype`: with 53 random bits for float64, else in float32 with 24."""
    if dtype.kind != "f":
        raise TypeError(f"random numbers need a floating-point dtype, got {dtype}; use randint for integers")
    draw = getattr(random.chosen(generator, "initialization"), distribution)
    return np.asarray(draw(new_size(sizes, size), dtype=np.float64 if dtype.itemsize > 4 else np.float32))


def rand(
    *sizes: int | Sequence[int], size: Any = None, generator: np.random.Generator | None = None, dtype: Any = None,
    device: str | None = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers drawn from the uniform distribution from 0 (included) to 1 (not included).

    Examples
    --------
    >>> import minidl
    >>> x = minidl.rand(2, 3)
    >>> x.shape, bool(((x >= 0) & (x < 1)).all())
    ((2, 3), True)
    """
    dtype = np.dtype(dtype or np.float32)
    drawn = _drawn("random", sizes, size, dtype, generator)
    if dtype == np.float16:
        drawn -= drawn % 2**-11  # down to the bits that float16 has, so that none is rounded up to 1
    return placed(drawn.astype(dtype, copy=False), device, requires_grad)


def randn(
    *sizes: int | Sequence[int], size: Any = None, generator: np.random.Generator | None = None, dtype: Any = None,
    device: str | None = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers drawn from the normal distribution of mean 0 and variance 1.

    Examples
    --------
    >>> import minidl
    >>> minidl.randn(2, 3).shape
    (2, 3)
    """
    dtype = np.dtype(dtype or np.float32)
    drawn = _drawn("standard_normal", sizes, size, dtype, generator)
    return placed(drawn.astype(dtype, copy=False), device, requires_grad)


def randint(
    low: int, high: int | Sequence[int] | None = None, size: Sequence[int] = (), *,
    generator: np.random.Generator | None = None, dtype: Any = None, device: str | None = None,
) -> Tensor:  # fmt: skip
    """Integers from `low` to ``high - 1``, each as likely as any other; ``randint(high, size)`` starts from 0.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.randint(1, 7, (100,))  # dice
    >>> int(x.min()) >= 1, int(x.max()) <= 6
    (True, True)
    """
    if isinstance(high, (tuple, list)):
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    if low >= high:
        raise ValueError(f"randint needs low < high, got {low} and {high}")
    dtype = _holding("randint", low, high - 1, dtype)
    drawn = random.chosen(generator, "initialization").integers(low, high, new_size((size,)))
    return placed(np.asarray(drawn, dtype), device, False)


def _holding(name: str, least: int, largest: int, dtype: Any) -> np.dtype:
    """The dtype, int64 for None; an error if it is one of integers that can't hold those from `least` to `largest`."""
    dtype = np.dtype(dtype or np.int64)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= least <= largest <= np.iinfo(dtype).max:
        raise ValueError(f"{name}: dtype must hold the integers from {least} to {largest}, got {dtype}")
    return dtype


def randperm(
    n: int, *, generator: np.random.Generator | None = None, dtype: Any = None, device: str | None = None
) -> Tensor:
    """The integers 0, ..., n - 1 in random order, each order as likely as any other.

    Examples
    --------
    >>> import minidl
    >>> minidl.randperm(5).sort().values
    tensor([0, 1, 2, 3, 4])
    """
    n = not_negative("n", n)
    dtype = _holding("randperm", 0, max(n - 1, 0), dtype)
    order = random.chosen(generator, "initialization").permutation(n)
    return placed(order.astype(dtype), device, False)


@tensor_method()
def uniform_(x: Tensor, low: float = 0.0, high: float = 1.0, *, generator: np.random.Generator | None = None) -> Tensor:
    """Write numbers drawn evenly from `low` to `high`, see :meth:`Tensor.assign_`."""
    if not low <= high:
        raise ValueError(f"uniform_: low must be at most high, got {low} and {high}")
    drawn = rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return x.assign_(drawn * (high - low) + low)


@tensor_method()
def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: np.random.Generator | None = None) -> Tensor:
    """Write numbers drawn from the normal distribution, see :meth:`Tensor.assign_`."""
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, got {std}")
    return x.assign_(randn(x.shape, generator=generator, dtype=x.dtype, device=x.device) * std + mean)


def normal(
    mean: Any, std: Any, size: Sequence[int] | None = None, *, generator: np.random.Generator | None = None
) -> Tensor:
    """Numbers drawn from the normal distribution of the given mean and standard deviation.

    Parameters
    ----------
    mean, std : float or Tensor
        Of the whole result, or of each number; they broadcast.
    size : sequence of int, optional
        The shape, where both are floats.

    Raises
    ------
    TypeError, ValueError
        Two floats without a size, a Tensor with one; a `std` below 0.

    Examples
    --------
    >>> import minidl
    >>> minidl.normal(0.0, 0.01, size=(2, 3)).shape, minidl.normal(minidl.zeros(4), 1.0).shape
    ((2, 3), (4,))
    """
    tensors = {name: x.detach() for name, x in (("mean", mean), ("std", std)) if isinstance(x, Tensor)}
    if bool(tensors) == (size is not None):
        raise TypeError("normal needs a size where mean and std are numbers, and none where one of them is a Tensor")
    if not (std >= 0 if not isinstance(std, Tensor) else (std.data >= 0).all()):
        raise ValueError(f"normal: std must not be negative, got {std!r}")
    if not tensors:
        return randn(*size, generator=generator) * std + mean
    shape, (like, *_) = common_shape("normal", **tensors), tensors.values()
    drawn = randn(shape, generator=generator, dtype=like.dtype, device=like.device)
    return drawn * tensors.get("std", std) + tensors.get("mean", mean)


@tensor_method()
def bernoulli(x: Tensor, *, generator: np.random.Generator | None = None) -> Tensor:
    """1 with probability x, 0 otherwise, drawn for each number of x; without gradient.

    Raises
    ------
    TypeError, ValueError
        An x that is not floating point, or not from 0 to 1.

    Examples
    --------
    >>> import minidl
    >>> minidl.bernoulli(minidl.tensor([0.0, 1.0, 1.0]))
    tensor([0., 1., 1.])
    """
    if x.dtype.kind != "f":
        raise TypeError(f"bernoulli: x must be probabilities, got {x.dtype}")
    inside = (x.data >= 0) & (x.data <= 1)
    if not inside.all():
        raise ValueError(f"bernoulli: x must be probabilities, from 0 to 1, got {float(x.data[~inside][0])}")
    return (rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) < x.detach()).astype(x.dtype)


@tensor_method()
def bernoulli_(x: Tensor, p: Any = 0.5, *, generator: np.random.Generator | None = None) -> Tensor:
    """Write 1 with probability `p`, a number or a Tensor that broadcasts, and 0 otherwise, see :meth:`Tensor.assign_`.

    Examples
    --------
    >>> import minidl
    >>> minidl.empty(3).bernoulli_(1.0)
    tensor([1., 1., 1.])
    """
    p = p.detach() if isinstance(p, Tensor) else full((), float(p), np.float64)
    return x.assign_(bernoulli(p.expand(x.shape), generator=generator).astype(x.dtype).to(x.device))


@tensor_method()
def exponential_(x: Tensor, lambd: float = 1.0, *, generator: np.random.Generator | None = None) -> Tensor:
    """Write numbers drawn from the exponential distribution of mean 1 / lambd, see :meth:`Tensor.assign_`.

    Examples
    --------
    >>> import minidl
    >>> bool((minidl.empty(3).exponential_() > 0).all())
    True
    """
    if not lambd > 0:
        raise ValueError(f"exponential_: lambd must be above 0, got {lambd}")
    drawn = _drawn("standard_exponential", (), x.shape, x.dtype, generator)
    drawn = np.maximum(drawn, np.finfo(drawn.dtype).tiny)  # not 0, whose logarithm or inverse is infinite
    return x.assign_(placed((drawn / lambd).astype(x.dtype), x.device, False))


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((logits + g) / tau) along `dim`, with noise g = -log(e) for e from the exponential distribution.

    A position is the largest with probability softmax(logits), and the smaller `tau`, the nearer its value is to 1.

    Source: Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax, 2017.

    Parameters
    ----------
    logits : (..., C, ...)
        Logarithms of probabilities, up to a constant.
    tau : float
        The temperature, above 0.
    hard : bool
        1 at the largest and 0 elsewhere instead, with the gradient of the softmax.
    eps : float
        Has no effect, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        Logits that are not floating point; a `tau` that is not above 0.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.gumbel_softmax(minidl.zeros(4, 3), hard=True).sum(1)
    tensor([1., 1., 1., 1.])
    """
    check_float("gumbel_softmax", logits, "logits")
    if not tau > 0:
        raise ValueError(f"gumbel_softmax: tau must be above 0, got {tau}")
    noise = empty(logits.shape, dtype=logits.dtype).exponential_().log_().neg_()
    y = softmax((logits + noise.to(logits.device)) / tau, dim)
    if not hard:
        return y
    largest = y.detach().argmax(dim, keepdim=True)
    # the value of the 1s and 0s, the gradient of y
    return zeros_like(y).scatter_(dim, largest, 1.0) - y.detach() + y


@tensor_method()
def multinomial(
    x: Tensor, num_samples: int, replacement: bool = False, *, generator: np.random.Generator | None = None
) -> Tensor:
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
    weights, device = to_numpy(x).astype(np.float64), x.device
    if x.dtype.kind != "f" or x.ndim not in (1, 2):
        raise TypeError(f"multinomial: x must be floats (C,) or (N, C), got {x.dtype} of shape {tuple(x.shape)}")
    total = weights.sum(-1, keepdims=True)
    wrong = (weights < 0).any(-1) | ~np.isfinite(total[..., 0]) | (total[..., 0] == 0)
    if wrong.any():
        raise ValueError(
            "multinomial: x must hold weights: finite, not negative, in each row one that is not 0; "
            f"got {weights[wrong][0]}"
        )
    most = np.inf if replacement else (weights != 0).sum(-1).min(initial=weights.shape[-1])
    if not 1 <= num_samples <= most:
        raise ValueError(f"multinomial: num_samples must be from 1 to {most}, got {num_samples}")
    draw = random.chosen(generator, "initialization")
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
    return placed(positions, device, False)


def rand_like(
    x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False, *,
    generator: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """:func:`rand` in the shape and dtype and on the device of x."""
    return rand(
        x.shape, generator=generator, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad
    )


def randn_like(
    x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False, *,
    generator: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """:func:`randn` in the shape and dtype and on the device of x."""
    return randn(
        x.shape, generator=generator, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad
    )
