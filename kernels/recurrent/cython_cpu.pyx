# cython: language_level=3, boundscheck=False, cdivision=True
"""Recurrent layers on the CPU: the whole walk over time in one call, each thread with sequences of its own.

Forward, with G parts of w (1, 4, 3; see __init__.py):

    chunk         some of the N sequences, which need nothing of the others: a thread walks them through all of time
      step t      the rows [x[t], h] of these sequences, side by side
        strip     as many columns of [w_ih, w_hh]^T as the widest tile has, packed once for all steps
          tile    a = [x[t], h] [w_ih, w_hh]^T + b: the register tile of the matrix product      -> cpu/tile.h
        row       the gates of one sequence from its a, number by number, and its new h    -> cpu/vector_loops_gates.pxi

Backward is the same walk from the end:

    chunk         some of the N sequences, with a sum dw of their own
      block       so many steps that there are about BLOCK_ROWS rows in it
        step t    a row of da for each sequence from dy, dh and its gates; dh = da w_hh and dx[t] = da w_ih by the tile
        then      dw = dw + da^T [x, 1, h, 1] over the rows of the block, by the tile                 1: for the biases
    last          dw_ih, dw_hh and db from the chunks' sums, added up in order

Why it is fast: one call a walk instead of several a step; weights stay in the cache from step to step, and a block's da
until its products are done; no thread waits for another before the end. The input's product has the same rows as the
state's, so it costs no pass of its own.

The chunks are cut by the shape alone, so the number of threads does not change a bit of the result.
"""

import numpy as np

from libc.string cimport memcpy, memset

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
    long x_step, x_row, x_column
    const void* h0
    const void* c0
    const void* w_ih
    const void* w_hh
    const void* bias  # of every column of a
    void* packed  # [w_ih, w_hh]^T in strips
    void* y
    void* c
    void* gates  # (T, N, 4*H); of an rnn, y itself
    long chunk_rows
    # backward
    const void* dy
    long dy_step, dy_row  # 0 where dy is one row of zeros
    void* dh
    void* dc
    void* dx  # NULL where it is not wanted
    void* dw  # [chunk][row of w][inputs + 1 + hidden + 1]
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
    x = view_of(x, &vx)
    h0, w_ih, w_hh = np.ascontiguousarray(h0), np.ascontiguousarray(w_ih), np.ascontiguousarray(w_hh)
    c0 = h0 if c0 is None else np.ascontiguousarray(c0)
    h0, c0, w_ih, w_hh = view_of(h0, &vh), view_of(c0, &vc), view_of(w_ih, &vw), view_of(w_hh, &vu)
    y, gates = view_of(y, &vy), view_of(gates, &vg)
    begin(&w, kind, relu, reverse, &vy)
    w.inputs = vx.shape[2]
    w.x, w.x_step, w.x_row, w.x_column = vx.data, vx.strides[0], vx.strides[1], vx.strides[2]
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
    cdef long width = w.tiles.vectors * w.tiles.lanes, depth = w.inputs + w.hidden
    cdef long columns = (4 if w.kind == GRU else w.kind) * w.hidden
    w.packed = pool.scratch(0, rounded_up(columns + 3 * width, width) * width * depth * sizeof(real) + 64)
    if w.packed == NULL:
        w.out_of_memory = True
        return
    pack_weights(tag, w)
    pool.run(rounded_up(w.batch, w.chunk_rows), forward_chunk_of, w)
    pool.scratch_done(0)


ctypedef struct panel:
    long column, columns  # of a, and how many
    long first, end  # which numbers of the row [x[t], h] they are sums of
    long row  # of w_ih and w_hh that gives the first column


cdef int panels_of(const walk* w, panel* panels) noexcept nogil:
    """An rnn's and an lstm's columns are alike; of a gru, a_n comes from x alone, and q_n from h alone."""
    cdef long hidden = w.hidden, depth = w.inputs + w.hidden
    if w.kind != GRU:
        panels[0] = panel(0, w.kind * hidden, 0, depth, 0)
        return 1
    panels[0] = panel(0, 2 * hidden, 0, depth, 0)
    panels[1] = panel(2 * hidden, hidden, 0, w.inputs, 2 * hidden)
    panels[2] = panel(3 * hidden, hidden, w.inputs, depth, 2 * hidden)
    return 3


