# y = a @ b with few rows of a, where a and b are both contiguous along l, as in x @ w.T: vectors run along l
# (cpu/dots.h). Loop order, from the outside:
#
#     chunk                  some columns of y: the unit of work of a thread
#       block                as many columns of b as stay in the L2 cache, where they are read often
#         4 rows of a
#           2 to 8 columns   in registers

cdef enum:
    DOT_ROWS = 8  # up to so many rows, packing b costs more than the product
    LONG_DOT_ROWS = 64  # the same with AVX-512 for sums of LONG_SUM steps or more, for which adding up lanes is little
    LONG_SUM = 512


cdef bint has_few_rows(const product* p) noexcept nogil:
    cdef bint long_sums = p.tiles.vectors == TILE_MAX_VECTORS and p.k >= LONG_SUM
    return p.m <= (LONG_DOT_ROWS if long_sums else DOT_ROWS) and p.a_column == 1 and p.b_row == 1 and p.b_column > 1


cdef void multiply_few_rows(product* p) noexcept nogil:
    p.chunk_columns = p.n if p.m * p.n * p.k <= SERIAL_WORK else equal_part(p.n, 4 * pool.num_threads(), 8)
    pool.run(ceil_div(p.n, p.chunk_columns), multiply_rows, p)


cdef void multiply_rows(void* argument, long chunk) noexcept nogil:
    """Some columns of y = a @ b."""
    cdef product* p = <product*>argument
    cdef long j = chunk * p.chunk_columns, end = min(p.n, j + p.chunk_columns), size = p.itemsize, i, columns
    cdef long block = p.n  # columns of b that are read for all rows of a, before the next
    cdef long b_row = p.b_column
    cdef const char* b
    cdef char* copy = NULL
    if p.m > DOT_ROWS:  # so many passes that b should stay in the L2 cache, and begin at cache lines
        block = max(8, L2 // 2 // (p.k * size) // 8 * 8)
        if not at_lines(p.b, b_row * size):
            b_row = odd_lines(p.k, size)
            copy = <char*>pool.scratch(2, min(block, end - j) * b_row * size)
            if copy == NULL:
                p.out_of_memory = True
                return
    while j < end:
        columns, b = min(block, end - j), p.b + j * p.b_column * size
        if copy != NULL:
            for i in range(columns):
                memcpy(copy + i * b_row * size, b + i * p.b_column * size, p.k * size)
            b = copy
        for i in range(0, p.m, 4):
            p.tiles.dots(min(4, p.m - i), columns, p.k, p.a + i * p.a_row * size, p.a_row, b, b_row,
                         p.y + (i * p.y_row + j) * size, p.y_row, p.bias + j * size if p.bias != NULL else NULL,
                         tiles.TILE_RELU if p.relu else tiles.TILE_STORE)
        j += block
