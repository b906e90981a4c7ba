# cython: language_level=3, boundscheck=False, cdivision=True
"""Recurrent layers on the CPU: all time steps in one call, each thread with sequences of its own.

Forward (walk_forward.pxi), with G parts of w (1, 4, 3; see __init__.py):

    chunk         some of the N sequences, for all time steps: the unit of work of a thread
      step t      the rows x[t], then the rows h, of these sequences, read in place; where the weights are large, x of
                  a block of steps is multiplied first, so that each step reads w_hh only
        strip     some columns of w_ih^T, or w_hh^T, packed once for all steps                          -> panels.pxi
          tile    a = x[t] w_ih^T + b, then a = a + h w_hh^T: the register tile of the matrix product  -> cpu/tile.h
        row       the gates of one sequence from its a, number by number, and its new h    -> cpu/vector_loops_gates.pxi

Backward (walk_backward.pxi) goes from the last step to the first:

    chunk         some of the N sequences, with sums dw_ih, dw_hh and db of their own
      block       as many steps as have about BLOCK_ROWS rows
        step t    a row of da for each sequence from dy, dh and its gates; dh = da w_hh by the tile
        then      dx = da w_ih, dw_ih = dw_ih + da^T x, dw_hh = dw_hh + da^T h over the rows of the block, by the tile
    last          dw_ih, dw_hh and db from the chunks' sums, added up in order

Why it is fast: one call per layer instead of several per step; the weights stay in the cache from step to step, and da
of a block until its products are done; threads do not wait for each other before the end. The h and c, dh and dc of a
chunk, which change at every step, lie in memory of its own thread: beside those of another thread, the processor's
prefetching would carry their cache lines from core to core all the time. For the same reason each thread packs small
weights for itself.

Chunks depend on the shape alone, so results are bit-identical for any number of threads.
"""

import numpy as np

from libc.string cimport memcpy, memset

from ..cpu cimport buffers, pool, tiles, vector_loops
from ..cpu.small_products cimport multiply
from ..cpu.tiles cimport TILE_MAX_ROWS
from ..cpu.views cimport real, view, view_of
from ..cpu.ceil_div cimport ceil_div

DTYPES = ("float32", "float64")

cdef enum:
    RNN = 1
    LSTM = 4
    GRU = 3
    CHUNK_ROWS = 16  # sequences in a chunk, at least
    MAX_CHUNKS = 16
    BLOCK_ROWS = 128
    SMALL_WEIGHTS = 1 << 20  # bytes
    SUM_ROWS = 32  # rows of dw in a chunk of the last sum

# The weights of one product, packed in strips: packed[strip][l][j], with zeros after the last column.
ctypedef struct panel:
    const char* weight
    bint transposed  # the product is with weight^T: forward; backward with the weight as it lies
    long depth, columns
    long width  # of a strip
    long first  # where its strips begin among all packed numbers
    long column  # of a, the result, for its first column
    int mode  # TILE_STORE: starts from the bias; TILE_ADD: adds to the product before

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
    const void* bias  # one for every column of a, or NULL
    panel[3] panels  # forward, w_ih^T and w_hh^T (in a gru, in two parts); backward, w_hh, and w_ih if dx is needed
    int panel_count
    void* packed  # by all threads; NULL where each has a copy of its own
    long job  # of pool.own_copy
    bint large_weights  # what is packed does not stay in the L2 cache
    void* y
    long y_step, y_row
    void* c
    void* gates  # (T, N, 4*H), not of an rnn
    long chunk_rows
    # backward
    const void* dy
    long dy_step, dy_row  # dy_step is 0 where dy is None, a single step of zeros
    void* dh
    void* dc
    void* dx  # NULL if not needed
    long dx_step, dx_row
    long da_row  # the distance of the rows of da, and of dq
    void* dw_of_chunks  # [chunk][row of w][inputs + hidden]
    double* db_of_chunks  # [chunk][da, dq][da_row]
    void* dw_ih
    void* dw_hh
    void* db_ih
    void* db_hh  # for a gru; else NULL, as it equals db_ih
    bint out_of_memory


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, reverse):
    y = _empty_in_order_of(x, h0.shape[1])
    _walk_forward(RNN, nonlinearity == "relu", reverse, x, h0, None, w_ih, w_hh, _joint(b_ih, b_hh), y, None, None)
    return y


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    y, c = _empty_in_order_of(x, h0.shape[1]), buffers.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    gates = buffers.empty((*x.shape[:2], w_hh.shape[0]), x.dtype)
    _walk_forward(LSTM, False, reverse, x, h0, c0, w_ih, w_hh, _joint(b_ih, b_hh), y, c, gates)
    return y, c, gates


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    hidden = h0.shape[1]
    y = _empty_in_order_of(x, hidden)
    gates = buffers.empty((*x.shape[:2], 4 * hidden), x.dtype)
    b = None
    if b_ih is not None:  # the biases of a_r + q_r, a_z + q_z, a_n and q_n
        both = 2 * hidden
        b = np.concatenate((b_ih[:both] + b_hh[:both], b_ih[both:], b_hh[both:]))
    _walk_forward(GRU, False, reverse, x, h0, None, w_ih, w_hh, b, y, None, gates)
    return y, gates


