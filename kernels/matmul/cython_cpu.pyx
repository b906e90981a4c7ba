# cython: language_level=3, boundscheck=False, cdivision=True
"""Matrix product on the CPU: blocked for the caches, cut into chunks for the threads, computed by register tiles.

    y[i, j] = sum_l a[i, l] * b[l, j]                                   a (m, k), b (k, n), y (m, n)
    linear  = max(0, bias[j] + y[i, j])                                  bias and ReLU while the tile is in registers

Loop order, from the outside:

    block         BLOCK_DEPTH steps of l
      chunk       a rectangle of y, BLOCK_ROWS x BLOCK_COLUMNS or less: the unit of work of a thread; its part of a,
                  384 KB, or 768 KB where the L2 cache has 2 MB, stays in that cache for all strips
        strip     as many columns as the widest tile has: its part of b, 128 KB, stays in the cache for all rows
          tile    6 x 64 numbers of y (AVX-512) in registers while l runs over the block    -> cpu/tile.h

Why it is fast: per step of l a tile of 6 x 4 vectors does 24 multiply-adds for 10 loads, so the multipliers never wait;
and y, which every block reads and writes again, is prefetched.

Packing (packing.pxi). A tile is fastest on a contiguous strip of b, and on rows of a that are contiguous along l. A
row-major b is read in place where there are too few rows to pay for a copy; they may be more where b's begin at cache
lines. Where each thread would copy a strip once at most, each chunk copies its own: strip by strip if b lies in the L2
cache, else 64 columns at a time. If a has many rows, a b of up to 1 MB that is one block is packed by each thread for
itself, so that it need not cross between the caches of the cores. Otherwise all threads pack a block of b together
before they multiply.
Several strips are copied 8 rows at a time, side by side: a strip alone, where b is not in the cache, would touch one
line of memory in every row, which no prefetcher foresees. a is copied where what a tile reads of it lies so far apart
that it shares few sets of the cache (`lies_far`).

Two special cases: a small y with a very long sum (deep.pxi), and few rows with a and b both contiguous along l, as in
x @ w.T (few_rows.pxi).

However y is cut into chunks, each of its numbers is summed in the order of l, in blocks of fixed length (lane by lane
in few_rows.pxi, slot by slot in deep.pxi): the result does not depend on the number of threads.
"""

import numpy as np

from libc.string cimport memcpy, memset

from ..cpu cimport buffers, pool, tiles
from ..cpu.tiles cimport TILE_MAX_ROWS, TILE_MAX_VECTORS
from ..cpu.views cimport matrix_offset, real, view, view_of
from ..cpu.ceil_div cimport ceil_div

DTYPES = ("float32", "float64")

cdef extern from *:
    """
    #include <unistd.h>
    #ifdef _SC_LEVEL2_CACHE_SIZE
    #define L2_BYTES() sysconf(_SC_LEVEL2_CACHE_SIZE)
    #else
    #define L2_BYTES() 0
    #endif
    """
    long L2_BYTES()

cdef long L2 = L2_BYTES() if L2_BYTES() > 0 else 1 << 20  # bytes; a usual size where it is unknown
cdef long BLOCK_ROWS = 384 if L2 >= 2 << 20 else 192
cdef enum:
    BLOCK_COLUMNS = 2048
    BLOCK_DEPTH = 512
    DIRECT_ROWS = 72  # up to so many rows, copying b costs more than it saves
    WIDE_DIRECT_ROWS = 320  # the same for the widest tiles, which prefetch b, if its rows begin at cache lines
    PACK_COLUMNS = 64  # of b that a chunk copies at a time: a multiple of every strip
    OWN_BYTES = 1 << 20  # up to this size, each thread packs all of b for itself, if a has many rows
    SERIAL_WORK = 30000  # up to so many multiply-adds, one thread is done before another has woken up

