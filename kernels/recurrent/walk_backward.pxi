# Backward: the chain rule at every time step, from the last to the first; the weights' gradients for a block of steps.
#
#     da           = (dy[t] + dh) * the gates' derivatives                            row by row
#     dh           = da w_hh                                                          for some sequences
#     dx[t]        = da w_ih                                                          for the rows of a block
#     dw_ih, dw_hh = sums over all steps and sequences of da^T x[t] and da^T h        for the rows of a block


cdef _walk_backward(int kind, bint relu, bint reverse, bint needs_dx, x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh, dc):
    """dx, dw_ih, dw_hh, db_ih and db_hh; `dh` and `dc` become the gradients of h0 and c0."""
    cdef walk w
    cdef view vx, vh, vc, vw, vu, vy, vs, vg, vd, v_dh, v_dc
    cdef view[7] v_out
    h0, w_ih, w_hh = np.ascontiguousarray(h0), np.ascontiguousarray(w_ih), np.ascontiguousarray(w_hh)
    c0 = h0 if c0 is None else np.ascontiguousarray(c0)
    if dy is None:
        dy = np.zeros((1, *y.shape[1:]), y.dtype)
    elif dy.strides[2] != dy.itemsize:
        dy = np.ascontiguousarray(dy)
    x, h0, c0 = view_of(_rows_of_numbers(x), &vx), view_of(h0, &vh), view_of(c0, &vc)
    w_ih, w_hh = view_of(w_ih, &vw), view_of(w_hh, &vu)
    y, gates, dy, dh = view_of(y, &vy), view_of(gates, &vg), view_of(dy, &vd), view_of(dh, &v_dh)
    begin(&w, kind, relu, reverse, &vy)
    w.inputs = vx.shape[2]
    w.x, w.x_step, w.x_row = vx.data, vx.strides[0], vx.strides[1]
    w.h0, w.c0, w.w_ih, w.w_hh, w.gates = vh.data, vc.data, vw.data, vu.data, vg.data
    w.dy, w.dy_step, w.dy_row = vd.data, vd.strides[0] if vd.shape[0] == w.steps else 0, vd.strides[1]
    w.dh = v_dh.data
    w.c = w.dc = w.dx = w.db_hh = NULL
    if c is not None:
        c, dc = view_of(c, &vs), view_of(dc, &v_dc)
        w.c, w.dc = vs.data, v_dc.data
    cdef long parts = kind * w.hidden, chunks = ceil_div(w.batch, w.chunk_rows)
    dtype = y.dtype
    dx = dw_ih = dw_hh = db_ih = db_hh = None
    if needs_dx:
        dx = _empty_in_order_of(x, w.inputs)
        view_of(dx, &v_out[0])
        w.dx, w.dx_step, w.dx_row = v_out[0].data, v_out[0].strides[0], v_out[0].strides[1]
    dw = buffers.empty((chunks, parts, w.inputs + w.hidden), dtype)
    db = np.empty((chunks, 2, parts))
    dw_ih, dw_hh = buffers.empty((parts, w.inputs), dtype), buffers.empty((parts, w.hidden), dtype)
    db_ih = np.empty(parts, dtype)
    view_of(dw, &v_out[1]), view_of(dw_ih, &v_out[2]), view_of(dw_hh, &v_out[3]), view_of(db_ih, &v_out[4])
    w.dw_of_chunks, w.dw_ih, w.dw_hh, w.db_ih = v_out[1].data, v_out[2].data, v_out[3].data, v_out[4].data
    view_of(db, &v_out[6])
    w.db_of_chunks = <double*>v_out[6].data
    if kind == GRU:
        db_hh = np.empty(parts, dtype)
        view_of(db_hh, &v_out[5])
        w.db_hh = v_out[5].data
    with nogil:
        if w.itemsize == sizeof(float):
            run_backward(<float*>NULL, &w)
        else:
            run_backward(<double*>NULL, &w)
    if w.out_of_memory:
        raise MemoryError(f"no memory for a block of steps of x {x.shape}")
    return dx, dw_ih, dw_hh, db_ih, db_hh


