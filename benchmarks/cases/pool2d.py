"""Pooling over windows of 2 x 2, forwards and back. Its cost is memory: it counts no operations."""

from __future__ import annotations

from functools import partial
from typing import Any

from minidl import kernels

from .case import Case, backends, exact, images, in_torch, nbytes, tensors

SHAPES = {"M1.1": (32, 32, 26, 26), "M2.1": (64, 32, 30, 30), "M4.1": (32, 32, 222, 222)}
WINDOW = ((2, 2), (2, 2), (0, 0), (1, 1))  # kernel_size, stride, padding, dilation


def case(name: str, which: str) -> Case:
    x = images(*SHAPES[name])
    pool = kernels.pool2d
    y, taps = pool.max_forward(x, *WINDOW)
    size = x.shape[2:]
    kernel, arguments = {
        "max_forward": (pool.max_forward, (x, *WINDOW)),
        "max_scatter": (pool.max_scatter, (y, taps, size, *WINDOW)),
        "avg_forward": (pool.avg_forward, (x, 2)),
        "avg_input_grad": (pool.avg_input_grad, (y, size, 2)),
    }[which]

    def values(result: Any) -> Any:
        return result[0] if which == "max_forward" else result  # taps are counted otherwise by PyTorch

    def in_pytorch(torch: Any, last: bool) -> Any:
        tx, ty = tensors(x, y, last=last)
        aten = torch.ops.aten
        if which == "max_forward":
            return lambda: aten.max_pool2d_with_indices(tx, [2, 2])[0]
        if which == "avg_forward":
            return lambda: aten.avg_pool2d(tx, [2, 2])
        if which == "avg_input_grad":
            return lambda: aten.avg_pool2d_backward(ty, tx, [2, 2], [2, 2], [0, 0], False, True, None)
        indices = aten.max_pool2d_with_indices(tx, [2, 2])[1]
        backward = aten.max_pool2d_with_indices_backward
        return lambda: backward(ty, tx, [2, 2], [2, 2], [0, 0], [1, 1], False, indices)

    def ours() -> Any:
        return lambda: values(kernel(*arguments))

    return Case(
        operations=0.0,
        bytes=nbytes(x, y) + (taps.nbytes if which.startswith("max") else 0),
        expected=lambda: values(exact(kernel, *arguments)),
        ours=ours,
        peers=in_torch(in_pytorch, layouts=True) | backends("pool2d", ours),
    )


CASES = {
    f"pool2d {which} {name}": partial(case, name, which)
    for which in ("max_forward", "max_scatter", "avg_forward", "avg_input_grad")
    for name in SHAPES
}