ctypedef struct product:
    const tiles.tile_table* tiles
    size_t itemsize
    long m, n, k
    const char* a
    long a_row, a_column
    const char* b
    long b_row, b_column
    char* y
    long y_row
    const char* bias  # (n,), or NULL
    bint relu
    # Strips of b, one after the other, are packed by all threads, by each thread for itself, or by each chunk; if all
    # of these are 0, b is read in place.
    void* packed_b
    size_t own_bytes
    long copy_columns  # that a chunk copies at a time
    long job, index  # of pool.own_copy: the matrix of a batch
    bint pack_a
    long depth  # of a block: k in equal parts of at most BLOCK_DEPTH
    long first, end  # the range of l that is being summed
    long chunk_rows, chunk_columns
    bint out_of_memory


def forward(a, b):
    if a.ndim == 2 and b.ndim == 2:
        y = buffers.empty((a.shape[0], b.shape[1]), a.dtype)
        _multiply_views(a, b, y, None, False)
        return y
    if b.ndim == 2 and a.flags.c_contiguous and a.size:  # one b for the whole batch: stack the matrices of a
        rows = a.reshape(-1, a.shape[-1])
        y = buffers.empty((rows.shape[0], b.shape[1]), a.dtype)
        _multiply_views(rows, b, y, None, False)
        return y.reshape(*a.shape[:-1], b.shape[1])
    if a.shape[:-2] != b.shape[:-2]:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    y = buffers.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    _multiply_views(a, b, y, None, False)
    return y


def linear(x, w, b, relu):
    y = buffers.empty((x.shape[0], w.shape[0]), x.dtype)
    _multiply_views(x, w.T, y, None if b is None else np.ascontiguousarray(b), relu)
    return y


cdef _multiply_views(a, b, y, bias, bint relu):
    """y[...] = a[...] @ b[...] (+ bias, ReLU) for every index of the leading axes, in which a, b and y agree."""
    cdef view va, vb, vy, v_bias
    cdef batch_job job
    if bias is None and y.shape[y.ndim - 1] == 1:  # one column: compute the row y^T = b^T a^T, which fills vectors
        a, b, y = b.swapaxes(-2, -1), a.swapaxes(-2, -1), y.swapaxes(-2, -1)
    a, b, y = view_of(a, &va), view_of(b, &vb), view_of(y, &vy)
    cdef int last = va.ndim - 1, axis
    job.a, job.b, job.y = &va, &vb, &vy
    job.each.tiles = tiles.table(va.itemsize)
    job.each.itemsize = va.itemsize
    job.each.m, job.each.k, job.each.n = va.shape[last - 1], va.shape[last], vb.shape[last]
    job.each.a_row, job.each.a_column = va.strides[last - 1], va.strides[last]
    job.each.b_row, job.each.b_column = vb.strides[last - 1], vb.strides[last]
    job.each.y_row = vy.strides[last - 1]
    job.each.bias, job.each.relu = NULL, relu
    if bias is not None:
        bias = view_of(bias, &v_bias)
        job.each.bias = v_bias.data
    job.each.job, job.each.out_of_memory = pool.new_job(), False
    job.out_of_memory = False
    cdef long count = 1
    for axis in range(last - 1):
        count *= va.shape[axis]
    if job.each.m == 0 or job.each.n == 0:
        return
    with nogil:
        if count >= pool.num_threads():  # enough matrices: each is computed by one thread
            pool.run(count, multiply_one_of_batch, &job)
        else:
            for axis in range(count):
                multiply_one_of_batch(&job, axis)
    if job.out_of_memory:
        raise MemoryError(f"no memory to pack b {b.shape}")


ctypedef struct batch_job:
    const view* a
    const view* b
    const view* y
    product each
    bint out_of_memory


cdef void multiply_one_of_batch(void* argument, long index) noexcept nogil:
    cdef batch_job* job = <batch_job*>argument
    cdef product p = job.each
    p.index = index
    p.a = job.a.data + matrix_offset(job.a, index)
    p.b = job.b.data + matrix_offset(job.b, index)
    p.y = job.y.data + matrix_offset(job.y, index)
    if p.itemsize == sizeof(float):
        multiply(<const float*>p.a, &p)
    else:
        multiply(<const double*>p.a, &p)
    if p.out_of_memory:
        job.out_of_memory = True