cdef void run_backward(const real* tag, walk* w) noexcept nogil:
    cdef long parts = w.kind * w.hidden, strips = ceil_div(w.hidden, narrow_strip(w))
    cdef long size = (packed_width(w, w.hidden) + packed_width(w, w.inputs)) * parts
    w.packed = pool.scratch(0, size * sizeof(real))
    if w.packed == NULL:
        w.out_of_memory = True
        return
    w.large_weights = size * sizeof(real) > SMALL_WEIGHTS
    if w.dx != NULL:
        strips += ceil_div(w.inputs, wide_strip(w))
    pack(w, strips, pack_strip_back_of)
    pool.run(ceil_div(w.batch, w.chunk_rows), backward_chunk_of, w)
    pool.scratch_done(0)
    if not w.out_of_memory:
        pool.run(ceil_div(parts, SUM_ROWS), add_up_rows_of, w)


cdef inline long packed_width(const walk* w, long columns) noexcept nogil:
    return ceil_div(columns, w.tiles.lanes) * w.tiles.lanes


cdef void pack_strip_back_of(void* argument, long index) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        pack_strip_back(<float*>NULL, w, index)
    else:
        pack_strip_back(<double*>NULL, w, index)


cdef void pack_strip_back(const real* tag, const walk* w, long index) noexcept nogil:
    """packed[strip][l][j] = weight[l, j], with zeros after the last column; first the strips of w_hh, then of w_ih."""
    cdef long parts = w.kind * w.hidden, columns = w.hidden, width = narrow_strip(w), l, i, some, step
    cdef const real* weight = <const real*>w.w_hh
    cdef real* packed = <real*>w.packed
    if index >= ceil_div(columns, width):
        index -= ceil_div(columns, width)
        packed += packed_width(w, columns) * parts
        weight, columns, width = <const real*>w.w_ih, w.inputs, wide_strip(w)
    some = min(width, columns - index * width)
    step = packed_width(w, some)
    weight += index * width
    packed += index * width * parts
    for l in range(parts):
        memcpy(packed, weight + l * columns, some * sizeof(real))
        for i in range(some, step):
            packed[i] = 0
        packed += step


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
    cdef real* da = <real*>pool.scratch(1, capacity * count * parts * sizeof(real))
    cdef real* dq = <real*>pool.scratch(2, capacity * count * parts * sizeof(real)) if w.kind == GRU else da
    cdef real* x_strip = <real*>pool.scratch(3, capacity * count * wide_strip(w) * sizeof(real))
    cdef long row  # of da and dq
    if dh == NULL or dc == NULL or da == NULL or dq == NULL or x_strip == NULL:
        w.out_of_memory = True
        return
    memcpy(dh, <real*>w.dh + first * hidden, state_bytes)
    if w.kind == LSTM:
        memcpy(dc, <real*>w.dc + first * hidden, state_bytes)
    memset(<real*>w.dw_of_chunks + chunk * parts * (w.inputs + hidden), 0, parts * (w.inputs + hidden) * sizeof(real))
    memset(w.db_of_chunks + chunk * 2 * parts, 0, 2 * parts * sizeof(double))
    for s in range(w.steps - 1, -1, -1):
        t = w.steps - 1 - s if w.reverse else s
        before = t + 1 if w.reverse else t - 1
        h_row = hidden if s == 0 else w.y_row
        h = (<const real*>w.h0 if s == 0 else <const real*>w.y + before * w.y_step) + first * h_row
        c = (<const real*>w.c0 if s == 0 else <const real*>w.c + before * w.batch * hidden) + first * hidden
        y = <const real*>w.y + t * w.y_step + first * w.y_row
        dy = <const real*>w.dy + t * w.dy_step + first * w.dy_row
        row = in_block * count
        if w.kind == RNN and w.y_row == hidden and w.dy_row == hidden:  # the rows are contiguous in all four arrays
            w.loops.rnn_backward(w.itemsize, count * hidden, w.relu, y, dy, dh, da + row * parts)
        else:
            for n in range(count):
                backward_row(w, t * w.batch + first + n, h + n * h_row, c + n * hidden, y + n * w.y_row,
                             dy + n * w.dy_row, dh + n * hidden, dc + n * hidden, da + (row + n) * parts,
                             dq + (row + n) * parts)
        # dh = dq w_hh, in a gru added to dh * z, which gru_backward left there
        multiply_back(w, dq + row * parts, <const real*>w.packed, hidden, narrow_strip(w), dh, 0, hidden, 1,
                      count, tiles.TILE_ADD if w.kind == GRU else tiles.TILE_STORE)
        in_block += 1
        if in_block == capacity or s == 0:
            add_block(w, chunk, s, in_block, first, count, da, dq, x_strip)
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


