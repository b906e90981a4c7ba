"""The host's side of thread_rows.cuh: blocks of lanes and thread rows, and the grid where each lane has a number."""

from __future__ import annotations

LANES, THREAD_ROWS = 32, 8
LANES_AND_ROWS = (LANES, THREAD_ROWS)  # a block
PARTS_AT_ONCE = 4  # that one thread reads without waiting for each


def lane_each(numbers: int, parts: int) -> tuple[tuple[int], tuple[int, int]]:
    """Return grid and block of a launch that adds up parts, with a lane for each of the numbers.

    >>> lane_each(100, 264), lane_each(100, 3)
    (((4,), (32, 8)), ((4,), (32, 1)))
    """
    return (-(-numbers // LANES),), (LANES, min(THREAD_ROWS, -(-parts // PARTS_AT_ONCE)))
