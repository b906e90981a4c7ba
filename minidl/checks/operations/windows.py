"""Windows as columns and back, channels as blocks of pixels and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import normal


def columns(x: np.ndarray, kernel_size: int, dilation: int = 1, padding: int = 0, stride: int = 1) -> np.ndarray:
    """unfold of x (N, C, H, W), window by window."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    reach = dilation * (kernel_size - 1) + 1
    return np.stack(
        [
            x[:, :, i : i + reach : dilation, j : j + reach : dilation].reshape(len(x), -1)
            for i in range(0, x.shape[2] - reach + 1, stride)
            for j in range(0, x.shape[3] - reach + 1, stride)
        ],
        axis=-1,
    )


def image(y: np.ndarray, size: tuple[int, int], kernel_size: int, **geometry: int) -> np.ndarray:
    """fold of y (N, C*R*S, L): for each pixel, the sum of the numbers that unfold would read from it."""
    n, c = len(y), y.shape[1] // kernel_size**2
    pixels = np.arange(1, size[0] * size[1] + 1).reshape(1, 1, *size)  # 0 is the padding
    read = columns(pixels, kernel_size, **geometry)[0]
    y = y.reshape(n, c, *read.shape)
    return np.stack([(y * (read == pixel)).sum((-2, -1)) for pixel in pixels.ravel()], -1).reshape(n, c, *size)


def windows(*shape: int, **geometry: int) -> list[Operation]:
    y = columns(np.zeros(shape), **geometry).shape
    return [
        Operation("unfold", [normal(*shape)], lambda x: columns(x, **geometry), geometry),
        Operation("fold", [normal(*y), shape[2:]], lambda x, size: image(x, size, **geometry), geometry),
    ]


def shuffled(x: np.ndarray, r: int) -> np.ndarray:
    """pixel_shuffle of x (N, C*r*r, H, W)."""
    n, c, h, w = x.shape
    y = np.empty((n, c // r**2, h * r, w * r), x.dtype)
    for i, j in np.ndindex(r, r):
        y[:, :, i::r, j::r] = x[:, i * r + j :: r * r]
    return y


def unshuffled(y: np.ndarray, r: int) -> np.ndarray:
    """pixel_unshuffle of y (N, C, H*r, W*r)."""
    n, c, h, w = y.shape
    x = np.empty((n, c * r**2, h // r, w // r), y.dtype)
    for i, j in np.ndindex(r, r):
        x[:, i * r + j :: r * r] = y[:, :, i::r, j::r]
    return x


def without_batch(function: Any, *arguments: Any, **options: Any) -> Any:
    return lambda x, *_: function(x[None], *arguments, **options)[0]


def slid(size: int, step: int, axis: int, *shape: int) -> Operation:
    """x.unfold(axis, size, step)."""

    def expected(x: np.ndarray, *_: int) -> np.ndarray:
        y = np.lib.stride_tricks.sliding_window_view(x, size, axis)
        return np.moveaxis(np.moveaxis(y, axis, 0)[::step], 0, axis) if axis >= 0 else y[..., ::step, :]

    return Operation(
        "sliding_windows", [normal(*shape), axis, size, step], expected, torch=lambda x, *rest: x.unfold(*rest)
    )


OPERATIONS = [
    Operation(
        "channel_shuffle",
        [normal(2, 6, 3, 2), 3],
        lambda x, groups: x.reshape(2, 3, 2, 3, 2).swapaxes(1, 2).reshape(x.shape),
    ),
    slid(3, 2, 0, 7, 2),
    slid(2, 1, 1, 2, 4, 3),
    slid(3, 5, -1, 2, 9),
    *windows(2, 2, 4, 5, kernel_size=2),
    *windows(1, 2, 5, 6, kernel_size=3, stride=2, padding=1),
    *windows(1, 1, 5, 5, kernel_size=2, dilation=2, padding=1, stride=3),
    Operation("unfold", [normal(2, 4, 4), 3], without_batch(columns, 3)),
    Operation("unfold", [normal(0, 2, 3, 3), 2], lambda x, size: np.zeros((0, 8, 4))),
    Operation("fold", [normal(8, 4), (3, 3), 2], without_batch(image, (3, 3), 2)),
    Operation("pixel_shuffle", [normal(2, 8, 2, 3), 2], shuffled),
    Operation("pixel_shuffle", [normal(9, 2, 1), 3], without_batch(shuffled, 3)),
    Operation("pixel_unshuffle", [normal(2, 2, 4, 6), 2], unshuffled),
    Operation("pixel_unshuffle", [normal(2, 3, 6), 3], without_batch(unshuffled, 3)),
]
