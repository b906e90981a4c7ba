# The products of a step or a block of steps: rows of x, h, da or dq, strip by strip of packed weights.


cdef inline long wide_strip(const walk* w) noexcept nogil:
    return w.tiles.vectors * w.tiles.lanes


cdef inline long narrow_strip(const walk* w) noexcept nogil:
    """For the 16 rows that a chunk has at one step, two tiles of 8 x 3 vectors are better than three of 6 x 4."""
    return (3 if w.tiles.vectors > 3 else w.tiles.vectors) * w.tiles.lanes


cdef inline long packed_width(const walk* w, long columns) noexcept nogil:
    return ceil_div(columns, w.tiles.lanes) * w.tiles.lanes


cdef void add_panel(walk* w, const void* weight, long row, bint transposed, long depth, long columns, long width,
                    long column, int mode) noexcept nogil:
    """Let the next product be with weight from `row` on, or with its transpose."""
    cdef panel* p = &w.panels[w.panel_count]
    p.weight, p.transposed = <const char*>weight + row * depth * <long>w.itemsize, transposed
    p.depth, p.columns, p.width, p.column, p.mode = depth, columns, width, column, mode
    p.first = packed_end(w)
    w.panel_count += 1


cdef long packed_end(const walk* w) noexcept nogil:
    """How many numbers the panels so far have, packed."""
    if w.panel_count == 0:
        return 0
    cdef const panel* last = &w.panels[w.panel_count - 1]
    return last.first + packed_width(w, last.columns) * last.depth


cdef void run_chunks(walk* w, pool.chunk_body body) noexcept nogil:
    """Run `body` for every chunk. Threads pack large weights together, small ones each for itself."""
    w.large_weights = packed_end(w) * w.itemsize > SMALL_WEIGHTS
    w.packed = NULL
    if w.large_weights:
        w.packed = pool.scratch(0, packed_end(w) * w.itemsize)
        if w.packed == NULL:
            w.out_of_memory = True
            return
        pool.run(strips_of(w), pack_strip_of, w)
    pool.run(ceil_div(w.batch, w.chunk_rows), body, w)
    if w.packed != NULL:
        pool.scratch_done(0)


cdef long strips_of(const walk* w) noexcept nogil:
    cdef long strips = 0, p
    for p in range(w.panel_count):
        strips += ceil_div(w.panels[p].columns, w.panels[p].width)
    return strips


cdef void pack_strip_of(void* argument, long index) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        pack_strip(w, index, <float*>w.packed)
    else:
        pack_strip(w, index, <double*>w.packed)


cdef void pack_all(void* argument, long part, void* packed) noexcept nogil:
    """What pool.own_copy holds."""
    cdef walk* w = <walk*>argument
    cdef long index
    for index in range(strips_of(w)):
        if w.itemsize == sizeof(float):
            pack_strip(w, index, <float*>packed)
        else:
            pack_strip(w, index, <double*>packed)


cdef real* packed_weights(const real* tag, walk* w) noexcept nogil:
    """All strips, for this thread; NULL if out of memory."""
    if w.packed != NULL:
        return <real*>w.packed
    return <real*>pool.own_copy(w.job, 0, packed_end(w) * sizeof(real), pack_all, w)


cdef void pack_strip(const walk* w, long index, real* packed) noexcept nogil:
    """packed[l][j] = weight[l, j], or weight[j, l], for strip `index` of all panels."""
    cdef const panel* p = &w.panels[0]
    cdef long j, l, i, columns, step
    while index >= ceil_div(p.columns, p.width):
        index -= ceil_div(p.columns, p.width)
        p += 1
    j = index * p.width
    columns = min(p.width, p.columns - j)
    step = packed_width(w, columns)
    cdef const real* weight = <const real*>p.weight
    packed += p.first + j * p.depth
    for l in range(p.depth):
        for i in range(columns, step):
            packed[l * step + i] = 0
    if p.transposed:
        w.tiles.transpose(columns, p.depth, weight + j * p.depth, p.depth, packed, step)
        return
    for l in range(p.depth):
        memcpy(packed + l * step, weight + l * p.columns + j, columns * sizeof(real))


cdef void multiply_rows(const walk* w, const real* packed, const panel* p, long steps, long count, const real* x,
                        long x_step, long x_row, real* a, long a_step, long a_row) noexcept nogil:
    """The columns of a that one panel computes, for `count` rows at each of some steps: a = x weight, or added to a."""
    cdef long rows = steps * count, j = 0, i, o, n, columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* x_rows[TILE_MAX_ROWS]
    cdef void* a_rows[TILE_MAX_ROWS]
    cdef const real* bias = NULL
    cdef tiles.tile_sum sum
    packed += p.first
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner, sum.b_outer = 1, p.depth, &no_offset, 1, 0
    while j < p.columns:
        columns = min(p.width, p.columns - j)
        sum.b_inner = packed_width(w, columns)
        vectors = <int>(sum.b_inner // w.tiles.lanes)
        if w.bias != NULL and p.mode == tiles.TILE_STORE:
            bias = <const real*>w.bias + p.column + j
        i = o = n = 0  # row i is sequence n at step o
        while i < rows:
            some = <int>min(<long>w.tiles.rows[vectors], rows - i)
            for m in range(some):
                x_rows[m] = x + o * x_step + n * x_row
                a_rows[m] = a + o * a_step + n * a_row + p.column + j
                n += 1
                if n == count:
                    o, n = o + 1, 0
            w.tiles.tile[vectors](&sum, some, x_rows, packed, a_rows, columns, bias, p.mode)
            i += some
        packed += sum.b_inner * p.depth
        j += columns
