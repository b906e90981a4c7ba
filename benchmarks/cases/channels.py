"""Batch normalization forwards and back, and channel sums, over channels-last images. Their cost is memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minidl import kernels

from .case import Case, backends, exact, images, in_torch, nbytes, tensors

SHAPES = {"64x64x28x28": (64, 64, 28, 28), "32x128x14x14": (32, 128, 14, 14)}
EPS = 1e-5


def case(which: str, shape: tuple[int, ...]) -> Case:
    x, dy = images(*shape), images(*shape, seed=1)
    w, b = np.random.default_rng(2).standard_normal((2, shape[1]), dtype=np.float32)
    normalization = kernels.normalization
    _, m, v = normalization.channel_forward(x, w, b, EPS)
    kernel, arguments, moved = {
        "normalization forward": (lambda *a: normalization.channel_forward(*a)[0], (x, w, b, EPS), nbytes(x, x)),
        "normalization backward": (normalization.channel_backward, (dy, x, m, v, w, EPS), nbytes(x, x, x)),
        "channel_sums": (kernels.channel_sums.forward, (x,), nbytes(x)),
    }[which]

    def in_pytorch(torch: Any, last: bool) -> Any:
        tx, tdy, tw, tb = tensors(x, dy, w, b, last=last)
        if which == "channel_sums":
            return lambda: tx.sum((0, 2, 3))
        forward = partial(torch.ops.aten.native_batch_norm, tx, tw, tb, None, None, True, 0.1, EPS)
        if which == "normalization forward":
            return lambda: forward()[0]
        _, mean, inverse = forward()
        backward, wanted = torch.ops.aten.native_batch_norm_backward, [True, True, True]
        return lambda: backward(tdy, tx, tw, None, None, mean, inverse, True, EPS, wanted)

    def ours() -> Any:
        return lambda: kernel(*arguments)

    return Case(
        operations=0.0,
        bytes=moved,
        expected=lambda: exact(kernel, *arguments),
        ours=ours,
        peers=in_torch(in_pytorch, layouts=True) | backends(which.split()[0], ours),
    )


CASES = {
    f"{which} {name}": partial(case, which, shape)
    for which in ("normalization forward", "normalization backward", "channel_sums")
    for name, shape in SHAPES.items()
}
