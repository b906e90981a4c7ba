# cython: language_level=3, boundscheck=False, cdivision=True
"""Recurrent layers on the CPU: the whole walk over time in one call, each thread with sequences of its own.

Forward (walk_forward.pxi), with G parts of w (1, 4, 3; see __init__.py):

    chunk         some of the N sequences, which need nothing of the others: a thread walks them through all of time
      step t      the rows x[t], then the rows h, of these sequences, read where they lie; where the weights are large,
                  the rows x of all steps of a block come first, so that at each step only w_hh passes
        strip     as many columns of w_ih^T, or w_hh^T, as the widest tile has, packed once for all steps
          tile    a = x[t] w_ih^T + b, then a = a + h w_hh^T: the register tile of the matrix product  -> cpu/tile.h
        row       the gates of one sequence from its a, number by number, and its new h    -> cpu/vector_loops_gates.pxi

Backward (walk_backward.pxi) is the same walk from the end:

    chunk         some of the N sequences, with sums dw_ih, dw_hh and db of their own
      block       so many steps that there are about BLOCK_ROWS rows in it
        step t    a row of da for each sequence from dy, dh and its gates; dh = da w_hh by the tile
        then      dx = da w_ih, dw_ih = dw_ih + da^T x, dw_hh = dw_hh + da^T h over the rows of the block, by the tile
    last          dw_ih, dw_hh and db from the chunks' sums, added up in order

Why it is fast: one call a walk instead of several a step; weights stay in the cache from step to step, and a block's da
until its products are done; no thread waits for another before the end.

The chunks are cut by the shape alone, so the number of threads does not change a bit of the result.
"""

import numpy as np

from libc.string cimport memcpy, memset

from ..cpu cimport buffers, pool, tiles, vector_loops
from ..cpu.small_products cimport multiply, real  # a function that has no number gets a `tag`, a null pointer
from ..cpu.tiles cimport TILE_MAX_ROWS
from ..cpu.views cimport view, view_of
from ..cpu.whole_parts cimport rounded_up

DTYPES = ("float32", "float64")

cdef enum:
    RNN = 1
    LSTM = 4
    GRU = 3
    CHUNK_ROWS = 16  # sequences of a chunk, at least
    MAX_CHUNKS = 16
    BLOCK_ROWS = 128
    SMALL_WEIGHTS = 1 << 20  # bytes
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
    void* packed  # strips of w_ih^T and w_hh^T; backward, of w_hh and w_ih
    bint large_weights  # they do not stay in the L2 cache together
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
    y = buffers.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    _walk_forward(RNN, nonlinearity == "relu", reverse, x, h0, None, w_ih, w_hh, _joint(b_ih, b_hh), y, None, y)
    return y


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    y = buffers.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    c, gates = buffers.empty_like(y), buffers.empty((*x.shape[:2], w_hh.shape[0]), x.dtype)
    _walk_forward(LSTM, False, reverse, x, h0, c0, w_ih, w_hh, _joint(b_ih, b_hh), y, c, gates)
    return y, c, gates


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    hidden = h0.shape[1]
    y = buffers.empty((*x.shape[:2], hidden), x.dtype)
    gates = buffers.empty((*x.shape[:2], 4 * hidden), x.dtype)
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


include "walk_forward.pxi"
include "walk_backward.pxi"