cdef void pack_weights(const real* tag, walk* w) noexcept nogil:
    """packed[strip][l][j] = [w_ih, w_hh][row + j, l], with zeros behind the last column of a panel."""
    cdef panel panels[3]
    cdef int p, count = panels_of(w, panels)
    cdef long lanes = w.tiles.lanes, width = w.tiles.vectors * lanes, j, l, i, columns, step
    cdef real* packed = <real*>w.packed
    cdef const real* row
    for p in range(count):
        j = 0
        while j < panels[p].columns:
            columns = min(width, panels[p].columns - j)
            step = rounded_up(columns, lanes) * lanes
            for l in range(panels[p].first, panels[p].end):
                for i in range(columns, step):
                    packed[(l - panels[p].first) * step + i] = 0
            if panels[p].first < w.inputs:
                row = <const real*>w.w_ih + (panels[p].row + j) * w.inputs
                w.tiles.transpose(columns, w.inputs, row, w.inputs, packed, step)
            if panels[p].end > w.inputs:
                row = <const real*>w.w_hh + (panels[p].row + j) * w.hidden
                w.tiles.transpose(columns, w.hidden, row, w.hidden, packed + (w.inputs - panels[p].first) * step, step)
            packed += step * (panels[p].end - panels[p].first)
            j += width


cdef void forward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        forward_chunk(<float*>NULL, w, chunk)
    else:
        forward_chunk(<double*>NULL, w, chunk)


cdef void forward_chunk(const real* tag, walk* w, long chunk) noexcept nogil:
    """Some sequences, through all of time."""
    cdef long first = chunk * w.chunk_rows, end = min(w.batch, first + w.chunk_rows)
    cdef long depth = w.inputs + w.hidden, across = (4 if w.kind == GRU else w.kind) * w.hidden
    cdef long s, t, n
    cdef const real* h = <const real*>w.h0
    cdef const real* c = <const real*>w.c0
    cdef real* row
    cdef real* y
    cdef real* gates
    cdef real* rows = <real*>pool.scratch(1, (end - first) * depth * sizeof(real))
    if rows == NULL:
        w.out_of_memory = True
        return
    for s in range(w.steps):
        t = w.steps - 1 - s if w.reverse else s
        for n in range(first, end):
            row = rows + (n - first) * depth
            copy_input(w, t, n, row)
            memcpy(row + w.inputs, h + n * w.hidden, w.hidden * sizeof(real))
        y = <real*>w.y + t * w.batch * w.hidden
        gates = <real*>w.gates + t * w.batch * across
        multiply_rows(w, rows, gates + first * across, end - first, across)
        if w.kind == RNN:
            w.loops.rnn_forward(w.itemsize, (end - first) * w.hidden, w.relu, y + first * w.hidden)
        for n in range(first, end):
            if w.kind == LSTM:
                row = <real*>w.c + (t * w.batch + n) * w.hidden
                w.loops.lstm_forward(w.itemsize, w.hidden, gates + n * across, c + n * w.hidden, row, y + n * w.hidden)
            elif w.kind == GRU:
                w.loops.gru_forward(w.itemsize, w.hidden, gates + n * across, h + n * w.hidden, y + n * w.hidden)
        h = y
        c = <real*>w.c + t * w.batch * w.hidden


cdef inline void copy_input(const walk* w, long t, long n, real* row) noexcept nogil:
    """row = x[t, n]"""
    cdef const real* x = <const real*>w.x + t * w.x_step + n * w.x_row
    cdef long k
    if w.x_column == 1:
        memcpy(row, x, w.inputs * sizeof(real))
    else:
        for k in range(w.inputs):
            row[k] = x[k * w.x_column]


