# cython: language_level=3, boundscheck=False, cdivision=True
"""Recurrent layers on the CPU: the whole walk over time in one call, each thread with sequences of its own.

Forward, with G parts of w (1, 4, 3; see __init__.py):

    chunk         some of the N sequences, which need nothing of the others: a thread walks them through all of time
      step t      the rows [x[t], h] of these sequences, side by side
        strip     as many columns of [w_ih, w_hh]^T as the widest tile has, packed once for all steps
          tile    a = [x[t], h] [w_ih, w_hh]^T + b: the register tile of the matrix product      -> cpu/tile.h
        row       the gates of one sequence from its a, number by number, and its new h          -> gates.h

Why it is fast: one call a walk instead of several a step; weights stay in the cache from step to step; no thread waits
for another before the end. The input's product has the same rows as the state's, so it costs no pass of its own.

Backward is the same walk from the end: a row of da from dy, dh and the gates, then dh = da w_hh by the tile. The
gradients of x and of the weights are matrix products over all T*N rows of da at once.

Every number is summed in one order, whatever the chunks are: the result does not depend on the number of threads.
"""

import numpy as np

from libc.string cimport memcpy

from ..channel_sums import cython_cpu as channel_sums
from ..matmul import cython_cpu as matmul

from ..cpu cimport pool, tiles
from ..cpu.tiles cimport TILE_MAX_ROWS
from ..cpu.views cimport view, view_of

DTYPES = ("float32", "float64")

cdef extern from "gates.h":
    ctypedef struct gate_table:
        void (*rnn_forward)(long hidden, int relu, void* y) noexcept nogil
        void (*rnn_backward)(long hidden, int relu, const void* y, const void* dy, const void* dh,
                             void* da) noexcept nogil
        void (*lstm_forward)(long hidden, void* gates, const void* c_before, void* c, void* y) noexcept nogil
        void (*lstm_backward)(long hidden, const void* gates, const void* c_before, const void* c, const void* dy,
                              const void* dh, void* dc, void* da) noexcept nogil
        void (*gru_forward)(long hidden, void* gates, const void* h, void* y) noexcept nogil
        void (*gru_backward)(long hidden, const void* gates, const void* h, const void* dy, void* dh, void* da,
                             void* dq) noexcept nogil
    const gate_table* loops_for(size_t itemsize, size_t vector_bytes) noexcept nogil

ctypedef fused real:
    float
    double

cdef enum:
    RNN = 1
    LSTM = 4
    GRU = 3
    CHUNK_ROWS = 32  # sequences of a chunk, at most

ctypedef struct walk:
    int kind
    bint relu, reverse
    size_t itemsize
    const tiles.tile_table* tiles
    const gate_table* rows
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
    void* da
    void* dq  # the gradient of h w_hh^T; da itself but for a gru
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
    dh0, da = _start(dh_n, h0), np.empty(y.shape, y.dtype)
    y = np.ascontiguousarray(y)
    _walk_backward(RNN, nonlinearity == "relu", reverse, h0, None, w_hh, y, None, y, dy, dh0, None, da, da)
    return *_products(x, h0, y, w_ih, da, da, dh0, reverse, needs_dx), _sum_rows(da)


def lstm_backward(x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh_n, dc_n, reverse, needs_dx):
    dh0, dc0, da = _start(dh_n, h0), _start(dc_n, c0), np.empty(gates.shape, gates.dtype)
    y, c, gates = np.ascontiguousarray(y), np.ascontiguousarray(c), np.ascontiguousarray(gates)
    _walk_backward(LSTM, False, reverse, h0, c0, w_hh, y, c, gates, dy, dh0, dc0, da, da)
    dx, dh0, dw_ih, dw_hh = _products(x, h0, y, w_ih, da, da, dh0, reverse, needs_dx)
    return dx, dh0, dc0, dw_ih, dw_hh, _sum_rows(da)


def gru_backward(x, h0, w_ih, w_hh, y, gates, dy, dh_n, reverse, needs_dx):
    dh0, da = _start(dh_n, h0), np.empty((*y.shape[:2], 3 * y.shape[2]), y.dtype)
    dq = np.empty_like(da)
    y, gates = np.ascontiguousarray(y), np.ascontiguousarray(gates)
    _walk_backward(GRU, False, reverse, h0, None, w_hh, y, None, gates, dy, dh0, None, da, dq)
    return *_products(x, h0, y, w_ih, da, dq, dh0, reverse, needs_dx), _sum_rows(da), _sum_rows(dq)