cdef void multiply(const real* tag, product* p) noexcept nogil:
    """y = a @ b for one pair of matrices: decide what to pack and how to cut y, then run the chunks."""
    cdef bint in_cache = p.b_column == 1 and p.k * p.n * <long>sizeof(real) <= L2
    cdef bint wide = p.tiles.vectors == TILE_MAX_VECTORS
    cdef long direct_rows = WIDE_DIRECT_ROWS if wide and at_lines(p.b, p.b_row * sizeof(real)) else DIRECT_ROWS
    cdef bint in_place = p.b_column == 1 and p.m <= direct_rows
    if not in_cache and not in_place and is_deep(p):
        multiply_deep(tag, p)
        return
    if has_few_rows(p):
        multiply_few_rows(p)
        return
    p.tiles = tiles.table_for(p.itemsize, p.n)
    cdef long strip = p.tiles.vectors * p.tiles.lanes, strips = ceil_div(p.n, strip)
    p.depth = ceil_div(p.k, max(1, ceil_div(p.k, BLOCK_DEPTH)))
    p.pack_a = lies_far(p, strip)
    p.packed_b, p.own_bytes = NULL, 0
    cut_into_chunks(p, strip)
    cdef long row_parts = ceil_div(p.m, p.chunk_rows)
    cdef long chunks = row_parts * ceil_div(p.n, p.chunk_columns)
    if in_cache and p.chunk_rows <= direct_rows:
        in_place = True
    p.copy_columns = 0
    if not in_place and row_parts < 2 * pool.num_threads() and (in_cache or row_parts <= 2):
        p.copy_columns = strip if in_cache else PACK_COLUMNS
    p.first, p.end = 0, p.k
    cdef size_t packed_bytes = strips * strip * p.depth * sizeof(real)
    if (not in_place and p.copy_columns == 0 and p.depth >= p.k and packed_bytes <= OWN_BYTES
            and p.m >= BLOCK_ROWS * pool.num_threads()):
        p.own_bytes = packed_bytes
    if in_place or p.copy_columns > 0 or p.own_bytes > 0:
        pool.run(chunks, multiply_chunk_of, p)
        return
    p.packed_b = pool.scratch(0, packed_bytes)
    if p.packed_b == NULL:
        p.out_of_memory = True
        return
    while True:
        p.end = min(p.k, p.first + p.depth)
        pool.run(ceil_div(p.end - p.first, PACK_ROWS) if p.b_column == 1 else strips, pack_b_chunk_of, p)
        pool.run(chunks, multiply_chunk_of, p)
        p.first = p.end
        if p.first >= p.k:
            break
    pool.scratch_done(0)


cdef void cut_into_chunks(product* p, long strip) noexcept nogil:
    """Start from large chunks, which reuse the caches best, and cut them until there are two or three for each thread.

    A chunk may have to copy its rows of a or its columns of b. Columns are cut first; where a is copied, rows, unless a
    chunk is at least 3 times as wide as high.
    """
    cdef long tallest = p.tiles.rows[p.tiles.vectors], threads = pool.num_threads(), chunks
    cdef long row_parts = ceil_div(p.m, BLOCK_ROWS), column_parts = ceil_div(p.n, BLOCK_COLUMNS)
    cdef bint rows_first
    if p.m * p.n * p.k <= SERIAL_WORK:
        p.chunk_rows, p.chunk_columns = p.m, p.n
        return
    if row_parts > threads:
        row_parts = ceil_div(row_parts, threads) * threads  # as many for each
    while True:
        p.chunk_rows = equal_part(p.m, row_parts, tallest)
        p.chunk_columns = equal_part(p.n, column_parts, strip)
        chunks = ceil_div(p.m, p.chunk_rows) * ceil_div(p.n, p.chunk_columns)
        if threads == 1 or chunks >= (2 if p.pack_a else 3) * threads:
            return
        rows_first = p.pack_a and p.chunk_columns < 3 * p.chunk_rows
        if p.chunk_columns > strip and not rows_first:
            column_parts *= 2
        elif p.chunk_rows > tallest and (p.pack_a or chunks < threads):
            row_parts += 1
        else:
            return


