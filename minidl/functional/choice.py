"""Where and clamp: one value or another, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Function, tensor_method
from minidl.functional.in_place import in_place
from minidl.functional.operands import apart, as_array, namespace

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "nan_to_num", "where"]

MANY = 4096  # numbers; NumPy's own choice of fewer is as fast as that of bits


class Where(Function):
    """y = x1 where the condition holds, x2 elsewhere."""

    saves_inputs, watches_inputs = False, 1

    def forward(self, condition, x1, x2):
        self.saved = condition
        return _choose(condition, x1, x2)

    def backward(self, dy, inputs, output):
        condition = self.saved
        # dx1 = dy where the condition holds, dx2 = dy elsewhere, 0 in other places
        dx1 = where(condition, dy, 0) if self.needs(1) else None
        return None, dx1, where(condition, 0, dy) if self.needs(2) else None


def _choose(condition: Any, x1: Any, x2: Any) -> Any:
    if _is_zero(x2) and _have_bits(condition, x1):
        return _keep(x1, condition)
    if _is_zero(x1) and _have_bits(condition, x2):
        return _keep(x2, ~condition)
    if _can_blend(condition, x1, x2) or _can_blend(condition, x2, x1):
        return _blend(condition, x1, x2)
    return namespace(condition, x1, x2).where(condition, x1, x2)


def _is_zero(x: Any) -> bool:
    return isinstance(x, (int, float)) and x == 0 and math.copysign(1, x) == 1


def _have_bits(mask: Any, x: Any) -> bool:
    """Whether both are NumPy arrays, a mask and floats of 4 or 8 bytes, so that `_keep` can work on their bits."""
    if type(mask) is not np.ndarray or type(x) is not np.ndarray or not x.ndim:
        return False
    return mask.dtype == bool and x.dtype.kind == "f" and x.itemsize in (4, 8)


def _can_blend(mask: Any, x: Any, other: Any) -> bool:
    """Whether `_blend` can choose between many float32 x, as `_have_bits` says, and others of their dtype, or one.

    Of float64 it moves twice the bytes, and gains only where the mask has no pattern.
    """
    if not _have_bits(mask, x) or x.size < MANY or x.itemsize != 4:
        return False
    return type(other) in (float, int) or type(other) is np.ndarray and other.dtype == x.dtype


def _keep(x: Any, mask: Any) -> Any:
    """where(mask, x, 0), much faster for a large x: the bits of x & all ones (-1) where the mask is 1, else & 0."""
    return (x.view(f"i{x.itemsize}") & -mask.view(np.int8)).view(x.dtype)


def _blend(mask: Any, x1: Any, x2: Any) -> Any:
    """where(mask, x1, x2), up to twenty times as fast on a mask without a pattern, which defeats guessing."""
    dtype = x1.dtype if hasattr(x1, "dtype") else x2.dtype
    bits1, bits2 = (np.asarray(x, dtype).view(f"i{dtype.itemsize}") for x in (x1, x2))
    # x2 ^ (x1 ^ x2) = x1 where the mask is 1, x2 ^ 0 = x2 elsewhere
    y = (bits1 ^ bits2) & -mask.view(np.int8)
    y ^= bits2
    return y.view(dtype)


class Clip(Function):
    """y = min(max(x, low), high)."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        if x.dtype.kind != "f":
            return namespace(x).clip(x, self.low, self.high)
        return kernels.activations.clip_forward(as_array(x), *self.bounds())

    def backward(self, dy, inputs, output):
        return ClipGrad(*self.bounds())(dy, inputs[0])

    def bounds(self) -> tuple[float, float]:
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high


class ClipGrad(Function):
    """dx = dy where low <= x <= high, else 0, at NaN too."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, dy, x):
        return kernels.activations.clip_backward(as_array(dy), as_array(x), self.low, self.high)

    def backward(self, ddx, inputs, output):
        return type(self)(self.low, self.high)(ddx, inputs[1]), None  # x only chooses


def check_mask(mask: Any, name: str, allowed: tuple[str, ...] = ("bool",)) -> None:
    """Raise a TypeError unless the mask is boolean: numbers are most likely weights, or a comparison was forgotten."""
    dtype = mask.dtype if hasattr(mask, "dtype") else np.asarray(mask).dtype
    if dtype.name not in allowed:
        raise TypeError(f"{name} must be bool, got {dtype}; write {name} != 0 for a mask of what is not 0")


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where `condition` (bool, or uint8 for the sake of older programs) is true, x2 elsewhere; all three broadcast.

    ``where(condition)`` alone tells where it is true: ``nonzero(condition, as_tuple=True)``.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([-1.0, 2.0])
    >>> minidl.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if x1 is None and x2 is None:
        from minidl.functional.masks import nonzero

        return nonzero(condition, as_tuple=True)
    if x1 is None or x2 is None:
        raise TypeError("where needs both x1 and x2, or the condition alone, got one of them")
    check_mask(condition, "condition", ("bool", "uint8"))
    return Where()(condition, x1, x2)


tensor_method("where")(lambda x1, condition, x2: where(condition, x1, x2))  # x.where(x > 0, 0): x where it holds


@tensor_method("clip", "clamp")
def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x, but at least `min` and at most `max`, numbers or tensors; its gradient is 1 inside and on the bounds.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([-2.0, 0.5, 3.0])
    >>> x.clip(-1, 1), x.clip(min=0)
    (tensor([-1. ,  0.5,  1. ]), tensor([0. , 0.5, 3. ]))
    """
    if min is None and max is None:
        raise ValueError("clip needs min, max or both, got None for both")
    if not (hasattr(min, "shape") or hasattr(max, "shape")):
        return Clip(min, max)(x)
    y = x if min is None else where((x < min) | (min != min), min, x)  # a bound that is NaN makes NaN
    return y if max is None else where((y > max) | (max != max), max, y)


clamp = clip


@tensor_method()
def clamp_min(x: Any, min: Any) -> Any:
    """x, but at least `min`: ``clamp(x, min=min)``.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.0, 2.0]).clamp_min(0)
    tensor([0., 2.])
    """
    return clip(x, min=min)


@tensor_method()
def clamp_max(x: Any, max: Any) -> Any:
    """x, but at most `max`: ``clamp(x, max=max)``.

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([-1.0, 2.0]).clamp_max(1)
    tensor([-1.,  1.])
    """
    return clip(x, max=max)


@tensor_method()
def nan_to_num(x: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with numbers for what is none: `nan` for NaN, `posinf` for inf, `neginf` for -inf; no gradient goes there.

    Unless given they are 0, the largest and the lowest finite number of the dtype. Integers are copied as they are.

    Examples
    --------
    >>> import minidl
    >>> minidl.nan_to_num(minidl.tensor([1.5, float("nan"), float("-inf")]), neginf=-9)
    tensor([ 1.5,  0. , -9. ])
    """
    if x.dtype.kind != "f":
        return apart(x, x)
    finite = np.finfo(x.dtype)
    y = where(x != x, 0.0 if nan is None else nan, x)
    y = where(x == math.inf, finite.max if posinf is None else posinf, y)
    return where(x == -math.inf, finite.min if neginf is None else neginf, y)


in_place(clip, "clip_", "clamp_")
in_place(clamp_min, "clamp_min_")
in_place(clamp_max, "clamp_max_")
in_place(nan_to_num, "nan_to_num_")
