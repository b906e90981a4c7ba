"""Operations that do the work of several."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import normal


def conv_relu_pool(x: tuple[int, ...], w: tuple[int, ...], pool_size: tuple[int, int], **geometry: Any) -> Operation:
    def expected(x, w, b):
        return naive.max_pool2d(np.maximum(naive.conv2d(x, w, b, **geometry), 0), pool_size)

    inputs = [normal(*x), normal(*w), normal(w[0])]
    return Operation("conv2d_relu_pool", inputs, expected, {"pool_size": pool_size, **geometry}, torch=None)


def upsample_conv(x: tuple[int, ...], w: tuple[int, ...]) -> Operation:
    def expected(x, w, b):
        return naive.conv2d(x.repeat(2, 2).repeat(2, 3), w, b, padding=(1, 1))

    return Operation("upsample_conv2d", [normal(*x), normal(*w), normal(w[0])], expected, torch=None)


def dense_relu(*x: int, k: int) -> Operation:
    def expected(x, w, b):
        return np.maximum(np.einsum("...c,kc->...k", x, w) + b, 0)

    return Operation("linear_relu", [normal(*x), normal(k, x[-1]), normal(k)], expected, torch=None)


OPERATIONS = [
    conv_relu_pool((2, 2, 5, 6), (3, 2, 2, 3), (2, 2)),
    conv_relu_pool((1, 4, 5, 4), (6, 2, 3, 3), (1, 1), padding=(1, 1), stride=(2, 1), groups=2),
    dense_relu(3, 4, k=5),
    dense_relu(2, 3, 4, k=2),
    upsample_conv((2, 2, 2, 3), (3, 2, 3, 3)),
]
