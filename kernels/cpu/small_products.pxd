# cython: cdivision=True
# A matrix product inside a larger kernel: operands that are in the cache already, on one thread.
#
#     y[i, j] = sum_l x[i, l] * w[l, j], or added to y
#
# Loop order: a strip of as many columns as the widest tile has, then tiles of rows (cpu/tile.h), so that a strip of w
# stays in the L1 cache for all rows of x.

from . cimport tiles
from .tiles cimport TILE_MAX_ROWS
from .views cimport real


# x[i, l] is x[i * x_row + l * x_column]; the rows of w and y are contiguous. `mode`: TILE_STORE or TILE_ADD.
cdef inline void multiply(const tiles.tile_table* table, const real* x, long x_row, long x_column, long rows,
                          long depth, const real* w, long w_row, long columns, real* y, long y_row,
                          int mode) noexcept nogil:
    cdef long lanes = table.lanes, wide = table.vectors * lanes, j = 0, i, some_columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* x_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = 1, depth, &no_offset, x_column
    sum.b_outer, sum.b_inner = 0, w_row
    while j < columns:
        some_columns = min(wide, columns - j)
        vectors = <int>((some_columns + lanes - 1) // lanes)
        # The last vector of a row of w must not be read beyond the row's end.
        tile = table.tile[vectors] if some_columns % lanes == 0 else table.tile_exact[vectors]
        i = 0
        while i < rows:
            some = <int>min(<long>table.rows[vectors], rows - i)
            for m in range(some):
                x_rows[m] = x + (i + m) * x_row
                y_rows[m] = y + (i + m) * y_row + j
            tile(&sum, some, x_rows, w + j, y_rows, some_columns, NULL, mode)
            i += some
        j += wide
