# What makes a copy of a or b pay, and the copies: blocks of a row by row, blocks of b strip by strip.

cdef enum:
    FAR = 4096  # numbers that lie a multiple of so many bytes apart share one set of the L1 cache
    L1_BYTES = 32768  # of many processors; some have 48 KB
    PACK_ROWS = 8  # so many rows of b are read side by side: more would share few sets of the cache


cdef inline bint at_lines(const char* first, size_t row) noexcept nogil:
    """Whether rows at this distance begin at cache lines: elsewhere each vector of 64 bytes lies in two."""
    return (<size_t>first | row) % 64 == 0


cdef bint lies_far(const product* p, long strip) noexcept nogil:
    """Whether what a tile reads of a lies so far apart that copying it pays."""
    cdef long row = p.a_row * <long>p.itemsize, step = p.a_column * <long>p.itemsize
    if p.a_column == 1:
        return p.n >= 4 * strip and row >= FAR
    if p.depth * step <= L1_BYTES:
        return False
    if p.tiles.vectors < TILE_MAX_VECTORS:
        return p.n > strip
    # With AVX-512 a step takes long enough to fetch the next numbers from L2, unless they displace each other in L1.
    return p.n >= 4 * strip and step % (FAR // 4) == 0


cdef inline long odd_lines(long n, size_t itemsize) noexcept nogil:
    """n, rounded up to an odd number of cache lines: rows at this distance fall into different sets of the cache."""
    cdef long line = 64 // <long>itemsize
    return (ceil_div(n, line) | 1) * line


cdef void pack_a(const real* a, const product* p, long rows, long depth, real* packed, long row) noexcept nogil:
    """packed[i, l] = a[i, l] for the rows i of a chunk and the steps l of a block."""
    cdef long i, l
    if p.a_row == 1:
        p.tiles.transpose(depth, rows, a, p.a_column, packed, row)
    elif p.a_column == 1:
        for i in range(rows):
            memcpy(packed + i * row, a + i * p.a_row, depth * sizeof(real))
    else:
        for l in range(depth):
            for i in range(rows):
                packed[i * row + l] = a[i * p.a_row + l * p.a_column]


cdef void pack_own_b(void* argument, long index, void* packed) noexcept nogil:
    """What pool.own_copy holds: all of b."""
    cdef product* p = <product*>argument
    if p.itemsize == sizeof(float):
        pack_b(<float*>NULL, p, 0, p.k, 0, p.n, <float*>packed)
    else:
        pack_b(<double*>NULL, p, 0, p.k, 0, p.n, <double*>packed)


cdef void pack_b_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef product* job = <product*>argument
    if job.itemsize == sizeof(float):
        pack_b_chunk(<float*>NULL, job, chunk)
    else:
        pack_b_chunk(<double*>NULL, job, chunk)


cdef void pack_b_chunk(const real* tag, product* p, long chunk) noexcept nogil:
    """Pack some rows of a row-major b, or one strip of a column-major one."""
    cdef long l = p.first + chunk * PACK_ROWS, strip = p.tiles.vectors * p.tiles.lanes, j = chunk * strip
    if p.b_column == 1:
        pack_rows(tag, p, p.first, l, min(p.end, l + PACK_ROWS), 0, p.n, <real*>p.packed_b)
    else:
        pack_rows(tag, p, p.first, p.first, p.end, j, min(p.n, j + strip), <real*>p.packed_b + j * p.depth)


cdef void pack_b(const real* tag, product* p, long first, long end, long first_column, long end_column,
                 real* packed) noexcept nogil:
    """Pack a block of b: the rows from first to end, some columns."""
    cdef bint side_by_side = p.b_column == 1 and end_column - first_column > p.tiles.vectors * p.tiles.lanes
    cdef long rows = PACK_ROWS if side_by_side else end - first, l = first
    while l < end:
        pack_rows(tag, p, first, l, min(end, l + rows), first_column, end_column, packed)
        l += rows


cdef void pack_rows(const real* tag, product* p, long first, long l, long end, long first_column, long end_column,
                    real* packed) noexcept nogil:
    """Pack the rows from l to end of a block that begins with the row first, strip by strip."""
    cdef long lanes = p.tiles.lanes, strip = p.tiles.vectors * lanes, j = first_column, columns, step
    while j < end_column:
        columns = min(strip, end_column - j)
        step = ceil_div(columns, lanes) * lanes  # the last strip may be narrower
        pack_strip(<const real*>p.b + l * p.b_row + j * p.b_column, p, end - l, columns,
                   packed + (j - first_column) * p.depth + (l - first) * step, step)
        j += strip


cdef void pack_strip(const real* b, const product* p, long depth, long columns, real* packed, long step) noexcept nogil:
    """packed[l][j] = b[l, j], with zeros after the last column."""
    cdef long j, l
    for l in range(depth):
        for j in range(columns, step):
            packed[l * step + j] = 0
    if p.b_column == 1 and columns * sizeof(real) == 64:  # a strip of AVX2: without calls
        for l in range(depth):
            memcpy(packed + l * step, b + l * p.b_row, 64)
    elif p.b_column == 1:
        for l in range(depth):
            memcpy(packed + l * step, b + l * p.b_row, columns * sizeof(real))
    elif p.b_row == 1:
        p.tiles.transpose(columns, depth, b, p.b_column, packed, step)
    else:
        for l in range(depth):
            for j in range(columns):
                packed[l * step + j] = b[l * p.b_row + j * p.b_column]
