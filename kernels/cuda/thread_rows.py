"""The host side of thread_rows.cuh: blocks of lanes and thread rows, and the grid with a lane for each number."""

from __future__ import annotations

LANES, THREAD_ROWS = 32, 8
LANES_AND_ROWS = (LANES, THREAD_ROWS)  # a block
PARTS_AT_ONCE = 4  # parts that a thread reads at once


def lane_each(numbers: int, parts: int) -> tuple[tuple[int], tuple[int, int]]:
    """Return grid and block of a launch that adds up `parts` parts, with a lane for each of `numbers` numbers.

    >>> from minidl.kernels.cuda.thread_rows import lane_each
    >>> lane_each(100, 264), lane_each(100, 3)
    (((4,), (32, 8)), ((4,), (32, 1)))
    """
    return (-(-numbers // LANES),), (LANES, min(THREAD_ROWS, -(-parts // PARTS_AT_ONCE)))
