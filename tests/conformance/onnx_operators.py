"""ONNX's operators in terms of minidl.functional: one entry an operator, called with its inputs and attributes.

Missing optional inputs are None. What ONNX computes on shapes and other constants is NumPy's work here too. An entry
refuses what minidl does not do with `NotApplicable`, which says why.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import minidl.functional as F
from minidl import Tensor


class NotApplicable(Exception):
    """The node asks for something that minidl does not have."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise NotApplicable(what)


def numbers(x: Tensor) -> list[int]:
    return [int(n) for n in x.numpy().ravel()]


def tensor(x: Any) -> Tensor:
    return Tensor(np.asarray(x))


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


# Windows: ONNX's pads are all beginnings, then all ends


def window(x, kernel_shape, strides=None, pads=None, dilations=None, auto_pad=b"NOTSET"):
    """(x, stride, padding, dilation), x with zeros around where minidl's symmetric padding does not do."""
    rank = len(kernel_shape)
    require(x.ndim == rank + 2 and rank in (1, 2), f"images of {rank} dimensions")
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    pads = list(pads or [0] * (2 * rank))
    if auto_pad in (b"SAME_UPPER", b"SAME_LOWER"):
        for axis in range(rank):
            n, step, reach = x.shape[2 + axis], strides[axis], dilations[axis] * (kernel_shape[axis] - 1) + 1
            total = max(0, (math.ceil(n / step) - 1) * step + reach - n)
            low = total // 2 if auto_pad == b"SAME_UPPER" else total - total // 2
            pads[axis], pads[axis + rank] = low, total - low
    return strides, pads[:rank], pads[rank:], dilations


def bordered(x, low, high, value=0.0):
    widths = [part for pair in reversed(list(zip(low, high))) for part in pair]
    return F.pad(x, widths, value=value) if any(widths) else x


def conv(x, w, b=None, *, kernel_shape=None, strides=None, pads=None, dilations=None, auto_pad=b"NOTSET", group=1):
    strides, low, high, dilations = window(x, w.shape[2:], strides, pads, dilations, auto_pad)
    function = F.conv2d if x.ndim == 4 else F.conv1d
    if low != high:
        x, low = bordered(x, low, high), [0] * len(low)
    return function(x, w, b, tuple(strides), tuple(low), tuple(dilations), group)


def conv_transpose(
    x,
    w,
    b=None,
    *,
    kernel_shape=None,
    strides=None,
    pads=None,
    dilations=None,
    auto_pad=b"NOTSET",
    group=1,
    output_padding=None,
    output_shape=None,
):
    rank = x.ndim - 2
    require(rank == 2, f"transposed convolution of {rank} dimensions")
    strides, dilations, extra = strides or [1] * rank, dilations or [1] * rank, output_padding or [0] * rank
    whole = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(x.shape[2:], strides, dilations, w.shape[2:])]
    if output_shape is None and auto_pad in (b"SAME_UPPER", b"SAME_LOWER"):
        output_shape = [n * s for n, s in zip(x.shape[2:], strides)]
    pads = list(pads or [0] * (2 * rank))
    if output_shape is not None:
        for axis in range(rank):
            total = whole[axis] + extra[axis] - output_shape[axis]
            pads[axis] = (
                total - total // 2 if auto_pad == b"SAME_LOWER" or auto_pad == b"NOTSET" and total < 0 else total // 2
            )
            pads[axis + rank] = total - pads[axis]
    y = F.conv_transpose2d(x, w, None, tuple(strides), 0, 0, group, tuple(dilations))
    y = bordered(y, [-p for p in pads[:rank]], [e - p for e, p in zip(extra, pads[rank:])])
    return y if b is None else y + b.reshape(-1, 1, 1)


def max_pool(
    x, *, kernel_shape, strides=None, pads=None, dilations=None, auto_pad=b"NOTSET", ceil_mode=0, storage_order=0
):
    require(storage_order == 0, "indices in column order")
    strides, low, high, dilations = window(x, kernel_shape, strides, pads, dilations, auto_pad)
    require(x.ndim == 4, "max pooling of sequences")
    require(x.dtype.kind == "f" or low == high == [0, 0], "a border of integers")
    fits = low == high and all(2 * p <= d * (k - 1) + 1 for p, d, k in zip(low, dilations, kernel_shape))
    size = x.shape[2:]
    if not fits:
        x, low = bordered(x, low, high, -math.inf), [0, 0]
    y, indices = F.max_pool2d(
        x, tuple(kernel_shape), tuple(strides), tuple(low), tuple(dilations), bool(ceil_mode), True
    )
    plane = np.arange(y.shape[0] * y.shape[1]).reshape(*y.shape[:2], 1, 1) * (size[0] * size[1])
    return (y, indices + plane) if fits else (y,)


