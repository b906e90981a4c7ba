# forward and input_grad as one loop over the output pixels; cython_cpu.pyx shows how the loops nest.

from math import gcd

ctypedef struct sweep:
    const tiles.tile_table* tiles
    size_t itemsize
    images x  # what is read: x, or dy
    bint channelwise  # depthwise, each output channel sees one input channel of its own: all are one group here
    long groups, group_in, group_out, out_channels
    long width  # of a block of output channels: of the widest tile, or channelwise one vector
    # Output row i reads rows origin + i*step + t*spread of x for 0 <= t < taps, and multiplies them by row
    # first_tap + t*next_tap of the kernel; likewise columns (axis 1).
    long[2] step
    long[2] origin
    long[2] spread
    long[2] taps
    long[2] first_tap
    long[2] next_tap
    const void* w
    long w_group, w_in, w_out  # distances in w from a group, an input, an output channel to the next
    long[2] w_tap
    long job  # of pool.own_copy: the packed weights
    const void* bias
    void* y
    long y_h, y_w, y_image, y_row, y_column
    bint in_place  # x is read in place, without a copy
    long blocks  # of output channels, of all groups
    bint apart  # a chunk is one block of output channels at some pixels, instead of all blocks
    long chunk_images, chunk_rows
    long outer, inner  # of the sum: one step of `outer` is a run of consecutive numbers of x
    bint out_of_memory


cdef void begin(sweep* s, const view* x, const view* w, long groups, int in_axis):
    """The input channels of a group are axis `in_axis` of w (0 or 1), its output channels the other."""
    images_of(x, &s.x)
    s.itemsize, s.groups, s.group_in = x.itemsize, groups, s.x.c // groups
    s.group_out = w.shape[0] // groups if in_axis == 1 else w.shape[1]
    s.out_channels = groups * s.group_out
    s.w, s.w_group = w.data, w.shape[0] // groups * w.strides[0]
    s.w_in, s.w_out, s.w_tap[0], s.w_tap[1] = w.strides[in_axis], w.strides[1 - in_axis], w.strides[2], w.strides[3]
    s.channelwise = groups > 1 and s.group_in == 1 and s.group_out == 1
    if s.channelwise:
        s.groups, s.group_out, s.w_out = 1, groups, s.w_group
    s.tiles = tiles.table_for(x.itemsize, s.group_out)
    cut_channels(s, 1 if s.channelwise else s.tiles.vectors)
    s.apart = False
    s.bias = NULL
    s.out_of_memory = False


cdef void cut_channels(sweep* s, long vectors) noexcept nogil:
    """Let a block of output channels have so many vectors."""
    s.width = vectors * s.tiles.lanes
    s.blocks = s.groups * ceil_div(s.group_out, s.width)


cdef void begin_forward(sweep* s, const view* x, const view* w, stride, padding, dilation, long groups):
    """Describe the sweep, except for the bias and y."""
    begin(s, x, w, groups, 1)
    for axis in range(2):
        s.step[axis], s.origin[axis], s.taps[axis] = stride[axis], -padding[axis], w.shape[2 + axis]
        s.first_tap[axis], s.next_tap[axis], s.spread[axis] = 0, 1, dilation[axis]


cdef void begin_input_grad(sweep* s, const view* dy, const view* w, long groups):
    """Describe the sweep, except for what set_phases sets."""
    begin(s, dy, w, groups, 0)


cdef void set_phases(sweep* s, long phase_h, long phase_w, const view* dx, const view* w, stride, padding, dilation):
    """Let the sweep write the pixels (phase_h + i*stride, phase_w + j*stride) of dx (N, H, W, C)."""
    cdef long step_h = stride[0], step_w = stride[1]
    set_phase(s, 0, phase_h, w.shape[2], step_h, padding[0], dilation[0])
    set_phase(s, 1, phase_w, w.shape[3], step_w, padding[1], dilation[1])
    s.y_h, s.y_w = ceil_div(dx.shape[1] - phase_h, step_h), ceil_div(dx.shape[2] - phase_w, step_w)
    s.y = dx.data + (phase_h * dx.strides[1] + phase_w * dx.strides[2]) * <long>dx.itemsize
    s.y_image, s.y_row, s.y_column = dx.strides[0], step_h * dx.strides[1], step_w * dx.strides[2]
    cut_channels(s, 1 if s.channelwise else s.tiles.vectors)  # the phase before may have cut them otherwise


cdef void set_phase(sweep* s, int axis, long phase, long taps, long stride, long padding, long dilation):
    """Along an axis, the pixels p = phase + i*stride of dx see the taps r with (p + padding - r*dilation) % stride = 0.

    These taps are `period` apart. Taken from last to first, they meet ascending rows of dy.
    """
    cdef long period = stride // gcd(stride, dilation), r = taps - 1
    while r >= 0 and (phase + padding - r * dilation) % stride != 0:
        r -= 1
    s.step[axis], s.first_tap[axis], s.next_tap[axis] = 1, r, -period
    s.taps[axis] = r // period + 1 if r >= 0 else 0
    s.origin[axis], s.spread[axis] = (phase + padding - r * dilation) // stride, period * dilation // stride


