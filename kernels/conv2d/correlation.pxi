# weight_grad: cut the work into slots and bands, and add the slots up; cython_cpu.pyx shows how the loops nest.

cdef enum:
    MAX_SLOTS = 8  # of SLOTS in images.pxi and of BACKWARD_SLOTS in conv2d_relu_pool
    ADDED_CHANNELS = 16  # a cache line

ctypedef struct correlation:
    const tiles.tile_table* tiles
    size_t itemsize
    images x, dy
    bint channelwise  # depthwise, as in sweep.pxi
    long groups, group_in, group_out
    long[2] taps
    long[2] step
    long[2] padding
    long[2] dilation
    void* dw
    bint x_in_place, dy_in_place
    bint exchanged  # rows of dw are (r, k), columns (s, c): fewer vectors where there are few channels k
    long band_rows, bands  # rows of dy in a band; bands in an image
    long unit_images, units  # a unit, over which a tile sums, is one band, or some images of one band each
    long rows, padded_out  # of a slot's dw: [group][r, s, c][k], or [r, k][s, c], padded to whole vectors
    long slots, parts  # a slot's dw is computed in parts, each a range of its rows
    long out_blocks  # blocks of channels k in which the slots are added up
    long block_in  # channels c of a block of dw, where there are no slots
    void* partial
    bint out_of_memory


cdef void begin_correlation(correlation* q, const view* x, const view* dw, stride, padding, dilation, long groups):
    """Describe the task, except for dy."""
    q.tiles, q.itemsize = tiles.table(x.itemsize), x.itemsize
    images_of(x, &q.x)
    q.groups, q.group_in, q.group_out = groups, dw.shape[1], dw.shape[0] // groups
    q.channelwise = groups > 1 and q.group_in == 1 and q.group_out == 1
    if q.channelwise:
        q.groups, q.group_out = 1, groups
    for axis in range(2):
        q.taps[axis], q.step[axis] = dw.shape[2 + axis], stride[axis]
        q.padding[axis], q.dilation[axis] = padding[axis], dilation[axis]
    q.dw = dw.data
    q.out_of_memory = False


