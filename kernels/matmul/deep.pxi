# A small y with a long sum, such as x @ w.T for flattened images: y (m, n), b^T (n, k) row-major, k in the thousands.
#
#     y[i, j] = sum_l a[i, l] * b[l, j]        l cut into slots, a partial y^T for each
#
# Reading a and b is what such a product costs; the usual way would first pack b, the larger one, into memory. Here a
# thread packs a block of a, transposed, which stays in its cache, and the tile reads b^T in place. Loop order:
#
#     slot            a fixed part of l: the unit of work of a thread
#       block         BLOCK_DEPTH steps of l: a^T, (depth, m), packed
#         strip, tile 6 to 12 rows of b^T x as many columns of a^T as the tile has
#
# At the end the slots are added in order; their number does not depend on the number of threads.

cdef enum:
    DEEP_SLOTS = 16
    DEEP_ROWS = 64  # of a, at most
    DEEP_BLOCKS = 2  # of a slot, at least


cdef bint is_deep(const product* p) noexcept nogil:
    return (p.m <= DEEP_ROWS and p.b_row == 1 and p.a_column == 1 and p.k >= DEEP_SLOTS * DEEP_BLOCKS * BLOCK_DEPTH
            and p.n <= p.k // 16)


cdef void multiply_deep(const real* tag, product* p) noexcept nogil:
    cdef long offsets[DEEP_SLOTS]
    cdef double weights[DEEP_SLOTS]
    cdef long slot, i, j
    cdef real value
    cdef real* y = <real*>p.y
    cdef const real* bias = <const real*>p.bias
    cdef real* partial = <real*>pool.scratch(0, DEEP_SLOTS * p.m * p.n * sizeof(real))
    if partial == NULL:
        p.out_of_memory = True
        return
    p.packed_b = partial
    pool.run(DEEP_SLOTS, multiply_slot_of, p)
    for slot in range(DEEP_SLOTS):
        offsets[slot], weights[slot] = slot * p.m * p.n, 1
    p.tiles.weighted_sums(1, partial, 0, offsets, weights, DEEP_SLOTS, 1, p.m * p.n, partial, 0)
    p.tiles.transpose(p.n, p.m, partial, p.m, p.y, p.y_row)
    if bias != NULL or p.relu:
        for i in range(p.m):
            for j in range(p.n):
                value = y[i * p.y_row + j]
                if bias != NULL:
                    value += bias[j]
                y[i * p.y_row + j] = 0 if p.relu and value < 0 else value
    pool.scratch_done(0)


cdef void multiply_slot_of(void* argument, long slot) noexcept nogil:
    cdef product* job = <product*>argument
    if job.itemsize == sizeof(float):
        multiply_slot(<float*>NULL, job, slot)
    else:
        multiply_slot(<double*>NULL, job, slot)


cdef void multiply_slot(const real* tag, product* p, long slot) noexcept nogil:
    """partial[slot][j, i] = sum of a[i, l] * b[l, j] over the slot's steps of l."""
    cdef long lanes = p.tiles.lanes, width = p.tiles.vectors * lanes, step = ceil_div(p.m, lanes) * lanes
    cdef long l = p.k * slot // DEEP_SLOTS, end = p.k * (slot + 1) // DEEP_SLOTS, first = l
    cdef long i, j, columns, no_offset = 0
    cdef int m, rows, vectors
    cdef real* partial = <real*>p.packed_b + slot * p.m * p.n
    cdef real* packed = <real*>pool.scratch(1, BLOCK_DEPTH * step * sizeof(real))
    cdef const void* b_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    if packed == NULL:
        p.out_of_memory = True
        return
    memset(packed, 0, BLOCK_DEPTH * step * sizeof(real))  # the columns after the last row of a stay zero
    sum.outer, sum.a_offsets, sum.a_inner, sum.b_outer, sum.b_inner = 1, &no_offset, 1, 0, step
    while l < end:
        sum.inner = min(<long>BLOCK_DEPTH, end - l)
        p.tiles.transpose(p.m, sum.inner, <const real*>p.a + l, p.a_row, packed, step)
        i = 0
        while i < p.m:
            columns = min(width, p.m - i)
            vectors = <int>ceil_div(columns, lanes)
            j = 0
            while j < p.n:
                rows = <int>min(<long>p.tiles.rows[vectors], p.n - j)
                for m in range(rows):
                    b_rows[m] = <const real*>p.b + (j + m) * p.b_column + l
                    y_rows[m] = partial + (j + m) * p.m + i
                p.tiles.tile[vectors](&sum, rows, b_rows, packed + i, y_rows, columns, NULL,
                                      tiles.TILE_ADD if l > first else tiles.TILE_STORE)
                j += rows
            i += columns
        l += sum.inner