cdef inline run_sweep(sweep* s):
    if s.x.n == 0 or s.y_h == 0 or s.y_w == 0 or s.out_channels == 0:
        return
    s.job = pool.new_job()  # each phase of a stride packs other taps
    with nogil:
        sweep_all(s)
    if s.out_of_memory:
        raise MemoryError("no memory for the packed weights or the padded image of a convolution")


cdef inline long reach(const sweep* s, int axis) noexcept nogil:
    """How many pixels of x an output pixel spans along an axis."""
    return (s.taps[axis] - 1) * s.spread[axis] + 1 if s.taps[axis] else 1


cdef inline long tap_of(const sweep* s, int axis, long t) noexcept nogil:
    """The offset in w of the t-th kernel row (axis 0) or column (axis 1) of the sweep."""
    return (s.first_tap[axis] + t * s.next_tap[axis]) * s.w_tap[axis]


cdef void sweep_all(sweep* s) noexcept nogil:
    """Cut the images into chunks, or the images of each block of output channels, and run them."""
    cdef long image_bytes, wanted, chunks
    find_runs(s, can_stay_in_place(s))
    wanted = CHUNKS_PER_THREAD * pool.num_threads() if pool.num_threads() > 1 else 1
    s.apart = blocks_pay(s)
    if s.apart:
        share_blocks(s)
        wanted = ceil_div(pool.num_threads(), s.blocks)  # what a thread takes over from another it has to pack again
    image_bytes = (s.y_h * s.step[0] * s.y_w * s.step[1] * s.x.c + s.y_h * s.y_w * s.out_channels) * <long>s.itemsize
    s.chunk_images = min(max(1, CACHE_BYTES // (image_bytes + 1)), max(1, s.x.n // wanted))
    s.chunk_rows = s.y_h
    if s.chunk_images == 1:
        s.chunk_rows = min(s.y_h, max(1, CACHE_BYTES * s.y_h // (image_bytes + 1)))
        chunks = ceil_div(wanted, s.x.n)  # of one image
        if chunks > 1:
            s.chunk_rows = min(s.chunk_rows, max(ceil_div(s.y_h, chunks), ceil_div(24, s.y_w)))
    chunks = ceil_div(s.x.n, s.chunk_images) * ceil_div(s.y_h, s.chunk_rows)
    pool.run(chunks * s.blocks if s.apart else chunks, sweep_chunk, s)


cdef bint blocks_pay(const sweep* s) noexcept nogil:
    """Whether chunks are to be blocks of output channels: each packs its weights, but also copies x where it must."""
    cdef long threads = pool.num_threads(), pixels = s.x.n * s.y_h * s.y_w
    if s.groups > 1 or s.channelwise or s.blocks == 1 or (s.taps[0] * s.taps[1] == 1 and not s.in_place):
        return False
    return (threads > 1 and pixels <= FEW_PIXELS * threads) or packed_size(s, 0, s.blocks) * s.itemsize > OWN_BYTES


cdef void share_blocks(sweep* s) noexcept nogil:
    """Make the blocks narrower if that lets every thread have as many."""
    cdef long threads = pool.num_threads(), vectors = ceil_div(s.group_out, s.tiles.lanes)
    cut_channels(s, ceil_div(vectors, ceil_div(ceil_div(vectors, s.tiles.vectors), threads) * threads))


cdef bint can_stay_in_place(const sweep* s) noexcept nogil:
    """Whether x is channels last and the sweep reads no pixel outside its borders."""
    cdef bint inside = s.x.c_stride == 1
    cdef long axis, end
    for axis in range(2):
        end = s.origin[axis] + ((s.y_h if axis == 0 else s.y_w) - 1) * s.step[axis] + reach(s, axis)
        inside &= s.origin[axis] >= 0 and end <= (s.x.h if axis == 0 else s.x.w)
    return inside


cdef void find_runs(sweep* s, bint in_place) noexcept nogil:
    """Choose the run of x that a step of `outer` reads: all (s, c) of a kernel row if contiguous, else c of one tap."""
    s.in_place = in_place
    s.outer, s.inner = s.taps[0] * s.taps[1], s.group_in
    if s.groups == 1 and not s.channelwise and reach(s, 1) == s.taps[1] and (not in_place or s.x.w_stride == s.x.c):
        s.outer, s.inner = s.taps[0], s.taps[1] * s.group_in


cdef void sweep_chunk(void* argument, long chunk) noexcept nogil:
    cdef sweep* s = <sweep*>argument
    cdef long parts = ceil_div(s.y_h, s.chunk_rows), pixel_chunks = ceil_div(s.x.n, s.chunk_images) * parts
    cdef long block = chunk // pixel_chunks, part = chunk % pixel_chunks  # without `apart`, block 0 stands for all
    cdef long n = part // parts * s.chunk_images, row = part % parts * s.chunk_rows
    cdef long count = min(s.chunk_images, s.x.n - n), rows = min(s.chunk_rows, s.y_h - row)
    cdef long at = n * s.y_image + row * s.y_row
    cdef void* packed = pool.own_copy(s.job, block, packed_size(s, block, end_of_blocks(s, block)) * s.itemsize,
                                      pack_part, s)
    if packed == NULL:
        s.out_of_memory = True
    elif s.itemsize == sizeof(float):
        sweep_rows(s, <float*>packed, block, n, count, row, rows, <float*>s.y + at)
    else:
        sweep_rows(s, <double*>packed, block, n, count, row, rows, <double*>s.y + at)


cdef inline long end_of_blocks(const sweep* s, long first) noexcept nogil:
    return first + 1 if s.apart else s.blocks


cdef void sweep_rows(sweep* s, const real* packed, long first_block, long n, long count, long row, long rows,
                     real* y) noexcept nogil:
    """The output channels of a chunk, for some images, or for some rows of one image; y is the first pixel.

    `packed` holds the weights from `first_block` on.
    """
    cdef long top = s.origin[0] + row * s.step[0], left = s.origin[1]
    cdef long x_image = s.x.n_stride, x_row = s.x.h_stride, x_column = s.x.w_stride
    cdef long columns, height, i, t, u, g, k, channels, vectors, block, blocks = ceil_div(s.group_out, s.width)
    cdef long lanes = s.tiles.lanes
    cdef const real* x
    cdef real* copy
    cdef const real* bias = <const real*>s.bias
    cdef long* offsets
    cdef tiles.tile_sum sum
    cdef tiles.tile_function tile
    if s.in_place:
        x = <const real*>s.x.data + n * x_image + top * x_row + left * x_column
    else:
        columns = (s.y_w - 1) * s.step[1] + reach(s, 1)
        height = (rows - 1) * s.step[0] + reach(s, 0)
        x_column, x_row, x_image = s.x.c, columns * s.x.c, height * columns * s.x.c
        copy = <real*>pool.scratch(1, count * x_image * sizeof(real))
        if copy == NULL:
            s.out_of_memory = True
            return
        for i in range(count):
            copy_window(s.tiles, &s.x, n + i, top, left, height, columns, copy + i * x_image)
        x = copy

    offsets = <long*>pool.scratch(2, (s.outer + 1) * sizeof(long))
    if offsets == NULL:
        s.out_of_memory = True
        return
    for t in range(s.taps[0]):
        if s.outer == s.taps[0]:
            offsets[t] = t * s.spread[0] * x_row
        else:
            for u in range(s.taps[1]):
                offsets[t * s.taps[1] + u] = t * s.spread[0] * x_row + u * s.spread[1] * x_column
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner = s.outer, s.inner, offsets, 1

    for block in range(first_block, end_of_blocks(s, first_block)):
        g, k = block // blocks, block % blocks * s.width
        channels = min(s.width, s.group_out - k)
        vectors = ceil_div(channels, lanes)
        sum.b_inner = vectors * lanes
        sum.b_outer = s.inner * sum.b_inner
        tile = s.tiles.tile[vectors]
        if s.channelwise:
            tile = s.tiles.channelwise if channels == lanes else s.tiles.channelwise_exact
        sweep_block(s, &sum, tile, s.tiles.rows[vectors], x + (k if s.channelwise else g * s.group_in), x_image,
                    s.step[0] * x_row, s.step[1] * x_column, packed,
                    bias + g * s.group_out + k if bias != NULL else NULL, y + g * s.group_out + k, channels, count,
                    rows)
        packed += s.outer * sum.b_outer


cdef void sweep_block(const sweep* s, const tiles.tile_sum* sum, tiles.tile_function tile, int tallest, const real* x,
                      long x_image, long x_row, long x_column, const real* w, const real* bias, real* y, long channels,
                      long count, long rows) noexcept nogil:
    """One block of output channels at all pixels of a chunk; a tile may span the end of a row or an image."""
    cdef const void* from_pixels[TILE_MAX_ROWS]
    cdef void* to_pixels[TILE_MAX_ROWS]
    cdef long left = count * rows * s.y_w, n = 0, i = 0, j = 0
    cdef const real* from_pixel = x
    cdef real* to_pixel = y
    cdef int pixels, m
    while left > 0:
        pixels = <int>min(<long>tallest, left)
        for m in range(pixels):
            from_pixels[m] = from_pixel
            to_pixels[m] = to_pixel
            j += 1
            from_pixel += x_column
            to_pixel += s.y_column
            if j == s.y_w:
                j = 0
                i += 1
                if i == rows:
                    i = 0
                    n += 1
                from_pixel = x + n * x_image + i * x_row
                to_pixel = y + n * s.y_image + i * s.y_row
        tile(sum, pixels, from_pixels, w, to_pixels, channels, bias, tiles.TILE_STORE)
        left -= pixels
