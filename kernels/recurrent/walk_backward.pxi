# Backward: the chain rule at every time step, from the last to the first; the weights' gradients for a block of steps.
#
#     da           = (dy[t] + dh) * the gates' derivatives                            row by row
#     dh           = da w_hh                                                          for some sequences
#     dx[t]        = da w_ih                                                          for the rows of a block
#     dw_ih, dw_hh = sums over all steps and sequences of da^T x[t] and da^T h        for the rows of a block


cdef _walk_backward(int kind, bint relu, bint reverse, bint needs_dx, x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh, dc):
    """dx, dw_ih, dw_hh, db_ih and db_hh; `dh` and `dc` become the gradients of h0 and c0."""
    cdef walk w
    cdef view v_dy, v_dx
    cdef list alive = begin(&w, kind, relu, reverse, x, h0, c0, w_ih, w_hh, y, c, gates)
    dy = view_of(np.zeros((1, *y.shape[1:]), y.dtype) if dy is None else _rows_of_numbers(dy), &v_dy)
    w.dy, w.dy_step, w.dy_row = v_dy.data, v_dy.strides[0] if v_dy.shape[0] == w.steps else 0, v_dy.strides[1]
    w.dh, w.dc, w.dx = numbers_of(dh, alive), numbers_of(dc, alive), NULL
    cdef long parts = kind * w.hidden, chunks = ceil_div(w.batch, w.chunk_rows)
    dx = None
    if needs_dx:
        dx = view_of(_empty_in_order_of(x, w.inputs), &v_dx)
        w.dx, w.dx_step, w.dx_row = v_dx.data, v_dx.strides[0], v_dx.strides[1]
    dw_ih, dw_hh = buffers.empty((parts, w.inputs), y.dtype), buffers.empty((parts, w.hidden), y.dtype)
    db_ih, db_hh = np.empty(parts, y.dtype), np.empty(parts, y.dtype) if kind == GRU else None
    w.dw_ih, w.dw_hh = numbers_of(dw_ih, alive), numbers_of(dw_hh, alive)
    w.db_ih, w.db_hh = numbers_of(db_ih, alive), numbers_of(db_hh, alive)
    w.da_row = _row_apart(parts, y.itemsize)
    w.dw_of_chunks = numbers_of(buffers.empty((chunks, parts, w.inputs + w.hidden), y.dtype), alive)
    w.db_of_chunks = <double*>numbers_of(np.empty((chunks, 2, w.da_row)), alive)
    with nogil:
        run_backward(&w)
    if w.out_of_memory:
        raise MemoryError(f"no memory for a block of steps of x {x.shape}")
    return dx, dw_ih, dw_hh, db_ih, db_hh


cdef long _row_apart(long numbers, long itemsize) noexcept nogil:
    """The distance of rows; a line more where they would share few sets of the L1 cache, as columns of da are read."""
    return numbers + 64 // itemsize if numbers * itemsize % 1024 == 0 else numbers


cdef void run_backward(walk* w) noexcept nogil:
    cdef long parts = w.kind * w.hidden
    # dh = dq w_hh, in a gru added to dh * z, which gru_backward left there;  dx = da w_ih
    add_panel(w, w.w_hh, 0, False, parts, w.hidden, narrow_strip(w), 0,
              tiles.TILE_ADD if w.kind == GRU else tiles.TILE_STORE)
    if w.dx != NULL:
        add_panel(w, w.w_ih, 0, False, parts, w.inputs, wide_strip(w), 0, tiles.TILE_STORE)
    run_chunks(w, backward_chunk_of)
    if not w.out_of_memory:
        pool.run(ceil_div(parts, SUM_ROWS), add_up_rows_of, w)


cdef void backward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        backward_chunk(<float*>NULL, w, chunk)
    else:
        backward_chunk(<double*>NULL, w, chunk)


