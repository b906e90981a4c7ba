"""Optimizer steps in CUDA: the host side of `cuda_gpu.cu`.

The addresses of all arrays lie on the GPU in one small table, and one launch does the rest. Parameters and state stay
where they are, and gradients mostly come to lie where those of an earlier step did: so the table of that step serves.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
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
ROW = np.dtype([("addresses", "u8", 5), ("size", "i8"), ("first_block", "i8")])


def sgd_step(ws, dws, vs, lr, momentum, dampening, weight_decay, nesterov):
    _step("sgd_step", ws, dws, (vs,), lr, momentum, 1 - dampening, weight_decay, nesterov)


def adam_step(ws, dws, ms, vs, steps, hs, lr, beta1, beta2, eps, weight_decay, decoupled):
    kept, weight_decay = (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    for t, ws_of_t, dws_of_t, *states in _by_step(steps, ws, dws, ms, vs, hs):
        step_size, root = lr / (1 - beta1**t), sqrt(1 - beta2**t)
        options = (step_size, root, beta1, 1 - beta1, beta2, 1 - beta2, eps, weight_decay, kept)
        _step("adam_step", ws_of_t, dws_of_t, states, *options)


def rmsprop_step(ws, dws, vs, gs, bs, lr, alpha, eps, weight_decay, momentum):
    _step("rmsprop_step", ws, dws, (vs, gs, bs), lr, alpha, 1 - alpha, eps, weight_decay, momentum)


def adagrad_step(ws, dws, ss, steps, lr, lr_decay, eps, weight_decay):
    for t, ws_of_t, dws_of_t, *states in _by_step(steps, ws, dws, ss):
        _step("adagrad_step", ws_of_t, dws_of_t, states, lr / (1 + (t - 1) * lr_decay), eps, weight_decay)


def _by_step(steps: list[int], *lists: list | None) -> Iterator[tuple]:
    """Yield each step number t, and the arrays of `lists` that are at it: mostly, all are."""
    for t in sorted(set(steps)):
        yield t, *(xs and [x for x, own in zip(xs, steps, strict=True) if own == t] for xs in lists)


def _step(name, ws, dws, states, *options):
    if not ws:
        return
    runtime = current_runtime()
    device, where = runtime.device(), f"{name}: an array"
    changed = [array for arrays in (ws, *states) if arrays is not None for array in arrays]
    for array in (*changed, *dws):  # the launch checks its arguments, but not what the table points to
        if (own := runtime.device_of(array)) != device:
            raise wrong_device(where, own, device)
    # The kernel needs C-contiguous arrays, which parameters and state nearly always are; copies are written back below.
    lists = [arrays and [runtime.xp.ascontiguousarray(x) for x in arrays] for arrays in (ws, dws, *states)]
    columns = [arrays and tuple([runtime.address(x) for x in arrays]) for arrays in lists]
    table = _table_of(runtime, device, columns[0], tuple([w.size for w in ws]), runtime.multiprocessors)
    kernel = load(SOURCE, ws[0].dtype).get_function(name)
    kernel((table.blocks,), (BLOCK,), (table.with_addresses(columns), len(ws), table.share, *options))
    copies = [x for i, arrays in enumerate(lists) if i != 1 and arrays is not None for x in arrays]
    for array, copy in zip(changed, copies, strict=True):
        if copy is not array and not array.flags.c_contiguous:
            array[...] = copy


class _Table:
    """Where the arrays of one list of parameters lie; sent to the GPU only when that has changed."""

    def __init__(self, runtime, sizes, multiprocessors):
        self.runtime, self.columns, self.on_gpu = runtime, None, None
        self.rows = np.zeros(len(sizes), ROW)
        self.rows["size"] = sizes
        self.share, self.rows["first_block"], self.blocks = _blocks(self.rows["size"], multiprocessors)

    def with_addresses(self, columns):
        if columns != self.columns:
            self.rows["addresses"] = 0
            for i, addresses in enumerate(columns):
                if addresses is not None:
                    self.rows["addresses"][:, i] = addresses
            self.on_gpu = None  # its memory is free for the next one: else gradients would come to lie elsewhere again
            self.on_gpu, self.columns = self.runtime.xp.asarray(self.rows.view("i8")), columns
        return self.on_gpu


@functools.lru_cache(64)
def _table_of(runtime, device, ws_addresses, sizes, multiprocessors):
    """One for each list of parameters, which `device` and `ws_addresses` tell apart."""
    return _Table(runtime, sizes, multiprocessors)


def _blocks(sizes, multiprocessors):
    """Numbers per block, the first block of each array, and the number of blocks.

    As many blocks as the GPU holds at once would do for one array of all numbers; each array may add one.
    """
    turns = -(-int(sizes.sum()) // (BLOCK * BLOCKS_A_MULTIPROCESSOR * multiprocessors))
    share = BLOCK * max(1, turns)
    blocks = -(-sizes // share)
    end = np.cumsum(blocks)
    return share, end - blocks, int(end[-1])
