# weight_grad: slots, bands and tiles; cython_cpu.pyx says how they nest.

cdef enum:
    MAX_SLOTS = 16
    ADDED_CHANNELS = 16  # a cache line
    PIECE_BYTES = 24 << 10  # of dy: it stays in the L1 cache while all tiles of dw pass

ctypedef struct correlation:
    const tiles.tile_table* tiles
    size_t itemsize
    images x, dy
    long groups, group_in, group_out
    long[2] taps
    long[2] step
    long[2] padding
    long[2] dilation
    void* dw
    bint x_in_place, dy_in_place
    bint channelwise
    bint exchanged  # rows are (r, k), columns (s, c): fewer vectors where there are few channels k
    long band_rows, bands  # of dy; an image has so many bands
    long unit_images, units  # a sum runs over one band, or over some images that are one band each
    long rows, padded_out  # of a slot's dw: [group][r, s, c][k], or [r, k][s, c], padded to whole vectors
    long slots, parts  # a slot's dw is computed in parts, each some of its rows
    long out_blocks  # in which the slots are added up
    void* partial
    bint out_of_memory


cdef void begin_correlation(correlation* q, const view* x, const view* dw, stride, padding, dilation, long groups):
    """All but dy."""
    q.tiles, q.itemsize = tiles.table(x.itemsize), x.itemsize
    images_of(x, &q.x)
    q.groups, q.group_in, q.group_out = groups, dw.shape[1], dw.shape[0] // groups
    for axis in range(2):
        q.taps[axis], q.step[axis] = dw.shape[2 + axis], stride[axis]
        q.padding[axis], q.dilation[axis] = padding[axis], dilation[axis]
    q.dw = dw.data
    q.out_of_memory = False