cdef void backward_chunk(const real* tag, walk* w, long chunk) noexcept nogil:
    """Some sequences, all time steps, from the last to the first."""
    cdef long first = chunk * w.chunk_rows, end = min(w.batch, first + w.chunk_rows), count = end - first
    cdef long hidden = w.hidden, parts = w.kind * hidden
    cdef long capacity = max(1, min(w.steps, BLOCK_ROWS // count)), in_block = 0
    cdef long s, t, before, n, h_row
    cdef int slot
    cdef const real* h
    cdef const real* c
    cdef const real* y
    cdef const real* dy
    cdef size_t state_bytes = count * hidden * sizeof(real)
    cdef real* dh = <real*>pool.scratch(4, state_bytes)
    cdef real* dc = <real*>pool.scratch(5, state_bytes) if w.kind == LSTM else dh
    cdef size_t da_bytes = capacity * count * w.da_row * sizeof(real)
    cdef real* da = <real*>pool.scratch(1, da_bytes)
    cdef real* dq = <real*>pool.scratch(2, da_bytes) if w.kind == GRU else da
    cdef real* x_strip = <real*>pool.scratch(3, capacity * count * wide_strip(w) * sizeof(real))
    cdef const real* packed = packed_weights(dh, w)
    cdef long row  # of da and dq
    if packed == NULL or dh == NULL or dc == NULL or da == NULL or dq == NULL or x_strip == NULL:
        w.out_of_memory = True
        return
    memcpy(dh, <real*>w.dh + first * hidden, state_bytes)
    if w.kind == LSTM:
        memcpy(dc, <real*>w.dc + first * hidden, state_bytes)
    memset(<real*>w.dw_of_chunks + chunk * parts * (w.inputs + hidden), 0, parts * (w.inputs + hidden) * sizeof(real))
    memset(w.db_of_chunks + chunk * 2 * w.da_row, 0, 2 * w.da_row * sizeof(double))
    if w.da_row > parts:  # what lies between two rows is added up with them
        memset(da, 0, da_bytes)
        memset(dq, 0, da_bytes)
    for s in range(w.steps - 1, -1, -1):
        t = w.steps - 1 - s if w.reverse else s
        before = t + 1 if w.reverse else t - 1
        h_row = hidden if s == 0 else w.y_row
        h = (<const real*>w.h0 if s == 0 else <const real*>w.y + before * w.y_step) + first * h_row
        c = (<const real*>w.c0 if s == 0 else <const real*>w.c + before * w.batch * hidden) + first * hidden
        y = <const real*>w.y + t * w.y_step + first * w.y_row
        dy = <const real*>w.dy + t * w.dy_step + first * w.dy_row
        row = in_block * count
        if w.kind == RNN and w.y_row == w.dy_row == w.da_row == hidden:  # the rows are contiguous in all four arrays
            w.loops.rnn_backward(w.itemsize, count * hidden, w.relu, y, dy, dh, da + row * hidden)
        else:
            for n in range(count):
                backward_row(w, t * w.batch + first + n, h + n * h_row, c + n * hidden, y + n * w.y_row,
                             dy + n * w.dy_row, dh + n * hidden, dc + n * hidden,
                             da + (row + n) * w.da_row, dq + (row + n) * w.da_row)
        # dh = dq w_hh
        multiply_rows(w, packed, &w.panels[0], 1, count, dq + row * w.da_row, 0, w.da_row, dh, 0, hidden)
        in_block += 1
        if in_block == capacity or s == 0:
            add_block(w, packed, chunk, s, in_block, first, count, da, dq, x_strip)
            in_block = 0
    memcpy(<real*>w.dh + first * hidden, dh, state_bytes)
    if w.kind == LSTM:
        memcpy(<real*>w.dc + first * hidden, dc, state_bytes)
    for slot in range(1, 6):
        pool.scratch_done(slot)


cdef inline void backward_row(const walk* w, long at, const real* h, const real* c, const real* y, const real* dy,
                              real* dh, real* dc, real* da, real* dq) noexcept nogil:
    """da (and dq) of one sequence at one step; `at` is its row among all T*N."""
    cdef long hidden = w.hidden
    if w.kind == RNN:
        w.loops.rnn_backward(w.itemsize, hidden, w.relu, y, dy, dh, da)
    elif w.kind == LSTM:
        w.loops.lstm_backward(w.itemsize, hidden, <real*>w.gates + at * 4 * hidden, c, <real*>w.c + at * hidden, dy, dh,
                              dc, da)
    else:
        w.loops.gru_backward(w.itemsize, hidden, <real*>w.gates + at * 4 * hidden, h, dy, dh, da, dq)


cdef void add_block(const walk* w, const real* packed, long chunk, long s, long steps, long first, long count,
                    const real* da, const real* dq, real* x_strip) noexcept nogil:
    """dx of a block of steps, and its products added to the sums of its chunk; s is the earliest of its steps."""
    cdef long hidden = w.hidden, parts = w.kind * hidden, width = w.inputs + hidden
    cdef long way = -1 if w.reverse else 1  # from t of a step to t of the next
    cdef long t = w.steps - 1 - s if w.reverse else s
    cdef long newest = t + way * (steps - 1)  # t of the block's first rows
    cdef long from_y = steps - 1 if s == 0 else steps  # how many have h from y: at step 0 it is h0
    cdef real* dw = <real*>w.dw_of_chunks + chunk * parts * width
    cdef double* db = w.db_of_chunks + chunk * 2 * w.da_row
    # dx[t] = da w_ih
    if w.dx != NULL:
        multiply_rows(w, packed, &w.panels[1], steps, count, da, count * w.da_row, w.da_row,
                      <real*>w.dx + newest * w.dx_step + first * w.dx_row, -way * w.dx_step, w.dx_row)
    # dw_ih = dw_ih + sum over steps t of da[t]^T x[t]
    add_products(w, steps, count, da, <const real*>w.x + newest * w.x_step + first * w.x_row, -way * w.x_step, w.x_row,
                 w.inputs, x_strip, dw)
    # dw_hh = dw_hh + sum over steps t of dq[t]^T h,  h = y of the step before
    add_products(w, from_y, count, dq, <const real*>w.y + (newest - way) * w.y_step + first * w.y_row, -way * w.y_step,
                 w.y_row, hidden, x_strip, dw + w.inputs)
    if s == 0:
        add_products(w, 1, count, dq + from_y * count * w.da_row, <const real*>w.h0 + first * hidden, 0, hidden, hidden,
                     x_strip, dw + w.inputs)
    # db_ih = db_ih + sum over rows of da, and db_hh of dq
    w.loops.column_sums(w.itemsize, steps * count, w.da_row, da, NULL, db)
    if w.db_hh != NULL:
        w.loops.column_sums(w.itemsize, steps * count, w.da_row, dq, NULL, db + w.da_row)


cdef void add_products(const walk* w, long steps, long count, const real* da, const real* x, long x_step, long x_row,
                       long columns, real* strip, real* dw) noexcept nogil:
    """dw = dw + sum over `steps` of da^T x, with `count` rows at each; x is copied strip by strip."""
    cdef long parts = w.kind * w.hidden, j = 0, o, n, some
    cdef real* row
    while j < columns:
        some = min(wide_strip(w), columns - j)
        row = strip
        for o in range(steps):
            for n in range(count):
                memcpy(row, x + o * x_step + n * x_row + j, some * sizeof(real))
                row += some
        multiply(w.tiles, da, 1, w.da_row, parts, steps * count, strip, some, some, dw + j, w.inputs + w.hidden,
                 tiles.TILE_ADD)
        j += some


cdef void add_up_rows_of(void* argument, long index) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        add_up_rows(<float*>NULL, w, index)
    else:
        add_up_rows(<double*>NULL, w, index)


cdef void add_up_rows(const real* tag, const walk* w, long index) noexcept nogil:
    """Some rows of dw_ih, dw_hh, db_ih and db_hh: the sum over the chunks, in order."""
    cdef long parts = w.kind * w.hidden, inputs = w.inputs, hidden = w.hidden
    cdef long chunks = ceil_div(w.batch, w.chunk_rows), chunk, i
    cdef double db_ih, db_hh
    cdef const real* dw
    for i in range(index * SUM_ROWS, min(parts, (index + 1) * SUM_ROWS)):
        memset(<real*>w.dw_ih + i * inputs, 0, inputs * sizeof(real))
        memset(<real*>w.dw_hh + i * hidden, 0, hidden * sizeof(real))
        db_ih = db_hh = 0
        for chunk in range(chunks):
            dw = <const real*>w.dw_of_chunks + (chunk * parts + i) * (inputs + hidden)
            add(<real*>w.dw_ih + i * inputs, dw, inputs)
            add(<real*>w.dw_hh + i * hidden, dw + inputs, hidden)
            db_ih += w.db_of_chunks[chunk * 2 * w.da_row + i]
            db_hh += w.db_of_chunks[(chunk * 2 + 1) * w.da_row + i]
        (<real*>w.db_ih)[i] = <real>db_ih
        if w.db_hh != NULL:
            (<real*>w.db_hh)[i] = <real>db_hh


cdef inline void add(real* sum, const real* x, long count) noexcept nogil:
    cdef long j
    for j in range(count):
        sum[j] += x[j]
