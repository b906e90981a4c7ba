"""Limits of a launch: blocks in a grid, and 32-bit counts, in which a division costs a quarter of one in 64 bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

MAX_GRID = 65535  # blocks along y or z of a grid; along x there may be 2^31 - 1
MAX_COUNT = 2**31 - 2**16  # numbers in a launch: its last threads count up to a block, or a tile, beyond the last


def check_count(what: str, count: int) -> None:
    """Raise if one launch cannot count so much.

    >>> from minidl.kernels.cuda.counts import check_count
    >>> check_count("rows of x", 2**31)
    Traceback (most recent call last):
    ValueError: the CUDA kernel takes at most 2147418112 rows of x, got 2147483648
    """
    if count > MAX_COUNT:
        raise ValueError(f"the CUDA kernel takes at most {MAX_COUNT} {what}, got {count}")


def batches(result: Any, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yield `result` (N, H, W, C) and arrays of as many images, cut so that one launch can count: mostly as they are.

    >>> import numpy as np
    >>> from minidl.kernels.cuda.counts import batches
    >>> y, x = (np.broadcast_to(np.float32(0), (5, size, size, 1)) for size in (2**15, 2**13))
    >>> [(y_part.shape, x_part.shape) for y_part, x_part in batches(y[:, :, ::2], x)]
    [((3, 32768, 16384, 1), (3, 8192, 8192, 1)), ((2, 32768, 16384, 1), (2, 8192, 8192, 1))]
    """
    images, *image = result.shape
    numbers = math.prod(image)
    check_count(f"numbers an image of the result, (H, W, C) = {tuple(image)}", numbers)
    at_once = MAX_COUNT // max(1, numbers)
    if images <= at_once:
        yield result, *arrays
        return
    for first in range(0, images, at_once):
        yield tuple([array[first : first + at_once] for array in (result, *arrays)])
