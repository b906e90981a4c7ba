"""Attention of a small language model (32 sequences of 64 tokens, 4 heads of 32), and of a longer sequence."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minidl import kernels

from .case import Case, backends, exact, in_torch, nbytes, tensors

SHAPES = {"64 tokens": (32, 4, 64, 32), "1024 tokens": (1, 8, 1024, 64)}


def _both_ways(q: Any, k: Any, v: Any, dy: Any) -> Any:
    """y and the three gradients; a query sees the tokens up to its own."""
    y = kernels.attention.forward(q, k, v, is_causal=True)
    return y, *kernels.attention.backward(dy, q, k, v, is_causal=True)


def case(shape: tuple[int, ...]) -> Case:
    random = np.random.default_rng(0)
    batch, heads, tokens, size = shape
    # as a dense layer gives them: the heads of a token side by side
    q, k, v, dy = (random.standard_normal((4, batch, tokens, heads, size), dtype=np.float32)).swapaxes(2, 3)

    def in_pytorch(torch: Any, last: bool) -> Any:
        parts = [t.transpose(1, 2) for t in tensors(*(x.swapaxes(1, 2) for x in (q, k, v, dy)))]
        inputs = [t.requires_grad_() for t in parts[:3]]

        def call() -> Any:
            y = torch.nn.functional.scaled_dot_product_attention(*inputs, is_causal=True)
            return y.detach(), *torch.autograd.grad(y, inputs, parts[3])

        return call

    def ours() -> Any:
        return lambda: _both_ways(q, k, v, dy)

    return Case(
        # q k^T and p v; back q k^T again, dy v^T, and three gradients: half of each, for the half that is hidden
        operations=7.0 * batch * heads * tokens * tokens * size,
        bytes=float(2 * nbytes(q, k, v, dy)),
        expected=lambda: exact(_both_ways, q, k, v, dy),
        ours=ours,
        peers=in_torch(in_pytorch) | backends("attention", ours),
    )


CASES = {f"attention {name} forward+backward": partial(case, shape) for name, shape in SHAPES.items()}
