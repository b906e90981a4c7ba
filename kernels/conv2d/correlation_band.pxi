# weight_grad: one band, tile by tile.

cdef enum:
    PIECE_BYTES = 24 << 10  # of dy: a piece stays in the L1 cache for all tiles of dw
    WIDE_PIECE_BYTES = 128 << 10  # the same for wide tiles, in the L2 cache, which they do not wait for

# What the tiles of a band read: x and dy in place, or copies of them.
ctypedef struct band:
    long images, rows  # rows of dy in each image
    const void* x  # the first tap of the first pixel
    long x_image, x_row, x_column
    const void* dy
    long dy_row, dy_column


cdef void correlate_band(const real* tag, correlation* q, long n, long count, long row, long first_row, long end_row,
                         long* offsets, real* dw) noexcept nogil:
    """Add to some rows of dw what one band of image n contributes, or `count` whole images."""
    cdef band b
    b.images, b.rows = count, min(q.band_rows, q.dy.h - row)
    if not (find_x(tag, q, n, row, &b) and find_dy(tag, q, n, row, &b)):
        q.out_of_memory = True
    elif q.exchanged:
        correlate_rows_of_kernel(tag, q, &b, first_row, end_row, offsets, dw)
    else:
        correlate_groups(tag, q, &b, first_row, end_row, offsets, dw)


cdef bint find_x(const real* tag, const correlation* q, long n, long row, band* b) noexcept nogil:
    """Set b.x to what a band reads of x, copied where x is padded or not channels last; False if out of memory."""
    cdef long top = row * q.step[0] - q.padding[0], height, width, i
    cdef real* copy
    if q.x_in_place:
        b.x = <const real*>q.x.data + n * q.x.n_stride + top * q.x.h_stride
        b.x_image, b.x_row, b.x_column = q.x.n_stride, q.x.h_stride, q.x.w_stride
        return True
    height = (b.rows - 1) * q.step[0] + (q.taps[0] - 1) * q.dilation[0] + 1
    width = (q.dy.w - 1) * q.step[1] + (q.taps[1] - 1) * q.dilation[1] + 1
    b.x_column, b.x_row, b.x_image = q.x.c, width * q.x.c, height * width * q.x.c
    copy = <real*>pool.scratch(1, b.images * b.x_image * sizeof(real))
    if copy == NULL:
        return False
    for i in range(b.images):
        copy_window(q.tiles, &q.x, n + i, top, -q.padding[1], height, width, copy + i * b.x_image)
    b.x = copy
    return True


cdef bint find_dy(const real* tag, const correlation* q, long n, long row, band* b) noexcept nogil:
    """Set b.dy to the band of dy, copied where dy is not channels last; False if out of memory."""
    cdef long i, image = b.rows * q.dy.w * q.dy.c
    cdef real* copy
    if q.dy_in_place:
        b.dy = <const real*>q.dy.data + n * q.dy.n_stride + row * q.dy.h_stride
        b.dy_row, b.dy_column = q.dy.h_stride, q.dy.w_stride
        return True
    copy = <real*>pool.scratch(3, b.images * image * sizeof(real))
    if copy == NULL:
        return False
    for i in range(b.images):
        copy_window(q.tiles, &q.dy, n + i, row, 0, b.rows, q.dy.w, copy + i * image)
    b.dy, b.dy_row, b.dy_column = copy, q.dy.w * q.dy.c, q.dy.c
    return True


