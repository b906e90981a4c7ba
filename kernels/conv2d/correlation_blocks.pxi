# weight_grad where dw is large compared with x and dy: a block of dw is summed over all pixels, and written once.
# Slots, which are updated at every band, would go through memory again and again. Loop order, from the outside:
#
#     block         64 channels k x some channels c, all taps (r, s): the unit of work of a thread
#       piece       some images, or rows of one: x and dy, in these channels, copied to lie side by side in the L2 cache
#         strip     as many channels k as the widest tile has: 64 with AVX-512
#           tile    6 rows (r, s, c) of the block x the strip
#             i, j  pixels of the piece

cdef enum:
    BLOCK_OUT = 64  # channels k of a block
    BLOCK_IN = 16  # channels c, at least
    WIDE_BLOCK_ROWS = 576  # (r, s, c) of a block, if there are enough blocks for all threads
    PIECE_OF_DY_BYTES = 64 << 10

cdef bint dw_is_large(const correlation* q) noexcept nogil:
    """Whether its slots would take more memory than x and dy."""
    return not q.exchanged and not q.channelwise and SLOTS * slot_numbers(q) > numbers_of(&q.x) + numbers_of(&q.dy)


cdef void correlate_in_blocks(correlation* q) noexcept nogil:
    cdef long blocks = q.groups * ceil_div(q.group_out, BLOCK_OUT)
    q.block_in = max(<long>BLOCK_IN, WIDE_BLOCK_ROWS // (q.taps[0] * q.taps[1]) // BLOCK_IN * BLOCK_IN)
    if blocks * ceil_div(q.group_in, q.block_in) < 2 * pool.num_threads():
        q.block_in = BLOCK_IN
    pool.run(blocks * ceil_div(q.group_in, q.block_in), correlate_block_of, q)


cdef void correlate_block_of(void* argument, long index) noexcept nogil:
    cdef correlation* job = <correlation*>argument
    if job.itemsize == sizeof(float):
        correlate_whole_block(<float*>NULL, job, index)
    else:
        correlate_whole_block(<double*>NULL, job, index)


cdef void correlate_whole_block(const real* tag, correlation* whole, long index) noexcept nogil:
    """dw[k, c, r, s] for some channels k of a group, some channels c, and all taps."""
    cdef correlation q = whole[0]  # with the channels of the block alone
    cdef long across = ceil_div(whole.group_in, q.block_in), down = ceil_div(whole.group_out, BLOCK_OUT)
    cdef long g = index // (across * down), k = index // across % down * BLOCK_OUT, c = index % across * q.block_in
    cdef long taps = q.taps[0] * q.taps[1]
    cdef long fitting, rows, count, n, row, i
    cdef real* out = <real*>q.dw + ((g * whole.group_out + k) * whole.group_in + c) * taps
    take_channels(tag, &q.x, g * whole.group_in + c, min(q.block_in, whole.group_in - c))
    take_channels(tag, &q.dy, g * whole.group_out + k, min(<long>BLOCK_OUT, whole.group_out - k))
    q.group_in, q.group_out, q.padded_out = q.x.c, q.dy.c, ceil_div(q.dy.c, q.tiles.lanes) * q.tiles.lanes
    q.rows = taps * q.group_in
    cdef real* dw = <real*>pool.scratch(0, q.rows * q.padded_out * sizeof(real))
    if dw == NULL:
        whole.out_of_memory = True
        return
    memset(dw, 0, q.rows * q.padded_out * sizeof(real))
    fitting = max(1, PIECE_OF_DY_BYTES // (q.dy.w * q.dy.c * <long>sizeof(real) + 1))
    rows, count = min(q.dy.h, fitting), max(1, fitting // max(1, q.dy.h))
    for n from 0 <= n < q.dy.n by count:
        for row from 0 <= row < q.dy.h by rows:
            if not correlate_piece(&q, n, min(count, q.dy.n - n), row, min(rows, q.dy.h - row), dw):
                whole.out_of_memory = True
                return
    if taps == 1:
        q.tiles.transpose(q.group_in, q.group_out, dw, q.padded_out, out, whole.group_in)
    else:
        for i in range(q.group_in):
            q.tiles.transpose(taps, q.group_out, dw + i * q.padded_out, q.group_in * q.padded_out, out + i * taps,
                              whole.group_in * taps)
    for i in range(4):  # a kernel as large as a picture makes them large
        pool.scratch_done(<int>i)


cdef inline void take_channels(const real* tag, images* x, long first, long count) noexcept nogil:
    x.data, x.c = <const real*>x.data + first * x.c_stride, count


cdef bint correlate_piece(const correlation* q, long n, long count, long row, long rows, real* dw) noexcept nogil:
    """Add to a block what some rows of some images contribute; False if out of memory."""
    cdef long height = (rows - 1) * q.step[0] + (q.taps[0] - 1) * q.dilation[0] + 1
    cdef long width = (q.dy.w - 1) * q.step[1] + (q.taps[1] - 1) * q.dilation[1] + 1
    cdef long x_row = width * q.x.c, x_image = height * x_row, dy_image = rows * q.dy.w * q.dy.c, i
    cdef long k, channels, vectors
    cdef long* offsets = <long*>pool.scratch(2, count * rows * sizeof(long))
    cdef real* x = <real*>pool.scratch(1, count * x_image * sizeof(real))
    cdef real* dy = <real*>pool.scratch(3, count * dy_image * sizeof(real))
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    if offsets == NULL or x == NULL or dy == NULL:
        return False
    for i in range(count):
        copy_window(q.tiles, &q.x, n + i, row * q.step[0] - q.padding[0], -q.padding[1], height, width, x + i * x_image)
        copy_window(q.tiles, &q.dy, n + i, row, 0, rows, q.dy.w, dy + i * dy_image)
    for i in range(count * rows):
        offsets[i] = i // rows * x_image + i % rows * q.step[0] * x_row
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = count * rows, q.dy.w, offsets, q.step[1] * q.x.c
    sum.b_outer, sum.b_inner = q.dy.w * q.dy.c, q.dy.c
    for k from 0 <= k < q.dy.c by q.tiles.vectors * q.tiles.lanes:
        channels = min(<long>(q.tiles.vectors * q.tiles.lanes), q.dy.c - k)
        vectors = ceil_div(channels, q.tiles.lanes)
        tile = q.tiles.tile[vectors] if channels % q.tiles.lanes == 0 else q.tiles.tile_exact[vectors]
        correlate_block(q, &sum, tile, q.tiles.rows[vectors], x, x_row, q.x.c, dy + k, dw + k, channels, 0, q.rows)
    return True
