# The walk from the first step to the last: a matrix product, then the gates, at every step.
#
#     a    = x[t] w_ih^T + b + h w_hh^T           of some sequences, strip by strip of packed weights
#     y[t] = the gates of a                       row by row -> cpu/vector_loops_gates.pxi


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
    w.h0, w.c0, w.w_ih, w.w_hh, w.y, w.gates = vh.data, vc.data, vw.data, vu.data, vy.data, vg.data
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
        raise MemoryError(f"no memory to pack w_ih {w_ih.shape} and w_hh {w_hh.shape}")


cdef void run_forward(const real* tag, walk* w) noexcept nogil:
    cdef panel panels[3]
    cdef int p, count = panels_of(w, panels)
    cdef long width = w.tiles.vectors * w.tiles.lanes, size = 0
    for p in range(count):
        size += rounded_up(panels[p].columns, width) * width * depth_of(w, &panels[p])
    w.packed = pool.scratch(0, size * sizeof(real) + 64)
    if w.packed == NULL:
        w.out_of_memory = True
        return
    pack_weights(tag, w)
    pool.run(rounded_up(w.batch, w.chunk_rows), forward_chunk_of, w)
    pool.scratch_done(0)


# Columns of a that are one product: of x and w_ih, or of h and w_hh.
ctypedef struct panel:
    bint of_h
    long row  # of the weight that gives the first column
    long column, columns
    int mode  # TILE_STORE: it starts with the bias; TILE_ADD: it adds to what the product of x has left


cdef int panels_of(const walk* w, panel* panels) noexcept nogil:
    """Columns of an rnn and an lstm are sums of both products; of a gru, a_n comes from x alone, q_n from h alone."""
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


cdef void pack_weights(const real* tag, walk* w) noexcept nogil:
    """packed[strip][l][j] = w[row + j, l], with zeros behind the last column of a panel."""
    cdef panel panels[3]
    cdef int p, count = panels_of(w, panels)
    cdef long lanes = w.tiles.lanes, width = w.tiles.vectors * lanes, j, l, i, columns, step, depth
    cdef real* packed = <real*>w.packed
    cdef const real* weight
    for p in range(count):
        depth = depth_of(w, &panels[p])
        weight = <const real*>(w.w_hh if panels[p].of_h else w.w_ih) + panels[p].row * depth
        j = 0
        while j < panels[p].columns:
            columns = min(width, panels[p].columns - j)
            step = rounded_up(columns, lanes) * lanes
            for l in range(depth):
                for i in range(columns, step):
                    packed[l * step + i] = 0
            w.tiles.transpose(columns, depth, weight + j * depth, depth, packed, step)
            packed += step * depth
            j += width


cdef void forward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        forward_chunk(<float*>NULL, w, chunk)
    else:
        forward_chunk(<double*>NULL, w, chunk)


cdef void forward_chunk(const real* tag, walk* w, long chunk) noexcept nogil:
    """Some sequences, through all of time."""
    cdef long first = chunk * w.chunk_rows, end = min(w.batch, first + w.chunk_rows), hidden = w.hidden
    cdef long across = (4 if w.kind == GRU else w.kind) * hidden
    cdef long s, t, n
    cdef const real* x
    cdef const real* h = <const real*>w.h0
    cdef const real* c = <const real*>w.c0
    cdef real* c_new
    cdef real* y
    cdef real* gates
    for s in range(w.steps):
        t = w.steps - 1 - s if w.reverse else s
        x = <const real*>w.x + t * w.x_step
        y = <real*>w.y + t * w.batch * hidden
        gates = <real*>w.gates + t * w.batch * across
        multiply_rows(w, x + first * w.x_row, h + first * hidden, gates + first * across, end - first, across)
        if w.kind == RNN:
            w.loops.rnn_forward(w.itemsize, (end - first) * hidden, w.relu, y + first * hidden)
        for n in range(first, end):
            if w.kind == LSTM:
                c_new = <real*>w.c + (t * w.batch + n) * hidden
                w.loops.lstm_forward(w.itemsize, hidden, gates + n * across, c + n * hidden, c_new, y + n * hidden)
            elif w.kind == GRU:
                w.loops.gru_forward(w.itemsize, hidden, gates + n * across, h + n * hidden, y + n * hidden)
        h = y
        c = <real*>w.c + t * w.batch * hidden


cdef void multiply_rows(const walk* w, const real* x, const real* h, real* a, long count, long across) noexcept nogil:
    """a = x[t] w_ih^T + b + h w_hh^T for `count` rows, strip by strip."""
    cdef panel panels[3]
    cdef int p, vectors, some, m, n_panels = panels_of(w, panels)
    cdef long lanes = w.tiles.lanes, width = w.tiles.vectors * lanes, row_step, j, i, columns, no_offset = 0
    cdef const real* packed = <const real*>w.packed
    cdef const real* rows
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef const real* bias
    cdef tiles.tile_sum sum
    sum.outer, sum.a_offsets, sum.a_inner, sum.b_outer = 1, &no_offset, 1, 0
    for p in range(n_panels):
        rows = h if panels[p].of_h else x
        row_step = w.hidden if panels[p].of_h else w.x_row
        sum.inner = depth_of(w, &panels[p])
        j = 0
        while j < panels[p].columns:
            columns = min(width, panels[p].columns - j)
            vectors = <int>rounded_up(columns, lanes)
            sum.b_inner = vectors * lanes
            bias = NULL
            if w.bias != NULL and panels[p].mode == tiles.TILE_STORE:
                bias = <const real*>w.bias + panels[p].column + j
            i = 0
            while i < count:
                some = <int>min(<long>w.tiles.rows[vectors], count - i)
                for m in range(some):
                    a_rows[m] = rows + (i + m) * row_step
                    y_rows[m] = a + (i + m) * across + panels[p].column + j
                w.tiles.tile[vectors](&sum, some, a_rows, packed, y_rows, columns, bias, panels[p].mode)
                i += some
            packed += sum.b_inner * sum.inner
            j += width