cdef inline long equal_part(long n, long parts, long multiple) noexcept nogil:
    return max(1, ceil_div(ceil_div(n, parts), multiple)) * multiple


cdef void multiply_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef product* job = <product*>argument
    if job.itemsize == sizeof(float):
        multiply_chunk(<float*>NULL, job, chunk)
    else:
        multiply_chunk(<double*>NULL, job, chunk)


cdef void multiply_chunk(const real* tag, product* p, long chunk) noexcept nogil:
    """One rectangle of y, block by block and strip by strip."""
    cdef long across = ceil_div(p.n, p.chunk_columns)
    cdef long first_row = chunk // across * p.chunk_rows, first_column = chunk % across * p.chunk_columns
    cdef long end_row = min(p.m, first_row + p.chunk_rows), end_column = min(p.n, first_column + p.chunk_columns)
    cdef long strip = p.tiles.vectors * p.tiles.lanes, lanes = p.tiles.lanes
    cdef long l = p.first, j, i, columns
    cdef int vectors, rows, m, mode
    cdef const real* bias
    cdef long no_offset = 0
    cdef long a_row = p.a_row
    cdef const real* a
    cdef const real* b
    cdef real* packed_a = NULL
    cdef real* packed_b = <real*>p.packed_b
    cdef long packed_from = 0  # the column of b with which packed_b begins
    cdef const void* a_rows[TILE_MAX_ROWS]
    cdef void* y_rows[TILE_MAX_ROWS]
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    sum.outer, sum.a_offsets, sum.a_inner, sum.b_outer = 1, &no_offset, p.a_column, 0
    if p.pack_a:
        a_row, sum.a_inner = odd_lines(p.depth, sizeof(real)), 1
        packed_a = <real*>pool.scratch(1, (end_row - first_row) * a_row * sizeof(real))
    if p.copy_columns > 0:
        packed_b = <real*>pool.scratch(2, p.depth * p.copy_columns * sizeof(real))
    if p.own_bytes > 0:
        packed_b = <real*>pool.own_copy(p.job, p.index, p.own_bytes, pack_own_b, p)
    if p.pack_a and packed_a == NULL or (p.copy_columns > 0 or p.own_bytes > 0) and packed_b == NULL:
        p.out_of_memory = True
        return
    while True:
        sum.inner = min(p.depth, p.end - l)
        mode = tiles.TILE_ADD if l > 0 else tiles.TILE_STORE
        if p.relu and l + p.depth >= p.k:
            mode |= tiles.TILE_RELU
        a = <const real*>p.a + first_row * p.a_row + l * p.a_column
        if p.pack_a:
            pack_a(a, p, end_row - first_row, sum.inner, packed_a, a_row)
            a = packed_a
        j = first_column
        while j < end_column:
            columns = min(strip, end_column - j)
            vectors = <int>ceil_div(columns, lanes)
            sum.b_inner, tile = vectors * lanes, p.tiles.tile[vectors]
            if p.copy_columns > 0 and (j - first_column) % p.copy_columns == 0:
                pack_b(tag, p, l, l + sum.inner, j, min(end_column, j + p.copy_columns), packed_b)
                packed_from = j
            if packed_b != NULL:
                b = packed_b + (j - packed_from) * p.depth
            else:
                b = <const real*>p.b + l * p.b_row + j
                sum.b_inner = p.b_row
                if columns % lanes != 0:
                    tile = p.tiles.tile_exact[vectors]
            bias = <const real*>p.bias + j if p.bias != NULL and l == 0 else NULL
            i = first_row
            while i < end_row:
                rows = <int>min(<long>p.tiles.rows[vectors], end_row - i)
                for m in range(rows):
                    a_rows[m] = a + (i - first_row + m) * a_row
                    y_rows[m] = <real*>p.y + (i + m) * p.y_row + j
                tile(&sum, rows, a_rows, b, y_rows, columns, bias, mode)
                i += rows
            j += strip
        l += p.depth
        if l >= p.end:
            return


include "packing.pxi"
include "few_rows.pxi"
include "deep.pxi"