def average_pool(
    x, *, kernel_shape, strides=None, pads=None, dilations=None, auto_pad=b"NOTSET", ceil_mode=0, count_include_pad=0
):
    strides, low, high, dilations = window(x, kernel_shape, strides, pads, dilations, auto_pad)
    require(x.ndim == 4, "average pooling of sequences")
    require(dilations == [1, 1], "dilated average pooling")
    if low == high and all(2 * p <= k for p, k in zip(low, kernel_shape)):
        return F.avg_pool2d(
            x, tuple(kernel_shape), tuple(strides), tuple(low), bool(ceil_mode), bool(count_include_pad)
        )
    require(not ceil_mode, "uneven borders with ceil_mode")
    total = F.avg_pool2d(bordered(x, low, high), tuple(kernel_shape), tuple(strides))
    if count_include_pad:
        return total
    inside = bordered(tensor(np.ones((1, 1, *x.shape[2:]), x.dtype)), low, high)
    return total / F.avg_pool2d(inside, tuple(kernel_shape), tuple(strides))


def global_pool(function):
    def pool(x):
        return function(x, tuple(range(2, x.ndim)), True)

    return pool


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


def resize(
    x,
    roi=None,
    scales=None,
    sizes=None,
    *,
    mode=b"nearest",
    coordinate_transformation_mode=b"half_pixel",
    nearest_mode=b"round_prefer_floor",
    axes=None,
    antialias=0,
    cubic_coeff_a=None,
    exclude_outside=0,
    extrapolation_value=0.0,
    keep_aspect_ratio_policy=b"stretch",
):
    require(x.ndim == 4 and axes in (None, [2, 3]), "resizing of other axes than the last two of four")
    require(not antialias and keep_aspect_ratio_policy == b"stretch", "antialiasing and aspect ratios")
    factor = None if scales is None or not scales.numel() else [float(s) for s in scales.numpy()][-2:]
    size = None if sizes is None else tuple(numbers(sizes)[-2:])
    if mode == b"nearest":
        require(
            (coordinate_transformation_mode, nearest_mode) == (b"asymmetric", b"floor"),
            "nearest pixels rounded otherwise",
        )
        return F.interpolate(x, size, factor if size is None else None, "nearest")
    require(mode == b"linear", f"mode {mode.decode()}")
    require(
        coordinate_transformation_mode in (b"half_pixel", b"align_corners"), coordinate_transformation_mode.decode()
    )
    corners = coordinate_transformation_mode == b"align_corners"
    return F.interpolate(x, size, factor if size is None else None, "bilinear", corners)


# Products, normalization, losses


def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    y = F.matmul(a.T if transA else a, b.T if transB else b)
    y = y * alpha if alpha != 1 else y
    return y if c is None else y + (c * beta if beta != 1 else c)


def batch_normalization(x, scale, b, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0):
    if not training_mode:
        return F.batch_norm(x, mean, var, scale, b, eps=epsilon)
    running_mean, running_var = mean.clone(), var.clone()
    y = F.batch_norm(x, running_mean, running_var, scale, b, True, 1 - momentum, epsilon)
    n = x.numel() // x.shape[1]
    biased = var * momentum + (running_var - var * momentum) * ((n - 1) / n)  # ONNX keeps the biased variance
    return y, running_mean, biased


