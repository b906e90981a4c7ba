"""Convolutions, transposed ones, and the two gradients of convolution as operations of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import normal


def convolution(x: tuple[int, ...], w: tuple[int, ...], bias: bool = True, **geometry: Any) -> list[Operation]:
    """conv2d, conv2d_input_grad and conv2d_weight_grad."""
    inputs = [normal(*x), normal(*w)] + ([normal(w[0])] if bias else [])
    y = naive.conv2d(np.zeros(x), np.zeros(w), **geometry).shape
    return [
        Operation("conv2d", inputs, lambda *arrays: naive.conv2d(*arrays, **geometry), geometry),
        Operation(
            "conv2d_input_grad",
            [normal(*y), normal(*w), x[2:]],
            lambda dy, w, size: naive.conv2d_adjoint(dy, w, size, **geometry),
            geometry,
            torch=None,
        ),
        Operation(
            "conv2d_weight_grad",
            [normal(*x), normal(*y), w[2:]],
            lambda x, dy, size: naive.conv2d_weight_adjoint(x, dy, size, **geometry),
            geometry,
            torch=None,
        ),
    ]


def transposed(x: tuple[int, ...], w: tuple[int, ...], bias: bool = True, **options: Any) -> Operation:
    inputs = [normal(*x), normal(*w)] + ([normal(w[1] * options.get("groups", 1))] if bias else [])
    geometry = {name: value for name, value in options.items() if name != "output_padding"}
    pairs = [options.get(name, (n, n)) for name, n in (("stride", 1), ("padding", 0), ("output_padding", 0))]
    size = [
        (n - 1) * step - 2 * border + spread * (taps - 1) + more + 1
        for n, taps, step, border, more, spread in zip(x[2:], w[2:], *pairs, options.get("dilation", (1, 1)))
    ]

    def expected(x: np.ndarray, w: np.ndarray, b: Any = 0.0) -> np.ndarray:
        return naive.conv2d_adjoint(x, w, size, **geometry) + np.reshape(b, (-1, 1, 1))

    return Operation("conv_transpose2d", inputs, expected, options)


def transposed_row(x: np.ndarray, w: np.ndarray, size: int, **geometry: Any) -> np.ndarray:
    return naive.conv2d_adjoint(x[:, :, None], w[:, :, None], (1, size), **geometry)[:, :, 0]


def same_padded(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Zeros around x, one more after than before where their number is odd."""
    rows, columns = w.shape[2] - 1, w.shape[3] - 1
    x = np.pad(x, ((0, 0), (0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)))
    return naive.conv2d(x, w)


OPERATIONS = [
    *convolution((2, 3, 4, 5), (2, 3, 3, 3)),
    *convolution((1, 2, 5, 4), (2, 2, 3, 2), bias=False, stride=(2, 1), padding=(1, 0)),
    *convolution((2, 2, 5, 5), (4, 1, 2, 2), stride=(2, 2), padding=(1, 1), dilation=(2, 1), groups=2),
    *convolution((1, 4, 3, 3), (4, 1, 3, 3), padding=(1, 1), groups=4),
    *convolution((2, 3, 2, 2), (2, 3, 1, 1)),
    *convolution((1, 1, 4, 4), (1, 1, 3, 3), padding=(1, 1)),
    Operation("conv2d", [normal(0, 2, 4, 4), normal(3, 2, 3, 3)], naive.conv2d),
    Operation("conv2d", [normal(2, 4, 4), normal(3, 2, 3, 3)], lambda x, w: naive.conv2d(x[None], w)[0]),
    Operation("conv2d", [normal(1, 2, 4, 4), normal(3, 2, 3, 3)], same_padded, {"padding": "same"}),
    Operation("conv2d", [normal(1, 2, 4, 4), normal(3, 2, 5, 6)], same_padded, {"padding": "same"}),
    Operation("conv2d", [normal(1, 2, 4, 4), normal(3, 2, 2, 4)], naive.conv2d, {"padding": "valid"}),
    Operation(
        "conv1d",
        [normal(2, 2, 6), normal(3, 2, 3), normal(3)],
        lambda x, w, b: naive.conv2d(x[:, :, None], w[:, :, None], b, (1, 2), (0, 1))[:, :, 0],
        {"stride": 2, "padding": 1},
    ),
    Operation(
        "conv1d",
        [normal(2, 6), normal(2, 1, 2)],
        lambda x, w: naive.conv2d(x[None, :, None], w[:, :, None], dilation=(1, 2), groups=2)[0, :, 0],
        {"dilation": 2, "groups": 2},
    ),
    Operation(
        "conv_transpose1d",
        [normal(2, 2, 3), normal(2, 3, 3), normal(3)],
        lambda x, w, b: transposed_row(x, w, 6, stride=(1, 2), padding=(0, 1)) + b[:, None],
        {"stride": 2, "padding": 1, "output_padding": 1},
    ),
    Operation(
        "conv_transpose1d",
        [normal(4, 3), normal(4, 1, 2)],
        lambda x, w: transposed_row(x[None], w, 5, dilation=(1, 2), groups=2)[0],
        {"dilation": 2, "groups": 2},
    ),
    transposed((2, 3, 3, 2), (3, 2, 3, 3)),
    transposed((1, 2, 3, 3), (2, 3, 3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1)),
    transposed((1, 4, 2, 3), (4, 1, 2, 2), bias=False, stride=(2, 3), output_padding=(0, 2), dilation=(2, 1), groups=2),
    transposed((1, 1, 2, 3), (1, 2, 2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(2, 3)),
]
