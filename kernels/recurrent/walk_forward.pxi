# Forward: at every time step the matrix products, then the gates.
#
#     a    = x[t] w_ih^T + b + h w_hh^T           for some sequences, strip by strip of packed weights
#     y[t] = what the gates of a and the state h give, row by row -> cpu/vector_loops_gates.pxi


cdef _walk_forward(int kind, bint relu, bint reverse, x, h0, c0, w_ih, w_hh, b, y, c, gates):
    cdef walk w
    cdef list alive = begin(&w, kind, relu, reverse, x, h0, c0, w_ih, w_hh, y, c, gates)
    w.bias = numbers_of(b, alive)
    with nogil:
        run_forward(&w)
    if w.out_of_memory:
        raise MemoryError(f"no memory to pack w_ih {w_ih.shape} and w_hh {w_hh.shape}, or for the sums of some steps")


cdef void run_forward(walk* w) noexcept nogil:
    """In an rnn and an lstm a column of a sums both products; in a gru a_n comes from x alone, and q_n from h alone."""
    cdef long hidden = w.hidden, parts = w.kind * hidden
    add_panel(w, w.w_ih, 0, True, w.inputs, parts, wide_strip(w), 0, tiles.TILE_STORE)
    if w.kind == GRU:
        add_panel(w, w.w_hh, 0, True, hidden, 2 * hidden, narrow_strip(w), 0, tiles.TILE_ADD)
        add_panel(w, w.w_hh, 2 * hidden, True, hidden, hidden, narrow_strip(w), 3 * hidden, tiles.TILE_STORE)
    else:
        add_panel(w, w.w_hh, 0, True, hidden, parts, narrow_strip(w), 0, tiles.TILE_ADD)
    run_chunks(w, forward_chunk_of)


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
    cdef const real* packed = packed_weights(h, w)
    cdef real* a
    cdef real* gates
    cdef int slot, p
    if packed == NULL or h == NULL or c == NULL or a_block == NULL:
        w.out_of_memory = True
        return
    memcpy(h, <const real*>w.h0 + first * hidden, state_bytes)
    if w.kind == LSTM:
        memcpy(c, <const real*>w.c0 + first * hidden, state_bytes)
    for s in range(w.steps):
        t = w.steps - 1 - s if w.reverse else s
        if s % block == 0:  # a = x[t] w_ih^T + b, for a block of steps
            multiply_rows(w, packed, &w.panels[0], min(block, w.steps - s), count,
                          <const real*>w.x + t * w.x_step + first * w.x_row, -w.x_step if w.reverse else w.x_step,
                          w.x_row, a_block, count * across, across)
        # a = a + h w_hh^T;  in a gru, q_n has columns of its own beside a_n
        a = a_block + s % block * count * across
        for p in range(1, w.panel_count):
            multiply_rows(w, packed, &w.panels[p], 1, count, h, 0, hidden, a, 0, across)
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
