"""Pooling over windows, over a grid of any size, and over whole images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import distinct, normal


def max_pool(*shape: int, **options: Any) -> Operation:
    return Operation("max_pool2d", [distinct(*shape)], lambda x: naive.max_pool2d(x, **options), options)


def avg_pool(*shape: int, **options: Any) -> Operation:
    return Operation("avg_pool2d", [normal(*shape)], lambda x: naive.avg_pool2d(x, **options), options)


def adaptive_pool(shape: tuple[int, ...], rows: int | None, columns: int) -> list[Operation]:
    def pooled(statistic: Callable) -> Callable:
        return lambda x, size: naive.adaptive_pool2d(x, rows or shape[2], columns, statistic)

    return [
        Operation("adaptive_avg_pool2d", [normal(*shape), (rows, columns)], pooled(np.mean)),
        Operation("adaptive_max_pool2d", [distinct(*shape), (rows, columns)], pooled(np.max)),
    ]


def pool_row(name: str, shape: tuple[int, ...], **options: Any) -> Operation:
    """max_pool1d and avg_pool1d: the image of height 1, whose options are pairs."""
    first = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
    pairs = {key: (first[key], value) if key in first else value for key, value in options.items()}
    pooled = getattr(naive, name.replace("1d", "2d"))
    recipe = distinct if name == "max_pool1d" else normal
    return Operation(name, [recipe(*shape)], lambda x: pooled(x[..., None, :], **pairs)[..., 0, :], options)


def max_with_indices(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2 x 2 windows of an image of even size."""
    n, c, h, w = x.shape
    numbers = np.arange(h * w).reshape(1, 1, h, w) * np.ones((n, c, 1, 1), np.int64)
    split = [
        a.reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4).reshape(n, c, h // 2, w // 2, 4) for a in (x, numbers)
    ]
    best = split[0].argmax(-1)[..., None]
    return tuple(np.take_along_axis(a, best, -1)[..., 0] for a in split)


def mean_of_image(x: np.ndarray, *_: Any) -> np.ndarray:
    return x.mean((-2, -1), keepdims=True)


OPERATIONS = [
    max_pool(2, 2, 4, 4, kernel_size=(2, 2)),
    max_pool(1, 2, 5, 6, kernel_size=(3, 2), stride=(2, 1), padding=(1, 1)),
    max_pool(1, 2, 6, 5, kernel_size=(2, 3), stride=(3, 2), ceil_mode=True),
    max_pool(1, 1, 7, 7, kernel_size=(3, 3), stride=(2, 2), dilation=(2, 2), padding=(1, 1)),
    Operation("max_pool2d", [distinct(0, 2, 4, 4), 2], lambda x, size: x[:, :, ::2, ::2], torch=None),
    Operation("max_pool2d", [distinct(2, 4, 4), 2], lambda x, size: naive.max_pool2d(x[None], (2, 2))[0]),
    Operation("max_pool2d", [distinct(2, 2, 4, 6)], max_with_indices, {"kernel_size": 2, "return_indices": True}),
    avg_pool(2, 2, 4, 4, kernel_size=(2, 2)),
    avg_pool(1, 2, 5, 6, kernel_size=(3, 2), stride=(2, 1), padding=(1, 1)),
    avg_pool(1, 2, 5, 6, kernel_size=(3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False),
    avg_pool(1, 2, 6, 5, kernel_size=(2, 3), stride=(3, 2), padding=(1, 1), ceil_mode=True),
    avg_pool(1, 1, 6, 5, kernel_size=(2, 3), stride=(3, 2), padding=(1, 1), ceil_mode=True, count_include_pad=False),
    Operation("avg_pool2d", [normal(0, 2, 4, 4), 2], lambda x, size: x[:, :, ::2, ::2]),
    *adaptive_pool((2, 2, 4, 6), 2, 3),
    *adaptive_pool((1, 2, 5, 7), 3, 2),
    *adaptive_pool((1, 2, 3, 4), None, 6),
    Operation("adaptive_avg_pool2d", [normal(2, 3, 4), 1], mean_of_image),
    Operation("adaptive_max_pool2d", [distinct(2, 3, 4), 1], lambda x, size: x.max((-2, -1), keepdims=True)),
    pool_row("max_pool1d", (2, 3, 6), kernel_size=2),
    pool_row("max_pool1d", (1, 2, 8), kernel_size=3, stride=2, padding=1, dilation=2),
    Operation("max_pool1d", [distinct(2, 5), 2, 1], lambda x, size, stride: np.maximum(x[:, 1:], x[:, :-1])),
    Operation(
        "max_pool1d",
        [distinct(2, 6)],
        lambda x: (x.reshape(2, 3, 2).max(-1), x.reshape(2, 3, 2).argmax(-1) + [0, 2, 4]),
        {"kernel_size": 2, "return_indices": True},
    ),
    pool_row("avg_pool1d", (2, 3, 6), kernel_size=2),
    pool_row("avg_pool1d", (1, 2, 8), kernel_size=3, stride=2, padding=1, count_include_pad=False),
    Operation("avg_pool1d", [normal(2, 5), 2, 1], lambda x, size, stride: (x[:, 1:] + x[:, :-1]) / 2),
    Operation("adaptive_avg_pool1d", [normal(2, 2, 6), 3], lambda x, size: x.reshape(2, 2, 3, 2).mean(-1)),
    Operation(
        "adaptive_avg_pool1d", [normal(2, 5), 2], lambda x, size: (x[:, [0, 2]] + x[:, [1, 3]] + x[:, [2, 4]]) / 3
    ),
    Operation("adaptive_max_pool1d", [distinct(2, 2, 6), 3], lambda x, size: x.reshape(2, 2, 3, 2).max(-1)),
    Operation("adaptive_max_pool1d", [distinct(2, 5), 1], lambda x, size: x.max(-1, keepdims=True)),
    Operation("global_avg_pool2d", [normal(2, 2, 3, 4)], mean_of_image, torch=None),
    Operation("global_max_pool2d", [distinct(2, 2, 3, 4)], lambda x: x.max((-2, -1), keepdims=True), torch=None),
]