def _joint(b_ih, b_hh):
    return None if b_ih is None else b_ih + b_hh


def _start(gradient, like):
    """What the walk back starts with and changes: a copy of `gradient`, or zeros."""
    return np.zeros(like.shape, like.dtype) if gradient is None else np.array(gradient, order="C")


def _products(x, h0, y, w_ih, da, dq, dh0, reverse, needs_dx):
    """dx, dh0, dw_ih and dw_hh: matrix products over the rows of all steps at once."""
    rows = da.shape[0] * da.shape[1]
    da, dq = da.reshape(rows, -1 if rows else da.shape[2]), dq.reshape(rows, -1 if rows else dq.shape[2])
    before = np.concatenate((y[1:], h0[np.newaxis]) if reverse else (h0[np.newaxis], y[:-1]))
    # dx = da w_ih, dw_ih = da^T x, dw_hh = dq^T h_before
    dx = matmul.forward(da, w_ih).reshape(x.shape) if needs_dx else None
    dw_ih = matmul.forward(da.T, x.reshape(rows, x.shape[2]))
    dw_hh = matmul.forward(dq.T, before.reshape(rows, h0.shape[1]))
    return dx, dh0, dw_ih, dw_hh


def _sum_rows(da):
    return channel_sums.forward(da.reshape(da.shape[0] * da.shape[1], da.shape[2]), None)


cdef void begin(walk* w, int kind, bint relu, bint reverse, const view* y) noexcept:
    w.kind, w.relu, w.reverse, w.itemsize = kind, relu, reverse, y.itemsize
    w.steps, w.batch, w.hidden = y.shape[0], y.shape[1], y.shape[2]
    w.tiles = tiles.table(y.itemsize)
    w.rows = loops_for(y.itemsize, w.tiles.lanes * y.itemsize)
    w.chunk_rows = max(1, min(<long>CHUNK_ROWS, rounded_up(w.batch, pool.num_threads())))
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
    cdef long s, t, n, k
    cdef const real* h = <const real*>w.h0
    cdef const real* c = <const real*>w.c0
    cdef const real* x
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
            x = <const real*>w.x + t * w.x_step + n * w.x_row
            for k in range(w.inputs):
                row[k] = x[k * w.x_column]
            memcpy(row + w.inputs, h + n * w.hidden, w.hidden * sizeof(real))
        y = <real*>w.y + t * w.batch * w.hidden
        gates = <real*>w.gates + t * w.batch * across
        multiply_rows(w, rows, gates + first * across, end - first, across)
        for n in range(first, end):
            if w.kind == RNN:
                w.rows.rnn_forward(w.hidden, w.relu, y + n * w.hidden)
            elif w.kind == LSTM:
                row = <real*>w.c + (t * w.batch + n) * w.hidden
                w.rows.lstm_forward(w.hidden, gates + n * across, c + n * w.hidden, row, y + n * w.hidden)
            else:
                w.rows.gru_forward(w.hidden, gates + n * across, h + n * w.hidden, y + n * w.hidden)
        h = y
        c = <real*>w.c + t * w.batch * w.hidden


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


