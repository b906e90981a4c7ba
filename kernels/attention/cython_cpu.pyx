# cython: language_level=3, boundscheck=False, cdivision=True
"""Attention on the CPU: the scores of a head never leave the cache, and backward computes p again.

    z = scale * q k^T + mask,  p = softmax(z),  y = dropout(p) v                    (all formulas: __init__.py)

From the outside, forward:

    chunk        some queries of a head (one of the matrices along the axes in front)
      block      BLOCK_ROWS queries: z, p and d, (rows, S) numbers each, in the cache
        tile     z = (scale * q) k^T, and after softmax y = p v                      -> cpu/tile.h
        row      mask, softmax and dropout                                           -> cpu/vector_loops_rows.pxi

In backward a chunk is a whole head, as dk and dv are sums over all of its queries:

      block      z, p and d again; then dv += d^T dy,  dp = dy v^T,  dz,  dq = dz (scale * k),  dk += dz^T (scale * q)

Why it is fast: only q and y of a block go through memory, instead of (L, S) scores several times; with is_causal, keys
after a query are skipped, half of the work; and q, k, v are read, and results written, in the memory order that they
have between the dense layers, (N, L, heads, E), without transposing.

Each number is summed in one order, however the work is cut, so results are bit-identical for any number of threads.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from ..cpu cimport buffers, pool, tiles, vector_loops
from ..cpu.small_products cimport multiply
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport matrix_offset, real, view, view_of

DTYPES = ("float32", "float64")

cdef enum:
    BLOCK_ROWS = 32  # with is_causal, half a block's scores around the diagonal are computed for nothing
    DROP = 256  # numbers that dropout takes at a time

# A matrix whose rows are contiguous.
ctypedef struct matrix:
    char* data
    long row  # numbers from one row to the next

ctypedef struct attention:
    const tiles.tile_table* tiles
    const vector_loops.loop_table* loops
    size_t itemsize
    long heads, queries, keys, size, value_size  # N, L, S, E, C
    long row  # numbers from one row of scores to the next, S or a few more
    view q, k, v, y, mask  # y is dy, backward
    view dq, dk, dv
    bint has_mask, is_causal, drops
    double scale, keep
    unsigned int threshold
    unsigned long long dropout_key
    long parts  # chunks of a head, forward
    bint out_of_memory

# What a thread works on: matrices of a head, and memory for a block.
ctypedef struct head:
    long index
    matrix q, k, v, y, dq, dk, dv
    void* scaled_q  # (rows, E)
    void* scaled_k  # (S, E)
    void* k_transposed  # (E, S)
    void* v_transposed  # (C, S)
    void* p  # (rows, keys in sight)
    void* d
    void* dz


def forward(q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    cdef attention a
    y = _in_order_of(q, v.shape[v.ndim - 1])
    kept = _begin(&a, q, k, v, mask, is_causal, scale, dropout_p, dropout_key)
    view_of(y, &a.y)
    # so many parts that every thread has about two chunks
    a.parts = max(1, min(ceil_div(a.queries, BLOCK_ROWS), 2 * pool.num_threads() // max(1, a.heads)))
    with nogil:
        pool.run(a.heads * a.parts, forward_chunk_of, &a)
    if a.out_of_memory:
        raise MemoryError(f"no memory for the scores of q {q.shape} and k {k.shape}")
    return y


def backward(dy, q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    cdef attention a
    dq, dk, dv = (_in_order_of(x, x.shape[x.ndim - 1]) for x in (q, k, v))
    kept = _begin(&a, q, k, v, mask, is_causal, scale, dropout_p, dropout_key)
    dy = view_of(_rows(dy), &a.y)
    view_of(dq, &a.dq), view_of(dk, &a.dk), view_of(dv, &a.dv)
    with nogil:
        pool.run(a.heads, backward_head_of, &a)
    if a.out_of_memory:
        raise MemoryError(f"no memory for the scores of q {q.shape} and k {k.shape}")
    return dq, dk, dv


cdef _begin(attention* a, q, k, v, mask, bint is_causal, double scale, double dropout_p, dropout_key):
    """Fill in `a`; returns the arrays that must live as long."""
    kept = [view_of(_rows(q), &a.q), view_of(_rows(k), &a.k), view_of(_rows(v), &a.v)]
    cdef int last = a.q.ndim - 1, axis
    a.tiles, a.loops, a.itemsize = tiles.table(a.q.itemsize), vector_loops.table(), a.q.itemsize
    a.queries, a.keys = a.q.shape[last - 1], a.k.shape[last - 1]
    a.size, a.value_size = a.q.shape[last], a.v.shape[last]
    # An odd number of cache lines: rows a power of 2 apart would share few sets of the cache.
    a.row = ((a.keys * <long>a.itemsize + 63) // 64 | 1) * 64 // <long>a.itemsize
    a.heads = 1
    for axis in range(last - 1):
        a.heads *= a.q.shape[axis]
    a.has_mask, a.is_causal = mask is not None, is_causal
    if a.has_mask:
        if mask.dtype.kind == "b":
            mask = np.where(mask, q.dtype.type(0), q.dtype.type(-np.inf))
        kept.append(view_of(np.broadcast_to(mask, (*q.shape[:-1], k.shape[-2])), &a.mask))
    a.scale, a.drops, a.dropout_key = scale, dropout_p > 0, dropout_key
    a.threshold, a.keep = int(dropout_p * 2**32), 1 / (1 - dropout_p)
    a.out_of_memory = False
    return kept


def _rows(x):
    """x itself if the numbers of each row lie side by side, or a copy."""
    return x if x.strides[-1] == x.itemsize else np.ascontiguousarray(x)


def _in_order_of(x, columns):
    """An array for a result (..., L, columns): of x (N, heads, L, E) in memory (N, L, heads, E), in the same order."""
    if x.ndim == 4 and abs(x.strides[1]) < abs(x.strides[2]):
        return buffers.empty((x.shape[0], x.shape[2], x.shape[1], columns), x.dtype).swapaxes(1, 2)
    return buffers.empty((*x.shape[:-1], columns), x.dtype)


cdef void forward_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef attention* a = <attention*>argument
    if a.itemsize == sizeof(float):
        forward_chunk(<float*>NULL, a, chunk)
    else:
        forward_chunk(<double*>NULL, a, chunk)


cdef void forward_chunk(const real* tag, attention* a, long chunk) noexcept nogil:
    """Some queries of a head, block by block."""
    cdef head h
    cdef long blocks = ceil_div(a.queries, BLOCK_ROWS), part = chunk % a.parts, block, first, rows, keys
    begin_head(a, &h, chunk // a.parts)
    cdef real* memory = <real*>pool.scratch(0, sizeof(real) * (
        a.row * a.size + BLOCK_ROWS * (a.size + (2 if a.drops else 1) * a.row)))
    if memory == NULL:
        a.out_of_memory = True
        return
    h.k_transposed, h.scaled_q = memory, memory + a.row * a.size
    h.p = <real*>h.scaled_q + BLOCK_ROWS * a.size
    h.d = <real*>h.p + BLOCK_ROWS * a.row if a.drops else h.p
    a.tiles.transpose(a.keys, a.size, h.k.data, h.k.row, h.k_transposed, a.row)
    for block in range(blocks * part // a.parts, blocks * (part + 1) // a.parts):
        first = block * BLOCK_ROWS
        rows = min(<long>BLOCK_ROWS, a.queries - first)
        keys = keys_in_sight(a, first + rows)
        weigh(tag, a, &h, first, rows, keys)
        # y = d v
        multiply(a.tiles, <real*>h.d, a.row, 1, rows, keys, <real*>h.v.data, h.v.row, a.value_size,
                 <real*>h.y.data + first * h.y.row, h.y.row, tiles.TILE_STORE)
    pool.scratch_done(0)


cdef void backward_head_of(void* argument, long index) noexcept nogil:
    cdef attention* a = <attention*>argument
    if a.itemsize == sizeof(float):
        backward_head(<float*>NULL, a, index)
    else:
        backward_head(<double*>NULL, a, index)


cdef void backward_head(const real* tag, attention* a, long index) noexcept nogil:
    """dq, dk and dv of one head, block by block of its queries."""
    cdef head h
    cdef long block, first, rows, keys, s, l
    cdef real* dy
    cdef real* p
    cdef real* dz
    begin_head(a, &h, index)
    h.dq, h.dk, h.dv = matrix_of(&a.dq, index), matrix_of(&a.dk, index), matrix_of(&a.dv, index)
    cdef real* memory = <real*>pool.scratch(0, sizeof(real) * (
        a.row * (a.size + a.value_size) + a.keys * a.size + BLOCK_ROWS * (a.size + (3 if a.drops else 2) * a.row)))
    if memory == NULL:
        a.out_of_memory = True
        return
    h.k_transposed, h.v_transposed = memory, memory + a.row * a.size
    h.scaled_k = <real*>h.v_transposed + a.row * a.value_size
    h.scaled_q = <real*>h.scaled_k + a.keys * a.size
    h.p = <real*>h.scaled_q + BLOCK_ROWS * a.size
    h.dz = <real*>h.p + BLOCK_ROWS * a.row
    h.d = <real*>h.dz + BLOCK_ROWS * a.row if a.drops else h.p
    a.tiles.transpose(a.keys, a.size, h.k.data, h.k.row, h.k_transposed, a.row)
    a.tiles.transpose(a.keys, a.value_size, h.v.data, h.v.row, h.v_transposed, a.row)
    scaled_copy(<real*>h.k.data, h.k.row, a.keys, a.size, a.scale, <real*>h.scaled_k)
    for s in range(a.keys):
        memset(<real*>h.dk.data + s * h.dk.row, 0, a.size * sizeof(real))
        memset(<real*>h.dv.data + s * h.dv.row, 0, a.value_size * sizeof(real))
    for block in range(ceil_div(a.queries, BLOCK_ROWS)):
        first = block * BLOCK_ROWS
        rows = min(<long>BLOCK_ROWS, a.queries - first)
        keys = keys_in_sight(a, first + rows)
        dy = <real*>h.y.data + first * h.y.row
        weigh(tag, a, &h, first, rows, keys)
        # dv = dv + d^T dy
        multiply(a.tiles, <real*>h.d, 1, a.row, keys, rows, dy, h.y.row, a.value_size, <real*>h.dv.data, h.dv.row,
                 tiles.TILE_ADD)
        # dp = dy v^T, and dropout; dz = p * (dp - sum_j dp * p)
        multiply(a.tiles, dy, h.y.row, 1, rows, a.value_size, <real*>h.v_transposed, a.row, keys, <real*>h.dz, a.row,
                 tiles.TILE_STORE)
        if a.drops:
            drop(a, &h, first, rows, keys, <real*>h.dz, <real*>h.dz)
        for l in range(rows):
            dz, p = <real*>h.dz + l * a.row, <real*>h.p + l * a.row
            a.loops.softmax_backward(a.itemsize, 1, keys, dz, p, dz, False)
        # dq = dz (scale * k);  dk = dk + dz^T (scale * q)
        multiply(a.tiles, <real*>h.dz, a.row, 1, rows, keys, <real*>h.scaled_k, a.size, a.size,
                 <real*>h.dq.data + first * h.dq.row, h.dq.row, tiles.TILE_STORE)
        multiply(a.tiles, <real*>h.dz, 1, a.row, keys, rows, <real*>h.scaled_q, a.size, a.size, <real*>h.dk.data,
                 h.dk.row, tiles.TILE_ADD)
    pool.scratch_done(0)


cdef void begin_head(const attention* a, head* h, long index) noexcept nogil:
    h.index = index
    h.q, h.k, h.v, h.y = matrix_of(&a.q, index), matrix_of(&a.k, index), matrix_of(&a.v, index), matrix_of(&a.y, index)


cdef inline matrix matrix_of(const view* x, long index) noexcept nogil:
    return matrix(x.data + matrix_offset(x, index), x.strides[x.ndim - 2])


cdef inline long keys_in_sight(const attention* a, long end) noexcept nogil:
    """How many keys, from the first one on, a query before number `end` may see."""
    return min(a.keys, end) if a.is_causal else a.keys


cdef void weigh(const real* tag, const attention* a, head* h, long first, long rows, long keys) noexcept nogil:
    """p and d of a block of queries: z = (scale * q) k^T, then the mask, softmax and dropout."""
    cdef long l
    cdef real* p = <real*>h.p
    cdef real* z
    scaled_copy(<real*>h.q.data + first * h.q.row, h.q.row, rows, a.size, a.scale, <real*>h.scaled_q)
    multiply(a.tiles, <real*>h.scaled_q, a.size, 1, rows, a.size, <real*>h.k_transposed, a.row, keys, p, a.row,
             tiles.TILE_STORE)
    if keys == 0:
        return
    # A loop of its own: the vector loads of softmax would wait for single numbers that were stored just before.
    for l in range(rows):
        if a.is_causal:
            hide(p + l * a.row, first + l + 1, keys)
        if a.has_mask:
            add_mask(tag, a, h.index, first + l, keys, p + l * a.row)
    for l in range(rows):
        z = p + l * a.row
        if sees_a_key(z, keys):
            a.loops.softmax_forward(a.itemsize, 1, keys, z, z, False)
        else:
            memset(z, 0, keys * sizeof(real))
    if a.drops:
        drop(a, h, first, rows, keys, p, <real*>h.d)


cdef inline void hide(real* z, long first, long end) noexcept nogil:
    cdef long s
    for s in range(first, end):
        z[s] = <real>-INFINITY


cdef void add_mask(const real* tag, const attention* a, long index, long query, long keys, real* z) noexcept nogil:
    """z = z + mask, or -inf where that is, of one query."""
    cdef int last = a.mask.ndim - 1
    cdef long step = a.mask.strides[last], s
    cdef const real* mask = <const real*>(a.mask.data + matrix_offset(&a.mask, index))
    mask += query * a.mask.strides[last - 1]
    for s in range(keys):
        z[s] = <real>-INFINITY if mask[s * step] == <real>-INFINITY else z[s] + mask[s * step]


cdef inline bint sees_a_key(const real* z, long keys) noexcept nogil:
    """Whether there is a key whose z is not -inf; the first one nearly always is."""
    cdef long s = 0
    while s < keys and z[s] == <real>-INFINITY:
        s += 1
    return s < keys


cdef void drop(const attention* a, const head* h, long first, long rows, long keys, const real* x,
               real* y) noexcept nogil:
    """y = dropout(x) of a block of rows, with the numbers that belong to their places among all (..., L, S)."""
    cdef real[DROP] some
    cdef long l, s, n
    cdef unsigned long long at, before
    for l in range(rows):
        s = 0
        while s < keys:
            # the generator starts at multiples of 4
            at = (<unsigned long long>h.index * a.queries + first + l) * a.keys + s
            before = at % 4
            n = min(keys - s, <long>(DROP - before))
            memset(some, 0, before * sizeof(real))
            memcpy(some + before, x + l * a.row + s, n * sizeof(real))
            a.loops.dropout_forward(a.itemsize, before + n, at - before, a.dropout_key, a.threshold, a.keep, some, some)
            memcpy(y + l * a.row + s, some + before, n * sizeof(real))
            s += n


cdef void scaled_copy(const real* x, long x_row, long rows, long columns, double scale, real* y) noexcept nogil:
    """y = scale * x, row after row."""
    cdef long i, j
    for i in range(rows):
        for j in range(columns):
            y[i * columns + j] = <real>scale * x[i * x_row + j]
