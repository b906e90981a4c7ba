# cython: language_level=3, boundscheck=False, cdivision=True
"""Recurrent layers on the CPU: the whole walk over time in one call, each thread with sequences of its own.

Forward, with G parts of w (1, 4, 3; see __init__.py):

    chunk         some of the N sequences, which need nothing of the others: a thread walks them through all of time
      step t      the rows x[t], then the rows h, of these sequences, read where they lie
        strip     as many columns of w_ih^T, or w_hh^T, as the widest tile has, packed once for all steps
          tile    a = x[t] w_ih^T + b, then a = a + h w_hh^T: the register tile of the matrix product  -> cpu/tile.h
        row       the gates of one sequence from its a, number by number, and its new h    -> cpu/vector_loops_gates.pxi

Backward is the same walk from the end:

    chunk         some of the N sequences, with sums dw_ih, dw_hh and db of their own
      block       so many steps that there are about BLOCK_ROWS rows in it
        step t    a row of da for each sequence from dy, dh and its gates; dh = da w_hh and dx[t] = da w_ih by the tile
        then      dw_ih = dw_ih + da^T x and dw_hh = dw_hh + da^T h over the rows of the block, by the tile
    last          dw_ih, dw_hh and db from the chunks' sums, added up in order

Why it is fast: one call a walk instead of several a step; weights stay in the cache from step to step, and a block's da
until its products are done; rows of x and h are read where they lie; no thread waits for another before the end.

The chunks are cut by the shape alone, so the number of threads does not change a bit of the result.
"""

import numpy as np

from libc.string cimport memset

from ..cpu cimport pool, tiles, vector_loops
from ..cpu.tiles cimport TILE_MAX_ROWS
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

ctypedef fused real:
    float
    double

cdef enum:
    RNN = 1
    LSTM = 4
    GRU = 3
    CHUNK_ROWS = 16  # sequences of a chunk, at least
    MAX_CHUNKS = 16
    BLOCK_ROWS = 128
    SUM_ROWS = 32  # of dw that a thread adds up at a time

ctypedef struct walk:
    int kind
    bint relu, reverse
    size_t itemsize
    const tiles.tile_table* tiles
    const vector_loops.loop_table* loops
    long steps, batch, inputs, hidden
    const void* x
    long x_step, x_row
    const void* h0
    const void* c0
    const void* w_ih
    const void* w_hh
    const void* bias  # of every column of a
    void* packed  # w_ih^T and w_hh^T in strips
    void* y
    void* c
    void* gates  # (T, N, 4*H); of an rnn, y itself
    long chunk_rows
    # backward
    const void* dy
    long dy_step, dy_row  # a step of 0 where dy is zero at all of them
    void* dh
    void* dc
    void* dx  # NULL where it is not wanted
    void* dw_of_chunks  # [chunk][row of w][inputs + hidden]
    double* db_of_chunks  # [chunk][da, dq][row of w]
    void* dw_ih
    void* dw_hh
    void* db_ih
    void* db_hh  # NULL but for a gru: the same as db_ih
    bint out_of_memory


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, reverse):
    y = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    _walk_forward(RNN, nonlinearity == "relu", reverse, x, h0, None, w_ih, w_hh, _joint(b_ih, b_hh), y, None, y)
    return y


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    y = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    c, gates = np.empty_like(y), np.empty((*x.shape[:2], w_hh.shape[0]), x.dtype)
    _walk_forward(LSTM, False, reverse, x, h0, c0, w_ih, w_hh, _joint(b_ih, b_hh), y, c, gates)
    return y, c, gates


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    hidden = h0.shape[1]
    y = np.empty((*x.shape[:2], hidden), x.dtype)
    gates = np.empty((*x.shape[:2], 4 * hidden), x.dtype)
    b = None
    if b_ih is not None:  # of a_r + q_r, a_z + q_z, a_n and q_n
        both = 2 * hidden
        b = np.concatenate((b_ih[:both] + b_hh[:both], b_ih[both:], b_hh[both:]))
    _walk_forward(GRU, False, reverse, x, h0, None, w_ih, w_hh, b, y, None, gates)
    return y, gates


