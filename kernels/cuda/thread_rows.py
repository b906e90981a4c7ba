"""The host's side of thread_rows.cuh: a block of 32 x 8 threads, and the grid in which a lane takes a number."""

from __future__ import annotations

LANES, THREAD_ROWS = 32, 8
LANES_AND_ROWS = (LANES, THREAD_ROWS)  # a block


def lane_each(numbers: int) -> tuple[tuple[int], tuple[int, int]]:
    """Return grid and block of a launch that has a lane for each of the numbers."""
    return (-(-numbers // LANES),), LANES_AND_ROWS