cdef inline void correlate(correlation* q) noexcept nogil:
    """Choose bands and slots by the shapes alone, run them, add up the slots."""
    cdef long row_bytes, cached_rows, threads = pool.num_threads(), rows
    lay_out_partial(q)
    row_bytes = (q.dy.w * (q.step[0] * q.step[1] * q.x.c + q.dy.c)) * <long>q.itemsize
    cached_rows = max(1, 4 * CACHE_BYTES // (row_bytes + 1))
    q.band_rows = min(max(1, q.dy.h), cached_rows)
    q.bands = rounded_up(q.dy.h, q.band_rows)
    q.unit_images = 1
    if q.bands == 1 and images_can_join(q):
        q.unit_images = max(1, min(cached_rows // max(1, q.dy.h), q.x.n // SLOTS))
    q.units = rounded_up(q.x.n, q.unit_images) * q.bands
    q.slots = slots_that_pay(q, 1, max(1, min(SLOTS, q.units)), q.dy.n * q.dy.h * q.dy.w * q.dy.c)
    q.parts = 1
    if threads > 1 and q.slots < 2 * threads and not q.channelwise:  # whole rows r of the kernel, or whole tiles
        rows = q.taps[0] if q.exchanged else q.rows // TILE_MAX_ROWS
        q.parts = max(1, min(rounded_up(2 * threads, q.slots), rows))
    q.partial = pool.scratch(0, q.slots * slot_numbers(q) * q.itemsize)
    if q.partial == NULL:
        q.out_of_memory = True
        return
    pool.run(q.slots * q.parts, correlate_chunk_of, q)
    add_all_slots(q)
    pool.scratch_done(0)


cdef long slots_that_pay(const correlation* q, long least, long most, long dy_numbers) noexcept nogil:
    """So many that together they take no more memory than x and dy: these are read once, but a dw again and again."""
    cdef long slots = most
    while slots > least and slots * slot_numbers(q) > q.x.n * q.x.h * q.x.w * q.x.c + dy_numbers:
        slots = max(least, slots // 2)
    return slots


cdef void lay_out_partial(correlation* q) noexcept nogil:
    """Choose what is read in place, and how the dw of a slot lies in memory."""
    cdef long lanes = q.tiles.lanes
    q.channelwise = q.group_in == 1 and q.group_out == 1 and q.groups > 1
    q.x_in_place = q.x.c_stride == 1 and q.padding[0] == 0 and q.padding[1] == 0
    q.exchanged = (q.groups == 1 and q.dilation[1] == 1 and (not q.x_in_place or q.x.w_stride == q.x.c)
                   and q.group_out * rounded_up(q.taps[1] * q.group_in, lanes)
                   < q.taps[1] * q.group_in * rounded_up(q.group_out, lanes))
    q.dy_in_place = q.dy.c_stride == 1
    if q.channelwise:
        q.rows, q.padded_out = q.taps[0] * q.taps[1], rounded_up(q.groups, lanes) * lanes
    elif q.exchanged:
        q.rows, q.padded_out = q.taps[0] * q.group_out, rounded_up(q.taps[1] * q.group_in, lanes) * lanes
    else:
        q.rows, q.padded_out = q.taps[0] * q.taps[1] * q.group_in, rounded_up(q.group_out, lanes) * lanes


cdef bint images_can_join(const correlation* q) noexcept nogil:
    """Whether all rows of dy follow each other, from one image to the next: the more pixels in a sum, the less often a
    tile of dw comes and goes."""
    return not q.exchanged and (not q.dy_in_place or q.dy.n_stride == q.dy.h * q.dy.h_stride)


cdef long slot_numbers(const correlation* q) noexcept nogil:
    """How many numbers the dw of a slot has."""
    return (1 if q.channelwise else q.groups) * q.rows * q.padded_out


cdef void add_all_slots(correlation* q) noexcept nogil:
    """dw from the slots: a chunk takes a block of 16 channels k, or, where the rows are exchanged, all."""
    cdef long outs = q.groups if q.channelwise else q.group_out
    q.out_blocks = 1 if q.exchanged else rounded_up(outs, ADDED_CHANNELS)
    pool.run((1 if q.channelwise else q.groups) * q.out_blocks, add_slots_of, q)


cdef void correlate_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef correlation* job = <correlation*>argument
    if job.itemsize == sizeof(float):
        correlate_chunk(<float*>NULL, job, chunk)
    else:
        correlate_chunk(<double*>NULL, job, chunk)


cdef void correlate_chunk(const real* tag, correlation* q, long chunk) noexcept nogil:
    """Some rows (r, s, c) of one slot's dw, over all bands of the slot."""
    cdef long slot = chunk // q.parts, part = chunk % q.parts
    cdef long first_row = q.rows * part // q.parts, end_row = q.rows * (part + 1) // q.parts
    if q.exchanged:  # whole rows r of the kernel
        first_row = q.taps[0] * part // q.parts * q.group_out
        end_row = q.taps[0] * (part + 1) // q.parts * q.group_out
    cdef long unit, n, group_size = q.rows * q.padded_out, g
    cdef long slot_groups = 1 if q.channelwise else q.groups
    cdef real* dw = <real*>q.partial + slot * slot_groups * group_size
    cdef long* offsets = <long*>pool.scratch(2, (q.unit_images * q.band_rows + 1) * sizeof(long))
    if offsets == NULL:
        q.out_of_memory = True
        return
    for g in range(slot_groups):
        memset(dw + g * group_size + first_row * q.padded_out, 0, (end_row - first_row) * q.padded_out * sizeof(real))
    for unit in range(q.units * slot // q.slots, q.units * (slot + 1) // q.slots):
        n = unit // q.bands * q.unit_images
        correlate_band(tag, q, n, min(q.unit_images, q.x.n - n), unit % q.bands * q.band_rows, first_row, end_row,
                       offsets, dw)


cdef void correlate_band(const real* tag, correlation* q, long n, long count, long row, long first_row, long end_row,
                         long* offsets, real* dw) noexcept nogil:
    """Some rows of dw from one band of image n, or from `count` whole images."""
    cdef long rows = min(q.band_rows, q.dy.h - row)
    cdef long top = row * q.step[0] - q.padding[0], left = -q.padding[1]
    cdef long height, width, i, g, k, piece, channels, lanes = q.tiles.lanes, vectors, x_image = q.x.n_stride
    cdef long x_row = q.x.h_stride, x_column = q.x.w_stride, dy_row = q.dy.h_stride, dy_column = q.dy.w_stride
    cdef const real* x
    cdef const real* dy
    cdef const real* dy_block
    cdef real* copy
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    if q.x_in_place:
        x = <const real*>q.x.data + n * q.x.n_stride + top * x_row
    else:
        height = (rows - 1) * q.step[0] + (q.taps[0] - 1) * q.dilation[0] + 1
        width = (q.dy.w - 1) * q.step[1] + (q.taps[1] - 1) * q.dilation[1] + 1
        x_column, x_row, x_image = q.x.c, width * q.x.c, height * width * q.x.c
        copy = <real*>pool.scratch(1, count * x_image * sizeof(real))
        if copy == NULL:
            q.out_of_memory = True
            return
        for i in range(count):
            copy_window(&q.x, n + i, top, left, height, width, copy + i * x_image)
        x = copy
    if q.dy_in_place:
        dy = <const real*>q.dy.data + n * q.dy.n_stride + row * dy_row
    else:
        copy = <real*>pool.scratch(3, count * rows * q.dy.w * q.dy.c * sizeof(real))
        if copy == NULL:
            q.out_of_memory = True
            return
        for i in range(count):
            copy_window(&q.dy, n + i, row, 0, rows, q.dy.w, copy + i * rows * q.dy.w * q.dy.c)
        dy, dy_column, dy_row = copy, q.dy.c, q.dy.w * q.dy.c

    if q.exchanged:
        for i in range(rows):
            offsets[i] = i * dy_row
        sum.outer, sum.inner, sum.a_offsets, sum.a_inner = rows, q.dy.w, offsets, dy_column
        sum.b_outer, sum.b_inner = q.step[0] * x_row, q.step[1] * x_column
        for i in range(first_row // q.group_out, end_row // q.group_out):
            k = 0
            while k < q.taps[1] * q.group_in:
                channels = min(q.tiles.vectors * lanes, q.taps[1] * q.group_in - k)
                correlate_exchanged(q, &sum, dy, x + i * q.dilation[0] * x_row + k,
                                    dw + i * q.group_out * q.padded_out + k, channels)
                k += channels
        return
    for i in range(count * rows):
        offsets[i] = i // rows * x_image + i % rows * q.step[0] * x_row
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = count * rows, q.dy.w, offsets, q.step[1] * x_column
    sum.b_outer, sum.b_inner = dy_row, dy_column
    cdef bint pack_dy = not q.channelwise and q.group_out > q.tiles.vectors * lanes
    cdef real* packed_dy = NULL
    if pack_dy:
        packed_dy = <real*>pool.scratch(4, count * rows * q.dy.w * q.tiles.vectors * lanes * sizeof(real))
        if packed_dy == NULL:
            q.out_of_memory = True
            return
    if q.channelwise:
        k = 0
        while k < q.groups:
            channels = min(lanes, q.groups - k)
            correlate_block(q, &sum, q.tiles.channelwise, q.tiles.rows[1], x + k, x_row, x_column, dy + k, dw + k,
                            channels, first_row, end_row)
            k += lanes
        return
    for g in range(q.groups):
        k = 0
        while k < q.group_out:
            channels = min(q.tiles.vectors * lanes, q.group_out - k)
            vectors = rounded_up(channels, lanes)
            tile = q.tiles.tile[vectors] if channels % lanes == 0 else q.tiles.tile_exact[vectors]
            dy_block = dy + g * q.group_out + k
            if pack_dy:
                pack_channels(dy_block, count * rows, dy_row, q.dy.w, dy_column, channels, packed_dy)
                dy_block, sum.b_outer, sum.b_inner = packed_dy, q.dy.w * channels, channels
            piece = max(1, PIECE_BYTES // (q.dy.w * channels * <long>sizeof(real)))
            i = 0
            while i < count * rows:
                sum.outer, sum.a_offsets = min(piece, count * rows - i), offsets + i
                correlate_block(q, &sum, tile, q.tiles.rows[vectors], x + g * q.group_in, x_row, x_column,
                                dy_block + i * sum.b_outer, dw + g * q.rows * q.padded_out + k, channels, first_row,
                                end_row)
                i += piece
            k += channels


cdef void pack_channels(const real* dy, long rows, long dy_row, long columns, long dy_column, long channels,
                        real* packed) noexcept nogil:
    """packed[i, j, k] = dy[i, j, k] of a block of channels: the channels of all others lie between two pixels of dy."""
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
    cdef long vectors = rounded_up(numbers, q.tiles.lanes), k = 0
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


cdef void add_slots_of(void* argument, long chunk) noexcept nogil:
    cdef correlation* job = <correlation*>argument
    if job.itemsize == sizeof(float):
        add_slots(<float*>NULL, job, chunk // job.out_blocks, chunk % job.out_blocks)
    else:
        add_slots(<double*>NULL, job, chunk // job.out_blocks, chunk % job.out_blocks)


cdef void add_slots(const real* tag, correlation* q, long g, long block) noexcept nogil:
    """dw[k, c, r, s] = sum over slots of partial[slot][r, s, c][k] (or [r, k][s, c]), in order; for group g."""
    cdef long taps = q.taps[0] * q.taps[1], group_size = q.rows * q.padded_out, slot, k, c, r
    cdef long outs = q.groups if q.channelwise else q.group_out
    cdef long first = block * ADDED_CHANNELS, end = outs if q.exchanged else min(outs, first + ADDED_CHANNELS)
    cdef real* partial = <real*>q.partial + g * group_size
    cdef real* dw = <real*>q.dw + g * outs * q.rows
    cdef long offsets[MAX_SLOTS]
    cdef double weights[MAX_SLOTS]
    for slot in range(q.slots):
        offsets[slot], weights[slot] = slot * slot_numbers(q), 1
    if q.exchanged:
        q.tiles.weighted_sums(1, partial, 0, offsets, weights, <int>q.slots, 1, group_size, partial, 0)
    else:
        q.tiles.weighted_sums(q.rows, partial + first, q.padded_out, offsets, weights, <int>q.slots, 1, end - first,
                              partial + first, q.padded_out)
    if q.exchanged:
        for k in range(q.group_out):
            for r in range(q.taps[0]):
                q.tiles.transpose(q.taps[1], q.group_in, partial + (r * q.group_out + k) * q.padded_out, q.group_in,
                                  dw + k * q.group_in * taps + r * q.taps[1], taps)
    elif taps == 1:
        q.tiles.transpose(q.group_in, end - first, partial + first, q.padded_out, dw + first * q.group_in, q.group_in)
    else:
        for c in range(q.group_in):
            q.tiles.transpose(taps, end - first, partial + c * q.padded_out + first, q.group_in * q.padded_out,
                              dw + (first * q.group_in + c) * taps, q.group_in * taps)