cdef void multiply_rows(const walk* w, const real* rows, real* a, long count, long across) noexcept nogil:
    """a = [x[t], h] [w_ih, w_hh]^T + b for `count` rows, strip by strip."""
    cdef panel panels[3]
    cdef int p, vectors, some, m, n_panels = panels_of(w, panels)
    cdef long lanes = w.tiles.lanes, width = w.tiles.vectors * lanes, depth = w.inputs + w.hidden
    cdef long j, i, columns, no_offset = 0
    cdef const real* packed = <const real*>w.packed
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef const real* bias
    cdef tiles.tile_sum sum
    sum.outer, sum.a_offsets, sum.a_inner, sum.b_outer = 1, &no_offset, 1, 0
    for p in range(n_panels):
        sum.inner = panels[p].end - panels[p].first
        j = 0
        while j < panels[p].columns:
            columns = min(width, panels[p].columns - j)
            vectors = <int>rounded_up(columns, lanes)
            sum.b_inner = vectors * lanes
            bias = <const real*>w.bias + panels[p].column + j if w.bias != NULL else NULL
            i = 0
            while i < count:
                some = <int>min(<long>w.tiles.rows[vectors], count - i)
                for m in range(some):
                    a_rows[m] = rows + (i + m) * depth + panels[p].first
                    y_rows[m] = a + (i + m) * across + panels[p].column + j
                w.tiles.tile[vectors](&sum, some, a_rows, packed, y_rows, columns, bias, tiles.TILE_STORE)
                i += some
            packed += sum.b_inner * sum.inner
            j += width