def layer_normalization(x, scale, b=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    shape = x.shape[axis % x.ndim :]
    y = F.layer_norm(x, shape, None, None, epsilon) * scale
    axes = tuple(range(axis % x.ndim, x.ndim))
    mean, var = F.mean(x, axes, True), F.var(x, axes, 0, True)
    return (y if b is None else y + b), mean, F.rsqrt(var + epsilon)


def group_normalization(x, scale, b, *, num_groups, epsilon=1e-5, stash_type=1):
    return F.group_norm(x, num_groups, scale, b, epsilon)


def instance_normalization(x, scale, b, *, epsilon=1e-5):
    return F.group_norm(x, x.shape[1], scale, b, epsilon)


def nll(x, target, weight=None, *, reduction=b"mean", ignore_index=-100):
    return F.nll_loss(x, target, weight, ignore_index, reduction.decode())


def softmax_cross_entropy(x, target, weight=None, *, reduction=b"mean", ignore_index=-100):
    return F.cross_entropy(x, target, weight, ignore_index, reduction.decode()), F.log_softmax(x, 1)


def dropout(x, ratio=None, training=None, *, seed=None, **attributes):
    require(
        training is None or not training.item() or (ratio is not None and ratio.item() == 0),
        "ONNX's own random numbers",
    )
    return F.dropout(x, training=False), tensor(np.ones(x.shape, bool))


# Recurrent layers


def recurrent(parts, layer):
    """Weights (directions, parts*H, ...) in ONNX's order of parts; x (T, N, C); y (T, directions, N, H)."""

    def run(
        x,
        w,
        r,
        b=None,
        lengths=None,
        h0=None,
        c0=None,
        p=None,
        *,
        hidden_size,
        direction=b"forward",
        layout=0,
        **others,
    ):
        require(lengths is None and p is None, "sequence lengths and peepholes")
        require(not set(others) - {"linear_before_reset"} or "activations" not in others, "other activations")
        require(parts != "rzn" or others.get("linear_before_reset") == 1, "the reset gate before the product")
        require("clip" not in others and "input_forget" not in others, "clipping and coupled gates")
        x = F.transpose(x, 0, 1) if layout else x
        order = {"rzn": (1, 0, 2), "ifgo": (0, 2, 3, 1), "h": (0,)}[parts]  # ONNX: z r n and i o f g
        ys, states = [], []
        for d in range(w.shape[0]):
            reverse = direction == b"reverse" or d == 1
            w_d, r_d = (F.cat([F.chunk(m[d], len(order))[i] for i in order]) for m in (w, r))
            biases = [F.zeros(len(order) * hidden_size)] * 2 if b is None else F.chunk(b[d], 2)
            biases = [F.cat([F.chunk(part, len(order))[i] for i in order]) for part in biases]
            state = [None if part is None else (part[:, d][None] if layout else part[d : d + 1]) for part in (h0, c0)]
            y, *last = layer(x, state, w_d, r_d, *biases, reverse)
            ys.append(y)
            states.append(last)
        stacked = F.stack(ys, 1)
        last = [F.cat(parts) for parts in zip(*states)]
        last = [F.transpose(state, 0, 1) for state in last] if layout else last
        return (F.permute(stacked, 2, 0, 1, 3) if layout else stacked, *last)

    return run


def lstm_layer(x, state, w, r, b_w, b_r, reverse):
    return F.lstm(x, None if state[0] is None else tuple(state), w, r, b_w, b_r, reverse)


def gru_layer(x, state, w, r, b_w, b_r, reverse):
    return F.gru(x, state[0], w, r, b_w, b_r, reverse)


def rnn_layer(x, state, w, r, b_w, b_r, reverse):
    return F.rnn(x, state[0], w, r, b_w, b_r, "tanh", reverse)


def attention(q, k, v, mask=None, *rest, is_causal=0, scale=None, **others):
    require(not others and not any(part is not None for part in rest), "caches, packed heads and other options")
    require(q.ndim == 4 and q.shape[1] == k.shape[1], "grouped heads")
    require(mask is None or not is_causal, "a mask and is_causal together")
    require(mask is None or mask.shape[-1] == k.shape[-2], "a mask shorter than the keys")
    return (F.scaled_dot_product_attention(q, k, v, mask, 0.0, bool(is_causal), scale),)


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


OPERATORS = {
    "Abs": F.abs,
    "Add": F.add,
    "Sub": F.sub,
    "Mul": F.mul,
    "Div": divide,
    "Neg": F.neg,
    "Pow": F.pow,
    "Mod": modulo,
    "Exp": F.exp,
    "Log": F.log,
    "Sqrt": F.sqrt,
    "Reciprocal": F.reciprocal,
    "Sin": F.sin,
    "Cos": F.cos,
    "Tan": F.tan,
    "Tanh": F.tanh,
    "Sigmoid": F.sigmoid,
    "Erf": F.erf,
    "Floor": F.floor,
    "Ceil": F.ceil,
    "Round": F.round,
    "Sign": F.sign,
    "Relu": F.relu,
    "LeakyRelu": lambda x, *, alpha=0.01: F.leaky_relu(x, alpha),
    "Elu": lambda x, *, alpha=1.0: F.elu(x, alpha),
    "Gelu": gelu,
    "Softplus": F.softplus,
    "Swish": lambda x, *, alpha=1.0: x * F.sigmoid(x * alpha),
    "Softmax": lambda x, *, axis=-1: F.softmax(x, axis),
    "LogSoftmax": lambda x, *, axis=-1: F.log_softmax(x, axis),
    "Max": variadic(F.maximum),
    "Min": variadic(F.minimum),
    "Sum": variadic(F.add),
    "Mean": lambda *xs: F.mean(F.stack(xs), 0),
    "Clip": clip,
    "Equal": F.eq,
    "Greater": F.gt,
    "GreaterOrEqual": F.ge,
    "Less": F.lt,
    "LessOrEqual": F.le,
    "And": F.logical_and,
    "Or": F.logical_or,
    "Not": F.logical_not,
    "Xor": lambda x, y: x ^ y,
    "BitwiseAnd": lambda x, y: x & y,
    "BitwiseOr": lambda x, y: x | y,
    "BitwiseXor": lambda x, y: x ^ y,
    "IsNaN": F.isnan,
    "IsInf": is_inf,
    "Where": F.where,
    "CumProd": cumprod,
    "CumSum": cumsum,
    "Cast": cast,
    "CastLike": cast_like,
    "Identity": lambda x: x,
    "ReduceSum": reducing(F.sum),
    "ReduceMean": reducing(F.mean),
    "ReduceProd": reducing(product),
    "ReduceMax": reducing(extreme(F.amax)),
    "ReduceMin": reducing(extreme(F.amin)),
    "ReduceL1": reducing(lambda x, axes, keep: F.norm(x, 1, axes, keep)),
    "ReduceL2": reducing(lambda x, axes, keep: F.norm(x, 2, axes, keep)),
    "ReduceSumSquare": reducing(lambda x, axes, keep: F.sum(F.square(x), axes, keep)),
    "ReduceLogSum": reducing(lambda x, axes, keep: F.log(F.sum(x, axes, keep))),
    "ReduceLogSumExp": reducing(F.logsumexp),
    "ArgMax": arg(F.argmax),
    "ArgMin": arg(F.argmin),
    "TopK": top_k,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
    "Tile": tile,
    "Transpose": lambda x, *, perm=None: F.permute(x, perm or tuple(range(x.ndim))[::-1]) if x.ndim else x,
    "Concat": lambda *xs, axis: F.cat(xs, axis),
    "Split": split,
    "Slice": slice_,
    "Pad": pad,
    "Trilu": trilu,
    "Shape": lambda x, *, start=0, end=None: tensor(np.array(x.shape, np.int64)[start:end]),
    "Size": lambda x: tensor(np.int64(x.numel())),
    "Gather": gather,
    "GatherElements": gather_elements,
    "Scatter": scatter_elements,
    "ScatterElements": scatter_elements,
    "NonZero": lambda x: F.nonzero(x).T,
    "Compress": compress,
    "OneHot": one_hot_in_range,
    "Constant": constant,
    "Range": lambda start, end, step: tensor(np.arange(start.item(), end.item(), step.item(), start.dtype)),
    "ConstantOfShape": lambda shape, *, value=None: F.full(
        numbers(shape), 0.0 if value is None else constant(value=value).numpy().ravel()[0]
    ),
    "MatMul": F.matmul,
    "Gemm": gemm,
    "Einsum": lambda *xs, equation: F.einsum(equation.decode(), *xs),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool(F.mean),
    "GlobalMaxPool": global_pool(F.amax),
    "Resize": resize,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "Dropout": dropout,
    "NegativeLogLikelihoodLoss": nll,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
    "Attention": attention,
    "RNN": recurrent("h", rnn_layer),
    "LSTM": recurrent("ifgo", lstm_layer),
    "GRU": recurrent("rzn", gru_layer),
}
