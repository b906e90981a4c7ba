"""ONNX's layers in terms of minidl.functional: convolution, pooling, normalization, losses, recurrence, attention."""

from __future__ import annotations

import math

import numpy as np

import minidl.functional as F
from tests.conformance.onnx_node import numbers, require, tensor

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
