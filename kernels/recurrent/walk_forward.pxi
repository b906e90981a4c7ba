# Forward: at every time step the matrix products, then the gates.
#
#     a    = x[t] w_ih^T + b + h w_hh^T           for some sequences, strip by strip of packed weights
#     y[t] = what the gates of a and the state h give, row by row -> cpu/vector_loops_gates.pxi


cdef _walk_forward(int kind, bint relu, bint reverse, x, h0, c0, w_ih, w_hh, b, y, c, gates):
    cdef walk w
    cdef view vx, vh, vc, vw, vu, vb, vy, vs, vg
    x = view_of(_rows_of_numbers(x), &vx)
    h0, w_ih, w_hh = np.ascontiguousarray(h0), np.ascontiguousarray(w_ih), np.ascontiguousarray(w_hh)
    c0 = h0 if c0 is None else np.ascontiguousarray(c0)
    h0, c0, w_ih, w_hh = view_of(h0, &vh), view_of(c0, &vc), view_of(w_ih, &vw), view_of(w_hh, &vu)
    y, gates = view_of(y, &vy), view_of(gates, &vg)
    begin(&w, kind, relu, reverse, &vy)
    w.inputs = vx.shape[2]
    w.x, w.x_step, w.x_row = vx.data, vx.strides[0], vx.strides[1]
    w.h0, w.c0, w.w_ih, w.w_hh, w.gates = vh.data, vc.data, vw.data, vu.data, vg.data
    w.c = w.bias = NULL
    if c is not None:
        c = view_of(c, &vs)
        w.c = vs.data
    if b is not None:
        b = view_of(b, &vb)
        w.bias = vb.data
    with nogil:
        if w.itemsize == sizeof(float):
            run_forward(<float*>NULL, &w)
        else:
            run_forward(<double*>NULL, &w)
    if w.out_of_memory:
        raise MemoryError(f"no memory to pack w_ih {w_ih.shape} and w_hh {w_hh.shape}, or for the sums of some steps")


cdef void run_forward(const real* tag, walk* w) noexcept nogil:
    cdef panel panels[3]
    cdef int p, count = panels_of(w, panels)
    cdef long size = 0, strips = 0
    for p in range(count):
        size += packed_size(w, &panels[p])
        strips += strips_of(w, &panels[p])
    w.large_weights = size * sizeof(real) > SMALL_WEIGHTS
    w.packed = pool.scratch(0, size * sizeof(real))
    if w.packed == NULL:
        w.out_of_memory = True
        return
    pack(w, strips, pack_strip_of)
    pool.run(ceil_div(w.batch, w.chunk_rows), forward_chunk_of, w)
    pool.scratch_done(0)


cdef void pack(walk* w, long strips, pool.chunk_body pack_strip_of) noexcept nogil:
    """Pack the weights: small ones on this thread, before another would have woken up."""
    cdef long index
    if w.large_weights:
        pool.run(strips, pack_strip_of, w)
        return
    for index in range(strips):
        pack_strip_of(w, index)


# A range of columns of a that one product computes: x w_ih^T, or h w_hh^T.
ctypedef struct panel:
    bint of_h
    long row  # of w_ih or w_hh, for the first column
    long column, columns
    int mode  # TILE_STORE: starts from the bias; TILE_ADD: adds to the product of x


cdef int panels_of(const walk* w, panel* panels) noexcept nogil:
    """In an rnn and an lstm each column sums both products; in a gru a_n comes from x alone, and q_n from h alone."""
    cdef long hidden = w.hidden
    if w.kind != GRU:
        panels[0] = panel(False, 0, 0, w.kind * hidden, tiles.TILE_STORE)
        panels[1] = panel(True, 0, 0, w.kind * hidden, tiles.TILE_ADD)
        return 2
    panels[0] = panel(False, 0, 0, 3 * hidden, tiles.TILE_STORE)
    panels[1] = panel(True, 0, 0, 2 * hidden, tiles.TILE_ADD)
    panels[2] = panel(True, 2 * hidden, 3 * hidden, hidden, tiles.TILE_STORE)
    return 3


cdef inline long depth_of(const walk* w, const panel* p) noexcept nogil:
    return w.hidden if p.of_h else w.inputs


cdef inline long strip_of(const walk* w, const panel* p) noexcept nogil:
    return narrow_strip(w) if p.of_h else wide_strip(w)


cdef inline long wide_strip(const walk* w) noexcept nogil:
    return w.tiles.vectors * w.tiles.lanes


cdef inline long narrow_strip(const walk* w) noexcept nogil:
    """For the 16 rows that a chunk has at one step, two tiles of 8 x 3 vectors are better than three of 6 x 4."""
    return (3 if w.tiles.vectors > 3 else w.tiles.vectors) * w.tiles.lanes


cdef inline long strips_of(const walk* w, const panel* p) noexcept nogil:
    return ceil_div(p.columns, strip_of(w, p))


cdef inline long packed_size(const walk* w, const panel* p) noexcept nogil:
    return ceil_div(p.columns, w.tiles.lanes) * w.tiles.lanes * depth_of(w, p)


cdef void pack_strip_of(void* argument, long index) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        pack_strip(<float*>NULL, w, index)
    else:
        pack_strip(<double*>NULL, w, index)