cdef inline void correlate(correlation* q) noexcept nogil:
    """Choose bands and slots from the shapes alone, compute the slots, add them up."""
    cdef long row_bytes, cached_rows, threads = pool.num_threads(), rows
    lay_out_partial(q)
    if dw_is_large(q):
        correlate_in_blocks(q)
        return
    row_bytes = (q.dy.w * (q.step[0] * q.step[1] * q.x.c + q.dy.c)) * <long>q.itemsize
    cached_rows = max(1, 4 * CACHE_BYTES // (row_bytes + 1))
    q.band_rows = min(max(1, q.dy.h), cached_rows)
    q.bands = ceil_div(q.dy.h, q.band_rows)
    q.unit_images = 1
    if q.bands == 1 and images_can_join(q):
        q.unit_images = max(1, min(cached_rows // max(1, q.dy.h), q.x.n // SLOTS))
    q.units = ceil_div(q.x.n, q.unit_images) * q.bands
    q.slots = slots_that_pay(q, 1, max(1, min(SLOTS, q.units)))
    q.parts = 1
    if threads > 1 and q.slots < 2 * threads and not q.channelwise:  # whole rows r of the kernel, or whole tiles
        rows = q.taps[0] if q.exchanged else q.rows // TILE_MAX_ROWS
        q.parts = max(1, min(ceil_div(2 * threads, q.slots), rows))
    q.partial = pool.scratch(0, q.slots * slot_numbers(q) * q.itemsize)
    if q.partial == NULL:
        q.out_of_memory = True
        return
    pool.run(q.slots * q.parts, correlate_chunk_of, q)
    add_all_slots(q)
    pool.scratch_done(0)


cdef inline long numbers_of(const images* x) noexcept nogil:
    return x.n * x.c * x.h * x.w


cdef long slots_that_pay(const correlation* q, long least, long most) noexcept nogil:
    """The number of slots, halved until they take no more memory than x and dy: a slot's dw is updated once a unit."""
    cdef long slots = most
    while slots > least and slots * slot_numbers(q) > numbers_of(&q.x) + numbers_of(&q.dy):
        slots = max(least, slots // 2)
    return slots


cdef void lay_out_partial(correlation* q) noexcept nogil:
    """Choose what is read in place, and the layout of a slot's dw."""
    cdef long lanes = q.tiles.lanes
    q.x_in_place = q.x.c_stride == 1 and q.padding[0] == 0 and q.padding[1] == 0
    q.exchanged = (can_exchange(q)
                   and q.group_out * ceil_div(q.taps[1] * q.group_in, lanes)
                   < q.taps[1] * q.group_in * ceil_div(q.group_out, lanes))
    q.dy_in_place = q.dy.c_stride == 1
    if q.exchanged:
        exchange(q)
    else:
        q.rows, q.padded_out = q.taps[0] * q.taps[1] * q.group_in, ceil_div(q.group_out, lanes) * lanes


cdef bint can_exchange(const correlation* q) noexcept nogil:
    """Whether the numbers (s, c) that a row of the kernel multiplies are contiguous in x, or in its copy."""
    return (q.groups == 1 and not q.channelwise and q.dilation[1] == 1
            and (not q.x_in_place or q.x.w_stride == q.x.c))


cdef void exchange(correlation* q) noexcept nogil:
    """Let rows of dw be (r, k), and columns (s, c)."""
    q.exchanged = True
    q.rows = q.taps[0] * q.group_out
    q.padded_out = ceil_div(q.taps[1] * q.group_in, q.tiles.lanes) * q.tiles.lanes


cdef bint images_can_join(const correlation* q) noexcept nogil:
    """Whether the rows of dy are equally far apart across images too, so that one sum can run over several images.

    The more pixels in a sum, the less often a tile of dw is loaded and stored.
    """
    return not q.exchanged and (not q.dy_in_place or q.dy.n_stride == q.dy.h * q.dy.h_stride)


cdef long slot_numbers(const correlation* q) noexcept nogil:
    """How many numbers a slot's dw has."""
    return q.groups * q.rows * q.padded_out


cdef void add_all_slots(correlation* q) noexcept nogil:
    """dw = sum of the slots; a chunk adds a block of 16 channels k."""
    q.out_blocks = ceil_div(q.group_out, ADDED_CHANNELS)
    pool.run(q.groups * q.out_blocks, add_slots_of, q)


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
    cdef real* dw = <real*>q.partial + slot * q.groups * group_size
    cdef long* offsets = <long*>pool.scratch(2, (q.unit_images * q.band_rows + 1) * sizeof(long))
    if offsets == NULL:
        q.out_of_memory = True
        return
    for g in range(q.groups):
        memset(dw + g * group_size + first_row * q.padded_out, 0, (end_row - first_row) * q.padded_out * sizeof(real))
    for unit in range(q.units * slot // q.slots, q.units * (slot + 1) // q.slots):
        n = unit // q.bands * q.unit_images
        correlate_band(tag, q, n, min(q.unit_images, q.x.n - n), unit % q.bands * q.band_rows, first_row, end_row,
                       offsets, dw)


cdef void add_slots_of(void* argument, long chunk) noexcept nogil:
    cdef correlation* job = <correlation*>argument
    if job.itemsize == sizeof(float):
        add_slots(<float*>NULL, job, chunk // job.out_blocks, chunk % job.out_blocks)
    else:
        add_slots(<double*>NULL, job, chunk // job.out_blocks, chunk % job.out_blocks)


cdef void add_slots(const real* tag, correlation* q, long g, long block) noexcept nogil:
    """dw[k, c, r, s] = sum over slots of partial[slot][r, s, c][k] (or [r, k][s, c]), in order; for group g."""
    cdef long taps = q.taps[0] * q.taps[1], group_size = q.rows * q.padded_out, slot, k, c, r
    cdef long first = block * ADDED_CHANNELS, end = min(q.group_out, first + ADDED_CHANNELS), step
    cdef real* partial = <real*>q.partial + g * group_size
    cdef real* dw = <real*>q.dw + g * q.group_out * taps * q.group_in
    cdef long offsets[MAX_SLOTS]
    cdef double weights[MAX_SLOTS]
    for slot in range(q.slots):
        offsets[slot], weights[slot] = slot * slot_numbers(q), 1
    if q.exchanged:
        step = q.group_out * q.padded_out
        q.tiles.weighted_sums(q.taps[0], partial + first * q.padded_out, step, offsets, weights, <int>q.slots, 1,
                              (end - first) * q.padded_out, partial + first * q.padded_out, step)
    else:
        q.tiles.weighted_sums(q.rows, partial + first, q.padded_out, offsets, weights, <int>q.slots, 1, end - first,
                              partial + first, q.padded_out)
    if q.exchanged:
        for k in range(first, end):
            for r in range(q.taps[0]):
                q.tiles.transpose(q.taps[1], q.group_in, partial + (r * q.group_out + k) * q.padded_out, q.group_in,
                                  dw + k * q.group_in * taps + r * q.taps[1], taps)
    elif taps == 1:
        q.tiles.transpose(q.group_in, end - first, partial + first, q.padded_out, dw + first * q.group_in, q.group_in)
    else:
        for c in range(q.group_in):
            q.tiles.transpose(taps, end - first, partial + c * q.padded_out + first, q.group_in * q.padded_out,
                              dw + (first * q.group_in + c) * taps, q.group_in * taps)
