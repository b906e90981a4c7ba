"""One step of an optimizer over all parameters of a network (M1). Its cost is memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.steps.networks import NETWORKS, parameters
from minidl import kernels

from .case import Case, backends, exact, in_torch, nbytes, tensors

NETWORK = "M1 MNIST CNN N=32"
LR = 1e-3
MEMORIES = {"sgd": 1, "adam": 2, "rmsprop": 1}  # arrays that a step remembers, for each parameter


def _step(which: str, ws: list[Any], dws: list[Any], memories: list[list[Any]]) -> list[Any]:
    """The parameters after one more step."""
    k = kernels.optimizers
    if which == "sgd":
        k.sgd_step(ws, dws, *memories, lr=LR, momentum=0.9)
    elif which == "adam":
        k.adam_step(ws, dws, *memories, [1] * len(ws), lr=LR)
    else:
        k.rmsprop_step(ws, dws, *memories, lr=LR)
    return ws


def case(which: str) -> Case:
    ws = parameters(NETWORKS[NETWORK])
    random = np.random.default_rng(0)
    dws = [random.standard_normal(w.shape, dtype=np.float32) for w in ws]

    def memories() -> list[list[Any]]:
        return [[np.zeros_like(w) for w in ws] for _ in range(MEMORIES[which])]

    def ours() -> Any:
        return partial(_step, which, [w.copy() for w in ws], dws, memories())

    def in_pytorch(torch: Any, last: bool) -> Any:
        tws = [t.clone().requires_grad_() for t in tensors(*ws)]
        for w, dw in zip(tws, tensors(*dws)):
            w.grad = dw
        optim = torch.optim
        optimizer = {
            "sgd": lambda: optim.SGD(tws, lr=LR, momentum=0.9, fused=True),
            "adam": lambda: optim.Adam(tws, lr=LR, fused=True),
            "rmsprop": lambda: optim.RMSprop(tws, lr=LR, foreach=True),  # it has no fused step
        }[which]()

        def step() -> Any:
            optimizer.step()
            return tws

        return step

    return Case(
        operations=0.0,
        bytes=nbytes(*dws) + (2 + 2 * MEMORIES[which]) * nbytes(*ws),
        expected=lambda: exact(partial(_step, which), ws, dws, memories()),
        ours=ours,
        peers=in_torch(in_pytorch) | backends("optimizers", ours),
    )


CASES = {f"optimizer {which}": partial(case, which) for which in MEMORIES}