cdef void add_block(const walk* w, long chunk, long s, long steps, long first, long count, const real* da,
                    const real* dq, real* x_strip) noexcept nogil:
    """dx of a block of steps, and its products added to the sums of its chunk; s is the earliest of its steps."""
    cdef long hidden = w.hidden, parts = w.kind * hidden, width = w.inputs + hidden
    cdef long way = -1 if w.reverse else 1  # from t of a step to t of the next
    cdef long t = w.steps - 1 - s if w.reverse else s
    cdef long newest = t + way * (steps - 1)  # t of the block's first rows
    cdef long from_y = steps - 1 if s == 0 else steps  # how many have h from y: at step 0 it is h0
    cdef real* dw = <real*>w.dw_of_chunks + chunk * parts * width
    cdef double* db = w.db_of_chunks + chunk * 2 * parts
    # dx[t] = da w_ih
    if w.dx != NULL:
        multiply_back(w, da, <const real*>w.packed + packed_width(w, hidden) * parts, w.inputs, wide_strip(w),
                      <real*>w.dx + newest * w.dx_step + first * w.dx_row, -way * w.dx_step, w.dx_row, steps, count,
                      tiles.TILE_STORE)
    # dw_ih = dw_ih + sum over steps t of da[t]^T x[t]
    add_products(w, steps, count, da, <const real*>w.x + newest * w.x_step + first * w.x_row, -way * w.x_step, w.x_row,
                 w.inputs, x_strip, dw)
    # dw_hh = dw_hh + sum over steps t of dq[t]^T h,  h = y of the step before
    add_products(w, from_y, count, dq, <const real*>w.y + (newest - way) * w.y_step + first * w.y_row, -way * w.y_step,
                 w.y_row, hidden, x_strip, dw + w.inputs)
    if s == 0:
        add_products(w, 1, count, dq + from_y * count * parts, <const real*>w.h0 + first * hidden, 0, hidden, hidden,
                     x_strip, dw + w.inputs)
    # db_ih = db_ih + sum over rows of da, and db_hh of dq
    w.loops.column_sums(w.itemsize, steps * count, parts, da, NULL, db)
    if w.db_hh != NULL:
        w.loops.column_sums(w.itemsize, steps * count, parts, dq, NULL, db + parts)


cdef void multiply_back(const walk* w, const real* dq, const real* packed, long columns, long width, real* dh,
                        long dh_step, long dh_row, long steps, long count, int mode) noexcept nogil:
    """dh = dq weight for `count` rows at each of some steps, strip by strip of packed weights."""
    cdef long lanes = w.tiles.lanes, parts = w.kind * w.hidden, rows = steps * count
    cdef long j = 0, i, o, n, some_columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner, sum.b_outer = 1, parts, &no_offset, 1, 0
    while j < columns:
        some_columns = min(width, columns - j)
        vectors = <int>ceil_div(some_columns, lanes)
        sum.b_inner = vectors * lanes
        i = o = n = 0  # row i is sequence n at step o
        while i < rows:
            some = <int>min(<long>w.tiles.rows[vectors], rows - i)
            for m in range(some):
                a_rows[m] = dq + (i + m) * parts
                y_rows[m] = dh + o * dh_step + n * dh_row + j
                n += 1
                if n == count:
                    o, n = o + 1, 0
            w.tiles.tile[vectors](&sum, some, a_rows, packed, y_rows, some_columns, NULL, mode)
            i += some
        packed += sum.b_inner * parts
        j += width


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
        multiply(w.tiles, da, 1, parts, parts, steps * count, strip, some, some, dw + j, w.inputs + w.hidden,
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
            db_ih += w.db_of_chunks[chunk * 2 * parts + i]
            db_hh += w.db_of_chunks[(chunk * 2 + 1) * parts + i]
        (<real*>w.db_ih)[i] = <real>db_ih
        if w.db_hh != NULL:
            (<real*>w.db_hh)[i] = <real>db_hh


cdef inline void add(real* sum, const real* x, long count) noexcept nogil:
    cdef long j
    for j in range(count):
        sum[j] += x[j]
