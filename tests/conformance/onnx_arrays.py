"""ONNX's operators on arrays in terms of minidl.functional: reductions, shapes and indices, arithmetic, dtypes."""

from __future__ import annotations

import math

import numpy as np

import minidl.functional as F
from minidl import Tensor
from tests.conformance.onnx_node import NotApplicable, numbers, require, tensor

# Reductions: the axes are an attribute in old models, an input in new ones


def reducing(function):
    def reduce(x, axes=None, *, keepdims=1, noop_with_empty_axes=0, **attributes):
        axes = attributes.get("axes", axes)
        axes = numbers(axes) if isinstance(axes, Tensor) else axes
        if not axes and noop_with_empty_axes:  # every number by itself
            return function(F.unsqueeze(x, -1), (x.ndim,), False)
        return function(x, tuple(axes) if axes else tuple(range(x.ndim)), bool(keepdims))

    return reduce


def product(x, axes, keepdim):
    return F.prod(x, axes, keepdim) if axes else x


def extreme(function):
    def reduce(x, axes, keepdim):
        if 0 in [x.shape[axis] for axis in axes]:
            raise NotApplicable("a maximum of no values is an error, as in PyTorch and NumPy")
        return function(x, axes, keepdim)

    return reduce


def arg(function):
    def find(x, *, axis=0, keepdims=1, select_last_index=0):
        require(not select_last_index, "of equal values the first is found")
        return function(x, axis, bool(keepdims))

    return find


# Shapes


def reshape(x, shape, *, allowzero=0):
    sizes = [x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(numbers(shape))]
    return F.reshape(x, sizes)


def flatten(x, *, axis=1):
    axis = axis % x.ndim if axis < 0 else axis
    return F.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def squeeze(x, axes=None, **attributes):
    axes = attributes.get("axes", None if axes is None else numbers(axes))
    return F.squeeze(x) if axes is None else F.squeeze(x, tuple(axes))


def unsqueeze(x, axes=None, **attributes):
    axes = attributes.get("axes") or numbers(axes)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = F.unsqueeze(x, axis)
    return x


def pad(x, pads, value=None, axes=None, *, mode=b"constant"):
    require(mode in (b"constant", b"reflect", b"edge"), f"padding mode {mode.decode()}")
    rank = x.ndim
    axes = range(rank) if axes is None else [axis % rank for axis in numbers(axes)]
    pads, widths = numbers(pads), [0] * (2 * rank)
    for i, axis in enumerate(axes):
        widths[2 * (rank - 1 - axis)], widths[2 * (rank - 1 - axis) + 1] = pads[i], pads[i + len(pads) // 2]
    names = {b"constant": "constant", b"reflect": "reflect", b"edge": "replicate"}
    return F.pad(x, widths, names[mode], 0.0 if value is None else value.item())


def slice_(x, starts, ends, axes=None, steps=None):
    starts, ends = numbers(starts), numbers(ends)
    axes = range(len(starts)) if axes is None else numbers(axes)
    steps = [1] * len(starts) if steps is None else numbers(steps)
    key = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        n = x.shape[axis]
        end = None if step < 0 and end < -n else end
        key[axis] = slice(start, end, step)
    return x[tuple(key)]


def split(x, sizes=None, *, axis=0, num_outputs=None, outputs=1, **attributes):
    sizes = attributes.get("split") or (None if sizes is None else numbers(sizes))
    if sizes is None:
        piece = math.ceil(x.shape[axis] / (num_outputs or outputs))
        sizes = [min(piece, x.shape[axis] - i * piece) for i in range(num_outputs or outputs)]
    return F.split(x, sizes, axis)


def expand(x, shape):
    return F.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(numbers(shape))))


def tile(x, repeats):
    return F.repeat(x, *numbers(repeats))


def gather(x, indices, *, axis=0):
    axis = axis % x.ndim
    return (
        x[(slice(None),) * axis + (Tensor(indices.numpy()),)]
        if indices.ndim
        else x[(slice(None),) * axis + (indices.item(),)]
    )


def gather_elements(x, indices, *, axis=0):
    return F.gather(x, axis, indices % x.shape[axis])


