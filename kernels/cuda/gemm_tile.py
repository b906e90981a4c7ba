"""The host side of gemm_tile.cuh: which tile to use, and into how many parts to split a long sum."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .counts import MAX_GRID


class Tile(NamedTuple):
    """The constants of gemm_tile.cuh: the size of a block's tile of the result, and of a thread's."""

    BLOCK_M: int
    BLOCK_N: int
    THREAD_M: int
    THREAD_N: int

    @property
    def threads(self) -> int:
        return (self.BLOCK_M // self.THREAD_M) * (self.BLOCK_N // self.THREAD_N)

    def grid(self, m: int, n: int, batches: int) -> tuple[int, int, int]:
        """The grid of blocks that cover `batches` results of m x n."""
        return -(-m // self.BLOCK_M), -(-n // self.BLOCK_N), batches


LARGE, HALF, NARROW, MEDIUM = Tile(128, 128, 8, 8), Tile(128, 64, 8, 8), Tile(128, 32, 8, 4), Tile(64, 64, 4, 4)
BLOCK_K = 8

# The fraction of the peak that a tile can reach: about that of multiply-adds among the instructions of its loop (see
# `python -m tests.cuda.instructions`). The more results a thread has, the more often it uses each number it reads.
SPEED = {LARGE: 0.80, HALF: 0.78, NARROW: 0.65, MEDIUM: 0.55}


def choose_tile(m: int, n: int, batches: int, dtype: Any, multiprocessors: int) -> Tile:
    """The tile with which the multiprocessor that has most blocks finishes first.

    Large tiles compute faster, but leave part of the GPU idle if the result does not fill them, or fills fewer of them
    than there are multiprocessors.
    """
    if dtype.itemsize > 4:
        return MEDIUM

    def time(tile: Tile) -> float:
        most_blocks = -(-math.prod(tile.grid(m, n, batches)) // multiprocessors)  # on one multiprocessor
        return most_blocks * tile.BLOCK_M * tile.BLOCK_N / SPEED[tile]

    return min((tile for tile in SPEED if tile is LARGE or -(-n // tile.BLOCK_N) <= MAX_GRID), key=time)


def choose_splits(
    blocks: int, k: int, multiprocessors: int, most: int, least_k: int = 128, block_k: int = BLOCK_K
) -> tuple[int, int]:
    """Into how many splits, of at least `least_k` each, to cut a sum over k so that the whole GPU has work.

    Returns the number of splits, 1 to `most`, and the length of one, a multiple of `block_k` (the depth of a slice).
    """
    wanted = min(2 * multiprocessors // blocks, k // least_k, most)  # 2 blocks per multiprocessor: more would wait
    length = -(-k // max(1, wanted))
    length = max(1, -(-length // block_k)) * block_k
    return max(1, -(-k // length)), length