def rnn_backward(x, h0, w_ih, w_hh, y, dy, dh_n, nonlinearity, reverse, needs_dx):
    dh0 = _start(dh_n, h0)
    dx, dw_ih, dw_hh, db, _ = _walk_backward(
        RNN, nonlinearity == "relu", reverse, needs_dx, x, h0, None, w_ih, w_hh, y, None, None, dy, dh0, None)
    return dx, dh0, dw_ih, dw_hh, db


def lstm_backward(x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh_n, dc_n, reverse, needs_dx):
    dh0, dc0 = _start(dh_n, h0), _start(dc_n, c0)
    dx, dw_ih, dw_hh, db, _ = _walk_backward(
        LSTM, False, reverse, needs_dx, x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh0, dc0)
    return dx, dh0, dc0, dw_ih, dw_hh, db


def gru_backward(x, h0, w_ih, w_hh, y, gates, dy, dh_n, reverse, needs_dx):
    dh0 = _start(dh_n, h0)
    dx, dw_ih, dw_hh, db_ih, db_hh = _walk_backward(
        GRU, False, reverse, needs_dx, x, h0, None, w_ih, w_hh, y, None, gates, dy, dh0, None)
    return dx, dh0, dw_ih, dw_hh, db_ih, db_hh


def _joint(b_ih, b_hh):
    return None if b_ih is None else b_ih + b_hh


def _rows_of_numbers(x):
    """x (T, N, C) if its last axis is contiguous, else a copy."""
    return x if x.strides[2] == x.itemsize else np.ascontiguousarray(x)


def _empty_in_order_of(x, numbers):
    """An array (T, N, numbers); if x lies batch first in memory, so does this, as the next layer will read it."""
    steps, batch = x.shape[:2]
    if x.strides[0] < x.strides[1]:
        return buffers.empty((batch, steps, numbers), x.dtype).swapaxes(0, 1)
    return buffers.empty((steps, batch, numbers), x.dtype)


def _start(gradient, like):
    """The initial dh or dc, which backward then changes: a copy of `gradient`, or zeros."""
    return np.zeros(like.shape, like.dtype) if gradient is None else np.array(gradient, order="C")


cdef list begin(walk* w, int kind, bint relu, bint reverse, x, h0, c0, w_ih, w_hh, y, c, gates):
    """Fill in what forward and backward share; return the arrays that must live as long as `w`."""
    cdef view vx, vy
    cdef list alive = [view_of(_rows_of_numbers(x), &vx), view_of(_rows_of_numbers(y), &vy)]
    w.kind, w.relu, w.reverse, w.itemsize = kind, relu, reverse, vx.itemsize
    w.tiles, w.loops = tiles.table(vx.itemsize), vector_loops.table()
    w.steps, w.batch, w.inputs, w.hidden = vx.shape[0], vx.shape[1], vx.shape[2], vy.shape[2]
    w.x, w.x_step, w.x_row = vx.data, vx.strides[0], vx.strides[1]
    w.y, w.y_step, w.y_row = vy.data, vy.strides[0], vy.strides[1]
    w.h0, w.c0 = numbers_of(h0, alive), numbers_of(c0, alive)
    w.w_ih, w.w_hh, w.bias = numbers_of(w_ih, alive), numbers_of(w_hh, alive), NULL
    w.c, w.gates = numbers_of(c, alive), numbers_of(gates, alive)
    w.chunk_rows = max(<long>CHUNK_ROWS, ceil_div(w.batch, MAX_CHUNKS))
    w.panel_count, w.job, w.out_of_memory = 0, pool.new_job(), False
    return alive


cdef void* numbers_of(array, list alive) except? NULL:
    """The numbers of the array in C order, its own or those of a copy, which is appended to `alive`; NULL for None."""
    cdef view v
    if array is None:
        return NULL
    alive.append(view_of(np.ascontiguousarray(array), &v))
    return v.data


include "panels.pxi"
include "walk_forward.pxi"
include "walk_backward.pxi"