def rnn_backward(x, h0, w_ih, w_hh, y, dy, dh_n, nonlinearity, reverse, needs_dx):
    dh0, y = _start(dh_n, h0), np.ascontiguousarray(y)
    dx, dw_ih, dw_hh, db, _ = _walk_backward(
        RNN, nonlinearity == "relu", reverse, needs_dx, x, h0, None, w_ih, w_hh, y, None, y, dy, dh0, None)
    return dx, dh0, dw_ih, dw_hh, db


def lstm_backward(x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh_n, dc_n, reverse, needs_dx):
    dh0, dc0 = _start(dh_n, h0), _start(dc_n, c0)
    y, c, gates = np.ascontiguousarray(y), np.ascontiguousarray(c), np.ascontiguousarray(gates)
    dx, dw_ih, dw_hh, db, _ = _walk_backward(
        LSTM, False, reverse, needs_dx, x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh0, dc0)
    return dx, dh0, dc0, dw_ih, dw_hh, db


def gru_backward(x, h0, w_ih, w_hh, y, gates, dy, dh_n, reverse, needs_dx):
    dh0, y, gates = _start(dh_n, h0), np.ascontiguousarray(y), np.ascontiguousarray(gates)
    dx, dw_ih, dw_hh, db_ih, db_hh = _walk_backward(
        GRU, False, reverse, needs_dx, x, h0, None, w_ih, w_hh, y, None, gates, dy, dh0, None)
    return dx, dh0, dw_ih, dw_hh, db_ih, db_hh


def _joint(b_ih, b_hh):
    return None if b_ih is None else b_ih + b_hh


def _rows_of_numbers(x):
    """x (T, N, C) itself if the C numbers of each row lie side by side, or a copy."""
    return x if x.strides[2] == x.itemsize else np.ascontiguousarray(x)


def _start(gradient, like):
    """What the walk back starts with and changes: a copy of `gradient`, or zeros."""
    return np.zeros(like.shape, like.dtype) if gradient is None else np.array(gradient, order="C")


cdef void begin(walk* w, int kind, bint relu, bint reverse, const view* y) noexcept:
    w.kind, w.relu, w.reverse, w.itemsize = kind, relu, reverse, y.itemsize
    w.steps, w.batch, w.hidden = y.shape[0], y.shape[1], y.shape[2]
    w.tiles = tiles.table(y.itemsize)
    w.loops = vector_loops.table()
    w.chunk_rows = max(<long>CHUNK_ROWS, rounded_up(w.batch, MAX_CHUNKS))
    w.out_of_memory = False


cdef inline long rounded_up(long n, long part) noexcept nogil:
    return (n + part - 1) // part


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
    w.h0, w.c0, w.w_ih, w.w_hh, w.y, w.gates = vh.data, vc.data, vw.data, vu.data, vy.data, vg.data
    w.dy, w.dy_step, w.dy_row = vd.data, vd.strides[0] if vd.shape[0] == w.steps else 0, vd.strides[1]
    w.dh = v_dh.data
    w.c = w.dc = w.dx = w.db_hh = NULL
    if c is not None:
        c, dc = view_of(c, &vs), view_of(dc, &v_dc)
        w.c, w.dc = vs.data, v_dc.data
    cdef long parts = kind * w.hidden, chunks = rounded_up(w.batch, w.chunk_rows)
    dtype = y.dtype
    dx = dw_ih = dw_hh = db_ih = db_hh = None
    if needs_dx:
        dx = np.empty((w.steps, w.batch, w.inputs), dtype)
        view_of(dx, &v_out[0])
        w.dx = v_out[0].data
    dw = np.empty((chunks, parts, w.inputs + w.hidden), dtype)
    db = np.empty((chunks, 2, parts))
    dw_ih, dw_hh = np.empty((parts, w.inputs), dtype), np.empty((parts, w.hidden), dtype)
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
        pool.run(chunks, backward_chunk_of, &w)
        if not w.out_of_memory:
            pool.run(rounded_up(parts, SUM_ROWS), add_up_rows_of, &w)
    if w.out_of_memory:
        raise MemoryError(f"no memory for a block of steps of x {x.shape}")
    return dx, dw_ih, dw_hh, db_ih, db_hh


cdef void backward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        backward_chunk(<float*>NULL, w, chunk)
    else:
        backward_chunk(<double*>NULL, w, chunk)


