"""Batches of images, cut so that one launch counts the numbers of its result in 32 bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

MAX_NUMBERS = 2**31 - 2**16  # of a launch: the last block counts beyond the last number


def batches(result: Any) -> Iterator[slice]:
    """Yield which images of `result`, (N, H, W, C), to compute at once.

    >>> import numpy as np
    >>> list(batches(np.broadcast_to(np.float32(0), (3, 2**15, 2**15, 1))))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    images, *rest = result.shape
    numbers = math.prod(rest)
    if numbers > MAX_NUMBERS:
        height, width, channels = rest
        raise ValueError(
            f"the CUDA kernel computes at most {MAX_NUMBERS} numbers an image, "
            f"got a result of {channels} channels, {height} x {width}"
        )
    at_once = MAX_NUMBERS // max(1, numbers)
    for first in range(0, images, at_once):
        yield slice(first, min(first + at_once, images))