cdef void correlate_rows_of_kernel(const real* tag, const correlation* q, const band* b, long first_row, long end_row,
                                   long* offsets, real* dw) noexcept nogil:
    """One band of one image, with rows (r, k) of dw and columns (s, c)."""
    cdef long i, r, column, numbers
    cdef tiles.tile_sum sum
    for i in range(b.rows):
        offsets[i] = i * b.dy_row
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = b.rows, q.dy.w, offsets, b.dy_column
    sum.b_outer, sum.b_inner = q.step[0] * b.x_row, q.step[1] * b.x_column
    for r in range(first_row // q.group_out, end_row // q.group_out):
        column = 0
        while column < q.taps[1] * q.group_in:
            numbers = min(q.tiles.vectors * q.tiles.lanes, q.taps[1] * q.group_in - column)
            correlate_exchanged(q, &sum, <const real*>b.dy, <const real*>b.x + r * q.dilation[0] * b.x_row + column,
                                dw + r * q.group_out * q.padded_out + column, numbers)
            column += numbers


cdef void correlate_groups(const real* tag, correlation* q, const band* b, long first_row, long end_row, long* offsets,
                           real* dw) noexcept nogil:
    """One band, with rows (r, s, c) of dw and columns k: group by group, or all at once if each is one channel."""
    cdef long i, g, k, piece, channels, vectors, rows = b.images * b.rows, widest = q.tiles.vectors * q.tiles.lanes
    cdef long piece_bytes = PIECE_BYTES if q.tiles.vectors < TILE_MAX_VECTORS else WIDE_PIECE_BYTES
    cdef const real* x = <const real*>b.x
    cdef const real* dy
    cdef real* packed_dy = NULL
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    for i in range(rows):
        offsets[i] = i // b.rows * b.x_image + i % b.rows * q.step[0] * b.x_row
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = rows, q.dy.w, offsets, q.step[1] * b.x_column
    sum.b_outer, sum.b_inner = b.dy_row, b.dy_column
    if q.channelwise:
        for k from 0 <= k < q.group_out by q.tiles.lanes:
            channels = min(<long>q.tiles.lanes, q.group_out - k)
            tile = q.tiles.channelwise if channels == q.tiles.lanes else q.tiles.channelwise_exact
            correlate_block(q, &sum, tile, q.tiles.rows[1], x + k, b.x_row, b.x_column, <const real*>b.dy + k, dw + k,
                            channels, first_row, end_row)
        return
    if q.group_out > widest:
        packed_dy = <real*>pool.scratch(4, rows * q.dy.w * widest * sizeof(real))
        if packed_dy == NULL:
            q.out_of_memory = True
            return
    for g in range(q.groups):
        k = 0
        while k < q.group_out:
            channels = min(widest, q.group_out - k)
            vectors = ceil_div(channels, q.tiles.lanes)
            tile = q.tiles.tile[vectors] if channels % q.tiles.lanes == 0 else q.tiles.tile_exact[vectors]
            dy = <const real*>b.dy + g * q.group_out + k
            if packed_dy != NULL:
                pack_channels(dy, rows, b.dy_row, q.dy.w, b.dy_column, channels, packed_dy)
                dy, sum.b_outer, sum.b_inner = packed_dy, q.dy.w * channels, channels
            piece = max(1, piece_bytes // (q.dy.w * channels * <long>sizeof(real)))
            for i from 0 <= i < rows by piece:
                sum.outer, sum.a_offsets = min(piece, rows - i), offsets + i
                correlate_block(q, &sum, tile, q.tiles.rows[vectors], x + g * q.group_in, b.x_row, b.x_column,
                                dy + i * sum.b_outer, dw + g * q.rows * q.padded_out + k, channels, first_row, end_row)
            k += channels


cdef void pack_channels(const real* dy, long rows, long dy_row, long columns, long dy_column, long channels,
                        real* packed) noexcept nogil:
    """packed[i, j, k] = dy[i, j, k] for a block of channels k: in dy, other channels lie between two of its pixels."""
    cdef long i, j
    for i in range(rows):
        for j in range(columns):
            memcpy(packed, dy + i * dy_row + j * dy_column, channels * sizeof(real))
            packed += channels


cdef inline long tap_offset(const correlation* q, long tap, long x_row, long x_column) noexcept nogil:
    return tap // q.taps[1] * q.dilation[0] * x_row + tap % q.taps[1] * q.dilation[1] * x_column


cdef void correlate_block(const correlation* q, const tiles.tile_sum* sum, tiles.tile_function tile, int tallest,
                          const real* x, long x_row, long x_column, const real* dy, real* dw, long channels,
                          long first_row, long end_row) noexcept nogil:
    """dw[(r, s, c), k] += sum over the pixels of a band of x[pixel + (r, s), c] * dy[pixel, k], for one block of k."""
    cdef const void* from_rows[TILE_MAX_ROWS]
    cdef void* to_rows[TILE_MAX_ROWS]
    cdef long row = first_row, c = first_row % q.group_in, tap = first_row // q.group_in
    cdef const real* of_tap = x + tap_offset(q, tap, x_row, x_column)
    cdef int rows, m
    while row < end_row:
        rows = <int>min(<long>tallest, end_row - row)
        for m in range(rows):
            from_rows[m] = of_tap + c
            to_rows[m] = dw + (row + m) * q.padded_out
            c += 1
            if c == q.group_in:
                c = 0
                tap += 1
                of_tap = x + tap_offset(q, tap, x_row, x_column)
        tile(sum, rows, from_rows, dy, to_rows, channels, NULL, tiles.TILE_ADD)
        row += rows


cdef void correlate_exchanged(const correlation* q, const tiles.tile_sum* sum, const real* dy, const real* x, real* dw,
                              long numbers) noexcept nogil:
    """dw[k, (s, c)] += sum over the pixels of a band of dy[pixel, k] * x[pixel + (s, c)], for one r and all k."""
    cdef const void* from_channels[TILE_MAX_ROWS]
    cdef void* to_rows[TILE_MAX_ROWS]
    cdef long vectors = ceil_div(numbers, q.tiles.lanes), k = 0
    cdef int rows, m
    cdef tiles.tile_function tile
    tile = q.tiles.tile[vectors] if numbers % q.tiles.lanes == 0 else q.tiles.tile_exact[vectors]
    while k < q.group_out:
        rows = <int>min(<long>q.tiles.rows[vectors], q.group_out - k)
        for m in range(rows):
            from_channels[m] = dy + k + m
            to_rows[m] = dw + (k + m) * q.padded_out
        tile(sum, rows, from_channels, x, to_rows, numbers, NULL, tiles.TILE_ADD)
        k += rows
