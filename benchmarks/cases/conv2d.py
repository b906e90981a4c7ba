"""The three passes of the networks' convolutions, and convolution + bias + ReLU + pooling as one kernel, both ways.

Our arrays have channels last in memory; PyTorch is measured in both of its layouts.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minidl import kernels

from .case import Case, backends, exact, images, in_torch, nbytes, tensors


class Shape(NamedTuple):
    batch: int
    channels: int
    size: int  # height and width
    out_channels: int
    window: int

    @property
    def out(self) -> int:
        return self.size - self.window + 1

    @property
    def operations(self) -> float:
        return 2.0 * self.batch * self.out**2 * self.out_channels * self.channels * self.window**2


SHAPES = {
    "M1.1": Shape(32, 1, 28, 32, 3),
    "M1.2": Shape(32, 32, 13, 64, 3),
    "M2.1": Shape(64, 3, 32, 32, 3),
    "M2.2": Shape(64, 32, 15, 64, 3),
    "M2.3": Shape(64, 64, 6, 64, 3),
    "M3.1 N=4": Shape(4, 3, 32, 6, 5),
    "M3.2 N=4": Shape(4, 6, 14, 16, 5),
    "M3.1 N=64": Shape(64, 3, 32, 6, 5),
    "M3.2 N=64": Shape(64, 6, 14, 16, 5),
    "M4.1": Shape(32, 1, 224, 32, 3),
    "M4.2": Shape(32, 32, 111, 64, 3),
}
PASSES = ("forward", "input_grad", "weight_grad")
FUSED = ("M1.2", "M2.2", "M3.1 N=64", "M3.2 N=64", "M4.1", "M4.2")


def _arrays(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = images(shape.batch, shape.channels, shape.size, shape.size)
    dy = images(shape.batch, shape.out_channels, shape.out, shape.out, seed=1)
    sizes = (shape.out_channels, shape.channels, shape.window, shape.window)
    return x, dy, np.random.default_rng(2).standard_normal(sizes, dtype=np.float32)


def case(name: str, which: str) -> Case:
    shape = SHAPES[name]
    x, dy, w = _arrays(shape)
    kernel, arguments = {
        "forward": (kernels.conv2d.forward, (x, w)),
        "input_grad": (kernels.conv2d.input_grad, (dy, w, (shape.size, shape.size))),
        "weight_grad": (kernels.conv2d.weight_grad, (x, dy, (shape.window, shape.window))),
    }[which]

    def in_pytorch(torch: Any, last: bool) -> Any:
        tx, tdy, tw = tensors(x, dy, w, last=last)
        if which == "forward":
            return lambda: torch.nn.functional.conv2d(tx, tw)
        i = PASSES.index(which) - 1  # of the gradients of input, weight and bias
        backward = torch.ops.aten.convolution_backward
        wanted = [i == 0, i == 1, False]
        return lambda: backward(tdy, tx, tw, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, wanted)[i]

    def ours() -> Any:
        return lambda: kernel(*arguments)

    return Case(
        operations=shape.operations,
        bytes=nbytes(x, dy, w),
        expected=lambda: exact(kernel, *arguments),
        ours=ours,
        peers=in_torch(in_pytorch, layouts=True) | backends("conv2d", ours),
    )


def fused_forward(name: str) -> Case:
    shape = SHAPES[name]
    x, _, w = _arrays(shape)
    b = np.random.default_rng(3).standard_normal(shape.out_channels, dtype=np.float32)
    kernel = kernels.conv2d_relu_pool.forward

    def in_pytorch(torch: Any, last: bool) -> Any:
        functional = torch.nn.functional
        tx, tw, tb = tensors(x, w, b, last=last)
        return lambda: functional.max_pool2d(functional.relu(functional.conv2d(tx, tw, tb)), 2)

    def ours() -> Any:
        return lambda: kernel(x, w, b, (2, 2))[0]

    return Case(
        operations=shape.operations
        * (shape.out // 2 * 2 / shape.out) ** 2,  # a last row that fills no window is left out
        bytes=nbytes(x, w, b) + 5.0 * shape.batch * shape.out_channels * (shape.out // 2) ** 2,  # y, and a byte of tap
        expected=lambda: exact(kernel, x, w, b, (2, 2))[0],
        ours=ours,
        peers=in_torch(in_pytorch, layouts=True) | backends("conv2d_relu_pool", ours),
    )


def fused_backward(name: str) -> Case:
    """Both gradients of the convolution, and that of the bias, from dy behind the pooling."""
    shape = SHAPES[name]
    x, _, w = _arrays(shape)
    pooled = shape.out // 2
    dy = images(shape.batch, shape.out_channels, pooled, pooled, seed=4)
    _, taps = kernels.conv2d_relu_pool.forward(x, w, None, (2, 2))
    kernel, arguments = kernels.conv2d_relu_pool.backward, (dy, taps, x, w, (2, 2))
    # the taps as PyTorch numbers them, so that rounding in forward gives nobody other maxima
    i, j = np.indices((pooled, pooled))
    tap = taps % 4  # 4: none; PyTorch's ReLU lets none of them through
    places = ((2 * i + tap // 2) * shape.out + 2 * j + tap % 2).astype(np.int64)

    def in_pytorch(torch: Any, last: bool) -> Any:
        functional, aten = torch.nn.functional, torch.ops.aten
        tx, tdy, tw, indices = tensors(x, dy, w, places, last=last)
        z = functional.relu(functional.conv2d(tx, tw))
        geometry = [1, 1], [0, 0], [1, 1], False, [0, 0], 1

        def backward() -> Any:
            dz = aten.max_pool2d_with_indices_backward(tdy, z, [2, 2], [2, 2], [0, 0], [1, 1], False, indices)
            dz = aten.threshold_backward(dz, z, 0)
            return aten.convolution_backward(dz, tx, tw, [shape.out_channels], *geometry, [True, True, True])[1]

        return backward

    def ours() -> Any:
        return lambda: kernel(*arguments)[1]

    return Case(
        operations=2 * shape.operations * pooled**2 / shape.out**2,  # the maxima alone have a gradient
        bytes=nbytes(dy, taps, x, x, w, w),
        expected=lambda: exact(kernel, *arguments)[1],
        ours=ours,
        peers=in_torch(in_pytorch, layouts=True) | backends("conv2d_relu_pool", ours),
    )


CASES = (
    {f"conv2d {name} {which}": partial(case, name, which) for name in SHAPES for which in PASSES}
    | {f"conv2d+relu+pool {name} forward": partial(fused_forward, name) for name in FUSED}
    | {f"conv2d+relu+pool {name} backward": partial(fused_backward, name) for name in FUSED}
)