def scatter_elements(x, indices, updates, *, axis=0, reduction=b"none"):
    require(reduction in (b"none", b"add"), f"scattered numbers combined by {reduction.decode()}")
    return (F.scatter_add if reduction == b"add" else F.scatter)(x, axis, indices % x.shape[axis], updates)


def cumprod(x, axis, *, exclusive=0, reverse=0):
    require(not exclusive, "products of what comes before")
    axis = int(axis.item())
    return F.flip(F.cumprod(F.flip(x, axis), axis), axis) if reverse else F.cumprod(x, axis)


def trilu(x, k=None, *, upper=1):
    return (F.triu if upper else F.tril)(x, 0 if k is None else k.item())


def compress(x, condition, *, axis=None):
    x = F.flatten(x) if axis is None else x
    axis = 0 if axis is None else axis % x.ndim
    return F.index_select(x, axis, tensor(np.flatnonzero(condition.numpy())))


def one_hot(indices, depth, values, *, axis=-1):
    hot = F.one_hot(tensor(indices.numpy().astype(np.int64) % int(depth.item())), int(depth.item()))
    off, on = values
    return F.where(F.movedim(hot, -1, axis) == 1, on, off)


def one_hot_in_range(indices, depth, values, *, axis=-1):
    number = indices.numpy()
    require(bool(((number >= -depth.item()) & (number < depth.item())).all()), "indices out of range are an error")
    return one_hot(indices, depth, values, axis=axis)


def top_k(x, k, *, axis=-1, largest=1, sorted=1):
    require(x.dtype.kind == "f" or largest == 1 or x.dtype.kind == "i", "unsigned numbers")
    return tuple(F.topk(x, int(k.item()), axis, bool(largest)))


# Numbers


def variadic(function):
    def call(first, *rest):
        for x in rest:
            first = function(first, x)
        return first

    return call


def divide(x, y):
    if x.dtype.kind == "f":
        return F.div(x, y)
    return F.floor_divide(F.abs(x), F.abs(y)) * F.sign(x) * F.sign(y)  # ONNX rounds quotients of integers towards zero


def clip(x, low=None, high=None, *, min=None, max=None):
    low, high = (part if part is None else part.item() for part in (low, high))
    low, high = min if low is None else low, max if high is None else high
    return x if low is None and high is None else F.clip(x, low, high)


def modulo(x, y, *, fmod=0):
    require(not fmod, "the remainder with the sign of the dividend")
    return F.remainder(x, y)


def cumsum(x, axis, *, exclusive=0, reverse=0):
    axis = int(axis.item())
    y = F.flip(F.cumsum(F.flip(x, axis), axis), axis) if reverse else F.cumsum(x, axis)
    return y - x if exclusive else y


def is_inf(x, *, detect_negative=1, detect_positive=1):
    inf = F.isinf(x)
    inf = inf if detect_negative else F.logical_and(inf, x > 0)
    return inf if detect_positive else F.logical_and(inf, x < 0)


def cast(x, *, to, **others):
    import onnx

    name = onnx.TensorProto.DataType.Name(to)
    require(name in ("FLOAT", "DOUBLE", "INT32", "INT64", "BOOL"), f"dtype {name}")
    require(x.dtype.name in ("float32", "float64", "int32", "int64", "bool"), f"dtype {x.dtype.name}")
    return F.astype(x, onnx.helper.tensor_dtype_to_np_dtype(to))


def cast_like(x, like, **others):
    require({x.dtype.name, like.dtype.name} <= {"float32", "float64", "int32", "int64", "bool"}, "other dtypes")
    return F.astype(x, like.dtype)


def gelu(x, *, approximate=b"none"):
    return F.gelu(x, approximate.decode())


def constant(*, value=None, value_float=None, value_floats=None, value_int=None, value_ints=None, **others):
    import onnx

    require(not others, "constants of text")
    if value is not None:
        return tensor(onnx.numpy_helper.to_array(value))
    if value_float is not None or value_floats is not None:
        return tensor(np.float32(value_float if value_floats is None else value_floats))
    return tensor(np.int64(value_int if value_ints is None else value_ints))
