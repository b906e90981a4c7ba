# Backward from the taps alone, without dz. In each window of dz one number of ph*pw at most is not 0, so dz is a sparse
# matrix, and both gradients are its products with dense ones (cpu/sparse.h). Where (i, j, k) has its maximum at the
# pixel p of z, which the kernel computed from the pixels p*stride + (r, s) - padding of x:
#
#     dw[r,k,(s,c)]                            += sum over (i, j)  dy[n,i,j,k] * x[n, p*stride + (r,s) - padding, c]
#     dx[n, p*stride + (r,s) - padding, c]     += sum over k       dy[n,i,j,k] * w[r,k,(s,c)]
#
# Why it is fast: 1 multiply-add where dz as a whole takes ph*pw, and none where ReLU cut off all of a window.
#
#     dw   piece   rows of windows whose x stays in the L1 cache
#            list of each k: where the windows' maxima see x, and dy
#            r, block of numbers (s, c), k, entries of its list
#     dx   list of each pixel of dz: the k that have their maximum there, and dy
#            r, block of numbers (s, c), pixel, entries of its list

cdef enum:
    PIECE_OF_X_BYTES = 28 << 10
    # In multiply-adds of vectors, measured: what an entry costs before its first, what it costs for each block of
    # numbers, and what dx costs for each block at each pixel, since it loads and stores those without entries too.
    ENTRY_COST = 3
    BLOCK_COST = 2
    PIXEL_COST = 8

# The rows of a sparse matrix: row m has the entries starts[m] to ends[m].
ctypedef struct sparse_matrix:
    int* starts
    int* ends
    int* indices
    void* values
    long* y_offsets  # where row m of the product is added


cdef bint sparse_pays(const windows* p, const correlation* q, bint needs_dx):
    """Compare the vector multiplications for the dw of one window; either way, dx takes about as many again."""
    cdef long taps = p.size[0] * p.size[1], run = q.taps[1] * q.group_in
    cdef long vectors = ceil_div(run, q.tiles.lanes), blocks = ceil_div(vectors, tiles.SPARSE_VECTORS)
    cdef long sparse = q.group_out * (ENTRY_COST + q.taps[0] * (vectors + BLOCK_COST * blocks))
    cdef long dense = q.rows * q.padded_out // q.tiles.lanes
    cdef long x_row = max(abs(q.x.h_stride), (q.x.w + 2 * q.padding[1]) * q.x.c)
    if needs_dx:
        sparse += taps * q.taps[0] * blocks * PIXEL_COST
    if not can_exchange(q):
        return False
    if p.count[0] * p.count[1] * p.channels > INT_MAX or 2 * p.size[0] * q.step[0] * x_row > INT_MAX:
        return False  # lists hold ints: positions of entries, and of pixels in a row of windows (or in a small piece)
    return sparse < taps * dense


cdef long block_width(const tiles.tile_table* table, long numbers) noexcept nogil:
    """The numbers (s, c) in equal blocks of whole vectors, as wide as cpu/sparse.h takes them."""
    cdef long vectors = ceil_div(numbers, table.lanes)
    return ceil_div(vectors, ceil_div(vectors, tiles.SPARSE_VECTORS)) * table.lanes


cdef void* sparse_matrix_in(const real* tag, sparse_matrix* m, long rows, long entries) noexcept nogil:
    """Give `m` room in this thread's scratch memory; NULL if there is none."""
    cdef char* memory = <char*>pool.scratch(3, rows * (sizeof(long) + 2 * sizeof(int))
                                            + entries * (sizeof(real) + sizeof(int)))
    m.y_offsets = <long*>memory
    m.values = memory + rows * sizeof(long)
    m.starts = <int*>(<real*>m.values + entries)
    m.ends = m.starts + rows
    m.indices = m.ends + rows
    return memory


