"""Images of another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import normal


def resized(
    shape: tuple[int, ...],
    size: tuple[int, int] | None = None,
    scale: float | None = None,
    torch: Any = "",
    **options: Any,
) -> Operation:
    """interpolate to a size or by a factor; either gives the other's place in x to each pixel."""
    out = size or tuple(int(n * scale) for n in shape[2:])
    ratio = (1 / scale, 1 / scale) if scale else None
    given = {"size": size} if size else {"scale_factor": scale}
    return Operation(
        "interpolate",
        [normal(*shape)],
        lambda x: naive.interpolate(x, out, ratio=ratio, **options),
        given | options,
        torch=torch,
    )


OPERATIONS = [
    resized((2, 2, 3, 4), (6, 8), mode="nearest"),
    resized((1, 2, 5, 3), (3, 7), mode="nearest"),
    resized((1, 2, 3, 4), scale=2, mode="nearest"),
    resized((1, 1, 5, 5), scale=1.5, mode="nearest"),
    resized((1, 2, 3, 4), (6, 5), mode="bilinear"),
    resized((1, 2, 5, 4), (3, 1), mode="bilinear"),
    resized((1, 2, 3, 4), (6, 5), mode="bilinear", align_corners=True),
    resized((1, 2, 4, 4), (1, 3), mode="bilinear", align_corners=True),
    resized((1, 1, 3, 4), scale=2, mode="bilinear"),
    resized((1, 1, 5, 4), scale=1.3, mode="bilinear"),
    resized((1, 1, 1, 1), (2, 3), mode="bilinear"),
    resized((0, 2, 2, 2), (4, 4), mode="bilinear", torch=None),
    Operation("interpolate", [normal(2, 2, 3)], lambda x: np.repeat(x, 2, 2), {"size": 6, "mode": "nearest"}),
    Operation(
        "interpolate",
        [normal(1, 2, 3)],
        lambda x: naive.interpolate(x[:, :, None], (1, 5), "bilinear")[:, :, 0],
        {"size": 5, "mode": "linear"},
    ),
]
