"""Optimizer steps in CUDA: the host side of `cuda_gpu.cu`.

The addresses of all arrays go to the GPU as one small table, in an asynchronous copy; one launch follows.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.arguments import wrong_device

__all__ = ["DTYPES", "adagrad_step", "adam_step", "rmsprop_step", "sgd_step", "unavailable"]

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK = 256
BLOCKS_A_MULTIPROCESSOR = 8  # as many as it can hold at once
# struct Row of cuda_gpu.cu
ROW = np.dtype([("addresses", "u8", 5), ("size", "i8"), ("first_block", "i8"), ("factors", "f8", 2)])


def sgd_step(ws, dws, vs, lr, momentum, dampening, weight_decay, nesterov):
    _step("sgd_step", ws, dws, (vs,), None, lr, momentum, 1 - dampening, weight_decay, nesterov)


def adam_step(ws, dws, ms, vs, steps, hs, lr, beta1, beta2, eps, weight_decay, decoupled):
    factors = [(lr / (1 - beta1**t), sqrt(1 - beta2**t)) for t in steps]
    kept, weight_decay = (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    _step("adam_step", ws, dws, (ms, vs, hs), factors, beta1, 1 - beta1, beta2, 1 - beta2, eps, weight_decay, kept)


def rmsprop_step(ws, dws, vs, gs, bs, lr, alpha, eps, weight_decay, momentum):
    _step("rmsprop_step", ws, dws, (vs, gs, bs), None, lr, alpha, 1 - alpha, eps, weight_decay, momentum)


def adagrad_step(ws, dws, ss, steps, lr, lr_decay, eps, weight_decay):
    factors = [(lr / (1 + (t - 1) * lr_decay), 0.0) for t in steps]
    _step("adagrad_step", ws, dws, (ss,), factors, eps, weight_decay)


def _step(name, ws, dws, states, factors, *options):
    if not ws:
        return
    runtime = current_runtime()
    xp, device, where = runtime.xp, runtime.device(), f"{name}: an array"
    changed = [array for arrays in (ws, *states) if arrays is not None for array in arrays]
    for array in (*changed, *dws):  # the launch checks its arguments, but not what the table points to
        if (own := runtime.device_of(array)) != device:
            raise wrong_device(where, own, device)
    # The kernel needs C-contiguous arrays, which parameters and state nearly always are; copies are written back below.
    copies = {id(x): x if x.flags.c_contiguous else xp.ascontiguousarray(x) for x in changed}
    gradients = [xp.ascontiguousarray(dw) for dw in dws]
    rows = np.zeros(len(ws), ROW)
    rows["addresses"][:, 0] = [runtime.address(copies[id(w)]) for w in ws]
    rows["addresses"][:, 1] = [runtime.address(dw) for dw in gradients]
    for i, arrays in enumerate(states, start=2):
        if arrays is not None:
            rows["addresses"][:, i] = [runtime.address(copies[id(array)]) for array in arrays]
    rows["size"] = [w.size for w in ws]
    share, rows["first_block"], blocks = _blocks(rows["size"], runtime.multiprocessors)
    if factors is not None:
        rows["factors"] = factors
    kernel = load(SOURCE, ws[0].dtype).get_function(name)
    kernel((blocks,), (BLOCK,), (xp.asarray(rows.view("i8")), len(ws), share, *options))
    for array in changed:
        if copies[id(array)] is not array:
            array[...] = copies[id(array)]


def _blocks(sizes, multiprocessors):
    """Numbers per block, the first block of each array, and the number of blocks.

    As many blocks as the GPU holds at once would do for one array of all numbers; each array may add one.
    """
    turns = -(-int(sizes.sum()) // (BLOCK * BLOCKS_A_MULTIPROCESSOR * multiprocessors))
    share = BLOCK * max(1, turns)
    blocks = -(-sizes // share)
    end = np.cumsum(blocks)
    return share, end - blocks, int(end[-1])