cdef void pack_strip(const real* tag, const walk* w, long index) noexcept nogil:
    """packed[strip][l][j] = w[row + j, l] for strip `index` of all panels, with zeros after a panel's last column."""
    cdef panel panels[3]
    cdef int p = 0
    cdef long lanes = w.tiles.lanes, strips, j, l, i, columns, step, depth
    cdef real* packed = <real*>w.packed
    cdef const real* weight
    panels_of(w, panels)
    strips = strips_of(w, &panels[0])
    while index >= strips:
        packed += packed_size(w, &panels[p])
        index -= strips
        p += 1
        strips = strips_of(w, &panels[p])
    depth, j = depth_of(w, &panels[p]), index * strip_of(w, &panels[p])
    columns = min(strip_of(w, &panels[p]), panels[p].columns - j)
    step = ceil_div(columns, lanes) * lanes
    weight = <const real*>(w.w_hh if panels[p].of_h else w.w_ih) + (panels[p].row + j) * depth
    packed += j * depth
    for l in range(depth):
        for i in range(columns, step):
            packed[l * step + i] = 0
    w.tiles.transpose(columns, depth, weight, depth, packed, step)


cdef void forward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        forward_chunk(<float*>NULL, w, chunk)
    else:
        forward_chunk(<double*>NULL, w, chunk)


cdef void forward_chunk(const real* tag, walk* w, long chunk) noexcept nogil:
    """Some sequences, all time steps."""
    cdef long first = chunk * w.chunk_rows, count = min(w.batch, first + w.chunk_rows) - first, hidden = w.hidden
    cdef long across = (4 if w.kind == GRU else w.kind) * hidden
    cdef long block = max(1, BLOCK_ROWS // count) if w.large_weights else 1
    cdef long s, t, n
    cdef size_t state_bytes = count * hidden * sizeof(real)
    cdef real* h = <real*>pool.scratch(1, state_bytes)
    cdef real* c = <real*>pool.scratch(2, state_bytes) if w.kind == LSTM else h
    cdef real* a_block = <real*>pool.scratch(3, block * count * across * sizeof(real))
    cdef real* a
    cdef real* gates
    cdef int slot
    if h == NULL or c == NULL or a_block == NULL:
        w.out_of_memory = True
        return
    memcpy(h, <const real*>w.h0 + first * hidden, state_bytes)
    if w.kind == LSTM:
        memcpy(c, <const real*>w.c0 + first * hidden, state_bytes)
    for s in range(w.steps):
        if s % block == 0:
            multiply_inputs(w, s, min(block, w.steps - s), first, count, across, a_block)
        a = a_block + s % block * count * across
        multiply_states(w, h, count, across, a)
        t = w.steps - 1 - s if w.reverse else s
        gates = <real*>w.gates + (t * w.batch + first) * across
        if w.kind == RNN:
            w.loops.rnn_forward(w.itemsize, count * hidden, w.relu, a, h)
        for n in range(count):
            if w.kind == LSTM:
                w.loops.lstm_forward(w.itemsize, hidden, a + n * across, gates + n * across, c + n * hidden,
                                     h + n * hidden)
            elif w.kind == GRU:
                w.loops.gru_forward(w.itemsize, hidden, a + n * across, gates + n * across, h + n * hidden)
        for n in range(count):
            memcpy(<real*>w.y + t * w.y_step + (first + n) * w.y_row, h + n * hidden, hidden * sizeof(real))
        if w.kind == LSTM:
            memcpy(<real*>w.c + (t * w.batch + first) * hidden, c, state_bytes)
    for slot in range(1, 4):
        pool.scratch_done(slot)


cdef void multiply_inputs(const walk* w, long s, long steps, long first, long count, long across,
                          real* a) noexcept nogil:
    """a = x[t] w_ih^T + b for a block of steps that starts with step number s in the order of the layer."""
    cdef panel panels[3]
    cdef long t = w.steps - 1 - s if w.reverse else s, way = -1 if w.reverse else 1
    panels_of(w, panels)
    multiply_rows(w, &panels[0], <const real*>w.packed, steps, count, <const real*>w.x + t * w.x_step + first * w.x_row,
                  way * w.x_step, w.x_row, a, count * across, across)


cdef void multiply_states(const walk* w, const real* h, long count, long across, real* a) noexcept nogil:
    """a = a + h w_hh^T for one step; in a gru, q_n has columns of its own beside a_n."""
    cdef panel panels[3]
    cdef int p, n_panels = panels_of(w, panels)
    cdef const real* packed = <const real*>w.packed
    for p in range(1, n_panels):
        packed += packed_size(w, &panels[p - 1])
        multiply_rows(w, &panels[p], packed, 1, count, h, 0, w.hidden, a, 0, across)


cdef void multiply_rows(const walk* w, const panel* p, const real* packed, long steps, long count, const real* x,
                        long x_step, long x_row, real* a, long a_step, long a_row) noexcept nogil:
    """Compute the columns of one panel of a, for `count` rows at each of some steps, strip by strip."""
    cdef long lanes = w.tiles.lanes, width = strip_of(w, p), rows = steps * count
    cdef long j = 0, i, o, n, columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* x_rows[TILE_MAX_ROWS]
    cdef void* a_rows[TILE_MAX_ROWS]
    cdef const real* bias
    cdef tiles.tile_sum sum
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner, sum.b_outer = 1, depth_of(w, p), &no_offset, 1, 0
    while j < p.columns:
        columns = min(width, p.columns - j)
        vectors = <int>ceil_div(columns, lanes)
        sum.b_inner = vectors * lanes
        bias = NULL
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
        packed += sum.b_inner * sum.inner
        j += width
