"""Formulas in plain loops: slow, but so short that one can see that they are right."""

from __future__ import annotations

import math

import numpy as np


def conv2d(x, w, b=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """y[n,k,i,j] = b[k] + sum_c,r,s x[n, c, i*stride + r*dilation - padding, ...] * w[k,c,r,s]."""
    n_images, _, height, width = x.shape
    n_filters, group_channels, rows, columns = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    out_height = (height + 2 * padding[0] - dilation[0] * (rows - 1) - 1) // stride[0] + 1
    out_width = (width + 2 * padding[1] - dilation[1] * (columns - 1) - 1) // stride[1] + 1
    y = np.zeros((n_images, n_filters, out_height, out_width), x.dtype)
    for n, k, i, j in np.ndindex(y.shape):
        first = k // (n_filters // groups) * group_channels
        for c, r, s in np.ndindex(group_channels, rows, columns):
            pixel = padded[n, first + c, i * stride[0] + r * dilation[0], j * stride[1] + s * dilation[1]]
            y[n, k, i, j] += pixel * w[k, c, r, s]
    return y if b is None else y + b[:, None, None]


def conv2d_adjoint(dy, w, size, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """dx of conv2d: every dy[n,k,i,j] * w[k,c,r,s] goes to the pixel that it read; conv_transpose2d is the same."""
    n_filters, group_channels, rows, columns = w.shape
    dx = np.zeros((len(dy), group_channels * groups, size[0] + 2 * padding[0], size[1] + 2 * padding[1]), dy.dtype)
    for n, k, i, j in np.ndindex(dy.shape):
        first = k // (n_filters // groups) * group_channels
        for c, r, s in np.ndindex(group_channels, rows, columns):
            place = n, first + c, i * stride[0] + r * dilation[0], j * stride[1] + s * dilation[1]
            dx[place] += dy[n, k, i, j] * w[k, c, r, s]
    return dx[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]


def conv2d_weight_adjoint(x, dy, kernel_size, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """dw of conv2d: dw[k,c,r,s] = sum of dy[n,k,i,j] * (the pixel that w[k,c,r,s] met there)."""
    group_channels = x.shape[1] // groups
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    dw = np.zeros((dy.shape[1], group_channels, *kernel_size), x.dtype)
    for n, k, i, j in np.ndindex(dy.shape):
        first = k // (dy.shape[1] // groups) * group_channels
        for c, r, s in np.ndindex(group_channels, *kernel_size):
            place = n, first + c, i * stride[0] + r * dilation[0], j * stride[1] + s * dilation[1]
            dw[k, c, r, s] += dy[n, k, i, j] * padded[place]
    return dw


def windows(x, kernel_size, stride, padding=(0, 0), dilation=(1, 1), ceil_mode=False):
    """(index of y, the numbers of x in that window, their number with the padding counted) for every window."""
    sizes = []
    for n, taps, step, pad, spread in zip(x.shape[2:], kernel_size, stride, padding, dilation):
        free = (n + 2 * pad - spread * (taps - 1) - 1) / step
        size = (math.ceil(free) if ceil_mode else math.floor(free)) + 1
        sizes.append(size - 1 if ceil_mode and (size - 1) * step >= n + pad else size)
    for index in np.ndindex(*x.shape[:2], *sizes):
        n, c, i, j = index
        taps = [
            (p, q)
            for p in (i * stride[0] - padding[0] + r * dilation[0] for r in range(kernel_size[0]))
            for q in (j * stride[1] - padding[1] + s * dilation[1] for s in range(kernel_size[1]))
        ]
        inside = [x[n, c, p, q] for p, q in taps if 0 <= p < x.shape[2] and 0 <= q < x.shape[3]]
        counted = sum(p < x.shape[2] + padding[0] and q < x.shape[3] + padding[1] for p, q in taps)
        yield index, np.array(inside), counted


def max_pool2d(x, kernel_size, stride=None, **options):
    found = {index: inside.max() for index, inside, _ in windows(x, kernel_size, stride or kernel_size, **options)}
    return _filled(x, found)


def avg_pool2d(x, kernel_size, stride=None, count_include_pad=True, **options):
    found = {
        index: inside.sum() / (counted if count_include_pad else inside.size)
        for index, inside, counted in windows(x, kernel_size, stride or kernel_size, **options)
    }
    return _filled(x, found)


def adaptive_pool2d(x, rows, columns, statistic):
    height, width = x.shape[-2:]
    y = np.zeros((*x.shape[:-2], rows, columns), x.dtype)
    for i, j in np.ndindex(rows, columns):
        top, bottom = math.floor(i * height / rows), math.ceil((i + 1) * height / rows)
        left, right = math.floor(j * width / columns), math.ceil((j + 1) * width / columns)
        y[..., i, j] = statistic(x[..., top:bottom, left:right], (-2, -1))
    return y


def _filled(x, found):
    shape = np.array(list(found)).max(0) + 1
    y = np.full(shape, np.nan, x.dtype)
    for index, value in found.items():
        y[index] = value
    return y


def interpolate(x, size, mode, align_corners=False, ratio=None):
    """Each output pixel read at its place in x: the nearest pixel before it, or weighted from the four around it."""
    (height, width), (rows, columns) = x.shape[2:], size
    ratio = ratio or (height / rows, width / columns)
    y = np.zeros((*x.shape[:2], rows, columns), x.dtype)
    for i, j in np.ndindex(rows, columns):
        if mode == "nearest":
            y[:, :, i, j] = x[:, :, min(int(i * ratio[0]), height - 1), min(int(j * ratio[1]), width - 1)]
            continue
        if align_corners:
            place = [i * (height - 1) / max(rows - 1, 1), j * (width - 1) / max(columns - 1, 1)]
        else:
            place = [max((i + 0.5) * ratio[0] - 0.5, 0), max((j + 0.5) * ratio[1] - 0.5, 0)]
        p, q = (min(int(at), n - 1) for at, n in zip(place, (height, width)))
        below, right = min(p + 1, height - 1), min(q + 1, width - 1)
        u, v = place[0] - p, place[1] - q
        above = x[:, :, p, q] * (1 - v) + x[:, :, p, right] * v
        y[:, :, i, j] = above * (1 - u) + (x[:, :, below, q] * (1 - v) + x[:, :, below, right] * v) * u
    return y


def normalize(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """One sample at a time: -sum_c q[c] * weight[c] * log(softmax(input)[c])."""
    classes = input.shape[1]
    rows = np.moveaxis(input, 1, -1).reshape(-1, classes)
    labels = target.reshape(-1) if target.dtype.kind in "iu" else np.moveaxis(target, 1, -1).reshape(-1, classes)
    weight = np.ones(classes) if weight is None else weight
    losses, total = [], 0.0
    for x, label in zip(rows, labels):
        q, share = label, 1.0
        if target.dtype.kind in "iu":
            ignored = label == ignore_index
            q = np.zeros(classes) if ignored else np.eye(classes)[label]
            share = 0.0 if ignored else weight[label]
        smooth = q * (1 - label_smoothing) + (label_smoothing / classes if np.any(q) else 0.0)
        losses.append(-(smooth * weight * np.log(softmax(x))).sum())
        total += share
    if reduction == "none":
        return np.array(losses).reshape(target.shape if target.dtype.kind in "iu" else input[:, 0].shape)
    return np.sum(losses) / (total if reduction == "mean" else 1)


def gather(x, dim, index):
    y = np.zeros(index.shape, x.dtype)
    for place in np.ndindex(index.shape):
        y[place] = x[(*place[:dim], index[place], *place[dim + 1 :])]
    return y


def scatter(x, dim, index, src, add=False):
    y = x.copy()
    for place in np.ndindex(index.shape):
        to = (*place[:dim], index[place], *place[dim + 1 :])
        number = src if np.ndim(src) == 0 else src[place]
        y[to] = y[to] + number if add else number
    return y


def scatter_add(x, dim, index, src):
    return scatter(x, dim, index, src, add=True)


def index_add(x, dim, index, source):
    y = np.moveaxis(x.copy(), dim, 0)
    for i, entry in zip(index, np.moveaxis(source, dim, 0)):
        y[i] += entry
    return np.moveaxis(y, 0, dim)


def local_response_norm(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        around = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha / size * (around**2).sum(1)) ** beta
    return y


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


erf = np.vectorize(math.erf, otypes=[np.float64])


def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    return np.tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)


def lstm_cell(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = np.split(w_ih @ x + b_ih + w_hh @ h + b_hh, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    (a_r, a_z, a_n), (q_r, q_z, q_n) = np.split(w_ih @ x + b_ih, 3), np.split(w_hh @ h + b_hh, 3)
    r, z = sigmoid(a_r + q_r), sigmoid(a_z + q_z)
    return (1 - z) * np.tanh(a_n + r * q_n) + z * h


def recurrent(cell, x, *state_and_weights, reverse=False):
    """y (T, N, H) and the last state, one sequence and one step at a time; the state is h, or h and c."""
    *state, w_ih, w_hh, b_ih, b_hh = state_and_weights
    y = np.zeros((*x.shape[:2], w_hh.shape[1]), x.dtype)
    last = [np.array(part) for part in state]
    for n in range(x.shape[1]):
        now = tuple(part[n] for part in state)
        for t in reversed(range(len(x))) if reverse else range(len(x)):
            now = cell(x[t, n], *now, w_ih, w_hh, b_ih, b_hh)
            now = now if isinstance(now, tuple) else (now,)
            y[t, n] = now[0]
        for part, value in zip(last, now):
            part[n] = value
    return (y, *last)


def attention(query, key, value, mask=None):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    return softmax(scores) @ value
