"""The host side of thread_rows.cuh: blocks of lanes and thread rows, and the grid with a lane for each number."""

from __future__ import annotations

LANES, THREAD_ROWS = 32, 8
LANES_AND_ROWS = (LANES, THREAD_ROWS)  # a block
PARTS_AT_ONCE = 4  # parts that a thread reads at once
READS_AT_ONCE = 8  # numbers that a thread reads before it waits: loops over a part are unrolled so often
LONG_PART = 2**15  # numbers


def lane_each(numbers: int, parts: int) -> tuple[tuple[int], tuple[int, int]]:
    """Return grid and block of a launch that adds up `parts` parts, with a lane for each of `numbers` numbers.

    >>> from minidl.kernels.cuda.thread_rows import lane_each
    >>> lane_each(100, 264), lane_each(100, 3)
    (((4,), (32, 8)), ((4,), (32, 1)))
    """
    return (-(-numbers // LANES),), (LANES, min(THREAD_ROWS, -(-parts // PARTS_AT_ONCE)))


def whole_turns(length: int, threads: int) -> int:
    """Return the length of a part, or a little more, of which each of `threads` threads reads whole turns.

    A thread that is left with less than a turn waits for memory at each number. Long parts stay as they are: there a
    turn matters little, and the end of the last part may be more than 32 bits can count.

    >>> from minidl.kernels.cuda.thread_rows import whole_turns
    >>> whole_turns(761, 8), whole_turns(64, 8), whole_turns(100_001, 8)
    (768, 64, 100001)
    """
    turn = READS_AT_ONCE * threads
    return length if length > LONG_PART else -(-length // turn) * turn