cdef void sparse_dw(const real* tag, backward_job* f, long n, long first, long end, real* dw) noexcept nogil:
    """Add to dw what rows `first` to `end` of the windows of image n contribute."""
    cdef windows* p = &f.pool
    cdef correlation q = f.dw
    cdef long numbers = q.taps[1] * q.group_in, width = block_width(q.tiles, numbers), channels = p.channels
    cdef long i, k, r, block, rows, piece, window_row  # from the x of a row of windows to that of the next
    cdef band b
    cdef sparse_matrix m
    cdef const real* x
    b.images, b.rows = 1, (end - first) * p.size[0]
    if not find_x(tag, &q, n, first * p.size[0], &b):
        p.out_of_memory = True
        return
    window_row = p.size[0] * q.step[0] * b.x_row
    piece = max(1, min(end - first, PIECE_OF_X_BYTES // (abs(window_row) * <long>sizeof(real) + 1)))
    if sparse_matrix_in(tag, &m, channels, channels * piece * p.count[1]) == NULL:
        p.out_of_memory = True
        return
    for k in range(channels):
        m.starts[k] = <int>(k * piece * p.count[1])
        m.y_offsets[k] = k * q.padded_out
    for i from first <= i < end by piece:
        rows = min(piece, end - i)
        list_channels(tag, f, &b, n, i, rows, &m)
        for r in range(q.taps[0]):
            x = <const real*>b.x + (i - first) * window_row + r * q.dilation[0] * b.x_row
            for block from 0 <= block < numbers by width:
                q.tiles.sparse_rows(channels, m.starts, m.ends, m.indices, m.values, x + block, 1,
                                    min(width, numbers - block), dw + r * channels * q.padded_out + block,
                                    m.y_offsets)


cdef void list_channels(const real* tag, const backward_job* f, const band* b, long n, long first, long rows,
                        sparse_matrix* m) noexcept nogil:
    """Row k of `m`: for each window with a maximum, where its pixel begins in the x of these windows, and dy."""
    cdef const windows* p = &f.pool
    cdef long at = (n * p.count[0] + first) * p.count[1] * p.channels, i, j, k
    cdef int tap, none = <int>(p.size[0] * p.size[1]), entry, index
    cdef int x_of_tap[MAX_TAPS + 1]
    cdef real* values = <real*>m.values
    cdef const real* dy = <const real*>f.dy + at
    cdef const uint8_t* taps = f.taps + at
    for tap in range(none):
        x_of_tap[tap] = <int>(tap // p.size[1] * f.dw.step[0] * b.x_row + tap % p.size[1] * f.dw.step[1] * b.x_column)
    x_of_tap[none] = 0
    for k in range(p.channels):
        m.ends[k] = m.starts[k]
    for i in range(rows):
        for j in range(p.count[1]):
            index = <int>(i * p.size[0] * f.dw.step[0] * b.x_row + j * p.size[1] * f.dw.step[1] * b.x_column)
            for k in range(p.channels):  # what a window without a maximum writes, the next one overwrites
                entry = m.ends[k]
                tap = min(<int>taps[k], none)
                m.indices[entry] = index + x_of_tap[tap]
                values[entry] = dy[k]
                m.ends[k] = entry + (tap < none)
            dy += p.channels
            taps += p.channels


cdef void sparse_dx(const real* tag, backward_job* f, long n, long top, long end, long low, long high) noexcept nogil:
    """Rows `low` to `high` of dx of image n, computed from rows `top` to `end` of its windows."""
    cdef windows* p = &f.pool
    cdef scattering* t = &f.scatter
    cdef long numbers = t.taps[1] * t.channels, r, block, dx_row, first_row, last_row, pixel, step, i, j
    cdef const real* packed = packed_for_dx(tag, f)
    cdef sparse_matrix m
    cdef real* dx = zeroed_dx(tag, t, n, 1, low, high - low, &dx_row)
    if packed == NULL or dx == NULL or sparse_matrix_in(tag, &m, (end - top) * p.size[0] * t.dy.w,
                                                        (end - top) * p.count[1] * p.channels) == NULL:
        p.out_of_memory = True
        return
    list_pixels(tag, f, n, top, end, &m)
    for i in range((end - top) * p.size[0]):
        for j in range(t.dy.w):
            m.y_offsets[i * t.dy.w + j] = (((top * p.size[0] + i) * t.step[0] - t.padding[0] - low) * dx_row
                                           + j * t.step[1] * t.channels)
    for r in range(t.taps[0]):
        rows_that_reach(t, r, low, high - low, end * p.size[0], &first_row, &last_row)
        pixel = (first_row - top * p.size[0]) * t.dy.w
        for block from 0 <= block < numbers by t.width:
            step = ceil_div(min(t.width, numbers - block), t.tiles.lanes) * t.tiles.lanes
            t.tiles.sparse_rows((last_row - first_row) * t.dy.w, m.starts + pixel, m.ends + pixel, m.indices, m.values,
                                packed, step, min(t.width, numbers - block),
                                dx + r * t.dilation * dx_row + block, m.y_offsets + pixel)
            packed += p.channels * step
    copy_dx(tag, t, n, 1, low, high - low, dx, dx_row)


cdef void list_pixels(const real* tag, const backward_job* f, long n, long first, long end,
                      sparse_matrix* m) noexcept nogil:
    """Row (i, j) of `m`: the channels that have their maximum at this pixel of dz, and dy."""
    cdef const windows* p = &f.pool
    cdef long at = (n * p.count[0] + first) * p.count[1] * p.channels, z_w = p.count[1] * p.size[1], i, j, k
    cdef int tap, none = <int>(p.size[0] * p.size[1]), entry, end_of_last = 0
    cdef int counts[MAX_TAPS + 1]
    cdef int next_entry[MAX_TAPS + 1]
    cdef long pixels[MAX_TAPS]  # of a window
    cdef long pixel
    cdef real* values = <real*>m.values
    cdef const real* dy = <const real*>f.dy + at
    cdef const uint8_t* taps = f.taps + at
    for tap in range(none):
        pixels[tap] = tap // p.size[1] * z_w + tap % p.size[1]
    for i in range(end - first):
        for j in range(p.count[1]):
            for tap in range(none + 1):
                counts[tap] = 0
            for k in range(p.channels):
                counts[min(<int>taps[k], none)] += 1
            for tap in range(none):
                pixel = i * p.size[0] * z_w + j * p.size[1] + pixels[tap]
                next_entry[tap] = m.starts[pixel] = end_of_last
                end_of_last += counts[tap]
                m.ends[pixel] = end_of_last
            next_entry[none] = end_of_last  # what is written there, the next window overwrites
            for k in range(p.channels):
                tap = min(<int>taps[k], none)
                entry = next_entry[tap]
                next_entry[tap] = entry + 1
                m.indices[entry] = <int>k
                values[entry] = dy[k]
            dy += p.channels
            taps += p.channels