cdef _walk_backward(int kind, bint relu, bint reverse, bint needs_dx, x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh, dc):
    """dx, dw_ih, dw_hh, db_ih and db_hh; `dh` and `dc` become the gradients of h0 and c0."""
    cdef walk w
    cdef view vx, vh, vc, vw, vu, vy, vs, vg, vd, v_dh, v_dc
    cdef view[6] v_out
    h0, w_ih, w_hh = np.ascontiguousarray(h0), np.ascontiguousarray(w_ih), np.ascontiguousarray(w_hh)
    c0 = h0 if c0 is None else np.ascontiguousarray(c0)
    if dy is None:
        dy = np.zeros((1, 1, y.shape[2]), y.dtype)
    elif dy.strides[2] != dy.itemsize:
        dy = np.ascontiguousarray(dy)
    x, h0, c0, w_ih, w_hh = view_of(x, &vx), view_of(h0, &vh), view_of(c0, &vc), view_of(w_ih, &vw), view_of(w_hh, &vu)
    y, gates, dy, dh = view_of(y, &vy), view_of(gates, &vg), view_of(dy, &vd), view_of(dh, &v_dh)
    begin(&w, kind, relu, reverse, &vy)
    w.inputs = vx.shape[2]
    w.x, w.x_step, w.x_row, w.x_column = vx.data, vx.strides[0], vx.strides[1], vx.strides[2]
    w.h0, w.c0, w.w_ih, w.w_hh, w.y, w.gates = vh.data, vc.data, vw.data, vu.data, vy.data, vg.data
    w.dy, w.dy_step, w.dy_row = vd.data, vd.strides[0], vd.strides[1]
    if vd.shape[0] != w.steps or vd.shape[1] != w.batch:
        w.dy_step = w.dy_row = 0
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
    dw = np.empty((chunks, parts, w.inputs + w.hidden + 2), dtype)
    dw_ih, dw_hh = np.empty((parts, w.inputs), dtype), np.empty((parts, w.hidden), dtype)
    db_ih = np.empty(parts, dtype)
    view_of(dw, &v_out[1]), view_of(dw_ih, &v_out[2]), view_of(dw_hh, &v_out[3]), view_of(db_ih, &v_out[4])
    w.dw, w.dw_ih, w.dw_hh, w.db_ih = v_out[1].data, v_out[2].data, v_out[3].data, v_out[4].data
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
    cdef long width = w.inputs + hidden + 2, capacity = count * max(1, min(w.steps, BLOCK_ROWS // count))
    cdef long s, t, before, n, at, k = 0
    cdef const real* h
    cdef const real* c
    cdef const real* dy
    cdef real* dh
    cdef real* row
    cdef real* dw = <real*>w.dw + chunk * parts * width
    cdef real* rows = <real*>pool.scratch(1, (capacity * width + w.tiles.lanes) * sizeof(real))
    cdef real* da = <real*>pool.scratch(2, capacity * parts * sizeof(real))
    cdef real* dq = <real*>pool.scratch(3, capacity * parts * sizeof(real)) if w.kind == GRU else da
    if rows == NULL or da == NULL or dq == NULL:
        w.out_of_memory = True
        return
    memset(dw, 0, parts * width * sizeof(real))
    memset(rows + capacity * width, 0, w.tiles.lanes * sizeof(real))
    for s in range(w.steps - 1, -1, -1):
        t = w.steps - 1 - s if w.reverse else s
        before = t + 1 if w.reverse else t - 1
        h = <const real*>w.h0 if s == 0 else <const real*>w.y + before * w.batch * hidden
        c = <const real*>w.c0 if s == 0 else <const real*>w.c + before * w.batch * hidden
        for n in range(first, end):
            at = t * w.batch + n
            dy = <const real*>w.dy + t * w.dy_step + n * w.dy_row
            dh = <real*>w.dh + n * hidden
            if w.kind == RNN:
                w.loops.rnn_backward(w.itemsize, hidden, w.relu, <real*>w.y + at * hidden, dy, dh, da + k * parts)
            elif w.kind == LSTM:
                w.loops.lstm_backward(
                    w.itemsize, hidden, <real*>w.gates + at * across, c + n * hidden, <real*>w.c + at * hidden, dy, dh,
                    <real*>w.dc + n * hidden, da + k * parts)
            else:
                w.loops.gru_backward(
                    w.itemsize, hidden, <real*>w.gates + at * across, h + n * hidden, dy, dh, da + k * parts, dq + k * parts)
            # [x, 1, h, 1]
            row = rows + k * width
            copy_input(w, t, n, row)
            row[w.inputs] = row[width - 1] = 1
            memcpy(row + w.inputs + 1, h + n * hidden, hidden * sizeof(real))
            k += 1
        # dh = dq w_hh, and of a gru what has passed the gates besides; dx[t] = da w_ih
        multiply_back(w, dq + (k - count) * parts, <const real*>w.w_hh, hidden, <real*>w.dh + first * hidden, count,
                      tiles.TILE_ADD if w.kind == GRU else tiles.TILE_STORE)
        if w.dx != NULL:
            multiply_back(w, da + (k - count) * parts, <const real*>w.w_ih, w.inputs,
                          <real*>w.dx + (t * w.batch + first) * w.inputs, count, tiles.TILE_STORE)
        if k == capacity or s == 0:
            if w.kind == GRU:
                add_products(w, k, da, rows, w.inputs + 1, dw)
                add_products(w, k, dq, rows + w.inputs + 1, hidden + 1, dw + w.inputs + 1)
            else:
                add_products(w, k, da, rows, width - 1, dw)
            k = 0


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


cdef void add_products(const walk* w, long count, const real* da, const real* rows, long columns,
                       real* dw) noexcept nogil:
    """dw = dw + da^T rows, a sum over `count` rows of both; behind the last one memory goes on for a vector."""
    cdef long lanes = w.tiles.lanes, wide = w.tiles.vectors * lanes, parts = w.kind * w.hidden
    cdef long width = w.inputs + w.hidden + 2, j = 0, i, some_columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = 1, count, &no_offset, parts
    sum.b_outer, sum.b_inner = 0, width
    while j < columns:
        some_columns = min(wide, columns - j)
        vectors = <int>rounded_up(some_columns, lanes)
        i = 0
        while i < parts:
            some = <int>min(<long>w.tiles.rows[vectors], parts - i)
            for m in range(some):
                a_rows[m] = da + i + m
                y_rows[m] = dw + (i + m) * width + j
            w.tiles.tile[vectors](&sum, some, a_rows, rows + j, y_rows, some_columns, NULL, tiles.TILE_ADD)
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
    cdef long parts = w.kind * w.hidden, inputs = w.inputs, hidden = w.hidden, width = inputs + hidden + 2
    cdef long chunks = rounded_up(w.batch, w.chunk_rows), chunk, i
    cdef const real* dw
    for i in range(index * SUM_ROWS, min(parts, (index + 1) * SUM_ROWS)):
        memset(<real*>w.dw_ih + i * inputs, 0, inputs * sizeof(real))
        memset(<real*>w.dw_hh + i * hidden, 0, hidden * sizeof(real))
        (<real*>w.db_ih)[i] = 0
        if w.db_hh != NULL:
            (<real*>w.db_hh)[i] = 0
        for chunk in range(chunks):
            dw = <const real*>w.dw + (chunk * parts + i) * width
            add(<real*>w.dw_ih + i * inputs, dw, inputs)
            add(<real*>w.db_ih + i, dw + inputs, 1)
            add(<real*>w.dw_hh + i * hidden, dw + inputs + 1, hidden)
            if w.db_hh != NULL:
                add(<real*>w.db_hh + i, dw + width - 1, 1)


cdef inline void add(real* sum, const real* x, long count) noexcept nogil:
    cdef long j
    for j in range(count):
        sum[j] += x[j]
