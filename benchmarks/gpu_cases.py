"""The cases of ``python -m benchmarks.gpu``: kernels, the shapes of their arrays, and their like in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minidl.kernels import activations, channel_sums, conv2d, memory_order, normalization, pool2d, softmax
from minidl.kernels.matmul import cuda_gpu as matmul


class Case(NamedTuple):
    """One kernel on one shape; `run` is ours, `shapes` are those of its arrays."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    flops: float  # 0: of a kernel that is bound by memory, only bytes are told
    run: Callable[..., Any]
    reference: str  # the peer's operation
    tf32: bool = False
    images: int = 0  # of the arrays, the first ones, have channels last in memory
    in_torch: Callable[..., Any] | None = None  # in_torch(torch, *tensors), where PyTorch is the peer


def matmul_cases(sizes: Sequence[int] = (1024, 2048, 4096, 8192)) -> list[Case]:
    """c = a @ b of square matrices: 2 n^3 operations."""

    def step_of_the_ladder(step: str) -> Callable[..., Any]:
        return lambda a, b: matmul.forward(a, b, step)

    return [
        Case(
            f"matmul-{step}-{n}", ((n, n), (n, n)), 2.0 * n**3, step_of_the_ladder(step), "matmul", step == matmul.TF32
        )
        for n in sizes
        for step in (*matmul.STEPS, matmul.TF32)
    ]


def conv2d_cases(
    images: int = 32, layers: Sequence[tuple[int, int]] = ((64, 56), (128, 28), (256, 14), (64, 112))
) -> list[Case]:
    """3 x 3, padding 1, as many channels out as in: 2 * 9 * channels^2 * pixels operations, in each direction."""
    cases = []
    for channels, size in layers:
        x, w = (images, channels, size, size), (channels, channels, 3, 3)
        flops = 2.0 * 9 * channels**2 * images * size**2
        directions: dict[str, tuple[tuple, Callable[..., Any]]] = {
            "forward": ((x, w), lambda x, w: conv2d.forward(x, w, padding=1)),
            "input_grad": ((x, w), lambda dy, w: conv2d.input_grad(dy, w, dy.shape[2:], padding=1)),
            "weight_grad": ((x, x), lambda x, dy: conv2d.weight_grad(x, dy, (3, 3), padding=1)),
        }
        for direction, (shapes, run) in directions.items():
            name, image_count = f"conv2d-{direction}", 2 if direction == "weight_grad" else 1
            cases.append(Case(f"{name}-{channels}x{size}", shapes, flops, run, name, images=image_count))
    return cases


def memory_cases(
    rows: tuple[int, int] = (16384, 1024), images: tuple[int, int, int, int] = (32, 128, 56, 56)
) -> list[Case]:
    """Kernels that are bound by memory, on arrays of 64 and 51 megabytes."""
    row, channel = rows[1:], images[1:2]
    # name: shapes, how many of them are channels last in memory, ours, PyTorch's
    kernels: dict[str, tuple[tuple, int, Callable[..., Any], Callable[..., Any]]] = {
        "softmax-forward": ((rows,), 0, softmax.forward, lambda torch, x: torch.softmax(x, -1)),
        "softmax-backward": (
            (rows, rows), 0, softmax.input_grad,
            lambda torch, dy, y: torch.ops.aten._softmax_backward_data(dy, y, -1, torch.float32),
        ),
        "row-norm-forward": (
            (rows, row, row), 0, lambda x, w, b: normalization.row_forward(x, w, b)[0],
            lambda torch, x, w, b: torch.nn.functional.layer_norm(x, row, w, b),
        ),
        "channel-norm-forward": (
            (images, channel, channel), 1, lambda x, w, b: normalization.channel_forward(x, w, b)[0],
            lambda torch, x, w, b: torch.nn.functional.batch_norm(x, None, None, w, b, training=True),
        ),
        "gelu-forward": ((rows,), 0, activations.gelu_forward, lambda torch, x: torch.nn.functional.gelu(x)),
        "gelu-backward": (
            (rows, rows), 0, activations.gelu_backward, lambda torch, dy, x: torch.ops.aten.gelu_backward(dy, x)
        ),
        "max-pool-forward": (
            (images,), 1, lambda x: pool2d.max_forward(x, 2)[0],
            lambda torch, x: torch.nn.functional.max_pool2d(x, 2),
        ),
        "channel-sums": ((images,), 1, channel_sums.forward, lambda torch, x: x.sum((0, 2, 3))),
        "channels-last": (
            (images,), 0, memory_order.channels_last,
            lambda torch, x: x.contiguous(memory_format=torch.channels_last),
        ),
    }  # fmt: skip
    return [
        Case(f"memory-{name}", shapes, 0.0, run, name, images=count, in_torch=in_torch)
        for name, (shapes, count, run, in_torch) in kernels.items()
    ]