cdef _walk_backward(int kind, bint relu, bint reverse, h0, c0, w_hh, y, c, gates, dy, dh, dc, da, dq):
    cdef walk w
    cdef view vh, vc, vu, vy, vs, vg, vd, v_dh, v_dc, v_da, v_dq
    h0, w_hh = np.ascontiguousarray(h0), np.ascontiguousarray(w_hh)
    c0 = h0 if c0 is None else np.ascontiguousarray(c0)
    if dy is None:
        dy = np.zeros((1, 1, y.shape[2]), y.dtype)
    elif dy.strides[2] != dy.itemsize:
        dy = np.ascontiguousarray(dy)
    h0, c0, w_hh, dy = view_of(h0, &vh), view_of(c0, &vc), view_of(w_hh, &vu), view_of(dy, &vd)
    y, gates, dh = view_of(y, &vy), view_of(gates, &vg), view_of(dh, &v_dh)
    da, dq = view_of(da, &v_da), view_of(dq, &v_dq)
    begin(&w, kind, relu, reverse, &vy)
    w.h0, w.c0, w.w_hh, w.y, w.gates = vh.data, vc.data, vu.data, vy.data, vg.data
    w.dy, w.dy_step, w.dy_row = vd.data, vd.strides[0], vd.strides[1]
    if vd.shape[0] != w.steps or vd.shape[1] != w.batch:
        w.dy_step = w.dy_row = 0
    w.dh, w.da, w.dq = v_dh.data, v_da.data, v_dq.data
    w.c = w.dc = NULL
    if c is not None:
        c, dc = view_of(c, &vs), view_of(dc, &v_dc)
        w.c, w.dc = vs.data, v_dc.data
    with nogil:
        pool.run(rounded_up(w.batch, w.chunk_rows), backward_chunk_of, &w)


cdef void backward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef walk* w = <walk*>argument
    if w.itemsize == sizeof(float):
        backward_chunk(<float*>NULL, w, chunk)
    else:
        backward_chunk(<double*>NULL, w, chunk)


cdef void backward_chunk(const real* tag, walk* w, long chunk) noexcept nogil:
    """Some sequences, through all of time, from the end of the walk to its beginning."""
    cdef long first = chunk * w.chunk_rows, end = min(w.batch, first + w.chunk_rows)
    cdef long hidden = w.hidden, across = (4 if w.kind == GRU else w.kind) * hidden, parts = w.kind * hidden
    cdef long s, t, before, n, row
    cdef const real* h
    cdef const real* c
    cdef const real* dy
    cdef real* dh
    for s in range(w.steps - 1, -1, -1):
        t = w.steps - 1 - s if w.reverse else s
        before = t + 1 if w.reverse else t - 1
        h = <const real*>w.h0 if s == 0 else <const real*>w.y + before * w.batch * hidden
        c = <const real*>w.c0 if s == 0 else <const real*>w.c + before * w.batch * hidden
        for n in range(first, end):
            row = t * w.batch + n
            dy = <const real*>w.dy + t * w.dy_step + n * w.dy_row
            dh = <real*>w.dh + n * hidden
            if w.kind == RNN:
                w.rows.rnn_backward(
                    hidden, w.relu, <real*>w.y + row * hidden, dy, dh, <real*>w.da + row * parts)
            elif w.kind == LSTM:
                w.rows.lstm_backward(
                    hidden, <real*>w.gates + row * across, c + n * hidden, <real*>w.c + row * hidden, dy, dh,
                    <real*>w.dc + n * hidden, <real*>w.da + row * parts)
            else:
                w.rows.gru_backward(
                    hidden, <real*>w.gates + row * across, h + n * hidden, dy, dh, <real*>w.da + row * parts,
                    <real*>w.dq + row * parts)
        # dh = dq w_hh, and of a gru what has passed the gates besides
        multiply_back(w, <real*>w.dq + (t * w.batch + first) * parts, <real*>w.dh + first * hidden, end - first, parts)


cdef void multiply_back(const walk* w, const real* dq, real* dh, long count, long parts) noexcept nogil:
    """dh = dq w_hh (for a gru: added) for `count` rows; w_hh is read where it lies."""
    cdef long lanes = w.tiles.lanes, width = w.tiles.vectors * lanes, j = 0, i, columns, no_offset = 0
    cdef int vectors, some, m
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = 1, parts, &no_offset, 1
    sum.b_outer, sum.b_inner = 0, w.hidden
    while j < w.hidden:
        columns = min(width, w.hidden - j)
        vectors = <int>rounded_up(columns, lanes)
        tile = w.tiles.tile[vectors] if columns % lanes == 0 else w.tiles.tile_exact[vectors]
        i = 0
        while i < count:
            some = <int>min(<long>w.tiles.rows[vectors], count - i)
            for m in range(some):
                a_rows[m] = dq + (i + m) * parts
                y_rows[m] = dh + (i + m) * w.hidden + j
            tile(&sum, some, a_rows, <const real*>w.w_hh + j, y_rows, columns, NULL,
                 tiles.TILE_ADD if w.kind == GRU else tiles.TILE_STORE)
            i += some
        j += width