cdef void backward_chunk(const real* tag, walk* w, long chunk) noexcept nogil:
    """Some sequences, through all of time, from the end of the walk to its beginning."""
    cdef long first = chunk * w.chunk_rows, end = min(w.batch, first + w.chunk_rows), count = end - first
    cdef long hidden = w.hidden, across = (4 if w.kind == GRU else w.kind) * hidden, parts = w.kind * hidden
    cdef long capacity = max(1, min(w.steps, BLOCK_ROWS // count)), in_block = 0
    cdef long s, t, before, n, at
    cdef const real* h
    cdef const real* c
    cdef const real* dy
    cdef real* dh = <real*>w.dh
    cdef real* da = <real*>pool.scratch(1, capacity * count * parts * sizeof(real))
    cdef real* dq = <real*>pool.scratch(2, capacity * count * parts * sizeof(real)) if w.kind == GRU else da
    cdef long row  # of da and dq
    if da == NULL or dq == NULL:
        w.out_of_memory = True
        return
    memset(<real*>w.dw_of_chunks + chunk * parts * (w.inputs + hidden), 0, parts * (w.inputs + hidden) * sizeof(real))
    memset(w.db_of_chunks + chunk * 2 * parts, 0, 2 * parts * sizeof(double))
    for s in range(w.steps - 1, -1, -1):
        t = w.steps - 1 - s if w.reverse else s
        before = t + 1 if w.reverse else t - 1
        h = <const real*>w.h0 if s == 0 else <const real*>w.y + before * w.batch * hidden
        c = <const real*>w.c0 if s == 0 else <const real*>w.c + before * w.batch * hidden
        dy = <const real*>w.dy + t * w.dy_step
        row = in_block * count
        if w.kind == RNN and w.dy_row == hidden:  # the rows follow one another in all four arrays
            w.loops.rnn_backward(w.itemsize, count * hidden, w.relu, <real*>w.y + (t * w.batch + first) * hidden,
                                 dy + first * hidden, dh + first * hidden, da + row * parts)
        else:
            for n in range(first, end):
                at = t * w.batch + n
                backward_row(w, at, h + n * hidden, c + n * hidden, dy + n * w.dy_row, n,
                             da + (row + n - first) * parts, dq + (row + n - first) * parts)
        # dh = dq w_hh, and of a gru what has passed the gates besides; dx[t] = da w_ih
        multiply_back(w, dq + row * parts, <const real*>w.w_hh, hidden, dh + first * hidden, count,
                      tiles.TILE_ADD if w.kind == GRU else tiles.TILE_STORE)
        if w.dx != NULL:
            multiply_back(w, da + row * parts, <const real*>w.w_ih, w.inputs,
                          <real*>w.dx + (t * w.batch + first) * w.inputs, count, tiles.TILE_STORE)
        in_block += 1
        if in_block == capacity or s == 0:
            add_block(w, chunk, s, in_block, first, count, da, dq)
            in_block = 0


cdef inline void backward_row(const walk* w, long at, const real* h, const real* c, const real* dy, long n, real* da,
                              real* dq) noexcept nogil:
    """da (and dq) of sequence n at one step, number `at` of all T*N rows."""
    cdef long hidden = w.hidden
    cdef real* dh = <real*>w.dh + n * hidden
    if w.kind == RNN:
        w.loops.rnn_backward(w.itemsize, hidden, w.relu, <real*>w.y + at * hidden, dy, dh, da)
    elif w.kind == LSTM:
        w.loops.lstm_backward(w.itemsize, hidden, <real*>w.gates + at * 4 * hidden, c, <real*>w.c + at * hidden, dy, dh,
                              <real*>w.dc + n * hidden, da)
    else:
        w.loops.gru_backward(w.itemsize, hidden, <real*>w.gates + at * 4 * hidden, h, dy, dh, da, dq)


cdef void add_block(const walk* w, long chunk, long s, long steps, long first, long count, const real* da,
                    const real* dq) noexcept nogil:
    """Add the products of a block, whose last step in this walk was number s, to the sums of its chunk."""
    cdef long hidden = w.hidden, parts = w.kind * hidden, width = w.inputs + hidden
    cdef long way = -1 if w.reverse else 1  # from the time of a step to that of the next
    cdef long t = w.steps - 1 - s if w.reverse else s
    cdef long newest = t + way * (steps - 1)  # the block's first row is of this step
    cdef long from_y = steps - 1 if s == 0 else steps  # at step 0 the state before is h0
    cdef real* dw = <real*>w.dw_of_chunks + chunk * parts * width
    cdef double* db = w.db_of_chunks + chunk * 2 * parts
    # dw_ih = dw_ih + sum over steps t of da[t]^T x[t]
    add_products(w, steps, count, da, <const real*>w.x + newest * w.x_step + first * w.x_row, -way * w.x_step, w.x_row,
                 w.inputs, dw)
    # dw_hh = dw_hh + sum over steps t of dq[t]^T h,  h = y of the step before
    add_products(w, from_y, count, dq, <const real*>w.y + ((newest - way) * w.batch + first) * hidden,
                 -way * w.batch * hidden, hidden, hidden, dw + w.inputs)
    if s == 0:
        add_products(w, 1, count, dq + from_y * count * parts, <const real*>w.h0 + first * hidden, 0, hidden, hidden,
                     dw + w.inputs)
    # db_ih = db_ih + sum over rows of da, and db_hh of dq
    w.tiles.column_sums(steps * count, parts, da, NULL, parts, db)
    if w.db_hh != NULL:
        w.tiles.column_sums(steps * count, parts, dq, NULL, parts, db + parts)


cdef void multiply_back(const walk* w, const real* dq, const real* weight, long columns, real* dh, long count,
                        int mode) noexcept nogil:
    """dh = dq weight for `count` rows; the weight is read where it lies."""
    cdef long lanes = w.tiles.lanes, wide = w.tiles.vectors * lanes, parts = w.kind * w.hidden
    cdef long j = 0, i, some_columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = 1, parts, &no_offset, 1
    sum.b_outer, sum.b_inner = 0, columns
    while j < columns:
        some_columns = min(wide, columns - j)
        vectors = <int>rounded_up(some_columns, lanes)
        tile = w.tiles.tile[vectors] if some_columns % lanes == 0 else w.tiles.tile_exact[vectors]
        i = 0
        while i < count:
            some = <int>min(<long>w.tiles.rows[vectors], count - i)
            for m in range(some):
                a_rows[m] = dq + (i + m) * parts
                y_rows[m] = dh + (i + m) * columns + j
            tile(&sum, some, a_rows, weight + j, y_rows, some_columns, NULL, mode)
            i += some
        j += wide


cdef void add_products(const walk* w, long steps, long count, const real* da, const real* x, long x_step, long x_row,
                       long columns, real* dw) noexcept nogil:
    """dw = dw + sum over `steps` of da^T x, each of `count` rows; x is read where it lies."""
    cdef long lanes = w.tiles.lanes, wide = w.tiles.vectors * lanes, parts = w.kind * w.hidden
    cdef long width = w.inputs + w.hidden, j = 0, i, o, some_columns
    cdef long[BLOCK_ROWS] offsets
    cdef int vectors, some, m
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    for o in range(steps):
        offsets[o] = o * count * parts
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = steps, count, offsets, parts
    sum.b_outer, sum.b_inner = x_step, x_row
    while j < columns:
        some_columns = min(wide, columns - j)
        vectors = <int>rounded_up(some_columns, lanes)
        tile = w.tiles.tile[vectors] if some_columns % lanes == 0 else w.tiles.tile_exact[vectors]
        i = 0
        while i < parts:
            some = <int>min(<long>w.tiles.rows[vectors], parts - i)
            for m in range(some):
                a_rows[m] = da + i + m
                y_rows[m] = dw + (i + m) * width + j
            tile(&sum, some, a_rows, x + j, y_rows, some_columns, NULL, tiles.TILE_ADD)
            i += some
        j += wide


cdef void add_up_rows_of(void* argument, long index) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        add_up_rows(<float*>NULL, w, index)
    else:
        add_up_rows(<double*>NULL, w, index)


cdef void add_up_rows(const real* tag, const walk* w, long index) noexcept nogil:
    """Some rows of dw_ih, dw_hh and the biases' gradients: the sums of all chunks, in their order."""
    cdef long parts = w.kind * w.hidden, inputs = w.inputs, hidden = w.hidden
    cdef long chunks = rounded_up(w.batch, w.chunk_rows), chunk, i
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
