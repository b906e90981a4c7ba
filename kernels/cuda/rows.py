"""The host side of rows.cuh: how many warps share a row, and the grid that covers all rows."""

from __future__ import annotations

from .counts import check_count

LANES, WARPS_A_BLOCK = 32, 8
LONG_ROW = 1024  # rows with more columns than this get a whole block

Grid = tuple[int, ...]


def warps_a_row(columns: int) -> int:
    return WARPS_A_BLOCK if columns > LONG_ROW else 1


def grid_of_rows(rows: int, columns: int) -> tuple[Grid, Grid]:
    """Return grid and block for a launch over the rows."""
    check_count("rows", rows)
    check_count("columns", columns)
    warps = warps_a_row(columns)
    rows_a_block = WARPS_A_BLOCK // warps
    return (-(-rows // rows_a_block),), (LANES * warps, rows_a_block)
